// The reactor says what the library says: texts, tokens, logits, snapshots, and each failure as a code with a sentence.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundledModel, type GenerateOptions, load, type Model } from "zagreus-edge";
import { Embedded, FINISH, ids, status } from "./embedded";
import { MODEL, MODELS, ROOT, ZAGREUS } from "./harness";

const module = new WebAssembly.Module(readFileSync(ZAGREUS));
const STATUS = { WRONG_STATE: 56, BAD_OPTION: 57, BAD_TOKEN: 58, CONTEXT_OVERFLOW: 59, OVER_BUDGET: 48, BAD_MAGIC: 16 };
const OWN = { BAD_SESSION: 80, TOO_MANY: 81, BAD_LENGTH: 82, CANNOT_READ: 83, NOT_COMPLETING: 84, BAD_SNAPSHOT: 85 };
const [MAX_TOKENS, TEMPERATURE, TOP_K, TOP_P, MIN_P, PENALTY, NGRAM] = [1, 2, 3, 4, 5, 6, 7];
const PROMPT = "C'era una volta un re che aveva";

let model: Model;
let embedded: Embedded;
beforeAll(async () => {
  model = await load(bundledModel, { build: "simd" });
  embedded = new Embedded(module);
  embedded.load(MODEL);
});
afterAll(() => model.close());

async function said(options: GenerateOptions, prompt = PROMPT) {
  const completion = model.complete(prompt, options);
  const text = await completion.text();
  return { text, finish: completion.finishReason };
}

test.each<[string, GenerateOptions, Record<number, number>]>([
  ["greedy", { maxTokens: 40, temperature: 0 }, { [MAX_TOKENS]: 40, [TEMPERATURE]: 0 }],
  ["sampled", { maxTokens: 60, seed: 7 }, { [MAX_TOKENS]: 60 }],
  [
    "with everything",
    {
      maxTokens: 50,
      seed: 9,
      temperature: 1.3,
      topK: 80,
      topP: 0.9,
      minP: 0.01,
      repetitionPenalty: 1.2,
      noRepeatNgram: 3,
    },
    { [MAX_TOKENS]: 50, [TEMPERATURE]: 1.3, [TOP_K]: 80, [TOP_P]: 0.9, [MIN_P]: 0.01, [PENALTY]: 1.2, [NGRAM]: 3 },
  ],
])("a completion, %s", async (_, options, numbers) => {
  const session = embedded.open(PROMPT, numbers, BigInt(options.seed ?? 0));
  const { text, finish } = embedded.complete(session);
  expect({ text, finish: FINISH[finish] }).toEqual(await said(options));
  embedded.call("session_close", session);
});

test("stop strings and biases; the session goes on as the library's does", async () => {
  const [first, second] = [" e", "\n"];
  const options = { maxTokens: 60, temperature: 0, stop: [first, second], logitBias: { 300: 2 } };
  const session = embedded.open(PROMPT, { [MAX_TOKENS]: 60, [TEMPERATURE]: 0 });
  for (const stop of [first, second]) embedded.text("session_stop", stop, [session]);
  embedded.call("session_bias", session, 300, 2);
  const theirs = model.session();
  for (const prompt of [PROMPT, " poi", " dunque"]) {
    if (prompt !== PROMPT) embedded.text("session_append", prompt, [session], [0]);
    const completion = theirs.complete(prompt, options);
    const text = await completion.text();
    const ours = embedded.complete(session);
    expect({ text: ours.text, finish: FINISH[ours.finish] }).toEqual({ text, finish: completion.finishReason });
    expect(embedded.tokens(session)).toEqual(theirs.tokens);
  }
  embedded.call("session_close", session);
});

test.each(["int8", "f32", "f16", "int4"] as const)("a KV cache of %s", async (kvType) => {
  const [model, embedded] = [await load(bundledModel, { build: "simd", kvType }), new Embedded(module)];
  embedded.load(MODEL, 0, ["int8", "f32", "f16", "int4"].indexOf(kvType));
  const text = await model.complete(PROMPT, { maxTokens: 20, temperature: 0 }).text();
  expect(embedded.complete(embedded.open(PROMPT, { [MAX_TOKENS]: 20, [TEMPERATURE]: 0 })).text).toBe(text);
  model.close();
});

