// Whether completions are what their receipts say: the receipts of host/core/receipt/make.ts, one object after the other.

#include <math.h>
#include <string.h>

#include "zagreus.h"

// JSON. Every function returns where it has come to, and ends the program for what is none.

static const char *file; // its path
static const char *end;  // of its text

static _Noreturn void no_json(void) { fail("%s is no JSON", file); }

static const char *skip_space(const char *p) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
  return p;
}

static const char *skip_string(const char *p) {
  for (p++; p < end && *p != '"'; p++) p += *p == '\\';
  if (p >= end) no_json();
  return p + 1;
}

/** Behind a value; brackets are counted, not checked against each other. */
static const char *skip_value(const char *p) {
  int depth = 0;
  do {
    p = skip_space(p);
    if (p >= end) no_json();
    if (*p == '"') p = skip_string(p);
    else if (*p == '{' || *p == '[') depth++, p++;
    else if (*p == '}' || *p == ']') depth--, p++;
    else if (*p == ',' || *p == ':') p++;
    else {
      const char *begin = p;
      while (p < end && !strchr(" \n\r\t,:]}[{\"", *p)) p++;
      if (p == begin) no_json();
    }
  } while (depth > 0);
  return p;
}

/** The value of a key; null where there is none. */
static const char *value_of(const char *object, const char *key) {
  size_t length = strlen(key);
  const char *p = skip_space(object);
  if (p >= end || *p != '{') fail("no receipt: it is no object");
  for (p = skip_space(p + 1); p < end && *p == '"';) {
    const char *name = p + 1;
    p = skip_space(skip_string(p));
    if (p >= end || *p != ':') no_json();
    p = skip_space(p + 1);
    if (!strncmp(name, key, length) && name[length] == '"') return p;
    p = skip_space(skip_value(p));
    if (p < end && *p == ',') p = skip_space(p + 1);
  }
  return NULL;
}

static const char *needed(const char *object, const char *key) {
  const char *value = value_of(object, key);
  if (!value) fail("no receipt: %s is missing", key);
  return value;
}

/** An item of a list, where it begins; null at the end. */
static const char *item_at(const char *p) {
  p = skip_space(p);
  if (p < end && *p == ',') p = skip_space(p + 1);
  return p < end && *p != ']' ? p : NULL;
}

static const char *first_item(const char *list) {
  if (list >= end || *list != '[') no_json();
  return item_at(list + 1);
}
static const char *next_item(const char *item) { return item_at(skip_value(item)); }

static double number_at(const char *p) {
  char text[64] = "";
  if (*p == '"') p++; // a bias that is a string
  for (size_t i = 0; i < sizeof text - 1 && p < end && !strchr(" \n\r\t,]}\"", *p); i++) text[i] = *p++;
  return !strcmp(text, "-Infinity") ? -INFINITY : parse_decimal(text);
}

