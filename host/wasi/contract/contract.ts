// The contract of zagreus.wasm with whoever embeds it, as a C header: functions, codes, options, layouts of results. What an embedder can
// see changes with a new ABI_VERSION only: test/contract.test.ts.

import * as abi from "../../../assembly/layout/abi.js";
import * as gguf from "../../../assembly/layout/gguf.js";
import * as status from "../../../assembly/layout/status.js";
import type { Range } from "../../core/api/check.js";
import { GENERATE } from "../../core/api/options.js";

export const ABI_VERSION = 2;

/** Statuses that the core does not have. */
const OWN_STATUSES: [name: string, value: number, meaning: string][] = [
  ["BAD_SESSION", 80, "no such session is open"],
  ["TOO_MANY_SESSIONS", 81, "ZAGREUS_MAX_SESSIONS are open"],
  ["BAD_LENGTH", 82, "more bytes than the buffer has, or fewer than the call takes"],
  ["CANNOT_READ", 83, "the host does not let the file be read"],
  ["NOT_COMPLETING", 84, "next() without complete(), or behind the end"],
  ["BAD_SNAPSHOT", 85, "damaged, or no snapshot at all"],
  ["FOREIGN_SNAPSHOT", 86, "of another model, KV type or version"],
  ["BAD_GRAMMAR", 87, "damaged, for other tokens, or too ambiguous"],
];

/** Options of a session: their numbers never change. */
const OPTIONS: [field: keyof typeof GENERATE, id: number][] = [
  ["maxTokens", 1],
  ["temperature", 2],
  ["topK", 3],
  ["topP", 4],
  ["minP", 5],
  ["repetitionPenalty", 6],
  ["noRepeatNgram", 7],
];

type Parameter = [type: string, name: string];
const LENGTH: Parameter = ["uint32_t", "length"];
const SESSION: Parameter = ["uint32_t", "session"];
const LOADING: Parameter[] = [
  ["uint32_t", "context"],
  ["uint32_t", "kv_type"],
  ["uint64_t", "memory_budget"],
];

interface Call {
  name: string;
  result?: string;
  parameters?: Parameter[];
  text: string;
}