test("sessions take turns token by token, and none notices", async () => {
  const prompts = [PROMPT, "Once upon a time", "Roma è"];
  const open = (prompt: string, i: number) => embedded.open(prompt, { [MAX_TOKENS]: 20 }, BigInt(i));
  const sessions = prompts.map(open);
  const texts = prompts.map(() => "");
  for (const session of sessions) embedded.call("complete", session);
  for (let left = new Set(sessions); left.size > 0; ) {
    for (const session of [...left]) {
      const { text, finish } = embedded.next(session);
      texts[sessions.indexOf(session)] += text;
      if (finish) left.delete(session);
    }
  }
  const alone = await Promise.all(prompts.map((prompt, i) => said({ maxTokens: 20, seed: i }, prompt)));
  expect(texts).toEqual(alone.map(({ text }) => text));
  for (const session of sessions) embedded.call("session_close", session);
});

test("tokens, logits, the model's numbers and metadata", async () => {
  for (const text of ["", PROMPT, "🙂 <|im_end|> \u0000x", "ab ".repeat(30_000)]) {
    expect(ids(embedded.text("tokenize", text, [], [0]))).toEqual(model.tokenize(text));
    expect(ids(embedded.text("tokenize", text, [], [1 | 2]))).toEqual(
      model.tokenize(text, { special: true, bos: false }),
    );
  }
  const session = embedded.open(PROMPT);
  const left = embedded.u32("prefill", session, 0);
  expect(embedded.u32("prefill", session, 3)).toBe(left - 3);
  const logits = embedded.call("logits", session);
  const theirs = await model.logits(model.tokenize(PROMPT));
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  expect(sha256(logits)).toBe(sha256(new Uint8Array(theirs.buffer, theirs.byteOffset, theirs.byteLength)));
  embedded.call("session_close", session);

  const info = ids(embedded.call("info"));
  const { layers, hidden, intermediate, heads, kvHeads, headSize, vocabulary } = model.info;
  expect(info.slice(0, 7)).toEqual([layers, hidden, intermediate, heads, kvHeads, headSize, vocabulary]);
  expect(info[8]).toBe(model.info.contextLength);
  expect(info[10]).toBe(model.info.tokenizer.bos);
  expect(embedded.text("metadata", "general.name").toString()).toBe(model.info.name);
  expect(embedded.text("metadata", "llama.block_count").toString()).toBe(String(layers));
  expect(embedded.text("metadata", "no such key")).toHaveLength(0);

  const special: Record<string, number> = {};
  for (let at = 0, bytes = embedded.call("markers", 0); at < bytes.length; ) {
    const [token, type, length] = [0, 4, 8].map((offset) => bytes.readUInt32LE(at + offset)) as [
      number,
      number,
      number,
    ];
    if (type === 3) special[bytes.subarray(at + 12, at + 12 + length).toString()] = token;
    expect(embedded.call("token", token).subarray(4)).toEqual(bytes.subarray(at + 12, at + 12 + length));
    at += 12 + length;
  }
  expect(special).toEqual(model.info.tokenizer.special);
});

function saved(embedded: Embedded, session: number): Buffer {
  const size = Number(embedded.call("save", session).readBigUInt64LE());
  const pieces: Buffer[] = [];
  for (let piece = embedded.call("save_next"); piece.length > 0; piece = embedded.call("save_next")) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  expect(bytes).toHaveLength(size);
  return bytes;
}

function restored(embedded: Embedded, bytes: Uint8Array, piece = 1 << 20): number {
  const session = embedded.open("", { [MAX_TOKENS]: 20, [TEMPERATURE]: 0 });
  embedded.call("restore", session);
  for (let at = 0; at < bytes.length; at += piece) {
    embedded.call("restore_push", embedded.write(bytes.subarray(at, at + piece)));
  }
  embedded.call("restore_end");
  return session;
}

test("snapshots go from here to there and back", async () => {
  const [model, embedded] = [await load(bundledModel, { build: "simd", kvType: "f32" }), new Embedded(module)];
  embedded.load(MODEL, 0, 1);
  const long = `${PROMPT} ${"un cavallo, un cane e un gatto; ".repeat(40)}`;
  const session = embedded.open(long, { [MAX_TOKENS]: 20, [TEMPERATURE]: 0 });
  embedded.call("logits", session);
  const snapshot = saved(embedded, session);
  const there = await model.restore(snapshot);
  expect(there.tokens).toEqual(embedded.tokens(session));
  const text = await there.complete([], { maxTokens: 20, temperature: 0 }).text();
  expect(embedded.complete(session).text).toBe(text);
  const back = await there.save();
  expect(back.length).toBeGreaterThan(1 << 20); // it is hashed in pieces of so many bytes
  for (const piece of [1 << 20, 4099]) {
    const again = restored(embedded, back, piece);
    expect(embedded.tokens(again)).toEqual(there.tokens);
    const { text } = embedded.complete(again);
    expect(text).toBe(await (await model.restore(back)).complete([], { maxTokens: 20, temperature: 0 }).text());
    embedded.call("session_close", again);
  }
  embedded.call("session_close", session);
  const damaged = Buffer.from(back);
  damaged[back.length - 100]! ^= 1;
  expect(status(() => restored(embedded, damaged))).toBe(OWN.BAD_SNAPSHOT);
  expect(status(() => restored(embedded, back.subarray(0, -9)))).toBe(OWN.BAD_SNAPSHOT);
  expect(status(() => restored(embedded, new Uint8Array(3)))).toBe(OWN.BAD_SNAPSHOT);
});

