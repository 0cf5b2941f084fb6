// The suite that every runtime passes. Web standards only: a host hands in the package and where the model lies.
// README.md in this folder says how to run it and what the report means.

/** SHA-256 of the logits (f32, little-endian) after the last token of PROMPT; zagreus-nano Q8_0, int8 KV cache. */
export const LOGITS_SHA256 = "480f0fab149767539b1f31232aaf3ea39a97c7b8f0d1afd510076bb340bebd56";
/** SHA-256 of embed(PROMPT), f32. */
const EMBEDDING_SHA256 = "37935239c3393c959bad2e850a5964db462c171b073a0cf20ad93bde6bece8df";
/** What it says, greedily, to the question of the check "chat". */
const CHAT_REPLY = '"Ripassati" diss\'egli "eh!". "S';
export const PROMPT =
  "L'intelligenza artificiale è una disciplina dell'informatica. C'era una volta un re che aveva tre figlie, e la più " +
  "piccola era così bella che il sole stesso si meravigliava 🦊 ogni volta che la vedeva. Once upon a time there was a " +
  "fox who lived at the edge of a forest, and every evening it walked to the river.\n";
export const BUILDS = ["simd", "relaxed", "simd-mt", "relaxed-mt"];

const GREEDY = { temperature: 0, repetitionPenalty: 1 };
const START = "C'era una volta";
const SPEED_TOKENS = 128;

/**
 * Runs every check in every build.
 * @param host { runtime: its name and version,
 *   load, ZagreusError: of the package,
 *   bytes: zagreus-nano-Q8_0.gguf as a Uint8Array,
 *   sources?: { name: () => a source of the same bytes that this host's load() takes }; the first is timed,
 *   options?: load options for all, builds?: those to try (default: all), now?: a clock in ms, or null if there is none }
 */
export async function runSuite(host) {
  const rows = [];
  for (const build of host.builds ?? BUILDS) rows.push(await runBuild(host, build));
  return { runtime: host.runtime, rows };
}

/** What makes a report fail, as text; none when all is well. A build that cannot run is no failure, if it says so. */
export function failures({ runtime, rows }) {
  const broken = rows.flatMap(({ build, failures }) => failures.map((failure) => `${runtime}, ${build}: ${failure}`));
  if (!rows.some(({ works }) => works)) broken.push(`${runtime}: no build works`);
  return broken;
}

async function runBuild(host, build) {
  const row = { build, threads: null, works: false, missing: null, logitsSha256: null };
  Object.assign(row, { loadMs: null, tokensPerSecond: null, checks: [], failures: [] });
  const sources = Object.values(host.sources ?? { bytes: () => host.bytes });
  const options = { build, ...(build.endsWith("-mt") ? { threads: 2 } : {}), ...host.options };
  const now = host.now === undefined ? () => performance.now() : (host.now ?? (() => 0));
  const context = { ...host, row, now, options, load: (source, more) => host.load(source, { ...options, ...more }) };
  const begun = now();
  let model;
  try {
    model = await context.load(sources[0]());
  } catch (error) {
    if (error.code === "UNSUPPORTED_RUNTIME") row.missing = error.message;
    else row.failures.push(`load: ${describe(error)}`);
    return row;
  }
  row.loadMs = round(now() - begun);
  row.threads = model.info.threads;
  for (const [name, check] of Object.entries(CHECKS)) {
    try {
      await check(model, context);
      row.checks.push(name);
    } catch (error) {
      row.failures.push(`${name}: ${describe(error)}`);
    }
  }
  row.works = row.failures.length === 0;
  return row;
}