const CALLS: Record<string, Call[]> = {
  "These four never fail.": [
    { name: "abi", result: "uint32_t", text: "ZAGREUS_ABI of the module." },
    { name: "buffer", result: "uint64_t", text: "Address of the buffer, u8[ZAGREUS_BUFFER_BYTES]: it never moves." },
    { name: "result", result: "uint64_t", text: "Address of what the last call gave." },
    { name: "length", result: "uint64_t", text: "Bytes of it." },
  ],
  "A model. What was loaded before is gone, and all sessions with it.": [
    { name: "initialize", text: "Once, before everything below; not where _start is called." },
    {
      name: "load_path",
      parameters: [LENGTH, ...LOADING],
      text: "Loads the GGUF file whose path is in the buffer, through WASI. context: positions of the KV cache, 0: the model's own, at most 4096; kv_type: ZAGREUS_KV_*; memory_budget: bytes that linear memory may have, 0: no limit.",
    },
    { name: "load_begin", parameters: LOADING, text: "The same for a file that the host reads." },
    {
      name: "load_push",
      parameters: [LENGTH],
      text: "The next bytes of the file, from the buffer, in pieces of any size.",
    },
    { name: "load_end", text: "The file has ended." },
    { name: "info", text: "Gives struct zagreus_info." },
    {
      name: "metadata",
      parameters: [LENGTH],
      text: "The text of the metadata entry whose key is in the buffer: nothing where there is none, and for lists.",
    },
    {
      name: "model_hash",
      text: "Gives a u64 that names weights, shape and vocabulary: all hosts and builds have the same.",
    },
  ],
  "Tokens.": [
    {
      name: "tokenize",
      parameters: [LENGTH, ["uint32_t", "flags"]],
      text: "Gives the u32 ids of the text in the buffer. flags: ZAGREUS_TEXT_*.",
    },
    {
      name: "token",
      parameters: [["uint32_t", "token"]],
      text: "Gives a u32, ZAGREUS_TOKEN_*, and the token's bytes, which may be a part of a character.",
    },
    {
      name: "markers",
      parameters: [["uint32_t", "first"]],
      text: "Control and user-defined tokens from id first on, as many as fit: { id u32, type u32, bytes u32, the bytes }. Nothing: no more.",
    },
  ],
  "Sessions. A session is a sequence of tokens with options. Any number may be in the middle of a completion.": [
    { name: "session_open", text: "Gives a u32, the session." },
    { name: "session_close", parameters: [SESSION], text: "" },
    {
      name: "session_option",
      parameters: [SESSION, ["uint32_t", "option"], ["double", "value"]],
      text: "ZAGREUS_OPTION_*: from the next token on.",
    },
    {
      name: "session_seed",
      parameters: [SESSION, ["uint64_t", "seed"]],
      text: "Of every completion from now on. Without it each has a random one.",
    },
    {
      name: "session_stop",
      parameters: [SESSION, LENGTH],
      text: "Adds a stop string, UTF-8 without zeros, in the buffer; length 0 removes all of them.",
    },
    {
      name: "session_bias",
      parameters: [SESSION, ["uint32_t", "token"], ["double", "bias"]],
      text: "Added to a token's logit, -Infinity bans it, 0 takes it off.",
    },
    {
      name: "session_grammar",
      parameters: [SESSION, LENGTH],
      text: "Completions from now on are texts of the compiled grammar in the buffer (docs/embedding.md); length 0: any texts.",
    },
    {
      name: "session_append",
      parameters: [SESSION, LENGTH, ["uint32_t", "flags"]],
      text: "Adds the tokens of the text in the buffer, behind bos where the session is empty and the model wants it.",
    },
    {
      name: "session_append_tokens",
      parameters: [SESSION, ["uint32_t", "count"]],
      text: "Adds the u32 ids in the buffer.",
    },
    {
      name: "session_truncate",
      parameters: [SESSION, ["uint32_t", "count"]],
      text: "Keeps the first count tokens. Ends a completion.",
    },
    { name: "session_tokens", parameters: [SESSION], text: "Gives the u32 ids, prompt and completions." },
  ],
  "Running.": [
    {
      name: "prefill",
      parameters: [SESSION, ["uint32_t", "most"]],
      text: "Runs at most so many tokens, and gives a u32: how many are left. next() runs them otherwise, all at once.",
    },
    { name: "complete", parameters: [SESSION], text: "Starts a completion of the tokens. Gives a u64, its seed." },
    {
      name: "next",
      parameters: [SESSION],
      text: "Samples a token. Gives struct zagreus_piece, and behind it the text that is certain now: whole characters, nothing of a stop string. When one is found, the session's tokens become those of the text before it.",
    },
    { name: "logits", parameters: [SESSION], text: "Gives f32[vocabulary]: the logits behind the last token." },
  ],
  "Snapshots, which the library for JavaScript writes and reads too.": [
    { name: "save", parameters: [SESSION], text: "Gives a u64, the bytes of the snapshot." },
    { name: "save_next", text: "Gives the next piece of it; nothing: that was all. No other call may come between." },
    { name: "restore", parameters: [SESSION], text: "What is pushed now becomes the session's tokens and KV." },
    {
      name: "restore_push",
      parameters: [LENGTH],
      text: "The next bytes, from the buffer. No other call may come between.",
    },
    { name: "restore_end", text: "Checks all of it." },
  ],
};

/** How the launcher calls the numbers of options: by the names in its RANGES. */
export const optionIds = () => OPTIONS.map(([field, id]) => `OPTION_ID_${snake(field).toLowerCase()} = ${id}`);

/** Names of all functions. */
export const FUNCTIONS = Object.values(CALLS)
  .flat()
  .map(({ name }) => `zagreus_${name}`);

/** The text of zagreus_abi.h. */
export function contractHeader(): string {
  return [
    INTRODUCTION,
    "#pragma once\n\n#include <stdint.h>\n",
    `#define ZAGREUS_ABI ${ABI_VERSION}`,
    constants("", [
      ["BUFFER_BYTES", abi.IO_BYTES],
      ["MAX_SESSIONS", 64],
      ["MAX_STOPS", 64],
      ["MAX_STOP_BYTES", 4096, "of all stop strings of a session"],
      ["MAX_BIASES", abi.MAX_LOGIT_BIAS],
      ["NO_TOKEN", 0xffffffff],
    ]),
    `// Statuses\n${constants("STATUS_", statuses())}`,
    `// KV types\n${constants("KV_", [
      ["INT8", abi.KV_INT8],
      ["F32", abi.KV_F32],
      ["F16", abi.KV_F16],
      ["INT4", abi.KV_INT4],
    ])}`,
    `// Flags of texts\n${constants("TEXT_", TEXT_FLAGS)}`,
    `// Types of tokens\n${constants("TOKEN_", tokenTypes())}`,
    `// Options, their ranges and defaults\n${constants("OPTION_", options())}`,
    `// How a completion ended\n${constants("FINISH_", FINISHES)}`,
    STRUCTS,
    ...Object.entries(CALLS).map(([title, calls]) => `// ${title}\n\n${calls.map(prototype).join("\n")}`),
  ].join("\n");
}

