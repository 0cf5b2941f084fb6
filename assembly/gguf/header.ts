// The header that is being read, or was read last.

import { headerAddress, STRUCT_BYTES } from "../runtime/memory";

@unmanaged
export class Header {
  alignment: u64; // of the tensors' data
  dataOffset: u64; // bytes of the file up to the first tensor's data, padding included
  elementsLeft: u64; // of the array of strings that is being parsed
  elementLimit: u64; // bytes that one of them may have
  part: i32; // AT_* (parser.ts)
  cursor: usize; // next byte to parse
  staged: usize; // end of the bytes that have arrived
  metadataTotal: i32;
  metadataParsed: i32;
  tensorTotal: i32;
  tensorsParsed: i32;
  infos: usize; // first raw tensor info
  records: usize; // TENSOR_* records[tensorTotal], by offset
}

// @ts-ignore: decorator
@lazy
export const header = changetype<Header>(headerAddress());
if (offsetof<Header>() > STRUCT_BYTES) ERROR("Header is larger than STRUCT_BYTES");

/** Rounds up to the alignment, a power of two. */
// @ts-ignore: decorator
@inline
export function aligned(bytes: u64): u64 {
  return (bytes + header.alignment - 1) & ~(header.alignment - 1);
}