/** In this order, on one model; each leaves it usable, "close" ends it. */
const CHECKS = {
  async info({ info }, { options, bytes }) {
    equal(info.architecture, "llama", "architecture");
    equal(info.quantization, "Q8_0", "quantization");
    equal(info.build, options.build, "build");
    equal(info.fileBytes, bytes.length, "file bytes");
  },

  async tokenizer(model) {
    const tokens = await model.tokenize(PROMPT);
    equal(await model.detokenize(tokens), PROMPT, "the text of its tokens");
  },

  async logits(model, { row }) {
    row.logitsSha256 = await logitsHash(model);
    equal(row.logitsSha256, LOGITS_SHA256, "SHA-256 of the logits");
  },

  async embedding(model) {
    equal(await sha256(await model.embed(PROMPT)), EMBEDDING_SHA256, "SHA-256 of the embedding");
  },

  async sources(_, { sources = {}, load }) {
    for (const [name, source] of Object.entries(sources)) {
      const model = await load(source());
      equal(await logitsHash(model), LOGITS_SHA256, `SHA-256 of the logits, from ${name}`);
      await model.close();
    }
  },

  async progress(_, { bytes, load }) {
    const seen = [];
    const model = await load(chunks(bytes, 1 << 18), { onProgress: (progress) => seen.push(progress) });
    await model.close();
    equal(seen.at(-1)?.loadedBytes, bytes.length, "bytes loaded at the end");
    equal(seen[0]?.phase, "header", "first phase");
    equal(seen.at(-1)?.phase, "weights", "last phase");
  },

  async stream(model) {
    const text = await greedy(model, 24);
    const completion = model.complete(START, { ...GREEDY, maxTokens: 24 });
    const pieces = [];
    for await (const piece of completion) pieces.push(piece);
    equal(pieces.map((piece) => piece.text).join(""), text, "the text of the pieces");
    equal(pieces.length, 24, "pieces");
    equal(completion.tokens.join(), pieces.map(({ token }) => token).join(), "tokens");
    equal(completion.finishReason, "length", "finish reason");
    equal(completion.usage.completionTokens, 24, "usage");
    let streamed = "";
    const reader = model
      .complete(START, { ...GREEDY, maxTokens: 24 })
      .toReadableStream()
      .getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) streamed += next.value.text;
    equal(streamed, text, "the text of the stream");
    const response = model.complete(START, { ...GREEDY, maxTokens: 24 }).toResponse();
    equal(await response.text(), text, "the text of the response");
  },

  async seed(model) {
    const options = { maxTokens: 12, temperature: 1, seed: 7 };
    const text = await model.complete(START, options).text();
    equal(await model.complete(START, options).text(), text, "the text of the same seed");
  },

  async abort(model, context) {
    const controller = new AbortController();
    let pieces = 0;
    await rejects(context, "ABORTED", async () => {
      for await (const _ of model.complete(START, { maxTokens: 1000, signal: controller.signal })) {
        if (++pieces === 3) controller.abort();
      }
    });
    if (pieces < 3 || pieces > 20) throw new Error(`${pieces} pieces came, aborted at 3`);
    const loading = new AbortController();
    setTimeout(() => loading.abort(), 50);
    await rejects(context, "ABORTED", () => context.load(stalled(context.bytes), { signal: loading.signal }));
    for await (const _ of model.complete(START, { maxTokens: 1000 })) break; // leaving early makes room, too
    await greedy(model, 2);
  },

  async "stop strings"(model) {
    const text = await greedy(model, 24);
    const at = text.length >> 1;
    const stop = text.slice(at, at + 3);
    const completion = model.complete(START, { ...GREEDY, maxTokens: 24, stop: ["never in it", stop] });
    equal(await completion.text(), text.slice(0, text.indexOf(stop)), "the text before the stop string");
    equal(completion.finishReason, "stop", "finish reason");
  },

  async "save and restore"(model, context) {
    const whole = await greedy(model, 16);
    const session = await model.session();
    const first = await session.complete(START, { ...GREEDY, maxTokens: 8 }).text();
    const snapshot = await session.save();
    const rest = await session.complete([], { ...GREEDY, maxTokens: 8 }).text();
    equal(first + rest, whole, "the text in two parts");
    const restored = await model.restore(snapshot);
    const completion = restored.complete([], { ...GREEDY, maxTokens: 8 });
    equal(await completion.text(), rest, "the text after restoring");
    if (completion.usage.prefilledTokens > 2) throw new Error(`${completion.usage.prefilledTokens} tokens ran again`);
    const damaged = snapshot.slice();
    damaged[damaged.length >> 1] ^= 1;
    await rejects(context, "BAD_SNAPSHOT", () => model.restore(damaged));
    await session.close();
    await restored.close();
    await rejects(context, "CLOSED", () => session.complete("a").text());
  },

  async "a prompt comes back"(model) {
    const tokens = await model.tokenize(PROMPT);
    await model.complete(tokens, { maxTokens: 0 }).text();
    await greedy(model, 2, "Once upon a time");
    const completion = model.complete([...tokens, 300], { ...GREEDY, maxTokens: 4 });
    await completion.text();
    equal(completion.usage.prefilledTokens, 1, "tokens run of a prompt with one more");
  },

  async "requests at once"(model) {
    const alone = [await greedy(model, 12), await greedy(model, 12, "Once upon a time")];
    const together = await Promise.all([greedy(model, 12), greedy(model, 12, "Once upon a time")]);
    equal(together.join("|"), alone.join("|"), "the texts of two requests at once");
  },

  async chat(model, context) {
    const options = { ...GREEDY, template: "chatml", maxTokens: 16 };
    const messages = [{ role: "user", content: "Raccontami di un re.<|im_end|>" }];
    const { content } = await model.chat(messages, options).message();
    equal(content, CHAT_REPLY, "the reply");
    const tools = [{ type: "function", function: { name: "now" } }];
    const calling = model.chat(messages, {
      ...options,
      tools,
      toolChoice: "required",
      parallelToolCalls: false,
      maxTokens: 64,
    });
    const { tool_calls: calls } = await calling.message();
    equal(calls[0].function.name + calls[0].function.arguments, "now{}", "the call");
    equal(calling.finishReason, "tool_calls", "finish reason of the call");
    await rejects(context, "NO_CHAT_TEMPLATE", () => model.chat(messages).text());
  },

  async errors(model, context) {
    const { bytes, load } = context;
    await rejects(context, "INVALID_OPTION", () => model.complete("a", { temprature: 1 }).text());
    await rejects(context, "INVALID_OPTION", () => load({}));
    await rejects(context, "BAD_TOKEN", () => model.logits([model.info.vocabulary]));
    await rejects(context, "CONTEXT_OVERFLOW", () => model.logits(new Array(model.info.contextLength + 1).fill(0)));
    await rejects(context, "BAD_MAGIC", () => load(new Uint8Array(64)));
    await rejects(context, "TRUNCATED", () => load(chunks(bytes.subarray(0, bytes.length - 1), 1 << 20)));
    await rejects(context, "OVER_BUDGET", () => load(chunks(bytes, 1 << 20), { memoryBudget: 1 << 20 }));
    await rejects(context, "SOURCE_FAILED", () => load(new Response("", { status: 404 })));
  },

  async "network cut while loading"(_, context) {
    await rejects(context, "SOURCE_FAILED", () => context.load(cut(context.bytes, context.bytes.length >> 1)));
    await rejects(context, "SOURCE_FAILED", () => context.load(new Response(cut(context.bytes, 1000))));
    const model = await context.load(context.bytes.slice()); // and the next load is not the worse for it
    equal(await logitsHash(model), LOGITS_SHA256, "SHA-256 of the logits after a cut");
    await model.close();
  },

  async speed(model, { row, now }) {
    let begun;
    for await (const _ of model.complete(START, { ...GREEDY, maxTokens: SPEED_TOKENS })) begun ??= now();
    const elapsed = now() - begun;
    if (elapsed > 0) row.tokensPerSecond = round(((SPEED_TOKENS - 1) * 1000) / elapsed);
  },

  async close(model, context) {
    const running = model.complete(START, { maxTokens: 1000 })[Symbol.asyncIterator]();
    await running.next();
    await model.close();
    await rejects(context, "CLOSED", () => running.next());
    await rejects(context, "CLOSED", () => model.tokenize("a"));
    await rejects(context, "CLOSED", () => model.complete("a").text());
  },
};

const greedy = (model, maxTokens, prompt = START) => model.complete(prompt, { ...GREEDY, maxTokens }).text();

async function logitsHash(model) {
  return sha256(await model.logits(await model.tokenize(PROMPT)));
}

async function sha256(floats) {
  const digest = await crypto.subtle.digest("SHA-256", floats);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function* chunks(bytes, size) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

/** A stream that breaks after `length` bytes. */
function cut(bytes, length) {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.slice(0, length));
    },
    pull(controller) {
      controller.error(new TypeError("network error"));
    },
  });
}

/** A stream that never goes on. */
function stalled(bytes) {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.slice(0, 1000));
    },
  });
}

async function rejects({ ZagreusError }, code, run) {
  try {
    await run();
  } catch (error) {
    if (error instanceof ZagreusError && error.code === code) return;
    throw new Error(`${describe(error)}; ${code} was due`);
  }
  throw new Error(`no error; ${code} was due`);
}

function equal(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: ${JSON.stringify(actual)}, must be ${JSON.stringify(expected)}`);
}

function describe(error) {
  return error instanceof Error ? `${error.code ?? error.name}: ${error.message}` : String(error);
}

const round = (value) => Math.round(value * 10) / 10 || null;
