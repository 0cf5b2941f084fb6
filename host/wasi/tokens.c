// Text to tokens and back, over the core's window.

#include <string.h>

#include "zagreus.h"

void add_token(struct tokens *tokens, uint32_t id) {
  uint32_t *added = tokens->count ? extend(sizeof id) : take(sizeof id);
  if (!tokens->count) tokens->ids = added;
  *added = id;
  tokens->count++;
}

int continues_behind(int32_t token) {
  int type = token < 0 ? TOKEN_CONTROL : core_tokenType(token);
  return type == TOKEN_NORMAL || type == TOKEN_BYTE ? ENCODE_CONTINUED : 0;
}

void encode_text(struct tokens *tokens, struct text text, bool special) {
  int continued = 0;
  for (size_t done = 0; done < text.length; done += (size_t)core_encodeConsumed()) {
    size_t left = text.length - done;
    size_t length = left < TEXT_BYTES ? left : TEXT_BYTES;
    memcpy(at(core_buffer()), text.bytes + done, length);
    int flags = (special ? ENCODE_SPECIAL : 0) | (length == left ? ENCODE_LAST : 0) | continued;
    int count = counted(core_encode((int)length, flags));
    continued = core_encodeContinued();
    tokens->dropped += (size_t)core_encodeDropped();
    const uint32_t *ids = at(core_tokens());
    for (int i = 0; i < count; i++) add_token(tokens, ids[i]);
  }
}

void print_token(uint32_t id) {
  int length = counted(core_tokenBytes((int)id));
  write_json(&out, at(core_buffer()), (size_t)length);
}

void print_ids(const uint32_t *ids, size_t count) {
  for (size_t i = 0; i < count; i++) print(&out, i ? ",%d" : "%d", (int)ids[i]);
}
