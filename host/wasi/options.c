// The command line. Options, help texts and ranges are those of the Node command: tables.h is made from it.

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#include "tables.h"
#include "zagreus.h"

enum { ARGUMENT_BYTES = 196608, ARGUMENTS = 2048 }; // Linux allows 128 KiB for one argument

static const double MAX_SAFE_INTEGER = 9007199254740991;

static struct bias biases[MAX_LOGIT_BIAS + 1];
static const char *stops[ARGUMENTS];

static struct options options = {
#define INITIAL(name, field, min, max, initial, is_integer) .name = initial,
    RANGES(INITIAL)
#undef INITIAL
    .kv = KV_INT8,
    .logprobs = NO_LOGPROBS,
    .top = TOP_DEFAULT,
    .biases = biases,
    .stops = stops,
};

// Values

static _Noreturn void invalid(const struct option *option, const char *text, const char *why) {
  misused("option '%s' argument '%s' is invalid. %s", option->flags, text, why);
}

/** Digits at the start of `text`, as a number. */
static double digits(const char **text) {
  double n = 0;
  for (; **text >= '0' && **text <= '9'; ++*text) n = 10 * n + (**text - '0');
  return n;
}

/** Whether `text` is digits and nothing else. */
static bool all_digits(const char *text) { return *text && text[strspn(text, "0123456789")] == 0; }

/** NAN when it is none, or too large to be exact. */
static double parse_integer(const char *text) {
  const char *rest = text;
  double n = digits(&rest);
  return all_digits(text) && n <= MAX_SAFE_INTEGER ? n : NAN;
}

/** [+-] digits [. digits] [e [+-] digits], exact up to 15 digits and 22 places; NAN when it is none. */
double parse_decimal(const char *text) {
  const char *p = text + (*text == '-' || *text == '+');
  int count = (int)strspn(p, "0123456789"), exponent = 0;
  double n = digits(&p);
  if (*p == '.') {
    for (p++; *p >= '0' && *p <= '9'; p++, count++, exponent--) n = 10 * n + (*p - '0');
  }
  if (*p == 'e' || *p == 'E') {
    bool negative = p[1] == '-';
    p += 1 + (p[1] == '-' || p[1] == '+');
    if (!*p) return NAN;
    int by = (int)fmin(digits(&p), 1000);
    exponent += negative ? -by : by;
  }
  double power = 1;
  for (int i = abs(exponent); i > 0; i--) power *= 10;
  n = exponent < 0 ? n / power : n * power;
  if (count == 0 || *p || isinf(n)) return NAN;
  return *text == '-' ? -n : n;
}

static double integer(const struct option *option, const char *text, int min) {
  double n = parse_integer(text);
  if (n >= min) return n;
  invalid(option, text, min ? "It must be an integer of at least 1." : "It must be an integer of at least 0.");
}

static double decimal(const struct option *option, const char *text) {
  double n = parse_decimal(text);
  if (isnan(n)) invalid(option, text, "It must be a number.");
  return n;
}

/** ID=BIAS; the last one for a token counts. */
static void add_bias(const struct option *option, char *text) {
  char *equals = strchr(text, '=');
  if (!equals || strchr(equals + 1, '=')) invalid(option, text, "It must be ID=BIAS.");
  const char *value = equals + 1;
  *equals = 0;
  double token = parse_integer(text);
  *equals = '=';
  if (isnan(token)) invalid(option, text, "It must be an integer of at least 0.");
  double bias = strcmp(value, "-inf") ? parse_decimal(value) : -INFINITY;
  if (isnan(bias)) invalid(option, text, "It must be a number.");
  int i = 0;
  while (i < options.bias_count && biases[i].token != token) i++;
  if (i > MAX_LOGIT_BIAS) return; // one more is enough to be refused
  biases[i] = (struct bias){token, bias};
  if (i == options.bias_count) options.bias_count++;
}

static int one_of(const struct option *option, const char *text, const char *const *choices, int count) {
  for (int i = 0; i < count; i++) {
    if (!strcmp(text, choices[i])) return i;
  }
  invalid(option, text, option->allowed);
}

bool next_token(const char **list, double *id) {
  if (!**list) return false;
  *list += strspn(*list, " ");
  *id = digits(list);
  *list += strspn(*list, " ");
  if (**list == ',') ++*list;
  return true;
}

/** Checks every item of "1,2,3". */
static const char *token_list(const struct option *option, const char *text) {
  for (const char *p = text;; p++) {
    p += strspn(p, " ");
    const char *item = p;
    double n = digits(&p);
    size_t length = (size_t)(p - item);
    p += strspn(p, " ");
    if (length == 0 || n > MAX_SAFE_INTEGER || (*p && *p != ',')) {
      invalid(option, text, "It must be an integer of at least 0.");
    }
    if (!*p) return text;
  }
}

