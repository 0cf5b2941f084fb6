// Characters of UTF-8: their length, and what stands in for bytes that are none.

#include "zagreus.h"

const char REPLACEMENT[3] = "\xef\xbf\xbd";

/** Bytes of the character that `lead` starts; 0 when it starts none. */
static size_t sequence_length(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

size_t character(const char *text, size_t length, bool *valid) {
  const uint8_t *p = (const uint8_t *)text;
  uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
  uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
  size_t wanted = sequence_length(p[0]);
  size_t n = 1;
  for (; n < wanted && n < length && p[n] >= low && p[n] <= high; n++) {
    low = 0x80;
    high = 0xbf;
  }
  *valid = n == wanted;
  return n;
}
