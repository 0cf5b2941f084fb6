// The token ids of a text.

#include <string.h>

#include "zagreus.h"

void tokenize_command(const struct options *options) {
  if (options->text && options->file) misused("give TEXT or --file, not both");
  const char *path = text_input(options, "no text");
  load_model(options);

  struct tokens tokens = {0};
  struct text text = path ? read_all(path) : (struct text){options->text, strlen(options->text)};
  if (model.bos >= 0 && !options->no_bos) add_token(&tokens, (uint32_t)model.bos);
  encode_text(&tokens, text, options->special);

  if (options->json) {
    print(&out, "{\"tokens\":[");
    print_ids(tokens.ids, tokens.count);
    print(&out, "]");
    if (tokens.dropped) print(&out, ",\"dropped\":%d", (int)tokens.dropped);
    print(&out, "}\n");
    return;
  }
  for (size_t i = 0; i < tokens.count; i++) {
    print(&out, "%d\t", (int)tokens.ids[i]);
    print_token(tokens.ids[i]);
    print(&out, "\n");
  }
  if (tokens.dropped) print(&err, "zagreus: %d bytes of the text have no token and are left out\n", (int)tokens.dropped);
}
