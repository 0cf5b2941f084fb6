// What people are told of the models that short names stand for: the family (https://github.com/mii-llm/zagreus-nesso-slm), and a small
// one of another maker to try things with.

import { SHORT_NAMES } from "../../hub.js";

export interface FamilyModel {
  name: string;
  repository: string;
  languages: string;
  /** What it is for. */
  purpose: string;
  /** Whether it answers; a base model continues texts. */
  chats: boolean;
  /** Bytes of the Q4_0 file that is made, and of the safetensors that are downloaded for it. */
  bytes: { q4_0: number; safetensors: number };
}

/** All of the family have 0.44 billion parameters. */
const FAMILY_BYTES = { q4_0: 255e6, safetensors: 876e6 };
const OTHER_BYTES: Readonly<Record<string, FamilyModel["bytes"]>> = { smollm2: { q4_0: 78e6, safetensors: 269e6 } };

/** The name of the model that comes with the package. */
export const BUNDLED = "zagreus-nano";

const ABOUT: [name: string, languages: string, purpose: string, chats: boolean][] = [
  ["nesso-instruct", "Italian, English", "conversation and instructions", true],
  ["nesso2-agentic", "Italian, English", "tools and JSON, a context of 32,768 tokens", true],
  ["nesso-agentic", "Italian, English", "tools and JSON", true],
  ["open-zagreus", "Italian, English", "conversation, made of open data", true],
  ["zagreus-ita", "Italian, English", "base model: continues texts", false],
  ["zagreus-spa", "Spanish, English", "base model: continues texts", false],
  ["zagreus-por", "Portuguese, English", "base model: continues texts", false],
  ["zagreus-fra", "French, English", "base model: continues texts", false],
  ["smollm2", "English", "conversation, small, to try things with", true],
];

export const FAMILY: readonly FamilyModel[] = ABOUT.map(([name, languages, purpose, chats]) => ({
  name,
  repository: SHORT_NAMES[name]!,
  languages,
  purpose,
  chats,
  bytes: OTHER_BYTES[name] ?? FAMILY_BYTES,
}));

/** How a repository is called with -m. */
export function idOf(repository: string): string {
  return FAMILY.find((member) => member.repository === repository)?.name ?? `hf:${repository}`;
}
