// Continues a text: the prompt, then a token at a time. What it says and when it ends is as in host/core/engine/generate.ts.

#include <math.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

#include "zagreus.h"

/** A token with its log-probability. With --logprobs k, each generated one is followed by the k best in its place. */
struct scored {
  uint32_t token;
  double logprob;
};

static struct run {
  const struct options *options;
  uint32_t *ids; // the prompt's tokens, then the generated ones
  size_t prompt, count;
  struct text text; // generated: whole characters
  size_t shown;     // how much of it; the rest may begin a stop string
  bool stopped;
  float *logits; // a copy of the row that is being sampled
  struct scored *scores;
  size_t score_count;
  double waited; // milliseconds spent on writing
  bool silent;   // nothing is shown
  double end_token; // that ended the text, or -1
} run;

// Options

static void check_range(const char *field, double value, double min, double max, bool is_integer) {
  if (value >= min && value <= max) return;
  bad_option(is_integer ? "\"%s\" is %f, must be an integer from %f to %f" : "\"%s\" is %f, must be a number from %f to %f",
             field, value, min, max);
}

static void check_options(const struct options *options) {
#define CHECK(name, field, min, max, initial, is_integer) check_range(field, options->name, min, max, is_integer);
  const double VOCABULARY = model.vocabulary;
  RANGES(CHECK)
#undef CHECK
  if (options->bias_count > MAX_LOGIT_BIAS) {
    bad_option("\"logitBias\" is %d, must be a list of at most %d tokens", options->bias_count, MAX_LOGIT_BIAS);
  }
  for (int i = 0; i < options->bias_count; i++) {
    struct bias bias = options->biases[i];
    if (bias.token >= model.vocabulary) {
      bad_option("\"logitBias\" is %f, must be keyed by token ids from 0 to %d", bias.token, model.vocabulary - 1);
    }
    if (fabs(bias.value) > 1e6 && bias.value != -INFINITY) {
      bad_option("\"logitBias[%f]\" is %f, must be a number from -1000000 to 1000000, or -Infinity", bias.token,
                 bias.value);
    }
  }
  for (int i = 0; i < options->stop_count; i++) {
    if (!*options->stops[i]) bad_option("\"stop[%d]\" is \"\", must be a string that is not empty", i);
  }
  if (options->logprobs != NO_LOGPROBS) check_range("logprobs", options->logprobs, 0, fmin(MAX_TOP, VOCABULARY), true);
}

uint64_t read_seed(const char *digits) {
  uint64_t seed = 0;
  if (!digits) {
    if (__wasi_random_get((uint8_t *)&seed, 4)) fail("the host gives no random numbers; name a --seed");
    return seed;
  }
  for (const char *p = digits; *p; p++) {
    uint64_t digit = (uint64_t)(*p - '0');
    if (seed > (UINT64_MAX - digit) / 10) {
      bad_option("\"seed\" is %sn, must be an integer from 0 to 9007199254740991 or a bigint below 2^64", digits);
    }
    seed = 10 * seed + digit;
  }
  return seed;
}

static void configure_sampler(const struct options *options, uint64_t seed) {
  char *sampler = at(core_sampler(0));
  *(float *)(sampler + SAMPLER_TEMPERATURE) = (float)options->temperature;
  *(int32_t *)(sampler + SAMPLER_TOP_K) = (int32_t)options->top_k;
  *(float *)(sampler + SAMPLER_TOP_P) = (float)options->top_p;
  *(float *)(sampler + SAMPLER_MIN_P) = (float)options->min_p;
  *(float *)(sampler + SAMPLER_REPETITION_PENALTY) = (float)(options->has_penalty ? options->repetition_penalty : model.penalty);
  *(int32_t *)(sampler + SAMPLER_NO_REPEAT_NGRAM) = (int32_t)options->no_repeat_ngram;
  *(int32_t *)(sampler + SAMPLER_BIAS_COUNT) = options->bias_count;
  for (int i = 0; i < options->bias_count; i++) {
    char *entry = sampler + SAMPLER_BIAS + 8 * i;
    *(uint32_t *)entry = (uint32_t)options->biases[i].token;
    *(float *)(entry + 4) = (float)options->biases[i].value;
  }
  core_seed(0, seed);
}

// The prompt

