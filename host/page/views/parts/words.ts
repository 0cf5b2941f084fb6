// What is said of things in several places.

import type { LoadProgress } from "../../../core/api/api.js";
import { printable } from "../../../core/api/printable.js";
import { megabytes, say } from "../../text/say.js";

const LONGEST = 60;

/** A name that a file or a network gave, fit to be shown. */
export function nameFor(name: string): string {
  const clean = printable(name);
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)}…` : clean;
}

export function phaseFor(progress: LoadProgress | undefined): string {
  if (!progress) return say("starting");
  const { phase, loadedBytes, totalBytes } = progress;
  return say(`${phase}Phase`, { loaded: megabytes(loadedBytes), total: megabytes(totalBytes) });
}
