// OpenAI's completions over MQTT. README.md says what is asked and answered; journal.mjs why nothing is lost or said twice.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import mqtt from "mqtt";
import { bundledModel, load, ZagreusError } from "zagreus-edge/raspberry-pi";
import { answerer } from "./answer.mjs";
import { MAX_ANSWER_BYTES, Mistake, readSettings, whyAway } from "./broker.mjs";
import { Journal } from "./journal.mjs";
import { idOf, placeOf, presenceOf, propertiesOf, replyOf, topicOf } from "./topics.mjs";

const { ZAGREUS_MODEL, ZAGREUS_CONTEXT, ZAGREUS_TEMPLATE } = process.env;
const STATE = process.env.STATE_DIRECTORY ?? "state"; // systemd names the folder
/** Requests that wait here at most. More stay with the broker: they are acknowledged when there is room. */
const MOST_WAITING = 16;
/** A request at which the service died that often is answered with an error. */
const MOST_ATTEMPTS = 3;
const NEVER = 0xffffffff; // the broker keeps the session
/** Seconds that a group's requests wait for a device that took them and went away: long enough to start again. */
const ABSENCE = 60;
/** Milliseconds between attempts to reach the broker: twice as many each time. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [1000, 16_000];

const log = (...words) => console.error(...words);

const { broker, journal, model, answerTo } = await start().catch(fail);
log(`${model.info.name}, ${model.info.build}, ${model.info.threads} threads, ${model.info.plan.memory} bytes`);

async function start() {
  const broker = readSettings();
  mkdirSync(STATE, { recursive: true });
  const journal = new Journal(join(STATE, "journal.jsonl"));
  const contextLength = ZAGREUS_CONTEXT ? Number(ZAGREUS_CONTEXT) : undefined;
  const model = await load(ZAGREUS_MODEL ?? bundledModel, { contextLength });
  return { broker, journal, model, answerTo: answerer(model, ZAGREUS_TEMPLATE) };
}

const asked = topicOf("requests", broker.name, "+");
const filter = broker.shared ? `$share/${broker.name}/${asked}` : asked;
const presence = presenceOf(broker.device);

// Two connections: while requests are held back nothing more is read from the one that they come by.
const requests = mqtt.connect(broker.url, {
  ...common("requests"),
  resubscribe: false, // done below
  keepalive: 0, // an answer to a ping would wait behind what is held back
  properties: {
    ...broker.properties,
    sessionExpiryInterval: broker.shared ? ABSENCE : NEVER,
    receiveMaximum: MOST_WAITING,
  },
});
const answers = mqtt.connect(broker.url, {
  ...common("answers"),
  keepalive: 30,
  properties: { ...broker.properties, sessionExpiryInterval: NEVER },
  outgoingStore: journal,
  will: { topic: presence, payload: "offline", qos: 1, retain: true },
  queueQoSZero: false,
});

function common(name) {
  return {
    ...broker.options,
    clientId: `zagreus-${broker.device}-${name}`,
    clean: false,
    reconnectPeriod: FIRST_PAUSE,
    reconnectOnConnackError: true,
  };
}

/** The answer that is on its way: one at a time, because mqtt.js may exceed what the broker takes at once. */
let delivered = Promise.resolve();
/** Acknowledgements that wait for room. */
let held = [];
let wake = () => {};

requests.handleMessage = (packet, acknowledge) => {
  const id = idOf(packet);
  if (!journal.knows(id)) {
    journal.accept(id, packet.payload.toString(), replyOf(packet));
    wake();
  }
  if (journal.size <= MOST_WAITING) acknowledge();
  else held.push(acknowledge);
};
requests.on("connect", () => {
  requests.stream.setKeepAlive?.(true, 30_000);
  requests.subscribe(filter, { qos: 1 }, (error) => {
    log(error ? `no requests from ${filter}: ${error.message}` : `waiting for ${filter} at ${broker.where}`);
  });
});
requests.on("close", () => {
  held = []; // the broker sends again what it has no acknowledgement for
});
answers.on("close", () => requests.stream?.destroy()); // it sends no pings, so it learns it from the other one
answers.on("connect", () => answers.publish(presence, "online", { retain: true }));
let said = "";
for (const client of [requests, answers]) {
  client.on("connect", () => {
    said = "";
    client.options.reconnectPeriod = FIRST_PAUSE;
  });
  client.on("close", () => {
    client.options.reconnectPeriod = Math.min(2 * client.options.reconnectPeriod, LONGEST_PAUSE);
  });
  client.on("error", (error) => {
    const sentence = whyAway(error, broker.where);
    if (sentence !== said) log(`${sentence}; trying again`); // once, though it is tried again and again
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
if (broker.shared && requests.connected) await left();
// What was begun is in the journal, and so are answers that the broker has not confirmed.
await Promise.all([requests.endAsync(true), answers.endAsync(true)]);
model.close();

/** Resolves when the group's requests go to others, or the broker does not say so. */
function left() {
  return Promise.race([requests.unsubscribeAsync(filter).catch(() => {}), sleep(1000)]);
}

async function answer({ id, request, reply, attempts }) {
  const begun = performance.now();
  let message;
  try {
    if (attempts >= MOST_ATTEMPTS) {
      message = failure("gave_up", `the service stopped ${attempts} times at this request`);
    } else {
      journal.attempt(id, attempts + 1);
      message = await answerTo(request, { signal: stop.signal, onPiece: (piece) => publishPiece(id, reply, piece) });
      if (message.error?.type === "server_error") throw new Mistake(message.error.message); // no request would go better
    }
  } catch (error) {
    if (!stop.signal.aborted) fail(error);
  }
  if (stop.signal.aborted) return journal.attempt(id, attempts); // it was not to blame
  let text = JSON.stringify(message);
  if (Buffer.byteLength(text) > MAX_ANSWER_BYTES) {
    message = failure("answer_too_large", `the answer has more than ${MAX_ANSWER_BYTES} bytes`);
    text = JSON.stringify(message);
  }
  await Promise.race([delivered, stopped]);
  if (stop.signal.aborted) return;
  await publish(id, reply, text);
  const outcome = message.error?.code ?? `${message.usage.completion_tokens} tokens`;
  log(`${id}: ${outcome}, ${Math.round(performance.now() - begun)} ms`);
  while (held.length > 0 && journal.size <= MOST_WAITING) held.shift()();
}

/** It may be lost, the answer not. */
function publishPiece(id, reply, piece) {
  const properties = propertiesOf("piece", id, reply);
  answers.publish(placeOf("pieces", reply), JSON.stringify(piece), { properties });
}

/** Resolves when the answer is in the journal; `delivered` when the broker has confirmed it. */
function publish(id, reply, text) {
  return new Promise((stored) => {
    const options = { qos: 2, cbStorePut: stored, properties: propertiesOf("answer", id, reply) };
    delivered = new Promise((resolve) => {
      const send = (topic) => {
        answers.publish(topic, text, options, (error) => {
          if (!error || stop.signal.aborted) return resolve();
          log(`${id}: the broker refuses the answer to ${topic}: ${error.message}`);
          // A topic that the asker named may be out of bounds.
          setTimeout(send, 1000, placeOf("answers", { topic: reply.topic }));
        });
      };
      send(placeOf("answers", reply));
    });
  });
}

/** An error as the server has them. */
function failure(code, message) {
  return { error: { message, type: "server_error", param: null, code } };
}

/** systemd starts the service again, and the journal goes on where it was. */
function fail(error) {
  const expected = error instanceof Mistake || error instanceof ZagreusError || error.code !== undefined;
  log(expected ? error.message : error);
  process.exit(1);
}
