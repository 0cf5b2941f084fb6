// Completions: a token at a time, and its text.

#include <math.h>
#include <string.h>
#include <wasi/api.h>

#include "reactor.h"

static const uint64_t SPLITMIX_STEP = 0x9e3779b97f4a7c15; // of assembly/runtime/splitmix.ts

/** The session of a handle, if it has tokens. */
static struct session *filled_session(uint32_t handle, int32_t *status) {
  struct session *session = find_session(handle, status);
  if (!session || session->count) return session;
  *status = refused(BAD_OPTION, "the session has no tokens, must have at least one");
  return NULL;
}

int32_t zagreus_prefill(uint32_t handle, uint32_t most) {
  int32_t status;
  struct session *session = filled_session(handle, &status);
  if (!session) return status;
  size_t end = session->count - 1, done = common_tokens(session); // the last one is run for its logits
  size_t next = done >= end || end - done < most ? end : done + most;
  if (done < next && (status = run_to(session, next)) != OK) return status;
  return give_u32((uint32_t)(end - (next > done ? next : done < end ? done : end)));
}

int32_t zagreus_complete(uint32_t handle) {
  int32_t status;
  struct session *session = filled_session(handle, &status);
  if (!session) return status;
  uint64_t seed = session->seed;
  if (!session->has_seed) {
    seed = 0;
    if (__wasi_random_get((uint8_t *)&seed, 4)) return refused(BAD_OPTION, "the host gives no random numbers: a seed is needed");
  }
  if ((status = begin_grammar(session)) != OK) return status;
  leave(session);
  session->completing = true;
  session->random = seed;
  session->prompt = session->count;
  session->shown = session->held = 0;
  return give_u64(seed);
}

// Text

/** Adds bytes to what is held back, with U+FFFD for what is no character. */
static void hold(struct session *session, const char *bytes, size_t length) {
  for (size_t done = 0, size; done < length; done += size) {
    bool valid;
    size = character(bytes + done, length - done, &valid);
    size_t added = valid ? size : sizeof REPLACEMENT;
    if (session->held + added > TEXT_ROOM) return; // cannot be: stop strings and tokens are shorter
    memcpy(session->text + session->held, valid ? bytes + done : REPLACEMENT, added);
    session->held += added;
  }
}

/** Gives a piece with the first `length` bytes of what is held back. */
static int32_t give_piece(struct session *session, uint32_t finish, uint32_t token, uint32_t end_token, size_t length) {
  struct zagreus_piece piece = {finish, token, end_token};
  char *buffer = at(core_buffer());
  memcpy(buffer, &piece, sizeof piece);
  memcpy(buffer + sizeof piece, session->text, length);
  memmove(session->text, session->text + length, session->held - length);
  session->held -= length;
  session->shown += length;
  if (finish != ZAGREUS_FINISH_NONE) session->completing = false;
  return give(buffer, sizeof piece + length);
}

/**
 * Adds up the text of generated tokens `from` to `to`, and copies its beginning.
 * @param rest gets the bytes that wait for more tokens
 */
static size_t text_of(const struct session *session, size_t from, size_t to, char *copy, size_t room, size_t *rest) {
  size_t length = 0;
  core_pieceReset(0, (int32_t)session->ids[session->prompt - 1]);
  for (size_t i = 0; i < to; i++) {
    int32_t bytes = core_pieceAppend(0, (int32_t)session->ids[session->prompt + i]);
    const char *text = at(core_buffer());
    for (int32_t done = 0; i >= from && done < bytes;) {
      bool valid;
      size_t size = character(text + done, (size_t)(bytes - done), &valid), added = valid ? size : sizeof REPLACEMENT;
      if (length + added <= room) memcpy(copy + length, valid ? text + done : REPLACEMENT, added);
      length += added;
      done += (int32_t)size;
    }
  }
  *rest = (size_t)core_pieceFlush(0);
  return length;
}

