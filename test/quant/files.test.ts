// `zagreus quantize` and zagreus-edge/quantize with files: what is written, replaced, refused and cleaned up.

import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { openCheckpoint, type QuantizeProgress, quantize } from "zagreus-edge/quantize";
import { zagreus as command, finish, start } from "../support/command";
import { NANO } from "../support/core";
import { readRawGguf } from "../support/models/reference";
import { caught } from "../support/nano";

const HF = fileURLToPath(new URL("../fixtures/zagreus-nano-hf", import.meta.url));
const F16 = fileURLToPath(new URL("../fixtures/models/zagreus-nano-F16.gguf", import.meta.url));
const Q4_0 = fileURLToPath(new URL("../fixtures/models/zagreus-nano-Q4_0.gguf", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "zagreus-quantize-"));
afterAll(() => rmSync(root, { recursive: true }));

let directory: string;
let out: string;
beforeEach(() => {
  directory = mkdtempSync(join(root, "test-"));
  out = join(directory, "out.gguf");
});
const files = () => readdirSync(directory).sort();

const zagreus = (...args: string[]) => command(["quantize", ...args]);

describe("the command", () => {
  test("--json prints one object; the file runs", async () => {
    const { code, stdout, stderr } = await zagreus(HF, "-t", "q4_0", "-o", out, "--embedding", "q8_0", "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const result = JSON.parse(stdout);
    expect(result).toEqual({ out, bytes: statSync(out).size, tensors: 74, meanSquaredError: expect.any(Number) });
    expect(result.meanSquaredError).toBeGreaterThan(0);
    const model = await load(out);
    expect(await model.complete("C'era una volta", { maxTokens: 4, temperature: 0 }).text()).not.toBe("");
    model.close();
    expect(files()).toEqual(["out.gguf"]);
  });

  test("without --json: a sentence", async () => {
    const { code, stdout } = await zagreus(F16, "-t", "q8_0", "-o", out);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${out}: 74 tensors, 5.3 MB, mean squared error 6.953e-7\n` });
    expect(Buffer.compare(readFileSync(out), NANO.Q8_0())).toBe(0);
  });

  test.each<[what: string, args: string[], message: RegExp]>([
    ["a word for --requantize", [Q4_0, "-t", "q8_0", "-o", "OUT", "--requantize", "no"], /too many arguments/],
    ["no type", [HF, "-o", "OUT"], /--type/],
    ["no output", [HF, "-t", "q8_0"], /--out/],
    ["no input", ["-t", "q8_0", "-o", "OUT"], /in/],
    ["unknown type", [HF, "-t", "q5_0", "-o", "OUT"], /q8_0, q4_0/],
    ["unknown embedding type", [HF, "-t", "q8_0", "-o", "OUT", "--embedding", "f16"], /q8_0, q4_0/],
  ])("wrong usage: %s", async (_, args, message) => {
    const { code, stdout, stderr } = await zagreus(...args.map((arg) => (arg === "OUT" ? out : arg)));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(files()).toEqual([]);
  });

  test("what was rounded before is rounded again when that is asked for, and a line says what it costs", async () => {
    const refused = await zagreus(Q4_0, "-t", "q8_0", "-o", out);
    const message =
      "zagreus: matrices are Q4_0, rounded already, and would lose twice: take the model in one of F32, F16, BF16, or requantize (--requantize)\n";
    expect(refused).toEqual({ code: 1, stdout: "", stderr: message });
    expect(files()).toEqual([]);
    const { code, stdout, stderr } = await zagreus(Q4_0, "-t", "q8_0", "-o", out, "--requantize", "--json");
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: "zagreus: what is Q4_0 was rounded before, and loses a second time\n",
    });
    expect(JSON.parse(stdout).meanSquaredError).toBeGreaterThan(0);
    const model = await load(out);
    expect(model.info.quantization).toBe("Q8_0");
    model.close();
    const unneeded = await zagreus(out, "-t", "q8_0", "-o", join(directory, "same.gguf"), "--requantize");
    expect(unneeded).toMatchObject({ code: 0, stderr: "" });
    const wrong = await caught(quantize(Q4_0, out, { type: "q8_0", requantize: 1 as unknown as boolean }));
    expect(wrong).toMatchObject({ code: "INVALID_OPTION", field: "requantize" });
  });

  test("failure: one line, exit code 1, no file", async () => {
    cpSync(HF, join(directory, "model"), { recursive: true });
    writeFileSync(join(directory, "model/config.json"), "{}");
    const { code, stdout, stderr } = await zagreus(join(directory, "model"), "-t", "q8_0", "-o", out, "--json");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^zagreus: config\.json: .*\n$/);
    expect(files()).toEqual(["model"]);
  });
});

describe("the library", () => {
  test("a directory, a file in it, and a shard's index are the same checkpoint", async () => {
    const model = join(directory, "model");
    cpSync(HF, model, { recursive: true });
    await quantize(model, out, { type: "q8_0" });
    await quantize(join(model, "model.safetensors"), join(directory, "again.gguf"), { type: "q8_0" });
    expect(Buffer.compare(readFileSync(out), readFileSync(join(directory, "again.gguf")))).toBe(0);
    expect(readRawGguf(readFileSync(out)).metadata.get("general.name")).toBe("model");
  });

  test("links as in the hub's cache; name and tokenizer from elsewhere", async () => {
    const model = join(directory, "snapshot");
    mkdirSync(model);
    for (const name of ["config.json", "model.safetensors"]) symlinkSync(join(HF, name), join(model, name));
    const tokenizer = join(HF, "tokenizer.json");
    await quantize(model, out, { type: "q8_0", name: "Nano", tokenizer });
    const { metadata } = readRawGguf(readFileSync(out));
    expect(metadata.get("general.name")).toBe("Nano");
    await quantize(out, join(directory, "renamed.gguf"), { type: "q8_0", name: "Other" });
    expect(readRawGguf(readFileSync(join(directory, "renamed.gguf"))).metadata.get("general.name")).toBe("Other");
  });

  test("progress goes up to the size of the file", async () => {
    const seen: QuantizeProgress[] = [];
    const { bytes } = await quantize(F16, out, { type: "q4_0", onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ phase: "quantize", doneBytes: bytes, totalBytes: bytes });
    expect(statSync(out).size).toBe(bytes);
  });

  test("openCheckpoint() gives metadata and tensors", async () => {
    const checkpoint = await openCheckpoint(HF);
    expect(checkpoint.tensors).toHaveLength(74);
    await checkpoint.close();
    expect(await caught(openCheckpoint(join(directory, "nowhere")))).toMatchObject({ code: "SOURCE_FAILED" });
  });

  test("a rounding of the caller's", async () => {
    const asked: string[] = [];
    const { plainRounding } = await import("zagreus-edge/quantize");
    await quantize(HF, out, {
      type: "q4_0",
      async rounding({ tensors }, quantizer) {
        expect(tensors).toHaveLength(74);
        const plain = plainRounding(quantizer);
        return {
          blocks(tensor, type) {
            asked.push(tensor.name);
            return plain.blocks(tensor, type);
          },
        };
      },
    });
    expect(asked).toHaveLength(57); // seven matrices in each of eight layers, and the embedding
    expect(asked[0]).toBe("token_embd.weight");
    const tensors = (bytes: Uint8Array) =>
      readRawGguf(bytes).tensors.map(({ data }) => Buffer.from(data).toString("base64"));
    expect(tensors(readFileSync(out))).toEqual(tensors(NANO.Q4_0()));
  });
});

describe("the output", () => {
  test("an older file is replaced when the new one is complete, and stays when it fails", async () => {
    writeFileSync(out, "old");
    const controller = new AbortController();
    const failing = quantize(F16, out, {
      type: "q8_0",
      signal: controller.signal,
      onProgress({ doneBytes }) {
        expect(readFileSync(out, "utf8")).toBe("old");
        if (doneBytes > 2e6) controller.abort();
      },
    });
    expect(await caught(failing)).toMatchObject({ code: "ABORTED" });
    expect(readFileSync(out, "utf8")).toBe("old");
    expect(files()).toEqual(["out.gguf"]);
    await quantize(F16, out, { type: "q8_0" });
    expect(Buffer.compare(readFileSync(out), NANO.Q8_0())).toBe(0);
    expect(files()).toEqual(["out.gguf"]);
  });

  test("links are followed", async () => {
    const target = join(directory, "target.gguf");
    writeFileSync(target, "old");
    symlinkSync(target, out);
    await quantize(F16, out, { type: "q8_0" });
    expect(Buffer.compare(readFileSync(target), NANO.Q8_0())).toBe(0);
  });

  test("the input is never overwritten", async () => {
    const model = join(directory, "model");
    cpSync(HF, model, { recursive: true });
    const source = join(directory, "source.gguf");
    cpSync(F16, source);
    symlinkSync(source, join(directory, "link.gguf"));
    const attempts: [source: string, out: string][] = [
      [source, source],
      [source, join(directory, "link.gguf")],
      [join(directory, "link.gguf"), source],
      [source, `${directory}/./model/../source.gguf`],
      [model, join(model, "model.safetensors")],
      [model, join(model, "tokenizer.json")],
      [join(model, "model.safetensors"), join(model, "config.json")],
    ];
    for (const [from, to] of attempts) {
      expect(await caught(quantize(from, to, { type: "q8_0" })), to).toMatchObject({
        code: "INVALID_OPTION",
        field: "out",
      });
    }
    expect(Buffer.compare(readFileSync(source), readFileSync(F16))).toBe(0);
    for (const name of readdirSync(HF)) {
      expect(Buffer.compare(readFileSync(join(model, name)), readFileSync(join(HF, name))), name).toBe(0);
    }
    // A second name of the same bytes gets bytes of its own.
    linkSync(source, out);
    await quantize(source, out, { type: "q8_0" });
    expect(Buffer.compare(readFileSync(source), readFileSync(F16))).toBe(0);
    expect(Buffer.compare(readFileSync(out), NANO.Q8_0())).toBe(0);
  });

  test("what cannot be written to", async () => {
    const inside = join(directory, "nowhere/out.gguf");
    expect(await caught(quantize(F16, inside, { type: "q8_0" }))).toMatchObject({
      code: "WRITE_FAILED",
      value: inside,
    });
    expect(await caught(quantize(F16, directory, { type: "q8_0" }))).toMatchObject({
      code: "INVALID_OPTION",
      field: "out",
    });
    expect(await caught(quantize(F16, "/dev/null", { type: "q8_0" }))).toMatchObject({ code: "INVALID_OPTION" });
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  });

  test("options are checked before anything is read", async () => {
    // @ts-expect-error an unknown type
    expect(await caught(quantize("nowhere", out, { type: "q5_0" }))).toMatchObject({
      code: "INVALID_OPTION",
      field: "type",
    });
    const options = { type: "q8_0", embedding: "f16" };
    // @ts-expect-error an unknown type
    expect(await caught(quantize("nowhere", out, options))).toMatchObject({
      code: "INVALID_OPTION",
      field: "embedding",
    });
  });
});

describe("killed half-way", () => {
  /** Zeros that take seconds to convert and no space on the disk: a nano with 1.6 GB of embedding. */
  function large(): string {
    const model = join(directory, "large");
    cpSync(HF, model, { recursive: true });
    const config = JSON.parse(readFileSync(join(model, "config.json"), "utf8"));
    writeFileSync(join(model, "config.json"), JSON.stringify({ ...config, vocab_size: 2_000_000 }));
    const weights = readFileSync(join(model, "model.safetensors"));
    const length = Number(weights.readBigUInt64LE(0));
    const header = JSON.parse(weights.toString("utf8", 8, 8 + length));
    let end = 0;
    for (const [name, entry] of Object.entries<{ shape: number[]; data_offsets: number[] }>(header)) {
      if (name === "__metadata__") continue;
      if (name === "model.embed_tokens.weight") entry.shape[0] = 2_000_000;
      const bytes = entry.shape.reduce((product, size) => product * size, 2);
      entry.data_offsets = [end, end + bytes];
      end += bytes;
    }
    const json = Buffer.from(JSON.stringify(header));
    const file = openSync(join(model, "model.safetensors"), "w");
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(json.length));
    writeSync(file, Buffer.concat([prefix, json]));
    ftruncateSync(file, 8 + json.length + end);
    closeSync(file);
    return model;
  }

  /** Waits until the child has begun to write weights, and signals it. */
  async function killed(signal: NodeJS.Signals): Promise<{ code: number | null; stderr: string; stdout: string }> {
    const model = large();
    const target = join(directory, "target");
    mkdirSync(target);
    out = join(target, "out.gguf");
    const child = start(["quantize", model, "-t", "q8_0", "-o", out, "--json"]);
    const finished = finish(child);
    const begun = () => readdirSync(target).some((name) => statSync(join(target, name)).size > 150e6);
    while (!begun()) {
      expect(child.exitCode).toBeNull();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    child.kill(signal);
    const result = await finished;
    directory = target;
    return result;
  }

  test.each<[NodeJS.Signals, number]>([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("%s: nothing is left", async (signal, code) => {
    expect(await killed(signal)).toEqual({ code, stdout: "", stderr: "" });
    expect(files()).toEqual([]);
  });

  test("SIGKILL: a file under another name, none under the wanted", async () => {
    expect((await killed("SIGKILL")).code).toBeNull();
    expect(existsSync(out)).toBe(false);
    expect(files()).toEqual([expect.stringMatching(/^\.out\.gguf\.[0-9a-f]{8}-\d+-[0-9a-f]{8}\.part$/)]);
  });
});