/** Standard input without a byte order mark and without the newline that echo adds. */
static struct text read_prompt(const char *path) {
  struct text prompt = read_all(path);
  if (prompt.length >= 3 && !memcmp(prompt.bytes, "\xef\xbb\xbf", 3)) {
    prompt.bytes += 3;
    prompt.length -= 3;
  }
  if (prompt.length > 0 && prompt.bytes[prompt.length - 1] == '\n') {
    prompt.length--;
    if (prompt.length > 0 && prompt.bytes[prompt.length - 1] == '\r') prompt.length--;
  }
  return prompt;
}

// Text

/** Adds bytes to the text, with U+FFFD for what is no character. */
static void add_text(const char *bytes, size_t length) {
  for (size_t done = 0, size; done < length; done += size) {
    bool valid;
    size = character(bytes + done, length - done, &valid);
    size_t added = valid ? size : sizeof REPLACEMENT;
    memcpy(extend(added), valid ? bytes + done : REPLACEMENT, added);
    run.text.length += added;
  }
}

static void show_text(size_t length) {
  if (!run.options->json && !run.silent) {
    double begun = now();
    write_text(&out, run.text.bytes + run.shown, length);
    flush(&out);
    run.waited += now() - begun;
  }
  run.shown += length;
}

/** Adds the first `length` bytes of the I/O buffer and shows what no stop string can take back. */
static void add_piece(int length) {
  const struct options *options = run.options;
  add_text(at(core_buffer()), (size_t)length);
  size_t left = run.text.length - run.shown;
  struct stop_match match = match_stops(run.text.bytes + run.shown, left, options->stops, options->stop_count);
  run.stopped = match.stopped;
  show_text(match.length);
}

/** No more tokens follow. */
static void end_text(void) {
  add_piece(core_pieceFlush(0));
  if (!run.stopped) show_text(run.text.length - run.shown);
}

// Tokens

/** Picks a token; log-probabilities are taken before sampling changes the logits. */
static uint32_t sample(const float *logits) {
  if (run.options->logprobs == NO_LOGPROBS) return (uint32_t)counted(core_sample(0));
  int count = (int)run.options->logprobs;
  double total = core_logSumExp(0);
  struct scored *scores = run.scores + run.score_count;
  const struct {
    uint32_t id;
    float logit;
  } *best = count ? at(core_top(0, count)) : NULL;
  for (int i = 0; i < count; i++) scores[1 + i] = (struct scored){best[i].id, best[i].logit - total};
  memcpy(run.logits, logits, (size_t)model.vocabulary * sizeof *logits);
  uint32_t token = (uint32_t)counted(core_sample(0));
  scores[0] = (struct scored){token, run.logits[token] - total};
  run.score_count += 1 + (size_t)count;
  return token;
}

static bool is_end(uint32_t token) {
  for (int i = 0; i < model.end_count; i++) {
    if (model.ends[i] == (int)token) return true;
  }
  return false;
}

/** Samples until the end and says why it is the end. */
static const char *generate(const float *logits) {
  size_t max_tokens = (size_t)run.options->max_tokens, context = (size_t)model.context;
  if (max_tokens == 0) return "length";
  if (run.count == context) return "context";
  core_pieceReset(0, run.count ? (int)run.ids[run.count - 1] : -1);
  for (;;) {
    size_t scored = run.score_count, shown = run.shown;
    uint32_t token = sample(logits);
    if (is_end(token)) {
      run.end_token = token;
      end_text();
      if (run.shown == shown) run.score_count = scored; // it has no piece of text that its score would belong to
      return "stop";
    }
    run.ids[run.count++] = token;
    add_piece(counted(core_pieceAppend(0, (int)token)));
    if (run.stopped) return "stop";
    bool enough = run.count - run.prompt == max_tokens;
    if (enough || run.count == context) {
      end_text();
      return enough ? "length" : "context";
    }
    run_batch(&token, 1, (int)run.count - 1);
    logits = logits_of(0, 1);
  }
}

// Output

static double rate(size_t tokens, double ms) { return ms > 0 ? (double)tokens * 1000 / ms : 0; }

static void print_scored(const struct scored *scored) {
  print(&out, "{\"token\":%d,\"logprob\":%f", (int)scored->token, scored->logprob);
}

