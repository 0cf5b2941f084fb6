// A conversation: each line of standard input is a message. Turns are those of host/node/cli/chat/conversation.ts; what runs them is the
// reactor.

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "reactor/reactor.h"
#include "tables.h"
#include "template.h"

struct message {
  struct message *next;
  enum role role;
  char *bytes;
  size_t length, room;
};

static struct chat {
  const struct options *options;
  struct template template;
  struct message *first, **last;
  uint32_t session;
} chat;

static const char *const ROLES[] = {"system", "user", "assistant"};

static void append(struct message *message, const char *bytes, size_t length) {
  if (message->length + length > message->room) {
    message->room = 2 * (message->length + length) + 64;
    char *moved = take(message->room);
    memcpy(moved, message->bytes, message->length);
    message->bytes = moved;
  }
  memcpy(message->bytes + message->length, bytes, length);
  message->length += length;
}

static struct message *add_message(enum role role) {
  struct message *message = take(sizeof *message);
  *message = (struct message){.role = role, .bytes = (char *)message};
  *chat.last = message;
  chat.last = &message->next;
  return message;
}

// Calls of the reactor

/** Ends the program for a failure. */
static void done(int32_t status) {
  static char sentence[1024];
  if (status == OK) return;
  size_t length = zagreus_length() < sizeof sentence ? (size_t)zagreus_length() : sizeof sentence - 1;
  memcpy(sentence, (const char *)(uintptr_t)zagreus_result(), length);
  flush(&out);
  if (status == BAD_OPTION) bad_option("%s", sentence);
  fail("%s", sentence);
}

static void set_option(uint32_t option, double value) { done(zagreus_session_option(chat.session, option, value)); }

static void add_stop(const char *bytes, size_t length) {
  if (!length) bad_option("a stop string is \"\", must be a string that is not empty");
  if (length > IO_BYTES) bad_option("a stop string has %f bytes, must have %d at most", (double)length, ZAGREUS_MAX_STOP_BYTES - 1);
  memcpy(at(core_buffer()), bytes, length);
  done(zagreus_session_stop(chat.session, (uint32_t)length));
}

/** Those of the model's preset, and then those of the command line. */
static void set_options(void) {
  const struct options *options = chat.options;
  set_option(OPTION_ID_repetition_penalty, 1);
  struct cursor preset = chat.template.options;
  for (uint32_t i = 0; i < chat.template.option_count; i++) {
    double value;
    uint32_t option = next_option(&preset, &value);
    set_option(option, value);
  }
  const struct {
    enum option_id given;
    uint32_t option;
    double value;
  } all[] = {
      {OPTION_MAX_TOKENS, OPTION_ID_max_tokens, options->max_tokens},
      {OPTION_TEMP, OPTION_ID_temperature, options->temperature},
      {OPTION_TOP_K, OPTION_ID_top_k, options->top_k},
      {OPTION_TOP_P, OPTION_ID_top_p, options->top_p},
      {OPTION_MIN_P, OPTION_ID_min_p, options->min_p},
      {OPTION_REPETITION_PENALTY, OPTION_ID_repetition_penalty, options->repetition_penalty},
      {OPTION_NO_REPEAT_NGRAM, OPTION_ID_no_repeat_ngram, options->no_repeat_ngram},
  };
  for (size_t i = 0; i < LENGTH(all); i++) {
    if (was_given(all[i].given)) set_option(all[i].option, all[i].value);
  }
  if (options->seed) done(zagreus_session_seed(chat.session, read_seed(options->seed)));
  for (int i = 0; i < options->bias_count; i++) {
    struct bias bias = options->biases[i];
    if (bias.token >= model.vocabulary) {
      bad_option("\"logitBias\" is %f, must be keyed by token ids from 0 to %d", bias.token, model.vocabulary - 1);
    }
    done(zagreus_session_bias(chat.session, (uint32_t)bias.token, bias.value));
  }
  for (int i = 0; i < options->stop_count; i++) add_stop(options->stops[i], strlen(options->stops[i]));
  struct cursor stops = chat.template.stops;
  for (uint32_t i = 0; i < chat.template.stop_count; i++) {
    struct text stop = next_stop(&stops);
    add_stop(stop.bytes, stop.length);
  }
}

/** A session with all options. What the KV cache has of its tokens is not run again. */
static void open_session(void) {
  done(zagreus_session_open());
  memcpy(&chat.session, (const void *)(uintptr_t)zagreus_result(), sizeof chat.session);
  set_options();
}

// The prompt. Text gathers in the buffer up to the next control token.

static size_t gathered;
static struct {
  uint32_t *ids;
  size_t count, room;
} prompt;

static void add_ids_to_prompt(const uint32_t *ids, size_t count) {
  if (prompt.count + count > prompt.room) {
    prompt.room = 2 * (prompt.count + count) + 64;
    uint32_t *moved = take(prompt.room * sizeof *moved);
    memcpy(moved, prompt.ids, prompt.count * sizeof *moved);
    prompt.ids = moved;
  }
  memcpy(prompt.ids + prompt.count, ids, count * sizeof *ids);
  prompt.count += count;
}

static void add_text(const char *bytes, size_t length) {
  if (length > IO_BYTES - gathered) fail("a message has more than %d bytes", IO_BYTES);
  memcpy((char *)at(core_buffer()) + gathered, bytes, length);
  gathered += length;
}

static void flush_text(void) {
  const uint32_t *ids = NULL;
  size_t count;
  int continued = continues_behind(prompt.count ? (int32_t)prompt.ids[prompt.count - 1] : -1);
  done(encode_bytes(at(core_buffer()), gathered, false, continued, &ids, &count));
  add_ids_to_prompt(ids, count);
  gathered = 0;
}

