// What computes, loaded when something is first asked of a model: load() alone does not need it. Arguments, results and errors are those
// of the functions of the same names.

import type { Piece, ScoredToken } from "../api/api.js";
import { part } from "../api/errors.js";
import type * as constraining from "../engine/constrain.js";
import type * as embedding from "../engine/embed.js";
import type * as generating from "../engine/generate.js";
import type * as scoring from "../engine/score.js";

const scores = () => part(import("../engine/score.js"));

export async function* generate(...asked: Parameters<typeof generating.generate>): AsyncGenerator<Piece> {
  yield* (await part(import("../engine/generate.js"))).generate(...asked);
}

export async function* logitsFrom(...asked: Parameters<typeof scoring.logitsFrom>): AsyncGenerator<Float32Array> {
  yield* (await scores()).logitsFrom(...asked);
}

export async function scoreTokens(...asked: Parameters<typeof scoring.scoreTokens>): Promise<ScoredToken[]> {
  return (await scores()).scoreTokens(...asked);
}

export async function embed(...asked: Parameters<typeof embedding.embed>): Promise<Float32Array> {
  return (await part(import("../engine/embed.js"))).embed(...asked);
}

export async function compileFormat(...asked: Parameters<typeof constraining.compileFormat>): Promise<Uint8Array> {
  return (await part(import("../engine/constrain.js"))).compileFormat(...asked);
}
