// A program of Node's: no types of the DOM's.

import { bundledModel, load } from "zagreus-edge";
import { languageModel } from "zagreus-edge/prompt-api";

const model = await load(bundledModel);
const session = await languageModel({ model }).create();
export const answer: string = await session.prompt("a");
model.close();
