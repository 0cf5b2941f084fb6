// UTF-8 as WHATWG decoders see it: a wrong sequence ends before the first byte that cannot continue it ("maximal
// subpart").

/** Bytes of the sequence that `lead` starts; 0 when it starts none. */
export function sequenceLength(lead: u32): u32 {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/** Bytes at `p` that form one character, or else its maximal subpart: at least 1. */
export function sequenceAt(p: usize, end: usize): u32 {
  const lead = <u32>load<u8>(p);
  const length = sequenceLength(lead);
  if (length < 2 || p + 1 == end) return 1;
  const second = <u32>load<u8>(p, 1);
  const low: u32 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const high: u32 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 1;
  let n: u32 = 2;
  while (n < length && p + n < end && (<u32>load<u8>(p + n) & 0xc0) == 0x80) n++;
  return n;
}

/** Bytes at the end of the text, 0 to 3, that more bytes could complete to a character. */
export function incompleteTail(start: usize, end: usize): u32 {
  const limit = <u32>min<usize>(3, end - start);
  for (let n: u32 = 1; n <= limit; n++) {
    const byte = <u32>load<u8>(end - n);
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return sequenceLength(byte) > n && sequenceAt(end - n, end) == n ? n : 0;
  }
  return 0;
}
