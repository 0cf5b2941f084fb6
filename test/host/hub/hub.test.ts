// Downloads from a server on this machine that behaves, and misbehaves, like the hub.

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HubPlatform, listModel, pullCheckpoint, pullGguf, pullModel } from "../../../host/core/hub/index";
import { nodeFiles } from "../../../host/node/hub";
import {
  type Fault,
  gitOid,
  type HubRepository,
  type HubServer,
  oidOf,
  settingsFor,
  sha256,
  startHub,
} from "../../support/hub_server";

const COMMIT = "a".repeat(39);
const MODEL = randomBytes(1_000_003);
const CONFIG = Buffer.from('{"model_type": "llama"}');
const REPOSITORY = "mii-llm/test";
const FOLDER = "models--mii-llm--test";
const FILE = { path: "model-Q4_0.gguf", bytes: MODEL, lfs: true };
/** Far longer than what a broken connection may lose on the way. */
const LONG = { path: "long.gguf", bytes: randomBytes(4_000_037), lfs: true };

let hub: HubServer;
let cache: string;
let repository: HubRepository;

beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), "zagreus-hub-"));
  repository = { name: REPOSITORY, commit: `${COMMIT}1`, files: [FILE, { path: "config.json", bytes: CONFIG }] };
  hub = await startHub([repository]);
});
afterEach(async () => {
  await hub.close();
  rmSync(cache, { recursive: true, force: true });
});

function platform(settings: Partial<HubPlatform["settings"]> = {}, files = nodeFiles): HubPlatform {
  return { files, fetch, settings: { ...settingsFor(hub, cache), ...settings } };
}

const ID = `hf:${REPOSITORY}/${FILE.path}`;
const at = (...parts: string[]) => join(cache, FOLDER, ...parts);
const blobs = () => (existsSync(at("blobs")) ? readdirSync(at("blobs")).sort() : []);
const PARTIAL = `${oidOf(FILE)}.zagreus.incomplete`;

/** Faults for the downloads of files by the CDN, in this order. */
function cdnFaults(...faults: Fault[]): void {
  hub.misbehave = ({ host }) => (host === "cdn" ? faults.shift() : undefined);
}

/** What must hold after anything: every blob without a suffix has the content of its name. */
function expectGoodCache(): void {
  for (const name of blobs().filter((name) => !name.endsWith(".incomplete"))) {
    const bytes = readFileSync(at("blobs", name));
    expect(name.length === 64 ? sha256(bytes) : gitOid(bytes)).toBe(name);
  }
  const locks = join(cache, ".locks", FOLDER);
  if (existsSync(locks)) expect(readdirSync(locks)).toEqual([]);
}

