// Prints the report of suite.mjs: run.mjs MODEL

import * as promptApi from "zagreus-edge/prompt-api";
import { runPromptApi } from "./suite.mjs";

const [model] = globalThis.Deno?.args ?? process.argv.slice(2);
console.log(JSON.stringify(await runPromptApi({ ...promptApi, model, load: { threads: 1 } })));
