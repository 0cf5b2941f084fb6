// Who may ask, and what a request may be.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "zagreus-edge";
import { createServer, type Server, type ServerOptions } from "zagreus-edge/server";
import { caught, loadNano } from "../../support/nano";
import { ask, type Json, metric, refusal, request } from "./harness";

const PATH = "/v1/completions";
const BODY = { prompt: "a", max_tokens: 1 };
let model: Model;
let server: Server;
beforeAll(async () => {
  model = await loadNano();
  server = createServer(model, { maxBody: 100_000, bodyTimeout: 50 });
});
afterAll(() => model.close());

/** Status and error code for a request with this very body. */
async function raw(body: BodyInit, headers: Record<string, string> = { "content-type": "application/json" }) {
  const init = { method: "POST", body, headers, duplex: "half" } as RequestInit;
  const response = await server.fetch(new Request(`http://server${PATH}`, init));
  const { error } = (await response.json()) as Json;
  return [response.status, error?.code];
}

test("models by name", async () => {
  const several = createServer({ one: model, "two/b": model });
  const { object, data } = await ask(several, "/v1/models");
  expect(object).toBe("list");
  expect(data.map(({ id }: Json) => id)).toEqual(["one", "two/b"]);
  expect(await ask(several, "/v1/models/two/b")).toEqual(data[1]);
  expect(await ask(several, "/v1/models/two%2Fb")).toEqual(data[1]); // as the openai package asks
  expect(data[1]).toMatchObject({ object: "model", owned_by: "zagreus-edge", context_length: 512 });
  expect((await ask(several, PATH, { ...BODY, model: "two/b" })).model).toBe("two/b");
  expect((await ask(several, PATH, BODY)).model).toBe("one");
  const missing = { status: 404, code: "model_not_found", param: "model" };
  expect(await refusal(several, PATH, { ...BODY, model: "three" })).toMatchObject(missing);
  expect(await refusal(several, PATH, { ...BODY, model: "__proto__" })).toMatchObject(missing);
  expect(await refusal(several, "/v1/models/three")).toMatchObject(missing);
});

test("unknown paths and wrong methods", async () => {
  expect(await refusal(server, "/v2/completions", BODY)).toMatchObject({ status: 404, code: "unknown_url" });
  expect(await refusal(server, "/v1")).toMatchObject({ status: 404 });
  const response = await server.fetch(request(PATH));
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  const options = await server.fetch(request("/v1/models", undefined, { method: "OPTIONS" }));
  expect([options.status, options.headers.get("allow")]).toEqual([405, "GET"]);
});

test("keys", async () => {
  const guarded = createServer(model, { apiKeys: ["secret", "other"] });
  const status = async (authorization: string | undefined, path = "/v1/models") => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    return (await guarded.fetch(request(path, undefined, { headers }))).status;
  };
  for (const good of ["Bearer secret", "bearer other", "Bearer  secret "]) expect(await status(good)).toBe(200);
  const bad = [
    undefined,
    "",
    "secret",
    "Bearer",
    "Bearer ",
    "Bearer secre",
    "Bearer secret2",
    "Basic secret",
    "Bearer secret other",
  ];
  for (const wrong of bad) expect(await status(wrong)).toBe(401);
  for (const path of ["/metrics", "/nowhere", PATH]) expect(await status(undefined, path)).toBe(401);
  expect(await status(undefined, "/health")).toBe(200);
  const answer = await guarded.fetch(request("/v1/models"));
  expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  expect(((await answer.json()) as Json).error).toMatchObject({
    type: "authentication_error",
    code: "invalid_api_key",
  });
});