describe("the cache is the hub's", () => {
  test("a file of LFS", async () => {
    const path = await pullGguf(platform(), ID);
    expect(path).toBe(at("snapshots", repository.commit, FILE.path));
    expect(readFileSync(path).equals(MODEL)).toBe(true);
    expect(readlinkSync(path)).toBe(`../../blobs/${sha256(MODEL)}`);
    expect(readFileSync(at("refs", "main"), "utf8")).toBe(repository.commit);
    expect(blobs()).toEqual([sha256(MODEL)]);
    expectGoodCache();
  });

  test("small files are blobs of git, files in folders link further up", async () => {
    repository.files.push({ path: "a/b/x.json", bytes: CONFIG });
    const { path } = await pullCheckpoint(platform(), `hf:${REPOSITORY}/a/b/x.json`);
    expect(readlinkSync(path)).toBe(`../../../../blobs/${gitOid(CONFIG)}`);
    expect(readFileSync(path)).toEqual(CONFIG);
    expectGoodCache();
  });

  test("the tree is written as Python's huggingface_hub does", async () => {
    await pullGguf(platform(), ID);
    expect(JSON.parse(readFileSync(at("trees", `${repository.commit}.json`), "utf8"))).toEqual({
      format_version: 1,
      files: {
        [FILE.path]: {
          size: MODEL.length,
          blob_id: expect.stringMatching(/^[0-9a-f]{40}$/),
          lfs_sha256: sha256(MODEL),
          lfs_size: MODEL.length,
        },
        "config.json": { size: CONFIG.length, blob_id: gitOid(CONFIG) },
      },
    });
  });

  test("a second time nothing is downloaded, a new commit shares unchanged blobs", async () => {
    await pullGguf(platform(), ID);
    hub.requests.length = 0;
    await pullGguf(platform(), ID);
    expect(hub.requests.map(({ kind }) => kind)).toEqual(["api"]);
    repository.commit = `${COMMIT}2`;
    const path = await pullGguf(platform(), ID);
    expect(path).toContain(`${COMMIT}2`);
    expect(readFileSync(at("refs", "main"), "utf8")).toBe(`${COMMIT}2`);
    expect(hub.requests.filter(({ kind }) => kind === "file")).toEqual([]);
    expect(blobs()).toHaveLength(1);
  });

  test("a commit that is cached needs no request", async () => {
    const id = `hf:${REPOSITORY}@${repository.commit}/${FILE.path}`;
    await pullGguf(platform(), id);
    expect(existsSync(at("refs"))).toBe(false);
    hub.requests.length = 0;
    await pullGguf(platform(), id);
    await pullGguf(platform(), `hf:${REPOSITORY}@${repository.commit}`);
    expect(hub.requests).toEqual([]);
  });

  test("branches, tags and pull requests", async () => {
    repository.refs = { "v1.0": repository.commit, "refs/pr/3": repository.commit, "a/b": repository.commit };
    for (const revision of ["v1.0", "refs/pr/3", "a%2Fb"]) {
      await pullGguf(platform(), `hf:${REPOSITORY}@${revision}/${FILE.path}`);
      const ref = at("refs", ...decodeURIComponent(revision).split("/"));
      expect(readFileSync(ref, "utf8")).toBe(repository.commit);
    }
  });

  test("without symbolic links the snapshot has the files", async () => {
    for (const files of [{ ...nodeFiles, link: async () => false }, nodeFiles]) {
      const path = await pullGguf(platform({ noLinks: files === nodeFiles }, files), ID);
      expect(lstatSync(path).isFile()).toBe(true);
      expect(readFileSync(path).equals(MODEL)).toBe(true);
      expect(blobs()).toEqual([]);
      rmSync(at("snapshots"), { recursive: true });
    }
    await pullGguf(platform(), ID);
    rmSync(at("snapshots"), { recursive: true });
    hub.requests.length = 0;
    const copied = await pullGguf(platform({ noLinks: true }), ID);
    expect(lstatSync(copied).isFile()).toBe(true);
    expect(blobs()).toEqual([sha256(MODEL)]);
    expect(hub.requests.filter(({ kind }) => kind === "file")).toEqual([]);
  });

  test("a blob of another tool is used, one of the wrong size is not", async () => {
    mkdirSync(at("blobs"), { recursive: true });
    writeFileSync(at("blobs", sha256(MODEL)), MODEL.subarray(1));
    expect(readFileSync(await pullGguf(platform(), ID)).equals(MODEL)).toBe(true);
    expectGoodCache();
  });

  test("an empty file", async () => {
    repository.files.push({ path: "empty.txt", bytes: new Uint8Array() });
    const { bytes, sha256: hash } = await pullModel(platform(), `hf:${REPOSITORY}/empty.txt`);
    expect({ bytes, hash }).toEqual({ bytes: 0, hash: sha256("") });
  });
});

