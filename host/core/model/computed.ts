// What computes, loaded when something is first asked of a model: load() alone does not need it.

import type { ChatFinishReason, Piece, ScoredToken } from "../api/api.js";
import { part } from "../api/errors.js";
import type { Embedding, Scoring } from "../api/options.js";
import type { GenerationRecord } from "../engine/completion.js";
import type { Engine } from "../engine/engine.js";
import type { GenerationJob } from "../engine/generate.js";

const scores = () => part(import("../engine/score.js"));

/** Does a job. What it takes is loaded when the pieces are asked for. @throws as engine/generate.ts does */
export async function* generate(
  engine: Engine,
  job: GenerationJob,
  record: GenerationRecord<ChatFinishReason>,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  yield* (await part(import("../engine/generate.js"))).generate(engine, job, record, signal);
}

/** As engine/score.ts does. */
export async function* logitsFrom(
  engine: Engine,
  tokens: readonly number[],
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array> {
  yield* (await scores()).logitsFrom(engine, tokens, from, signal);
}

/** As engine/score.ts does. */
export async function scoreTokens(engine: Engine, tokens: readonly number[], options: Scoring): Promise<ScoredToken[]> {
  return (await scores()).scoreTokens(engine, tokens, options);
}

/** As engine/embed.ts does. */
export async function embed(
  engine: Engine,
  sequence: () => readonly number[],
  options: Embedding,
): Promise<Float32Array> {
  return (await part(import("../engine/embed.js"))).embed(engine, sequence, options);
}