/** Makes the session's tokens those of the text that was shown: a stop string may begin inside a token. The rules of GeneratedText.tokensShown(). */
static int32_t keep_shown(struct session *session) {
  static char tail[TEXT_ROOM];
  size_t rest, length = 0, generated = session->count - session->prompt, kept = generated;
  for (;; kept--) {
    length = text_of(session, 0, kept, NULL, 0, &rest);
    if (!kept || (!rest && length <= session->shown)) break;
  }
  size_t missing = session->shown - length;
  text_of(session, kept, generated, tail, sizeof tail, &rest);
  if (missing > sizeof tail) return OK; // cannot be: that is more than some tokens have
  int continued = continues_behind((int32_t)session->ids[session->prompt - 1]);
  continued |= continues_behind((int32_t)session->ids[session->prompt + kept - 1]);
  const uint32_t *ids;
  size_t count;
  int32_t status = encode_bytes(tail, missing, false, continued, &ids, &count);
  if (status != OK) return status;
  session->count = session->prompt + kept;
  return add_ids(session, ids, count);
}

static int32_t stop_here(struct session *session, uint32_t token, size_t length) {
  session->shown += length;
  int32_t status = keep_shown(session);
  session->shown -= length;
  leave(session);
  return status == OK ? give_piece(session, ZAGREUS_FINISH_STOP, token, ZAGREUS_NO_TOKEN, length) : status;
}

static int32_t give_rest(struct session *session, uint32_t finish, uint32_t token, uint32_t end_token) {
  int32_t bytes = core_pieceFlush(0);
  hold(session, at(core_buffer()), (size_t)bytes);
  struct stop_match match = match_stops(session->text, session->held, session->stops, session->stop_count);
  leave(session);
  return give_piece(session, finish, token, end_token, match.stopped ? match.length : session->held);
}

static bool is_end(uint32_t token) {
  for (int i = 0; i < model.end_count; i++) {
    if ((uint32_t)model.ends[i] == token) return true;
  }
  return false;
}

/** Why nothing may follow the session's last token. */
static uint32_t limit_of(const struct session *session) {
  const struct constraint *constraint = &session->constraint;
  bool enough = session->max_tokens <= (double)(session->count - session->prompt), is_full = session->count == (size_t)model.context;
  bool finished = constraint->grammar && constraint->finished;
  if (!enough && !is_full && !finished) return ZAGREUS_FINISH_NONE;
  if (constraint->grammar && constraint->complete) return ZAGREUS_FINISH_STOP;
  return enough ? ZAGREUS_FINISH_LENGTH : ZAGREUS_FINISH_CONTEXT;
}

int32_t zagreus_next(uint32_t handle) {
  int32_t status;
  struct session *session = filled_session(handle, &status);
  if (!session) return status;
  if (!session->completing) return refused(ZAGREUS_STATUS_NOT_COMPLETING, "zagreus_complete() comes first");
  enter(session);
  if (session->max_tokens <= (double)(session->count - session->prompt)) {
    return give_rest(session, ZAGREUS_FINISH_LENGTH, ZAGREUS_NO_TOKEN, ZAGREUS_NO_TOKEN);
  }
  if (session->count == (size_t)model.context) return give_rest(session, ZAGREUS_FINISH_CONTEXT, ZAGREUS_NO_TOKEN, ZAGREUS_NO_TOKEN);
  const float *logits;
  if ((status = run_all(session, &logits)) != OK) return status;
  if ((status = mask_tokens(session)) != OK) return status;
  core_seed(0, session->random);
  use_logits();
  int32_t sampled = core_sample(0);
  if (sampled < 0) return answer(-sampled);
  if (session->temperature > 0) session->random += SPLITMIX_STEP;
  uint32_t token = (uint32_t)sampled;
  if (is_end(token)) return give_rest(session, ZAGREUS_FINISH_STOP, ZAGREUS_NO_TOKEN, token);
  session->ids[session->count++] = token;
  int32_t bytes = core_pieceAppend(0, sampled);
  hold(session, at(core_buffer()), (size_t)bytes);
  if ((status = follow_token(session)) != OK) return status;
  struct stop_match match = match_stops(session->text, session->held, session->stops, session->stop_count);
  if (match.stopped) return stop_here(session, token, match.length);
  uint32_t finish = limit_of(session);
  if (finish != ZAGREUS_FINISH_NONE) return give_rest(session, finish, token, ZAGREUS_NO_TOKEN);
  return give_piece(session, ZAGREUS_FINISH_NONE, token, ZAGREUS_NO_TOKEN, match.length);
}

int32_t zagreus_logits(uint32_t handle) {
  int32_t status;
  struct session *session = filled_session(handle, &status);
  if (!session) return status;
  const float *logits;
  if ((status = run_all(session, &logits)) != OK) return status;
  return give(logits, (size_t)model.vocabulary * sizeof *logits);
}
