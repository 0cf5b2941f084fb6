// POST /v1/responses and /v1/responses/input_tokens, and GET and DELETE of what is kept: the chat of /v1/chat/completions in other words.

import type { Context } from "hono";
import type { Call } from "../http/call.js";
import { ApiError, badRequest } from "../http/errors.js";
import { eventStream, type StreamOptions } from "../http/event_stream.js";
import { type ContentLogprob, chatEvents } from "../openai/chat.js";
import { countPrompt } from "../openai/count.js";
import { type RequestJob, UsageSum } from "../openai/generation.js";
import type { ChatBody } from "../openai/schemas.js";
import { type Item, itemsOf, messagesOf } from "./input.js";
import { listed, pageOf } from "./listed.js";
import { chatRequest, emptyResponse, inTheseWords } from "./request.js";
import { parseResponses, type ResponsesBody } from "./schemas.js";
import { ResponseStore } from "./store.js";
import { type ApiEvent, type ApiResponse, ResponseWriter } from "./writer.js";

type Ctx = Context<{ Bindings: { call: Call } }>;

/** Tokens of a response where the request sets no limit: agents set none, and take a text that is cut for a failure. */
const DEFAULT_MAX_TOKENS = 4096;

/** What it needs of the server. */
interface Service {
  job(request: Request, call: Call, parse: (body: unknown) => ResponsesBody): Promise<RequestJob<ResponsesBody>>;
  streamOptions(job: RequestJob<unknown>): StreamOptions;
}

/** Of what is gone on with: more would be read for a while, and not fit into a context. */
const MAX_BYTES_BEFORE = 4 * 2 ** 20;
const TOO_LONG = `previous_response_id: the conversation has more than ${MAX_BYTES_BEFORE} bytes`;

const stores = new WeakMap<Service, ResponseStore>();

function storeOf(service: Service): ResponseStore {
  const store = stores.get(service) ?? new ResponseStore();
  stores.set(service, store);
  return store;
}

/** Whose response it is: that of a key, or without keys of a network. */
const ownerOf = ({ key, network }: Call) => (key ? key : `network ${network}`);

/** Answers POST /v1/responses. @throws ApiError */
export async function respond(service: Service, c: Ctx): Promise<Response> {
  const { call } = c.env;
  const job = await service.job(c.req.raw, call, parseResponses);
  const { request: body, model } = job;
  const shelf = new Shelf(storeOf(service), ownerOf(call));
  const { request, input } = askedFor(body, shelf);
  const writer = new ResponseWriter(emptyResponse(body, model));
  const keep = () => {
    if (body.store !== false) shelf.keep(writer.response, input);
  };
  const events = eventsOf({ ...job, request }, writer, keep);
  if (body.stream) return eventStream(events, { ...service.streamOptions(job), format: formatOf(writer) });
  for await (const _ of events);
  return c.json(writer.response);
}

/** A request as one for a chat, and its own items. @throws ApiError 400 */
function askedFor(body: ResponsesBody, shelf: Shelf): { request: ChatBody; input: Item[] } {
  const input = itemsOf(body.input, (id, path) => shelf.item(id, path));
  const items = [...shelf.before(body.previous_response_id), ...input];
  return { request: chatRequest(body, messagesOf(body.instructions, items)), input };
}

/** Answers POST /v1/responses/input_tokens. @throws ApiError */
export async function countTokens(service: Service, c: Ctx): Promise<Response> {
  const job = await service.job(c.req.raw, c.env.call, parseResponses);
  const { request } = askedFor(job.request, new Shelf(storeOf(service), ownerOf(c.env.call)));
  try {
    return c.json({ object: "response.input_tokens", input_tokens: await countPrompt({ ...job, request }) });
  } catch (error) {
    throw inTheseWords(error);
  }
}

/** Answers GET of the items that a response answers. @throws ApiError 400, 404 */
export function inputItems(service: Service, c: Ctx): Response {
  const id = c.req.param("id")!;
  const shelf = new Shelf(storeOf(service), ownerOf(c.env.call));
  if (!shelf.has(id)) throw unknownResponse(id);
  return c.json(pageOf(listed(id, shelf.answeredBy(id)), c.req.query()));
}

