// tokenizer.json (huggingface/tokenizers), tokenizer.model and their neighbours to tokenizer.ggml.* of GGUF. Only what the core can do is
// taken: byte-level BPE behind a pre-tokenizer of layout/splitters.ts, and SentencePiece's BPE.

import {
  MAX_STRING_BYTES,
  MAX_VOCABULARY,
  TOKEN_CONTROL,
  TOKEN_NORMAL,
  TOKEN_UNKNOWN,
  TOKEN_UNUSED,
  TOKEN_USER_DEFINED,
} from "../../assembly/layout/gguf.js";
import { ZagreusError } from "../../host/core/api/errors.js";
import { badValue, Fields, isObject } from "../../host/core/api/json.js";
import { END_KEYS, END_TOKENS, MAX_MORE_ENDS, MORE_ENDS_KEY } from "../../host/core/api/names.js";
import type { Directory, MetadataValue } from "../checkpoint/checkpoint.js";
import { bool, f32s, i32s, type Metadata, text, texts, u32, u32s } from "../checkpoint/metadata.js";
import { readFields, readText } from "./json_file.js";
import { check, readPreTokenizer } from "./pre_tokenizer.js";
import { fromModel, fromTokenizer, isSentencePiece, type Vocabulary } from "./sentencepiece.js";
import { readSentencePiece, SENTENCEPIECE } from "./sentencepiece_model.js";

const TOKENIZER = "tokenizer.json";
const TOKENIZER_CONFIG = "tokenizer_config.json";
const CHAT_TEMPLATE = "chat_template.jinja";
const MORE_TEMPLATES = /^additional_chat_templates\/([^/]+)\.jinja$/;
const DEFAULT = "default";

type NamedTemplate = { name: string; template: string };

/** Special ids as the model's configuration names them; the tokenizer's own files come first. */
export interface SpecialIds {
  bos?: number | undefined;
  /** All that end a text, the usual one first. */
  ends: readonly number[];
  pad?: number | undefined;
}

/**
 * tokenizer.* metadata from tokenizer.json or tokenizer.model, tokenizer_config.json and chat_template.jinja of a folder; the latter two
 * may be absent.
 * @param vocabulary rows of the embedding; ids without a token become "[PAD<id>]", unused, as in llama.cpp's conversion
 * @throws ZagreusError SOURCE_FAILED, BAD_JSON, MISSING_KEY, BAD_VALUE, BAD_VOCABULARY, UNSUPPORTED_TOKENIZER
 */
export async function readTokenizer(directory: Directory, vocabulary: number, ids: SpecialIds): Promise<Metadata> {
  const model = (await directory.has(SENTENCEPIECE)) && !(await directory.has(TOKENIZER));
  const tokenizer = model ? undefined : await readFields(directory, TOKENIZER);
  const config = (await directory.has(TOKENIZER_CONFIG))
    ? await readFields(directory, TOKENIZER_CONFIG)
    : new Fields(TOKENIZER_CONFIG, {});
  const files = await templateFiles(directory);

  const { list, metadata } = await readTokens(directory, tokenizer, config, vocabulary);
  const bos = specialId(config, "bos", list.tokens, ids.bos);
  const pad = specialId(config, "pad", list.tokens, ids.pad);
  if (bos !== undefined) metadata.set("tokenizer.ggml.bos_token_id", u32(bos));
  for (const [key, value] of endKeys(ids.ends, specialId(config, "eos", list.tokens, ids.ends[0]), list)) {
    metadata.set(key, value);
  }
  if (pad !== undefined) metadata.set("tokenizer.ggml.padding_token_id", u32(pad));
  const usual = tokenizer ? bos !== undefined && firstToken(tokenizer) === list.tokens[bos] : true;
  metadata.set("tokenizer.ggml.add_bos_token", bool(bos !== undefined && config.boolean("add_bos_token", usual)));
  for (const [key, value] of chatTemplates(config, files)) metadata.set(key, value);
  return metadata;
}

