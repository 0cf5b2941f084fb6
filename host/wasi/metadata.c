// What the header of a file says beside its tensors: read while it is there, and what is kept of it.

#include <string.h>

#include "tables.h"
#include "zagreus.h"

uint64_t read_integer(const uint8_t *bytes, int size) {
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

/** An array: element type u32 | count u64 | elements */
void read_named_ends(struct named_ends *named) {
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

/** By all that the header says about the model's name, as small letters and digits without its size; presets.ts has the names. */
double makers_penalty(void) {
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

// Kept entries, one after the other: length u64 | key | type u32 | value

enum { KEPT_BYTES = 131072 };
static uint8_t kept[KEPT_BYTES];
static size_t kept_length;

/** Bytes of a value; 0 for an array, or a type that is none. */
static uint64_t value_size(const uint8_t *type) {
  switch (read_integer(type, 4)) {
    case VALUE_BOOL:
      return 1;
    case VALUE_F32:
      return 4;
    case VALUE_F64:
      return 8;
    case VALUE_STRING:
      return 8 + read_integer(type + 4, 8);
    default:
      return (uint64_t)integer_size(read_integer(type, 4));
  }
}

void keep_metadata(void) {
  kept_length = 0;
  for (int i = 0; i < core_metadataCount(); i++) {
    const uint8_t *record = at(core_metadataEntry(i));
    uint64_t key = read_integer(record, 8), value = value_size(record + 8 + key);
    uint64_t length = 8 + key + 4 + value;
    if (!value || length > KEPT_BYTES - kept_length) continue;
    memcpy(kept + kept_length, record, (size_t)length);
    kept_length += (size_t)length;
  }
}

const uint8_t *kept_metadata(const char *key, size_t length) {
  for (size_t at = 0; at < kept_length;) {
    uint64_t found = read_integer(kept + at, 8);
    const uint8_t *type = kept + at + 8 + found;
    if (found == length && !memcmp(kept + at + 8, key, length)) return type;
    at += (size_t)(8 + found + 4 + value_size(type));
  }
  return NULL;
}
