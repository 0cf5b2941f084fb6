// Saves a session, or restores the one that comes through standard input, and continues it. With the name of a folder it runs a prompt
// instead, of which the folder keeps the beginning. Prints JSON.

import { bundledModel, load } from "zagreus-edge";

const CONTINUE = { maxTokens: 16, temperature: 0.8, seed: 5 };

const [folder] = globalThis.Deno?.args ?? process.argv.slice(2);
if (folder) {
  await promptIn(folder);
  (globalThis.Deno ?? process).exit(0);
}
const model = await load(bundledModel);
const chunks = [];
for await (const chunk of globalThis.Deno?.stdin.readable ?? process.stdin) chunks.push(chunk);
const saved = await new Blob(chunks).text();
const session = saved === "" ? model.session() : await model.restore(bytesOf(saved));
if (saved === "") await session.complete("C'era una volta un re che aveva", { maxTokens: 40, seed: 3 }).text();
const snapshot = textOf(await session.save());
const completion = session.complete(" e disse alla regina", CONTINUE);
const text = await completion.text();
const { tokens, usage } = completion;
console.log(JSON.stringify({ snapshot, tokens, text, prefilledTokens: usage.prefilledTokens }));
model.close();

async function promptIn(folder) {
  const model = await load(bundledModel, { promptCache: { folder } });
  const prompt = Array.from({ length: 100 }, (_, i) => 300 + ((i * i * 31) % 7000));
  const completion = model.complete(prompt, { maxTokens: 8, temperature: 0 });
  const text = await completion.text();
  const { reusedTokens: reused } = completion.usage;
  while (reused === 0 && model.stats().promptCache.storedTokens < 96)
    await new Promise((resolve) => setTimeout(resolve, 5));
  console.log(JSON.stringify({ text, reused }));
}

function textOf(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
