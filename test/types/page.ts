// A program of a page or of a worker: no types of Node's.

import { type Completion, load, type Model, ZagreusError } from "zagreus-edge";
import { type LanguageModel, languageModel } from "zagreus-edge/prompt-api";
import { quantize } from "zagreus-edge/quantize";
import { createServer } from "zagreus-edge/server";

const model: Model = await load("model.gguf", { kvType: "f32" });
const completion: Completion = model.complete("a", { maxTokens: 1 });
for await (const piece of completion) piece.text.trim();
const { tool_calls = [] } = await model.chat([{ role: "user", content: "a" }], { toolChoice: "auto" }).message();
export const names: string[] = tool_calls.map((call) => call.function.name);
export const answer: Promise<Response> = createServer(model).fetch(new Request("http://localhost/health"));
// @ts-expect-error an unknown option
model.complete("a", { temprature: 1 });
const { bytes, meanSquaredError } = await quantize("model", "model.gguf", { type: "q4_0", embedding: "q8_0" });
export const report: number = bytes * meanSquaredError;
export const isBudget = (error: unknown) => error instanceof ZagreusError && error.code === "OVER_BUDGET";
const Models = languageModel({ model: "smollm2", load: { contextLength: 2048 } });
const session: LanguageModel = await Models.create({
  monitor: (m) => m.addEventListener("downloadprogress", ({ loaded }) => loaded.toFixed()),
  initialPrompts: [{ role: "system", content: "Be brief." }],
});
const options = { responseConstraint: /yes|no/, signal: AbortSignal.timeout(1000) };
export const said: string = await session.prompt("Is it?", options);
for await (const text of session.promptStreaming([{ role: "user", content: "Why?" }])) said.concat(text);
session.oncontextoverflow = ({ target }) => target;
// @ts-expect-error an unknown role
session.append([{ role: "robot", content: "a" }]);
// @ts-expect-error a model is needed
languageModel({ template: "chatml" });
