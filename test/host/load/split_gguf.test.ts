// A split GGUF file, joined by path and by URL; a part that is alone says so.

import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { load } from "zagreus-edge";
import { quantize } from "zagreus-edge/quantize";
import { byteSource } from "../../../host/core/load/source";
import { joinSplitGguf } from "../../../host/core/load/split_gguf";
import { ggufParts, partPath } from "../../support/models/gguf_parts";
import { tinyModel, writeGguf } from "../../support/models/gguf_writer";

const FILE = tinyModel();
const WHOLE = writeGguf(FILE).bytes;
const PARTS = ggufParts(FILE, [3, 9]);
const folder = mkdtempSync(join(tmpdir(), "zagreus-parts-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(prefix: string, parts: readonly (Uint8Array | undefined)[] = PARTS): string[] {
  return parts.map((bytes, i) => {
    const path = join(folder, partPath(prefix, i + 1, parts.length));
    if (bytes) writeFileSync(path, bytes);
    return path;
  });
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(new Uint8Array(chunk));
  return new Uint8Array(Buffer.concat(all));
}

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

/** Chunks that are overwritten by the next one, in a Buffer, whose slice() is no copy. */
async function* reused(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size);
    buffer.set(chunk);
    yield buffer.subarray(0, chunk.length);
  }
}

test("the whole file comes out, however it is cut and read", async () => {
  const tensors = FILE.tensors.length;
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: tensors - 1 }), { minLength: 1, maxLength: 4 });
  const property = fc.asyncProperty(
    cuts,
    fc.integer({ min: 100, max: WHOLE.length }),
    fc.constantFrom(32, 64),
    fc.boolean(),
    async (starts, size, alignment, unpadded) => {
      const file = tinyModel({ alignment });
      const parts = ggufParts(
        { ...file, unpadded },
        [...starts].sort((a, b) => a - b),
      );
      const names = parts.map((_, i) => String(i));
      const whole = writeGguf(file).bytes;
      for (const cut of [chunked, reused]) {
        const open = async (name: string) => byteSource(cut(parts[Number(name)]!, size));
        const { size: total, chunks } = await joinSplitGguf(names, open, undefined);
        expect(total).toBe(whole.length);
        expect(Buffer.compare(await collected(chunks), whole)).toBe(0);
      }
    },
  );
  await fc.assert(property, { numRuns: 30 });
});

async function fingerprint(source: Parameters<typeof load>[0]): Promise<string> {
  const model = await load(source, { threads: 1 });
  const logits = await model.logits([1, 2, 3]);
  model.close();
  return Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength).toString("hex");
}

test("by path, offloaded, and by URL with a query", async () => {
  const expected = await fingerprint(WHOLE);
  const [first] = write("model");
  expect(await fingerprint(first!)).toBe(expected);
  const offloaded = await load(first!, { threads: 1, offload: true });
  expect(offloaded.info.metadata).not.toHaveProperty("split.count");
  await offloaded.close();

  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url!, "http://x");
    const found = search === "?token=1" && /model-\d{5}-of-00003\.gguf$/.test(pathname);
    response.writeHead(found ? 200 : 404).end(found ? readFileSync(join(folder, pathname)) : "");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${partPath("model", 1, 3)}`;
  expect(await fingerprint(`${url}?token=1`)).toBe(expected);
  await expect(load(url)).rejects.toMatchObject({ code: "SOURCE_FAILED", message: expect.stringContaining("404") });
  server.close();
});

test("quantize reads all parts", async () => {
  const [first] = write("source");
  const out = join(folder, "out.gguf");
  await quantize(first!, out, { type: "q8_0" });
  const model = await load(out, { threads: 1 });
  expect(model.info.metadata).not.toHaveProperty("split.count");
  expect(model.info.tensors).toHaveLength(FILE.tensors.length);
  model.close();
  const [alone] = write("gap", [PARTS[0], undefined, PARTS[2]]);
  await expect(quantize(alone!, out, { type: "q8_0" })).rejects.toMatchObject({
    code: "SOURCE_FAILED",
    message: expect.stringContaining(partPath("gap", 2, 3)),
  });
});

test("a name that only looks like a part's", async () => {
  const path = join(folder, partPath("whole", 1, 2));
  writeFileSync(path, WHOLE);
  expect(await fingerprint(path)).toBe(await fingerprint(WHOLE));
});

test("what is missing is named", async () => {
  const [first, second] = write("missing", [PARTS[0], PARTS[1], undefined]);
  const failing = (source: Parameters<typeof load>[0]) => expect(load(source)).rejects;
  await failing(first!).toMatchObject({
    code: "SOURCE_FAILED",
    message: expect.stringContaining(partPath("missing", 3, 3)),
  });
  await failing(second!).toMatchObject({
    code: "SOURCE_FAILED",
    message: expect.stringMatching(/part 2 of 3 of a split GGUF file.*-00001-of-00003\.gguf/),
  });
  await failing(PARTS[0]!).toMatchObject({ message: expect.stringContaining("part 1 of 3 of a split GGUF file") });
  const other = join(folder, "other.gguf");
  copyFileSync(first!, other);
  await failing(other).toMatchObject({ message: expect.stringContaining("part 1 of 3") });
  const [twice] = write("twice", [PARTS[0], PARTS[1], PARTS[1]]);
  await failing(twice!).toMatchObject({ message: expect.stringContaining("part 2 of 3") });
  const [short] = write("short", [PARTS[0], PARTS[1]!.subarray(0, -40), PARTS[2]]);
  await failing(short!).toMatchObject({ code: "TRUNCATED", message: expect.stringContaining(partPath("short", 2, 3)) });
});
