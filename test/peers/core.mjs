// Drives the core through its ABI (assembly/index.ts) with nothing but WebAssembly, the same in Node, Deno and Chromium.

const HEADER_READY = 2;
const LOADED = 3;
const FIRST_ERROR = 16;
const IO_BYTES = 1 << 20;
const MAX_BATCH = 64;
const SAMPLER_BYTES = 32; // the parameters, all zero: greedy
/** INFO_* of assembly/layout/abi.ts, which test/abi.test.ts compares. */
export const INFO = { vocabulary: 6, parameters: 16, context: 8, memoryBytes: 20, weightBytes: 26, kvBytes: 29 };
const INITIAL_PAGES = 32; // asconfig.json
const MAXIMUM_PAGES = 65536;
const WARM_UP_SAMPLINGS = 4;
const FIRST_TOKENS = 10;
/** More of them, until kernels and threads have been chosen (host/core/wasm/kernel_choice.ts). */
const CHOOSING_TOKENS = 8;
const HASHED = { prompt: 100, decoded: 4 };

/**
 * The commands of our engines. Times are in milliseconds.
 * @param {{
 *   wasm: () => Promise<BufferSource>,
 *   chunks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
 *   kernelChoice: () => Promise<{KernelChoice: new (core: unknown, info: {build: string, threads: number}) => any}>,
 *   startWorker: (message: {module: WebAssembly.Module, memory: WebAssembly.Memory, index: number}) => void,
 * }} platform chunks() of at most IO_BYTES
 * @param {{threads: number, build: string, context: number, prompt: number[]}} options a prompt longer than all that is asked for
 */
export function coreCommands(platform, { threads, build, context, prompt }) {
  /** @type {any} */
  let core;
  let batch;
  let choice;
  let position = 0;

  const check = (status) => {
    if (status < FIRST_ERROR) return status;
    throw new Error(`the core returned status ${status}, value ${core.errorValue()}`);
  };

  async function instantiate() {
    const module = await WebAssembly.compile(await platform.wasm());
    if (WebAssembly.Module.imports(module).length === 0) {
      core = (await WebAssembly.instantiate(module)).exports;
      return;
    }
    const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES, shared: true });
    core = { ...(await WebAssembly.instantiate(module, { env: { memory } })).exports, memory };
    core.setThreads(threads, 1);
    for (let index = 1; index < threads; index++) platform.startWorker({ module, memory, index });
  }

  async function feedFile() {
    check(core.begin(context, 0, 0, 1, 0));
    for await (const chunk of platform.chunks()) {
      new Uint8Array(core.memory.buffer, core.buffer(), IO_BYTES).set(chunk);
      let status = check(core.feed(chunk.length));
      while (status === HEADER_READY) status = check(core.plan());
    }
    if (check(core.end()) !== LOADED) throw new Error("the file is incomplete");
    batch = new Uint32Array(core.memory.buffer, core.batch(), MAX_BATCH);
    new Uint8Array(core.memory.buffer, core.sampler(0), SAMPLER_BYTES).fill(0);
  }

  function forward(tokens) {
    batch.set(tokens);
    check(core.forward(tokens.length, position));
    position += tokens.length;
  }

  function prefill(count) {
    position = 0;
    for (let at = 0; at < count; at += MAX_BATCH) forward(prompt.slice(at, Math.min(at + MAX_BATCH, count)));
    return core.logits((count - 1) % MAX_BATCH, 1);
  }

  function next(token) {
    const start = performance.now();
    forward([token]);
    core.logits(0, 1);
    choice?.learn(1, performance.now() - start);
    return core.sample(0);
  }

  function timeTokens(token, count) {
    const tokenMs = [];
    const start = performance.now();
    for (let last = start; tokenMs.length < count; ) {
      token = next(token);
      const now = performance.now();
      tokenMs.push(now - last);
      last = now;
    }
    return { ms: performance.now() - start, tokenMs };
  }

  /** What the library does at the end of a load (host/core/engine/warm_up.ts). */
  function warmUp() {
    position = 0;
    next(0);
    for (let i = 0; i < WARM_UP_SAMPLINGS; i++) core.sample(0);
    check(core.setLength(0, 0));
  }

  return {
    /** From nothing to ready, then the first tokens one by one. */
    async load() {
      const start = performance.now();
      await instantiate();
      await feedFile();
      warmUp();
      const { KernelChoice } = await platform.kernelChoice();
      choice = new KernelChoice({ exports: core }, { build, threads });
      const loadMs = performance.now() - start;
      position = 0;
      const { tokenMs } = timeTokens(prompt[0], FIRST_TOKENS);
      timeTokens(prompt[0], CHOOSING_TOKENS);
      const info = Object.fromEntries(Object.entries(INFO).map(([name, id]) => [name, core.info(id)]));
      return { loadMs, tokenMs, info: { ...info, kernels: choice.kernels } };
    },

    /** The first `count` tokens of the prompt, and the logits of the last. */
    prefill({ count }) {
      const start = performance.now();
      prefill(count);
      return { ms: performance.now() - start };
    },

    /** `count` tokens, greedily, behind the `at` tokens that a prefill left. */
    decode({ at, count }) {
      position = at;
      return timeTokens(prompt[at], count);
    },

    /** SHA-256 of the logits behind a fixed prompt and some greedy tokens. */
    async sha256() {
      const rowBytes = 4 * core.info(INFO.vocabulary);
      const rows = new Uint8Array((1 + HASHED.decoded) * rowBytes);
      let address = prefill(HASHED.prompt);
      for (let row = 0; ; row++) {
        rows.set(new Uint8Array(core.memory.buffer, address, rowBytes), row * rowBytes);
        if (row === HASHED.decoded) break;
        forward([core.sample(0)]);
        address = core.logits(0, 1);
      }
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", rows));
      return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
  };
}
