// A service worker with the package, for policies.test.mjs.

import { load } from "../../dist/browser-service-worker.js";

addEventListener("message", async ({ data, source }) => {
  try {
    const model = await load(data);
    source.postMessage([model.info.threads, await model.complete("C'era", { maxTokens: 3 }).text()]);
    model.close();
  } catch (error) {
    source.postMessage([`${error.code} ${error.message}`, ""]);
  }
});
