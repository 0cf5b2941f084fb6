// The report in Node, Bun and Deno, for an installed package: PATH of the model, JSON file of the goldens. Prints JSON.

import { readFileSync } from "node:fs";
import { load } from "zagreus-edge";
import { reportOf } from "./suite.mjs";

const { Deno, Bun } = globalThis;
const [file, goldens] = Deno?.args ?? process.argv.slice(2);
const runtime = Deno ? `Deno ${Deno.version.deno}` : Bun ? `Bun ${Bun.version}` : `Node ${process.versions.node}`;
const { chats, texts } = JSON.parse(readFileSync(goldens, "utf8"));
console.log(JSON.stringify(await reportOf({ runtime, load, source: () => file, chats, texts })));