const INTRODUCTION = `// What zagreus.wasm and zagreus-relaxed.wasm export beside the WASI command. Generated by host/wasi/contract/contract.ts.
//
// One rule of ownership: the module owns all memory. A host writes arguments into the buffer, zagreus_buffer(), before a call, and
// reads what the call gave, zagreus_length() bytes at zagreus_result(), before the next one. Nothing is allocated or freed.
//
// A call returns a status: 0, or what went wrong; then the result is a sentence about it, in UTF-8. Numbers are little-endian.
// One instance is one model on one thread; memory may have moved after every call, for hosts that hold a pointer to it.
`;

const TEXT_FLAGS: Constant[] = [
  ["SPECIAL", 1, "control tokens in the text are tokens"],
  ["NO_BOS", 2],
  ["CONTINUES", 4, "zagreus_tokenize(): text stands before, so no bos and no blank of SentencePiece's"],
];

const FINISHES: Constant[] = [
  ["NONE", 0, "it goes on"],
  ["STOP", 1, "a stop string, or a token that ends texts"],
  ["LENGTH", 2, "maxTokens"],
  ["CONTEXT", 3, "the context is full"],
];

const STRUCTS = `struct zagreus_info {
  uint32_t layers, hidden, intermediate, heads, kv_heads, head_size;
  uint32_t vocabulary, trained_context, context, kv_type;
  uint32_t bos, eos; // or ZAGREUS_NO_TOKEN
  uint32_t add_bos;
  uint32_t relaxed; // 1: built with relaxed SIMD
  uint64_t parameters, file_bytes, memory_bytes;
};

struct zagreus_piece {
  uint32_t finish;    // ZAGREUS_FINISH_*
  uint32_t token;     // what the session has more now, or ZAGREUS_NO_TOKEN
  uint32_t end_token; // what ended the text and is none of the session's, or ZAGREUS_NO_TOKEN
};
`;

type Constant = [name: string, value: number, meaning?: string];

function constants(prefix: string, list: readonly Constant[]): string {
  const lines = list.map(([name, value, meaning]) => {
    return `#define ZAGREUS_${prefix}${name} ${value > 0x7fffffff ? `${value}u` : value}${meaning ? ` // ${meaning}` : ""}`;
  });
  return `${lines.join("\n")}\n`;
}

function statuses(): Constant[] {
  const successes = ["NEED_BYTES", "HEADER_READY", "LOADED", "FIRST_ERROR"]; // no embedder sees them
  const core = Object.entries<number>(status).filter(([name]) => !successes.includes(name));
  return [...core, ...OWN_STATUSES].sort((a, b) => a[1] - b[1]) as Constant[];
}

function tokenTypes(): Constant[] {
  const types = Object.entries<unknown>(gguf).filter(
    ([name, value]) => /^TOKEN_[A-Z_]+$/.test(name) && typeof value === "number",
  );
  return types.map(([name, value]) => [name.slice(6), value] as Constant).sort((a, b) => a[1] - b[1]);
}

function options(): Constant[] {
  return OPTIONS.map(([field, id]) => {
    const { min, max, default: initial, isInteger } = (GENERATE[field] as { range: Range }).range;
    const most = Number.isFinite(max) && max > 0 ? max : "the vocabulary";
    return [snake(field), id, `${isInteger ? "an integer" : "a number"}, ${min} to ${most}; ${initial}`] as Constant;
  });
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

function prototype({ name, result = "int32_t", parameters = [], text }: Call): string {
  const list = parameters.map((parameter) => parameter.join(" ")).join(", ") || "void";
  const comment = text ? `/** ${wrapped(text)} */\n` : "";
  return `${comment}${result} zagreus_${name}(${list});\n`;
}

/** Lines of at most 110 characters. */
const wrapped = (text: string) => text.replace(/(.{1,110})(?: |$)/g, "$1\n * ").replace(/\n \* $/, "");
