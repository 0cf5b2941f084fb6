// Junk in Node, Deno and Bun, for an installed package; prints what is wrong, as JSON.

import * as zagreus from "zagreus-edge";
import { offencesOfEntry } from "./junk.mjs";

console.log(JSON.stringify(await offencesOfEntry(zagreus, zagreus.bundledModel)));
