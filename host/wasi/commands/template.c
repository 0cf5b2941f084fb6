// Reads a compiled template. Numbers are u32, little-endian; a text is its length and its bytes:
//
//     "ZGT" 1 | 1: no system message | roles that are trimmed | piece ... | stops | text ... | options | name, f64 ...
//     piece: parts | 0: text, 1: control token | text | ...

#include "template.h"

#include <string.h>

static const uint8_t MAGIC[4] = {'Z', 'G', 'T', 1};
static const char *file; // its path

static _Noreturn void damaged(void) { fail("%s is no chat template that this version of `zagreus template` has made", file); }

static const uint8_t *bytes(struct cursor *cursor, size_t length) {
  if ((size_t)(cursor->end - cursor->at) < length) damaged();
  cursor->at += length;
  return cursor->at - length;
}

static uint32_t number(struct cursor *cursor) { return (uint32_t)read_integer(bytes(cursor, 4), 4); }

struct text next_stop(struct cursor *cursor) {
  size_t length = number(cursor);
  return (struct text){(const char *)bytes(cursor, length), length};
}

bool next_part(struct cursor *cursor, struct part *part) {
  if (cursor->at == cursor->end) return false;
  part->is_token = number(cursor) != 0;
  struct text text = next_stop(cursor);
  part->bytes = text.bytes;
  part->length = text.length;
  return true;
}

uint32_t next_option(struct cursor *cursor, double *value) {
  struct text name = next_stop(cursor);
  memcpy(value, bytes(cursor, sizeof *value), sizeof *value);
#define FIND(id, field, min, max, initial, is_integer) \
  if (name.length == strlen(field) && !memcmp(name.bytes, field, name.length)) return OPTION_ID_##id;
  RANGES(FIND)
#undef FIND
  damaged();
}

static void check_token(const struct part *part) {
  if (part->length > MAX_TOKEN_BYTES) damaged();
  memcpy(at(core_buffer()), part->bytes, part->length);
  int id = core_findToken((int)part->length);
  if (id >= 0 && core_tokenType(id) == TOKEN_CONTROL) return;
  static char name[MAX_TOKEN_BYTES + 1];
  memcpy(name, part->bytes, part->length);
  fail("%s is of another model: this one has no control token \"%s\"", file, name);
}

struct template read_template(const char *path) {
  file = path;
  struct text text = read_all(path);
  struct cursor cursor = {(const uint8_t *)text.bytes, (const uint8_t *)text.bytes + text.length};
  if (memcmp(bytes(&cursor, sizeof MAGIC), MAGIC, sizeof MAGIC)) damaged();
  struct template template = {.has_system = !number(&cursor)};
  template.trimmed = number(&cursor);
  for (int i = 0; i < PIECES; i++) {
    struct part part;
    uint32_t parts = number(&cursor);
    template.pieces[i] = cursor;
    for (uint32_t j = 0; j < parts; j++) {
      if (!next_part(&cursor, &part)) damaged();
      if (part.is_token) check_token(&part);
    }
    template.pieces[i].end = cursor.at;
  }
  template.stop_count = number(&cursor);
  template.stops = cursor;
  for (uint32_t i = 0; i < template.stop_count; i++) next_stop(&cursor);
  template.option_count = number(&cursor);
  template.options = cursor;
  double value;
  for (uint32_t i = 0; i < template.option_count; i++) next_option(&cursor, &value);
  if (cursor.at != cursor.end) damaged();
  return template;
}

/** Bytes of the white space, as Python sees it, that a text begins with, 0: none; a text of three bytes at least. */
static size_t space_at(const uint8_t *p) {
  if ((p[0] >= 9 && p[0] <= 13) || (p[0] >= 28 && p[0] <= 32)) return 1;
  if (p[0] == 0xc2) return p[1] == 0x85 || p[1] == 0xa0 ? 2 : 0;
  if (p[0] == 0xe1) return p[1] == 0x9a && p[2] == 0x80 ? 3 : 0;
  if (p[0] == 0xe3) return p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;
  if (p[0] != 0xe2) return 0;
  if (p[1] == 0x81) return p[2] == 0x9f ? 3 : 0;
  return p[1] == 0x80 && (p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf) ? 3 : 0;
}

/** The same where `left` bytes are left. */
static size_t space_in(const char *text, size_t left) {
  uint8_t start[3] = {0};
  memcpy(start, text, left < sizeof start ? left : sizeof start);
  size_t size = left ? space_at(start) : 0;
  return size <= left ? size : 0;
}

struct text trimmed_text(struct text text) {
  for (size_t size; (size = space_in(text.bytes, text.length)) > 0;) {
    text.bytes += size;
    text.length -= size;
  }
  for (size_t size = 1; size <= 3 && size <= text.length; size++) {
    if (space_in(text.bytes + text.length - size, size) != size) continue;
    text.length -= size;
    size = 0;
  }
  return text;
}
