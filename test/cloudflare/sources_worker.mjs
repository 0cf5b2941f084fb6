// Loads from what the address names, and says how it went: /r2/KEY, /assets/FOLDER, /url?URL, /broken/r2, /broken/assets.

import { assets, inspect, load, r2 } from "zagreus-edge/cloudflare-workers";

const rejecting = () => Promise.reject(new Error("connection lost"));
/** Half of an object, then nothing more, or an error. */
const half = (object, end) => {
  const { readable, writable } = new FixedLengthStream(object.size);
  const cut = async () => {
    const writer = writable.getWriter();
    await writer.write(new Uint8Array(await object.arrayBuffer()).subarray(0, object.size / 2));
    if (end) await writer.abort(new Error("connection lost"));
  };
  cut().catch(() => {});
  return { size: object.size, body: readable };
};

function source(path, search, { MODELS, ASSETS }) {
  const [, kind, name] = /^\/(\w+)\/(.*)$/.exec(path);
  const broken = {
    r2: () => r2({ get: rejecting }, "nano.gguf"),
    assets: () => assets({ fetch: rejecting }, "/model"),
    cut: () => r2({ get: async (key) => half(await MODELS.get(key), true) }, "nano.gguf"),
    stalled: () => r2({ get: async (key) => half(await MODELS.get(key), false) }, "nano.gguf"),
  };
  return {
    r2: () => r2(MODELS, name),
    assets: () => assets(ASSETS, `/${name}`),
    url: () => search.slice(1),
    broken: () => broken[name](),
  }[kind]();
}

export default {
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    try {
      const signal = AbortSignal.timeout(pathname.endsWith("stalled") ? 300 : 30_000);
      const model = await load(source(pathname, search, env), { signal });
      const text = await model.complete("C'era una volta", { maxTokens: 4, temperature: 0 }).text();
      model.close();
      const { plan } = await inspect(source(pathname, search, env));
      return Response.json({ text, planned: plan.memory });
    } catch (error) {
      const { name, code, message, field } = error;
      return Response.json({ name, code, message, field });
    }
  },
};
