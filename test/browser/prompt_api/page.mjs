// A page with the Prompt API as globals for page.evaluate(), whose code Vitest would transform.

import * as promptApi from "../../../dist/prompt-api-browser.js";
import { runPromptApi } from "../../runtimes/prompt_api/suite.mjs";

Object.assign(globalThis, { promptApi, runPromptApi });
