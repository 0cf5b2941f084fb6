// Adapters in GGUF, as llama.cpp's convert_lora_to_gguf.py writes them: no rank, no list of modules, and B's rows of queries and keys
// already in GGUF's order.
//
//     general.type "adapter" | general.architecture | adapter.type "lora" | adapter.lora.alpha f32
//     blk.N.attn_q.weight.lora_a, dimensions [columns of W, rank], and .lora_b, [rank, rows of W]

import { tensorTypeName } from "../api/names.js";
import { entryValue, fault, type GgufHeader, type GgufTensor, readGgufHeader, tensorBytes } from "../gguf/header.js";
import {
  type Adapter,
  type Base,
  badAdapter,
  checkFactors,
  type Factors,
  foreignAdapter,
  makeAdapter,
  type NamedFactors,
  type NamedTensor,
  SITES,
  type SiteName,
} from "./adapter.js";
import { DECODERS, decodeValues } from "./values.js";

const TENSOR = /^blk\.(0|[1-9]\d{0,8})\.(\w+)\.weight\.lora_([ab])$/;
/** Keys of adapters that apply to a part of the text only. */
const ACTIVATED = "adapter.alora.invocation_tokens";

/** @throws ZagreusError BAD_ADAPTER, FOREIGN_ADAPTER, TRUNCATED, and what readGgufHeader() finds */
export async function readGgufAdapter(file: string, bytes: Uint8Array, base: Base): Promise<Adapter> {
  const header = await readGgufHeader({ name: file, read: async (length) => bytes.subarray(0, length) });
  checkKeys(header, base);
  const alpha = alphaOf(header);
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  const read = ({ name }: NamedTensor) => valuesOf(header, bytes, tensors.get(name)!);
  const factors = pairs(header).map((pair): Factors => {
    const { layer, site } = pair;
    const { a, b, rank } = checkFactors(file, base, pair);
    // llama.cpp, llama_adapter_lora_weight::get_scale(): no alpha means that the factors are as they are meant.
    return { layer, site, rank, scale: alpha === 0 ? 1 : alpha / rank, a: read(a), b: read(b) };
  });
  const name = entryValue(header, "general.name");
  return makeAdapter(file, typeof name === "string" ? name : undefined, factors);
}

function checkKeys(header: GgufHeader, base: Base): void {
  const { name: file, entries } = header;
  const text = (key: string) => entryValue(header, key) ?? "missing";
  const type = text("general.type");
  if (type !== "adapter") throw badAdapter(file, "general.type", `is ${type}, must be adapter`, { value: type });
  const kind = text("adapter.type");
  if (kind !== "lora") throw badAdapter(file, "adapter.type", `is ${kind}, must be lora`, { value: kind });
  if (entries.has(ACTIVATED)) {
    throw badAdapter(
      file,
      ACTIVATED,
      "makes it one that applies behind certain tokens only (aLoRA), which is not supported",
    );
  }
  const architecture = text("general.architecture");
  if (architecture !== base.architecture) {
    const reason = `is ${architecture}, the model's is ${base.architecture}`;
    throw foreignAdapter(file, "general.architecture", reason, { value: architecture, expected: base.architecture });
  }
  if (Number(entryValue(header, "split.count") ?? 1) > 1) {
    throw badAdapter(file, "split.count", "is more than 1: an adapter must be one file");
  }
}

/** 0 where there is none. */
function alphaOf(header: GgufHeader): number {
  const alpha = entryValue(header, "adapter.lora.alpha") ?? 0;
  if (typeof alpha === "number" && Number.isFinite(alpha)) return alpha;
  throw badAdapter(header.name, "adapter.lora.alpha", `is ${alpha}, must be a finite number`, { value: alpha });
}

/** Tensors by what they belong to. @throws ZagreusError BAD_ADAPTER for one that is no factor of a layer's matrix */
function pairs({ name: file, tensors }: GgufHeader): NamedFactors[] {
  const found = new Map<string, NamedFactors>();
  for (const { name, dimensions } of tensors) {
    const [, layer, site, side] = TENSOR.exec(name) ?? [];
    if (layer === undefined || !SITES.includes(site as SiteName)) throw noFactor(file, name);
    const key = `${layer}.${site}`;
    const pair = found.get(key) ?? { layer: Number(layer), site: site as SiteName };
    pair[side as "a" | "b"] = { name, shape: [...dimensions].reverse() };
    found.set(key, pair);
  }
  return [...found.values()];
}

function noFactor(file: string, name: string) {
  const what = /^(token_embd|output)\./.test(name) ? "the embedding or the head" : "something else";
  const expected = `factors of ${SITES.join(", ")}`;
  return badAdapter(file, name, `changes ${what}, must be ${expected}`, { expected });
}

function valuesOf(header: GgufHeader, bytes: Uint8Array, tensor: GgufTensor): Float32Array {
  const { name: file, dataStart, alignment } = header;
  const { name, type, dimensions, offset } = tensor;
  const [columns = 0, rows = 0] = dimensions;
  const length = tensorBytes(tensor);
  if (!DECODERS[type] || length === undefined || !Number.isInteger(length / rows)) {
    const expected = "F32, F16, BF16, or Q8_0 with rows of whole blocks";
    const reason = `is ${tensorTypeName(type)} of ${columns} columns, must be ${expected}`;
    throw badAdapter(file, name, reason, { value: tensorTypeName(type), expected });
  }
  if (offset % alignment !== 0)
    throw fault("BAD_OFFSET", file, name, `begins at ${offset}, which is not aligned`, offset);
  const start = dataStart + offset;
  if (start + length > bytes.length) {
    const reason = `ends the file early: ${bytes.length} bytes, needs ${start + length}`;
    throw fault("TRUNCATED", file, name, reason, bytes.length, start + length);
  }
  return decodeValues(file, name, type, bytes.subarray(start, start + length), columns * rows);
}
