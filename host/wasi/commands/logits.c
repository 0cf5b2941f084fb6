// The logits after a list of tokens.

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "zagreus.h"

/** Writes a row for every token to --out as it is computed; returns the last one. */
static const float *write_all(const struct tokens *tokens, const char *path) {
  struct writer file = {.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666)};
  if (file.fd < 0) fail("cannot write \"%s\": %s", path, reason(errno));
  size_t vocabulary = (size_t)model.vocabulary;
  const float *rows = NULL;
  int count = 0;
  for (size_t done = 0, size; done < tokens->count; done += size) {
    size = (size_t)run_next_batch(tokens->ids, tokens->count, done);
    for (int first = 0; first < (int)size; first += count) {
      count = (int)size - first < LOGIT_ROWS ? (int)size - first : LOGIT_ROWS;
      rows = logits_of(first, count);
      write_bytes(&file, (const char *)rows, (size_t)count * vocabulary * sizeof *rows);
    }
  }
  flush(&file);
  return rows + (size_t)(count - 1) * vocabulary;
}

/** The largest logit after (logit, id) in descending order, ties by the smaller id. */
static int next_largest(const float *logits, int last) {
  int best = -1;
  for (int id = 0; id < model.vocabulary; id++) {
    if (last >= 0 && (logits[id] > logits[last] || (logits[id] == logits[last] && id <= last))) continue;
    if (best < 0 || logits[id] > logits[best]) best = id;
  }
  return best;
}

void logits_command(const struct options *options) {
  if (options->all != (options->out != NULL)) misused("--all and --out belong together");
  load_model(options);
  struct tokens tokens = {0};
  double id;
  for (const char *list = options->tokens; next_token(&list, &id);) {
    if (id >= model.vocabulary) refuse(BAD_TOKEN, "", 0, id, model.vocabulary);
    add_token(&tokens, (uint32_t)id);
  }
  check_length(tokens.count);
  const float *logits = options->all ? write_all(&tokens, options->out) : prefill(tokens.ids, tokens.count);

  char digest[65];
  sha256(logits, (size_t)model.vocabulary * sizeof *logits, digest);
  if (options->json) print(&out, "{\"top\":[");
  int last = -1;
  for (int i = 0; i < options->top && i < model.vocabulary; i++) {
    last = next_largest(logits, last);
    if (last < 0) break; // only what is no number is left
    if (options->json) {
      print(&out, i ? ",{\"id\":%d,\"logit\":%f}" : "{\"id\":%d,\"logit\":%f}", last, logits[last]);
      continue;
    }
    print(&out, "%d\t%f\t", last, logits[last]);
    print_token((uint32_t)last);
    print(&out, "\n");
  }
  print(&out, options->json ? "],\"sha256\":\"%s\"}\n" : "sha256\t%s\n", digest);
}
