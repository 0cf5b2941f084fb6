// Feeds a model to the core: header, plan, weights.

#include <string.h>

#include "tables.h"
#include "zagreus.h"

struct model model;

/** An integer of `size` bytes, little-endian. */
static uint64_t read_integer(const uint8_t *bytes, int size) {
  uint64_t n = 0;
  while (size-- > 0) n = n << 8 | bytes[size];
  return n;
}

static int integer_size(uint64_t type) {
  switch (type) {
    case VALUE_U8:
    case VALUE_I8:
      return 1;
    case VALUE_U16:
    case VALUE_I16:
      return 2;
    case VALUE_U32:
    case VALUE_I32:
      return 4;
    case VALUE_U64:
    case VALUE_I64:
      return 8;
    default:
      return 0;
  }
}

/** The id under a key of the metadata; UINT64_MAX where there is none. A record: length u64 | key | type u32 | value */
static uint64_t metadata_id(const char *key) {
  size_t length = strlen(key);
  for (int i = 0; i < core_metadataCount(); i++) {
    const uint8_t *record = at(core_metadataEntry(i));
    if (read_integer(record, 8) != length || memcmp(record + 8, key, length)) continue;
    const uint8_t *type = record + 8 + length;
    int size = integer_size(read_integer(type, 4));
    return size ? read_integer(type + 4, size) : UINT64_MAX;
  }
  return UINT64_MAX;
}

static void add_end(uint64_t id) {
  if (id < (uint64_t)model.vocabulary) model.ends[model.end_count++] = (int)id;
}

/** Tokens that end a text: those that the file names, and control tokens with a known name. */
static void find_ends(const uint64_t named[LENGTH(END_KEYS)]) {
  for (size_t i = 0; i < LENGTH(END_KEYS); i++) add_end(named[i]);
  for (size_t i = 0; i < LENGTH(END_TOKENS); i++) {
    size_t length = strlen(END_TOKENS[i]);
    memcpy(at(core_buffer()), END_TOKENS[i], length);
    int id = core_findToken((int)length);
    if (id >= 0 && core_tokenType(id) == TOKEN_CONTROL) add_end((uint64_t)id);
  }
}

static int info(int id) { return (int)core_info(id); }

double load_model(const struct options *options) {
  double begun = now();
  if (options->context > MAX_CONTEXT) {
    bad_option("\"contextLength\" is %f, must be an integer from 1 to %d", options->context, MAX_CONTEXT);
  }
  uint64_t named_ends[LENGTH(END_KEYS)];
  int fd = open_input(options->model);
  check(core_begin((int)options->context, options->kv, memory_budget));
  for (;;) {
    size_t count = read_some(fd, options->model, at(core_buffer()), IO_BYTES);
    if (count == 0) break;
    if (check(core_feed((int)count)) != HEADER_READY) continue;
    for (size_t i = 0; i < LENGTH(END_KEYS); i++) named_ends[i] = metadata_id(END_KEYS[i]);
    check(core_plan());
  }
  check(core_end());
  model.vocabulary = info(INFO_VOCABULARY);
  model.context = info(INFO_CONTEXT);
  model.bos = info(INFO_ADD_BOS) ? info(INFO_BOS) : -1;
  find_ends(named_ends);
  return now() - begun;
}