test("pages of other origins only where it is allowed", async () => {
  const headers = {
    origin: "https://page.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,x-own",
  };
  const preflight = async (options: ServerOptions) => {
    const guarded = createServer(model, { apiKeys: ["secret"], ...options });
    return guarded.fetch(request(PATH, undefined, { method: "OPTIONS", headers }));
  };
  const allowed = (response: Response) => response.headers.get("access-control-allow-origin");
  expect(allowed(await preflight({}))).toBeNull();
  expect(allowed(await preflight({ cors: ["https://other.example"] }))).toBeNull();
  const one = await preflight({ cors: ["https://page.example"] });
  expect([one.status, allowed(one)]).toEqual([204, "https://page.example"]);
  expect(one.headers.get("access-control-allow-headers")).toBe("authorization,x-own");
  expect(allowed(await preflight({ cors: "*" }))).toBe("*");
  const open = createServer(model, { cors: "*", apiKeys: ["secret"] });
  const refused = await open.fetch(request("/v1/models", undefined, { headers: { origin: "https://page.example" } }));
  expect([refused.status, allowed(refused)]).toEqual([401, "*"]); // or the page could not read why
});

test("bodies that are no JSON", async () => {
  expect(await raw(JSON.stringify(BODY))).toEqual([200, undefined]);
  expect(await raw(JSON.stringify(BODY), { "content-type": "Application/JSON; charset=utf-8" })).toEqual([
    200,
    undefined,
  ]);
  expect(await raw(JSON.stringify(BODY), { "content-type": "text/plain" })).toEqual([415, "unsupported_media_type"]);
  const form = { "content-type": "application/x-www-form-urlencoded" }; // what curl -d says
  expect(await raw(JSON.stringify(BODY), form)).toEqual([200, undefined]);
  expect(await raw(new TextEncoder().encode(JSON.stringify(BODY)), {})).toEqual([200, undefined]);
  const pages: Record<string, string>[] = [{ origin: "https://page.example" }, { "sec-fetch-site": "cross-site" }];
  for (const page of pages) {
    expect(await raw(JSON.stringify(BODY), { ...form, ...page })).toEqual([415, "unsupported_media_type"]);
    expect(await raw(new TextEncoder().encode(JSON.stringify(BODY)), page)).toEqual([415, "unsupported_media_type"]);
  }
  expect(await raw("a=b", form)).toEqual([400, "invalid_json"]);
  for (const text of ["", "{", '{"prompt": NaN}', "\u0000", "{'a': 1}"])
    expect(await raw(text)).toEqual([400, "invalid_json"]);
  for (const text of ["null", "[]", '"a"', "1"]) expect(await raw(text)).toEqual([400, "invalid_value"]);
  expect(await raw(Buffer.from('{"prompt": "\xff\xfe"}', "latin1"))).toEqual([400, "invalid_utf8"]);
  expect(await raw(Buffer.from('{"prompt": "\xed\xa0\x80"}', "latin1"))).toEqual([400, "invalid_utf8"]);
  expect(await raw('{"prompt": "\\ud800", "max_tokens": 1}')).toEqual([200, undefined]); // half a pair is U+FFFD
  expect(await raw('{"__proto__": {"max_tokens": "x"}, "prompt": "a"}')).toEqual([200, undefined]);
});

test("bodies that are too large", async () => {
  const large = JSON.stringify({ prompt: "a".repeat(100_000) });
  expect(await raw(large, { "content-type": "application/json", "content-length": String(large.length) })).toEqual([
    413,
    "body_too_large",
  ]);
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 10_000;
      controller.enqueue(new Uint8Array(10_000).fill(0x20));
    },
  });
  expect(await raw(endless)).toEqual([413, "body_too_large"]);
  expect(sent).toBeLessThan(200_000);
});

test("bodies that are too deep", async () => {
  const nested = (depth: number) => `{"prompt": "a", "max_tokens": 1, "x": ${"[".repeat(depth)}${"]".repeat(depth)}}`;
  expect(await raw(nested(99))).toEqual([200, undefined]);
  expect(await raw(nested(100))).toEqual([400, "invalid_json"]);
  expect(await raw("[".repeat(90_000))).toEqual([400, "invalid_json"]);
  expect(await raw('{"a":'.repeat(15_000))).toEqual([400, "invalid_json"]);
  // Brackets and quotes in strings are none.
  expect(await raw(JSON.stringify({ ...BODY, x: `\\"${'["{'.repeat(200)}` }))).toEqual([200, undefined]);
});

