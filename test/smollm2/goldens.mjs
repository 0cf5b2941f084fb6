// What llama.cpp says of SmolLM2 (test/fixtures/README.md): conversations, texts with their ids, and logits.

import { readFileSync } from "node:fs";

const read = (path) => JSON.parse(readFileSync(new URL(`../fixtures/${path}`, import.meta.url), "utf8"));

/** Of { messages, rendered, tokens, greedy, greedyGap, end, text }. */
export const CHATS = read("chat/smollm2.json").cases;
/** Of { text, special, ids }. */
export const { texts: TEXTS } = read("smollm2/tokenizer.json");
/** Of { prompt, tokens, positions: [{ at, top: [token, log-probability][] }] }. */
export const LOGITS = read("smollm2/logits.json").cases;
/** Of { prompt, tokens, gaps, f16 }: greedy texts, and the same with an f16 KV cache. */
export const { texts: GREEDY } = read("smollm2/greedy.json");
/** Those that every host answers. */
export const FEW_CHATS = CHATS.filter((_, i) => i % 4 === 0);
