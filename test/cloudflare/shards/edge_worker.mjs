// The edge's Worker with what tests ask of it: /test/logits, and /test/PART/kill, /test/PART/counts ... of edge, SHARD_1, SHARD_2 ...

import { gateway, ShardedEdge } from "zagreus-edge/cloudflare-workers/edge";
import { stopClock } from "../clock.mjs";
import { logitsOf } from "./logits.mjs";

const counts = { fetches: 0, subrequests: 0, calls: 0 };

/** Counts what is asked of objects: fetch(), and calls. */
const counted = (namespace) => ({
  idFromName: (name) => namespace.idFromName(name),
  get: (id) =>
    new Proxy(namespace.get(id), {
      get(stub, property) {
        if (property !== "fetch") counts.calls++;
        else counts.subrequests++;
        const value = stub[property];
        return typeof value === "function" ? value.bind(stub) : value;
      },
    }),
});

export class Edge extends ShardedEdge {
  constructor(ctx, env) {
    const shards = Object.entries(env).filter(([name]) => name.startsWith("SHARD_"));
    const own = Object.fromEntries(shards.map(([name, namespace]) => [name, counted(namespace)]));
    super(ctx, { ...env, ...own }, { timeoutMs: env.TIMEOUT_MS, idleMs: 700, maxQueue: 24, onError: () => {} });
    this.ctx = ctx;
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/test/still") stopClock();
    if (["/test/counts", "/test/still"].includes(pathname)) return Response.json(counts);
    if (pathname === "/test/kill") this.ctx.abort("killed by a test");
    if (pathname === "/test/logits") return Response.json(await logitsOf(await this.model()));
    counts.fetches++;
    return super.fetch(request);
  }
}

const gateways = [gateway(), gateway({ sets: 2 })];

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/test/other")
      return env.EDGE.get(env.EDGE.idFromName("set-1")).fetch("http://test/v1/completions", request);
    const [, part, what] = /^\/test\/(\w+)\/(\w+)$/.exec(pathname) ?? [];
    if (!part) return gateways[Number(request.headers.has("x-test-sets"))].fetch(request, env);
    const namespace = env[part];
    return namespace.get(namespace.idFromName("set-0")).fetch(`http://test/test/${what}`);
  },
};
