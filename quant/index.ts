// Quantizing without a runtime: readers of checkpoints, the GGUF encoder, and the way in between. IO is handed in.

export type { QuantizerExports } from "../assembly/layout/exports.js";
export { ZagreusError } from "../host/core/api/errors.js";
export type * from "./checkpoint/checkpoint.js";
export type { QuantizedType } from "./checkpoint/types.js";
export { openGguf } from "./read/gguf_checkpoint.js";
export { type HuggingfaceOptions, openHuggingface } from "./read/huggingface.js";
export { type NanotronOptions, openNanotron } from "./read/nanotron.js";
export { type OpenOptions, openCheckpoint } from "./read/open.js";
export { Quantizer, type RoundedRows } from "./round/quantizer.js";
export { plainRounding, type Rounding } from "./round/rounding.js";
export {
  type EncodeOptions,
  encodeGguf,
  type QuantizeProgress,
  type QuantizeReport,
  type Sink,
} from "./write/encode.js";
