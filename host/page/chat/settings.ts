// What people have set, kept for the next time.

import type { SamplingDefaults } from "../../core/api/api.js";
import type { ReplyOptions } from "../model/backend.js";
import { type Language, preferred } from "../text/say.js";

export interface Settings {
  language: Language;
  theme: "system" | "light" | "dark";
  system: string;
  /** As they were typed; empty: the model's own. */
  sampling: Readonly<Record<SamplingName, string>>;
  /** Whether the page's own tools are there. */
  tools: boolean;
  /** Whether a reply begins with a call. */
  mustCall: boolean;
  servers: readonly KeptServer[];
  schema: boolean;
  schemaText: string;
  /** Whether replies are read aloud. */
  aloud: boolean;
}

/** An MCP server, and the names of its tools that are not wanted. */
export interface KeptServer {
  url: string;
  off: readonly string[];
  /** Whether it comes with the server of the page. */
  own?: boolean;
}

export const SAMPLING = ["temperature", "topP", "topK", "minP", "repetitionPenalty", "maxTokens", "seed"] as const;
export type SamplingName = (typeof SAMPLING)[number];

/** What the fields take. */
export const RANGES: Record<SamplingName, { min: number; max?: number; step: number | "any" }> = {
  temperature: { min: 0, max: 5, step: "any" },
  topP: { min: 0, max: 1, step: "any" },
  topK: { min: 0, step: 1 },
  minP: { min: 0, max: 1, step: "any" },
  repetitionPenalty: { min: 0.1, max: 10, step: "any" },
  maxTokens: { min: 1, step: 1 },
  seed: { min: 0, step: 1 },
};

const SCHEMA = {
  type: "object",
  properties: {
    answer: { type: "string", maxLength: 200 },
    certainty: { enum: ["low", "medium", "high"] },
  },
  required: ["answer", "certainty"],
  additionalProperties: false,
};

export const fresh = (): Settings => ({
  language: preferred(),
  theme: "system",
  system: "",
  sampling: Object.fromEntries(SAMPLING.map((name) => [name, ""])) as Settings["sampling"],
  tools: false,
  mustCall: false,
  servers: [],
  schema: false,
  schemaText: JSON.stringify(SCHEMA, null, 2),
  aloud: false,
});

/** What of the settings a generation takes. @throws SyntaxError for a schema that is no JSON */
export function replyOptions({
  sampling,
  schema,
  schemaText,
}: Settings): Omit<ReplyOptions, "signal" | "onPrefill" | "tools" | "mustCall"> {
  const given = SAMPLING.filter((name) => sampling[name].trim() !== "");
  return {
    ...Object.fromEntries(given.map((name) => [name, Number(sampling[name])])),
    ...(schema && { responseFormat: { type: "json_schema", schema: JSON.parse(schemaText) } }),
  };
}

/** The makers' value of an option, to be shown where there is none. */
export const defaultOf = (defaults: SamplingDefaults, name: SamplingName): string =>
  String((defaults as Partial<Record<SamplingName, number>>)[name] ?? "");
