// POST /tokenize and /detokenize.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server } from "zagreus-edge/server";
import { loadNano } from "../../support/nano";
import { ask, refusal } from "./harness";

const TEXT = "Ciao <|im_start|> perché 🦊\n";
let model: Model;
let server: Server;
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model, { maxQueue: 2 });
});
afterAll(() => model.close());

test("there and back, as llama-server has it", async () => {
  const { tokens, ...rest } = await ask(server, "/tokenize", { content: TEXT });
  expect(rest).toEqual({});
  expect(tokens).toEqual(model.tokenize(TEXT, { special: true, bos: false }));
  expect(await ask(server, "/detokenize", { tokens })).toEqual({ content: TEXT });
  expect(await ask(server, "/detokenize", { tokens: [] })).toEqual({ content: "" });
  expect(await ask(server, "/tokenize", { content: "" })).toEqual({ tokens: [] });
});

test("its options", async () => {
  const of = async (more: object) => (await ask(server, "/tokenize", { content: TEXT, ...more })).tokens;
  expect(await of({ parse_special: false })).toEqual(model.tokenize(TEXT, { bos: false }));
  expect(await of({ add_special: true })).toEqual(model.tokenize(TEXT, { special: true }));
  const pieces = await of({ with_pieces: true });
  expect(pieces.map(({ id }: { id: number }) => id)).toEqual(await of({}));
  for (const { id, piece } of pieces) {
    const text = model.detokenize([id], { special: true, continues: true });
    expect(piece).toBe(text.includes("\ufffd") ? null : text);
  }
  expect(pieces.map(({ piece }: { piece: string | null }) => piece)).toContain(null); // the fox is several tokens
});

test.each([
  ["/tokenize", "content", {}],
  ["/tokenize", "content", { content: ["a"] }],
  ["/tokenize", "model", { content: "a", model: 1 }],
  ["/detokenize", "tokens", {}],
  ["/detokenize", "tokens", { tokens: "a" }],
  ["/detokenize", "tokens[1]", { tokens: [1, 0.5] }],
  ["/detokenize", "tokens[1]", { tokens: [1, 8192] }],
  ["/detokenize", "tokens[0]", { tokens: [-1] }],
])("%s: a bad %s is refused", async (path, param, body) => {
  expect(await refusal(server, path, body)).toMatchObject({ status: 400, param });
});
