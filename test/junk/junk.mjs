// Whatever public functions are given, what they throw is a ZagreusError. Web standards only: every runtime runs this.

const JUNK = [
  undefined,
  null,
  true,
  7,
  -1.5,
  Number.NaN,
  10n,
  "",
  "http://[bad/model.gguf",
  "file://other.host/model.gguf",
  "file:///%E0%A4%A",
  "hf:",
  "\0",
  Symbol("junk"),
  [],
  [null],
  {},
  { length: -1 },
  new Map(),
  new Date(Number.NaN),
  () => 1,
  new Uint8Array(3),
  new URL("ftp://host/model.gguf"),
];

/** Values instead of the first argument, and instead of the second behind a first that is right. */
const calls = (right) => [[], ...JUNK.map((value) => [value]), ...JUNK.map((value) => [right, value])];

/** A right first argument, and each option with each value. */
const callsWith = (right, options) => options.flatMap((option) => JUNK.map((value) => [right, { [option]: value }]));

function shown(value) {
  if (typeof value === "symbol" || typeof value === "function") return typeof value;
  return String(
    JSON.stringify(value, (_, item) =>
      typeof item === "bigint" ? `${item}n` : typeof item === "symbol" ? "symbol" : item,
    ),
  );
}

/** What a call ends with that is no ZagreusError, as text. */
async function offence(name, run, args, ZagreusError) {
  try {
    const result = await run();
    let pieces = 0;
    if (result?.[Symbol.asyncIterator]) for await (const _ of result) if (++pieces === 3) break;
    result?.close?.();
    return [];
  } catch (error) {
    const ours = error instanceof ZagreusError && typeof error.code === "string";
    return ours ? [] : [`${name}(${args.map(shown)}): ${error}`];
  }
}

/**
 * Drives functions with junk.
 * @param right a first argument that is right, by the function's name
 * @param options names of options, by the function's name
 * @returns a line for each call that ended with something else than a value or a ZagreusError
 */
export async function offences(owner, names, { right = {}, options = {}, ZagreusError }) {
  const found = [];
  for (const name of names) {
    for (const args of [...calls(right[name]), ...callsWith(right[name], options[name] ?? [])]) {
      found.push(...(await offence(name, () => owner[name](...args), args, ZagreusError)));
    }
  }
  return found;
}

/** The functions that a module exports; classes begin with a capital. */
export const functionsOf = (module) =>
  Object.entries(module)
    .filter(([name, value]) => typeof value === "function" && !/^[A-Z]/.test(name))
    .map(([name]) => name);

const LOAD = [
  "contextLength",
  "kvType",
  "memoryBudget",
  "build",
  "threads",
  "cacheBudget",
  "quantize",
  "signal",
  "onProgress",
];
const OF_HOSTS = ["offload", "assets", "cache", "hub"];
const CALL = ["client", "cacheSalt", "signal"];
const GENERATE = [
  ...[
    "maxTokens",
    "temperature",
    "topK",
    "topP",
    "minP",
    "repetitionPenalty",
    "noRepeatNgram",
    "logitBias",
    "seed",
    "stop",
  ],
  ...["logprobs", "promptLookup", "responseFormat", "overflow", "onPrefill", ...CALL],
];
const OPTIONS = {
  complete: GENERATE,
  chat: [...GENERATE, "tools", "toolChoice", "parallelToolCalls", "template", "templateVariables"],
  tokenize: ["special", "bos"],
  detokenize: ["special"],
  logprobs: ["top", "from", ...CALL],
  logits: ["all", "signal"],
  embed: CALL,
};

/**
 * Drives an entry point that has load(), and a model and a session of it.
 * @param source a model
 * @param right first arguments of its further functions
 */
export async function offencesOfEntry(entry, source, right = {}) {
  const { load, ZagreusError } = entry;
  const settings = {
    right: { load: source, inspect: source, ...right },
    options: { inspect: [...LOAD, ...OF_HOSTS] },
    ZagreusError,
  };
  const found = await offences(entry, functionsOf(entry), settings);
  const model = await load(source);
  const tokens = [1];
  const messages = [{ role: "user", content: "a" }];
  const first = {
    complete: "a",
    chat: messages,
    tokenize: "a",
    detokenize: tokens,
    logprobs: tokens,
    logits: tokens,
    embed: "a",
  };
  found.push(
    ...(await offences(model, [...Object.keys(first), "restore"], { right: first, options: OPTIONS, ZagreusError })),
  );
  const session = model.session();
  found.push(
    ...(await offences(session, ["complete"], { right: first, options: { complete: GENERATE }, ZagreusError })),
  );
  model.close();
  for (const name of [...Object.keys(first), "session", "restore"]) {
    found.push(...(await offences(model, [name], { right: first, ZagreusError })));
  }
  return found;
}
