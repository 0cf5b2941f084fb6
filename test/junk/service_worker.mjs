// A service worker that is driven with junk, for test/browser/junk.test.mjs.

import * as zagreus from "../../dist/browser-service-worker.js";
import { offencesOfEntry } from "./junk.mjs";

addEventListener("message", async ({ data, source }) => {
  const right = { removeCachedModel: "/none.gguf" };
  source.postMessage(await offencesOfEntry(zagreus, data, right).catch((error) => [String(error)]));
});
