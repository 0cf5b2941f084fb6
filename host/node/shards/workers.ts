// Scripts and wrangler's configuration for a model in parts on Cloudflare: a folder for each part, and one that has all pieces as static
// assets, so that they are uploaded once and wrangler's local server, which knows one folder of assets, finds them.

import { existsSync } from "node:fs";
import { copyFile, link, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { invalidOption } from "../../core/api/errors.js";
import { MANIFEST, type Manifest } from "../../core/load/pieces.js";
import { SHARDS, type ShardsManifest } from "../../core/shard/manifest.js";
import { unwritten, writeAtomically } from "../files/output_file.js";

/** Beside the pieces. */
export const WORKERS = "workers";
const COMPATIBILITY_DATE = "2026-01-01";
const CPU_MS = 300_000; // of a request: the most that there is
const WRANGLER = "~4.86.0";

const importOf = (names: string, entry: string) =>
  `import { ${names} } from ${JSON.stringify(`zagreus-edge/cloudflare-workers/${entry}`)};`;

const EDGE_SCRIPT = `// The edge of the model, and the gateway in front of it. Options: ShardedEdge's constructor, gateway().

${importOf("gateway, ShardedEdge", "edge")}

export class Edge extends ShardedEdge {}

export default gateway();
`;
const SHARD_SCRIPT = `// Layers of the model, for its edge alone.

${importOf("LayerShard", "shard")}

export class Layers extends LayerShard {}

export default { fetch: () => new Response(null, { status: 404 }) };
`;
const WEIGHTS_SCRIPT = `// The pieces of the model, for its parts alone.

export default { fetch: (request, { ASSETS }) => ASSETS.fetch(request) };
`;

/** Workers that are there may have been edited. @throws ZagreusError INVALID_OPTION */
export function refuseWorkers(directory: string): void {
  const root = join(directory, WORKERS);
  if (existsSync(root))
    throw invalidOption("out", directory, `a folder without ${WORKERS}/, in which your changes may be`);
}

interface Written {
  /** With pieces, manifest.json and shards.json. */
  directory: string;
  manifest: Manifest;
  shards: ShardsManifest;
}

/**
 * Writes workers/ to the directory of the parts, which has none: weights, edge, shard-1, shard-2 ... and a package.json that starts and
 * deploys them.
 * @throws ZagreusError WRITE_FAILED, DISK_FULL
 */
export async function writeWorkers({ directory, manifest, shards }: Written, version: string): Promise<string> {
  const root = join(directory, WORKERS);
  const name = scriptName(manifest.name);
  const parts = shards.parts.map((_, i) => (i === 0 ? "edge" : `shard-${i}`));
  const model = join(root, "weights", "assets", "model");
  try {
    await mkdir(model, { recursive: true });
    for (const part of parts) await mkdir(join(root, part));
    for (const file of [MANIFEST, SHARDS, ...manifest.pieces.map(({ file }) => file)])
      await linkOrCopy(join(directory, file), join(model, file));
  } catch (cause) {
    throw unwritten(root, cause);
  }
  const write = (path: string, text: string) =>
    writeAtomically(join(root, path), (sink) => sink(new TextEncoder().encode(text)));
  const writeWorker = async (folder: string, script: string, configuration: object) => {
    await write(join(folder, "worker.js"), script);
    await write(join(folder, "wrangler.jsonc"), json({ ...SHARED, ...configuration }));
  };
  await writeWorker("weights", WEIGHTS_SCRIPT, weights(name));
  for (const [i, part] of parts.entries()) {
    if (i === 0) await writeWorker(part, EDGE_SCRIPT, edge(name, manifest.name, parts.slice(1)));
    else await writeWorker(part, SHARD_SCRIPT, shard(name, i));
  }
  await write(join("edge", ".dev.vars"), "API_KEYS=local\n");
  await write("package.json", json(packageOf(name, parts, version)));
  return root;
}

const SHARED = {
  $schema: "../node_modules/wrangler/config-schema.json",
  main: "worker.js",
  compatibility_date: COMPATIBILITY_DATE,
  minify: true,
};
const HIDDEN = { workers_dev: false, preview_urls: false };
const migrations = (className: string) => [{ tag: "v1", new_sqlite_classes: [className] }];
/** What edge and shards have. */
const object = (name: string) => ({
  limits: { cpu_ms: CPU_MS },
  services: [{ binding: "ASSETS", service: `${name}-weights` }],
});

const weights = (name: string) => ({
  name: `${name}-weights`,
  ...HIDDEN,
  assets: { directory: "assets", binding: "ASSETS", run_worker_first: true },
});

function edge(name: string, model: string, shards: readonly string[]) {
  const others = shards.map((part, i) => ({
    name: `SHARD_${i + 1}`,
    class_name: "Layers",
    script_name: `${name}-${part}`,
  }));
  return {
    name,
    ...object(name),
    vars: { MODEL: model.replace(/\.gguf$/i, "") },
    durable_objects: { bindings: [{ name: "EDGE", class_name: "Edge" }, ...others] },
    migrations: migrations("Edge"),
  };
}

function shard(name: string, part: number) {
  return {
    name: `${name}-shard-${part}`,
    ...HIDDEN,
    ...object(name),
    vars: { PART: part },
    durable_objects: { bindings: [{ name: "LAYERS", class_name: "Layers" }] },
    migrations: migrations("Layers"),
  };
}

function packageOf(name: string, [edge, ...shards]: readonly string[], version: string) {
  const configuration = (folder: string) => `-c ${folder}/wrangler.jsonc`;
  const bound = ["weights", ...shards]; // which must be there first
  return {
    name,
    private: true,
    type: "module",
    scripts: {
      start: `wrangler dev ${[edge!, ...bound].map(configuration).join(" ")}`,
      deploy: [...bound, edge!].map((folder) => `wrangler deploy ${configuration(folder)}`).join(" && "),
    },
    dependencies: { "zagreus-edge": `^${version}` },
    devDependencies: { wrangler: WRANGLER },
  };
}

/** As Cloudflare has them: at most 63 letters, digits and dashes, with room for "-shard-31". */
function scriptName(file: string): string {
  const plain = file
    .replace(/\.gguf$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 50);
  return plain.replace(/^-|-$/g, "") || "model";
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to)); // another file system, or none that links
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
