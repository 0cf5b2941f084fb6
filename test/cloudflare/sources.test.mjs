// Where a Worker's weights come from, and every way in which they do not come.

import { once } from "node:events";
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { workerd } from "./workerd.mjs";

const edit = (path, change) => writeFileSync(path, change(readFileSync(path)));
const flip = (bytes) => bytes.fill(bytes[1000] ^ 1, 1000, 1001);

/** Copies of the folder of pieces, each with one thing wrong with its second piece or its manifest. */
const DAMAGED = {
  missing: ({ piece }) => rmSync(piece),
  short: ({ piece }) => truncateSync(piece, 2_000_000),
  empty: ({ piece }) => truncateSync(piece, 0),
  long: ({ piece }) => edit(piece, (bytes) => Buffer.concat([bytes, bytes])),
  wrong: ({ piece }) => edit(piece, flip),
  html: ({ manifest }) => writeFileSync(manifest, "<html>"),
  away: ({ manifest }) => edit(manifest, (text) => String(text).replace("zagreus-nano-Q8_0.gguf.001", "../x")),
};

let worker;
beforeAll(async () => {
  worker = await workerd("sources_worker.mjs", {}, (assets) => {
    for (const [name, damage] of Object.entries(DAMAGED)) {
      const folder = join(assets, name);
      cpSync(join(assets, "model"), folder, { recursive: true });
      damage({ piece: join(folder, "zagreus-nano-Q8_0.gguf.001"), manifest: join(folder, "manifest.json") });
    }
  });
});
afterAll(() => worker?.dispose());

const failed = (code, message) => ({ name: "ZagreusError", code, message: expect.stringMatching(message) });

test("R2, assets and a URL give the same model", async () => {
  const server = createServer((_, response) => response.end(worker.bytes)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/nano.gguf`;
  const [first, ...others] = [
    await worker.json("/r2/nano.gguf"),
    await worker.json("/assets/model"),
    await worker.json("/assets/model/"),
    await worker.json(`/url/?${url}`),
  ];
  server.close();
  expect(first.text.length).toBeGreaterThan(4);
  expect(first.planned).toBeGreaterThan(worker.bytes.length);
  for (const other of others) expect(other).toEqual(first);
});

test("an object of R2 that is missing, short, empty, no model, or stops coming", async () => {
  await worker.bucket.put("short.gguf", worker.bytes.slice(0, 3_000_000));
  await worker.bucket.put("header.gguf", worker.bytes.slice(0, 1000));
  await worker.bucket.put("empty.gguf", new Uint8Array());
  await worker.bucket.put("other.gguf", new Uint8Array(5000).fill(7));
  const load = (path) => worker.json(path);
  expect(await load("/r2/none.gguf")).toMatchObject(failed("SOURCE_FAILED", /R2 object "none.gguf" does not exist/));
  expect(await load("/r2/short.gguf")).toMatchObject(failed("TRUNCATED", /ends early/));
  expect(await load("/r2/header.gguf")).toMatchObject(failed("TRUNCATED", /ends early/));
  expect(await load("/r2/empty.gguf")).toMatchObject(failed("TRUNCATED", /ends early/));
  expect(await load("/r2/other.gguf")).toMatchObject(failed("BAD_MAGIC", /not a GGUF file/));
  expect(await load("/broken/r2")).toMatchObject(failed("SOURCE_FAILED", /"nano.gguf": connection lost/));
  expect(await load("/broken/cut")).toMatchObject(failed("SOURCE_FAILED", /connection lost/));
  expect(await load("/broken/stalled")).toMatchObject(failed("ABORTED", /signal/));
});

test.each([
  ["missing", "SOURCE_FAILED", /asset "\/missing\/zagreus-nano-Q8_0.gguf.001" cannot be read: HTTP status is 404/],
  ["short", "SOURCE_FAILED", /gguf.001" has only 2000000 bytes, must have 2097152/],
  ["empty", "SOURCE_FAILED", /gguf.001" has only 0 bytes/],
  ["long", "SOURCE_FAILED", /gguf.001" has at least \d+ bytes, must have 2097152/],
  ["wrong", "BAD_CHECKSUM", /gguf.001" has SHA-256 \w{64}, must have \w{64}/],
  ["html", "BAD_JSON", /manifest.json is no JSON/],
  ["away", "BAD_JSON", /pieces\[1\].file is "..\/x", must be the name of a file/],
  ["no-such-folder", "SOURCE_FAILED", /"\/no-such-folder\/manifest.json" .* 404/],
])("pieces: %s", async (name, code, message) => {
  expect(await worker.json(`/assets/${name}`)).toMatchObject(failed(code, message));
});

test("assets that cannot be asked for", async () => {
  expect(await worker.json("/broken/assets")).toMatchObject(failed("SOURCE_FAILED", /connection lost/));
});

test("URLs that are none", async () => {
  expect(await worker.json("/url/?ftp://somewhere/model.gguf")).toMatchObject(
    failed("INVALID_OPTION", /http: or https:/),
  );
  expect(await worker.json("/url/?nano.gguf")).toMatchObject(failed("INVALID_OPTION", /http: or https:/));
  expect(await worker.json("/url/?http://127.0.0.1:9/model.gguf")).toMatchObject(
    failed("SOURCE_FAILED", /cannot read/),
  );
});