/** The tokens, and what says how texts become them. */
async function readTokens(
  directory: Directory,
  tokenizer: Fields | undefined,
  config: Fields,
  vocabulary: number,
): Promise<{ list: Vocabulary; metadata: Metadata }> {
  if (tokenizer && !isSentencePiece(tokenizer)) {
    checkByteLevel(tokenizer);
    const pre = readPreTokenizer(tokenizer);
    const list = readVocabulary(tokenizer, vocabulary);
    const merges = readMerges(tokenizer.object("model"));
    return { list, metadata: new Map([...tokenKeys("gpt2", pre, list), ["tokenizer.ggml.merges", texts(merges)]]) };
  }
  const model = (await directory.has(SENTENCEPIECE)) ? await readSentencePiece(directory) : undefined;
  const list = tokenizer
    ? fromTokenizer(tokenizer, readVocabulary(tokenizer, vocabulary), readMerges(tokenizer.object("model")), model)
    : fromModel(model!, Math.min(vocabulary, MAX_VOCABULARY), addedTokens(config));
  const metadata: Metadata = new Map([
    ...tokenKeys("llama", "default", list),
    ["tokenizer.ggml.scores", f32s(list.scores)],
    ["tokenizer.ggml.add_space_prefix", bool(config.boolean("add_prefix_space", list.blankFirst))],
  ]);
  const unknown = list.types.indexOf(TOKEN_UNKNOWN);
  if (unknown >= 0) metadata.set("tokenizer.ggml.unknown_token_id", u32(unknown));
  return { list, metadata };
}

function tokenKeys(model: string, pre: string, { tokens, types }: Vocabulary): [string, MetadataValue][] {
  return [
    ["tokenizer.ggml.model", text(model)],
    ["tokenizer.ggml.pre", text(pre)],
    ["tokenizer.ggml.tokens", texts(tokens)],
    ["tokenizer.ggml.token_type", i32s(types)],
  ];
}

/** `added_tokens_decoder` of tokenizer_config.json. */
function addedTokens(config: Fields): Map<number, { token: string; special: boolean }> {
  const added = new Map<number, { token: string; special: boolean }>();
  const values = config.has("added_tokens_decoder") ? config.object("added_tokens_decoder").values : {};
  for (const [id, value] of Object.entries(values)) {
    if (!isObject(value) || typeof value.content !== "string")
      throw config.bad("added_tokens_decoder", value, "a token");
    added.set(Number(id), { token: value.content, special: value.special === true || looksSpecial(value.content) });
  }
  return added;
}

/** @throws ZagreusError UNSUPPORTED_TOKENIZER when it is not BPE over bytes */
function checkByteLevel(tokenizer: Fields): void {
  const model = tokenizer.object("model");
  check("model.type", model.get("type"), "BPE");
  check("model.continuing_subword_prefix", model.get("continuing_subword_prefix") || null, null);
  check("model.end_of_word_suffix", model.get("end_of_word_suffix") || null, null);
  check("normalizer", tokenizer.get("normalizer") ?? null, null);
}

function badVocabulary(field: string, value: unknown, reason: string): ZagreusError {
  const shown = JSON.stringify(value)?.slice(0, 120);
  return new ZagreusError("BAD_VOCABULARY", `${TOKENIZER}: "${field}": ${shown} ${reason}`, { field, value });
}

/**
 * The keys of the tokens that end a text. eos is the usual one. llama.cpp stops at eot and eom too, and at control tokens with a known
 * name, which therefore need no key; whatever is left stands under a key that only zagreus-edge reads.
 * @throws ZagreusError BAD_VALUE for too many
 */
function endKeys(
  ids: readonly number[],
  eos: number | undefined,
  { tokens, types }: Vocabulary,
): [string, MetadataValue][] {
  const isKnown = (id: number) => types[id] === TOKEN_CONTROL && END_TOKENS.includes(tokens[id]!);
  const unknown = [...new Set(ids)].filter((id) => id !== eos && !isKnown(id));
  const ends = eos === undefined ? unknown : [eos, ...unknown];
  const more = ends.slice(END_KEYS.length);
  if (more.length > MAX_MORE_ENDS) {
    throw badValue("config.json", "eos_token_id", ids, `at most ${END_KEYS.length + MAX_MORE_ENDS} ids`);
  }
  const single = END_KEYS.slice(0, ends.length).map((key, i): [string, MetadataValue] => [key, u32(ends[i]!)]);
  return more.length > 0 ? [...single, [MORE_ENDS_KEY, u32s(more)]] : single;
}

