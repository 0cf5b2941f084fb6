// A GGUF file in parts, as llama-gguf-split makes them: the first has all metadata, each has tensors of its own.

import { ZagreusError } from "../api/errors.js";

export interface PartName {
  /** Of the whole. */
  prefix: string;
  /** From 1. */
  number: number;
  count: number;
}

/** What the name of a part says: PREFIX-00001-of-00003.gguf. */
export function parsePartName(path: string): PartName | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(path);
  if (!match || Number(match[3]) < 2) return undefined;
  return { prefix: match[1]!, number: Number(match[2]), count: Number(match[3]) };
}

/** The name of part `number`, from 1. */
function partName(prefix: string, number: number, count: number): string {
  const digits = (n: number) => String(n).padStart(5, "0");
  return `${prefix}-${digits(number)}-of-${digits(count)}.gguf`;
}

/** The names of all parts, in order. */
export function partNames({ prefix, count }: Pick<PartName, "prefix" | "count">): string[] {
  return Array.from({ length: count }, (_, i) => partName(prefix, i + 1, count));
}

export const SPLIT_NUMBER = "split.no"; // from 0
export const SPLIT_COUNT = "split.count";
/** Metadata that a part has and the whole does not. */
export const SPLIT_KEYS: readonly string[] = [SPLIT_NUMBER, SPLIT_COUNT, "split.tensors.count"];

/** The error for a part that is no whole model. @param number from 0 */
export function partAlone(number: number, count: number, where = ""): ZagreusError {
  const first = partName("...", 1, count);
  const message = `${where}this is part ${number + 1} of ${count} of a split GGUF file: load part 1 by its path or URL, named ${first} and with all others beside it`;
  return new ZagreusError("SOURCE_FAILED", message, { field: SPLIT_COUNT, value: count, expected: 1 });
}
