// zagreus-edge/cloudflare-workers/shard: the Durable Object of a script that has layers of a model. Every shard is a script of its own,
// because objects of one class, and classes of one script, may share an isolate and its 128 MB.

import { refuse, type Shard } from "../../core/shard/shard.js";
import { MEMORY_BUDGET } from "../platform.js";
import type { ObjectState, ShardBindings } from "./bindings.js";
import { openPart } from "./parts.js";
import { loadShard } from "./sharding.js";
import { acceptSocket, type Socket, socketChannel } from "./socket.js";
import { Tenancy } from "./tenancy.js";

export { ZagreusError } from "../../core/api/errors.js";
export type { Namespace, ObjectState, PartBindings, ShardBindings } from "./bindings.js";

const tenancy = new Tenancy();
/** Loaded once: the isolate, and the memory in it, outlives objects. */
let resident: Shard | undefined;

/** Layers of a model, for the edge that connects by WebSocket. It loads when somebody does, and tells what goes wrong over it. */
export class LayerShard {
  readonly #id: string;
  readonly #bindings: ShardBindings;
  #loading: Promise<Shard> | undefined;
  #served = 0;
  readonly #leave = () => {
    this.#loading = undefined;
  };

  constructor(state: ObjectState, bindings: ShardBindings) {
    this.#id = String(state.id);
    this.#bindings = bindings;
  }

  async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") !== "websocket")
      return new Response("a WebSocket is wanted, of the edge of this model\n", { status: 426 });
    const { socket, response } = acceptSocket();
    this.#serve(socket).catch((error) => console.error(error));
    return response;
  }

  async #serve(socket: Socket): Promise<void> {
    const channel = socketChannel(socket, () => tenancy.touch(this.#id));
    this.#served++;
    try {
      const shard = await this.#shard().catch(async (error) => {
        await refuse(channel, error);
        throw error;
      });
      await shard.serve(channel);
    } finally {
      if (--this.#served === 0) tenancy.rest(this.#id);
    }
  }

  /** Those who come while it is loaded wait for the same. After a failure the next one tries again. */
  async #shard(): Promise<Shard> {
    tenancy.claim(this.#id, this.#leave);
    this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(): Promise<Shard> {
    if (resident) {
      resident = resident.anew();
      return resident;
    }
    const { source, part, options } = await openPart(this.#bindings, Number(this.#bindings.PART));
    const { layers, cacheBudget } = part;
    resident = await loadShard(source, { ...options, layers: layers!, cacheBudget, memoryBudget: MEMORY_BUDGET });
    return resident;
  }
}