function readVocabulary(tokenizer: Fields, vocabulary: number): Vocabulary {
  const { values } = tokenizer.object("model").object("vocab");
  const tokens = new Array<string | undefined>(Math.min(vocabulary, MAX_VOCABULARY)).fill(undefined);
  const types = new Array<number>(tokens.length).fill(TOKEN_UNUSED);
  const place = (field: string, id: unknown, token: string, type: number) => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= tokens.length) {
      throw badVocabulary(field, token, `has the id ${JSON.stringify(id)}, must be 0 to ${tokens.length - 1}`);
    }
    const known = tokens[id as number];
    if (known !== undefined && known !== token) {
      throw badVocabulary(field, token, `has the id ${id} of ${JSON.stringify(known)}`);
    }
    tokens[id as number] = token;
    types[id as number] = type;
  };
  for (const token of Object.keys(values)) place("model.vocab", values[token], token, TOKEN_NORMAL);
  for (const added of tokenizer.has("added_tokens") ? tokenizer.array("added_tokens") : []) {
    if (!isObject(added) || typeof added.content !== "string") {
      throw badVocabulary("added_tokens", added, "has no content");
    }
    const control = added.special === true || looksSpecial(added.content);
    place("added_tokens", added.id, added.content, control ? TOKEN_CONTROL : TOKEN_USER_DEFINED);
  }
  return { tokens: tokens.map((token, id) => token ?? `[PAD${id}]`), types };
}

/** As llama.cpp's conversion judges added tokens that are not marked as special. */
function looksSpecial(token: string): boolean {
  return (token.startsWith("<|") && token.endsWith("|>")) || token === "<pad>" || token === "<mask>";
}

/** Merges as "left right": the form of GGUF and of older files; newer files have pairs. */
function readMerges(model: Fields): string[] {
  return model.array("merges").map((merge) => {
    const parts = typeof merge === "string" ? merge.split(" ") : merge;
    const valid =
      Array.isArray(parts) &&
      parts.length === 2 &&
      parts.every((part) => typeof part === "string" && part.length > 0 && !part.includes(" "));
    if (!valid) throw badVocabulary("model.merges", merge, "is not a pair of tokens");
    return typeof merge === "string" ? merge : parts.join(" ");
  });
}

/** The id of a special token; tokenizer_config.json names it by its text, or by an object with its text. */
function specialId(config: Fields, kind: string, tokens: string[], otherwise: number | undefined): number | undefined {
  const key = `${kind}_token`;
  const named = config.get(key);
  if (named === undefined) return otherwise;
  const content = isObject(named) ? named.content : named;
  const id = typeof content === "string" ? tokens.indexOf(content) : -1;
  if (id < 0) throw config.bad(key, content, `a token of ${TOKENIZER}`);
  return id;
}

/** What the post-processor puts before a text, if it is a template. */
function firstToken(tokenizer: Fields): string | undefined {
  const processor = tokenizer.get("post_processor");
  if (!isObject(processor)) return undefined;
  const steps = Array.isArray(processor.processors) ? processor.processors.filter(isObject) : [processor];
  const template = steps.find(({ type }) => type === "TemplateProcessing");
  const first: unknown = Array.isArray(template?.single) ? template.single[0] : undefined;
  const special = isObject(first) ? first.SpecialToken : undefined;
  return isObject(special) && typeof special.id === "string" ? special.id : undefined;
}

/** Templates in files of their own: chat_template.jinja is the default, others are named by their files. */
async function templateFiles(directory: Directory): Promise<NamedTemplate[]> {
  const files: NamedTemplate[] = [];
  if (await directory.has(CHAT_TEMPLATE)) {
    files.push({ name: DEFAULT, template: await readText(directory, CHAT_TEMPLATE) });
  }
  for (const path of await directory.list()) {
    const name = MORE_TEMPLATES.exec(path)?.[1];
    if (name !== undefined) files.push({ name, template: await readText(directory, path) });
  }
  return files;
}

/** tokenizer_config.json has one template or a list of named ones; files stand above both, as for transformers. */
function chatTemplates(config: Fields, files: readonly NamedTemplate[]): [string, MetadataValue][] {
  const value = config.get("chat_template") ?? [];
  const configured = Array.isArray(value) ? value : [{ name: DEFAULT, template: value }];
  const templates = new Map<string, string>();
  for (const item of files.length > 0 ? files : configured) {
    if (!isObject(item) || typeof item.name !== "string") {
      throw config.bad("chat_template", item, "a template, or a list of { name, template }");
    }
    const { name, template } = item;
    if (typeof template !== "string" || template.length > MAX_STRING_BYTES) {
      throw config.bad("chat_template", template, "a template");
    }
    templates.set(name, template);
  }
  const names = [...templates.keys()].filter((name) => name !== DEFAULT);
  const key = (name: string) => (name === DEFAULT ? "tokenizer.chat_template" : `tokenizer.chat_template.${name}`);
  const list: [string, MetadataValue][] = names.length > 0 ? [["tokenizer.chat_templates", texts(names)]] : [];
  return [...list, ...[...templates].map(([name, template]): [string, MetadataValue] => [key(name), text(template)])];
}
