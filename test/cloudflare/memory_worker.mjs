// Loads the object of R2 that the address names, keeps the model, and answers with its plan. A second request to the same isolate is warm.

import { load, r2 } from "zagreus-edge/cloudflare-workers";

let model;

export default {
  async fetch(request, { MODELS }) {
    const { pathname, searchParams } = new URL(request.url);
    try {
      model ??= await load(r2(MODELS, pathname.slice(1)), { contextLength: Number(searchParams.get("context")) });
      const completion = model.complete("C'era una volta un re", { maxTokens: 8, temperature: 0 });
      const text = await completion.text();
      return Response.json({ text, plan: model.info.plan, build: model.info.build });
    } catch ({ code, message }) {
      return Response.json({ code, message });
    }
  },
};
