// A service worker with the Prompt API: it may import() nothing later, so that the model comes from the package in one file.

import { load } from "../../../dist/browser-service-worker.js";
import * as promptApi from "../../../dist/prompt-api-browser.js";
import { runPromptApi } from "../../runtimes/prompt_api/suite.mjs";

addEventListener("message", async ({ data, source }) => {
  const loaded = await load(data);
  try {
    source.postMessage(await runPromptApi({ ...promptApi, model: loaded }));
  } catch (error) {
    source.postMessage(`${error.stack}`);
  }
  loaded.close();
});
