// Quantizing without a runtime: readers of checkpoints, the GGUF encoder, and the way in between. IO is handed in.

export { ZagreusError } from "../host/core/errors.js";
export type * from "./checkpoint.js";
export { openGguf } from "./gguf_checkpoint.js";
export { type HuggingfaceOptions, openHuggingface } from "./huggingface.js";
export { type NanotronOptions, openNanotron } from "./nanotron.js";
export { type OpenOptions, openCheckpoint } from "./open.js";
export {
  type EncodeOptions,
  encodeGguf,
  type QuantizedType,
  type QuantizeProgress,
  type QuantizeReport,
  type Sink,
} from "./quantize.js";
export { Quantizer, type QuantizerExports, type RoundedRows } from "./quantizer.js";
export { plainRounding, type Rounding } from "./rounding.js";