describe("resuming", () => {
  test("after each of 20 random cuts, in one call", async () => {
    repository.files.push(LONG);
    const cuts = Array.from({ length: 20 }, () => Math.floor(Math.random() * LONG.bytes.length)).sort((a, b) => a - b);
    const steps = cuts.map((cut, i) => cut - (cuts[i - 1] ?? 0));
    cdnFaults(...steps.map((cut) => ({ cut })));
    const path = await pullGguf(platform(), `hf:${REPOSITORY}/${LONG.path}`);
    expect(readFileSync(path).equals(LONG.bytes), `cuts at ${cuts}`).toBe(true);
    const ranges = hub.requests.filter(({ host }) => host === "cdn").map(({ headers }) => headers.range);
    // A connection may break before what was sent is read, so a range may begin before the cut, never behind it.
    const begins = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")![1]));
    for (const [i, begin] of begins.entries()) expect(begin).toBeLessThanOrEqual([0, ...cuts][i] ?? LONG.bytes.length);
    expect(begins.filter((begin) => begin > 0).length).toBeGreaterThan(10);
    expectGoodCache();
  });

  test("after each of 20 random cuts, each in a call of its own that fails", async () => {
    repository.files.push(LONG);
    let size = 0;
    for (let i = 0; i < 20; i++) {
      const cut = Math.floor((Math.random() * (LONG.bytes.length - size)) / 8);
      let first = true;
      hub.misbehave = ({ host }) => {
        if (host !== "cdn") return undefined;
        const fault = first ? { cut } : { cut: 0 };
        first = false;
        return fault;
      };
      await expect(pullGguf(platform(), `hf:${REPOSITORY}/${LONG.path}`)).rejects.toMatchObject({ code: "OFFLINE" });
      expect(blobs()).toEqual([`${oidOf(LONG)}.zagreus.incomplete`]);
      const bytes = readFileSync(at("blobs", `${oidOf(LONG)}.zagreus.incomplete`));
      expect(bytes.equals(LONG.bytes.subarray(0, bytes.length))).toBe(true);
      expect(bytes.length).toBeGreaterThanOrEqual(size);
      size = bytes.length;
      expect(existsSync(at("snapshots"))).toBe(false);
    }
    expect(size).toBeGreaterThan(0);
    hub.misbehave = () => undefined;
    hub.requests.length = 0;
    expect(readFileSync(await pullGguf(platform(), `hf:${REPOSITORY}/${LONG.path}`)).equals(LONG.bytes)).toBe(true);
    expect(hub.requests.at(-1)?.headers.range).toBe(`bytes=${size}-`);
    expectGoodCache();
  });

  const ODD: [name: string, faults: Fault[], connections: number][] = [
    ["the range is ignored", [{ cut: 300_000 }, { ignoreRange: true }], 2],
    ["the range is ignored and cut again", [{ cut: 300_000 }, { ignoreRange: true, cut: 200_000 }], 3],
    ["the rest comes with status 200", [{ cut: 300_000 }, { rest: true }], 2],
    ["the rest comes with status 200 and no length", [{ cut: 300_000 }, { rest: true, chunked: true }], 3],
    ["another etag in between, obeying If-Range", [{ cut: 300_000, etag: '"one"' }, { etag: '"two"' }], 2],
    ["another etag in between, ignoring If-Range", [{ cut: 300_000 }, { headers: { etag: '"two"' } }], 3],
    ["416", [{ cut: 300_000 }, { status: 416 }], 3],
    ["another range than asked for", [{ cut: 300_000 }, { shift: 5 }], 3],
    ["a range of nothing", [{ cut: 300_000 }, { headers: { "content-range": "bytes */7" } }], 3],
    ["a range of another file", [{ cut: 300_000 }, { headers: { "content-range": "bytes 300000-300001/300002" } }], 3],
    ["gzip", [{ gzip: true }], 1],
    ["gzip of a range", [{ cut: 300_000 }, { gzip: true }], 3],
    ["no length", [{ chunked: true }], 1],
    ["no length, and too short", [{ chunked: true, cut: 300_000 }], 2],
    ["a 503 and a 429", [{ status: 503 }, { status: 429, headers: { "retry-after": "0" } }], 3],
    ["an expired signature", [{ status: 403 }], 2],
    ["too long", [{ extra: 10, chunked: true }], 2],
    ["nothing for a while", [{ stall: 300_000 }], 2],
  ];
  test.each(ODD)("%s", async (_, faults, connections) => {
    cdnFaults(...faults);
    expect(readFileSync(await pullGguf(platform({ timeoutMs: 300 }), ID)).equals(MODEL)).toBe(true);
    expect(hub.requests.filter(({ host }) => host === "cdn")).toHaveLength(connections);
    expectGoodCache();
  });

  test("If-Range has the etag of what is there", async () => {
    cdnFaults({ cut: 300_000, etag: '"e1"' }, { etag: '"e1"' });
    await pullGguf(platform(), ID);
    expect(hub.requests.at(-1)?.headers).toMatchObject({ range: expect.any(String), "if-range": '"e1"' });
    expect(hub.requests.filter(({ host }) => host === "cdn")).toHaveLength(2);
  });

  test("a partial file that is too long or wrong", async () => {
    for (const bytes of [Buffer.concat([MODEL, MODEL]), randomBytes(5000), randomBytes(MODEL.length)]) {
      mkdirSync(at("blobs"), { recursive: true });
      writeFileSync(at("blobs", PARTIAL), bytes);
      expect(readFileSync(await pullGguf(platform(), ID)).equals(MODEL)).toBe(true);
      expectGoodCache();
      rmSync(at(), { recursive: true });
    }
  });

  test("a server that never gets further is given up", async () => {
    hub.misbehave = ({ host }) => (host === "cdn" ? { extra: 1, chunked: true } : undefined);
    await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "HUB_FAILED", field: FILE.path });
    hub.misbehave = ({ host }) => (host === "cdn" ? { chunked: true, ignoreRange: true, cut: 1000 } : undefined);
    await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "OFFLINE" });
    expect(hub.requests.filter(({ host }) => host === "cdn").length).toBeLessThan(20);
    expectGoodCache();
  });
});

