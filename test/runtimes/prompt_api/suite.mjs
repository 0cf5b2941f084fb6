// The Prompt API on the bundled model, the same file in Node, Deno, Bun, on a page and in a service worker. Web standards only: a host hands
// in what "zagreus-edge/prompt-api" exports, and the model.

const SENTENCE = "C'era una volta un re che aveva tre figlie.";
const RATING = {
  type: "object",
  required: ["rating"],
  additionalProperties: false,
  properties: { rating: { type: "integer", minimum: 0, maximum: 5 } },
};

/**
 * Uses every member, and returns what is to be the same everywhere.
 * @param host { languageModel, QuotaExceededError, LanguageModelToolCall, LanguageModelToolSuccess: of the package,
 *   model: as languageModel() takes it }
 */
export async function runPromptApi(host) {
  const LanguageModel = host.languageModel({ model: host.model, load: host.load, template: "chatml", maxTokens: 24 });
  const { session, before, progress } = await create(LanguageModel);
  const report = { before, progress, ...(await answers(session)), ...(await failures(session, host)) };
  report.overflow = await overflow(session);
  const other = await tools(LanguageModel, host);
  session.destroy();
  other.destroy();
  report.destroyed = await nameOf(session.prompt("a"));
  return report;
}

async function create(LanguageModel) {
  const before = await LanguageModel.availability({ expectedInputs: [{ type: "text", languages: ["it"] }] });
  const loaded = [];
  const session = await LanguageModel.create({
    samplingMode: "most-predictable",
    initialPrompts: [{ role: "system", content: "Racconta." }],
    monitor: (m) => m.addEventListener("downloadprogress", (event) => loaded.push(event.loaded)),
  });
  return { session, before, progress: [loaded[0], loaded.at(-1), loaded.length > 1] };
}

async function answers(session) {
  const clone = await session.clone();
  const answer = await session.prompt(SENTENCE);
  const chunks = [];
  for await (const chunk of clone.promptStreaming(SENTENCE)) chunks.push(chunk);
  await session.append([{ role: "user", content: "E poi?" }]);
  const { rating } = JSON.parse(await session.prompt(SENTENCE, { responseConstraint: RATING }));
  const prefix = { role: "assistant", content: "re", prefix: true };
  const name = await session.prompt([{ role: "user", content: "Chi?" }, prefix], {
    responseConstraint: /^re(gina)?!$/,
  });
  clone.destroy();
  return {
    answer,
    streamed: chunks.join("") === answer && chunks.length > 1,
    rated: Number.isInteger(rating),
    named: /^(gina)?!$/.test(name),
    usage: session.contextUsage,
    measured: await session.measureContextUsage(SENTENCE),
    window: session.contextWindow,
  };
}

async function failures(session, { QuotaExceededError }) {
  const controller = new AbortController();
  const aborted = nameOf(session.prompt(SENTENCE, { signal: controller.signal }));
  controller.abort();
  const long = await session.prompt(SENTENCE.repeat(session.contextWindow)).catch((error) => error);
  const image = [{ role: "user", content: [{ type: "image", value: new Uint8Array(1) }] }];
  return {
    aborted: await aborted,
    tooLong: [long instanceof QuotaExceededError, long instanceof DOMException, long.requested > long.quota],
    image: await nameOf(session.prompt(image)),
    system: await nameOf(session.prompt([{ role: "system", content: "a" }])),
  };
}

/** Prompts until the first ones have to go. */
async function overflow(session) {
  let overflows = 0;
  session.oncontextoverflow = () => overflows++;
  while (overflows === 0) await session.append(SENTENCE.repeat(3));
  return overflows;
}

async function tools(LanguageModel, { LanguageModelToolCall, LanguageModelToolSuccess }) {
  const session = await LanguageModel.create({
    expectedInputs: [{ type: "tool-call" }, { type: "tool-response" }],
    expectedOutputs: [{ type: "tool-call" }],
    tools: [{ name: "now", description: "The time.", inputSchema: { type: "object" }, execute: () => "noon" }],
  });
  const named = { callID: "1", name: "now" };
  const call = { type: "tool-call", value: new LanguageModelToolCall(named) };
  const result = [{ type: "text", value: "noon" }];
  const response = { type: "tool-response", value: new LanguageModelToolSuccess({ ...named, result }) };
  await session.append([
    { role: "user", content: "a" },
    { role: "assistant", content: [call] },
    { role: "user", content: [response] },
  ]);
  return session;
}

const nameOf = (promise) =>
  promise.then(
    () => "nothing was thrown",
    (error) => error.name,
  );

/** What the report must be; `answer`, `usage`, `measured` and `window` are the same everywhere, too. */
export const EXPECTED = {
  before: "available",
  progress: [0, 1, true],
  streamed: true,
  rated: true,
  named: true,
  aborted: "AbortError",
  tooLong: [true, true, true],
  image: "NotSupportedError",
  system: "TypeError",
  overflow: 1,
  destroyed: "InvalidStateError",
};
