// What each target was made of, and of what it made: how a build knows what it may skip.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The records of the last builds, in a JSON file: by target its inputs, its outputs and one hash of all of them. */
export class Records {
  #path;
  #records;
  #digests = new Map();

  constructor(path) {
    this.#path = path;
    try {
      this.#records = JSON.parse(readFileSync(path, "utf8"));
    } catch {
      this.#records = {}; // nothing was built yet, or not by this script
    }
  }

  /** Whether a target's outputs are there and as its inputs and settings would make them again. */
  isFresh({ name, settings }) {
    const record = this.#records[name];
    return record !== undefined && record.hash === this.#hash(settings(), record);
  }

  /**
   * Records what `target`, begun at the time `started` (ms), was made of. Removes what it made before and no longer
   * does. A source that was saved meanwhile leaves no record: the target may be older than it.
   */
  add({ name, settings }, started, { inputs, outputs }) {
    const record = { inputs: sorted(inputs), outputs: sorted(outputs) };
    for (const path of this.#records[name]?.outputs ?? []) {
      if (!record.outputs.includes(path)) rmSync(path, { force: true });
    }
    for (const path of record.outputs) this.#digests.delete(path);
    delete this.#records[name];
    if (record.inputs.some((path) => statSync(path).mtimeMs > started)) return;
    this.#records[name] = { ...record, hash: this.#hash(settings(), record) };
  }

  save() {
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(this.#path, JSON.stringify(this.#records));
  }

  #hash(settings, { inputs, outputs }) {
    const files = [...inputs, ...outputs].map((path) => [path, this.#digest(path)]);
    return sha256(JSON.stringify([settings, files]));
  }

  #digest(path) {
    let digest = this.#digests.get(path);
    if (digest === undefined) {
      digest = digestOf(path);
      this.#digests.set(path, digest);
    }
    return digest;
  }
}

const sorted = (paths) => [...new Set(paths)].sort();
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

function digestOf(path) {
  try {
    return sha256(readFileSync(path));
  } catch {
    return "missing";
  }
}
