// Asks the service, and writes the text as it comes: node ask.mjs PROMPT|JSON [ID]

import { randomUUID } from "node:crypto";
import mqtt from "mqtt";
import { Mistake, readSettings, whyAway } from "./broker.mjs";
import { topicOf } from "./topics.mjs";

/** Seconds without a sign of the service: a long prompt takes a while, and so do requests of others. */
const PATIENCE = Number(process.env.ZAGREUS_PATIENCE || 120);
const NOBODY = 16; // MQTT's reason code for no matching subscribers
const [text = "C'era una volta", id = randomUUID()] = process.argv.slice(2);

try {
  await ask();
} catch (error) {
  console.error(error instanceof Mistake ? error.message : `cannot ask: ${error.message}`);
  process.exitCode = 1;
}

async function ask() {
  const request = { ...(text.startsWith("{") ? parse(text) : { prompt: text, max_tokens: 64 }), stream: true };
  const { url, where, name, options, properties } = readSettings();
  const topic = (kind) => topicOf(kind, name, id);
  const client = await mqtt
    .connectAsync(url, { ...options, properties, reconnectPeriod: 0, connectTimeout: 10_000 }, false)
    .catch((error) => {
      throw new Mistake(whyAway(error, where));
    });
  try {
    await client.subscribeAsync({ [topic("answers")]: { qos: 2 }, [topic("pieces")]: { qos: 0 } });
    const answered = listen(client, topic, name);
    answered.catch(() => {}); // awaited below
    let acknowledged;
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "puback") acknowledged = packet.reasonCode;
    });
    await client.publishAsync(topic("requests"), JSON.stringify(request), { qos: 1 });
    if (acknowledged === NOBODY) throw new Mistake(`no service "${name}" takes requests at ${where}`);
    await answered;
  } finally {
    client.end(true);
  }
}

/** Writes what comes until the answer has come. @throws Mistake */
function listen(client, topic, name) {
  return new Promise((resolve, reject) => {
    let shown = "";
    let silence;
    const waitOn = () => {
      clearTimeout(silence);
      const message = `no answer of "${name}" for ${PATIENCE} s: is the service running, and the request not too long?`;
      silence = setTimeout(() => reject(new Mistake(message)), 1000 * PATIENCE).unref();
    };
    waitOn();
    client.on("close", () => reject(new Mistake("the broker has closed the connection")));
    client.on("message", (from, payload) => {
      waitOn();
      const { error, choices } = JSON.parse(payload);
      if (error) return reject(new Mistake(`${error.code}: ${error.message}`));
      const [choice] = choices;
      if (from === topic("pieces")) {
        const piece = choice?.text ?? choice?.delta?.content ?? "";
        shown += piece;
        process.stdout.write(piece);
        return;
      }
      clearTimeout(silence);
      const { content, tool_calls = [] } = choice.message ?? { content: choice.text };
      const whole = [content, ...tool_calls.map(({ function: call }) => `${call.name}(${call.arguments})`)]
        .filter(Boolean)
        .join("\n");
      // Pieces may have been lost.
      process.stdout.write(whole.startsWith(shown) ? `${whole.slice(shown.length)}\n` : `\n${whole}\n`);
      resolve();
    });
  });
}

function parse(request) {
  try {
    return JSON.parse(request);
  } catch (error) {
    throw new Mistake(`the request is no JSON: ${error.message}`);
  }
}
