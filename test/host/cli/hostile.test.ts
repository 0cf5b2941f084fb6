// What files, kills and full disks do to the command.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { printable, printableJson } from "../../../host/core/api/printable";
import { writeAtomically } from "../../../host/node/files/output_file";
import { temporaryFor } from "../../../host/node/files/temporary";
import { nodeFiles } from "../../../host/node/hub";
import { split } from "../../../host/node/split";
import { CLI, finish, start, zagreus } from "../../support/command";
import { nanoBytes } from "../../support/nano";

const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;
const root = mkdtempSync(join(tmpdir(), "zagreus-hostile-"));
let directory = root;
beforeEach(() => {
  directory = mkdtempSync(join(root, "run-"));
});
afterAll(() => rmSync(root, { recursive: true }));

describe("text of others", () => {
  test("nothing that a terminal takes for a command is left of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(printable(text)).not.toMatch(UNPRINTABLE);
        expect(printableJson({ text })).not.toMatch(UNPRINTABLE);
        expect(JSON.parse(printableJson({ text }))).toEqual({ text });
      }),
    );
    expect(printable("a\x1b[31m\u009b1m\u202eb\u2066\x7f\tè😀")).toBe(
      "a\ufffd[31m\ufffd1m\ufffdb\ufffd\ufffd\ufffdè😀",
    );
  });

  /** The bundled model, in which the bytes of one text are another's. */
  function patched(text: string, other: string): string {
    const bytes = Buffer.from(nanoBytes());
    expect(Buffer.byteLength(other)).toBe(Buffer.byteLength(text));
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) bytes.write(other, at);
    const path = join(directory, "patched.gguf");
    writeFileSync(path, bytes);
    return path;
  }

  test.each(["inspect", "show"])("%s shows names without commands", async (command) => {
    const path = patched("zagreus-nano", "\x1b[31m\x07\u202e\u0085x");
    for (const flags of [[], ["--json"]]) {
      const { code, stdout } = await zagreus([command, path, ...flags]);
      expect([code, stdout.length > 100]).toEqual([0, true]);
      expect(stdout).not.toMatch(UNPRINTABLE);
    }
  });

  test("errors name tensors without commands", async () => {
    const path = patched("blk.0.attn_q.weight", "\x1b]0;PWNED\x07_q.weight");
    const { code, stderr } = await zagreus(["complete", "a", "-n", "1", "-m", path]);
    expect(code).toBe(1);
    expect(stderr).toContain("PWNED");
    expect(stderr).not.toMatch(UNPRINTABLE);
  });
});

test.skipIf(!existsSync("/dev/full"))("a full standard output is said", () => {
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(process.execPath, [CLI, "tokenize", "a"], { stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  expect([status, String(stderr)]).toEqual([
    1,
    expect.stringMatching(/^zagreus: cannot write to standard output: ENOSPC/),
  ]);
});

describe("after a kill", () => {
  /** A file that a process which is no more was about to move to `path`. */
  async function leftover(path: string): Promise<string> {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    const left = temporaryFor(path).replace(`-${process.pid}-`, `-${child.pid}-`);
    writeFileSync(left, "half");
    return left;
  }

  test("the next run removes what was not finished, and nothing of those that run", async () => {
    const path = join(directory, "model.gguf");
    await leftover(path);
    const mine = temporaryFor(path);
    writeFileSync(mine, "in use");
    const others = await leftover(join(directory, "other.gguf"));
    await writeAtomically(path, (sink) => sink(Buffer.from("whole")));
    expect(readdirSync(directory).sort()).toEqual([mine, others, path].map((name) => basename(name)).sort());
    await nodeFiles.writeText(join(directory, "other.gguf"), "whole");
    expect(existsSync(others)).toBe(false);
  });

  test("split removes pieces of a run that has not come to its manifest, also of another model", async () => {
    const bytes = new Uint8Array(1000).fill(7);
    const controller = new AbortController();
    const killed = split(bytes, directory, {
      pieceBytes: 100,
      name: "a.gguf",
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => loadedBytes === 500 && controller.abort(),
    });
    await expect(killed).rejects.toMatchObject({ code: "ABORTED" });
    await leftover(join(directory, "a.gguf.005"));
    writeFileSync(join(directory, "a.gguf.txt"), "mine");
    await split(bytes, directory, { pieceBytes: 600, name: "b.gguf" });
    expect(readdirSync(directory).sort()).toEqual(["a.gguf.txt", "b.gguf.000", "b.gguf.001", "manifest.json"]);
  });
});

test("a partial file is never opened through a link", async () => {
  const victim = join(directory, "victim");
  for (const make of [symlinkSync, linkSync]) {
    writeFileSync(victim, "precious");
    const partial = join(directory, "blob.incomplete");
    make(victim, partial);
    const file = await nodeFiles.openPartial(partial);
    expect(file.size).toBe(0);
    await file.write(Buffer.from("downloaded"), 0);
    await file.close();
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(readFileSync(partial, "utf8")).toBe("downloaded");
    rmSync(partial);
  }
});

test("serve warns of open doors, and answers to this machine's names only", async () => {
  const child = start(["serve", "--port", "0", "--json", "--host", "0.0.0.0"]);
  const ended = finish(child);
  const [line] = await once(child.stdout!, "data");
  const { port } = new URL(JSON.parse(String(line)).url);
  const status = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asking = get({ host: "127.0.0.1", port, path: "/v1/models", headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asking.on("error", reject);
    });
  expect([await status("evil.example"), await status(`localhost:${port}`), await status("127.0.0.1")]).toEqual([
    403, 200, 200,
  ]);
  child.kill("SIGTERM");
  expect((await ended).stderr).toContain(
    "zagreus: whoever reaches 0.0.0.0 may use the model: --api-key asks for a key\n",
  );
});
