// The sequence of tokens that the KV cache holds, and what else goes on from one call to the next.

import { sequenceAddress, STRUCT_BYTES } from "../runtime/memory";

@unmanaged
export class Sequence {
  random: u64; // state of the sampler's generator
  length: i32; // positions in the KV cache
  history: usize; // their tokens: u32[context]
  heldBytes: u32; // what detokenizer.ts holds back: Held
  heldCount: u32;
  heldBlank: bool;
}

// @ts-ignore: decorator
@lazy
export const sequence = changetype<Sequence>(sequenceAddress());
if (offsetof<Sequence>() > STRUCT_BYTES) ERROR("Sequence is larger than STRUCT_BYTES");
