// Many at once, with what shows mistakes: the books of the pages are looked through before every pass and while one runs, and pages are full
// of what would show when somebody gets them.

import { readFileSync } from "node:fs";
import type { AdapterUse, LoadOptions, Model } from "zagreus-edge";
import { Scheduler } from "../../../../host/core/engine/batch/scheduler";
import { Engine } from "../../../../host/core/engine/engine";
import { createHost } from "../../../../host/core/host/create_host";
import { nanoBytes } from "../../../support/nano";
import "../../kv/poison";
import { bytesOf } from "../../adapters/support";

/** Of zagreus-nano with int8 KV. */
export const PAGE_BYTES = 35_840;
export const SYSTEM =
  "C'era una volta un re che aveva tre figlie, e ogni sera le chiamava accanto al fuoco per raccontare. ";

export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** From sources, whose books can be looked into. */
const { load } = createHost<Uint8Array, LoadOptions>({
  module: async () =>
    new WebAssembly.Module(readFileSync(new URL("../../../../dist/zagreus-simd.wasm", import.meta.url))),
  macrotask: turn,
  open: (bytes) => ({
    size: bytes.length,
    chunks: (async function* () {
      yield bytes;
    })(),
  }),
});
const file = nanoBytes();
const ADAPTERS = ["upper-f32.gguf", "recipe-f16.gguf"].map(bytesOf);

/** A model, what it is inside, and its adapters. */
export interface Crowd {
  model: Model;
  engine: Engine;
  adapters: AdapterUse["adapter"][];
}

/** Open engines, whose books are kept private. */
const engines = new Set<Engine>();
let newest: Engine | undefined;

export async function crowd(options: LoadOptions = {}): Promise<Crowd> {
  const model = await load(file, { build: "simd", ...options });
  const adapters: AdapterUse["adapter"][] = [];
  const engine = newest!;
  if (options.adapters) for (const bytes of ADAPTERS) adapters.push(await model.adapter(bytes));
  return { model, engine, adapters };
}

/** Nothing is held any more. @throws Error */
export function assertIdle({ cache, sequences, queue, scheduler }: Engine): void {
  cache.audit(sequences.open);
  const held = [sequences.open.size, cache.figures.used, queue.taken, queue.length, scheduler.works];
  if (held.some((count) => count !== 0)) throw new Error(`still held: ${held}`);
}

const { run } = Scheduler.prototype;
Scheduler.prototype.run = function (work) {
  const check = () => {
    audit();
    work.check();
  };
  return run.call(this, { ...work, check });
};
const { pace } = Engine.prototype;
Engine.prototype.pace = function (...asked) {
  if (!engines.has(this)) newest = this;
  engines.add(this);
  return pace.apply(this, asked);
};
function audit(): void {
  for (const engine of engines) {
    if (engine.closed) engines.delete(engine);
    else engine.cache.audit(engine.sequences.open);
  }
}
