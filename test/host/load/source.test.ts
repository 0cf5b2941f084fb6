import { expect, test } from "vitest";
import type { WebSource } from "../../../host/core/api/api";
import { ZagreusError } from "../../../host/core/api/errors";
import { byteSource, readSource } from "../../../host/core/load/source";

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => i);

async function drain(source: WebSource, signal?: AbortSignal): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of readSource(byteSource(source), signal)) bytes.push(...chunk);
  return bytes;
}

function stream(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield BYTES.subarray(0, 1);
  yield BYTES.subarray(1, 1); // empty chunks are nothing
  yield BYTES.subarray(1, 999);
  yield BYTES.subarray(999);
}

const SOURCES: [name: string, make: () => WebSource, size: number | undefined][] = [
  ["Uint8Array", () => BYTES, 1000],
  ["ArrayBuffer", () => BYTES.slice().buffer, 1000],
  ["Blob", () => new Blob([BYTES]), 1000],
  ["Response", () => new Response(BYTES, { headers: { "content-length": "1000" } }), 1000],
  [
    "Response of a coded length",
    () => new Response(BYTES, { headers: { "content-length": "7", "content-encoding": "gzip" } }),
    undefined,
  ],
  ["ReadableStream", () => stream([BYTES.subarray(0, 400), BYTES.subarray(400)]), undefined],
  ["AsyncIterable", pieces, undefined],
];

test.each(SOURCES)("%s", async (_, make, size) => {
  expect(byteSource(make()).size).toBe(size);
  expect(await drain(make())).toEqual([...BYTES]);
});

test("an HTTP error is not a model", () => {
  expect(() => byteSource(new Response("no", { status: 404, statusText: "Not Found" }))).toThrow(
    expect.objectContaining({
      code: "SOURCE_FAILED",
      value: 404,
      message: "HTTP status is 404 Not Found, must be 2xx",
    }),
  );
});

test("streams that are taken", async () => {
  const response = new Response(BYTES);
  await response.arrayBuffer();
  expect(() => byteSource(response)).toThrow(expect.objectContaining({ code: "SOURCE_FAILED" }));
  const locked = stream([]);
  locked.getReader();
  expect(() => byteSource(locked)).toThrow(expect.objectContaining({ code: "SOURCE_FAILED" }));
});

test.each([undefined, null, 7, {}, [1, 2]])("%j is no source", (value) => {
  expect(() => byteSource(value as never)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", field: "source" }),
  );
});

test("what goes wrong in a source is SOURCE_FAILED with its cause", async () => {
  const cause = new Error("the disk is gone");
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield BYTES;
    throw cause;
  }
  const error = await drain(broken()).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ZagreusError);
  expect(error).toMatchObject({ code: "SOURCE_FAILED", cause, message: "reading the model failed: the disk is gone" });
});

test("chunks must be bytes", async () => {
  async function* text() {
    yield "GGUF";
  }
  await expect(drain(text() as never)).rejects.toMatchObject({ code: "SOURCE_FAILED" });
});

test("an abort does not wait for a stalled stream, and cancels it", async () => {
  let cancelled = false;
  const stalled = new ReadableStream<Uint8Array>({
    pull: () => new Promise(() => {}),
    cancel() {
      cancelled = true;
    },
  });
  const controller = new AbortController();
  const reading = drain(stalled, controller.signal);
  setTimeout(() => controller.abort("enough"), 5);
  await expect(reading).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
  expect(cancelled).toBe(true);
});

test("leaving early cancels the source", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(BYTES),
    cancel() {
      cancelled = true;
    },
  });
  for await (const chunk of readSource(byteSource(endless))) {
    expect(chunk.length).toBe(1000);
    break;
  }
  await Promise.resolve();
  expect(cancelled).toBe(true);
});
