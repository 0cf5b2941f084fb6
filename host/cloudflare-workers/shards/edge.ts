// zagreus-edge/cloudflare-workers/edge: the Durable Object that has the edge of a model and answers as OpenAI's API does, and the Worker in
// front of it. It is an object because requests share passes: I/O of one must be the others' too.

import type { Model } from "../../core/api/api.js";
import { invalidOption, ZagreusError } from "../../core/api/errors.js";
import { ApiError } from "../../core/server/http/errors.js";
import { createServer, type Server, type ServerOptions } from "../../core/server/index.js";
import { MEMORY_BUDGET } from "../platform.js";
import type { EdgeBindings, ObjectState } from "./bindings.js";
import { apiKeys, TAKEN } from "./gateway.js";
import { openPart } from "./parts.js";
import { loadSharded } from "./sharding.js";
import { connectObject, type Socket, socketChannel } from "./socket.js";
import { isTaken, Tenancy } from "./tenancy.js";

export type { Model } from "../../core/api/api.js";
export { ZagreusError } from "../../core/api/errors.js";
export type { EdgeBindings, Namespace, ObjectState, PartBindings } from "./bindings.js";
export { type GatewayOptions, gateway } from "./gateway.js";

/** Options of a class that extends ShardedEdge. */
export interface EdgeOptions extends Omit<ServerOptions, "apiKeys" | "cors" | "memory" | "onRequest" | "page"> {
  /** Milliseconds without a request after which the shards' connections end: an object that has one is billed. Default: 10000. */
  idleMs?: number;
  /** Milliseconds after which a shard that does not answer is taken for lost. Default: 20000. */
  timeoutMs?: number;
  /** Milliseconds for which a lost shard is waited for. Default: 30000. */
  patienceMs?: number;
}

const IDLE_MS = 10_000;
const TIMEOUT_MS = 20_000;
const PATIENCE_MS = 30_000;
const RETRY = { "retry-after": "5" };

const tenancy = new Tenancy();

/** The edge of a model in shards. It loads with its first request. */
export class ShardedEdge {
  readonly #id: string;
  readonly #name: string;
  readonly #bindings: EdgeBindings;
  readonly #options: EdgeOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #loading: Promise<Model> | undefined;
  #requests = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;
  readonly #leave = () => {
    this.#server = undefined;
    this.#loading = undefined;
  };

  constructor(state: ObjectState, bindings: EdgeBindings, options: EdgeOptions = {}) {
    this.#id = String(state.id);
    this.#name = state.id.name ?? this.#id;
    this.#bindings = bindings;
    this.#options = options;
  }

  async fetch(request: Request): Promise<Response> {
    this.#server ??= this.#start();
    this.#begin();
    return this.#server.fetch(request, { client: request.headers.get("cf-connecting-ip") ?? "" });
  }

  /** Loaded once, for whoever comes. @throws ZagreusError as loadSharded() does */
  model(): Promise<Model> {
    this.#loading =
      this.#loading?.then(
        (model) => (model.closed ? this.#load() : model),
        () => this.#load(),
      ) ?? this.#load();
    return this.#loading;
  }

  #start(): Server {
    const { idleMs: _, timeoutMs: __, patienceMs: ___, ...options } = this.#options;
    const load = () =>
      this.model().catch((error) => {
        console.error(error);
        if (!(error instanceof ZagreusError)) throw error;
        const message = `the model cannot be loaded: ${error.message}`;
        throw new ApiError(503, message, { code: isTaken(error) ? TAKEN : "model_unavailable", headers: RETRY });
      });
    const keys = apiKeys(this.#bindings);
    const name = this.#bindings.MODEL ?? "default";
    const models = { [name]: { measure: async () => 0, load } };
    return createServer(models, { ...options, apiKeys: keys, onRequest: () => this.#end() });
  }

  async #load(): Promise<Model> {
    tenancy.claim(this.#id, this.#leave);
    const { source, parts, options } = await openPart(this.#bindings, 0);
    const { timeoutMs = TIMEOUT_MS, patienceMs = PATIENCE_MS } = this.#options;
    const connects = Array.from({ length: parts - 1 }, (_, i) => this.#connect(i + 1));
    return loadSharded(source, connects, { ...options, memoryBudget: MEMORY_BUDGET, timeoutMs, patienceMs });
  }

  /** To the shard's object of this object's name. */
  #connect(shard: number) {
    const binding = `SHARD_${shard}` as const;
    const namespace = this.#bindings[binding];
    if (!namespace) throw invalidOption(binding, namespace, "a binding of Durable Objects");
    return async () => {
      const socket = await connectObject(namespace, this.#name);
      this.#sockets.add(socket);
      socket.addEventListener("close", () => this.#sockets.delete(socket));
      return socketChannel(socket, () => tenancy.touch(this.#id));
    };
  }

  #begin(): void {
    this.#requests++;
    clearTimeout(this.#idle);
    tenancy.touch(this.#id);
  }

  /** With nobody there, shards and edge may go to sleep; who comes then connects again, and what is gone is run again. */
  #end(): void {
    tenancy.touch(this.#id);
    if (--this.#requests > 0) return;
    this.#idle = setTimeout(() => {
      tenancy.rest(this.#id);
      for (const socket of this.#sockets) socket.close(1000, "idle");
      this.#sockets.clear();
    }, this.#options.idleMs ?? IDLE_MS);
  }
}
