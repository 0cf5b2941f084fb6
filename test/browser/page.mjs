// The tests' page: the package and the suite as globals for page.evaluate(), whose code Vitest would transform.

import * as zagreus from "../../dist/browser.js";
import * as shards from "../../dist/shards-browser.js";
import { offencesOfEntry } from "../junk/junk.mjs";
import { runSuite } from "../runtimes/suite.mjs";
import { reportOf } from "../smollm2/suite.mjs";

Object.assign(globalThis, { zagreus, shards, runSuite, reportOf, offencesOfEntry });

/** The code of the error that `run` ends with. */
globalThis.codeOf = async (run) => {
  try {
    await run();
  } catch (error) {
    return error instanceof zagreus.ZagreusError ? error.code : `${error}`;
  }
  return "no error";
};
