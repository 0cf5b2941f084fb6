// What the routes of a server share: models, keys, limits, metrics, requests that are open.

import type { AdapterUse } from "../api/api.js";
import { invalidOption } from "../api/errors.js";
import { Keys } from "./http/auth.js";
import { BodyReader } from "./http/body.js";
import { Call, Calls } from "./http/call.js";
import { networkOf } from "./http/client.js";
import { ApiError, apiError } from "./http/errors.js";
import type { StreamOptions } from "./http/event_stream.js";
import type { RequestJob } from "./openai/generation.js";
import { Metrics } from "./served/metrics.js";
import { type CheckedServerOptions, checkModels, type LazyModel, type ServedModel } from "./served/options.js";
import { Pool } from "./served/pool.js";
import { Served } from "./served/served.js";

/** What every request says that goes to a model. */
interface ModelRequest {
  model?: string | undefined;
  cache_salt?: string | undefined;
}

/** A model, alone or with adapters. */
export interface Found {
  name: string;
  served: Served;
  adapters: readonly AdapterUse[] | undefined;
}

const isOpen = ({ adapter }: AdapterUse) => !("closed" in adapter && adapter.closed);

export class Service {
  readonly options: CheckedServerOptions;
  /** By the names that requests call them. */
  readonly served: ReadonlyMap<string, Served>;
  readonly #keys: Keys;
  readonly #metrics = new Metrics();
  readonly #calls = new Calls();
  readonly #bodies: BodyReader;
  readonly #pool: Pool;
  /** Models with adapters, by the names that requests call them. */
  readonly #adapted = new Map<string, Found>();

  constructor(models: Record<string, ServedModel | LazyModel> | ServedModel, options: CheckedServerOptions) {
    this.options = options;
    this.#pool = new Pool(options.memory);
    const served = ([name, model]: [string, ServedModel | LazyModel]) => new Served(name, model, options, this.#pool);
    this.served = new Map(checkModels(models).map((entry) => [entry[0], served(entry)]));
    for (const [name, adapters] of Object.entries(options.adapters)) {
      const served = this.served.get(name.slice(0, name.lastIndexOf(":")));
      if (!served || this.served.has(name)) throw invalidOption(`adapters["${name}"]`, adapters, "called MODEL:NAME");
      this.#adapted.set(name, { name, served, adapters });
    }
    this.#keys = new Keys(options.apiKeys);
    this.#bodies = new BodyReader(options);
  }

  get closing(): boolean {
    return this.#calls.closing;
  }

  /** Counts a request until its answer ends. @param path of its route, as metrics call it */
  begin(request: Request, address: string, path = "other"): Call {
    const call = new Call(request, networkOf(address));
    const time = new Date();
    this.#calls.add(call, (status, seconds) => {
      this.#metrics.request(path, status, seconds, call.figures);
      this.#report(request, address, call, status, time);
    });
    return call;
  }

  #report({ method, url }: Request, client: string, { id, figures }: Call, status: number, time: Date): void {
    const { onRequest } = this.options;
    if (!onRequest) return;
    const { ms, queueMs, firstTokenMs, decodeRate: tokensPerSecond, model, error, tokens } = figures;
    const path = new URL(url).pathname;
    const measured = { ms, queueMs, firstTokenMs, tokensPerSecond };
    this.#tell(() => onRequest({ id, time, client, method, path, status, error, model, ...measured, ...tokens }));
  }

  /** Tells clients apart by key and network: names that cost nothing to invent make none. @throws ApiError 401 */
  async admit(call: Call, authorization: string | undefined): Promise<void> {
    call.key = await this.#keys.check(authorization);
    call.client = `${call.key}\n${call.network}`;
  }

  /** The JSON of a request's body. @throws ApiError 400, 408, 413, 415 or 429 */
  body(request: Request, call: Call): Promise<unknown> {
    return this.#bodies.readJson(request, call);
  }

  /** @throws ApiError 404; 400, 408, 413, 415 or 429 for the body */
  async job<T extends ModelRequest>(request: Request, call: Call, parse: (body: unknown) => T): Promise<RequestJob<T>> {
    const body = parse(await this.body(request, call));
    const { name, served, adapters } = this.find(body.model);
    call.figures.model = name;
    return {
      served,
      model: name,
      adapters,
      request: body,
      call,
      metrics: this.#metrics,
      template: this.options.template,
      cacheSalt: this.#cacheSalt(call, body.cache_salt),
    };
  }

  /** All that requests can ask for. */
  *models(): Generator<Found> {
    for (const [name, served] of this.served) yield { name, served, adapters: undefined };
    for (const found of this.#adapted.values()) if (found.adapters!.every(isOpen)) yield found;
  }

  /** What a request calls so, or the first model. @throws ApiError 404 */
  find(name: string | undefined): Found {
    for (const found of this.models()) if (name === undefined || found.name === name) return found;
    const known = Array.from(this.models(), ({ name }) => JSON.stringify(name)).join(", ");
    const message = `there is no model ${JSON.stringify(name)}, only ${known}`;
    throw new ApiError(404, message, { code: "model_not_found", param: "model" });
  }

  streamOptions({ call, served }: RequestJob<unknown>): StreamOptions {
    const { heartbeat, readTimeout } = this.options;
    const othersWait = () => served.admission.waiting > 0;
    return { call, heartbeat, readTimeout, othersWait, describe: (error) => this.describe(error, call) };
  }

  async metricsText(): Promise<string> {
    const stats = await Promise.all(
      [...this.served.values()].map(async (served) => [served, await served.stats()] as const),
    );
    return this.#metrics.text(new Map(stats), this.#calls.open);
  }

  /** The answer to a request that failed; onError is told of what no request is to blame for. */
  describe(error: unknown, { figures }: Call): ApiError {
    const described = apiError(error, (unexpected) => this.#tell(() => this.options.onError(unexpected)));
    figures.error = described.code ?? undefined;
    return described;
  }

  /** Calls back; the answer must come all the same. */
  #tell(run: () => void): void {
    try {
      run();
    } catch (failure) {
      console.error(failure);
    }
  }

  async close(): Promise<void> {
    await this.#calls.close(this.options.grace);
    this.#pool.close();
  }

  /**
   * Whoever has a key, or without keys a network, finds their own KV only; a salt is shared by all who know it. Where nothing tells clients
   * apart there is one, who owns the model.
   */
  #cacheSalt({ key, network }: Call, salt: string | undefined): string | undefined {
    if (salt !== undefined) return `salt ${salt}`;
    if (this.options.shareCache) return undefined;
    return key || (network && `network ${network}`) || undefined;
  }
}
