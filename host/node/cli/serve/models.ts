// -m of `zagreus serve`, given several times: models that are loaded when a request wants them.

import { stat } from "node:fs/promises";
import { totalmem } from "node:os";
import { basename } from "node:path";
import type { LazyModel } from "../../../core/server/index.js";
import { isHubId } from "../../hub.js";
import { inspect, type LoadProgress, load, type OffloadedModel, type Source, ZagreusError } from "../../index.js";
import { BUNDLED } from "../shared/family.js";
import { loadOptions, type ModelFlags, openModel } from "../shared/model.js";
import { notice } from "../shared/output.js";
import { PHASE_TEXTS } from "../shared/progress.js";

const MIB = 2 ** 20;
/** Milliseconds between two lines about a loading. */
const PATIENCE_MS = 3_000;

/** A model of the command line, and what requests call it. */
export interface NamedModel {
  name: string | undefined;
  model: string;
}

/** Told of each model that was loaded, before anybody has it. */
export type OnLoad = (name: string, model: OffloadedModel) => Promise<void>;

/** NAME=MODEL, or a model alone. Names have no slash and no colon, since addresses and paths may have "=". */
export function parseNamed(text: string): NamedModel {
  const [, name, model] = /^([^=/\\:]+)=(.+)$/.exec(text) ?? [];
  return model === undefined ? { name: undefined, model: text } : { name, model };
}

/** What requests call a model that has no other name: as -m does, files without their folder and ".gguf". */
export function nameOf({ name, model }: NamedModel): string {
  if (name !== undefined) return name;
  if (model === BUNDLED || isHubId(model)) return model.replace(/^hf:/, "");
  return basename(model.replace(/[?#].*$/, "")).replace(/\.gguf$/i, "");
}

/** Bytes for all models: --memory, or half of what the machine has. */
export function memoryOf(mib: number | undefined): number {
  return mib === undefined ? Math.floor(totalmem() / 2) : mib * MIB;
}

/**
 * The models by their names.
 * @throws ZagreusError INVALID_OPTION for two of one name; what stat() throws for a file that is not there
 */
export async function lazyModels(
  models: readonly NamedModel[],
  flags: ModelFlags,
  onLoad: OnLoad,
): Promise<Record<string, LazyModel>> {
  const named: Record<string, LazyModel> = Object.create(null);
  for (const model of models) {
    const name = nameOf(model);
    if (name in named) {
      throw new ZagreusError("INVALID_OPTION", `two models are called ${JSON.stringify(name)}; give -m NAME=MODEL`);
    }
    if (isFile(model.model)) await stat(model.model);
    named[name] = lazyModel(name, { ...flags, model: model.model }, onLoad);
  }
  return named;
}

const isFile = (model: string) => model !== BUNDLED && !isHubId(model) && !/^\w+:\/\//.test(model);

function lazyModel(name: string, flags: ModelFlags, onLoad: OnLoad): LazyModel {
  let source: Source | undefined;
  let begun = 0;
  const options = loadOptions(flags);
  return {
    async measure(signal) {
      begun = performance.now();
      notice(`loading ${name}`);
      source = await openModel(flags, { signal, onProgress: progressLines(name) });
      const { plan } = await inspect(source, { ...options, signal });
      return plan.memory;
    },
    async load(signal) {
      const model = await load(source!, { ...options, offload: true, signal, onProgress: progressLines(name) });
      notice(`loaded ${name} in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
      await onLoad(name, model);
      const close = model.close.bind(model);
      model.close = () => {
        close();
        if (!signal.aborted) notice(`unloaded ${name}`);
      };
      return model;
    },
  };
}

/** Lines about a loading that takes its time. */
function progressLines(name: string) {
  let said = performance.now();
  return ({ phase, loadedBytes, totalBytes }: LoadProgress): void => {
    if (performance.now() - said < PATIENCE_MS) return;
    said = performance.now();
    const share = totalBytes === undefined ? "" : `, ${Math.floor((100 * loadedBytes) / totalBytes)} %`;
    notice(`${PHASE_TEXTS[phase]} ${name}: ${Math.round(loadedBytes / 1e6)} MB${share}`);
  };
}
