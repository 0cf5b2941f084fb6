// The Worker in front of a model in shards: nothing that it refuses wakes an object.

import { authorizationOf, Keys } from "../../core/server/http/auth.js";
import { tooLarge } from "../../core/server/http/body.js";
import { ApiError, type ErrorBody } from "../../core/server/http/errors.js";
import type { EdgeBindings } from "./bindings.js";

export interface GatewayOptions {
  /** Bytes of a request's body at most. Default 1 MiB. */
  maxBody?: number;
  /**
   * Sets of objects, among which clients are spread by their keys. Where one finds its isolates taken by another, the next one answers.
   * Default: 1.
   */
  sets?: number;
}

const MAX_BODY = 2 ** 20;
/** The code of an error: another set is at work where this one would be. */
export const TAKEN = "isolate_taken";

/** The keys of a deployment. */
export const apiKeys = ({ API_KEYS = "" }: Pick<EdgeBindings, "API_KEYS">) => API_KEYS.split(/[\s,]+/).filter(Boolean);

/**
 * A Worker's handler: checks the bearer token and the size of a request, and hands it to the object that answers. What fails on the way is
 * an error of OpenAI's form, also in the middle of a stream.
 */
export function gateway({ maxBody = MAX_BODY, sets = 1 }: GatewayOptions = {}) {
  return {
    async fetch(request: Request, bindings: EdgeBindings): Promise<Response> {
      try {
        const { pathname } = new URL(request.url);
        if (pathname === "/health") return Response.json({ status: "ok" });
        const keys = apiKeys(bindings);
        if (keys.length === 0) throw unavailable("this deployment has no API keys: wrangler secret put API_KEYS");
        const key = await new Keys(keys).check(authorizationOf(request.headers));
        if (Number(request.headers.get("content-length")) > maxBody) throw tooLarge(maxBody);
        return guarded(await ask(bindings, request, setOf(key, sets), sets));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return Response.json(error.body, { status: error.status, headers: error.headers });
      }
    },
  };
}

/** The answer of a set; of the next one where its isolates are taken, and of the last that there is in any case. */
async function ask({ EDGE }: EdgeBindings, request: Request, first: number, sets: number): Promise<Response> {
  for (let left = sets; ; left--) {
    const stub = EDGE.get(EDGE.idFromName(`set-${(first + sets - left) % sets}`));
    const response = await stub.fetch(left > 1 ? request.clone() : request).catch((error) => {
      console.error(error);
      throw unavailable("the model's object has ended, try again");
    });
    if (left === 1 || response.status !== 503) return response;
    const { error } = await response
      .clone()
      .json()
      .then((body) => body as Partial<ErrorBody>)
      .catch((): Partial<ErrorBody> => ({}));
    if (error?.code !== TAKEN) return response;
  }
}

/** Of a key's digest, its last digits. */
const setOf = (key: string, sets: number) => Number.parseInt(key.slice(-8), 16) % sets;

/** A stream of events whose object ends says so, as its last event. */
function guarded(response: Response): Response {
  if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          console.error(error);
          const { error: lost } = unavailable("the model's object has ended in the middle of this answer").body;
          const event = { type: "error", error: lost };
          controller.enqueue(new TextEncoder().encode(`\n\ndata: ${JSON.stringify(event)}\n\n`));
          controller.close();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, response);
}

function unavailable(message: string): ApiError {
  return new ApiError(503, message, { code: "model_unavailable", headers: { "retry-after": "1" } });
}
