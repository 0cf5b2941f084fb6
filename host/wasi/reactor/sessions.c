// Sequences of tokens with options.

#include <math.h>
#include <string.h>
#include <wasi/api.h>

#include "reactor.h"

enum { SLOTS = ZAGREUS_MAX_SESSIONS };

static struct block slots[SLOTS]; // each a struct session
static bool used[SLOTS];
static uint32_t opened; // how many ever were: a handle is never used again

static struct session *session_in(int slot) { return slots[slot].bytes; }

enum snapshot_state snapshot = NO_SNAPSHOT;

void close_sessions(void) {
  snapshot = NO_SNAPSHOT;
  leave(NULL);
  memset(used, 0, sizeof used);
}

struct session *find_session(uint32_t handle, int32_t *status) {
  *status = check_loaded();
  if (*status != OK) return NULL;
  snapshot = NO_SNAPSHOT;
  int slot = (int)(handle % SLOTS);
  if (used[slot] && session_in(slot)->handle == handle) return session_in(slot);
  *status = refused(ZAGREUS_STATUS_BAD_SESSION, "session %f is not open", (double)handle);
  return NULL;
}

int32_t zagreus_session_open(void) {
  int32_t status = check_loaded();
  if (status != OK) return status;
  int slot = 0;
  while (slot < SLOTS && used[slot]) slot++;
  if (slot == SLOTS) return refused(ZAGREUS_STATUS_TOO_MANY_SESSIONS, "%d sessions are open, which are all", SLOTS);
  status = reserve(&slots[slot], sizeof(struct session) + (size_t)model.context * sizeof(uint32_t));
  if (status != OK) return status;
  struct session *session = session_in(slot);
  *session = (struct session){
      .handle = ++opened * SLOTS + (uint32_t)slot,
      .ids = (uint32_t *)(session + 1),
#define INITIAL(name, field, min, max, initial, is_integer) .name = initial,
      RANGES(INITIAL)
#undef INITIAL
  };
  session->repetition_penalty = model.penalty;
  used[slot] = true;
  return give_u32(session->handle);
}

int32_t zagreus_session_close(uint32_t handle) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  leave(session);
  drop_grammar(&session->constraint);
  used[handle % SLOTS] = false;
  return give_nothing();
}

static int32_t set(double *option, const char *field, double value, double min, double max, bool is_integer) {
  if (value >= min && value <= max && (!is_integer || value == trunc(value))) {
    *option = value;
    return give_nothing();
  }
  return refused(BAD_OPTION, is_integer ? "\"%s\" is %f, must be an integer from %f to %f"
                                        : "\"%s\" is %f, must be a number from %f to %f", field, value, min, max);
}

int32_t zagreus_session_option(uint32_t handle, uint32_t option, double value) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  leave(session);
  const double VOCABULARY = model.vocabulary;
  static const uint32_t ids[] = {
#define ID(name, field, min, max, initial, is_integer) OPTION_ID_##name,
      RANGES(ID)
#undef ID
  };
  int i = 0;
#define SET(name, field, min, max, initial, is_integer) \
  if (option == ids[i++]) return set(&session->name, field, value, min, max, is_integer);
  RANGES(SET)
#undef SET
  return refused(BAD_OPTION, "there is no option %f", (double)option);
}

int32_t zagreus_session_seed(uint32_t handle, uint64_t seed) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  session->has_seed = true;
  session->seed = seed;
  return give_nothing();
}

int32_t zagreus_session_stop(uint32_t handle, uint32_t length) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  if (length == 0) {
    session->stop_count = 0;
    session->stop_bytes = 0;
    return give_nothing();
  }
  const char *stop = at(core_buffer());
  if (length >= ZAGREUS_MAX_STOP_BYTES - session->stop_bytes || session->stop_count == ZAGREUS_MAX_STOPS) {
    return refused(BAD_OPTION, "stop string %d of %f bytes, must be %d of %d bytes in all", session->stop_count + 1,
                   (double)length, ZAGREUS_MAX_STOPS, ZAGREUS_MAX_STOP_BYTES - 1);
  }
  if (memchr(stop, 0, length)) return refused(BAD_OPTION, "a stop string has a zero in it");
  char *copy = session->stop_text + session->stop_bytes;
  memcpy(copy, stop, length);
  copy[length] = 0;
  session->stops[session->stop_count++] = copy;
  session->stop_bytes += length + 1;
  return give_nothing();
}

