// Completes texts over MQTT. README.md says what the topics are; journal.mjs why nothing is lost or said twice.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import mqtt from "mqtt";
import { bundledModel, load, ZagreusError } from "zagreus-edge/raspberry-pi";
import { Mistake, readSettings, whyAway } from "./broker.mjs";
import { idOf, Journal } from "./journal.mjs";

const { ZAGREUS_MODEL, ZAGREUS_CONTEXT } = process.env;
const STATE = process.env.STATE_DIRECTORY ?? "state"; // systemd names the folder
/** Requests that wait here at most. More stay with the broker: they are acknowledged when there is room. */
const MOST_WAITING = 16;
/** A request at which the service died that often is answered with an error. */
const MOST_ATTEMPTS = 3;
const NEVER = 0xffffffff; // the broker keeps the session
/** Errors after which no request would go better, unless the service starts anew. */
const FATAL = ["THREAD_FAILED", "CLOSED"];

const topic = (kind, id) => `zagreus/${broker.device}/${kind}/${id}`;
const log = (...words) => console.error(...words);

const { broker, journal, model } = await start().catch(fail);
log(`${model.info.name}, ${model.info.build}, ${model.info.threads} threads, ${model.info.plan.memory} bytes`);

async function start() {
  const broker = readSettings();
  mkdirSync(STATE, { recursive: true });
  const journal = new Journal(join(STATE, "journal.jsonl"));
  const contextLength = ZAGREUS_CONTEXT ? Number(ZAGREUS_CONTEXT) : undefined;
  return { broker, journal, model: await load(ZAGREUS_MODEL ?? bundledModel, { contextLength }) };
}

// Two connections: while requests are held back nothing more is read from the one that they come by.
const requests = mqtt.connect(broker.url, {
  ...common("requests"),
  resubscribe: false, // done below
  keepalive: 0, // an answer to a ping would wait behind what is held back
  properties: { ...broker.properties, sessionExpiryInterval: NEVER, receiveMaximum: MOST_WAITING },
});
const answers = mqtt.connect(broker.url, {
  ...common("answers"),
  keepalive: 30,
  properties: { ...broker.properties, sessionExpiryInterval: NEVER },
  outgoingStore: journal,
  queueQoSZero: false,
});

function common(name) {
  return {
    ...broker.options,
    clientId: `zagreus-${broker.device}-${name}`,
    clean: false,
    reconnectPeriod: 1000,
    reconnectOnConnackError: true,
  };
}

/** The answer that is on its way: one at a time, because mqtt.js may exceed what the broker takes at once. */
let delivered = Promise.resolve();
/** Acknowledgements that wait for room. */
let held = [];
let wake = () => {};

requests.handleMessage = (packet, acknowledge) => {
  const id = idOf(packet.topic);
  if (!journal.knows(id)) {
    journal.accept(id, packet.payload.toString());
    wake();
  }
  if (journal.size <= MOST_WAITING) acknowledge();
  else held.push(acknowledge);
};
requests.on("connect", () => {
  requests.stream.setKeepAlive?.(true, 30_000);
  requests.subscribe(topic("requests", "+"), { qos: 1 }, (error) => {
    log(error ? `MQTT: ${error.message}` : `waiting for ${topic("requests", "+")} at ${broker.where}`);
  });
});
requests.on("close", () => {
  held = []; // the broker sends again what it has no acknowledgement for
});
answers.on("close", () => requests.stream?.destroy()); // it sends no pings, so it learns it from the other one
let said = "";
for (const client of [requests, answers]) {
  client.on("connect", () => (said = ""));
  client.on("error", (error) => {
    const sentence = whyAway(error, broker.where);
    if (sentence !== said) log(sentence); // once, though it is tried every second
    said = sentence;
  });
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());
const stopped = new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
stopped.then(() => wake());

// Nothing is answered before: once connected, mqtt.js uses no number of a packet in the journal for another one.
const connected = new Promise((resolve) => answers.once("connect", resolve));
await Promise.race([stopped, connected]);
while (!stop.signal.aborted) {
  const request = journal.next();
  if (request) await answer(request);
  else await new Promise((resolve) => (wake = resolve));
}
// What was begun is in the journal, and so are answers that the broker has not confirmed.
await Promise.all([requests.endAsync(true), answers.endAsync(true)]);
model.close();

async function answer({ id, request, attempts }) {
  const begun = performance.now();
  let message;
  try {
    if (attempts >= MOST_ATTEMPTS) throw failure("GAVE_UP", `the service stopped ${attempts} times at this request`);
    journal.attempt(id, attempts + 1);
    message = await complete(id, request);
  } catch (error) {
    if (stop.signal.aborted) return journal.attempt(id, attempts); // it was not to blame
    if (!(error instanceof ZagreusError || error.code === "GAVE_UP") || FATAL.includes(error.code)) fail(error);
    message = { error: { code: error.code, message: error.message } };
  }
  await Promise.race([delivered, stopped]);
  if (stop.signal.aborted) return;
  await publish(id, JSON.stringify(message));
  log(`${id}: ${message.error?.code ?? `${message.tokens} tokens`}, ${Math.round(performance.now() - begun)} ms`);
  while (held.length > 0 && journal.size <= MOST_WAITING) held.shift()();
}

/** Resolves when the answer is in the journal; `delivered` when the broker has confirmed it. */
function publish(id, message) {
  return new Promise((stored) => {
    delivered = new Promise((resolve) => {
      const send = () => {
        answers.publish(topic("answers", id), message, { qos: 2, cbStorePut: stored }, (error) => {
          if (!error || stop.signal.aborted) return resolve();
          log(`${id}: the broker refuses the answer: ${error.message}`);
          setTimeout(send, 1000);
        });
      };
      send();
    });
  });
}

async function complete(id, request) {
  const { prompt, stream = false, ...options } = parse(request);
  const completion = model.complete(prompt, { maxTokens: 64, ...options, signal: stop.signal });
  let text = "";
  for await (const piece of completion) {
    text += piece.text;
    if (stream && piece.text !== "") answers.publish(topic("pieces", id), piece.text); // may be lost, the answer not
  }
  return { text, tokens: completion.tokens.length, finishReason: completion.finishReason };
}

function parse(request) {
  try {
    const parsed = JSON.parse(request);
    if (parsed !== null && typeof parsed === "object" && !Array.isArray(parsed)) return parsed;
  } catch {
    // said below
  }
  throw new ZagreusError("INVALID_OPTION", 'a request must be a JSON object such as {"prompt": "Ciao"}');
}

function failure(code, message) {
  return Object.assign(new Error(message), { code });
}

/** systemd starts the service again, and the journal goes on where it was. */
function fail(error) {
  const expected = error instanceof Mistake || error instanceof ZagreusError || error.code !== undefined;
  log(expected ? error.message : error);
  process.exit(1);
}
