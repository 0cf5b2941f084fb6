// The report in a Worker, of the model in R2.

import { load, r2 } from "zagreus-edge/cloudflare-workers";
import { cases } from "../fixtures/chat/smollm2.json";
import { texts } from "../fixtures/smollm2/tokenizer.json";
import { reportOf } from "./suite.mjs";

export default {
  async fetch(_, { MODELS, RUNTIME, CHATS }) {
    const report = await reportOf({
      runtime: RUNTIME,
      load,
      source: () => r2(MODELS, "smollm2.gguf"),
      chats: CHATS.map((i) => cases[i]),
      texts,
      options: { memoryBudget: 400e6 }, // no isolate of Cloudflare's has that: isolate.test.mjs says what fits there
    });
    return Response.json(report);
  },
};
