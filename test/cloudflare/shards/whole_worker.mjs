// The same server on the whole model in one isolate, which workerd lets have the memory: what the pipeline is measured against.

import { load } from "zagreus-edge/cloudflare-workers";
import { createServer } from "zagreus-edge/server";

export class Whole {
  #server;

  constructor(_, env) {
    this.url = env.URL;
  }

  async fetch(request) {
    const options = { contextLength: 2048, sequences: 4, cacheBudget: 2 ** 28, memoryBudget: 2 ** 30 };
    this.#server ??= load(this.url, options).then(createServer);
    return (await this.#server).fetch(request);
  }
}

export default {
  fetch: (request, { WHOLE }) => WHOLE.get(WHOLE.idFromName("whole")).fetch(request),
};
