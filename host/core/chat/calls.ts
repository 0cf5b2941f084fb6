// Finds Hermes' tool calls in a stream of text:
//
//     <tool_call>
//     {"name": "get_weather", "arguments": {"city": "Roma"}}
//     </tool_call>
//
// A call is passed on as it comes: its name, then its arguments piece by piece. What turns out to be no call is text,
// nothing is lost.

import type { ToolCallDelta } from "../api/api.js";
import { isObject } from "../api/is_object.js";

const OPEN = "<tool_call>";
const CLOSE = "</tool_call>";
const HEAD = /^\s*\{\s*"name"\s*:\s*"([\w.-]+)"\s*,\s*"arguments"\s*:\s*(?=\{)/;
const TAIL = /^\s*\}\s*<\/tool_call>/;

export interface Parsed {
  /** What belongs to no call. */
  text: string;
  toolCalls: ToolCallDelta[];
}

type CallState = "text" | "head" | "arguments" | "tail";

export class CallParser {
  #state: CallState = "text";
  /** What has come and is not passed on yet. */
  #held = "";
  #scanner = new ObjectScanner();
  #out: Parsed = { text: "", toolCalls: [] };
  #calls = 0;
  /** Whether nothing has followed the last call yet: white space alone is dropped there. */
  #atCall = false;

  /** Whether there was a call and the last one is whole. */
  get complete(): boolean {
    return this.#calls > 0 && this.#state !== "arguments";
  }

  /** Takes the next piece of text. */
  push(text: string): Parsed {
    this.#held += text;
    while (this.#step()) {}
    return this.#flush();
  }

  /** No more text follows. */
  finish(): Parsed {
    const held = this.#held;
    this.#held = "";
    if (this.#state === "head") this.#out.text += OPEN + held;
    else if (this.#state === "tail" && !mayBeTail(held)) this.#out.text += held;
    else if (this.#state === "text" && !(this.#atCall && held.trim() === "")) this.#out.text += held;
    return this.#flush();
  }

  /** Passes on what can be; returns whether there may be more. */
  #step(): boolean {
    switch (this.#state) {
      case "text":
        return this.#text();
      case "head":
        return this.#head();
      case "arguments":
        return this.#arguments();
      case "tail":
        return this.#tail();
    }
  }

  /** White space before a call belongs to the form, as that between calls does. */
  #text(): boolean {
    const open = this.#held.indexOf(OPEN);
    if (open >= 0) {
      this.#out.text += this.#held.slice(0, open).trimEnd();
      return this.#go("head", open + OPEN.length);
    }
    const certain = this.#held.slice(0, this.#held.length - heldLength(this.#held, OPEN)).trimEnd();
    this.#out.text += certain;
    if (certain !== "") this.#atCall = false;
    this.#held = this.#held.slice(certain.length);
    return false;
  }

  #head(): boolean {
    const match = HEAD.exec(this.#held);
    if (match) {
      this.#begin(match[1]!, "");
      this.#scanner = new ObjectScanner();
      return this.#go("arguments", match[0].length);
    }
    const close = this.#held.indexOf(CLOSE);
    const again = this.#held.indexOf(OPEN);
    if (again >= 0 && (close < 0 || again < close)) {
      this.#out.text += OPEN + this.#held.slice(0, again);
      return this.#go("text", again);
    }
    if (close < 0) return false;
    const block = this.#held.slice(0, close);
    const call = parseCall(block);
    if (call) this.#begin(call.name, call.arguments);
    else this.#out.text += OPEN + block + CLOSE;
    return this.#go("text", close + CLOSE.length);
  }

  #arguments(): boolean {
    const length = this.#scanner.scan(this.#held);
    this.#more(this.#held.slice(0, length));
    return this.#go(this.#scanner.done ? "tail" : "arguments", length) && this.#scanner.done;
  }

  #tail(): boolean {
    const match = TAIL.exec(this.#held);
    if (match) return this.#go("text", match[0].length);
    return !mayBeTail(this.#held) && this.#go("text", 0);
  }

  #go(state: CallState, consumed: number): true {
    this.#state = state;
    this.#held = this.#held.slice(consumed);
    return true;
  }

  #begin(name: string, text: string): void {
    this.#atCall = true;
    const id = `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
    this.#out.toolCalls.push({ index: this.#calls++, id, type: "function", function: { name, arguments: text } });
  }

  #more(text: string): void {
    const last = this.#out.toolCalls.at(-1);
    if (text === "") return;
    if (last) last.function.arguments += text;
    else this.#out.toolCalls.push({ index: this.#calls - 1, function: { arguments: text } });
  }

  #flush(): Parsed {
    const out = this.#out;
    this.#out = { text: "", toolCalls: [] };
    return out;
  }
}

/** Finds the end of a JSON object that comes in pieces. */
class ObjectScanner {
  #depth = 0;
  #inString = false;
  #escaped = false;
  done = false;

  /** Length of what belongs to the object. */
  scan(text: string): number {
    for (let i = 0; i < text.length; i++) {
      this.#character(text[i]!);
      if (this.done) return i + 1;
    }
    return text.length;
  }

  #character(character: string): void {
    if (this.#escaped) this.#escaped = false;
    else if (this.#inString && character === "\\") this.#escaped = true;
    else if (character === '"') this.#inString = !this.#inString;
    else if (this.#inString) return;
    else if (character === "{" || character === "[") this.#depth++;
    else if (character === "}" || character === "]") this.done = --this.#depth === 0;
  }
}

/** A call whose members stand in another order, or whose arguments are a string. */
function parseCall(block: string): { name: string; arguments: string } | undefined {
  try {
    const { name, arguments: given } = JSON.parse(block);
    const text = typeof given === "string" ? given : JSON.stringify(given);
    return typeof name === "string" && isObject(JSON.parse(text)) ? { name, arguments: text } : undefined;
  } catch {
    return undefined;
  }
}

function mayBeTail(text: string): boolean {
  return `}${CLOSE}`.startsWith(text.replace(/\s/g, ""));
}

/** Length of the longest end of `text` that begins `tag`. */
function heldLength(text: string, tag: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}