static void set(const struct option *option, char *value) {
  switch (option->id) {
    case OPTION_MODEL:
      options.model = value;
      return;
    case OPTION_SYSTEM:
      options.system = value;
      return;
    case OPTION_TEMPLATE:
      options.template = value;
      return;
    case OPTION_CONTEXT:
      options.context = integer(option, value, 1);
      return;
    case OPTION_KV:
      options.kv = one_of(option, value, KV_TYPES, LENGTH(KV_TYPES));
      return;
    case OPTION_MEMORY_BUDGET:
      memory_budget = integer(option, value, 1);
      return;
    case OPTION_JSON:
      options.json = true;
      return;
    case OPTION_MAX_TOKENS:
      options.max_tokens = integer(option, value, 0);
      return;
    case OPTION_TEMP:
      options.temperature = decimal(option, value);
      return;
    case OPTION_TOP_K:
      options.top_k = integer(option, value, 0);
      return;
    case OPTION_TOP_P:
      options.top_p = decimal(option, value);
      return;
    case OPTION_MIN_P:
      options.min_p = decimal(option, value);
      return;
    case OPTION_REPETITION_PENALTY:
      options.repetition_penalty = decimal(option, value);
      options.has_penalty = true;
      return;
    case OPTION_NO_REPEAT_NGRAM:
      options.no_repeat_ngram = integer(option, value, 0);
      return;
    case OPTION_LOGIT_BIAS:
      return add_bias(option, value);
    case OPTION_SEED:
      if (!all_digits(value)) invalid(option, value, "It must be an integer of at least 0.");
      options.seed = value;
      return;
    case OPTION_STOP:
      stops[options.stop_count++] = value;
      return;
    case OPTION_LOGPROBS:
      options.logprobs = integer(option, value, 0);
      return;
    case OPTION_FILE:
      options.file = value;
      return;
    case OPTION_SPECIAL:
      options.special = true;
      return;
    case OPTION_NO_BOS:
      options.no_bos = true;
      return;
    case OPTION_TOKENS:
      options.tokens = token_list(option, value);
      return;
    case OPTION_TOP:
      options.top = integer(option, value, 0);
      return;
    case OPTION_ALL:
      options.all = true;
      return;
    case OPTION_OUT:
      options.out = value;
      return;
    case OPTION_COUNT:
      return;
  }
}

// Arguments

struct arguments {
  char **next;
  char **end;
};

static struct arguments arguments(void) {
  static char bytes[ARGUMENT_BYTES];
  static char *list[ARGUMENTS];
  size_t count = 0, length = 0;
  if (__wasi_args_sizes_get(&count, &length)) fail("the host gives no arguments");
  if (count > ARGUMENTS || length > ARGUMENT_BYTES) {
    fail("%d arguments of %d bytes, at most %d of %d are possible; long texts go through standard input", (int)count,
         (int)length, ARGUMENTS, ARGUMENT_BYTES);
  }
  if (__wasi_args_get((uint8_t **)list, (uint8_t *)bytes)) fail("the host gives no arguments");
  return (struct arguments){list + (count > 0), list + count};
}

static _Noreturn void show(const char *text) {
  print(&out, "%s", text);
  flush(&out);
  _Exit(SUCCESS);
}

static const struct command *find_command(const char *name) {
  if (!strcmp(name, "-h") || !strcmp(name, "--help")) show(HELP);
  if (!strcmp(name, "-V") || !strcmp(name, "--version")) show(VERSION "\n");
  for (size_t i = 0; i < LENGTH(COMMANDS); i++) {
    if (!strcmp(name, COMMANDS[i].name)) return &COMMANDS[i];
  }
  misused(*name == '-' ? "unknown option '%s'" : "unknown command '%s'", name);
}

/** The option that `argument` names, and its value if it stands in the same argument. */
static const struct option *find_option(const struct command *command, char *argument, char **value) {
  for (int i = 0; i < command->option_count; i++) {
    const struct option *option = &command->options[i];
    size_t length = strlen(option->name);
    *value = NULL;
    if (option->brief && argument[1] == option->brief[1]) {
      if (argument[2]) *value = argument + 2;
      return option;
    }
    if (strncmp(argument, option->name, length)) continue;
    if (!argument[length]) return option;
    if (argument[length] == '=' && option->has_value) {
      *value = argument + length + 1;
      return option;
    }
  }
  return NULL;
}

static bool given[OPTION_COUNT];

bool was_given(int option) { return given[option]; }

const struct options *read_options(void) {
  struct arguments args = arguments();
  if (args.next == args.end) {
    print(&err, "%s", HELP);
    flush(&err);
    _Exit(USAGE);
  }
  const struct command *command = find_command(*args.next++);
  options.command = command->id;
  const char *unknown = NULL;
  int positional = 0;
  bool only_positional = false;
  while (args.next < args.end) {
    char *argument = *args.next++, *value;
    if (only_positional || argument[0] != '-' || !argument[1]) {
      options.text = positional++ ? options.text : argument;
      continue;
    }
    if (!strcmp(argument, "--")) {
      only_positional = true;
      continue;
    }
    if (!strcmp(argument, "-h") || !strcmp(argument, "--help")) show(command->help);
    const struct option *option = find_option(command, argument, &value);
    if (!option) {
      unknown = unknown ? unknown : argument;
      continue;
    }
    if (option->has_value && !value) {
      if (args.next == args.end) misused("option '%s' argument missing", option->flags);
      value = *args.next++;
    }
    set(option, value);
    given[option->id] = true;
  }
  for (int i = 0; i < command->option_count; i++) {
    const struct option *option = &command->options[i];
    if (option->required && !given[option->id]) misused("required option '%s' not specified", option->flags);
  }
  if (unknown) misused("unknown option '%s'", unknown);
  if (positional > command->positional) {
    misused("too many arguments for '%s'. Expected %d argument%s but got %d.", command->name, command->positional,
            command->positional == 1 ? "" : "s", positional);
  }
  return &options;
}
