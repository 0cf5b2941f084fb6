// Pages of prompts as files of a folder, for Node, Deno and Bun.

import { mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { hubPaths } from "../../core/hub/settings.js";
import { isPageName, type PageFiles } from "../../core/kv/disk/page_files.js";
import { removeLeftovers, temporaryFor } from "./temporary.js";

const OWN_FILE = 0o600;
const OWN_FOLDER = 0o700;

/** Where prompts are kept if nobody says otherwise, beside the hub's cache. */
export const promptFolder = (): string => join(hubPaths(process.env, homedir(), join).assets, "zagreus", "prompts");

/** @param folder made when something is written */
export async function pageFiles(folder = promptFolder()): Promise<PageFiles> {
  const pathOf = (name: string) => join(folder, name);
  return {
    async list() {
      await removeLeftovers(folder, isPageName);
      const names = (await readdir(folder)).filter(isPageName);
      const files = names.map(async (name) => {
        const { size: bytes, mtimeMs: used } = await stat(pathOf(name));
        return { name, bytes, used };
      });
      return (await Promise.all(files.map((file) => file.catch(() => [])))).flat(); // some may be gone by now
    },
    read: (name, most) => orMissing(readBeginning(pathOf(name), most)),
    async write(name, bytes) {
      const temporary = temporaryFor(pathOf(name));
      const create = () => writeFile(temporary, bytes, { flag: "wx", mode: OWN_FILE });
      try {
        if ((await orMissing(create().then(() => true))) === undefined) {
          await mkdir(folder, { recursive: true, mode: OWN_FOLDER });
          await create();
        }
        await rename(temporary, pathOf(name));
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => {});
        throw error;
      }
    },
    async touch(name, used) {
      const time = new Date(used);
      return (await orMissing(utimes(pathOf(name), time, time).then(() => true))) ?? false;
    },
    remove: (name) => rm(pathOf(name), { force: true }),
  };
}

async function readBeginning(path: string, most: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(most);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(bytes, at, most - at);
      at += bytesRead;
      if (bytesRead === 0 || at === most) return bytes.subarray(0, at);
    }
  } finally {
    await file.close();
  }
}

async function orMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
