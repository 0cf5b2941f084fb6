// Whether what load() takes in Node is here.

import { stat } from "node:fs/promises";
import { isHubId } from "../core/hub/names.js";
import type { Availability } from "../core/prompt_api/api/types.js";
import type { Source } from "./source.js";

/** Asks the disk, and nobody else. */
export async function availabilityOf(source: Source): Promise<Availability> {
  if (typeof source === "string" && isHubId(source)) {
    const { hubPath } = await import("./hub.js");
    return (await hubPath(source)) === undefined ? "downloadable" : "available";
  }
  if (typeof source !== "string" && !(source instanceof URL)) return "available";
  const place = typeof source === "string" && /^file:/i.test(source) ? new URL(source) : source;
  if (/^https?:/i.test(`${place}`)) return "downloadable";
  if (/^(data|blob):/i.test(`${place}`)) return "available";
  return stat(place).then(
    () => "available",
    () => "unavailable",
  );
}
