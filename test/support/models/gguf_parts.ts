// Cuts a GGUF file into parts, as llama-gguf-split does.

import { VALUE_I32, VALUE_U16 } from "../../../assembly/layout/gguf";
import { type Entry, type GgufFile, scalar, u32, writeGguf } from "./gguf_writer";

/** The files of a model whose parts begin with these tensors (the first with tensor 0). */
export function ggufParts(file: GgufFile, starts: readonly number[]): Uint8Array[] {
  const count = starts.length + 1;
  return [0, ...starts].map((start, number) => {
    const split: Entry[] = [
      { key: "split.no", value: scalar(VALUE_U16, number) },
      { key: "split.count", value: scalar(VALUE_U16, count) },
      { key: "split.tensors.count", value: scalar(VALUE_I32, file.tensors.length) },
    ];
    const alignment: Entry[] = file.alignment ? [{ key: "general.alignment", value: u32(file.alignment) }] : [];
    const metadata = number === 0 ? [...file.metadata, ...split] : [...split, ...alignment];
    return writeGguf({ ...file, metadata, tensors: file.tensors.slice(start, starts[number]) }).bytes;
  });
}

export const partPath = (prefix: string, number: number, count: number) =>
  `${prefix}-${String(number).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;
