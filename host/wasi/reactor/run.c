// Which session the core's one sequence, one stream of text and one sampler belong to. Results do not depend on how a sequence was run, so
// sessions may take turns token by token; what a turn costs is what the KV cache has no more.

#include <string.h>

#include "reactor.h"

static const struct session *entered; // whose text and sampler the core has
static const struct session *owner;   // whose logits the core's first row are
static size_t owner_count;            // behind so many of its tokens

void leave(const struct session *session) {
  if (!session || entered == session) entered = NULL;
  if (!session || owner == session) owner = NULL;
}

static void configure_sampler(const struct session *session) {
  char *sampler = at(core_sampler(0));
  *(float *)(sampler + SAMPLER_TEMPERATURE) = (float)session->temperature;
  *(int32_t *)(sampler + SAMPLER_TOP_K) = (int32_t)session->top_k;
  *(float *)(sampler + SAMPLER_TOP_P) = (float)session->top_p;
  *(float *)(sampler + SAMPLER_MIN_P) = (float)session->min_p;
  *(float *)(sampler + SAMPLER_REPETITION_PENALTY) = (float)session->repetition_penalty;
  *(int32_t *)(sampler + SAMPLER_NO_REPEAT_NGRAM) = (int32_t)session->no_repeat_ngram;
  *(int32_t *)(sampler + SAMPLER_MASKED) = session->constraint.grammar != 0;
  *(int32_t *)(sampler + SAMPLER_PENALTY_COUNT) = 0;
  *(int32_t *)(sampler + SAMPLER_BIAS_COUNT) = session->bias_count;
  for (int i = 0; i < session->bias_count; i++) {
    char *entry = sampler + SAMPLER_BIAS + 8 * i;
    *(uint32_t *)entry = session->biases[i].token;
    *(float *)(entry + 4) = session->biases[i].value;
  }
}

void enter(struct session *session) {
  if (entered == session) return;
  configure_sampler(session);
  core_pieceReset(0, session->prompt ? (int32_t)session->ids[session->prompt - 1] : -1);
  for (size_t i = session->prompt; i < session->count; i++) core_pieceAppend(0, (int32_t)session->ids[i]);
  entered = session;
}

size_t common_tokens(const struct session *session) {
  const uint32_t *history = at(core_history(0));
  size_t length = (size_t)core_sequenceLength(0), common = 0;
  while (common < length && common < session->count && history[common] == session->ids[common]) common++;
  return common;
}

int32_t run_to(struct session *session, size_t end) {
  owner = NULL;
  for (size_t done = common_tokens(session); done < end;) {
    size_t count = end - done < MAX_BATCH ? end - done : MAX_BATCH;
    memcpy(at(core_batch()), session->ids + done, count * sizeof *session->ids);
    int32_t status = core_forward((int32_t)count, (int32_t)done);
    if (status != OK) return answer(status);
    done += count;
  }
  return OK;
}

int32_t run_all(struct session *session, const float **logits) {
  if (owner == session && owner_count == session->count) {
    *logits = at((int32_t)core_logits(0, 1));
    return OK;
  }
  size_t last = session->count - 1;
  int32_t status = run_to(session, last);
  if (status != OK) return status;
  memcpy(at(core_batch()), session->ids + last, sizeof *session->ids);
  status = core_forward(1, (int32_t)last);
  if (status != OK) return answer(status);
  int32_t row = core_logits(0, 1);
  if (core_rowStatus(0, 1) != OK) return answer(ACTIVATION_OVERFLOW);
  *logits = at(row);
  owner = session;
  owner_count = session->count;
  return OK;
}

void use_logits(void) { owner = NULL; }
