// Rates texts from 0 to 5, each in a clone of one session, as a page would with the browser's own model. Arguments: the texts.

import { bundledModel } from "zagreus-edge";
import { languageModel } from "zagreus-edge/prompt-api";

const model = process.env.PROMPT_API_MODEL;
// The bundled model is a plaything that knows no conversations: any template will do.
const LanguageModel = languageModel(model ? { model } : { model: bundledModel, template: "chatml" });

const session = await LanguageModel.create({
  initialPrompts: [{ role: "system", content: "You rate what guests of a restaurant say." }],
  monitor(m) {
    m.addEventListener("downloadprogress", ({ loaded }) =>
      process.stderr.write(`\r${Math.floor(loaded * 100)} % loaded`),
    );
  },
});
process.stderr.write("\n");
const responseConstraint = {
  type: "object",
  properties: { rating: { type: "integer", minimum: 0, maximum: 5 } },
  required: ["rating"],
  additionalProperties: false,
};
for (const text of process.argv.slice(2)) {
  const fresh = await session.clone();
  const { rating } = JSON.parse(await fresh.prompt(text, { responseConstraint }));
  console.log(`${rating}  ${text}`);
  fresh.destroy();
}
session.destroy();
