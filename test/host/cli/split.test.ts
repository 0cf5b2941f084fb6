// A model in pieces: what is cut, joined, and refused.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, expect, test } from "vitest";
import { joinPieces, type Manifest, type PieceReader, parseManifest } from "../../../host/core/load/pieces";
import { type SplitOptions, split } from "../../../host/node/split";

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => (i * i * 31) >> 3);
const root = mkdtempSync(join(tmpdir(), "zagreus-split-"));
let directory = root;
beforeEach(() => {
  directory = mkdtempSync(join(root, "out-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const cut = (pieceBytes: number, options: Partial<SplitOptions> = {}) =>
  split(BYTES, directory, { pieceBytes, name: "m.gguf", ...options });
const stored = () => parseManifest(readFileSync(join(directory, "manifest.json"), "utf8"));

const reader: PieceReader = {
  open: async (file) => createReadStream(join(directory, file), { highWaterMark: 64 }),
  sha256() {
    const hash = createHash("sha256");
    return { write: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
  },
};

async function joined(manifest: Manifest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of joinPieces(manifest, reader).chunks) chunks.push(chunk.slice());
  return new Uint8Array(Buffer.concat(chunks));
}

test.each([
  [1000, [1000]],
  [5000, [1000]],
  [999, [999, 1]],
  [500, [500, 500]],
  [300, [300, 300, 300, 100]],
])("pieces of %d bytes", async (pieceBytes, sizes) => {
  const manifest = await cut(pieceBytes);
  expect(manifest.pieces.map(({ bytes }) => bytes)).toEqual(sizes);
  expect(stored()).toEqual(manifest);
  expect(readdirSync(directory).sort()).toEqual(["manifest.json", ...manifest.pieces.map(({ file }) => file)].sort());
  expect(await joined(manifest)).toEqual(BYTES);
  expect(manifest).toMatchObject({
    name: "m.gguf",
    bytes: 1000,
    sha256: createHash("sha256").update(BYTES).digest("hex"),
  });
});

test("a manifest with a byte order mark", async () => {
  const manifest = await cut(500);
  expect(parseManifest(`\uFEFF${JSON.stringify(manifest)}`)).toEqual(manifest);
});

test("pieces do not follow the chunks that a source comes in", async () => {
  async function* chunks() {
    for (let at = 0; at < 1000; at += 70) yield BYTES.slice(at, at + 70);
  }
  const progress: number[] = [];
  const onProgress = ({ loadedBytes }: { loadedBytes: number }) => progress.push(loadedBytes);
  const manifest = await split(chunks(), directory, { pieceBytes: 300, name: "m.gguf", onProgress });
  expect(manifest).toEqual(await cut(300));
  expect(progress.at(-1)).toBe(1000);
});

test("what an older split left goes, and nothing else", async () => {
  await cut(100);
  writeFileSync(join(directory, "notes.txt"), "mine");
  await cut(400);
  expect(readdirSync(directory).sort()).toEqual([
    "m.gguf.000",
    "m.gguf.001",
    "m.gguf.002",
    "manifest.json",
    "notes.txt",
  ]);
});

test("a source that breaks leaves no manifest and no half piece", async () => {
  async function* breaking() {
    yield BYTES.slice(0, 450);
    throw new Error("cable cut");
  }
  await cut(300);
  const broken = split(breaking(), directory, { pieceBytes: 400, name: "m.gguf" });
  await expect(broken).rejects.toMatchObject({ code: "SOURCE_FAILED", message: expect.stringContaining("cable cut") });
  expect(readdirSync(directory)).not.toContain("manifest.json");
  expect(readdirSync(directory).filter((file) => file.endsWith(".part"))).toEqual([]);
  await expect(cut(300, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  await expect(cut(300, { name: "../m" })).rejects.toMatchObject({ code: "INVALID_OPTION", field: "name" });
  const empty = split(new Uint8Array(), directory, { pieceBytes: 1, name: "m" });
  await expect(empty).rejects.toMatchObject({ code: "SOURCE_FAILED" });
});

test("a piece that is short, long or wrong", async () => {
  const manifest = await cut(400);
  const piece = join(directory, "m.gguf.001");
  const right = readFileSync(piece);
  const fails = async (bytes: Uint8Array, code: string, value: unknown) => {
    writeFileSync(piece, bytes);
    await expect(joined(manifest)).rejects.toMatchObject({ code, field: "m.gguf.001", value });
  };
  await fails(right.subarray(0, 399), "SOURCE_FAILED", 399);
  await fails(new Uint8Array(), "SOURCE_FAILED", 0);
  await fails(Buffer.concat([right, right]), "SOURCE_FAILED", expect.any(Number));
  const wrong = Buffer.from(right);
  wrong[7]! ^= 1;
  await fails(wrong, "BAD_CHECKSUM", createHash("sha256").update(wrong).digest("hex"));
});

test.each<[string, (manifest: Manifest) => unknown]>([
  ["all of it", () => null],
  ["name", (manifest) => ({ ...manifest, name: 1 })],
  ["bytes", (manifest) => ({ ...manifest, bytes: 999 })],
  ["bytes", (manifest) => ({ ...manifest, bytes: "1000" })],
  ["sha256", (manifest) => ({ ...manifest, sha256: "AB" })],
  ["pieces", (manifest) => ({ ...manifest, pieces: {} })],
  ["pieces[0]", (manifest) => ({ ...manifest, pieces: [null] })],
  ["pieces[0].file", (manifest) => ({ ...manifest, pieces: [{ ...manifest.pieces[0], file: "../m" }] })],
  ["pieces[0].file", (manifest) => ({ ...manifest, pieces: [{ ...manifest.pieces[0], file: ".." }] })],
  ["pieces[0].bytes", (manifest) => ({ ...manifest, pieces: [{ ...manifest.pieces[0], bytes: -1 }] })],
  ["pieces[0].sha256", (manifest) => ({ ...manifest, pieces: [{ ...manifest.pieces[0], sha256: undefined }] })],
])("a manifest whose %s is wrong", async (field, change) => {
  const manifest = await cut(1000);
  const parse = () => parseManifest(JSON.stringify(change(manifest)));
  expect(parse).toThrow(expect.objectContaining({ code: "BAD_JSON", field }));
  expect(() => parseManifest("{")).toThrow(expect.objectContaining({ code: "BAD_JSON", field: "manifest.json" }));
});

test("zagreus split", () => {
  const cli = fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [cli, "split", ...args], { encoding: "utf8" });
    return { status, stdout, stderr };
  };
  const { status, stdout, stderr } = run("-o", directory, "--piece", "2M", "--json");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const report = JSON.parse(stdout);
  expect(report).toEqual({ manifest: join(directory, "manifest.json"), ...stored() });
  expect(report.pieces[0]).toMatchObject({ file: "zagreus-nano-Q8_0.gguf.000", bytes: 2 ** 21 });
  expect(run("no-such-file", "-o", directory).status).toBe(1);
  expect(run("-o", join(cli, "below")).stderr).toMatch(/^zagreus: cannot make the directory .*\n$/);
  for (const size of ["0", "M", "1G", "-1", "1.5M"]) expect(run("-o", directory, "--piece", size).status).toBe(2);
  expect(run().status).toBe(2);
});
