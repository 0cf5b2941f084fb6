// A shard's Worker with what tests do to it: /test/kill, /test/stall, /test/slow, /test/fast, /test/still, /test/counts.

import { LayerShard } from "zagreus-edge/cloudflare-workers/shard";
import { stopClock } from "../clock.mjs";

const counts = { fetches: 0, messages: 0 };
/** Frames that do not go out. */
let stalled = 0;
/** Milliseconds that frames take to go out, so that there is a middle of a text. */
let delay = 0;

const Pair = globalThis.WebSocketPair;
globalThis.WebSocketPair = class {
  constructor() {
    const pair = new Pair();
    const [, socket] = Object.values(pair);
    const send = socket.send.bind(socket);
    socket.addEventListener("message", () => counts.messages++);
    let last = Promise.resolve();
    socket.send = (bytes) => {
      if (stalled > 0) stalled--;
      else if (delay === 0) send(bytes);
      else {
        const kept = bytes.slice(); // the channel frees what was sent
        last = last.then(() => new Promise((resolve) => setTimeout(resolve, delay))).then(() => send(kept));
      }
    };
    // biome-ignore lint/correctness/noConstructorReturn: it is workerd's
    return pair;
  }
};

export class Layers extends LayerShard {
  constructor(ctx, env) {
    super(ctx, env);
    this.ctx = ctx;
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/test/kill") this.ctx.abort("killed by a test");
    if (pathname === "/test/stall") stalled = 1;
    if (pathname === "/test/slow") delay = 8;
    if (pathname === "/test/fast") delay = 0;
    if (pathname === "/test/still") stopClock();
    if (pathname.startsWith("/test/")) return Response.json(counts);
    counts.fetches++;
    return super.fetch(request);
  }
}

export default { fetch: () => new Response(null, { status: 404 }) };