test("bodies that do not come, or stop coming", async () => {
  const stalled = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"prompt"')),
  });
  expect(await raw(stalled)).toEqual([408, "timeout"]);
  const cut = new ReadableStream({ pull: (controller) => controller.error(new TypeError("reset")) });
  expect(await raw(cut)).toEqual([499, "client_closed_request"]);
});

test("metrics", async () => {
  const fresh = createServer(model);
  await ask(fresh, PATH, { prompt: "Il re", max_tokens: 3 });
  await ask(fresh, PATH, { prompt: "Il re", max_tokens: 3 });
  await refusal(fresh, PATH, {});
  await refusal(fresh, "/nowhere");
  const text = await (await fresh.fetch(request("/metrics"))).text();
  expect(text).toContain('zagreus_requests_total{route="/v1/completions",status="200"} 2\n');
  expect(text).toContain('zagreus_requests_total{route="/v1/completions",status="400"} 1\n');
  expect(text).toContain('zagreus_requests_total{route="other",status="404"} 1\n');
  const { length } = model.tokenize("Il re");
  expect(await metric(fresh, 'zagreus_prompt_tokens_total{model="zagreus-nano"}')).toBe(2 * length);
  expect(await metric(fresh, "zagreus_completion_tokens_total")).toBe(6);
  expect(await metric(fresh, "zagreus_reused_tokens_total")).toBeGreaterThanOrEqual(length - 1);
  expect(await metric(fresh, "zagreus_queue_waiting")).toBe(0);
  expect(await metric(fresh, "zagreus_requests_running")).toBe(0);
  expect(await metric(fresh, "zagreus_requests_open")).toBe(1); // the one that asks
  expect(await metric(fresh, 'zagreus_kv_cache_positions{model="zagreus-nano",state="used"}')).toBe(0);
  expect(await metric(fresh, 'zagreus_kv_cache_positions{model="zagreus-nano",state="kept"}')).toBeGreaterThan(0);
  expect(await metric(fresh, "zagreus_passes_total")).toBeGreaterThan(0);
  expect(await metric(fresh, 'zagreus_request_seconds_bucket{route="/v1/completions",le="+Inf"}')).toBe(3);
  for (const line of text.trimEnd().split("\n"))
    expect(line).toMatch(/^(# (HELP|TYPE) zagreus_\w+ .+|zagreus_\w+(\{.+\})? \d[\d.e+-]*)$/);
  const odd = createServer({ 'a"b\\c\n': model });
  expect(await (await odd.fetch(request("/metrics"))).text()).toContain(
    'zagreus_queue_waiting{model="a\\"b\\\\c\\n"} 0\n',
  );
});

test("options are checked", async () => {
  const wrong: [string, unknown][] = [
    ["apiKeys", "secret"],
    ["apiKeys", [""]],
    ["cors", "https://a"],
    ["maxQueue", -1],
    ["maxBody", 0],
    ["maxTokens", 0.5],
    ["heartbeat", 2 ** 31],
    ["template", 1],
    ["onError", 1],
    ["nix", 1],
  ];
  for (const [field, value] of wrong) {
    expect(await caught(() => createServer(model, { [field]: value }))).toMatchObject({
      code: "INVALID_OPTION",
      field,
    });
  }
  for (const models of [{}, { a: {} }, { "": model }, null]) {
    expect(await caught(() => createServer(models as never))).toMatchObject({ code: "INVALID_OPTION" });
  }
  const short = createServer(model, { maxTokens: 5 });
  expect(await refusal(short, PATH, { prompt: "a", max_tokens: 6 })).toMatchObject({
    status: 400,
    param: "max_tokens",
  });
  expect((await ask(short, PATH, { prompt: "a" })).usage.completion_tokens).toBeLessThanOrEqual(5);
});

test("a model that is closed", async () => {
  const own = await loadNano();
  const orphan = createServer(own);
  own.close();
  expect(await refusal(orphan, PATH, BODY)).toMatchObject({
    status: 503,
    type: "server_error",
    code: "model_unavailable",
  });
  expect(await refusal(orphan, "/health")).toMatchObject({ status: 503 });
});
