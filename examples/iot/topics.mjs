// Where things go: topics, and MQTT 5's properties of requests and answers.

import { createHash } from "node:crypto";

/** Topic of a kind of message. @param name of a device or its group */
export const topicOf = (kind, name, id) => `zagreus/${name}/${kind}/${id}`;

/** Whether a device is there: "online" or "offline", retained. */
export const presenceOf = (device) => `zagreus/${device}/presence`;

/** What comes twice under an id is one request. */
export function idOf({ topic, properties }) {
  const correlation = properties?.correlationData?.toString("base64");
  const id = correlation ? `${topic} ${correlation}` : topic;
  return id.length <= 200 ? id : createHash("sha256").update(id).digest("base64");
}

/** What its answer needs of a request's packet. A response topic that nobody can be told something under is none. */
export function replyOf({ topic, properties: { responseTopic, correlationData } = {} }) {
  const isTopic = responseTopic && !/^\$|[+#\0]/.test(responseTopic);
  return { topic, ...(isTopic && { responseTopic }), ...(correlationData && { correlationData }) };
}

/** Topic of a request's answers or pieces: the response topic, or one beside the request's own. */
export function placeOf(kind, { topic, responseTopic }) {
  const [, name, , id] = topic.split("/");
  return responseTopic ?? topicOf(kind, name, id);
}

/** Properties of an answer or a piece; "request" tells the journal which request is answered. */
export function propertiesOf(kind, id, { correlationData }) {
  return { userProperties: { kind, request: id }, ...(correlationData && { correlationData }) };
}
