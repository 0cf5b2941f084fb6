// Loads the model that the argument names, and answers one message with it.

import { load } from "zagreus-edge";

const phases = new Set();
const model = await load(process.argv[2], { onProgress: ({ phase }) => phases.add(phase) });
const text = await model.chat([{ role: "user", content: "Ciao" }], { maxTokens: 12, temperature: 0 }).text();
console.log(
  JSON.stringify({ text, phases: [...phases], name: model.info.name, quantization: model.info.quantization }),
);
model.close();
