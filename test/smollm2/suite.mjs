// What a host says of SmolLM2, to be compared with every other host's and with llama.cpp's goldens. Web standards only: a host hands in
// the package's load() and where the model lies. Nothing here is a constant of ours: what is compared is what another engine said.

export const BUILDS = ["simd", "relaxed", "simd-mt", "relaxed-mt"];
const CONTEXT = 1024;
/** The nearest two logits of llama.cpp may change places below this: that much engines differ. */
const TIE = 0.5;

const SCHEMA = {
  type: "object",
  properties: {
    city: { type: "string", maxLength: 24 },
    country: { enum: ["France", "Italy", "Spain"] },
    coastal: { type: "boolean" },
    districts: { type: "array", items: { type: "string", maxLength: 12 }, maxItems: 3 },
  },
  required: ["city", "country", "coastal", "districts"],
  additionalProperties: false,
};
const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city on the next days",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 24 }, days: { type: "integer", minimum: 1, maximum: 7 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};
export const QUESTIONS = {
  schema: SCHEMA,
  tool: WEATHER,
  json: [{ role: "user", content: "Describe the city of Rome as JSON." }],
  call: [{ role: "user", content: "How will the weather in Paris be on the next 3 days?" }],
  copy: [
    {
      role: "user",
      content:
        "Repeat this text word for word: The quick brown fox jumps over the lazy dog near the old stone bridge, and then " +
        "the quick brown fox jumps over the lazy dog near the new wooden bridge.",
    },
  ],
  story: "Once upon a time, in a village by the sea, there lived an old fisherman who",
};
const GREEDY = { temperature: 0, repetitionPenalty: 1 };

/**
 * @param host { runtime: name and version, load: of the package, source: what load() takes, made anew at each call,
 *   chats, texts: of the goldens, options?: load options for all, builds?: those whose logits are asked for,
 *   now?: a clock in ms }
 * @returns { runtime, build, threads, arena, loadMs, tokensPerSecond, guessed: tokens that prompt lookup guessed right;
 *   said: what every host must say alike; wrong: where that differs from llama.cpp, as text }
 */
export async function reportOf({ runtime, load, source, chats, texts, options, builds = BUILDS, now = defaultNow }) {
  const begun = now();
  const model = await load(await source(), { contextLength: CONTEXT, ...options });
  const loadMs = Math.round(now() - begun);
  const { build, threads, plan } = model.info;
  const wrong = [];
  const said = {
    ids: await sha256(JSON.stringify(await idsOf(model, texts, wrong))),
    embedding: await sha256(await model.embed(QUESTIONS.story)),
    chats: await repliesTo(model, chats, wrong),
    json: await jsonOf(model),
    call: await callOf(model),
    session: await sessionOf(model),
  };
  const guessed = await guessedBy(model, said);
  const tokensPerSecond = await speedOf(model, now);
  await model.close();
  said.logits = await logitsOf({ load, source, builds, options, wrong });
  return { runtime, build, threads, arena: plan.arena, loadMs, tokensPerSecond, guessed, said, wrong };
}

const defaultNow = () => performance.now();

/** Token ids of texts, which must be llama.cpp's. */
export async function idsOf(model, texts, wrong) {
  const all = [];
  for (const { text, special, ids } of texts) {
    const own = [...(await model.tokenize(text, { bos: false, special }))];
    if (own.join() !== ids.join()) wrong.push(`ids of ${JSON.stringify(text)}: ${own}; llama.cpp's: ${ids}`);
    all.push(own);
  }
  return all;
}

/** Greedy replies, which must be llama.cpp's until its first two tokens are nearly tied. */
export async function repliesTo(model, chats, wrong) {
  const replies = [];
  for (const { messages, tokens, greedy, greedyGap } of chats) {
    const reply = model.chat(messages, { ...GREEDY, maxTokens: greedy.length });
    const text = await reply.text();
    const own = [...reply.tokens, ...(reply.endToken ? [reply.endToken.token] : [])];
    const tie = greedyGap.findIndex((gap) => gap < TIE);
    const sure = greedy.slice(0, tie < 0 ? greedy.length : tie);
    if (own.slice(0, sure.length).join() !== sure.join()) {
      wrong.push(`reply to ${JSON.stringify(messages.at(-1).content)}: ${own}; llama.cpp's begins: ${sure}`);
    }
    // What was run is told by another reply, which finds all of it but the last token in the cache.
    const again = model.complete(tokens, { ...GREEDY, maxTokens: 1 });
    await again.text();
    if (reply.usage.promptTokens !== tokens.length || again.usage.reusedTokens !== tokens.length - 1) {
      wrong.push(`prompt of ${JSON.stringify(messages)}: ${reply.usage.promptTokens} tokens, not ${tokens}`);
    }
    replies.push({ tokens: own, text, finishReason: reply.finishReason });
  }
  return replies;
}

