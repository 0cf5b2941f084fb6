// zagreus.wasm: the commands complete, chat, tokenize, logits and verify for machines without a JavaScript engine.

#include "zagreus.h"

int main(void) {
  start_libc();
  const struct options *options = read_options();
  switch (options->command) {
    case COMMAND_COMPLETE:
      complete_command(options);
      break;
    case COMMAND_CHAT:
      chat_command(options);
      break;
    case COMMAND_TOKENIZE:
      tokenize_command(options);
      break;
    case COMMAND_VERIFY:
      if (verify_command(options)) break;
      flush(&out);
      return FAILURE;
    case COMMAND_LOGITS:
      logits_command(options);
      break;
  }
  flush(&out);
  return SUCCESS;
}
