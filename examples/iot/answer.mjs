// What a request is answered: what the server says to the same body over HTTP, as a whole and, if it wants them, in pieces.

import { createServer } from "zagreus-edge/server";

/**
 * @param template for models that bring none
 * @returns a function of a payload that resolves to OpenAI's completion or {error: {message, type, param, code}}; pieces are OpenAI's chunks
 */
export function answerer(model, template) {
  const server = createServer(model, { template });
  return async (payload, { signal, onPiece }) => {
    const { path, body } = route(payload);
    const headers = { "content-type": "application/json" };
    const response = await server.fetch(`http://localhost${path}`, { method: "POST", headers, body, signal });
    if (!response.headers.get("content-type").startsWith("text/event-stream")) return response.json();
    const answer = { choices: [] };
    for await (const chunk of events(response.body)) {
      if (chunk.error) return chunk;
      onPiece(chunk);
      add(answer, chunk);
    }
    return answer;
  };
}

/** What is no JSON goes on as it is: the server says what is wrong. */
function route(payload) {
  let request;
  try {
    request = JSON.parse(payload);
  } catch {
    // said by the server
  }
  const path = request?.messages === undefined ? "/v1/completions" : "/v1/chat/completions";
  if (request?.stream !== true) return { path, body: payload };
  const stream_options = { ...request.stream_options, include_usage: true };
  return { path, body: JSON.stringify({ ...request, stream_options }) };
}

/** The objects of server-sent events. */
async function* events(body) {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) if (block.startsWith("data: {")) yield JSON.parse(block.slice("data: ".length));
  }
}

/** Makes of chunks what the answer would be without `stream`. */
function add(answer, { choices, object, prompt_progress, ...rest }) {
  Object.assign(answer, rest, { object: object.replace(/\.chunk$/, "") });
  for (const { index, delta, text, logprobs, finish_reason } of choices) {
    const empty = delta ? { message: { role: "assistant", content: "", refusal: null } } : { text: "" };
    answer.choices[index] ??= { index, ...empty };
    const choice = answer.choices[index];
    choice.finish_reason = finish_reason;
    choice.logprobs = logprobs ? joined(choice.logprobs, logprobs) : (choice.logprobs ?? null);
    if (text) choice.text += text;
    if (delta?.content) choice.message.content = (choice.message.content ?? "") + delta.content;
    for (const { index: number, ...call } of delta?.tool_calls ?? []) {
      choice.message.tool_calls ??= [];
      choice.message.content ||= null;
      const calls = choice.message.tool_calls;
      if (calls[number]) calls[number].function.arguments += call.function.arguments;
      else calls[number] = call;
    }
  }
}

/** Lists of the same names, one after the other. */
function joined(before, after) {
  const lists = Object.entries(after).map(([name, list]) => [name, list && [...(before?.[name] ?? []), ...list]]);
  return Object.fromEntries(lists);
}
