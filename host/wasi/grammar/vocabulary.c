// A model's tokens, sorted by their bytes: a trie that is walked without being built.

#include <string.h>

#include "parts.h"

struct vocabulary vocabulary;
static struct block data_block, offsets_block, sorted_block, shared_block, spare_block;

static bool is_end(int token) {
  for (int i = 0; i < model.end_count; i++) {
    if (model.ends[i] == token) return true;
  }
  return false;
}

/** Bytes of the text that a token writes; they are in the core's buffer then. */
static size_t written(int token) {
  int type = core_tokenType(token);
  if (is_end(token) || (type != TOKEN_NORMAL && type != TOKEN_USER_DEFINED && type != TOKEN_BYTE)) return 0;
  return (size_t)core_tokenBytes(token);
}

static int reserve_all(size_t count) {
  size_t bytes = 0;
  for (int token = 0; token < model.vocabulary; token++) bytes += written(token);
  int status = try_reserve(&data_block, bytes + 1, &trouble.needed);
  if (status == OK) status = try_reserve(&offsets_block, (count + 1) * sizeof(uint32_t), &trouble.needed);
  if (status == OK) status = try_reserve(&sorted_block, count * sizeof(uint32_t), &trouble.needed);
  if (status == OK) status = try_reserve(&spare_block, count * sizeof(uint32_t), &trouble.needed);
  if (status == OK) status = try_reserve(&shared_block, count * sizeof(uint16_t), &trouble.needed);
  return status;
}

static void read_tokens(void) {
  uint32_t length = 0;
  memset(vocabulary.missing, 255, sizeof vocabulary.missing);
  for (int token = 0; token < model.vocabulary; token++) {
    size_t bytes = written(token);
    memcpy(vocabulary.data + length, at(core_buffer()), bytes);
    vocabulary.offsets[token] = length;
    if (bytes == 1) vocabulary.missing[vocabulary.data[length] >> 3] &= ~(1 << (vocabulary.data[length] & 7));
    if (bytes) vocabulary.sorted[vocabulary.count++] = (uint32_t)token;
    if (bytes > vocabulary.longest) vocabulary.longest = bytes;
    length += (uint32_t)bytes;
  }
  vocabulary.offsets[model.vocabulary] = length;
}

static bool is_less(uint32_t a, uint32_t b) {
  size_t first = token_length(a), second = token_length(b);
  int order = memcmp(token_text(a), token_text(b), first < second ? first : second);
  return order ? order < 0 : first < second;
}

/** A merge sort, which keeps equal ones in order. */
static void sort_tokens(void) {
  uint32_t *from = vocabulary.sorted, *to = spare_block.bytes;
  for (size_t width = 1; width < vocabulary.count; width *= 2) {
    for (size_t begin = 0; begin < vocabulary.count; begin += 2 * width) {
      size_t left = begin, middle = begin + width, end = begin + 2 * width;
      if (middle > vocabulary.count) middle = vocabulary.count;
      if (end > vocabulary.count) end = vocabulary.count;
      size_t right = middle;
      for (size_t i = begin; i < end; i++) {
        bool is_right = left == middle || (right < end && is_less(from[right], from[left]));
        to[i] = is_right ? from[right++] : from[left++];
      }
    }
    uint32_t *swapped = from;
    from = to;
    to = swapped;
  }
  vocabulary.sorted = from;
}

static void compare_neighbours(void) {
  for (size_t i = 0; i < vocabulary.count; i++) {
    size_t same = 0, most = 0;
    if (i) {
      size_t before = token_length(vocabulary.sorted[i - 1]);
      most = token_length(vocabulary.sorted[i]);
      if (before < most) most = before;
      const uint8_t *a = token_text(vocabulary.sorted[i - 1]), *b = token_text(vocabulary.sorted[i]);
      while (same < most && a[same] == b[same]) same++;
    }
    vocabulary.shared[i] = (uint16_t)same;
  }
}

int prepare_vocabulary(void) {
  if (vocabulary.ready) return OK;
  int status = reserve_all((size_t)model.vocabulary);
  if (status != OK) return status;
  vocabulary = (struct vocabulary){
      .data = data_block.bytes, .offsets = offsets_block.bytes, .sorted = sorted_block.bytes, .shared = shared_block.bytes};
  read_tokens();
  sort_tokens();
  compare_neighbours();
  vocabulary.ready = true;
  return OK;
}