test("a file that the host pushes, in pieces", () => {
  const pushed = new Embedded(module);
  pushed.call("initialize");
  const file = readFileSync(join(ROOT, MODELS.Q4_0));
  pushed.call("load_begin", 256, 0, 0n);
  for (let at = 0; at < file.length; at += 333_333) {
    pushed.call("load_push", pushed.write(file.subarray(at, at + 333_333)));
  }
  pushed.call("load_end");
  const session = pushed.open("x".repeat(20), { [MAX_TOKENS]: 1000 });
  const { finish } = pushed.complete(session);
  expect(["stop", "context"]).toContain(FINISH[finish]);
  const hash = pushed.call("model_hash");
  pushed.text("load_path", MODEL, [], [0, 0, 0n]);
  expect(pushed.call("model_hash")).not.toEqual(hash);
  expect(status(() => pushed.next(session))).toBe(OWN.BAD_SESSION);
});

test("every failure is a code and a sentence", () => {
  const fresh = new Embedded(module);
  expect(status(() => fresh.call("load_begin", 0, 0, 0n))).toBe(STATUS.WRONG_STATE);
  fresh.call("initialize");
  expect(status(() => fresh.call("initialize"))).toBe(STATUS.WRONG_STATE);
  expect(status(() => fresh.call("session_open"))).toBe(STATUS.WRONG_STATE);
  expect(status(() => fresh.text("load_path", "no/such/file", [], [0, 0, 0n]))).toBe(OWN.CANNOT_READ);
  expect(status(() => fresh.text("load_path", "../etc/passwd", [], [0, 0, 0n]))).toBe(OWN.CANNOT_READ);
  expect(status(() => fresh.text("load_path", "host", [], [0, 0, 0n]))).toBe(OWN.CANNOT_READ);
  expect(status(() => fresh.text("load_path", "package.json", [], [0, 0, 0n]))).toBe(STATUS.BAD_MAGIC);
  expect(status(() => fresh.text("load_path", MODEL, [], [0, 0, 5_000_000n]))).toBe(STATUS.OVER_BUDGET);
  expect(status(() => fresh.call("info"))).toBe(STATUS.WRONG_STATE);
  fresh.text("load_path", MODEL, [], [64, 0, 0n]);
  expect(status(() => fresh.call("session_close", 77))).toBe(OWN.BAD_SESSION);
  const session = fresh.open("");
  expect(status(() => fresh.call("complete", session))).toBe(STATUS.BAD_OPTION);
  fresh.text("session_append", PROMPT, [session], [0]);
  expect(status(() => fresh.call("next", session))).toBe(OWN.NOT_COMPLETING);
  expect(status(() => fresh.call("session_option", session, TEMPERATURE!, Number.NaN))).toBe(STATUS.BAD_OPTION);
  expect(status(() => fresh.call("session_option", session, TOP_K!, 0.5))).toBe(STATUS.BAD_OPTION);
  expect(status(() => fresh.call("session_option", session, 99, 1))).toBe(STATUS.BAD_OPTION);
  expect(status(() => fresh.call("session_bias", session, 1 << 30, 1))).toBe(STATUS.BAD_TOKEN);
  expect(status(() => fresh.call("session_append", session, 1 << 21, 0))).toBe(OWN.BAD_LENGTH);
  expect(status(() => fresh.text("session_append", "parola ".repeat(99), [session], [0]))).toBe(
    STATUS.CONTEXT_OVERFLOW,
  );
  expect(status(() => fresh.text("session_stop", "a\0b", [session]))).toBe(STATUS.BAD_OPTION);
  expect(status(() => fresh.call("save_next"))).toBe(STATUS.WRONG_STATE);
  expect(status(() => fresh.call("session_truncate", session, 1000))).toBe(OWN.BAD_LENGTH);
  for (let i = 1; i < 64; i++) fresh.call("session_open");
  expect(status(() => fresh.call("session_open"))).toBe(OWN.TOO_MANY);
});
