// Files that are not there yet: each has a name that tells who is making it, so that the next run finds what a killed one has left.

import { createHash, randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

/** Names this process among all that may share a folder. */
export const OWNER = `${hostname()} ${process.pid}`;

/** Whether an owner is a process of this machine that has ended; false if that cannot be known. */
export function hasEnded(owner: string): boolean {
  const [host, pid] = owner.split(" ");
  return host === hostname() && isGone(Number(pid));
}

/** Whose file it is, in a name: processes of other machines, or containers, count their own. */
const HERE = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const TEMPORARY = /^\.(.+)\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part$/;

/** A name beside `path` for a file that will take its place. */
export function temporaryFor(path: string): string {
  const id = `${HERE}-${process.pid}-${randomUUID().slice(0, 8)}`;
  return join(dirname(path), `.${basename(path)}.${id}.part`);
}

/** The same, when what killed processes have left of files for `path` is removed. */
export async function freshTemporary(path: string): Promise<string> {
  await removeLeftovers(dirname(path), (name) => name === basename(path));
  return temporaryFor(path);
}

/** Removes temporary files that processes of this machine have left in a folder, if they were for one of these names. */
export async function removeLeftovers(folder: string, isFor: (name: string) => boolean): Promise<void> {
  const entries = await readdir(folder).catch(() => []);
  for (const entry of entries) {
    const [, name, host, pid] = TEMPORARY.exec(entry) ?? [];
    if (name === undefined || host !== HERE || !isFor(name) || !isGone(Number(pid))) continue;
    await rm(join(folder, entry), { force: true });
  }
}

function isGone(pid: number): boolean {
  if (!Number.isInteger(pid)) return false;
  try {
    process.kill(pid, 0); // asks, and sends nothing
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
