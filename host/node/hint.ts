// What a person may have meant by a path that cannot be read. Loaded when that happens.

import { readdir } from "node:fs/promises";
import { suggestName } from "../core/hub/id.js";
import { SHORT_NAMES } from "../core/hub/names.js";

/** A sentence to go on with, or nothing. */
export async function hintFor(path: string, error: unknown): Promise<string> {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EISDIR") return aboutFolder(path);
  if (code !== "ENOENT" || !/^[\w-]+(?:\.[\w-]+)?$/.test(path) || /\.(?:gguf|bin)$/i.test(path)) return "";
  const name = suggestName(path);
  if (name !== undefined) return `; did you mean ${name}?`;
  return `; short names are ${Object.keys(SHORT_NAMES).join(", ")}, other models of the hub hf:OWNER/REPO`;
}

async function aboutFolder(path: string): Promise<string> {
  const names = await readdir(path).catch(() => [] as string[]);
  if (names.includes("config.json") && names.some((name) => name.endsWith(".safetensors"))) {
    return ` with a checkpoint; zagreus quantize ${path} -t q4_0 -o model.gguf makes a model of it`;
  }
  const models = names.filter((name) => /\.gguf$/i.test(name));
  return models.length > 0 ? `; GGUF files in it: ${models.join(", ")}` : ", and has no model";
}

/**
 * A sentence to go on with where the environment names a proxy: whether fetch() has asked it. Deno and Bun do; Node does from 22.21 and
 * 24.5 on, when it is told to, which the command does itself where it can (cli/shared/proxy.ts).
 */
export function proxyHint(url: URL, runtime = process): string {
  try {
    return aboutProxy(url, runtime);
  } catch {
    return ""; // Deno may not be permitted to read the environment
  }
}

function aboutProxy(
  { protocol, hostname, port }: URL,
  { versions, env }: Pick<typeof process, "versions" | "env">,
): string {
  const own = `${protocol.slice(0, -1)}_proxy`;
  const name = [own, "all_proxy"].flatMap((name) => [name, name.toUpperCase()]).find((name) => env[name]);
  if (name === undefined || isExcepted(hostname, port, env.no_proxy ?? env.NO_PROXY ?? "")) return "";
  const asked = env.NODE_USE_ENV_PROXY && name.toLowerCase() === own;
  if (versions.bun ?? versions.deno ?? asked) return `; the proxy that ${name} names was asked`;
  return `; ${name} names a proxy, which Node asks only when ${own.toUpperCase()} names it and NODE_USE_ENV_PROXY=1 is set (Node 22.21, 24.5 or newer)`;
}

/** Whether NO_PROXY lists a host: "*", names, ".domain", with or without a port. */
function isExcepted(hostname: string, port: string, list: string): boolean {
  return list.split(/[\s,]+/).some((entry) => {
    const [, name = "", only] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase())!;
    if (name === "" || (only !== undefined && only !== port)) return false;
    const domain = name.replace(/^\*?\./, "");
    return name === "*" || hostname === domain || hostname.endsWith(`.${domain}`);
  });
}
