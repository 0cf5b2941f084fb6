// Finds tool calls in the raw text of an answer, as the makers' grader does: malformed blocks count by their name, and where no
// block is tagged, calls without a tag count. Not what chat() reads (host/core/chat/calls.ts), which passes on sound calls only.

import { isTruthy, loads, type PythonValue, SPACE } from "../python.js";

/** `name` is what stands there: null, or no string at all, is a call too. */
export interface FoundCall {
  name: PythonValue;
  /** null where there are none, or they cannot be read. */
  arguments: PythonValue;
}

const _ = `[${SPACE}]*`;
const TAGGED = new RegExp(`<tool_call>${_}(\\{[^]*?\\})${_}</tool_call>`, "g");
const NAMED = new RegExp(`"name"${_}:${_}"([^"]+)"`);
const BARE = new RegExp(`\\{${_}"name"${_}:${_}"([^"]+)"${_},${_}"arguments"${_}:${_}(\\{[^]*?\\})${_}\\}`, "g");

export function findCalls(answer: string): FoundCall[] {
  const tagged = [...answer.matchAll(TAGGED)].flatMap(([, block]) => taggedCall(block!));
  return tagged.length > 0 ? tagged : [...answer.matchAll(BARE)].map(([, name, text]) => called(name!, loads(text!)));
}

function taggedCall(block: string): FoundCall[] {
  const read = loads(block);
  if (read instanceof Map) {
    const name = read.get("name");
    return [called((isTruthy(name) ? name : read.get("tool")) ?? null, read.get("arguments"))];
  }
  const name = NAMED.exec(block)?.[1];
  return name === undefined ? [] : [called(name, null)];
}

const called = (name: PythonValue, given: PythonValue | undefined): FoundCall => ({ name, arguments: given ?? null });
