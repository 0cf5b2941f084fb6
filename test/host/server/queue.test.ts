// Turns, disconnects, silence and the end, with a model that says what the test tells it to.

import { expect, test, vi } from "vitest";
import { events, type Json, metric, ORIGIN, puppet, refusal, request, until } from "./harness";

const PATH = "/v1/completions";

/** A client that asks and may hang up. */
function visit(server: ReturnType<typeof puppet>["server"], prompt: string, { client = "", streams = true } = {}) {
  const controller = new AbortController();
  const body = { prompt, stream: streams };
  const answer = server.fetch(request(PATH, body, { signal: controller.signal }), { client });
  answer.catch(() => {});
  return { answer, hangUp: () => controller.abort() };
}

const prompts = (talks: { prompt: string }[]) => talks.map(({ prompt }) => prompt.length);

test("clients take turns", async () => {
  const { server, talks } = puppet();
  // The length of a prompt tells whose it is.
  const order = [
    ["a", "1"],
    ["a", "22"],
    ["a", "333"],
    ["b", "4444"],
    ["c", "55555"],
    ["b", "666666"],
  ];
  const answers = order.map(([client, prompt]) => visit(server, prompt!, { client: client! }).answer);
  for (let i = 0; i < order.length; i++) {
    await until(() => talks.length > i);
    talks[i]!.end();
  }
  await Promise.all(answers);
  expect(prompts(talks)).toEqual([1, 4, 2, 5, 6, 3]);
});

test("a model that gives nothing is not healthy, until it does", async () => {
  const { server, talks } = puppet({ stallTimeout: 500 });
  const health = () => server.fetch(request("/health"));
  expect((await health()).status).toBe(200);
  const { answer } = visit(server, "a", { streams: false });
  await until(() => talks.length > 0);
  expect((await health()).status).toBe(200);
  await until(async () => (await health()).status === 503);
  expect((await (await health()).json()).error).toMatchObject({ code: "model_stalled" });
  talks[0]!.say("x");
  await until(async () => (await health()).status === 200);
  talks[0]!.end();
  await answer;
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect((await health()).status).toBe(200);
});

test("a batch is many turns", async () => {
  const { server, talks } = puppet();
  const batch = server.fetch(request(PATH, { prompt: ["1", "22", "333"] }), { client: "a" });
  await until(() => talks.length > 0);
  const other = visit(server, "4444", { client: "b" });
  await until(async () => (await metric(server, "zagreus_queue_waiting")) === 1);
  for (let i = 0; i < 4; i++) {
    await until(() => talks.length > i);
    talks[i]!.end();
  }
  expect(prompts(talks)).toEqual([1, 4, 2, 3]);
  expect((await batch).status).toBe(200);
  await other.answer;
});

test("who finds the queue full is sent away, and told when to come back", async () => {
  const { server, talks } = puppet({ maxQueue: 1 });
  const [first, second] = [visit(server, "1"), visit(server, "22")];
  await until(async () => (await metric(server, "zagreus_queue_waiting")) === 1);
  for (const streams of [true, false]) {
    const answer = await visit(server, "333", { streams }).answer;
    expect(answer.status).toBe(429);
    const seconds = Number(answer.headers.get("retry-after"));
    expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60).toBe(true);
    expect(((await answer.json()) as Json).error).toMatchObject({ type: "rate_limit_error", code: "queue_full" });
  }
  for (let i = 0; i < 2; i++) {
    await until(() => talks.length > i);
    talks[i]!.end();
  }
  await Promise.all([first.answer, second.answer]);
  const later = visit(server, "1");
  await until(() => talks.length > 2);
  talks[2]!.end();
  expect((await later.answer).status).toBe(200);
  expect(await metric(server, 'zagreus_requests_total{route="/v1/completions",status="429"}')).toBe(2);
});

test("no queue at all", async () => {
  const { server, talks } = puppet({ maxQueue: 0 });
  const first = visit(server, "1");
  await until(() => talks.length > 0);
  expect((await visit(server, "22").answer).status).toBe(429);
  talks[0]!.end();
  await first.answer;
});

test.each([true, false])("who hangs up frees the model (stream: %s)", async (streams) => {
  const { server, talks } = puppet();
  const first = visit(server, "1", { streams });
  await until(() => talks.length > 0);
  const second = visit(server, "22", { streams });
  const third = visit(server, "333", { streams });
  await until(async () => (await metric(server, "zagreus_queue_waiting")) === 2);
  second.hangUp(); // in the queue
  await until(async () => (await metric(server, "zagreus_queue_waiting")) === 1);
  first.hangUp(); // at work
  await until(() => talks.length > 1);
  expect(talks[0]!.aborted).toBe(true);
  expect(prompts(talks)).toEqual([1, 3]);
  talks[1]!.end();
  expect((await third.answer).status).toBe(200);
  expect([(await first.answer).status, (await second.answer).status]).toEqual([499, 499]);
  expect(await metric(server, 'zagreus_requests_total{route="/v1/completions",status="499"}')).toBe(2);
  expect(await metric(server, "zagreus_requests_open")).toBe(1);
});

test("who leaves a stream frees the model", async () => {
  const { server, talks } = puppet();
  const { answer } = visit(server, "1");
  await until(() => talks.length > 0);
  talks[0]!.say("one");
  const reader = (await answer).body!.getReader();
  await reader.read();
  await reader.cancel();
  await until(() => talks[0]!.aborted);
  await until(async () => (await metric(server, "zagreus_requests_running")) === 0);
  await until(async () => (await metric(server, "zagreus_requests_open")) === 1);
  expect(await metric(server, 'zagreus_requests_total{route="/v1/completions",status="499"}')).toBe(1);
  expect(await metric(server, "zagreus_completion_tokens_total")).toBe(1);
});

