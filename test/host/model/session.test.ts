import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GenerateOptions, load, type Model, type Piece, type Session } from "zagreus-edge";
import { bits, caught, GREEDY, loadNano, PROMPT } from "../../support/nano";

const MORE = ". Un giorno la regina";
const SAMPLED: GenerateOptions = { maxTokens: 12, seed: 5, logprobs: 3 };

let model: Model;
beforeAll(async () => {
  model = await loadNano();
});
afterAll(() => model.close());

async function pieces(session: Session, prompt: string, options: GenerateOptions = SAMPLED): Promise<Piece[]> {
  const list: Piece[] = [];
  for await (const piece of session.complete(prompt, options)) list.push(piece);
  return list;
}

test("a session runs only what is new", async () => {
  const session = model.session();
  await pieces(session, PROMPT);
  const before = session.tokens.length;
  expect(before).toBe(9 + 12);
  const completion = session.complete(MORE, SAMPLED);
  await completion.text();
  const added = model.tokenize(MORE, { bos: false }).length;
  // The last token of the first call was never run.
  expect(completion.usage).toMatchObject({ promptTokens: before + added, prefilledTokens: added + 1 });
});

test("a session says what one long prompt would", async () => {
  const session = model.session();
  const first = await pieces(session, PROMPT);
  const second = await pieces(session, MORE);
  const fresh = await loadNano();
  const prompt = [
    ...fresh.tokenize(PROMPT),
    ...first.map((piece) => piece.token),
    ...fresh.tokenize(MORE, { bos: false }),
  ];
  const whole: Piece[] = [];
  for await (const piece of fresh.complete(prompt, SAMPLED)) whole.push(piece);
  expect(second).toEqual(whole); // log-probabilities to the bit
  fresh.close();
});

test("sessions that take turns do not notice each other, and never run a token twice", async () => {
  const alone = model.session();
  const expected = [await pieces(alone, PROMPT), await pieces(alone, MORE), await pieces(alone, MORE)];
  const [a, b] = [model.session(), model.session()];
  for (const [i, prompt] of [PROMPT, MORE, MORE].entries()) {
    for (const session of [a, b]) {
      const before = session.tokens.length;
      const completion = session.complete(prompt, SAMPLED);
      const list: Piece[] = [];
      for await (const piece of completion) list.push(piece);
      expect(list).toEqual(expected[i]);
      if (i > 0) expect(completion.usage?.reusedTokens).toBeGreaterThanOrEqual(before - 1); // b also finds what a said
    }
    await model.complete("Once upon a time", { maxTokens: 3 }).text();
  }
});

test.each(["int8", "f16", "f32"] as const)(
  "a restored session (%s) continues with the same tokens and bit-equal logits",
  async (kvType) => {
    const first = await loadNano({ kvType });
    const session = first.session();
    await pieces(session, PROMPT);
    const snapshot = await session.save();
    const expected = await pieces(session, MORE);
    const logits = bits(await first.logits(session.tokens));

    const second = await loadNano({ kvType });
    const restored = await second.restore(snapshot);
    const completion = restored.complete(MORE, SAMPLED);
    const continued: Piece[] = [];
    for await (const piece of completion) continued.push(piece);
    expect(continued).toEqual(expected);
    expect(restored.tokens).toEqual(session.tokens);
    expect(completion.usage?.prefilledTokens).toBe(1 + second.tokenize(MORE, { bos: false }).length);
    expect(bits(await second.logits(restored.tokens))).toEqual(logits);
    expect(await (await second.restore(snapshot)).save()).toEqual(snapshot);
    first.close();
    second.close();
  },
);

test("a snapshot is the same wherever the session's bytes are", async () => {
  const session = model.session();
  await pieces(session, PROMPT);
  const inCache = await session.save();
  await model.complete("Once upon a time", { maxTokens: 3 }).text();
  expect(await session.save()).toEqual(inCache);
});

test("an empty session saves and restores", async () => {
  const snapshot = await model.session().save();
  const restored = await model.restore(snapshot);
  expect(restored.tokens).toEqual([]);
  expect((await pieces(restored, PROMPT)).length).toBe(12);
});

