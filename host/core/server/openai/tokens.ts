// POST /tokenize and /detokenize, as llama-server has them.

import { once, type RequestJob } from "./generation.js";
import { checkIds, type DetokenizeBody, type TokenizeBody } from "./schemas.js";

/** {tokens}, with `with_pieces` as {id, piece}; a piece that is a part of a character is null. */
export async function tokenize(job: RequestJob<TokenizeBody>): Promise<object> {
  const { served, request } = job;
  const { content, prompt, add_special = false, parse_special = true } = request;
  return once(job, async () => {
    const bos = add_special ? undefined : false; // where the model's file wants it
    const tokens = await served.tokenize(content ?? prompt ?? "", { special: parse_special, bos });
    if (!request.with_pieces) return { tokens };
    const pieces = await Promise.all(
      tokens.map(async (id) => {
        const { name } = await served.tokenText(id);
        return { id, piece: name.includes("\ufffd") ? null : name };
      }),
    );
    return { tokens: pieces };
  });
}

/** {content}, with control tokens written out. */
export async function detokenize(job: RequestJob<DetokenizeBody>): Promise<object> {
  const { served, request } = job;
  return once(job, async () => {
    checkIds("tokens", request.tokens, served.info.vocabulary);
    return { content: await served.model.detokenize(request.tokens, { special: true, continues: true }) };
  });
}
