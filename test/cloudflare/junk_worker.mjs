// A Worker that is driven with junk.

import * as zagreus from "zagreus-edge/cloudflare-workers";
import { offencesOfEntry } from "../junk/junk.mjs";

export default {
  async fetch(_, { MODELS, ASSETS }) {
    const { assets, r2, ...entry } = zagreus;
    const source = r2(MODELS, "nano.gguf");
    const found = await offencesOfEntry(entry, source);
    for (const lazy of [r2, assets]) found.push(...(await offencesOfSource(lazy, lazy === r2 ? MODELS : ASSETS)));
    return Response.json(found);
  },
};

/** What r2() and assets() return is opened by load(). */
async function offencesOfSource(lazy, binding) {
  const load = (...args) => zagreus.load(lazy(...args));
  const { offences } = await import("../junk/junk.mjs");
  const settings = { right: { load: binding }, ZagreusError: zagreus.ZagreusError };
  return offences({ load }, ["load"], settings);
}
