// A program of Node's: no types of the DOM's.

import { bundledModel, load } from "zagreus-edge";

const model = await load(bundledModel);
model.close();
