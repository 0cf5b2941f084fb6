// Short names of models, and what tells a model of the hub from a path. Small: every load() needs it.

/** Short name to repository. */
export const SHORT_NAMES: Readonly<Record<string, string>> = {
  "zagreus-ita": "mii-llm/zagreus-0.4B-ita",
  "zagreus-spa": "mii-llm/zagreus-0.4B-spa",
  "zagreus-por": "mii-llm/zagreus-0.4B-por",
  "zagreus-fra": "mii-llm/zagreus-0.4B-fra",
  "nesso-instruct": "mii-llm/nesso-0.4B-instruct",
  "nesso-agentic": "mii-llm/nesso-0.4B-agentic",
  "nesso2-agentic": "mii-llm/nesso2-0.4B-agentic",
  "open-zagreus": "mii-llm/open-zagreus-0.4B",
  smollm2: "HuggingFaceTB/SmolLM2-135M-Instruct",
};

/** Whether a source is a model of the hub: "hf:…" or a short name. A file of such a name is "./zagreus-ita". */
export function isHubId(source: string): boolean {
  return source.startsWith("hf:") || Object.hasOwn(SHORT_NAMES, source);
}
