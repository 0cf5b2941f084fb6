// A session as bytes: host/core/kv/snapshot.ts draws them.

#include <string.h>

#include "reactor.h"

static const uint32_t MAGIC = 0x5353475a; // "ZGSS"
enum { VERSION = 4, HEADER_BYTES = 48, HASH_BYTES = 8 };

struct header {
  uint32_t magic, version;
  uint64_t model_hash;
  uint32_t layers, kv_heads, head_size, kv_type, page_positions, page_bytes;
  uint32_t tokens, positions;
};
_Static_assert(sizeof(struct header) == HEADER_BYTES, "the header has no gaps");

static size_t kv_bytes(size_t positions) {
  return (positions + BLOCK - 1) / BLOCK * (size_t)core_info(INFO_PAGE_BYTES);
}

static struct header header_for(size_t tokens, size_t positions) {
  return (struct header){
      .magic = MAGIC,
      .version = VERSION,
      .model_hash = core_modelHash(),
      .layers = (uint32_t)core_info(INFO_LAYERS),
      .kv_heads = (uint32_t)core_info(INFO_KV_HEADS),
      .head_size = (uint32_t)core_info(INFO_HEAD_SIZE),
      .kv_type = (uint32_t)core_info(INFO_KV_TYPE),
      .page_positions = BLOCK,
      .page_bytes = (uint32_t)core_info(INFO_PAGE_BYTES),
      .tokens = (uint32_t)tokens,
      .positions = (uint32_t)positions,
  };
}

/** A snapshot that is being written or read: where in it, and the hash of what is behind. */
static struct {
  struct session *session;
  struct header header;
  size_t at, end; // bytes without the hash
  uint64_t hash;
} now_at;

/** What lies at an offset of the snapshot, and how many bytes of it in one piece. */
static char *part_at(size_t offset, size_t *length) {
  size_t begin = HEADER_BYTES;
  if (offset < begin) {
    *length = begin - offset;
    return (char *)&now_at.header + offset;
  }
  size_t bytes = now_at.header.tokens * sizeof(uint32_t);
  if (offset < begin + bytes) {
    *length = begin + bytes - offset;
    return (char *)now_at.session->ids + (offset - begin);
  }
  begin += bytes;
  int32_t page = (int32_t)((offset - begin) / now_at.header.page_bytes);
  size_t rest = (offset - begin) % now_at.header.page_bytes;
  for (int32_t part = 0;; part++) {
    size_t size = (size_t)core_pagePartBytes(part);
    if (rest < size) {
      *length = size - rest;
      return (char *)at(core_pagePart(page, part)) + rest;
    }
    rest -= size;
  }
}

/** Copies between the buffer and the snapshot's next `length` bytes. */
static void copy_parts(char *buffer, size_t length, bool into_snapshot) {
  for (size_t done = 0, size; done < length; done += size) {
    char *part = part_at(now_at.at + done, &size);
    if (size > length - done) size = length - done;
    if (into_snapshot) memcpy(part, buffer + done, size);
    else memcpy(buffer + done, part, size);
  }
}

static void hash_buffer(size_t length) { now_at.hash = core_hash((int32_t)length, now_at.hash); }

// Saving

int32_t zagreus_save(uint32_t handle) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  size_t positions = common_tokens(session);
  if (session->count && positions >= session->count) positions = session->count - 1; // the last one is run again for its logits
  core_setLength(0, (int32_t)positions);
  int32_t last = (int32_t)(positions / BLOCK), rest = (int32_t)(positions % BLOCK);
  if (rest) core_copyPage(last, last, rest); // nobody else's tokens are in it
  snapshot = SAVING;
  now_at.session = session;
  now_at.header = header_for(session->count, positions);
  now_at.at = now_at.hash = 0;
  now_at.end = HEADER_BYTES + session->count * sizeof *session->ids + kv_bytes(positions);
  return give_u64(now_at.end + HASH_BYTES);
}

int32_t zagreus_save_next(void) {
  if (snapshot != SAVING) return refused(WRONG_STATE, "zagreus_save() comes first");
  size_t left = now_at.end - now_at.at, length = left < IO_BYTES ? left : IO_BYTES;
  if (length) {
    copy_parts(at(core_buffer()), length, false);
    hash_buffer(length);
    now_at.at += length;
    return give(at(core_buffer()), length);
  }
  if (now_at.session) {
    now_at.session = NULL; // the hash follows, then nothing
    return give_u64(now_at.hash);
  }
  snapshot = NO_SNAPSHOT;
  return give_nothing();
}

// Restoring: bytes are taken in pieces of IO_BYTES, as they are hashed

static struct block pushed;
static size_t pushed_length;

int32_t zagreus_restore(uint32_t handle) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  status = reserve(&pushed, IO_BYTES + HASH_BYTES);
  if (status != OK) return status;
  leave(NULL);
  core_setLength(0, 0); // its bytes are written over
  session->count = 0;
  session->completing = false;
  snapshot = RESTORING;
  now_at.session = session;
  now_at.at = now_at.end = now_at.hash = 0;
  pushed_length = 0;
  return give_nothing();
}

