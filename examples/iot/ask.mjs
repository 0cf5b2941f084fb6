// Asks the service, and writes the text as it comes: node ask.mjs PROMPT [ID]

import { randomUUID } from "node:crypto";
import mqtt from "mqtt";
import { Mistake, readSettings, whyAway } from "./broker.mjs";

/** Seconds without a sign of the service: a long prompt takes a while, and so do requests of others. */
const PATIENCE = Number(process.env.ZAGREUS_PATIENCE || 120);
const NOBODY = 16; // MQTT's reason code for no matching subscribers
const [prompt = "C'era una volta", id = randomUUID()] = process.argv.slice(2);

try {
  await ask();
} catch (error) {
  console.error(error instanceof Mistake ? error.message : `cannot ask: ${error.message}`);
  process.exitCode = 1;
}

async function ask() {
  const { url, where, device, options, properties } = readSettings();
  const topic = (kind) => `zagreus/${device}/${kind}/${id}`;
  const client = await mqtt
    .connectAsync(url, { ...options, properties, reconnectPeriod: 0, connectTimeout: 10_000 }, false)
    .catch((error) => {
      throw new Mistake(whyAway(error, where));
    });
  try {
    await client.subscribeAsync({ [topic("answers")]: { qos: 2 }, [topic("pieces")]: { qos: 0 } });
    const answered = listen(client, topic, device);
    answered.catch(() => {}); // awaited below
    const request = JSON.stringify({ prompt, stream: true });
    let acknowledged;
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "puback") acknowledged = packet.reasonCode;
    });
    await client.publishAsync(topic("requests"), request, { qos: 1 });
    if (acknowledged === NOBODY) throw new Mistake(`no service "${device}" takes requests at ${where}`);
    await answered;
  } finally {
    client.end(true);
  }
}

/** Writes what comes until the answer has come. @throws Mistake */
function listen(client, topic, device) {
  return new Promise((resolve, reject) => {
    let shown = "";
    let silence;
    const waitOn = () => {
      clearTimeout(silence);
      const message = `no answer of "${device}" for ${PATIENCE} s: is the service running, and the request not too long?`;
      silence = setTimeout(() => reject(new Mistake(message)), 1000 * PATIENCE).unref();
    };
    waitOn();
    client.on("close", () => reject(new Mistake("the broker has closed the connection")));
    client.on("message", (from, payload) => {
      waitOn();
      if (from === topic("pieces")) {
        shown += payload;
        process.stdout.write(payload);
        return;
      }
      clearTimeout(silence);
      const { text, error } = JSON.parse(payload);
      if (error) return reject(new Mistake(`${error.code}: ${error.message}`));
      // Pieces may have been lost.
      process.stdout.write(text.startsWith(shown) ? `${text.slice(shown.length)}\n` : `\n${text}\n`);
      resolve();
    });
  });
}