static void print_scores(void) {
  size_t group = 1 + (size_t)run.options->logprobs;
  print(&out, ",\"logprobs\":[");
  for (size_t i = 0; i < run.score_count; i++) {
    bool first = i % group == 0;
    if (first && i) print(&out, "]},");
    if (!first && i % group > 1) print(&out, ",");
    print_scored(&run.scores[i]);
    print(&out, first ? ",\"top\":[" : "}");
  }
  print(&out, run.score_count ? "]}]" : "]");
}

static void print_result(const char *finish_reason, double load_ms, double prefill_rate, double decode_rate,
                         uint64_t seed) {
  size_t generated = run.count - run.prompt;
  print(&out, "{\"text\":");
  write_json(&out, run.text.bytes, run.shown);
  print(&out, ",\"tokens\":[");
  print_ids(run.ids + run.prompt, generated);
  print(&out, "],\"finishReason\":\"%s\",\"timings\":{\"loadMs\":%f", finish_reason, load_ms);
  print(&out, ",\"prefillTokensPerSecond\":%f,\"decodeTokensPerSecond\":%f}", prefill_rate, decode_rate);
  print(&out, ",\"usage\":{\"promptTokens\":%d,\"reusedTokens\":0,\"prefilledTokens\":%d,\"completionTokens\":%d}",
        (int)run.prompt, (int)run.prompt, (int)generated);
  print(&out, ",\"seed\":\"");
  write_unsigned(&out, seed);
  print(&out, "\"");
  if (run.options->logprobs != NO_LOGPROBS) print_scores();
  print(&out, "}\n");
}

/** Room for what is going to be said behind the prompt, whose tokens were taken last. */
static void start_run(const struct options *options, const struct tokens *prompt) {
  check_length(prompt->count);
  run = (struct run){.options = options, .silent = run.silent, .ids = prompt->ids, .prompt = prompt->count, .count = prompt->count};
  size_t room = (size_t)fmin(options->max_tokens, model.context - (double)prompt->count);
  extend(room * sizeof *prompt->ids);
  if (options->logprobs != NO_LOGPROBS) {
    run.logits = take((size_t)model.vocabulary * sizeof *run.logits);
    run.scores = take((room + 1) * (1 + (size_t)options->logprobs) * sizeof *run.scores);
  }
  run.text.bytes = take(0);
  run.end_token = -1;
}

struct said complete_again(const struct options *options, const struct tokens *prompt) {
  check_options(options);
  run.silent = true;
  start_run(options, prompt);
  const float *logits = prefill(run.ids, run.count);
  configure_sampler(options, read_seed(options->seed));
  const char *finish_reason = generate(logits);
  return (struct said){run.ids + run.prompt, run.count - run.prompt, run.end_token, finish_reason};
}

void complete_command(const struct options *options) {
  run.options = options;
  if (options->text && options->file) misused("give PROMPT or --file, not both");
  const char *path = text_input(options, "no prompt: give one, or pipe it in");
  double load_ms = load_model(options);
  check_options(options);
  uint64_t seed = read_seed(options->seed);

  struct text prompt = path ? read_prompt(path) : (struct text){(char *)options->text, strlen(options->text)};
  struct tokens tokens = {0};
  if (model.bos >= 0) add_token(&tokens, (uint32_t)model.bos);
  encode_text(&tokens, prompt, false);
  if (tokens.count == 0) bad_option("\"prompt\" is \"\", must be at least one token");

  start_run(options, &tokens);
  double begun = now();
  const float *logits = prefill(run.ids, run.count);
  double prefilled = now();
  configure_sampler(options, seed);
  const char *finish_reason = generate(logits);
  double decode_ms = now() - prefilled - run.waited;

  size_t generated = run.count - run.prompt;
  double prefill_rate = rate(run.prompt, prefilled - begun);
  double decode_rate = rate(generated ? generated - 1 : 0, decode_ms);
  if (options->json) return print_result(finish_reason, load_ms, prefill_rate, decode_rate, seed);
  print(&out, "\n");
  if (isatty(err.fd)) {
    print(&err, "load %f ms, prefill %f tokens/s, decode %f tokens/s\n", round(load_ms), round(prefill_rate),
          round(decode_rate));
    flush(&err);
  }
}