static int32_t damaged(const char *field, double value, double expected) {
  snapshot = NO_SNAPSHOT;
  return refused(ZAGREUS_STATUS_BAD_SNAPSHOT, "the snapshot is damaged: %s is %f, must be %f", field, value, expected);
}

static int32_t foreign(const char *field, double value, double expected) {
  snapshot = NO_SNAPSHOT;
  return refused(ZAGREUS_STATUS_FOREIGN_SNAPSHOT, "the snapshot is not of this model: %s is %f, must be %f", field, value,
                 expected);
}

/** Checks what all else is read by. */
static int32_t check_header(const struct header *header) {
  struct header own = header_for(0, 0);
  if (header->magic != MAGIC) return damaged("magic", header->magic, MAGIC);
  if (header->version != VERSION) return foreign("version", header->version, VERSION);
  if (header->layers != own.layers) return foreign("layers", header->layers, own.layers);
  if (header->kv_heads != own.kv_heads) return foreign("KV heads", header->kv_heads, own.kv_heads);
  if (header->head_size != own.head_size) return foreign("head size", header->head_size, own.head_size);
  if (header->kv_type != own.kv_type) return foreign("KV type", header->kv_type, own.kv_type);
  if (header->page_positions != own.page_positions) {
    return foreign("positions of a page", header->page_positions, own.page_positions);
  }
  if (header->page_bytes != own.page_bytes) return foreign("bytes of a page", header->page_bytes, own.page_bytes);
  if (header->model_hash != own.model_hash) {
    return foreign("model hash", (double)header->model_hash, (double)own.model_hash);
  }
  if (header->positions > header->tokens) return damaged("KV positions", header->positions, header->tokens);
  if (header->tokens <= (uint32_t)model.context) return OK;
  snapshot = NO_SNAPSHOT;
  return refused_value(CONTEXT_OVERFLOW, "", header->tokens, model.context);
}

/** Takes in the first `length` bytes of what is pushed. */
static int32_t take_in(size_t length) {
  if (length == 0 && now_at.end) return OK;
  char *bytes = pushed.bytes, *buffer = at(core_buffer());
  memcpy(buffer, bytes, length);
  hash_buffer(length);
  if (!now_at.end) {
    if (length < HEADER_BYTES) return damaged("length", (double)length, HEADER_BYTES + HASH_BYTES);
    memcpy(&now_at.header, bytes, HEADER_BYTES);
    int32_t status = check_header(&now_at.header);
    if (status != OK) return status;
    now_at.end = HEADER_BYTES + now_at.header.tokens * sizeof(uint32_t) + kv_bytes(now_at.header.positions);
  }
  if (length > now_at.end - now_at.at) return damaged("length", (double)(now_at.at + length), (double)now_at.end);
  copy_parts(bytes, length, true);
  now_at.at += length;
  pushed_length -= length;
  memmove(bytes, bytes + length, pushed_length);
  return OK;
}

int32_t zagreus_restore_push(uint32_t length) {
  if (snapshot != RESTORING) return refused(WRONG_STATE, "zagreus_restore() comes first");
  int32_t status = check_buffer(length);
  if (status != OK) return status;
  static struct block copy;
  status = reserve(&copy, IO_BYTES);
  if (status != OK) return status;
  memcpy(copy.bytes, at(core_buffer()), length);
  for (size_t done = 0; done < length;) {
    size_t room = IO_BYTES + HASH_BYTES - pushed_length, size = length - done < room ? length - done : room;
    memcpy((char *)pushed.bytes + pushed_length, (char *)copy.bytes + done, size);
    pushed_length += size;
    done += size;
    if (pushed_length < IO_BYTES + HASH_BYTES) continue; // its last bytes may be the hash
    status = take_in(IO_BYTES);
    if (status != OK) return status;
  }
  return give_nothing();
}

int32_t zagreus_restore_end(void) {
  if (snapshot != RESTORING) return refused(WRONG_STATE, "zagreus_restore() comes first");
  if (pushed_length < HASH_BYTES) return damaged("length", (double)pushed_length, HEADER_BYTES + HASH_BYTES);
  int32_t status = take_in(pushed_length - HASH_BYTES);
  snapshot = NO_SNAPSHOT;
  if (status != OK) return status;
  uint64_t hash;
  memcpy(&hash, pushed.bytes, sizeof hash);
  size_t missing = now_at.end - now_at.at;
  if (missing) return damaged("length", (double)now_at.at, (double)now_at.end);
  if (hash != now_at.hash) return damaged("checksum", (double)hash, (double)now_at.hash);
  struct session *session = now_at.session;
  for (uint32_t i = 0; i < now_at.header.tokens; i++) {
    if (session->ids[i] >= (uint32_t)model.vocabulary) return damaged("token", session->ids[i], model.vocabulary - 1);
  }
  memcpy(at(core_history(0)), session->ids, now_at.header.positions * sizeof *session->ids);
  status = core_setLength(0, (int32_t)now_at.header.positions);
  if (status != OK) return answer(status);
  session->count = now_at.header.tokens;
  return give_nothing();
}
