// Feeds a model to the core: header, plan, weights.

#include <string.h>
#include <wasi/api.h>

#include "tables.h"
#include "zagreus.h"

struct model model;

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

static int info(int id) { return (int)core_info(id); }

static struct named_ends named;

int begin_model(double context, int kv) {
  uint32_t secret[2] = {0};
  model = (struct model){0};
  named = (struct named_ends){0};
  if (!__wasi_random_get((uint8_t *)secret, sizeof secret)) core_seedHashes((int)secret[0], (int)secret[1]);
  return core_begin((int)context, kv, memory_budget, 1, 0);
}

int feed_model(size_t count) {
  int status = core_feed((int)count);
  if (status != HEADER_READY) return status;
  read_named_ends(&named);
  keep_metadata();
  model.penalty = makers_penalty();
  while (status == HEADER_READY) status = core_plan();
  return status;
}

int end_model(void) {
  int status = core_end();
  if (status >= FIRST_ERROR) return status;
  model.vocabulary = info(INFO_VOCABULARY);
  model.context = info(INFO_CONTEXT);
  model.bos = info(INFO_ADD_BOS) ? info(INFO_BOS) : -1;
  find_ends(&named);
  return status;
}

double load_model(const struct options *options) {
  double begun = now();
  if (options->context > MAX_CONTEXT) {
    bad_option("\"contextLength\" is %f, must be an integer from 1 to %d", options->context, MAX_CONTEXT);
  }
  int fd = open_input(options->model);
  check(begin_model(options->context, options->kv));
  for (;;) {
    size_t count = read_some(fd, options->model, at(core_buffer()), IO_BYTES);
    if (count == 0) break;
    check(feed_model(count));
  }
  check(end_model());
  return now() - begun;
}
