// Fifty conversations at once on pages for five of them.

import { expect, test } from "vitest";
import type { AdapterUse, GenerateOptions, Session } from "zagreus-edge";
import { assertIdle, type Crowd, crowd, PAGE_BYTES, SYSTEM, turn } from "./crowd";

const SESSIONS = 50;
const TURNS = 3;
const CONTEXT = 192;
const PAGES = 5 * (CONTEXT / 32);
const ROOM = { slots: 2, rank: 16 };
const FORMAT: GenerateOptions["responseFormat"] = { type: "grammar", grammar: 'root ::= [a-z ]+ ("." | "!")' };

/** Some begin alike, some go through an adapter, and none has the others' options. */
function conversation({ model, adapters }: Crowd, i: number): Session {
  const uses: AdapterUse[] = [{ adapter: adapters[i % 2]!, scale: i % 3 === 0 ? 1 : 0.5 }];
  return model.session({ adapters: i % 5 === 0 ? uses : undefined });
}
const said = (i: number, at: number) => (at === 0 ? `${i % 2 === 0 ? SYSTEM : ""}${i}: ` : `E poi, ${at}? `);
const options = (i: number, at: number): GenerateOptions => ({
  seed: 100 * i + at,
  temperature: i % 4 === 0 ? 0 : 0.9,
  maxTokens: 8 + ((7 * i + at) % 17),
  promptLookup: i % 3 === 0,
  logprobs: i % 6 === 0 ? 1 : undefined,
  repetitionPenalty: i % 7 === 0 ? 1.2 : 1,
  responseFormat: i % 10 === 3 ? FORMAT : undefined,
  client: `client ${i % 8}`,
});

/** All that comes of a turn; usage but for what the cache had. */
async function take(session: Session, i: number, at: number) {
  const pieces: unknown[] = [];
  const completion = session.complete(said(i, at), options(i, at));
  for await (const piece of completion) {
    pieces.push(piece);
    if (i % 9 === 0) await turn(); // a slow reader
  }
  const { promptTokens, reusedTokens, prefilledTokens, completionTokens } = completion.usage!;
  expect(reusedTokens + prefilledTokens).toBe(promptTokens);
  return { pieces, reason: completion.finishReason, promptTokens, completionTokens, all: session.tokens };
}

async function talk(session: Session, i: number) {
  const turns: unknown[] = [];
  for (let at = 0; at < TURNS; at++) turns.push(await take(session, i, at));
  return turns;
}

test("every one goes as it does alone, and nothing is left of them", async () => {
  const together = await crowd({
    contextLength: CONTEXT,
    cacheBudget: PAGES * PAGE_BYTES - CONTEXT * (PAGE_BYTES / 32),
    adapters: ROOM,
  });
  const alone = await crowd({ contextLength: CONTEXT, sequences: 1, adapters: ROOM });
  const { model, engine } = together;
  expect(model.info.cacheLength).toBe(32 * PAGES);
  const sessions = Array.from({ length: SESSIONS }, (_, i) => conversation(together, i));
  const transcripts = await Promise.all(sessions.map(talk));
  assertIdle(engine);
  expect(engine.scheduler.preemptions).toBeGreaterThan(0);

  // All together read more than there are pages for, so some have to be run again; a snapshot has what is left.
  const restored = await Promise.all(
    [0, 1, 5, 49].map(async (i) => {
      const snapshot = await sessions[i]!.save();
      const { adapters } = together;
      const uses = i % 5 === 0 ? [{ adapter: adapters[i % 2]!, scale: i % 3 === 0 ? 1 : 0.5 }] : undefined;
      const session = await model.restore(snapshot, { adapters: uses });
      const last = await take(session, i, TURNS);
      session.close();
      return [i, last] as const;
    }),
  );
  for (const session of sessions) session.close();
  assertIdle(engine);
  expect(engine.cache.figures).toMatchObject({ kept: 0, free: 32 * PAGES });

  for (const [i, transcript] of transcripts.entries()) {
    const session = conversation(alone, i);
    expect(transcript).toEqual(await talk(session, i));
    for (const [which, last] of restored) if (which === i) expect(last).toEqual(await take(session, i, TURNS));
    session.close();
  }
  expect(engine.scheduler.recomputedTokens).toBeGreaterThan(0);
  model.close();
  alone.model.close();
});
