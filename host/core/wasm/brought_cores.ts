// Cores that a caller brings along, instead of those beside the package's script. Loaded when there are some.

import type { Build } from "../api/api.js";
import type { CoreAsset, CoreAssets } from "../api/assets.js";
import { invalidOption, ZagreusError } from "../api/errors.js";
import { isObject } from "../api/is_object.js";
import { BUILDS } from "../api/names.js";

export interface BroughtCores {
  builds: readonly Build[];
  module(build: Build): Promise<WebAssembly.Module>;
}

/** Of the library; host/build labels the cores with theirs. */
declare const ZAGREUS_VERSION: string;
const LABEL = "zagreus-edge";
const FIELD = "assets.core";

/** What the runtime reads an address with. @throws ZagreusError INVALID_OPTION for `field` */
export type ReadAsset = (place: string | URL, field: string) => () => Promise<Uint8Array | ArrayBuffer>;

/** Files of a folder that has all under their own names, as dist/. @throws ZagreusError INVALID_OPTION */
export function filesIn(folder: URL): (name: string) => URL {
  const path = folder.pathname.replace(/\/*$/, "/");
  try {
    const base = new URL(path, folder);
    return (name) => new URL(name, base);
  } catch {
    throw invalidOption("assets", folder.href, "the address of a folder");
  }
}

/** All cores of such a folder. */
export function coresIn(place: (name: string) => URL): Record<Build, URL> {
  const entries = BUILDS.map((build) => [build, place(`zagreus-${build}.wasm`)] as const);
  return Object.fromEntries(entries) as Record<Build, URL>;
}

/**
 * Checks what was brought. A single core is compiled to see which build it is.
 * @throws ZagreusError INVALID_OPTION, and SOURCE_FAILED for what cannot be read or compiled
 */
export async function bringCores(core: CoreAssets, read: ReadAsset): Promise<BroughtCores> {
  if (isCore(core)) {
    const module = await compiler(core, FIELD, read)();
    return among(new Map([[buildOf(module, FIELD), async () => module]]));
  }
  if (!isObject(core))
    throw invalidOption(FIELD, core, "a URL, bytes, a WebAssembly.Module, or some of these by build");
  const compilers = new Map<Build, () => Promise<WebAssembly.Module>>();
  for (const [build, asset] of Object.entries(core) as [Build, unknown][]) {
    const field = `${FIELD}.${build}`;
    if (!BUILDS.includes(build)) throw invalidOption(FIELD, build, `by the builds ${BUILDS.join(", ")}`);
    if (asset === undefined) continue;
    compilers.set(build, compiler(checkCore(asset, field), field, read));
  }
  if (compilers.size === 0) throw invalidOption(FIELD, core, "one core at least");
  return among(compilers);
}

function among(compilers: ReadonlyMap<Build, () => Promise<WebAssembly.Module>>): BroughtCores {
  const builds = [...compilers.keys()];
  return {
    builds,
    async module(build) {
      const compile = compilers.get(build);
      if (!compile) throw invalidOption("build", build, `${builds.join(" or ")}, which "${FIELD}" has`);
      const module = await compile();
      const labelled = buildOf(module, `${FIELD}.${build}`);
      if (labelled !== build) throw invalidOption(`${FIELD}.${build}`, labelled, build);
      return module;
    },
  };
}

/** @throws ZagreusError INVALID_OPTION */
export function checkCore(value: unknown, field: string): CoreAsset {
  if (isCore(value)) return value;
  throw invalidOption(field, value, "a URL, bytes or a WebAssembly.Module");
}

const tagOf = (value: unknown) => Object.prototype.toString.call(value); // of other realms, too
const isCompiled = (value: unknown) => tagOf(value) === "[object WebAssembly.Module]";
const isBytes = (value: unknown) => value instanceof Uint8Array || tagOf(value) === "[object ArrayBuffer]";
const isPlace = (value: unknown): value is string | URL => typeof value === "string" || value instanceof URL;
const isCore = (value: unknown): value is CoreAsset => isPlace(value) || isBytes(value) || isCompiled(value);

/** What was compiled, by its address. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();

function compiler(core: CoreAsset, field: string, read: ReadAsset): () => Promise<WebAssembly.Module> {
  if (isCompiled(core)) return async () => core as WebAssembly.Module;
  if (!isPlace(core)) return () => compile(async () => core as ArrayBuffer, field);
  const open = read(core, field);
  return () => {
    const name = String(core);
    const known = compiled.get(name) ?? compile(open, name);
    compiled.set(name, known);
    known.catch(() => compiled.delete(name)); // what failed is tried again
    return known;
  };
}

/** @throws ZagreusError SOURCE_FAILED */
async function compile(read: () => Promise<Uint8Array | ArrayBuffer>, name: string): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile((await read()) as ArrayBuffer);
  } catch (cause) {
    if (cause instanceof ZagreusError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `cannot load the core from ${name}: ${reason}`;
    throw new ZagreusError("SOURCE_FAILED", message, { field: FIELD, value: name, cause });
  }
}

/** @throws ZagreusError INVALID_OPTION for a module that is no core of this version */
function buildOf(module: WebAssembly.Module, field: string): Build {
  const [section] = WebAssembly.Module.customSections(module, LABEL);
  const [version, build] = new TextDecoder().decode(section).split(" ");
  if (!section) throw invalidOption(field, "another module", `a core of zagreus-edge ${ZAGREUS_VERSION}`);
  if (version !== ZAGREUS_VERSION) throw invalidOption(field, `version ${version}`, `version ${ZAGREUS_VERSION}`);
  return build as Build;
}
