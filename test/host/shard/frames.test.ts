// Frames: what was written is read, in any pieces; what was not is an error.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ZagreusError } from "../../../host/core/api/errors";
import { portChannel } from "../../../host/core/shard/port";
import { ByteReader, Lost } from "../../../host/core/shard/wire/channel";
import { crc32 } from "../../../host/core/shard/wire/crc";
import { encodeFrame, type Frame, readFrame } from "../../../host/core/shard/wire/frames";
import {
  type Copy,
  decodeError,
  decodeHello,
  decodeRun,
  encodeError,
  encodeJson,
  encodeRows,
  encodeRuns,
} from "../../../host/core/shard/wire/messages";

const HIDDEN = 3;
const MOST = 1 << 16;

function reader(pieces: readonly Uint8Array[]): ByteReader {
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  return new ByteReader({ readable });
}

async function readAll(pieces: readonly Uint8Array[]): Promise<Frame[]> {
  const from = reader(pieces);
  const frames: Frame[] = [];
  for (let frame = await readFrame(from, MOST); frame; frame = await readFrame(from, MOST)) frames.push(frame);
  return frames;
}

function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + (lengths[i % lengths.length] ?? bytes.length);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

const frame = fc.record({ kind: fc.nat(255), contents: fc.uint8Array({ maxLength: 300 }) });

test("CRC-32 is that of others", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array())).toBe(0);
});

describe("frames", () => {
  test("come out as they went in, in any pieces", async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
    const property = fc.asyncProperty(fc.array(frame), lengths, async (frames, lengths) => {
      const bytes = Buffer.concat(frames.map(({ kind, contents }) => encodeFrame(kind, contents)));
      expect(await readAll(cut(bytes, lengths))).toEqual(frames);
    });
    await fc.assert(property);
  });

  test("with a bit that is another, or cut off, are none", async () => {
    const property = fc.asyncProperty(frame, fc.nat(), fc.nat(), async ({ kind, contents }, bit, end) => {
      const bytes = encodeFrame(kind, contents);
      const changed = bytes.slice();
      changed[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
      await expect(readAll([changed])).rejects.toMatchObject({ code: "SHARD_FAILED" });
      await expect(readAll([bytes.subarray(0, 1 + (end % (bytes.length - 1)))])).rejects.toBeInstanceOf(Lost);
    });
    await fc.assert(property);
  });

  test("that are too long are refused before their contents are there", async () => {
    const long = encodeFrame(1, new Uint8Array(MOST + 1)).subarray(0, 16);
    await expect(readAll([long])).rejects.toMatchObject({ code: "SHARD_FAILED", field: "length", expected: MOST });
  });
});

describe("messages", () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  const run = fc.record({
    position: word,
    count: fc.integer({ min: 1, max: 4 }),
    pages: fc.array(word, { maxLength: 5 }),
  });
  const copies = fc.array(fc.tuple(word, word, word), { maxLength: 4 });
  const encode = (id: number, copied: readonly Copy[], runs: Parameters<typeof encodeRuns>[2]) => {
    const rows = runs.reduce((sum, { count }) => sum + count, 0);
    const states = Float32Array.from({ length: rows * HIDDEN }, (_, i) => i / 7);
    const overflows = Float32Array.from({ length: rows }, (_, i) => i % 2);
    const contents = Buffer.concat([encodeRuns(id, copied, runs), ...encodeRows({ states, overflows })]);
    return { contents: Uint8Array.from(contents), states, overflows };
  };

  test("runs come out as they went in", () => {
    const property = fc.property(word, copies, fc.array(run, { maxLength: 16 }), (id, copied, runs) => {
      const { contents, ...rows } = encode(id, copied, runs);
      expect(decodeRun(contents, HIDDEN)).toEqual({ id, copies: copied, runs, ...rows });
    });
    fc.assert(property);
  });

  test("any words are runs, or an error with words", () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (given) => {
      try {
        decodeRun(given.slice(), HIDDEN);
      } catch (error) {
        expect(error).toMatchObject({ code: "SHARD_FAILED" });
      }
    });
    fc.assert(property);
    const { contents } = encode(1, [], [{ position: 0, count: 2, pages: [5] }]);
    expect(() => decodeRun(contents.slice(0, -4), HIDDEN)).toThrow("bytes of rows");
    expect(() =>
      decodeRun(Uint8Array.from(encodeRuns(1, [], Array(17).fill({ position: 0, count: 1, pages: [] }))), 3),
    ).toThrow("count");
  });

  test("errors keep what they say, and a HELLO says all", () => {
    const error = new ZagreusError("THREAD_FAILED", "worker thread 1 failed: no room", { value: 1 });
    const read = decodeError(encodeError(error), "shard 2");
    expect(read).toMatchObject({ code: "SHARD_FAILED", cause: { code: "THREAD_FAILED", value: 1 } });
    expect(read.message).toBe("shard 2 failed: worker thread 1 failed: no room");
    expect(() => decodeHello(encodeJson({ model: "x" }))).toThrow("first");
    expect(() => decodeHello(new TextEncoder().encode("[1"))).toThrow("JSON");
  });
});

test("a port hands over one piece at a time, to who wants it, and says when it ends", async () => {
  const { port1, port2 } = new MessageChannel();
  const [a, b] = [portChannel(port1), portChannel(port2)];
  const writer = a.writable.getWriter();
  let written = 0;
  const writing = [1, 2, 3].map((byte) => writer.write(Uint8Array.of(byte)).then(() => written++));
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(written).toBe(0);
  const reading = b.readable.getReader();
  expect((await reading.read()).value).toEqual(Uint8Array.of(1));
  await writing[0];
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(written).toBe(1);
  expect((await reading.read()).value).toEqual(Uint8Array.of(2));
  expect((await reading.read()).value).toEqual(Uint8Array.of(3));
  await Promise.all(writing);
  await writer.close();
  expect(await reading.read()).toEqual({ done: true, value: undefined });
  await expect(b.writable.getWriter().write(Uint8Array.of(1))).rejects.toThrow("closed");
});