describe("damage", () => {
  test("a flipped byte is found, wherever it is", async () => {
    for (const flip of [0, MODEL.length - 1, ...Array.from({ length: 8 }, () => Math.floor(Math.random() * 1e6))]) {
      hub.misbehave = ({ host }) => (host === "cdn" ? { flip } : undefined);
      await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "BAD_CHECKSUM", expected: sha256(MODEL) });
      expect(blobs()).toEqual([]);
      expect(existsSync(at("snapshots"))).toBe(false);
    }
    hub.misbehave = ({ kind }) => (kind === "file" ? { flip: 3 } : undefined);
    const config = pullCheckpoint(platform(), `hf:${REPOSITORY}/config.json`);
    await expect(config).rejects.toMatchObject({ code: "BAD_CHECKSUM", expected: gitOid(CONFIG) });
    expect(blobs()).toEqual([]);
    expectGoodCache();
  });

  test("one that happens once is mended", async () => {
    cdnFaults({ flip: 12345 });
    expect(readFileSync(await pullGguf(platform(), ID)).equals(MODEL)).toBe(true);
    expectGoodCache();
  });

  test("pull checks what is cached, and mends it", async () => {
    const path = await pullGguf(platform(), ID);
    const rotten = Buffer.from(MODEL);
    rotten[77]! ^= 4;
    writeFileSync(path, rotten); // into the blob
    const notices: string[] = [];
    const offline = pullModel(platform({ offline: true }), ID);
    await expect(offline).rejects.toMatchObject({ code: "BAD_CHECKSUM" });
    const { sha256: hash } = await pullModel(platform(), ID, { onNotice: (notice) => notices.push(notice) });
    expect(hash).toBe(sha256(MODEL));
    expect(notices.join()).toContain("damaged");
    expect(readFileSync(path).equals(MODEL)).toBe(true);
    expectGoodCache();
  });

  test("a hub that states two hashes", async () => {
    const other = sha256("other");
    hub.misbehave = ({ host, kind }) =>
      host === "hub" && kind === "file" ? { headers: { "x-linked-etag": `"${other}"` } } : undefined;
    await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "HUB_FAILED" });
    expect(blobs().filter((name) => !name.endsWith(".incomplete"))).toEqual([]);
  });

  const LISTINGS: [name: string, body: string][] = [
    ["not JSON", "<html>"],
    ["no commit", '{"siblings": []}'],
    ["a commit that is a path", '{"sha": "../../../etc", "siblings": []}'],
    ["no files", `{"sha": "${COMMIT}1"}`],
    ["null", "null"],
    ["no hash", `{"sha": "${COMMIT}1", "siblings": [{"rfilename": "a", "size": 1}]}`],
    ["a hash that is a path", `{"sha": "${COMMIT}1", "siblings": [{"rfilename": "a", "size": 1, "blobId": "../x"}]}`],
    ...["../x", "/etc/x", "a/../../x", "..\\x", "C:/x", "a//b", ".", "", "a\0b", "\ud800"].map(
      (path): [string, string] => [
        `the path ${JSON.stringify(path)}`,
        JSON.stringify({ sha: `${COMMIT}1`, siblings: [{ rfilename: path, size: 1, blobId: gitOid(CONFIG) }] }),
      ],
    ),
    [
      "a negative size",
      `{"sha": "${COMMIT}1", "siblings": [{"rfilename": "a", "size": -1, "blobId": "${gitOid(CONFIG)}"}]}`,
    ],
  ];
  test.each(LISTINGS)("a list of files with %s", async (_, body) => {
    hub.misbehave = ({ kind }) => (kind === "api" ? { body } : undefined);
    for (const id of [ID, `hf:${REPOSITORY}`]) {
      await expect(pullModel(platform(), id)).rejects.toMatchObject({ code: "HUB_FAILED", field: REPOSITORY });
    }
    expect(readdirSync(cache)).toEqual([]);
  });
});

describe("together", () => {
  const PULL = `
    const { hubGguf } = await import(process.argv[1]);
    process.stdout.write(await hubGguf(process.argv[2], { onNotice: (notice) => process.stderr.write(notice) }));
  `;
  const BUILT = new URL("../../../dist/hub.js", import.meta.url).href;

  /** Another process that pulls; its output is the path. */
  function pullElsewhere() {
    const env = { ...process.env, HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint };
    const child = spawn(process.execPath, ["--input-type=module", "-e", PULL, BUILT, ID], { env });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => {
      stdout += data;
    });
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
      child.on("close", (code) => resolve({ code, stdout, stderr })),
    );
    return { child, ended };
  }

  test("two processes end with one good file, downloaded once", async () => {
    hub.misbehave = ({ host }) => (host === "cdn" ? { slow: 10 } : undefined);
    const results = await Promise.all([pullElsewhere().ended, pullElsewhere().ended]);
    for (const { code, stdout } of results) {
      expect(code).toBe(0);
      expect(readFileSync(stdout).equals(MODEL)).toBe(true);
    }
    expect(results.map(({ stderr }) => stderr).join("")).toMatch(/^another process is downloading .*waiting for it$/);
    expect(hub.requests.filter(({ host }) => host === "cdn")).toHaveLength(1);
    expect(blobs()).toEqual([sha256(MODEL)]);
    expectGoodCache();
  });

  test("one is killed, the next goes on where it ended", async () => {
    hub.misbehave = ({ host }) => (host === "cdn" ? { slow: 20 } : undefined);
    const { child, ended } = pullElsewhere();
    await until(() => existsSync(at("blobs", PARTIAL)) && lstatSync(at("blobs", PARTIAL)).size > 100_000);
    child.kill("SIGKILL");
    await ended;
    expect(readdirSync(join(cache, ".locks", FOLDER))).toHaveLength(1);
    hub.misbehave = () => undefined;
    hub.requests.length = 0;
    expect(readFileSync(await pullGguf(platform(), ID)).equals(MODEL)).toBe(true);
    expect(Number(/\d+/.exec(hub.requests.at(-1)?.headers.range ?? "")?.[0])).toBeGreaterThan(100_000);
    expectGoodCache();
  });

  test("many calls in one process", async () => {
    const paths = await Promise.all(Array.from({ length: 8 }, () => pullGguf(platform(), ID)));
    expect(new Set(paths).size).toBe(1);
    expect(hub.requests.filter(({ host }) => host === "cdn")).toHaveLength(1);
    expectGoodCache();
  });

  test("claims of the dead and the forgotten do not block", async () => {
    const locks = join(cache, ".locks", FOLDER);
    mkdirSync(locks, { recursive: true });
    const dead = spawn(process.execPath, ["-e", ""]);
    await new Promise((resolve) => dead.on("close", resolve));
    writeFileSync(join(locks, `${oidOf(FILE)}.dead.claim`), `${hostname()} ${dead.pid}`);
    writeFileSync(join(locks, `${oidOf(FILE)}.far.claim`), "another-host 1");
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(join(locks, `${oidOf(FILE)}.far.claim`), hourAgo, hourAgo);
    await pullGguf(platform(), ID);
    expectGoodCache();
  });

  test("waiting for a living process can be aborted", async () => {
    const locks = join(cache, ".locks", FOLDER);
    mkdirSync(locks, { recursive: true });
    writeFileSync(join(locks, `${oidOf(FILE)}.live.claim`), "another-host 1");
    const controller = new AbortController();
    const pulling = pullGguf(platform(), ID, { signal: controller.signal, onNotice: () => controller.abort() });
    await expect(pulling).rejects.toMatchObject({ code: "ABORTED" });
  });
});

