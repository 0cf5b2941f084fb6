// model.adapter(): an adapter from its files into a slot.

import { AdapterHandle } from "../adapters/handle.js";
import { type AdapterFiles, readAdapter } from "../adapters/read.js";
import { AdapterSlots } from "../adapters/slots.js";
import { invalidOption } from "../api/errors.js";
import type { Engine } from "../engine/engine.js";

/**
 * Reads, checks and loads an adapter, while others run.
 * @throws ZagreusError INVALID_OPTION where the plan has no room for it, ABORTED, CLOSED, as readAdapter()
 */
export async function openAdapter(
  engine: Engine,
  name: string,
  files: AdapterFiles,
  signal: AbortSignal | undefined,
): Promise<AdapterHandle> {
  const { adapterRoom } = engine;
  if (!adapterRoom) throw invalidOption("adapters", undefined, "{ slots, rank } of load() to have adapters");
  const adapter = await readAdapter(name, files, engine.info);
  engine.adapters ??= new AdapterSlots(engine.core, adapterRoom);
  const { adapters } = engine;
  const pace = engine.pace(signal);
  const facts = await adapters.load(adapter, name, () => pace.yield());
  return new AdapterHandle(facts, () => adapters.close(facts.id));
}
