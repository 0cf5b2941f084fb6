// Runs token sequences through the model.

#include <string.h>

#include "zagreus.h"

void check_length(size_t count) {
  if (count > (size_t)model.context) refuse(CONTEXT_OVERFLOW, "", 0, (double)count, model.context);
}

void run_batch(const uint32_t *ids, int count, int position) {
  memcpy(at(core_batch()), ids, (size_t)count * sizeof *ids);
  check(core_forward(count, position));
}

int run_next_batch(const uint32_t *ids, size_t count, size_t done) {
  int size = count - done < MAX_BATCH ? (int)(count - done) : MAX_BATCH;
  run_batch(ids + done, size, (int)done);
  return size;
}

const float *logits_of(int first, int count) {
  int32_t rows = core_logits(first, count);
  check(core_rowStatus(first, count));
  return at(rows);
}

const float *prefill(const uint32_t *ids, size_t count) {
  int size = 0;
  for (size_t done = 0; done < count; done += (size_t)size) size = run_next_batch(ids, count, done);
  return logits_of(size - 1, 1);
}