test("an abort stops at once and keeps what has arrived", async () => {
  hub.misbehave = ({ host }) => (host === "cdn" ? { stall: 500_000 } : undefined);
  const controller = new AbortController();
  let abortedAt = 0;
  const pulling = pullGguf(platform(), ID, {
    signal: controller.signal,
    onProgress({ loadedBytes }) {
      if (loadedBytes < 500_000) return;
      abortedAt = performance.now();
      controller.abort("enough");
    },
  });
  await expect(pulling).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
  expect(performance.now() - abortedAt).toBeLessThan(1500);
  expect(lstatSync(at("blobs", PARTIAL)).size).toBe(500_000);
  expectGoodCache();
  await expect(pullGguf(platform(), ID, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
});

test("progress grows to the total", async () => {
  cdnFaults({ cut: 400_000 });
  const seen: number[] = [];
  await pullGguf(platform(), ID, {
    onProgress({ loadedBytes, totalBytes }) {
      expect(totalBytes).toBe(MODEL.length);
      seen.push(loadedBytes);
    },
  });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(MODEL.length);
});

describe("without the hub", () => {
  const down = { endpoint: "http://127.0.0.1:9" };

  test("what is cached is used when there is no network, the hub is broken, busy, or denies", async () => {
    const path = await pullGguf(platform(), ID);
    const notices: string[] = [];
    const options = { onNotice: (notice: string) => notices.push(notice) };
    for (const id of [ID, `hf:${REPOSITORY}`]) {
      expect(await pullGguf(platform(down), id, options)).toBe(path);
      for (const status of [500, 429, 401, 403]) {
        hub.misbehave = () => ({ status });
        hub.requests.length = 0;
        expect(await pullGguf(platform(), id, options)).toBe(path);
        expect(hub.requests).toHaveLength(1);
      }
    }
    expect(notices).toHaveLength(10);
    expect(notices[0]).toMatch(/^mii-llm\/test: cannot reach 127\.0\.0\.1:9: .*; using the cached hf:/);
    hub.misbehave = () => ({ status: 404 });
    await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "HUB_NOT_FOUND" });
  });

  test("HF_HUB_OFFLINE makes no request", async () => {
    const offline = platform({ offline: true });
    await expect(pullGguf(offline, ID)).rejects.toMatchObject({
      code: "OFFLINE",
      field: REPOSITORY,
      message: `${ID} is not in the cache ${cache}, and HF_HUB_OFFLINE is set`,
    });
    expect(hub.requests).toEqual([]);
    const path = await pullGguf(platform(), ID);
    hub.requests.length = 0;
    expect(await pullGguf(offline, ID)).toBe(path);
    expect(await pullGguf(offline, `hf:${REPOSITORY}`)).toBe(path);
    expect((await listModel(offline, `hf:${REPOSITORY}`)).files.map(({ path }) => path)).toEqual([FILE.path]);
    await expect(pullCheckpoint(offline, `hf:${REPOSITORY}/config.json`)).rejects.toMatchObject({ code: "OFFLINE" });
    expect(hub.requests).toEqual([]);
  });

  test("a cache that other tools made has no tree", async () => {
    await pullGguf(platform(), ID);
    rmSync(at("trees"), { recursive: true });
    for (const settings of [down, { offline: true }]) {
      expect(readFileSync(await pullGguf(platform(settings), `hf:${REPOSITORY}`)).equals(MODEL)).toBe(true);
      expect((await pullModel(platform(settings), ID)).sha256).toBe(sha256(MODEL));
    }
  });

  test("a cache that leads outside is not followed", async () => {
    const outside = join(cache, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, FILE.path), MODEL);
    mkdirSync(at("refs"), { recursive: true });
    mkdirSync(at("snapshots", repository.commit), { recursive: true });
    writeFileSync(at("refs", "main"), "../../outside");
    const offline = platform({ offline: true });
    await expect(pullGguf(offline, ID)).rejects.toMatchObject({ code: "OFFLINE" });
    writeFileSync(at("refs", "main"), repository.commit);
    mkdirSync(at("trees"));
    const files = { [`../../../outside/${FILE.path}`]: { size: MODEL.length, blob_id: gitOid(MODEL) } };
    writeFileSync(at("trees", `${repository.commit}.json`), JSON.stringify({ format_version: 1, files }));
    await expect(pullGguf(offline, `hf:${REPOSITORY}`)).rejects.toMatchObject({ code: "OFFLINE" });
  });

  test("no network and nothing cached", async () => {
    await expect(pullGguf(platform(down), ID)).rejects.toMatchObject({
      code: "OFFLINE",
      message: expect.stringMatching(/^mii-llm\/test: cannot reach 127\.0\.0\.1:9: /),
    });
  });

  test("a hub that never answers", async () => {
    const silent = platform({ timeoutMs: 50 }, nodeFiles);
    silent.fetch = (_, init) =>
      new Promise((_, reject) => init!.signal!.addEventListener("abort", () => reject(init!.signal!.reason)));
    await expect(pullGguf(silent, ID)).rejects.toMatchObject({
      code: "OFFLINE",
      message: expect.stringContaining("no answer for 0.05 s"),
    });
  });

  test("a snapshot of which something is missing", async () => {
    repository.files = checkpoint();
    const id = `hf:${REPOSITORY}`;
    const { path } = await pullCheckpoint(platform(), id);
    expect(await pullCheckpoint(platform({ offline: true }), id)).toEqual({ path, name: "test" });
    rmSync(join(path, "model-00002-of-00002.safetensors"));
    await expect(pullCheckpoint(platform({ offline: true }), id)).rejects.toMatchObject({ code: "OFFLINE" });
  });
});

