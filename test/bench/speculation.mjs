// Measures decoding with promptLookup beside decoding without:
//
//     node test/bench/speculation.mjs [MODEL] [--build B] [--threads N] [--tokens N] [--repetitions N]
//
// A model of random weights copies nothing. So the text is given: every pass, every projection and every sampling is
// computed as always, and only then the token that was picked is replaced by the next one of a real text. Acceptance is
// thus that of real texts under a model that would write just them; speed is that of the model at hand.
// Without MODEL the bundled model also writes for itself.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: "string" },
    threads: { type: "string" },
    tokens: { type: "string", default: "128" },
    repetitions: { type: "string", default: "3" },
  },
});
const limit = Number(values.tokens);

/** Tokens of the whole text while it is given. */
let teacher;
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (module, imports) => {
  const { exports } = await instantiate(module, imports);
  let [position, first] = [0, 0];
  const taught = {
    forward(count, at) {
      position = at;
      return exports.forward(count, at);
    },
    beginForward(count) {
      position = new Uint32Array(exports.memory.buffer, exports.runs(), 2)[1];
      return exports.beginForward(count);
    },
    logits(from, count) {
      first = from;
      return exports.logits(from, count);
    },
    sample(row) {
      const token = exports.sample(row);
      return teacher?.[position + first + row + 1] ?? token;
    },
  };
  return { exports: { ...exports, ...taught } };
};

const { bundledModel, load } = await import("../../dist/index.js");
const model = await load(positionals[0] ?? bundledModel, {
  build: values.build,
  threads: values.threads && Number(values.threads),
});

const size = Math.min(1200, Math.floor(0.6 * model.info.contextLength)); // characters of a prompt
const fixture = (name) => readFileSync(new URL(`../fixtures/text/${name}.txt`, import.meta.url), "utf8");
const [italian, english] = [fixture("held-ita"), fixture("held-eng")];
const code = readFileSync(new URL("../../host/core/engine/queue.ts", import.meta.url), "utf8").slice(0, size);
const article = italian.slice(20_000, 20_000 + size);
const names = [...new Set(article.match(/\b\p{Lu}\p{L}{3,}/gu))];
const edited = names.reduce((text, name, i) => text.replaceAll(name, `Nome${i}`), article);
const prose = (name, text) => ({
  name: `prose: ${name}`,
  prompt: text.slice(40_000, 40_000 + size),
  answer: text.slice(40_000 + size, 40_000 + 3 * size),
});

/** prompt, and the answer that is given; without one the model writes for itself. */
const cases = [
  { name: "copy: an article word for word", prompt: `${article}\n\nRipeti il testo.\n\n`, answer: article },
  { name: "copy: with other names", prompt: `${article}\n\nCambia i nomi.\n\n`, answer: edited },
  {
    name: "copy: code, one name changed",
    prompt: `${code}\n\nRename waiting to pending.\n\n`,
    answer: code.replaceAll("waiting", "pending"),
  },
  prose("Italian", italian),
  prose("English", english),
];
if (!positionals[0]) {
  const { prompt } = prose("", italian);
  cases.push(
    { name: "the bundled model, greedy (it loops)", prompt },
    { name: "the bundled model, sampled", prompt, sampled: true },
  );
}

async function run({ prompt, answer, sampled }, promptLookup) {
  const tokens = model.tokenize(prompt);
  teacher = answer && [...tokens, ...model.tokenize(answer, { bos: false })];
  const room = model.info.contextLength - tokens.length;
  const completion = model.complete(tokens, {
    maxTokens: Math.min(limit, room, teacher ? teacher.length - tokens.length : limit),
    ...(sampled ? { temperature: 0.8, seed: 1 } : { temperature: 0, repetitionPenalty: 1 }),
    promptLookup,
  });
  await completion.text();
  const { timings } = completion;
  return { tokens: completion.tokens, ...timings };
}

const { build, threads, quantization } = model.info;
console.log(`${positionals[0] ?? "zagreus-nano"}, ${quantization}, ${build}, ${threads} thread(s), ${process.version}`);
for (const one of cases) {
  let [off, on] = [0, 0];
  let accepted = "";
  let count = 0;
  await run(one, true);
  for (let i = 0; i < Number(values.repetitions); i++) {
    const plain = await run(one, false);
    const guessed = await run(one, true);
    if (String(plain.tokens) !== String(guessed.tokens)) throw new Error(`${one.name}: other tokens`);
    off = Math.max(off, plain.decodeTokensPerSecond);
    on = Math.max(on, guessed.decodeTokensPerSecond);
    accepted = `${guessed.acceptedTokens}/${guessed.proposedTokens}`;
    count = guessed.tokens.length;
  }
  const speeds = `${off.toFixed(1).padStart(7)} -> ${on.toFixed(1).padStart(7)} tok/s`;
  console.log(`${one.name.padEnd(38)} ${speeds}  x${(on / off).toFixed(2)}  ${accepted} accepted, ${count} tokens`);
}
model.close();
