// Text to tokens, and what tokens are.

#include <string.h>

#include "reactor.h"

static struct block text_block, ids_block;

/** With bos and SentencePiece's blank: a token has at least a byte, and a byte that is no UTF-8 becomes U+FFFD. */
static size_t most_tokens(size_t bytes) { return 2 + sizeof REPLACEMENT * bytes; }

int32_t encode_bytes(const char *text, size_t length, bool special, int continued, const uint32_t **ids, size_t *count) {
  *count = 0;
  int32_t status = reserve(&text_block, length + 1);
  if (status == OK) status = reserve(&ids_block, most_tokens(length) * sizeof **ids);
  if (status != OK) return status;
  memcpy(text_block.bytes, text, length);
  const char *bytes = text_block.bytes;
  uint32_t *into = ids_block.bytes;
  for (size_t done = 0; done < length; done += (size_t)core_encodeConsumed()) {
    size_t left = length - done, size = left < TEXT_BYTES ? left : TEXT_BYTES;
    memcpy(at(core_buffer()), bytes + done, size);
    int flags = (special ? ENCODE_SPECIAL : 0) | (size == left ? ENCODE_LAST : 0) | continued;
    int found = core_encode((int)size, flags);
    if (found < 0) return answer(-found);
    continued = core_encodeContinued();
    memcpy(into + *count, at(core_tokens()), (size_t)found * sizeof *into);
    *count += (size_t)found;
  }
  *ids = into;
  return OK;
}

int32_t zagreus_tokenize(uint32_t length, uint32_t flags) {
  int32_t status = check_loaded();
  if (status == OK) status = check_buffer(length);
  if (status != OK) return status;
  const uint32_t *ids = NULL;
  size_t count;
  bool continues = flags & ZAGREUS_TEXT_CONTINUES;
  status = encode_bytes(at(core_buffer()), length, flags & ZAGREUS_TEXT_SPECIAL, continues ? ENCODE_CONTINUED : 0, &ids, &count);
  if (status != OK) return status;
  if (model.bos < 0 || continues || flags & ZAGREUS_TEXT_NO_BOS) return give(ids, count * sizeof *ids);
  uint32_t *all = ids_block.bytes; // has room for one more than there can be
  memmove(all + 1, ids, count * sizeof *ids);
  all[0] = (uint32_t)model.bos;
  return give(all, (count + 1) * sizeof *all);
}

int32_t zagreus_token(uint32_t token) {
  int32_t status = check_loaded();
  if (status != OK) return status;
  if (token >= (uint32_t)model.vocabulary) return refused_value(BAD_TOKEN, "token", token, model.vocabulary);
  uint32_t type = (uint32_t)core_tokenType((int32_t)token);
  size_t bytes = (size_t)core_tokenBytes((int32_t)token);
  char *buffer = at(core_buffer());
  memmove(buffer + sizeof type, buffer, bytes);
  memcpy(buffer, &type, sizeof type);
  return give(buffer, sizeof type + bytes);
}

int32_t zagreus_markers(uint32_t first) {
  int32_t status = check_loaded();
  if (status != OK) return status;
  status = reserve(&text_block, IO_BYTES);
  if (status != OK) return status;
  char *into = text_block.bytes;
  size_t length = 0;
  for (uint32_t token = first; token < (uint32_t)model.vocabulary; token++) {
    uint32_t type = (uint32_t)core_tokenType((int32_t)token);
    if (type != TOKEN_CONTROL && type != TOKEN_USER_DEFINED) continue;
    if (length + 12 + MAX_TOKEN_BYTES > IO_BYTES) break;
    uint32_t bytes = (uint32_t)core_tokenBytes((int32_t)token), record[] = {token, type, bytes};
    memcpy(into + length, record, sizeof record);
    memcpy(into + length + sizeof record, at(core_buffer()), bytes);
    length += sizeof record + bytes;
  }
  return give(into, length);
}
