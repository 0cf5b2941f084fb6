import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { bundledModel, inspect, type LoadProgress, load, type Source, ZagreusError } from "zagreus-edge";
import { bits, loadNano, nanoBytes } from "../../support/nano";

const PATH = fileURLToPath(bundledModel);
const BYTES = nanoBytes();
const TOKENS = [8176, 67, 1012];

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function logitBits(source: Source): Promise<Buffer> {
  const model = await load(source);
  const logits = bits(await model.logits(TOKENS));
  model.close();
  return logits;
}

test("every kind of source gives the same model", async () => {
  const server = createServer((_, response) => {
    response.setHeader("content-length", BYTES.length);
    createReadStream(PATH).pipe(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/nano.gguf`;
  const expected = await logitBits(PATH);
  const sources: Source[] = [
    pathToFileURL(PATH),
    pathToFileURL(PATH).href,
    url,
    new URL(url),
    await fetch(url),
    new Blob([BYTES]),
    new Blob([BYTES]).stream(),
    createReadStream(PATH),
    chunked(BYTES, 100_003),
    chunked(BYTES, 3_000_000),
    BYTES,
    BYTES.buffer,
  ];
  for (const source of sources) expect(await logitBits(source)).toEqual(expected);
  server.close();
});

test("progress ends at the size of the file", async () => {
  const seen: LoadProgress[] = [];
  await load(PATH, { onProgress: (progress) => seen.push(progress) });
  expect(seen.length).toBeGreaterThan(3);
  expect(seen.at(-1)).toEqual({ phase: "weights", loadedBytes: BYTES.length, totalBytes: BYTES.length });
  expect(seen.every(({ loadedBytes }, i) => i === 0 || loadedBytes > seen[i - 1]!.loadedBytes)).toBe(true);
});

test("the size comes from the header when the source does not know it", async () => {
  const seen: LoadProgress[] = [];
  await load(chunked(BYTES, 65536), { onProgress: (progress) => seen.push(progress) });
  expect(seen[0]).toMatchObject({ phase: "header", totalBytes: undefined });
  expect(seen.at(-1)).toMatchObject({ phase: "weights", totalBytes: BYTES.length });
});

test("an abort stops between chunks and cancels the source", async () => {
  const controller = new AbortController();
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    async pull(into) {
      into.enqueue(BYTES.slice(0, 1000));
    },
    cancel() {
      cancelled = true;
    },
  });
  let chunks = 0;
  const loading = load(stream, {
    signal: controller.signal,
    onProgress() {
      chunks++;
      controller.abort("enough");
    },
  });
  await expect(loading).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
  expect(chunks).toBe(1);
  expect(cancelled).toBe(true);
});

test("an aborted signal", async () => {
  await expect(load(PATH, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
});

test.each([0, 3, 24, 5000, BYTES.length - 1])("a file that ends after %i bytes", async (length) => {
  const error = await load(BYTES.subarray(0, length)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ZagreusError);
  expect(error).toMatchObject({ code: "TRUNCATED" });
});

test("bytes after the end", async () => {
  async function* longer() {
    yield BYTES;
    yield Uint8Array.of(1, 2, 3);
  }
  expect(await logitBits(longer())).toEqual(await logitBits(BYTES)); // as llama.cpp has it
});

test("not a GGUF file", async () => {
  await expect(load(new TextEncoder().encode("<!doctype html><html>…"))).rejects.toMatchObject({
    code: "BAD_MAGIC",
    message: 'not a GGUF file: it starts with "<!do", must start with "GGUF"',
  });
});

test("sources that cannot be read", async () => {
  await expect(load("/no/such.gguf")).rejects.toMatchObject({ code: "SOURCE_FAILED", field: "source" });
  await expect(load(fileURLToPath(new URL(".", bundledModel)))).rejects.toMatchObject({ code: "SOURCE_FAILED" });
  await expect(load("http://127.0.0.1:1/nano.gguf")).rejects.toMatchObject({ code: "SOURCE_FAILED" });
  await expect(load(new URL("ftp://127.0.0.1/nano.gguf"))).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(load("hf:giux78")).rejects.toMatchObject({ code: "INVALID_OPTION", field: "model" });
});

test("a budget too small is refused before the first weight, with the bytes needed", async () => {
  let read = 0;
  async function* counted() {
    for await (const chunk of chunked(BYTES, 65536)) {
      read += chunk.length;
      yield chunk;
    }
  }
  const error = await load(counted(), { memoryBudget: 1_000_000 }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "OVER_BUDGET", expected: 1_000_000 });
  const needed = (error as ZagreusError).value as number;
  expect(read).toBeLessThan(1_000_000); // of 5.3 MB
  const model = await load(PATH, { memoryBudget: needed });
  expect(model.info.plan.memory).toBeLessThanOrEqual(needed);
});

test("a context longer than the model's", async () => {
  await expect(load(PATH, { contextLength: 513 })).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: 'option "contextLength" is 513, must be at most 512',
  });
});

test("info", async () => {
  const { info } = await loadNano({ contextLength: 256, kvType: "f32" });
  expect(info).toMatchObject({
    architecture: "llama",
    name: "zagreus-nano",
    quantization: "Q8_0",
    parameters: 4721856,
    layers: 8,
    hidden: 192,
    vocabulary: 8192,
    trainedContext: 512,
    contextLength: 256,
    kvType: "f32",
    tiedEmbeddings: true,
    tokenizer: { bos: 8176, eos: 8177, addBos: true },
    fileBytes: BYTES.length,
  });
  expect(info.tokenizer.end).toContain(8177);
  const { arena, memory, ...sections } = info.plan;
  expect(Object.values(sections).reduce((sum, bytes) => sum + bytes, 0)).toBe(arena);
  expect(memory).toBeGreaterThanOrEqual(arena);
  expect(info.metadata["tokenizer.ggml.tokens"]).toEqual({ type: "string[]", count: 8192 });
  expect(info.metadata["llama.context_length"]).toBe(512);
  expect(info.tensors).toHaveLength(2 + 9 * 8);
  expect(JSON.parse(JSON.stringify(info))).toEqual(JSON.parse(JSON.stringify(info)));
});

test("inspect reads the header only, and finds the same", async () => {
  let read = 0;
  async function* counted() {
    for await (const chunk of chunked(BYTES, 65536)) {
      read += chunk.length;
      yield chunk;
    }
  }
  const inspected = await inspect(counted());
  const { info } = await loadNano();
  expect(read).toBeLessThan(BYTES.length / 2);
  expect({ ...inspected, tokenizer: info.tokenizer }).toEqual(info);
});
