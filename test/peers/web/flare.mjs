// flare (Rust compiled to WebAssembly), one thread, in the page, without WebGPU. Its stream reads the whole prompt before the first token.

const PACKAGE = new URL("../node_modules/@sauravpanda/flare/pkg/", import.meta.url).href;
const FIRST_TOKENS = 10;

/** Its module; 0.2.21 as it is published does not parse, for a comment that ends within a comment. */
async function flare() {
  const source = await (await fetch(`${PACKAGE}flare_web.js`)).text();
  const whole = source.replaceAll("/* done */", "");
  const module = await import(URL.createObjectURL(new Blob([whole], { type: "text/javascript" })));
  await module.default({ module_or_path: `${PACKAGE}flare_web_bg.wasm` });
  return module.FlareEngine;
}

/** @returns {Promise<Record<string, (options: any) => Promise<unknown>>>} */
export async function commands() {
  const { tokens: prompt } = await (await fetch("/prompt")).json();
  const bytes = new Uint8Array(await (await fetch("/model")).arrayBuffer());
  let engine;

  /** Milliseconds of the prompt with its first token, and of `count` tokens more. */
  function generate(length, count) {
    engine.reset();
    const start = performance.now();
    engine.begin_stream(Uint32Array.from(prompt.slice(0, length)), count + 1);
    const times = [];
    let last = start;
    while (times.length <= count) {
      if (engine.next_token() === undefined) throw new Error(`ended after ${times.length} of ${count + 1} tokens`);
      const now = performance.now();
      times.push(now - last);
      last = now;
    }
    return { promptMs: times[0], tokenMs: times.slice(1) };
  }

  return {
    async load() {
      const start = performance.now();
      const FlareEngine = await flare();
      engine = FlareEngine.load(bytes);
      engine.load_raw_weights(bytes); // its fast path: dot products on the quantized weights
      const loadMs = performance.now() - start;
      const { promptMs, tokenMs } = generate(1, FIRST_TOKENS - 1);
      return { loadMs, tokenMs: [promptMs, ...tokenMs] };
    },
    async prefill({ count }) {
      return { ms: generate(count, 0).promptMs };
    },
    async decode({ at, count }) {
      const { tokenMs } = generate(at, count);
      return { ms: tokenMs.reduce((sum, time) => sum + time, 0), tokenMs };
    },
  };
}
