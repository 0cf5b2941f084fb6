// One process at a time downloads a blob. No lock of the operating system is at hand, so every process that wants one
// puts up a claim, a file of its own, and has the lock if it then sees no other:
//
//     .locks/models--o--r/<oid>.1f3c….claim      contains HOST PID
//
// Of two that put up claims at once at least one sees the other and steps back. A claim has a name that nobody else
// will ever use, so whoever finds it abandoned can remove it, and never removes a fresh one instead. (The <oid>.lock
// of Python's huggingface_hub is locked by flock(), which Node has not. It does not matter: partial files are not
// shared with other tools, and blobs appear whole.)

import { pause } from "./http.js";
import type { HubFiles } from "./platform.js";

const SUFFIX = ".claim";
/** A claim that nobody has touched for this long is abandoned, whoever's it is. */
const LEASE_MS = 300_000;
const TOUCH_MS = 10_000;
const POLL_MS = 100;

export interface Lock {
  /** Call more often than every few minutes. False when the lock was lost because that did not happen. */
  renew(): Promise<boolean>;
}

/**
 * Runs `work` while this process has the lock `name` in `folder`.
 * @param onWait called once if another process has it
 * @throws ZagreusError ABORTED, and what `work` throws
 */
export async function withLock<T>(
  files: HubFiles,
  folder: string,
  name: string,
  signal: AbortSignal | undefined,
  onWait: () => void,
  work: (lock: Lock) => Promise<T>,
): Promise<T> {
  const mine = `${name}.${crypto.randomUUID()}${SUFFIX}`;
  const path = files.join(folder, mine);
  const others = async () => {
    const names = (await files.list(folder)).filter((entry) => entry.startsWith(`${name}.`) && entry.endsWith(SUFFIX));
    const alive = names.map(async (entry) => entry !== mine && (await isAlive(files, files.join(folder, entry))));
    return (await Promise.all(alive)).includes(true);
  };
  for (let waited = false; ; ) {
    if (!(await others())) {
      await files.writeText(path, files.owner);
      try {
        if (!(await others())) return await work({ renew: renewal(files, path) });
      } finally {
        await files.remove(path);
      }
    }
    if (!waited) onWait();
    waited = true;
    await pause(POLL_MS * (1 + Math.random()), signal);
  }
}

function renewal(files: HubFiles, path: string): () => Promise<boolean> {
  let touched = Date.now();
  return async () => {
    if (Date.now() - touched < TOUCH_MS) return true;
    touched = Date.now();
    return files.touch(path);
  };
}

/** Removes the claim if it is abandoned. */
async function isAlive(files: HubFiles, path: string): Promise<boolean> {
  const age = await files.age(path);
  if (age === undefined) return false;
  const owner = await files.readText(path);
  if (owner === undefined) return false;
  if (age < LEASE_MS && !(await files.hasEnded(owner))) return true;
  await files.remove(path);
  return false;
}
