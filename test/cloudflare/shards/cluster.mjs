// A model in parts in workerd: the Workers that `zagreus shard` wrote, by their own configuration.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { bundle, here } from "../workerd.mjs";

export const KEY = "local";
/** All that a cluster takes. */
export const KEYS = [KEY, "one", "two", "three", "four", "five"];

/** Cuts a model, and returns what `zagreus shard --json` says. */
export function cut(model, directory, ...flags) {
  const command = [here("../../dist/cli.js"), "shard", model, "-o", directory, "--json", ...flags];
  return JSON.parse(
    execFileSync(process.execPath, command, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }),
  );
}

/** Its configuration as miniflare has it. @param entry instead of its own script */
async function worker(folder, entry) {
  const {
    name,
    compatibility_date,
    main,
    vars,
    durable_objects,
    services = [],
    assets,
  } = JSON.parse(readFileSync(join(folder, "wrangler.jsonc"), "utf8"));
  const objects = (durable_objects?.bindings ?? []).map(({ name, class_name: className, script_name: scriptName }) => [
    name,
    { className, scriptName, useSQLite: true },
  ]);
  return {
    name,
    compatibilityDate: compatibility_date,
    modules: await bundle(entry ?? join(folder, main)),
    bindings: { ...vars, ...(folder.endsWith("edge") && { API_KEYS: KEYS.join() }) },
    durableObjects: Object.fromEntries(objects),
    serviceBindings: Object.fromEntries(services.map(({ binding, service }) => [binding, service])),
    ...(assets && {
      assets: {
        directory: join(folder, assets.directory),
        binding: assets.binding,
        routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: assets.run_worker_first },
      },
    }),
  };
}

/**
 * Runs the Workers in `workers`, the gateway at its address.
 * @param entries by which scripts of edge and shards are replaced
 * @param change of a Worker's options
 */
export async function start(workers, { entries = {}, change = (same) => same, ...options } = {}) {
  const names = readdirSync(workers, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^(edge|shard-\d+|weights)$/.test(entry.name))
    .map(({ name }) => name)
    .sort(); // the edge first
  const all = names.map((name) => worker(join(workers, name), entries[name.replace(/-\d+$/, "")]));
  const miniflare = new Miniflare({ ...options, workers: (await Promise.all(all)).map(change) });
  const url = await miniflare.ready;
  return { miniflare, url, names };
}

/** Both, in a folder that goes with dispose(). */
export async function cluster(model, { flags = [], prepare = () => {}, ...options } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "zagreus-shards-"));
  const remove = () => rmSync(folder, { recursive: true });
  let plan;
  let started;
  try {
    plan = cut(model, folder, ...flags);
    prepare(plan.workers);
    started = await start(plan.workers, options);
  } catch (error) {
    remove();
    throw error;
  }
  return {
    ...started,
    plan,
    folder,
    configuration: readFileSync(join(plan.workers, "edge", "wrangler.jsonc"), "utf8"),
    post: (path, body, init = {}) =>
      fetch(new URL(path, started.url), {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
        ...init,
      }),
    async dispose() {
      await started.miniflare.dispose();
      remove();
    },
  };
}
