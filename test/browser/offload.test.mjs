// A model in a worker: the page stays free, and a worker that dies is noticed.

import { afterAll, beforeAll, expect, test } from "vitest";
import { browser, PROMPT, serve } from "./harness.mjs";

/** Of a page, on a machine that may be busy with other things. */
const LONGEST_GAP_MS = 250;

let chromium;
let server;
beforeAll(async () => {
  chromium = await browser();
  server = await serve({ isolated: true });
});
afterAll(async () => {
  await chromium?.close();
  await server?.close();
});

/** Runs `script` on a new page. */
async function onPage(script, argument) {
  const page = await chromium.open(server.url);
  const result = await page.evaluate(script, argument);
  expect(page.errors).toEqual([]);
  await page.close();
  return result;
}

test("the page stays responsive while a model loads and writes", async () => {
  const { longest, tokens, elapsed } = await onPage(async (prompt) => {
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 5);
    const begun = last;
    const model = await zagreus.load(zagreus.bundledModel, { offload: true, threads: 1 });
    const logitBias = Object.fromEntries(model.info.tokenizer.end.map((token) => [token, -Infinity]));
    const completion = model.complete(prompt, { maxTokens: 400, seed: 1, logitBias });
    await completion.text();
    clearInterval(ticking);
    model.close();
    return { longest, tokens: completion.tokens.length, elapsed: performance.now() - begun };
  }, PROMPT);
  console.log(`${tokens} tokens in ${Math.round(elapsed)} ms, longest pause of the page ${Math.round(longest)} ms`);
  expect(tokens).toBe(400);
  expect(longest).toBeLessThan(LONGEST_GAP_MS);
});

test("a worker that is killed in the middle of a generation is an error at once and later", async () => {
  const codes = await onPage(async (prompt) => {
    const workers = [];
    globalThis.Worker = class extends Worker {
      constructor(...args) {
        super(...args);
        workers.push(this);
      }
    };
    const model = await zagreus.load(zagreus.bundledModel, { offload: true });
    const pieces = model.complete(prompt, { maxTokens: 400 })[Symbol.asyncIterator]();
    await pieces.next();
    const waiting = codeOf(() => model.complete(prompt).text());
    workers[0].terminate();
    return [
      await codeOf(async () => {
        while (!(await pieces.next()).done);
      }),
      await waiting,
      await codeOf(() => model.tokenize("a")),
    ];
  }, PROMPT);
  expect(codes).toEqual(["THREAD_FAILED", "THREAD_FAILED", "THREAD_FAILED"]);
});

test("a worker that does not start is an error", async () => {
  const message = await onPage(async () => {
    const { Worker } = globalThis;
    globalThis.Worker = class extends Worker {
      constructor(_, options) {
        super("/missing.js", options);
      }
    };
    return zagreus.load(zagreus.bundledModel, { offload: true }).catch((error) => `${error.code} ${error.message}`);
  });
  expect(message).toBe(
    "THREAD_FAILED the model's thread failed: its script could not be loaded; option \"assets\" of load() says where the package's dist/ is",
  );
});

test("a network that is cut while loading is an error, and the next load is well", async () => {
  server.model.cutAt = 2_000_000;
  const load = () => codeOf(async () => (await zagreus.load("/model.gguf", { offload: true })).close());
  expect(await onPage(load)).toBe("SOURCE_FAILED");
  server.model.cutAt = undefined;
  expect(await onPage(load)).toBe("no error");
  server.model.status = 404;
  expect(await onPage(load)).toBe("SOURCE_FAILED");
  server.model.status = undefined;
});

test("where the context is not secure all works but the cache", async () => {
  const page = await chromium.open(server.url.replace("localhost", "insecure.test"));
  const [secure, threads, ...codes] = await page.evaluate(async () => {
    const model = await zagreus.load("/model.gguf", { offload: true });
    await model.complete("a", { maxTokens: 3 }).text();
    model.close();
    return [
      isSecureContext,
      model.info.threads,
      await codeOf(() => model.tokenize("a")),
      await codeOf(() => zagreus.load("/model.gguf", { offload: true, cache: true })),
      await codeOf(() => zagreus.cachedModels()),
    ];
  });
  expect([secure, threads]).toEqual([false, 1]);
  expect(codes).toEqual(["CLOSED", "UNSUPPORTED_RUNTIME", "UNSUPPORTED_RUNTIME"]);
  await page.close();
});

test("options and sources are checked", async () => {
  const messages = await onPage(async () => {
    const { load } = zagreus;
    const message = (run) =>
      run().then(
        () => "no error",
        (error) => `${error.code} ${error.message}`,
      );
    return [
      await message(() => load("ftp://host/model.gguf", { offload: true })),
      await message(() => load(new Blob([]), { cache: true, offload: true })),
      await message(() => load("/model.gguf", { offload: true, theads: 2 })),
    ];
  });
  expect(messages).toEqual([
    'INVALID_OPTION option "source" is "ftp://host/model.gguf", must be a URL that fetch() takes',
    'INVALID_OPTION option "cache" is true, must be false unless the source is a URL',
    expect.stringContaining('INVALID_OPTION unknown option "theads"'),
  ]);
});