async function jsonOf(model) {
  const responseFormat = { type: "json_schema", schema: SCHEMA };
  const text = await model.chat(QUESTIONS.json, { ...GREEDY, maxTokens: 96, responseFormat }).text();
  const { city, country, coastal, districts, ...more } = JSON.parse(text);
  const valid =
    typeof city === "string" &&
    SCHEMA.properties.country.enum.includes(country) &&
    typeof coastal === "boolean" &&
    districts.length <= 3 &&
    districts.every((name) => typeof name === "string" && name.length <= 12) &&
    Object.keys(more).length === 0;
  if (!valid) throw new Error(`does not satisfy the schema: ${text}`);
  return text;
}

async function callOf(model) {
  const options = { ...GREEDY, tools: [WEATHER], toolChoice: "required", parallelToolCalls: false, maxTokens: 96 };
  const reply = model.chat(QUESTIONS.call, options);
  const { tool_calls: calls } = await reply.message();
  const [{ function: call }] = calls;
  const { city, days } = JSON.parse(call.arguments);
  if (typeof city !== "string" || !(days >= 1 && days <= 7))
    throw new Error(`not a call of weather: ${call.arguments}`);
  return { ...call, finishReason: reply.finishReason };
}

/** A text in two parts, the second of which comes from a restored session: the parts of one. */
async function sessionOf(model) {
  const whole = await model.complete(QUESTIONS.story, { ...GREEDY, maxTokens: 24 }).text();
  const session = await model.session();
  const first = await session.complete(QUESTIONS.story, { ...GREEDY, maxTokens: 12 }).text();
  const snapshot = await session.save();
  await session.close();
  const restored = await model.restore(snapshot);
  const completion = restored.complete([], { ...GREEDY, maxTokens: 12 });
  const rest = await completion.text();
  if (first + rest !== whole) throw new Error(`"${whole}" in two parts: "${first}", "${rest}"`);
  if (completion.usage.prefilledTokens > 2) throw new Error(`${completion.usage.prefilledTokens} tokens ran again`);
  await restored.close();
  return { whole, snapshot: await sha256(snapshot) };
}

/** Prompt lookup says what plain decoding says. How much it guesses is the clock's to decide. */
async function guessedBy(model, said) {
  const options = { ...GREEDY, maxTokens: 48 };
  said.copy = await model.chat(QUESTIONS.copy, options).text();
  const guessing = model.chat(QUESTIONS.copy, { ...options, promptLookup: true });
  const text = await guessing.text();
  if (text !== said.copy) throw new Error(`prompt lookup says "${text}", without it: "${said.copy}"`);
  return guessing.timings.acceptedTokens;
}

async function speedOf(model, now) {
  const tokens = 48;
  const options = {
    ...GREEDY,
    maxTokens: tokens,
    logitBias: Object.fromEntries(model.info.tokenizer.end.map((id) => [id, -100])),
  };
  let begun;
  for await (const _ of model.complete(QUESTIONS.story, options)) begun ??= now();
  const elapsed = now() - begun;
  return elapsed > 0 ? Math.round(((tokens - 1) * 1000) / elapsed) : null;
}

/** SHA-256 of the logits after a text, which is one in every build that runs here. */
async function logitsOf({ load, source, builds, options, wrong }) {
  const hashes = new Map();
  for (const build of builds) {
    const threads = build.endsWith("-mt") ? 2 : 1;
    let model;
    try {
      model = await load(await source(), { contextLength: 64, ...options, build, threads });
    } catch (error) {
      if (error.code !== "UNSUPPORTED_RUNTIME") throw error;
      continue;
    }
    hashes.set(build, await sha256(await model.logits(await model.tokenize(QUESTIONS.story))));
    await model.close();
  }
  const different = new Set(hashes.values());
  if (different.size !== 1) wrong.push(`logits of builds: ${JSON.stringify([...hashes])}`);
  return [...different][0];
}

export async function sha256(value) {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
