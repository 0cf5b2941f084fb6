// wllama (llama.cpp compiled to WebAssembly), one thread, in the page. Version 2 evaluates tokens itself; version 3 is
// llama.cpp's server and reports its own times.

const FIRST_TOKENS = 10;
const GREEDY = { temperature: 0, temp: 0 };

/** @returns {Promise<Record<string, (options: any) => Promise<unknown>>>} */
export async function commands({ package: name, context }) {
  const base = new URL(`../node_modules/${name}/esm/`, import.meta.url).href;
  const { Wllama } = await import(`${base}index.js`);
  const { tokens: prompt, words } = await (await fetch("/prompt")).json();
  const file = await (await fetch("/model")).blob();
  const silent = Object.fromEntries(["debug", "log", "warn", "error"].map((level) => [level, () => {}]));
  const loadOptions = { n_ctx: context, n_batch: 512, n_threads: 1, n_gpu_layers: 0 };
  const create = (paths) => new Wllama(paths, { suppressNativeLog: true, logger: silent });

  return "decode" in Wllama.prototype
    ? version2(create({ "single-thread/wllama.wasm": `${base}single-thread/wllama.wasm` }))
    : version3(create({ default: `${base}wasm/wllama.wasm` }));

  function version2(wllama) {
    async function decode(token, count) {
      const times = [];
      for (let last = performance.now(); times.length < count; ) {
        await wllama.decode([token], {});
        ({ token } = await wllama.samplingSample());
        const now = performance.now();
        times.push(now - last);
        last = now;
      }
      return times;
    }
    return {
      async load() {
        const start = performance.now();
        await wllama.loadModel([file], loadOptions);
        await wllama.samplingInit(GREEDY);
        return { loadMs: performance.now() - start, tokenMs: await decode(prompt[0], FIRST_TOKENS) };
      },
      async prefill({ count }) {
        await wllama.kvClear();
        const start = performance.now();
        await wllama.decode(prompt.slice(0, count), {});
        return { ms: performance.now() - start };
      },
      async decode({ at, count }) {
        await wllama.kvRemove(at, -1);
        const tokenMs = await decode(prompt[at], count);
        return { ms: tokenMs.reduce((sum, time) => sum + time), tokenMs };
      },
    };
  }

  function version3(wllama) {
    const request = (promptTokens, count) => ({
      ...GREEDY,
      prompt: words.slice(0, promptTokens).join(""),
      max_tokens: count,
      ignore_eos: true,
      logit_bias: [[prompt[1], 100]], // a whole word again and again: it fails on text that is not UTF-8
    });
    async function complete(promptTokens, count, reuse) {
      const { timings } = await wllama.createCompletion({ ...request(promptTokens, count), cache_prompt: reuse });
      const read = timings.prompt_n + (timings.cache_n ?? 0);
      if (read !== promptTokens) throw new Error(`the prompt has ${read} tokens, not ${promptTokens}`);
      return timings;
    }
    return {
      async load() {
        const start = performance.now();
        await wllama.loadModel([file], { ...loadOptions, warmup: false });
        const loadMs = performance.now() - start;
        const tokenMs = [];
        let last = performance.now();
        const stream = await wllama.createCompletion({ ...request(1, FIRST_TOKENS + 2), stream: true });
        for await (const _ of stream) {
          const now = performance.now();
          tokenMs.push(now - last);
          last = now;
        }
        return { loadMs, tokenMs: tokenMs.slice(0, FIRST_TOKENS) };
      },
      async prefill({ count }) {
        return { ms: (await complete(count, 1, false)).prompt_ms };
      },
      async decode({ at, count }) {
        // The first token comes out of the prompt's own evaluation.
        const timings = await complete(at, count + 1, true);
        return { ms: (timings.predicted_ms / (timings.predicted_n - 1)) * count };
      },
    };
  }
}
