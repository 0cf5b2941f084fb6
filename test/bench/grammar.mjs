// Measures what a constrained token costs on the Llama-3 vocabulary (128,256 tokens), beside the sampler's own work:
//
//     node test/bench/grammar.mjs [DECODE_MS]
//
// Texts that are valid for a schema are written again, token by token, and every mask is timed: in a first text of a grammar, when
// nothing is known of it yet, and in a second one. DECODE_MS (default 14) is the time of one token that shares are given of.

import { sources } from "../support/grammar_sources.mjs";
import { llama3 } from "../support/llama3_vocabulary.mjs";

const decodeMs = Number(process.argv[2] ?? 14);
const { createConstraint: steps, buildVocabulary, finish } = await sources();
const createConstraint = (format, vocabulary) => finish(steps(format, vocabulary));
const { texts, end } = llama3();
/** Processor time, so that a machine that is busy otherwise gives the same figures. */
const timed = (run) => {
  const begun = process.cpuUsage();
  const result = run();
  return [result, process.cpuUsage(begun).user / 1000];
};
const [vocabulary, vocabularyMs] = timed(() => finish(buildVocabulary(texts, end)));
console.log(
  `trie of ${vocabulary.size} tokens, ${vocabulary.trie.byte.length} nodes: ${vocabularyMs.toFixed(0)} ms, once per model`,
);

const ids = new Map(texts.map((text, id) => [String.fromCharCode(...text), id]).reverse());
const longest = texts.reduce((most, { length }) => Math.max(most, length), 0);
const mask = new Uint8Array((vocabulary.size + 7) >> 3);

console.log(
  "case                    tokens  prepare ms | first text: ms/token  worst  share | second: ms/token  worst  share",
);
let [allMs, allTokens] = [0, 0];
for (const [name, format, texts] of cases()) {
  const [, prepareMs] = timed(() => createConstraint(format, vocabulary));
  const [first, second] = [texts[0], texts[1]].map((text) => write(format, text));
  allMs += first.total + second.total;
  allTokens += first.tokens + second.tokens;
  const show = ({ total, tokens, worst }) =>
    `${(total / tokens).toFixed(3).padStart(9)} ${worst.toFixed(2).padStart(9)} ${percent(total / tokens)}`;
  console.log(
    `${name.padEnd(22)} ${String(first.tokens + second.tokens).padStart(7)} ${prepareMs.toFixed(1).padStart(11)} | ${show(first).padStart(27)} | ${show(second)}`,
  );
}
console.log(
  `all: ${(allMs / allTokens).toFixed(3)} ms per token, ${percent(allMs / allTokens).trim()} of ${decodeMs} ms`,
);

function percent(ms) {
  return `${((100 * ms) / decodeMs).toFixed(1)} %`.padStart(7);
}

/** Times the masks of a text; throws where a mask does not let the text go on. */
function write(format, text) {
  const constraint = createConstraint(format, vocabulary);
  const list = tokenize(text);
  const result = { total: 0, tokens: list.length, worst: 0 };
  list.forEach((token, i) => {
    const [, ms] = timed(() => {
      constraint.allow(mask, 1000);
    });
    const [, more] = timed(() => constraint.accept(token));
    if (!((mask[token >> 3] >> (token & 7)) & 1)) throw new Error(`${JSON.stringify(text)}: no token ${i}`);
    result.total += ms + more;
    result.worst = Math.max(result.worst, ms + more);
  });
  if (!constraint.complete) throw new Error(`${JSON.stringify(text)}: is not complete`);
  return result;
}

/** Always the longest token that fits. */
function tokenize(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  const tokens = [];
  for (let at = 0; at < bytes.length; ) {
    let length = Math.min(longest, bytes.length - at);
    while (!ids.has(bytes.slice(at, at + length))) length--;
    tokens.push(ids.get(bytes.slice(at, at + length)));
    at += length;
  }
  return tokens;
}

function cases() {
  const address = {
    type: "object",
    properties: { street: { type: "string" }, city: { type: "string" }, zip: { type: "string", pattern: "^\\d{5}$" } },
    required: ["street", "city", "zip"],
  };
  const person = {
    type: "object",
    properties: {
      name: { type: "string", maxLength: 80 },
      age: { type: "integer", minimum: 0, maximum: 130 },
      email: { type: "string", format: "email" },
      role: { enum: ["student", "teacher", "administrator"] },
      address,
      notes: { type: "array", items: { type: "string" } },
    },
    required: ["name", "age", "email", "role"],
  };
  const people = ["Maria Rossi", "Giovanni Battista Piranesi"].map((name, i) =>
    JSON.stringify({
      name,
      age: 31 + i,
      email: `${name.split(" ")[0].toLowerCase()}@example.it`,
      role: ["student", "teacher"][i],
      address: { street: "Via Garibaldi 12", city: "Reggio nell'Emilia", zip: "42121" },
      notes: ["Parla italiano e francese.", "È arrivata nel 2019, dopo gli studi a Bologna."],
    }),
  );
  const story =
    "C'era una volta un re che aveva tre figlie, e la più giovane era così bella che il sole stesso si meravigliava. ";
  const free = [0, 1].map((i) =>
    JSON.stringify({
      titolo: `La volpe ${i}`,
      tag: ["favola", "animali"],
      dati: { anno: 1890 + i, voti: [1.5, 2.25, -3e4], vero: true, autore: { nome: "Esopo", morto: null } },
      testo: story,
    }),
  );
  const call = (city) =>
    `<tool_call>\n{"name": "weather", "arguments": ${JSON.stringify({ city, days: 3 })}}\n</tool_call>`;
  const grammar = String.raw`root ::= "<tool_call>\n{\"name\": \"weather\", \"arguments\": " args "}\n</tool_call>"
args ::= "{\"city\":" str ",\"days\":" [0-9]{1,2} "}"
str ::= "\"" [^"\\\x00-\x1f]{1,60} "\""`;
  const json = (schema) => ({ type: "json_schema", schema });
  return [
    ["record", json(person), people],
    ["array of records", json({ type: "array", items: person }), people.map((text) => `[${text},${text},${text}]`)],
    ["json_object", { type: "json_object" }, free],
    [
      "long text",
      json({ type: "object", properties: { text: { type: "string" } } }),
      [4, 5].map((n) => JSON.stringify({ text: story.repeat(n) })),
    ],
    [
      "text, at most 1,000",
      json({ type: "string", maxLength: 1000 }),
      [3, 4].map((n) => JSON.stringify(story.repeat(n))),
    ],
    [
      "tool call, triggered",
      { type: "grammar", grammar, trigger: "<tool_call>" },
      ["Roma", "Reggio nell'Emilia"].map((city) => `Vediamo subito. ${call(city)}`),
    ],
  ];
}
