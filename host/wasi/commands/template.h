// A chat template as `zagreus template` compiled it (host/node/chat/compile_template.ts).

#pragma once

#include "zagreus.h"

enum role { SYSTEM, USER, ASSISTANT };

/** What stands before a message, by the role before it, and behind the last one. */
enum piece { FIRST_SYSTEM, FIRST_USER, SYSTEM_USER, USER_ASSISTANT, ASSISTANT_USER, LAST_USER, PIECES };

/** A text, or the name of a control token. */
struct part {
  bool is_token;
  const char *bytes;
  size_t length;
};
/** Where something lies in the file that has been read. */
struct cursor {
  const uint8_t *at, *end;
};
struct template {
  bool has_system;
  uint32_t trimmed; // a bit for each role whose text loses white space at both ends
  struct cursor pieces[PIECES];
  struct cursor stops, options;
  uint32_t stop_count, option_count;
};

/** Reads a compiled template; ends the program for what is none, and for tokens that the model does not have. */
struct template read_template(const char *path);
/** The next part; false at the end. */
bool next_part(struct cursor *, struct part *);
/** The next text, of the stop strings. */
struct text next_stop(struct cursor *);
/** The next option of a session and its value. */
uint32_t next_option(struct cursor *, double *value);
/** A text without white space at its ends. */
struct text trimmed_text(struct text);
