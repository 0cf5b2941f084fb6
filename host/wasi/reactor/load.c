// The beginning: a model from bytes that the host pushes, or from a file of WASI's.

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "reactor.h"

int32_t zagreus_initialize(void) {
  if (state != NEW) return refused(WRONG_STATE, "zagreus_initialize() is called once");
  start_libc();
  state = IDLE;
  return give_nothing();
}

int32_t zagreus_load_begin(uint32_t context, uint32_t kv_type, uint64_t budget) {
  int32_t status = check_initialized();
  if (status != OK) return status;
  if (context > MAX_CONTEXT) return refused_value(BAD_OPTION, "context", context, MAX_CONTEXT);
  if (kv_type > KV_INT4) return refused_value(BAD_OPTION, "kv_type", kv_type, KV_INT4);
  close_sessions();
  forget_grammars();
  give_back();
  memory_budget = (double)budget;
  status = begin_model(context, (int)kv_type);
  state = status < FIRST_ERROR ? LOADING : IDLE;
  return answer(status);
}

/** What comes of a step of the load. */
static int32_t stepped(int32_t status) {
  if (status >= FIRST_ERROR) state = IDLE;
  return answer(status);
}

int32_t zagreus_load_push(uint32_t length) {
  if (state != LOADING) return refused(WRONG_STATE, "zagreus_load_begin() comes first");
  int32_t status = check_buffer(length);
  if (status != OK) return status;
  return length == 0 ? give_nothing() : stepped(feed_model(length));
}

int32_t zagreus_load_end(void) {
  if (state != LOADING) return refused(WRONG_STATE, "zagreus_load_begin() comes first");
  int32_t status = stepped(end_model());
  if (status == OK) state = READY;
  return status;
}

/** Pushes all of a file. */
static int32_t push_file(int fd, const char *path) {
  for (;;) {
    ssize_t count = read(fd, at(core_buffer()), IO_BYTES);
    if (count < 0) {
      state = IDLE;
      return refused(ZAGREUS_STATUS_CANNOT_READ, "cannot read \"%s\": %s", path, reason(errno));
    }
    if (count == 0) return zagreus_load_end();
    int32_t status = zagreus_load_push((uint32_t)count);
    if (status != OK) return status;
  }
}

int32_t zagreus_load_path(uint32_t length, uint32_t context, uint32_t kv_type, uint64_t budget) {
  static char path[4096];
  if (length == 0 || length >= sizeof path) {
    return refused(ZAGREUS_STATUS_BAD_LENGTH, "a path of %f bytes, must be 1 to %d", (double)length, (int)sizeof path - 1);
  }
  memcpy(path, at(core_buffer()), length);
  path[length] = 0;
  int32_t status = zagreus_load_begin(context, kv_type, budget);
  if (status != OK) return status;
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    state = IDLE;
    return refused(ZAGREUS_STATUS_CANNOT_READ, "cannot read \"%s\": %s", path, reason(errno));
  }
  status = push_file(fd, path);
  close(fd);
  return status;
}

static uint32_t number(int id) {
  double n = core_info(id);
  return n < 0 ? ZAGREUS_NO_TOKEN : (uint32_t)n;
}

int32_t zagreus_info(void) {
  int32_t status = check_loaded();
  if (status != OK) return status;
  struct zagreus_info info = {
      .layers = number(INFO_LAYERS),
      .hidden = number(INFO_HIDDEN),
      .intermediate = number(INFO_INTERMEDIATE),
      .heads = number(INFO_HEADS),
      .kv_heads = number(INFO_KV_HEADS),
      .head_size = number(INFO_HEAD_SIZE),
      .vocabulary = number(INFO_VOCABULARY),
      .trained_context = number(INFO_TRAINED_CONTEXT),
      .context = number(INFO_CONTEXT),
      .kv_type = number(INFO_KV_TYPE),
      .bos = number(INFO_BOS),
      .eos = number(INFO_EOS),
      .add_bos = number(INFO_ADD_BOS),
      .relaxed = ZAGREUS_RELAXED,
      .parameters = (uint64_t)core_info(INFO_PARAMETERS),
      .file_bytes = (uint64_t)core_info(INFO_FILE_BYTES),
      .memory_bytes = (uint64_t)core_info(INFO_MEMORY_BYTES),
  };
  return give_copy(&info, sizeof info);
}

int32_t zagreus_model_hash(void) {
  int32_t status = check_loaded();
  return status != OK ? status : give_u64(core_modelHash());
}

/** A signed integer of `size` bytes. */
static double signed_integer(const uint8_t *bytes, int size) {
  int shift = 64 - 8 * size;
  return (double)((int64_t)(read_integer(bytes, size) << shift) >> shift);
}

static int32_t give_real(double value) {
  static struct writer text = {.fd = NOWHERE};
  text.length = 0;
  write_real(&text, value);
  return give_copy(text.bytes, text.length);
}

int32_t zagreus_metadata(uint32_t length) {
  int32_t status = check_loaded();
  if (status == OK) status = check_buffer(length);
  if (status != OK) return status;
  const uint8_t *type = kept_metadata(at(core_buffer()), length);
  if (!type) return give_nothing();
  const uint8_t *value = type + 4;
  float f32;
  double f64;
  switch (read_integer(type, 4)) {
    case VALUE_STRING:
      return give(value + 8, (size_t)read_integer(value, 8));
    case VALUE_F32:
      memcpy(&f32, value, sizeof f32);
      return give_real(f32);
    case VALUE_F64:
      memcpy(&f64, value, sizeof f64);
      return give_real(f64);
    case VALUE_BOOL:
      return *value ? give("true", 4) : give("false", 5);
    case VALUE_I8:
    case VALUE_U8:
      return give_real(read_integer(type, 4) == VALUE_I8 ? signed_integer(value, 1) : (double)*value);
    case VALUE_I16:
    case VALUE_U16:
      return give_real(read_integer(type, 4) == VALUE_I16 ? signed_integer(value, 2) : (double)read_integer(value, 2));
    case VALUE_I32:
    case VALUE_U32:
      return give_real(read_integer(type, 4) == VALUE_I32 ? signed_integer(value, 4) : (double)read_integer(value, 4));
    default:
      return give_real(read_integer(type, 4) == VALUE_I64 ? signed_integer(value, 8) : (double)read_integer(value, 8));
  }
}
