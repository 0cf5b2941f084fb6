// zagreus.wasm: the commands complete, tokenize and logits for machines without a JavaScript engine.

#include <wasi/api.h>

#include "zagreus.h"

double now(void) {
  __wasi_timestamp_t nanoseconds = 0;
  if (__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &nanoseconds)) return 0;
  return (double)nanoseconds / 1e6;
}

int main(void) {
  const struct options *options = read_options();
  switch (options->command) {
    case COMMAND_COMPLETE:
      complete_command(options);
      break;
    case COMMAND_TOKENIZE:
      tokenize_command(options);
      break;
    case COMMAND_LOGITS:
      logits_command(options);
      break;
  }
  flush(&out);
  return SUCCESS;
}