/** Answers GET of a response. @throws ApiError 404 */
export function retrieve(service: Service, c: Ctx): Response {
  const id = c.req.param("id")!;
  const kept = storeOf(service).get(ownerOf(c.env.call), id);
  if (!kept) throw unknownResponse(id);
  return c.json(kept.response);
}

/** Answers DELETE of a response. @throws ApiError 404 */
export function remove(service: Service, c: Ctx): Response {
  const id = c.req.param("id")!;
  if (!storeOf(service).delete(ownerOf(c.env.call), id)) throw unknownResponse(id);
  return c.json({ id, object: "response.deleted", deleted: true });
}

async function* eventsOf(
  job: RequestJob<ChatBody>,
  writer: ResponseWriter,
  keep: () => void,
): AsyncGenerator<ApiEvent> {
  const usage = new UsageSum(job);
  let begun = false;
  let untold: ContentLogprob[] = [];
  try {
    for await (const event of chatEvents(job, usage, DEFAULT_MAX_TOKENS)) {
      if ("progress" in event) continue;
      if ("refused" in event) Object.assign(writer.response, event.refused);
      if (!begun) yield* writer.begin();
      begun = true;
      if ("reason" in event) {
        const last = [...writer.end(event.reason === "length", usageOf(usage))];
        keep(); // before the client can ask for it
        yield* last;
      } else if ("piece" in event) {
        const { text, toolCalls = [] } = event.piece;
        untold.push(...event.logprobs);
        if (text) yield* writer.text(text, untold);
        if (text || toolCalls.length > 0) untold = [];
        for (const call of toolCalls) yield* writer.call(call);
      }
    }
  } catch (error) {
    throw inTheseWords(error);
  }
}

function usageOf(sum: UsageSum): object {
  const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } = sum.toJSON();
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: prompt_tokens_details,
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens,
  };
}

/** Events have names here, a failure is one of them, and nothing comes behind the last. */
const formatOf = (writer: ResponseWriter) => ({
  event: (event: object) => named(event as ApiEvent),
  failure: ({ message, code }: { message: string; code: string | null }) =>
    [...writer.fail(code ?? "server_error", message)].map(named).join(""),
  end: "",
});
const named = (event: ApiEvent) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

/** What an owner's responses have said. */
class Shelf {
  readonly #store: ResponseStore;
  readonly #owner: string;

  constructor(store: ResponseStore, owner: string) {
    this.#store = store;
    this.#owner = owner;
  }

  has(id: string): boolean {
    return this.#store.bytesOf(this.#owner, id) > 0;
  }

  /** All items that a response answers. @throws ApiError 400 */
  answeredBy(id: string): Item[] {
    const { input, response } = this.#store.get(this.#owner, id)!;
    return [...this.before(response.previous_response_id), ...(input as Item[])];
  }

  /** All items up to the end of a response. @throws ApiError 400 */
  before(id: string | null | undefined): Item[] {
    const turns: Item[][] = [];
    let bytes = 0;
    for (let at = id; at != null; ) {
      bytes += this.#store.bytesOf(this.#owner, at);
      if (bytes > MAX_BYTES_BEFORE) throw badRequest(TOO_LONG, "previous_response_id", "context_length_exceeded");
      const kept = this.#store.get(this.#owner, at);
      if (!kept) throw badRequest(missing("response", id!), "previous_response_id", "previous_response_not_found");
      turns.unshift([...(kept.input as Item[]), ...itemsOf([...kept.response.output], () => ({}))]);
      at = kept.response.previous_response_id;
    }
    return turns.flat();
  }

  /** @throws ApiError 400 */
  item(id: string, path: string): object {
    const item = this.#store.item(this.#owner, id);
    if (!item) throw badRequest(missing("item", id), path, "item_not_found");
    return item;
  }

  keep(response: ApiResponse, input: readonly Item[]): void {
    this.#store.put(this.#owner, { response, input });
  }
}

function missing(what: string, id: string): string {
  return `there is no ${what} ${JSON.stringify(id)} of this key: those with store: false are not kept, others in memory for a while; send the whole conversation as input`;
}

function unknownResponse(id: string): ApiError {
  return new ApiError(404, `there is no response ${JSON.stringify(id)}`, { code: "response_not_found" });
}
