// How the service and the asker reach the broker: settings from the environment, and a sentence for what is wrong with them.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";

const SCHEMES = ["mqtt", "mqtts", "tcp", "ssl", "ws", "wss"];
/** Of a message, in both directions: more than any prompt that fits into a context. The broker passes nothing larger on. */
const MAX_PACKET_BYTES = 256 * 1024;
/** Of an answer's payload: topic and properties need room, too. */
export const MAX_ANSWER_BYTES = MAX_PACKET_BYTES / 2;

/** Something that a person can mend; its message is all there is to say. */
export class Mistake extends Error {}

/**
 * Where the broker is, how to log in there, and by which `name` requests call the device: its own or its group's. A password may have any
 * character, in the URL too.
 * @returns {{url: string, where: string, device: string, name: string, shared: boolean, options: object, properties: object}}
 * @throws Mistake
 */
export function readSettings(env = process.env) {
  const { MQTT_URL = "mqtt://127.0.0.1", MQTT_CA, ZAGREUS_DEVICE: device = hostname(), ZAGREUS_GROUP: group } = env;
  const [, scheme, credentials, where] = /^([a-z]+):\/\/(?:(.*)@)?([^@]+)$/i.exec(MQTT_URL) ?? [];
  if (!SCHEMES.includes(scheme?.toLowerCase()) || !URL.canParse(`${scheme}://${where}`)) {
    throw new Mistake(`MQTT_URL is "${withoutPassword(MQTT_URL)}", must be a URL such as mqtt://broker.local:1883`);
  }
  for (const [variable, name] of Object.entries({ ZAGREUS_DEVICE: device, ...(group && { ZAGREUS_GROUP: group }) })) {
    if (name === "" || /[/+#\0]/.test(name))
      throw new Mistake(`${variable} is "${name}", must be a name without / + and #`);
  }
  const [, user, password] = /^([^:]*)(?::(.*))?$/s.exec(credentials ?? "");
  const username = env.MQTT_USERNAME ?? decoded(user);
  const login = env.MQTT_PASSWORD ?? decoded(password);
  return {
    url: `${scheme}://${where}`,
    where,
    device,
    name: group || device,
    shared: Boolean(group),
    options: {
      protocolVersion: 5,
      ...(username ? { username } : {}),
      ...(login === undefined ? {} : { password: login }),
      ...(MQTT_CA ? { ca: readCertificate(MQTT_CA) } : {}),
    },
    properties: { maximumPacketSize: MAX_PACKET_BYTES },
  };
}

/** Why there is no connection, in words: mqtt.js hides the reasons of several addresses in an AggregateError without a message. */
export function whyAway(error, where) {
  const reason = error.errors?.[0] ?? error;
  return `no connection to the broker at ${where}: ${reason.message || reason.code || reason.name}`;
}

/** Percent-encoded, or as it is. */
function decoded(text) {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return text;
  }
}

const withoutPassword = (url) => url.replace(/^([^:]*:\/\/[^:@]*):.*@/s, "$1:…@");

function readCertificate(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Mistake(`MQTT_CA names a certificate that cannot be read: ${error.message}`);
  }
}
