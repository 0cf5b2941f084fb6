// What there is to ask for: one table for answers, metrics, and the methods of a path.

import type { Context } from "hono";
import { part } from "../api/errors.js";
import type { Call } from "./http/call.js";
import { ApiError } from "./http/errors.js";
import { eventStream } from "./http/event_stream.js";
import { PAGE_INDEX, pageFile } from "./http/page.js";
import { chatChunks, chatCompletion } from "./openai/chat.js";
import { textChunks, textCompletion } from "./openai/completions.js";
import { embeddings } from "./openai/embeddings.js";
import type { RequestJob } from "./openai/generation.js";
import { parseChat, parseCompletion, parseDetokenize, parseEmbedding, parseTokenize } from "./openai/schemas.js";
import { detokenize, tokenize } from "./openai/tokens.js";
import type { Found, Service } from "./service.js";
import { welcome } from "./welcome.js";

export type Env = { Bindings: { call: Call } };
type Ctx = Context<Env>;

export interface Route {
  method: "GET" | "POST" | "DELETE";
  /** As metrics call it; ":id" is the rest of the path, or a part of it. */
  path: string;
  /** Whether it needs no API key. */
  open?: boolean;
  answer(service: Service, c: Ctx): Response | Promise<Response>;
}

export const ROUTES: readonly Route[] = [
  { method: "GET", path: "/", open: true, answer: greet },
  { method: "GET", path: "/health", open: true, answer: health },
  { method: "POST", path: "/v1/chat/completions", answer: generation(parseChat, chatCompletion, chatChunks) },
  { method: "POST", path: "/v1/completions", answer: generation(parseCompletion, textCompletion, textChunks) },
  { method: "POST", path: "/v1/responses", answer: async (...to) => (await responses()).respond(...to) },
  {
    method: "POST",
    path: "/v1/responses/input_tokens",
    answer: async (...to) => (await responses()).countTokens(...to),
  },
  {
    method: "GET",
    path: "/v1/responses/:id/input_items",
    answer: async (...to) => (await responses()).inputItems(...to),
  },
  { method: "GET", path: "/v1/responses/:id", answer: async (...to) => (await responses()).retrieve(...to) },
  { method: "DELETE", path: "/v1/responses/:id", answer: async (...to) => (await responses()).remove(...to) },
  { method: "POST", path: "/v1/messages", answer: async (...to) => (await messages()).message(...to) },
  { method: "POST", path: "/v1/messages/count_tokens", answer: async (...to) => (await messages()).countTokens(...to) },
  { method: "POST", path: "/v1/embeddings", answer: asking(parseEmbedding, embeddings) },
  { method: "POST", path: "/tokenize", answer: asking(parseTokenize, tokenize) },
  { method: "POST", path: "/detokenize", answer: asking(parseDetokenize, detokenize) },
  {
    method: "GET",
    path: "/mcp",
    answer: ({ options }, c) => c.json({ object: "list", data: Object.keys(options.mcp).map((id) => ({ id })) }),
  },
  { method: "POST", path: "/mcp/:id", answer: askMcp },
  {
    method: "GET",
    path: "/v1/models",
    answer: (service, c) => c.json({ object: "list", data: Array.from(service.models(), describeModel) }),
  },
  {
    method: "GET",
    path: "/v1/models/:id",
    answer: (service, c) => c.json(describeModel(service.find(c.req.param("id")))),
  },
  {
    method: "GET",
    path: "/metrics",
    answer: async (service, c) =>
      c.body(await service.metricsText(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  },
];

const messages = () => part(import("./messages/index.js"));
const responses = () => part(import("./responses/index.js"));

/** A route's path as Hono writes it. */
export const pathOf = (path: string) => path.replace(/:id$/, ":id{.+}");

const PATTERNS = ROUTES.map((route) => {
  const pattern = route.path.replace(/:id$/, ".+").replace(":id", "[^/]+");
  return { route, pattern: new RegExp(`^${pattern}$`) };
});

/** A path as metrics call it, and its methods. */
export function routeOf(path: string): { path: string; methods: string } | undefined {
  const routes = PATTERNS.filter(({ pattern }) => pattern.test(path)).map(({ route }) => route);
  return routes[0] && { path: routes[0].path, methods: routes.map(({ method }) => method).join(", ") };
}

/** Answers with a whole text or, if the request says so, a stream of events. */
function generation<T extends { model?: string | undefined; stream?: boolean | undefined }>(
  parse: (body: unknown) => T,
  whole: (job: RequestJob<T>) => Promise<object>,
  chunks: (job: RequestJob<T>) => AsyncGenerator<object>,
): Route["answer"] {
  return async (service, c) => {
    const job = await service.job(c.req.raw, c.env.call, parse);
    return job.request.stream ? eventStream(chunks(job), service.streamOptions(job)) : c.json(await whole(job));
  };
}

/** Answers with a whole object. */
function asking<T extends { model?: string | undefined }>(
  parse: (body: unknown) => T,
  answer: (job: RequestJob<T>) => Promise<object>,
): Route["answer"] {
  return async (service, c) => c.json(await answer(await service.job(c.req.raw, c.env.call, parse)));
}

function greet({ options: { page } }: Service, c: Ctx): Response {
  const index = page[PAGE_INDEX];
  if (index && c.req.header("accept")?.includes("text/html")) return pageFile(index);
  const { body, type } = welcome(
    c.req.header("accept"),
    ROUTES.filter(({ path }) => path !== "/"),
  );
  return c.body(body, 200, { "content-type": type, vary: "accept" });
}

async function askMcp(service: Service, c: Ctx): Promise<Response> {
  const id = c.req.param("id")!;
  const { mcp } = service.options;
  if (!Object.hasOwn(mcp, id)) {
    throw new ApiError(404, `there is no MCP server ${JSON.stringify(id)}`, { code: "mcp_server_not_found" });
  }
  return mcp[id]!(c.req.raw, await service.body(c.req.raw, c.env.call));
}

function health(service: Service, c: Ctx): Response {
  for (const { status, pulse } of service.served.values()) {
    if (status === "failed")
      throw new ApiError(503, "the model is closed or has failed", { code: "model_unavailable" });
    if (pulse.silence > service.options.stallTimeout) {
      const seconds = Math.round(pulse.silence / 1000);
      throw new ApiError(503, `the model has not given a token for ${seconds} s`, { code: "model_stalled" });
    }
  }
  return c.json({ status: "ok" });
}

/** As OpenAI has it, with what llama-server says of a model's state, and vLLM of the one that adapters belong to. */
function describeModel({ name, served, adapters }: Found): object {
  const { created, contextLength, status } = served;
  const known = {
    ...(contextLength !== undefined && { context_length: contextLength }),
    ...(adapters && { parent: served.name }),
  };
  return { id: name, object: "model", created, owned_by: "zagreus-edge", ...known, status: { value: status } };
}