int32_t zagreus_session_bias(uint32_t handle, uint32_t token, double bias) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  if (token >= (uint32_t)model.vocabulary) return refused_value(BAD_TOKEN, "token", token, model.vocabulary);
  if (!(fabs(bias) <= 1e6 || bias == -INFINITY)) {
    return refused(BAD_OPTION, "the bias is %f, must be a number from -1000000 to 1000000, or -Infinity", bias);
  }
  leave(session);
  int i = 0;
  while (i < session->bias_count && session->biases[i].token != token) i++;
  if (bias == 0) {
    if (i < session->bias_count) session->biases[i] = session->biases[--session->bias_count];
    return give_nothing();
  }
  if (i == MAX_LOGIT_BIAS) return refused(BAD_OPTION, "%d tokens have a bias, which are all", i);
  session->biases[i].token = token;
  session->biases[i].value = (float)bias;
  if (i == session->bias_count) session->bias_count++;
  return give_nothing();
}

int32_t add_ids(struct session *session, const uint32_t *ids, size_t count) {
  size_t room = (size_t)model.context - session->count;
  if (count > room) return refused_value(CONTEXT_OVERFLOW, "", (double)(session->count + count), model.context);
  memcpy(session->ids + session->count, ids, count * sizeof *ids);
  session->count += count;
  session->completing = false;
  leave(session);
  return OK;
}

int32_t zagreus_session_append(uint32_t handle, uint32_t length, uint32_t flags) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  if ((status = check_buffer(length)) != OK) return status;
  const uint32_t *ids;
  size_t count, before = session->count;
  uint32_t bos = (uint32_t)model.bos;
  bool has_bos = !before && model.bos >= 0 && !(flags & ZAGREUS_TEXT_NO_BOS);
  int continued = continues_behind(before ? (int32_t)session->ids[before - 1] : -1);
  status = encode_bytes(at(core_buffer()), length, flags & ZAGREUS_TEXT_SPECIAL, continued, &ids, &count);
  if (status == OK && has_bos) status = add_ids(session, &bos, 1);
  if (status == OK) status = add_ids(session, ids, count);
  if (status == OK) return give_nothing();
  session->count = before;
  return status;
}

int32_t zagreus_session_append_tokens(uint32_t handle, uint32_t count) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  const uint32_t *ids = at(core_buffer());
  if (count > IO_BYTES / sizeof *ids) {
    return refused(ZAGREUS_STATUS_BAD_LENGTH, "%f tokens, the buffer has room for %d", (double)count,
                   (int)(IO_BYTES / sizeof *ids));
  }
  for (uint32_t i = 0; i < count; i++) {
    if (ids[i] >= (uint32_t)model.vocabulary) return refused_value(BAD_TOKEN, "token", ids[i], model.vocabulary);
  }
  status = add_ids(session, ids, count);
  return status == OK ? give_nothing() : status;
}

int32_t zagreus_session_truncate(uint32_t handle, uint32_t count) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  if (!session) return status;
  if (count > session->count) {
    return refused(ZAGREUS_STATUS_BAD_LENGTH, "the session has %d tokens, cannot keep %f", (int)session->count, (double)count);
  }
  session->count = count;
  session->completing = false;
  leave(session);
  return give_nothing();
}

int32_t zagreus_session_tokens(uint32_t handle) {
  int32_t status;
  struct session *session = find_session(handle, &status);
  return session ? give(session->ids, session->count * sizeof *session->ids) : status;
}