describe("refusals", () => {
  const STATUS: [name: string, answer: Fault, code: string, message: RegExp][] = [
    ["401", { status: 401 }, "HUB_DENIED", /no such repository, or it is private: .*set HF_TOKEN/],
    [
      "gated",
      { status: 403, headers: { "x-error-code": "GatedRepo" } },
      "HUB_DENIED",
      /gated: accept its terms at http.*mii-llm\/test/,
    ],
    ["404", { status: 404, headers: { "x-error-code": "RepoNotFound" } }, "HUB_NOT_FOUND", /no such repository/],
    [
      "404 of a revision",
      { status: 404, headers: { "x-error-code": "RevisionNotFound" } },
      "HUB_NOT_FOUND",
      /no such revision/,
    ],
    ["429", { status: 429 }, "HUB_BUSY", /too many requests: try again later, or set HF_TOKEN/],
    ["429 for an hour", { status: 429, headers: { "retry-after": "3600" } }, "HUB_BUSY", /try again in 3600 s/],
    [
      "429 in the hub's way",
      { status: 429, headers: { ratelimit: '"api";r=0;t=120' } },
      "HUB_BUSY",
      /try again in 120 s/,
    ],
    ["500", { status: 500 }, "HUB_FAILED", /the server has a problem/],
    ["teapot", { status: 418 }, "HUB_FAILED", /answers 418: unexpected/],
  ];
  test.each(STATUS)("%s", async (_, fault, code, message) => {
    hub.misbehave = () => fault;
    const error = await pullGguf(platform(), ID).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, field: REPOSITORY, value: fault.status });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(`${REPOSITORY}: 127.0.0.1`);
    expect(hub.requests.length).toBeLessThanOrEqual(5);
  });

  test("gated files of a repository that can be listed", async () => {
    repository.gated = true;
    await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "HUB_DENIED", value: 403 });
    await expect(pullGguf(platform({ token: "hf_x" }), ID)).rejects.not.toThrow("set HF_TOKEN");
  });

  test("no such file, revision, repository", async () => {
    for (const id of [`hf:${REPOSITORY}/other.gguf`, `hf:${REPOSITORY}@v9/${FILE.path}`]) {
      await expect(pullGguf(platform(), id)).rejects.toMatchObject({ code: "HUB_NOT_FOUND" });
    }
    await expect(pullGguf(platform(), "hf:mii-llm/other")).rejects.toMatchObject({ code: "HUB_DENIED", value: 401 });
    expect(readdirSync(cache)).toEqual([]);
  });

  test("redirects without end, and to what is not HTTP", async () => {
    hub.misbehave = ({ url }) => ({ redirect: url });
    await expect(pullGguf(platform(), ID)).rejects.toMatchObject({
      code: "HUB_FAILED",
      message: expect.stringContaining("more than 10 redirects"),
    });
    expect(hub.requests).toHaveLength(11);
    for (const redirect of ["file:///etc/passwd", "data:text/plain,x", "http://["]) {
      hub.misbehave = ({ kind }) => (kind === "file" ? { redirect } : undefined);
      await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "HUB_FAILED", value: 302 });
    }
  });

  test("a full disk, seen before and noticed on the way", async () => {
    const small = { ...nodeFiles, freeBytes: async () => 1000 };
    await expect(pullGguf(platform({}, small), ID)).rejects.toMatchObject({
      code: "DISK_FULL",
      value: 1000,
      expected: MODEL.length,
      message: expect.stringMatching(/needs 1,000,003 more bytes, 1,000 are free in .*HF_HUB_CACHE/),
    });
    const filling = {
      ...nodeFiles,
      async openPartial(path: string) {
        const file = await nodeFiles.openPartial(path);
        const write = async (bytes: Uint8Array, at: number) => {
          if (at > 200_000) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
          await file.write(bytes, at);
        };
        return { ...file, write };
      },
    };
    await expect(pullGguf(platform({}, filling), ID)).rejects.toMatchObject({ code: "DISK_FULL", field: FILE.path });
    expect(blobs()).toEqual([PARTIAL]);
    expectGoodCache();
    expect(readFileSync(await pullGguf(platform(), ID)).equals(MODEL)).toBe(true);
  });

  test("a cache that is a file", async () => {
    writeFileSync(join(cache, "file"), "");
    const broken = platform({ cache: join(cache, "file") });
    await expect(pullGguf(broken, ID)).rejects.toMatchObject({
      code: "SOURCE_FAILED",
      message: expect.stringMatching(/^cannot use the cache .*HF_HUB_CACHE/),
    });
  });
});

