// POST /v1/embeddings

import { badRequest } from "../http/errors.js";
import type { Texts } from "../served/backlog.js";
import { admitted, type RequestJob } from "./generation.js";
import { tokensOf } from "./measure.js";
import type { EmbeddingBody } from "./schemas.js";
import { sideBySide } from "./side_by_side.js";

const CHUNK = 8192;

/** Answers /v1/embeddings. */
export async function embeddings(job: RequestJob<EmbeddingBody>): Promise<object> {
  const { served, request, metrics, call } = job;
  const data: object[] = [];
  let promptTokens = 0;
  for await (const { index, tokens, vector } of admitted(job, () => plan(job))) {
    promptTokens += tokens;
    const embedding = encode(vector, request.encoding_format);
    data[index] = { object: "embedding", index, embedding };
  }
  const counts = { promptTokens, reusedTokens: 0, completionTokens: 0 };
  metrics.tokens(served.name, counts);
  call.figures.count(counts);
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  return { object: "list", data, model: job.model, usage };
}

function plan({ served, adapters, request, call, cacheSalt }: RequestJob<EmbeddingBody>) {
  const { client, signal } = call;
  const texts = [request.input].flat() as string[];
  if (texts.includes("")) throw badRequest("input: a text is empty", "input");
  const run = async function* (text: string, index: number, begun: Texts["begun"]) {
    const tokens = await served.tokenize(text);
    const vector = await served.pulse.during(served.model.embed(tokens, { adapters, client, cacheSalt, signal }));
    begun(index); // it does not say earlier
    yield { index, tokens: tokens.length, vector };
  };
  return {
    demand: { texts: texts.length, param: "input", measure: () => tokensOf(served, texts) },
    work: ({ begun }: Texts) => sideBySide(texts.map((text, index) => () => run(text, index, begun))),
  };
}

/** A list of numbers, or base64 of f32, little-endian. */
function encode(vector: Float32Array, format: EmbeddingBody["encoding_format"] = "float"): number[] | string {
  if (format === "float") return Array.from(vector);
  const bytes = new Uint8Array(4 * vector.length);
  const view = new DataView(bytes.buffer);
  vector.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  let characters = "";
  for (let at = 0; at < bytes.length; at += CHUNK) characters += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(characters);
}
