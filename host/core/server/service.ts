// What the routes of a server share: models, keys, limits, metrics, requests that are open.

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

export class Service {
  readonly options: CheckedServerOptions;
  /** By the names that requests call them. */
  readonly served: ReadonlyMap<string, Served>;
  readonly #keys: Keys;
  readonly #metrics = new Metrics();
  readonly #calls = new Calls();
  readonly #bodies: BodyReader;
  readonly #pool: Pool;

  constructor(models: Record<string, ServedModel | LazyModel> | ServedModel, options: CheckedServerOptions) {
    this.options = options;
    this.#pool = new Pool(options.memory);
    const served = ([name, model]: [string, ServedModel | LazyModel]) => new Served(name, model, options, this.#pool);
    this.served = new Map(checkModels(models).map((entry) => [entry[0], served(entry)]));
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
    const served = this.model(body.model);
    call.figures.model = served.name;
    return {
      served,
      request: body,
      call,
      metrics: this.#metrics,
      template: this.options.template,
      cacheSalt: this.#cacheSalt(call, body.cache_salt),
    };
  }

  /** The model that a request calls so, or the first. @throws ApiError 404 */
  model(name: string | undefined): Served {
    const found = name === undefined ? [...this.served.values()][0] : this.served.get(name);
    if (found) return found;
    const known = [...this.served.keys()].map((name) => JSON.stringify(name)).join(", ");
    const message = `there is no model ${JSON.stringify(name)}, only ${known}`;
    throw new ApiError(404, message, { code: "model_not_found", param: "model" });
  }

  streamOptions({ call, served }: RequestJob<unknown>): StreamOptions {
    const { heartbeat, readTimeout } = this.options;
    const othersWait = () => served.admission.waiting > 0;
    return { call, heartbeat, readTimeout, othersWait, describe: (error) => this.describe(error, call) };
  }

  metricsText(): string {
    return this.#metrics.text(this.served.values(), this.#calls.open);
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
