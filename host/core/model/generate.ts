// The generator, loaded when the first completion is read: load() alone does not need it.

import type { ChatFinishReason, Piece } from "../api/api.js";
import { part } from "../api/errors.js";
import type { GenerationRecord } from "../engine/completion.js";
import type { Engine } from "../engine/engine.js";
import type { GenerationJob } from "../engine/generate.js";

/** Does a job. What it takes is loaded when the pieces are asked for. @throws as engine/generate.ts does */
export async function* generate(
  engine: Engine,
  job: GenerationJob,
  record: GenerationRecord<ChatFinishReason>,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  yield* (await part(import("../engine/generate.js"))).generate(engine, job, record, signal);
}