test("who falls asleep over a stream does not hold up the model", async () => {
  const { server, talks } = puppet();
  const asleep = await (async () => {
    const { answer } = visit(server, "1");
    await until(() => talks.length > 0);
    talks[0]!.say("one");
    return answer;
  })();
  for (let i = 0; i < 1000; i++) talks[0]!.say("more");
  talks[0]!.end();
  const second = visit(server, "22");
  await until(() => talks.length > 1);
  talks[1]!.end();
  expect((await second.answer).status).toBe(200);
  expect(await events(asleep)).toHaveLength(1002);
});

test("comments while there is nothing to say", async () => {
  const { server, talks } = puppet({ heartbeat: 5 });
  const first = visit(server, "1");
  const second = visit(server, "22");
  const answer = await second.answer; // its headers are there before its turn
  expect(answer.status).toBe(200);
  const reader = answer.body!.getReader();
  for (let i = 0; i < 3; i++) expect(new TextDecoder().decode((await reader.read()).value)).toBe(": waiting\n\n");
  talks[0]!.say("x");
  talks[0]!.end();
  await until(() => talks.length > 1);
  talks[1]!.say("y");
  talks[1]!.end();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += new TextDecoder().decode(value);
  }
  expect(rest).toContain('"text":"y"');
  expect(rest.endsWith("data: [DONE]\n\n")).toBe(true);
  expect((await events(await first.answer)).length).toBe(2);
});

test("an onError that fails takes no answer from anybody", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const { server, talks } = puppet({
    onError() {
      throw new Error("no disk for the log");
    },
  });
  const { answer } = visit(server, "1");
  await until(() => talks.length > 0);
  talks[0]!.fail(new Error("broken"));
  expect((await answer).status).toBe(500);
  expect(logged).toHaveBeenCalledOnce();
  await server.close();
  logged.mockRestore();
});

test("what fails before the first word has a status, what fails later is an event", async () => {
  const seen: unknown[] = [];
  const { server, talks } = puppet({ onError: (error) => seen.push(error) });
  const early = visit(server, "1");
  await until(() => talks.length > 0);
  const secret = new Error("a path that is nobody's business");
  talks[0]!.fail(secret);
  const answer = await early.answer;
  expect(answer.status).toBe(500);
  const body = await answer.text();
  expect(body).toContain("internal_error");
  expect(body).not.toContain("business");

  const late = visit(server, "1");
  await until(() => talks.length > 1);
  talks[1]!.say("one");
  talks[1]!.fail(secret);
  const chunks = await events(await late.answer);
  expect(chunks.map((chunk) => chunk.error?.code ?? chunk.choices[0].text)).toEqual(["one", "internal_error"]);
  expect(seen).toEqual([secret, secret]);
  expect(await metric(server, 'zagreus_requests_total{route="/v1/completions",status="500"}')).toBe(2);
  expect(await metric(server, "zagreus_requests_running")).toBe(0);
});

test("the end: new requests are refused, what runs ends", async () => {
  const { server, talks } = puppet();
  const running = visit(server, "1");
  await until(() => talks.length > 0);
  talks[0]!.say("one");
  const waiting = visit(server, "22");
  await until(async () => (await metric(server, "zagreus_queue_waiting")) === 1);
  let closed = false;
  const close = server.close().then(() => {
    closed = true;
  });
  expect(await refusal(server, PATH, { prompt: "333" })).toMatchObject({ status: 503, code: "shutting_down" });
  const health = await server.fetch(new Request(`${ORIGIN}/health`));
  expect([health.status, health.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(closed).toBe(false);
  talks[0]!.end();
  await until(() => talks.length > 1);
  talks[1]!.say("two");
  talks[1]!.end();
  expect((await events(await running.answer)).at(-1).choices[0].finish_reason).toBe("stop");
  expect((await events(await waiting.answer)).at(-1).choices[0].finish_reason).toBe("stop");
  await close;
  await server.close();
});

test("the end: what takes too long is ended", async () => {
  const { server, talks } = puppet({ grace: 5 });
  const running = visit(server, "1");
  await until(() => talks.length > 0);
  talks[0]!.say("one");
  const { body } = await running.answer;
  const waiting = visit(server, "22", { streams: false });
  const slow = new ReadableStream({ start: () => {} });
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", body: slow, headers, duplex: "half" } as RequestInit;
  const sending = server.fetch(new Request(`${ORIGIN}${PATH}`, init));
  await server.close();
  const text = await new Response(body).text();
  expect(text).toContain('"text":"one"');
  expect(text).toContain('"code":"shutting_down"');
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  expect((await waiting.answer).status).toBe(503);
  expect((await sending).status).toBe(503);
});

test("bodies on their way take no more memory than there is for them, and slow ones hold up nobody", async () => {
  const { server, talks } = puppet({ grace: 0 });
  const part = new Uint8Array(2 ** 20 - 1);
  const slow = () => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(part) });
    const init = { method: "POST", body, headers: { "content-type": "application/json" }, duplex: "half" };
    return server.fetch(new Request(`${ORIGIN}${PATH}`, init as RequestInit));
  };
  const sending = Array.from({ length: 64 }, slow);
  const { answer } = visit(server, "1");
  await until(() => talks.length > 0);
  talks[0]!.end();
  expect((await answer).status).toBe(200);
  const refused = await slow();
  expect([refused.status, refused.headers.has("retry-after")]).toEqual([429, true]);
  await server.close();
  for (const { status } of await Promise.all(sending)) expect(status).toBe(503);
});
