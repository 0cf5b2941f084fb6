// Feeds a model to the core: header, plan, weights.

#include <string.h>
#include <wasi/api.h>

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

/** The type of a key's value, which the value follows; NULL where there is none. A record: length u64 | key | type u32 | value */
static const uint8_t *metadata_type(const char *key) {
  size_t length = strlen(key);
  for (int i = 0; i < core_metadataCount(); i++) {
    const uint8_t *record = at(core_metadataEntry(i));
    if (read_integer(record, 8) == length && !memcmp(record + 8, key, length)) return record + 8 + length;
  }
  return NULL;
}

/** Ids that the metadata names; they are checked when the vocabulary is known. */
struct named_ends {
  uint64_t ids[LENGTH(END_KEYS) + MAX_MORE_ENDS];
  size_t count;
};

/** Reads them while the header is there. An array: element type u32 | count u64 | elements */
static void read_named_ends(struct named_ends *named) {
  for (size_t i = 0; i < LENGTH(END_KEYS); i++) {
    const uint8_t *type = metadata_type(END_KEYS[i]);
    int size = type ? integer_size(read_integer(type, 4)) : 0;
    if (size) named->ids[named->count++] = read_integer(type + 4, size);
  }
  const uint8_t *type = metadata_type(MORE_ENDS_KEY);
  if (!type || read_integer(type, 4) != VALUE_ARRAY || read_integer(type + 4, 4) != VALUE_U32) return;
  uint64_t more = read_integer(type + 8, 8);
  for (uint64_t i = 0; more <= MAX_MORE_ENDS && i < more; i++) {
    named->ids[named->count++] = read_integer(type + 16 + 4 * i, 4);
  }
}

static void add_end(uint64_t id) {
  if (id < (uint64_t)model.vocabulary) model.ends[model.end_count++] = (int)id;
}

/** Tokens that end a text: those that the file names, and control tokens with a known name. */
static void find_ends(const struct named_ends *named) {
  for (size_t i = 0; i < named->count; i++) add_end(named->ids[i]);
  for (size_t i = 0; i < LENGTH(END_TOKENS); i++) {
    size_t length = strlen(END_TOKENS[i]);
    memcpy(at(core_buffer()), END_TOKENS[i], length);
    int id = core_findToken((int)length);
    if (id >= 0 && core_tokenType(id) == TOKEN_CONTROL) add_end((uint64_t)id);
  }
}

/** By all that the header says about the model's name, as small letters and digits without its size; presets.ts has the names. */
static double makers_penalty(void) {
  static char name[1024];
  size_t length = 0;
  for (size_t i = 0; i < LENGTH(NAME_KEYS); i++) {
    const uint8_t *type = metadata_type(NAME_KEYS[i]);
    if (!type || read_integer(type, 4) != VALUE_STRING) continue;
    uint64_t bytes = read_integer(type + 4, 8);
    for (uint64_t j = 0; j < bytes && length < sizeof name - 1; j++) {
      char c = (char)type[12 + j];
      if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
      if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) name[length++] = c;
      if (length >= strlen(NAME_SIZE) && !memcmp(name + length - strlen(NAME_SIZE), NAME_SIZE, strlen(NAME_SIZE))) {
        length -= strlen(NAME_SIZE);
      }
    }
  }
  name[length] = 0;
  for (size_t i = 0; i < LENGTH(MAKERS); i++) {
    if (strstr(name, MAKERS[i].name)) return MAKERS[i].penalty;
  }
  return 1;
}

static int info(int id) { return (int)core_info(id); }

double load_model(const struct options *options) {
  double begun = now();
  if (options->context > MAX_CONTEXT) {
    bad_option("\"contextLength\" is %f, must be an integer from 1 to %d", options->context, MAX_CONTEXT);
  }
  struct named_ends named = {0};
  int fd = open_input(options->model);
  uint32_t secret[2] = {0};
  if (!__wasi_random_get((uint8_t *)secret, sizeof secret)) core_seedHashes((int)secret[0], (int)secret[1]);
  check(core_begin((int)options->context, options->kv, memory_budget, 1, 0));
  for (;;) {
    size_t count = read_some(fd, options->model, at(core_buffer()), IO_BYTES);
    if (count == 0) break;
    if (check(core_feed((int)count)) != HEADER_READY) continue;
    read_named_ends(&named);
    model.penalty = makers_penalty();
    while (check(core_plan()) == HEADER_READY) continue;
  }
  check(core_end());
  model.vocabulary = info(INFO_VOCABULARY);
  model.context = info(INFO_CONTEXT);
  model.bos = info(INFO_ADD_BOS) ? info(INFO_BOS) : -1;
  find_ends(&named);
  return now() - begun;
}