static void put_character(uint32_t c) {
  char bytes[4];
  size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
  for (size_t i = length; i-- > 1; c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
  bytes[0] = (char)(length == 1 ? c : length == 2 ? 0xc0 | c : 0xe0 | c);
  memcpy(extend(length), bytes, length);
}

/** A string without its quotes and escapes. */
static const char *text_at(const char *p) {
  static const char names[] = "b\bf\fn\nr\rt\t";
  char *text = take(0);
  for (p++; p < end && *p != '"'; p++) {
    if (*p != '\\') {
      *(char *)extend(1) = *p;
      continue;
    }
    const char *name = strchr(names, *++p);
    if (*p == 'u') {
      uint32_t c = 0;
      for (int i = 0; i < 4 && ++p < end; i++) c = c << 4 | (uint32_t)((*p & 15) + (*p > '9' ? 9 : 0));
      put_character(c);
    } else {
      *(char *)extend(1) = name ? name[1] : *p;
    }
  }
  *(char *)extend(1) = 0;
  return text;
}

static bool is_text(const char *p, const char *text) {
  size_t length = strlen(text);
  return *p == '"' && (size_t)(end - p) > length + 1 && !memcmp(p + 1, text, length) && p[1 + length] == '"';
}

// Receipts

static const char *const SELDOM[] = {"frequencyPenalty", "presencePenalty", "dry", "loopStop", "responseFormat"};

/** KV type and context length of the first receipt, for the model that is not loaded yet. */
static void load_as(struct options *options) {
  int fd = open_input(file);
  char *text = at(core_buffer());
  size_t length = 0;
  for (size_t count; length < IO_BYTES && (count = read_some(fd, file, text + length, IO_BYTES - length));) length += count;
  end = text + length;
  if (skip_space(text) == end) fail("%s has no receipt", file);
  const char *kv = needed(text, "kvType");
  options->kv = is_text(kv, "f32") ? KV_F32 : is_text(kv, "f16") ? KV_F16 : KV_INT8;
  options->context = number_at(needed(text, "contextLength"));
  load_model(options);
}

static void read_options_of(const char *receipt, struct options *options, struct bias *biases, const char **stops) {
  const char *given = needed(receipt, "options");
  for (size_t i = 0; i < LENGTH(SELDOM); i++) {
    if (value_of(given, SELDOM[i])) fail("the receipt has the option %s, which only the library for JavaScript knows", SELDOM[i]);
  }
#define READ(name, field, min, max, initial, is_integer) options->name = number_at(needed(given, field));
  RANGES(READ)
#undef READ
  options->has_penalty = true;
  options->biases = biases;
  options->bias_count = 0;
  for (const char *pair = first_item(needed(given, "logitBias")); pair; pair = next_item(pair)) {
    const char *token = first_item(pair);
    const char *value = token ? next_item(token) : NULL;
    if (!value || options->bias_count == MAX_LOGIT_BIAS) no_json();
    biases[options->bias_count++] = (struct bias){number_at(token), number_at(value)};
  }
  options->stops = stops;
  options->stop_count = 0;
  for (const char *stop = first_item(needed(given, "stop")); stop && options->stop_count < MAX_LOGIT_BIAS; stop = next_item(stop)) {
    stops[options->stop_count++] = text_at(stop);
  }
}

/** A difference in the words of the Node command; false. */
static bool parts(const struct options *options, const char *field, int index, const char *expected, const char *actual) {
  if (options->json) {
    print(&out, "{\"equal\":false,\"field\":\"%s\"", field);
    if (index >= 0) print(&out, ",\"index\":%d", index);
    print(&out, ",\"expected\":%s,\"actual\":%s}", expected, actual);
  } else if (index >= 0) {
    print(&out, "parts at token %d: \"%s\" in the receipt, \"%s\" here\n", index, expected, actual);
  } else {
    print(&out, "parts at %s: \"%s\" in the receipt, \"%s\" here\n", field, expected, actual);
  }
  return false;
}

/** Digits of an id, or null. */
static const char *id_text(double id, char text[24]) {
  struct writer w = {.fd = NOWHERE};
  if (id >= 0) write_unsigned(&w, (uint64_t)id);
  else write_bytes(&w, "null", 4);
  memcpy(text, w.bytes, w.length);
  text[w.length] = 0;
  return text;
}

static bool verify(const char *receipt, struct options *options) {
  static struct bias biases[MAX_LOGIT_BIAS];
  static const char *stops[MAX_LOGIT_BIAS];
  char hash[17], there[24], here[24], digest[65];
  if (number_at(needed(receipt, "version")) != 1) fail("no receipt: version must be 1");
  uint64_t model_hash = core_modelHash();
  for (int i = 15; i >= 0; i--, model_hash >>= 4) hash[i] = "0123456789abcdef"[model_hash & 15];
  hash[16] = 0;
  const char *model_there = text_at(needed(receipt, "model"));
  if (strcmp(hash, model_there)) return parts(options, "model", -1, model_there, hash);
  read_options_of(receipt, options, biases, stops);
  options->seed = text_at(needed(receipt, "seed"));

  struct tokens prompt = {0};
  for (const char *id = first_item(needed(receipt, "prompt")); id; id = next_item(id)) {
    double token = number_at(id);
    if (!(token >= 0 && token < model.vocabulary)) refuse(BAD_TOKEN, "", 0, token, model.vocabulary);
    add_token(&prompt, (uint32_t)token);
  }
  if (prompt.count == 0) fail("no receipt: the prompt is empty");
  struct said said = complete_again(options, &prompt);

  size_t i = 0;
  for (const char *id = first_item(needed(receipt, "tokens")); id || i < said.count; i++) {
    double expected = id ? number_at(id) : -1, actual = i < said.count ? (double)said.tokens[i] : -1;
    if (expected != actual) return parts(options, "tokens", (int)i, id_text(expected, there), id_text(actual, here));
    id = id ? next_item(id) : NULL;
  }
  const char *end_token = needed(receipt, "endToken");
  double expected = *end_token == 'n' ? -1 : number_at(end_token);
  if (expected != said.end_token) return parts(options, "endToken", -1, id_text(expected, there), id_text(said.end_token, here));
  const char *finish = text_at(needed(receipt, "finishReason"));
  if (strcmp(finish, said.finish_reason)) return parts(options, "finishReason", -1, finish, said.finish_reason);
  sha256(prefill(prompt.ids, prompt.count + said.count), (size_t)model.vocabulary * sizeof(float), digest);
  const char *logits = text_at(needed(receipt, "logits"));
  if (strcmp(logits, digest)) return parts(options, "logits", -1, logits, digest);
  if (options->json) print(&out, "{\"equal\":true}");
  else print(&out, "equal: %d tokens, logits %s\n", (int)said.count, digest);
  return true;
}

bool verify_command(const struct options *given) {
  struct options options = *given;
  file = options.text;
  if (!file) misused("missing required argument 'file'");
  load_as(&options);
  struct text text = read_all(file);
  *(char *)extend(1) = 0;
  end = text.bytes + text.length;
  bool equal = true;
  if (options.json) print(&out, "{\"verdicts\":[");
  for (const char *receipt = skip_space(text.bytes); receipt < end;) {
    equal = verify(receipt, &options) && equal;
    receipt = skip_space(skip_value(receipt));
    if (options.json && receipt < end) print(&out, ",");
  }
  if (options.json) print(&out, equal ? "],\"equal\":true}\n" : "],\"equal\":false}\n");
  return equal;
}