describe("the token", () => {
  test("goes to the hub and not to the CDN", async () => {
    repository.token = "hf_secret";
    await expect(pullGguf(platform(), ID)).rejects.toMatchObject({ code: "HUB_DENIED" });
    await expect(pullGguf(platform({ token: "hf_wrong" }), ID)).rejects.toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("hf_wrong") }),
    );
    hub.requests.length = 0;
    await pullGguf(platform({ token: "hf_secret" }), ID);
    for (const { host, headers } of hub.requests) {
      expect(headers.authorization).toBe(host === "hub" ? "Bearer hf_secret" : undefined);
    }
    expect(hub.requests.map(({ host }) => host)).toEqual(["hub", "hub", "cdn"]);
  });

  test("not even when the list of files is elsewhere", async () => {
    hub.misbehave = ({ host, kind, url }) =>
      host === "hub" && kind === "api" ? { redirect: `${hub.cdn}${url}` } : undefined;
    await expect(pullGguf(platform({ token: "hf_secret" }), ID)).rejects.toMatchObject({ code: "HUB_FAILED" });
    expect(hub.requests.filter(({ host }) => host === "cdn").length).toBeGreaterThan(0);
    for (const { host, headers } of hub.requests) expect("authorization" in headers).toBe(host === "hub");
  });
});

/** A checkpoint in two shards, with what quantize does not need beside it. */
function checkpoint() {
  const names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const index = { weight_map: { "a.weight": names[0], "b.weight": names[1], "c.weight": names[1] } };
  return [
    { path: "config.json", bytes: CONFIG },
    { path: "model.safetensors.index.json", bytes: Buffer.from(JSON.stringify(index)) },
    ...names.map((path) => ({ path, bytes: randomBytes(50_000), lfs: true })),
    { path: "tokenizer.json", bytes: randomBytes(20_000), lfs: true },
    { path: "tokenizer_config.json", bytes: Buffer.from("{}") },
    ...["consolidated.safetensors", "pytorch_model.bin", "original/x.safetensors", "README.md", "onnx/config.json"].map(
      (path) => ({ path, bytes: randomBytes(100) }),
    ),
  ];
}

