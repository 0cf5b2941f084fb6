// Asks the service, and writes the text as it comes: node ask.mjs PROMPT [ID]

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import mqtt from "mqtt";

const { MQTT_URL = "mqtt://127.0.0.1", ZAGREUS_DEVICE = hostname() } = process.env;
const [prompt = "C'era una volta", id = randomUUID()] = process.argv.slice(2);
const topic = (kind) => `zagreus/${ZAGREUS_DEVICE}/${kind}/${id}`;

const client = await mqtt.connectAsync(MQTT_URL, { protocolVersion: 5 });
await client.subscribeAsync({ [topic("answers")]: { qos: 2 }, [topic("pieces")]: { qos: 0 } });
let shown = "";
client.on("message", (from, payload) => {
  if (from === topic("pieces")) {
    shown += payload;
    process.stdout.write(payload);
    return;
  }
  const { text, error } = JSON.parse(payload);
  if (error) console.error(`${error.code}: ${error.message}`);
  else if (text.startsWith(shown)) process.stdout.write(`${text.slice(shown.length)}\n`);
  else process.stdout.write(`\n${text}\n`); // pieces were lost
  process.exitCode = error ? 1 : 0;
  client.end();
});
await client.publishAsync(topic("requests"), JSON.stringify({ prompt, stream: true }), { qos: 1 });
