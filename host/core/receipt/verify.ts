// Whether a receipt is true: the completion is made again, on whatever host, build and number of threads this is.

import type { GenerateOptions, Model, Receipt } from "../api/api.js";
import { ZagreusError } from "../api/errors.js";
import { isObject } from "../api/is_object.js";
import { VERSION } from "./make.js";

/** What came of it: equal, or the first thing that is not. */
export type Verdict =
  | { equal: true }
  | {
      equal: false;
      /** "tokens" with the index of the first that differs; otherwise the field. */
      field: "model" | "tokens" | "endToken" | "finishReason" | "logits";
      index?: number;
      /** In the receipt. */
      expected: string | number | null;
      /** Here. */
      actual: string | number | null;
    };

const isIds = (value: unknown): value is number[] => Array.isArray(value) && value.every((id) => Number.isInteger(id));

/** What each field has to be. */
const FIELDS: Record<keyof Receipt, [expected: string, is: (value: unknown) => boolean]> = {
  version: [`${VERSION}`, (value) => value === VERSION],
  model: ["16 hexadecimal digits", (value) => /^[0-9a-f]{16}$/.test(String(value))],
  kvType: ["a KV type", (value) => typeof value === "string"],
  contextLength: ["an integer", Number.isInteger],
  prompt: ["a list of token ids", isIds],
  options: ["an object", isObject],
  seed: ["a string of digits", (value) => typeof value === "string" && /^\d{1,20}$/.test(value)],
  tokens: ["a list of token ids", isIds],
  endToken: ["a token id or null", (value) => value === null || Number.isInteger(value)],
  finishReason: ["a string", (value) => typeof value === "string"],
  logits: ["64 hexadecimal digits", (value) => /^[0-9a-f]{64}$/.test(String(value))],
};

/** A receipt that was read from JSON. @throws ZagreusError BAD_RECEIPT naming the field */
export function parseReceipt(value: unknown): Receipt {
  const bad = (field: string, found: unknown, expected: string) => {
    const shown = JSON.stringify(found) ?? "missing";
    const message = `no receipt: ${field} is ${shown.length > 60 ? `${shown.slice(0, 60)}...` : shown}, must be ${expected}`;
    return new ZagreusError("BAD_RECEIPT", message, { field });
  };
  if (!isObject(value)) throw bad("it", value, "an object");
  for (const [name, [expected, is]] of Object.entries(FIELDS)) {
    const found = (value as Record<string, unknown>)[name];
    if (!is(found)) throw bad(name, found, expected);
  }
  return value as unknown as Receipt;
}

/**
 * Makes the completion of a receipt again.
 * @throws ZagreusError BAD_RECEIPT for what is none, or needs another KV type or context length than the model was loaded with; what complete() throws
 */
export async function verify(model: Pick<Model, "info" | "complete">, given: unknown): Promise<Verdict> {
  const receipt = parseReceipt(given);
  for (const name of ["kvType", "contextLength"] as const) {
    if (model.info[name] === receipt[name]) continue;
    const message = `the receipt is of a model with ${name} ${receipt[name]}, this one was loaded with ${model.info[name]}`;
    throw new ZagreusError("BAD_RECEIPT", message, { field: name, value: model.info[name], expected: receipt[name] });
  }
  const completion = model.complete(receipt.prompt, optionsOf(receipt));
  for await (const _ of completion) {
    const index = completion.tokens.length - 1;
    if (completion.tokens[index] !== receipt.tokens[index]) break; // the rest is of no interest
  }
  return compare(receipt, completion.tokens, completion.receipt);
}

function optionsOf({ options, seed }: Receipt): GenerateOptions {
  const logitBias = new Map(options.logitBias?.map(([token, bias]) => [token, Number(bias)]));
  return { ...options, logitBias, seed: BigInt(seed), receipt: true };
}

/** @param here undefined where the completion was left because of a token */
function compare(receipt: Receipt, tokens: readonly number[], here: Receipt | undefined): Verdict {
  if (here && here.model !== receipt.model) {
    return { equal: false, field: "model", expected: receipt.model, actual: here.model };
  }
  const most = Math.max(tokens.length, receipt.tokens.length);
  for (let index = 0; index < most; index++) {
    const [expected = null, actual = null] = [receipt.tokens[index], tokens[index]];
    if (expected !== actual) return { equal: false, field: "tokens", index, expected, actual };
  }
  for (const field of ["endToken", "finishReason", "logits"] as const) {
    if (here?.[field] !== receipt[field]) {
      return { equal: false, field, expected: receipt[field], actual: here?.[field] ?? null };
    }
  }
  return { equal: true };
}
