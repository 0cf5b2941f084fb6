// Whether the events of a streamed response (/v1/responses) come in OpenAI's order, with all that they must have.

/** Throws where they do not; returns the response that they end with. */
export function checkResponseEvents(events) {
  const check = new Check();
  events.forEach((event, i) => {
    try {
      check.next(event, i);
    } catch (error) {
      throw new Error(`event ${i}, ${JSON.stringify(event)}: ${error.message}`);
    }
  });
  if (!check.response) throw new Error(`no end: ${JSON.stringify(events.at(-1))}`);
  return check.response;
}

const ENDS = { "response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed" };
const KINDS = { message: "msg_", function_call: "fc_" };

function must(condition, what) {
  if (!condition) throw new Error(what);
}
const same = (a, b, what) =>
  must(JSON.stringify(a) === JSON.stringify(b), `${what}: ${JSON.stringify(a)}, not ${JSON.stringify(b)}`);

class Check {
  response;
  #id;
  #items = [];
  /** The item that is open, its text, and whether its part is. */
  #item;
  #text = "";
  #part = "none";

  next(event, i) {
    must(!this.response, "comes behind the end");
    same(event.sequence_number, i, "sequence_number");
    if (i === 0) return this.#begin(event, "response.created");
    if (i === 1) return this.#begin(event, "response.in_progress");
    if (event.type in ENDS) return this.#end(event);
    if (event.type === "response.output_item.added") return this.#added(event);
    must(this.#item, "no item is open");
    same(event.output_index, this.#items.length, "output_index");
    if (event.type === "response.output_item.done") return this.#done(event);
    same(event.item_id, this.#item.id, "item_id");
    if (this.#item.type === "message") this.#message(event);
    else this.#call(event);
  }

  #begin({ type, response }, expected) {
    same(type, expected, "type");
    this.#id ??= response.id;
    same(
      [response.id, response.status, response.output, response.error],
      [this.#id, "in_progress", [], null],
      "response",
    );
    must(
      /^resp_\w+$/.test(response.id) && Number.isInteger(response.created_at) && response.object === "response",
      "head",
    );
  }

  #added({ output_index, item }) {
    must(!this.#item, "an item is open already");
    same(output_index, this.#items.length, "output_index");
    same(item.status, "in_progress", "status");
    must(item.id?.startsWith(KINDS[item.type]), `id of a ${item.type}`);
    must(!this.#items.some(({ id }) => id === item.id), "an id comes twice");
    if (item.type === "message") same([item.role, item.content], ["assistant", []], "message");
    else must(item.arguments === "" && item.call_id && item.name, "call");
    this.#item = item;
    this.#text = "";
    this.#part = "none";
  }

  #message(event) {
    same(event.content_index, 0, "content_index");
    if (event.type === "response.content_part.added") {
      same(
        [this.#part, event.part],
        ["none", { type: "output_text", text: "", annotations: [], logprobs: [] }],
        "part",
      );
      this.#part = "open";
    } else if (event.type === "response.output_text.delta") {
      must(this.#part === "open" && Array.isArray(event.logprobs) && typeof event.delta === "string", "delta");
      this.#text += event.delta;
    } else if (event.type === "response.output_text.done") {
      same([this.#part, event.text], ["open", this.#text], "text");
      this.#part = "said";
    } else if (event.type === "response.content_part.done") {
      same([this.#part, event.part.text, event.part.annotations], ["said", this.#text, []], "part");
      this.#part = "done";
    } else throw new Error("is no event of a message");
  }

  #call(event) {
    if (event.type === "response.function_call_arguments.delta") {
      must(this.#part === "none" && event.delta !== "", "delta");
      this.#text += event.delta;
    } else if (event.type === "response.function_call_arguments.done") {
      same([this.#part, event.arguments, event.name], ["none", this.#text, this.#item.name], "arguments");
      this.#part = "done";
    } else throw new Error("is no event of a call");
  }

  #done({ item }) {
    same(this.#part, "done", "part");
    must(item.status === "completed" || item.status === "incomplete", "status");
    same([item.id, item.type, item.call_id], [this.#item.id, this.#item.type, this.#item.call_id], "item");
    same(item.type === "message" ? item.content[0].text : item.arguments, this.#text, "what it says");
    this.#items.push(item);
    this.#item = undefined;
  }

  #end({ type, response }) {
    same([response.id, response.status], [this.#id, ENDS[type]], "response");
    if (type === "response.failed") must(response.error?.code && response.error.message, "error");
    else {
      must(!this.#item, "an item is open");
      same(response.output, this.#items, "output");
      must(this.#items.length > 0, "no item");
      same(
        response.incomplete_details,
        type === "response.incomplete" ? { reason: "max_output_tokens" } : null,
        "details",
      );
      const {
        input_tokens: i,
        output_tokens: o,
        total_tokens,
        input_tokens_details,
        output_tokens_details,
      } = response.usage;
      must(
        i + o === total_tokens &&
          input_tokens_details.cached_tokens <= i &&
          output_tokens_details.reasoning_tokens === 0,
        "usage",
      );
    }
    this.response = response;
  }
}