describe("which files", () => {
  const gguf = (...names: string[]) => {
    repository.files = names.map((path) => ({ path, bytes: Buffer.from(path), lfs: true }));
  };

  test("the first GGUF by type", async () => {
    const order = ["Q4_0", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "BF16", "F16"].map(
      (type) => `zagreus-0.4B-${type}.gguf`,
    );
    const unliked = ["x-IQ2_XS.gguf", "mmproj-Q4_0.gguf", "z-Q4_0-00001-of-00002.gguf", "z-Q4_0-00002-of-00002.gguf"];
    for (let i = 0; i < order.length; i++) {
      gguf(...unliked, "no-type.gguf", ...order.slice(i).reverse());
      expect(await pullGguf(platform(), `hf:${REPOSITORY}`)).toMatch(new RegExp(`${order[i]!}$`));
      repository.commit = repository.commit.slice(0, 39) + String(i + 2);
    }
    gguf(...unliked, "no-type.gguf");
    const { files } = await listModel(platform(), `hf:${REPOSITORY}`);
    expect(files.find(({ chosen }) => chosen)?.path).toBe("no-type.gguf");
    expect(files).toContainEqual({ path: "x-IQ2_XS.gguf", bytes: 13, type: "IQ2_XS", chosen: false });
    gguf("folder/b-q4_0.gguf", "a.fp16.gguf", "longer-Q4_0.gguf", "b-Q4_0.gguf");
    const listing = await listModel(platform(), `hf:${REPOSITORY}`);
    expect(listing.files.map(({ type, chosen }) => [type, chosen])).toEqual([
      ["Q4_0", false],
      ["F16", false],
      ["Q4_0", false],
      ["Q4_0", true],
    ]);
  });

  test("a checkpoint is not loaded where nothing can make a GGUF file of it", async () => {
    repository.files = checkpoint();
    await expect(pullGguf(platform(), `hf:${REPOSITORY}@main`)).rejects.toMatchObject({
      code: "HUB_NOT_FOUND",
      message: expect.stringContaining("has no GGUF file, only safetensors"),
    });
    repository.files = [{ path: "README.md", bytes: CONFIG }];
    await expect(pullGguf(platform(), `hf:${REPOSITORY}`)).rejects.toMatchObject({ code: "HUB_NOT_FOUND" });
    await expect(pullModel(platform(), `hf:${REPOSITORY}`)).rejects.toMatchObject({ code: "HUB_NOT_FOUND" });
    await expect(pullCheckpoint(platform(), `hf:${REPOSITORY}`)).rejects.toMatchObject({ code: "HUB_NOT_FOUND" });
  });

  test("a checkpoint for quantize: config, tokenizer and the weights that the index names", async () => {
    const wanted = [
      ...["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
      ...["model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json"],
    ];
    repository.files = checkpoint();
    const { path, name } = await pullCheckpoint(platform(), `hf:${REPOSITORY}`);
    expect({ path, name }).toEqual({ path: at("snapshots", repository.commit), name: "test" });
    expect(readdirSync(path).sort()).toEqual(wanted);

    const pulled = await pullModel(platform(), `hf:${REPOSITORY}`);
    expect(pulled.path).toBe(path);
    expect(pulled.files.map(({ path }) => path)).toEqual(wanted);
    const lines = wanted.map((name) => `${sha256(readFileSync(join(path, name)))}  ${name}\n`);
    expect(pulled.sha256).toBe(createHash("sha256").update(lines.join("")).digest("hex"));
    expect(pulled.bytes).toBe(pulled.files.reduce((sum, { bytes }) => sum + bytes, 0));
    expectGoodCache();
  });

  test("one file of weights makes the index and other weights superfluous", async () => {
    repository.files = [...checkpoint(), { path: "model.safetensors", bytes: randomBytes(100), lfs: true }];
    const { path } = await pullCheckpoint(platform(), `hf:${REPOSITORY}`);
    expect(readdirSync(path).sort()).toEqual([
      ...["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
    ]);
    const named = await pullCheckpoint(platform(), `hf:${REPOSITORY}/consolidated.safetensors`);
    expect(named.path).toBe(join(path, "consolidated.safetensors"));
    expect(existsSync(join(path, "config.json"))).toBe(true);
  });

  test.each([
    ["{", "BAD_JSON"],
    ["{}", "MISSING_KEY"],
    ['{"weight_map": {"a": "../../x.safetensors"}}', "BAD_VALUE"],
    ['{"weight_map": {"a": 7}}', "BAD_VALUE"],
  ])("an index that is %s", async (text, code) => {
    repository.files = checkpoint();
    repository.files[1]!.bytes = Buffer.from(text);
    await expect(pullCheckpoint(platform(), `hf:${REPOSITORY}`)).rejects.toMatchObject({ code });
  });

  test("a GGUF file for quantize", async () => {
    expect(await pullCheckpoint(platform(), ID)).toEqual({
      path: at("snapshots", repository.commit, FILE.path),
      name: "test",
    });
    await expect(pullCheckpoint(platform(), `hf:${REPOSITORY}`)).rejects.toThrow(
      /name one of its GGUF files: model-Q4_0/,
    );
  });

  test("a split GGUF file is pulled whole", async () => {
    gguf("m-00001-of-00002.gguf", "m-00002-of-00002.gguf");
    const id = `hf:${REPOSITORY}@${repository.commit}/m-00001-of-00002.gguf`;
    const first = await pullGguf(platform(), id);
    expect(readdirSync(join(first, "..")).sort()).toEqual(["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
    hub.requests.length = 0;
    expect(await pullGguf(platform(), id)).toBe(first);
    expect(hub.requests).toEqual([]);
    await expect(pullGguf(platform(), `hf:${REPOSITORY}`)).rejects.toThrow(/name one, hf:.*-00001-of-00002\.gguf/);
    const { path, files } = await pullModel(platform(), `hf:${REPOSITORY}/m-00002-of-00002.gguf`);
    expect(path).toMatch(/m-00001-of-00002\.gguf$/);
    expect(files).toHaveLength(2);
  });
});

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}
