// How far a download is, as "downloadprogress" events
// (https://webmachinelearning.github.io/writing-assistance-apis/#supporting-creation).

import type { LoadProgress } from "../../api/api.js";
import type { CreateMonitor } from "../api/types.js";
import { EventHandler } from "./event_handler.js";

/** `loaded` is a multiple of 1 / STEPS. */
const STEPS = 0x10000;
const LEAST_MS = 50;

/** What ProgressEvent is, which not every runtime has. */
class OwnProgressEvent extends Event {
  readonly lengthComputable: boolean = true;
  readonly loaded: number;
  readonly total: number;

  constructor(type: string, { loaded, total }: { loaded: number; total: number }) {
    super(type);
    this.loaded = loaded;
    this.total = total;
  }
}

/** What `monitor` is given. */
class Monitor extends EventTarget {
  readonly #handler = new EventHandler(this, "downloadprogress");

  get ondownloadprogress(): ((event: Event) => unknown) | null {
    return this.#handler.value;
  }
  set ondownloadprogress(value: unknown) {
    this.#handler.value = value;
  }
}

/** Tells one call of create() how far its model is. */
export class ProgressReport {
  readonly monitor = new Monitor() as unknown as CreateMonitor;
  #last = -1;
  #lastAt = Number.NEGATIVE_INFINITY;
  #downloads = false;
  #ended = false;

  /** Takes what load() says. Reading what is here already counts as long as nothing has to be downloaded. */
  take({ phase, loadedBytes, totalBytes }: LoadProgress): void {
    if (phase === "download") this.#downloads = true;
    if (this.#downloads && phase !== "download") this.say(1);
    const counts = phase === "download" || (!this.#downloads && (phase === "weights" || phase === "header"));
    if (!counts || !totalBytes) return;
    const share = Math.min(loadedBytes / totalBytes, 1);
    const now = performance.now();
    if (share >= 1 || now - this.#lastAt < LEAST_MS) return; // 1 is for when all of it is here
    this.#lastAt = now;
    this.say(share);
  }

  /** An event, if this is news. */
  say(share: number): void {
    const loaded = Math.floor(share * STEPS) / STEPS;
    if (this.#ended || loaded <= this.#last) return;
    this.#last = loaded;
    const init = { lengthComputable: true, loaded, total: 1 };
    const event =
      typeof ProgressEvent === "undefined"
        ? new OwnProgressEvent("downloadprogress", init)
        : new ProgressEvent("downloadprogress", init);
    this.monitor.dispatchEvent(event);
  }

  /** No event follows. */
  end(): void {
    this.#ended = true;
  }
}