static void add_piece(enum piece piece) {
  struct cursor cursor = chat.template.pieces[piece];
  for (struct part part; next_part(&cursor, &part);) {
    if (!part.is_token) {
      add_text(part.bytes, part.length);
      continue;
    }
    flush_text();
    memcpy(at(core_buffer()), part.bytes, part.length);
    uint32_t id = (uint32_t)core_findToken((int32_t)part.length);
    add_ids_to_prompt(&id, 1);
  }
}

static void add_prompt(void) {
  static const enum piece before[][3] = {
      // behind a message of the system, the user, the assistant
      [SYSTEM] = {FIRST_SYSTEM, FIRST_SYSTEM, FIRST_SYSTEM},
      [USER] = {SYSTEM_USER, FIRST_USER, ASSISTANT_USER},
      [ASSISTANT] = {USER_ASSISTANT, USER_ASSISTANT, USER_ASSISTANT},
  };
  enum role last = USER;
  prompt.count = 0;
  for (const struct message *message = chat.first; message; message = message->next) {
    struct text text = {message->bytes, message->length};
    if (chat.template.trimmed >> message->role & 1) text = trimmed_text(text);
    add_piece(before[message->role][last]);
    add_text(text.bytes, text.length);
    last = message->role;
  }
  add_piece(LAST_USER);
  flush_text();
  check_length(prompt.count);
  memcpy(at(core_buffer()), prompt.ids, prompt.count * sizeof *prompt.ids);
  done(zagreus_session_append_tokens(chat.session, (uint32_t)prompt.count));
}

// Turns

static void notice(const char *text) {
  flush(&out);
  print(&err, "%s\n", text);
  flush(&err);
}

static void show(const char *text, size_t length) {
  if (chat.options->json) return;
  write_text(&out, text, length);
  flush(&out);
}

static void answer_messages(void) {
  open_session();
  add_prompt();
  struct message *reply = add_message(ASSISTANT);
  done(zagreus_complete(chat.session));
  uint32_t finish;
  do {
    done(zagreus_next(chat.session));
    const struct zagreus_piece *piece = (const void *)(uintptr_t)zagreus_result();
    size_t length = (size_t)zagreus_length() - sizeof *piece;
    finish = piece->finish;
    append(reply, (const char *)(piece + 1), length);
    show(reply->bytes + reply->length - length, length);
  } while (finish == ZAGREUS_FINISH_NONE);
  if (reply->length && reply->bytes[reply->length - 1] != '\n') show("\n", 1);
  if (finish == ZAGREUS_FINISH_LENGTH) notice("(cut: -n allows more)");
  if (finish == ZAGREUS_FINISH_CONTEXT) notice("(cut: the context is full)");
  done(zagreus_session_close(chat.session));
}

/** Adds a line of standard input without its end; false when there is none. */
static bool read_line(struct message *line) {
  static char bytes[4096];
  static size_t next, length;
  for (bool any = false;; any = true) {
    if (next == length) {
      length = read_some(0, "-", bytes, sizeof bytes);
      next = 0;
      if (!length) return any;
    }
    const char *end = memchr(bytes + next, '\n', length - next);
    size_t count = end ? (size_t)(end - bytes) - next : length - next;
    append(line, bytes + next, count);
    next += count + (end != NULL);
    if (!end) continue;
    if (line->length && line->bytes[line->length - 1] == '\r') line->length--;
    return true;
  }
}

static bool is_blank(const struct message *line) {
  return trimmed_text((struct text){line->bytes, line->length}).length == 0;
}

/** A line, and those behind it while they end in a backslash. */
static bool read_message(struct message *line) {
  if (isatty(0)) show("> ", 2);
  line->length = 0;
  if (!read_line(line)) return false;
  while (line->length && line->bytes[line->length - 1] == '\\') {
    line->bytes[line->length - 1] = '\n';
    if (!read_line(line)) break;
  }
  return true;
}

static void print_messages(void) {
  print(&out, "{\"messages\":[");
  for (const struct message *message = chat.first; message; message = message->next) {
    print(&out, "{\"role\":\"%s\",\"content\":", ROLES[message->role]);
    write_json(&out, message->bytes, message->length);
    print(&out, message->next ? "}," : "}");
  }
  print(&out, "]}\n");
}

void chat_command(const struct options *options) {
  static struct message line;
  if (!strcmp(options->model, "-")) misused("the model and the messages cannot both come from standard input");
  if (!strcmp(options->template, "-")) misused("the template and the messages cannot both come from standard input");
  chat.options = options;
  chat.last = &chat.first;
  load_model(options);
  state = READY;
  chat.template = read_template(options->template);
  if (options->system && !chat.template.has_system) fail("the model's chat template takes no system message");
  open_session(); // so that what is wrong with options is said at once
  done(zagreus_session_close(chat.session));
  if (options->system) append(add_message(SYSTEM), options->system, strlen(options->system));
  line.bytes = take(0);
  while (read_message(&line)) {
    size_t slash = line.length && line.bytes[0] == '/';
    if (slash && (line.length == 1 || line.bytes[1] != '/')) {
      if (line.length == 5 && !memcmp(line.bytes, "/exit", 5)) break;
      notice("of the commands there is only /exit here; a message that begins with / begins with //");
      continue;
    }
    if (is_blank(&line)) continue;
    append(add_message(USER), line.bytes + slash, line.length - slash);
    answer_messages();
  }
  if (options->json) print_messages();
}
