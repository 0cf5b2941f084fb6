// One author of hosts: a host is what its runtime supplies (Primitives), and all that follows from it is written here.

import type { Build, LoadOptions } from "../api/api.js";
import { object } from "../api/check.js";
import { part, ZagreusError } from "../api/errors.js";
import { checkLoadOptions, splitOffload } from "../api/options.js";
import type { AdapterOpener } from "../load/adapter_source.js";
import type { ByteSource } from "../load/source.js";
import { inspectModel, loadModel, type OpenAdapter, type Platform } from "../model/model.js";
import type { OffloadOptions } from "../offload/api.js";
import type { StartModelThread } from "../offload/load.js";
import { requireSimd } from "../wasm/capabilities.js";
import type { Inspect, Load } from "./api.js";

/** Beside the runtime's own, what a caller has brought along. */
export type Supplies = Partial<Pick<Platform, "module" | "builds" | "threads"> & { start: StartModelThread }>;

type Supplied = Platform & { start: StartModelThread | undefined };

/** What load() was given, checked by the host. */
export interface Prepared<Opened> {
  source: Opened;
  options: LoadOptions;
  supplies?: Supplies;
}

/** What a runtime supplies. `Source` is what load() takes, `Opened` what is left to open of it when its form is checked. */
export interface Primitives<Source, Options extends OffloadOptions, Opened = Source> extends Platform {
  /** @throws ZagreusError SOURCE_FAILED, INVALID_OPTION, ABORTED */
  open(source: Opened, options: LoadOptions): ByteSource | Promise<ByteSource>;
  /**
   * Checks the form of a source, and the options that only this host has. Absent where open() does, and there are none.
   * @throws ZagreusError INVALID_OPTION, SOURCE_FAILED
   */
  prepare?(source: Source, options: Options): Promise<Prepared<Opened>>;
  /** The files of a folder with an adapter of PEFT; undefined for what is none. Absent where there are no folders. */
  adapterFolder?: AdapterOpener["folder"];
  /** What the caller left open and this host knows better than the defaults. */
  defaults?(options: LoadOptions): LoadOptions;
  /** Where a model may live in a thread of its own. */
  modelThread?: {
    /** Starts a thread that calls serveModel(). */
    start: StartModelThread;
    /** Whether the thread opens the source itself; otherwise it is sent the bytes. */
    opens?(source: Opened): boolean;
  };
}

/** load() and inspect() of a runtime. */
export function createHost<Source, Options extends OffloadOptions, Opened = Source>(
  primitives: Primitives<Source, Options, Opened>,
): { load: Load<Source, Options>; inspect: Inspect<Source, Options> } {
  const adapterFiles: OpenAdapter = async (source, signal) => {
    const open = (place: string | URL) => primitives.open(place as unknown as Opened, { signal });
    const opener = { open, folder: primitives.adapterFolder };
    return (await part(import("../load/adapter_source.js"))).adapterFiles(source, opener, signal);
  };
  const platform: Platform = { ...primitives, module: compiledOnce(primitives.module), adapterFiles };
  const { modelThread, defaults = (options: LoadOptions) => options } = primitives;

  const prepare = async (source: Source, given: Options) => {
    requireSimd(primitives.probes?.simd); // before a core is compiled
    const unprepared: Prepared<Opened> = { source: source as unknown as Opened, options: given };
    const { supplies, ...prepared } = (await primitives.prepare?.(source, given)) ?? unprepared;
    return {
      source: prepared.source,
      options: defaults(checkLoadOptions(prepared.options)),
      supplied: { ...platform, start: modelThread?.start, ...supplies },
    };
  };
  const offloaded = async (source: Opened, options: LoadOptions, { start, module, builds }: Supplied) => {
    if (!start) throw noThread();
    const { loadOffloaded } = await part(import("../offload/load.js"));
    const sent = modelThread!.opens?.(source)
      ? { passed: source }
      : { open: (checked: LoadOptions) => primitives.open(source, checked) };
    return loadOffloaded({ start, module, builds, adapterFiles }, sent, options);
  };

  return {
    load: (async (source: Source, options = {} as Options) => {
      const { offload, rest } = splitOffload(options);
      const prepared = await prepare(source, rest as Options);
      if (offload) return offloaded(prepared.source, prepared.options, prepared.supplied);
      return loadModel((checked) => primitives.open(prepared.source, checked), prepared.options, prepared.supplied);
    }) as Load<Source, Options>,
    async inspect(source, options = {} as Options) {
      const prepared = await prepare(source, object(options, "options") as Options);
      return inspectModel((checked) => primitives.open(prepared.source, checked), prepared.options, prepared.supplied);
    },
  };
}

function noThread(): ZagreusError {
  const message = 'option "offload" cannot be true: this runtime has no threads that a model could live in';
  return new ZagreusError("UNSUPPORTED_RUNTIME", message, { field: "offload", value: true });
}

/** Compiles each build once; what failed is tried again. @throws ZagreusError SOURCE_FAILED */
function compiledOnce(compile: Platform["module"]): Platform["module"] {
  const modules = new Map<Build, Promise<WebAssembly.Module>>();
  return (build) => {
    const known = modules.get(build);
    if (known) return known;
    const compiled = compile(build).catch((cause) => {
      modules.delete(build);
      throw noCore(build, cause);
    });
    modules.set(build, compiled);
    return compiled;
  };
}

function noCore(build: Build, cause: unknown): ZagreusError {
  if (cause instanceof ZagreusError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ZagreusError("SOURCE_FAILED", `cannot load the core, build "${build}": ${reason}`, {
    field: "core",
    value: build,
    cause,
  });
}
