// An OpenAI-compatible server as one fetch handler, the same on every runtime. docs/server.md describes it.

import { Hono } from "hono";
import { cors } from "hono/cors";
import { authorizationOf } from "./http/auth.js";
import { isAllowedHost } from "./http/client.js";
import { ApiError, shuttingDown } from "./http/errors.js";
import { pageFile } from "./http/page.js";
import { type Env, pathOf, ROUTES, routeOf } from "./routes.js";
import { checkServerOptions, type LazyModel, type ServedModel, type ServerOptions } from "./served/options.js";
import { Service } from "./service.js";

export type { RequestReport } from "./http/figures.js";
export type { LazyModel, ServedModel, ServerOptions } from "./served/options.js";

/** What the runtime knows of a request. */
export interface Visit {
  /**
   * Who is asking, such as the network address: clients take turns, and without API keys each has a cache of its own. Default: all are one
   * client, or all that have the same API key.
   */
  client?: string | undefined;
}

/** A server that any runtime can put behind its HTTP. */
export interface Server {
  /** Answers a request. Never rejects. */
  fetch(request: Request, visit?: Visit): Promise<Response>;
  /** The same for clients, `new OpenAI({ fetch: server.fetch })`: no network is involved. Rejects as fetch() does, when aborted. */
  fetch(input: Request | string | URL, init?: object): Promise<Response>;
  /** Refuses new requests with 503, lets those that run end, or ends them after `grace`. Only models that it has loaded are closed. */
  close(): Promise<void>;
}

/**
 * Serves a model under its own name, or several under the names of a record, where some may be loaded when they are wanted.
 * @throws ZagreusError INVALID_OPTION
 */
export function createServer(
  models: Record<string, ServedModel | LazyModel> | ServedModel,
  options: ServerOptions = {},
): Server {
  const service = new Service(models, checkServerOptions(options));
  const app = application(service);
  // Runtimes that hand on something else of their own as a visit do not matter.
  const answer = async (request: Request, { client }: Visit) => {
    const { pathname } = new URL(request.url);
    const call = service.begin(request, typeof client === "string" ? client : "", routeOf(pathname)?.path);
    const response = await app.fetch(request, { call });
    response.headers.set("x-request-id", call.id);
    if (!call.streams) call.end(response.status);
    return response;
  };
  return {
    async fetch(input: Request | string | URL, init: Visit & RequestInit = {}) {
      const isClient = typeof input === "string" || input instanceof URL;
      const response = await answer(isClient ? new Request(input, init) : input, init);
      if (isClient) init.signal?.throwIfAborted(); // as fetch() does
      return response;
    },
    close: () => service.close(),
  };
}

function application(service: Service): Hono<Env> {
  const { cors: origins, hosts } = service.options;
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const { hostname } = new URL(c.req.url);
    if (hosts !== "*" && !isAllowedHost(hosts, hostname)) throw foreignHost(hostname);
    await next();
  });
  if (origins.length > 0) {
    const origin = origins === "*" ? "*" : [...origins];
    app.use(cors({ origin, exposeHeaders: ["x-request-id", "retry-after"], maxAge: 600 }));
  }
  app.use(async (_, next) => {
    if (service.closing) throw shuttingDown();
    await next();
  });
  for (const { method, path, open, answer } of ROUTES) {
    app.on(method, pathOf(path), async (c) => {
      if (!open) await service.admit(c.env.call, authorizationOf(c.req.raw.headers));
      return answer(service, c);
    });
  }
  for (const [name, file] of Object.entries(service.options.page)) app.get(`/${name}`, () => pageFile(file));
  app.notFound(async (c) => {
    await service.admit(c.env.call, authorizationOf(c.req.raw.headers));
    throw notFound(c.req.method, c.req.path);
  });
  app.onError((error, c) => {
    const { status, body, headers } = service.describe(error, c.env.call);
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    return c.json(body, status as 400);
  });
  return app;
}

function notFound(method: string, path: string): ApiError {
  const route = routeOf(path);
  if (!route) return new ApiError(404, `there is nothing at ${method} ${path}`, { code: "unknown_url" });
  const headers = { allow: route.methods };
  return new ApiError(405, `${path} takes ${route.methods}, not ${method}`, { code: "method_not_allowed", headers });
}

function foreignHost(name: string): ApiError {
  return new ApiError(403, `this server is not called ${JSON.stringify(name)}`, { code: "unknown_host" });
}