test("a damaged snapshot is BAD_SNAPSHOT, whichever byte it is", async () => {
  const session = model.session();
  await pieces(session, PROMPT);
  const snapshot = await session.save();
  const damaged = { code: "BAD_SNAPSHOT" };
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.nat(120),
        fc.nat(snapshot.length - 1),
        fc.nat(8).map((i) => snapshot.length - 1 - i),
      ),
      fc.integer({ min: 1, max: 255 }),
      async (at, flip) => {
        const bytes = snapshot.slice();
        bytes[at % bytes.length]! ^= flip;
        expect(await caught(model.restore(bytes))).toMatchObject(damaged);
      },
    ),
    { numRuns: 300 },
  );
  for (const length of [0, 4, 47, 56, 100, snapshot.length - 1]) {
    expect(await caught(model.restore(snapshot.slice(0, length)))).toMatchObject(damaged);
  }
  const longer = new Uint8Array(snapshot.length + 8);
  longer.set(snapshot);
  expect(await caught(model.restore(longer))).toMatchObject(damaged);
  expect(await caught(model.restore("bytes" as never))).toMatchObject({ code: "INVALID_OPTION" });
});

test("a foreign snapshot is FOREIGN_SNAPSHOT, one too long CONTEXT_OVERFLOW", async () => {
  const session = model.session();
  await pieces(session, PROMPT);
  const snapshot = await session.save();
  const f32 = await loadNano({ kvType: "f32" });
  expect(await caught(f32.restore(snapshot))).toMatchObject({ code: "FOREIGN_SNAPSHOT", field: "KV type" });
  f32.close();
  const other = await load(new URL("../../fixtures/models/zagreus-nano-Q4_0.gguf", import.meta.url));
  expect(await caught(other.restore(snapshot))).toMatchObject({ code: "FOREIGN_SNAPSHOT", field: "model hash" });
  other.close();
  const short = await loadNano({ contextLength: 16 });
  expect(await caught(short.restore(snapshot))).toMatchObject({ code: "CONTEXT_OVERFLOW", value: 21, expected: 16 });
  short.close();
  const longer = await loadNano({ contextLength: 32 }); // another context length is no other model
  expect((await longer.restore(snapshot)).tokens).toEqual(session.tokens);
  longer.close();
});

test("a stop string and what follows it are not part of the session", async () => {
  const plain = model.session();
  const text = (await pieces(plain, PROMPT, { ...GREEDY, maxTokens: 24 })).map((piece) => piece.text).join("");
  for (let start = 1; start < text.length - 4; start += 3) {
    const stop = text.slice(start, start + 4);
    const session = model.session();
    const shown = await session.complete(PROMPT, { ...GREEDY, maxTokens: 24, stop }).text();
    expect(model.detokenize(session.tokens)).toBe(PROMPT + shown);
  }
});

test("an aborted call leaves the session as it was before its first token", async () => {
  const session = model.session();
  await pieces(session, PROMPT);
  const before = session.tokens;
  expect(await caught(session.complete(MORE, { signal: AbortSignal.abort() }).text())).toMatchObject({
    code: "ABORTED",
  });
  expect(session.tokens).toEqual(before);
  const long = model.detokenize(Array.from({ length: 600 }, () => 300));
  expect(await caught(session.complete(long).text())).toMatchObject({ code: "CONTEXT_OVERFLOW" });
  expect(session.tokens).toEqual(before);
});

test("leaving the loop keeps what was said", async () => {
  const session = model.session();
  let said = "";
  for await (const piece of session.complete(PROMPT, GREEDY)) {
    said += piece.text;
    if (said.length > 10) break;
  }
  expect(model.detokenize(session.tokens)).toBe(PROMPT + said);
  const continued = await session.complete("", { ...GREEDY, maxTokens: 4 }).text();
  const whole = await model.complete(PROMPT, { ...GREEDY, maxTokens: session.tokens.length - 9 }).text();
  expect(said + continued).toBe(whole);
});

test("calls to one session wait for each other", async () => {
  const session = model.session();
  const [first, second] = [session.complete(PROMPT, GREEDY), session.complete(MORE, { ...GREEDY, maxTokens: 4 })];
  const [text, more] = await Promise.all([first.text(), second.text()]);
  expect(model.detokenize(session.tokens)).toBe(PROMPT + text + MORE + more);
});

test("a closed session", async () => {
  const session = model.session();
  await pieces(session, PROMPT);
  const running = session.complete(MORE)[Symbol.asyncIterator]();
  await running.next();
  session.close();
  session.close();
  expect(session.tokens).toEqual([]);
  for (const run of [() => running.next(), () => session.complete("a"), () => session.save()]) {
    expect(await caught(run)).toMatchObject({ code: "CLOSED", message: "the session is closed" });
  }
  expect(await model.complete(PROMPT, { maxTokens: 1 }).text()).not.toBe("");
});
