// What the files of the launcher share. Two rules hold in all of them: no memory grows before the model is loaded
// (memory.c), and there are no function pointers, because the core has the only function table. Errors end the program.

#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"   // generated: the core's exports
#include "layout.h" // generated: assembly/layout, and the ranges of host/core/api/options.ts

enum { SUCCESS = 0, FAILURE = 1, USAGE = 2 };

/** What lies at an address that the core gave. */
static inline void *at(int32_t address) { return (void *)(uintptr_t)(uint32_t)address; }

#define LENGTH(array) (sizeof(array) / sizeof *(array))

// utf8.c

/** U+FFFD */
extern const char REPLACEMENT[3];
/** Bytes of the character at the start of some text, or else of its maximal subpart, as WHATWG decoders see it. */
size_t character(const char *text, size_t length, bool *valid);

// output.c

enum { NOWHERE = -1 };

/** Bytes on their way to a file descriptor, or, with NOWHERE, a text that is cut where it is full. */
struct writer {
  int fd;
  bool is_message; // controls do not pass
  size_t length;
  char bytes[4096];
};
extern struct writer out, err;

void write_bytes(struct writer *, const char *bytes, size_t length);
/** Text; what is not UTF-8 becomes U+FFFD. */
void write_text(struct writer *, const char *text, size_t length);
/** The same as a JSON string. */
void write_json(struct writer *, const char *text, size_t length);
/** 1234567 as 1,234,567; a fraction as write_real() does. */
void write_count(struct writer *, double);
/** The fewest digits that read back as the same number, as JavaScript prints it; null when it is not finite. */
void write_real(struct writer *, double);
void write_unsigned(struct writer *, uint64_t);
/** %s text, %d int, %f double; nothing else. */
void print(struct writer *, const char *format, ...);
void print_list(struct writer *, const char *format, va_list);
/** Makes spaces of line ends. */
void make_one_line(struct writer *);
/** The message for an error of layout/status.ts about a field. */
void describe(struct writer *, int status, const char *field, size_t length, double value, double expected);
void flush(struct writer *);

// What ends the program with one line on standard error:
/** `zagreus: ...` */
_Noreturn void fail(const char *format, ...);
/** `error: ...`, wrong usage of the command line. */
_Noreturn void misused(const char *format, ...);
/** `zagreus: option ...`, a value that the model or the sampler does not take. */
_Noreturn void bad_option(const char *format, ...);
/** What describe() says. */
_Noreturn void refuse(int status, const char *field, size_t length, double value, double expected);
/** Ends the program if a status of the core is an error. */
int check(int status);
/** The same for calls that return a count, or a negated error. */
int counted(int count);

// memory.c

/** Bytes that linear memory may have, 0: no limit. */
extern double memory_budget;
/** Memory behind the core's, 8-byte aligned. Only when a model is loaded: until then the core grows. */
void *take(size_t bytes);
/** Memory right behind what was taken last. */
void *extend(size_t bytes);
/** The same as take(), without an end of the program: OK, or OVER_BUDGET or OUT_OF_MEMORY with the bytes of memory that it needs. */
int try_take(size_t bytes, void **taken, double *needed);
/** The core takes all memory for itself again. */
void give_back(void);
/** Memory behind the core's that is never freed but used again, and grows as it must. */
struct block {
  void *bytes;
  size_t size;
  uint32_t era; // another one: the core has had it since
};
/** Makes a block so large, as try_take(); what was in it is gone when it has to grow. */
int try_reserve(struct block *, size_t bytes, double *needed);

// options.c

#define NO_LOGPROBS (-1)

struct bias {
  double token, value;
};
struct options {
  enum command_id command;
  const char *text; // the argument that is no option, or null
  const char *model, *file, *out, *tokens;
  const char *system, *template; // or null
  double context; // 0: the model's
  int kv;
  bool json, special, no_bos, all, has_penalty;
#define FIELD(name, field, min, max, initial, is_integer) double name;
  RANGES(FIELD)
#undef FIELD
  double logprobs; // or NO_LOGPROBS
  double top;
  const char *seed; // digits, or null
  const struct bias *biases;
  int bias_count;
  const char *const *stops;
  int stop_count;
};
/** Whether an option, of those in tables.h, stood there. */
bool was_given(int option);
/** The command line; help and wrong usage end the program. */
const struct options *read_options(void);
/** [+-] digits [. digits] [e [+-] digits]; NAN when it is none. */
double parse_decimal(const char *text);
/** The next id of "1,2,3" as a number, which may be any; false at the end. */
bool next_token(const char **list, double *id);

// folder.c

/** How a sentence about a folder goes on: with the models in it. */
const char *models_in(const char *path);

// input.c

struct text {
  const char *bytes;
  size_t length;
};
/** Where a command's text comes from: a path, or null when it is an argument. `missing` is said when it is neither. */
const char *text_input(const struct options *, const char *missing);
/** Before any file is opened: libc learns which folders the host opens. */
void start_libc(void);
/** What errno says. */
const char *reason(int error);
/** Opens a file for reading, "-" is standard input. */
int open_input(const char *path);
size_t read_some(int fd, const char *path, void *bytes, size_t length);
/** All of a file. */
struct text read_all(const char *path);

// metadata.c

/** Ids that the metadata names as ends of a text; they are checked when the vocabulary is known. */
struct named_ends {
  uint64_t ids[MAX_ENDS];
  size_t count;
};
// While the header is there:
void read_named_ends(struct named_ends *);
/** What the makers of a model recommend for texts. */
double makers_penalty(void);
/** Keeps the entries that are no arrays, as many as find room. */
void keep_metadata(void);
/** What was kept of a key, a value of GGUF that its type precedes; NULL where there is none. */
const uint8_t *kept_metadata(const char *key, size_t length);
/** An integer of `size` bytes, little-endian. */
uint64_t read_integer(const uint8_t *bytes, int size);

// model.c

struct model {
  int vocabulary, context;
  int bos; // the token that text begins with, -1: none
  int ends[MAX_ENDS]; // tokens that end a text
  int end_count;
  double penalty; // that its makers recommend for texts
};
extern struct model model;
/** Starts a load with the context length and the KV type that are wanted; a status, as of the next two. */
int begin_model(double context, int kv);
/** Takes the next `count` bytes of the file from the I/O buffer. NEED_BYTES | LOADED | error */
int feed_model(size_t count);
/** The file has ended. */
int end_model(void);
/** Loads a model; returns the milliseconds it took. */
double load_model(const struct options *);

// tokens.c

/** Token ids that grow at the end of memory. */
struct tokens {
  uint32_t *ids;
  size_t count;
  size_t dropped; // bytes of text without a token
};
void add_token(struct tokens *, uint32_t id);
/** ENCODE_CONTINUED where text behind a token goes on with its text, -1: behind nothing. */
int continues_behind(int32_t token);
/** Adds a text's tokens, without bos. */
void encode_text(struct tokens *, struct text, bool special);
/** Prints a token's text as a JSON string. */
void print_token(uint32_t id);
void print_ids(const uint32_t *ids, size_t count);

// prefill.c

/** Checks that so many tokens fit into the context. */
void check_length(size_t count);
/** Runs up to MAX_BATCH tokens at a position. */
void run_batch(const uint32_t *ids, int count, int position);
/** Runs up to MAX_BATCH of `count` tokens from number `done` on; returns how many. */
int run_next_batch(const uint32_t *ids, size_t count, size_t done);
/** Logits of tokens of the last batch, f32[count][vocabulary]. */
const float *logits_of(int first, int count);
/** Runs tokens from the start; returns the logits after the last one, f32[vocabulary]. */
const float *prefill(const uint32_t *ids, size_t count);

// stop.c

/** Where text ends for good, and how much of it may be shown. */
struct stop_match {
  bool stopped;
  size_t length;
};
/** Looks at the text that has not been shown yet. */
struct stop_match match_stops(const char *text, size_t length, const char *const *stops, int stop_count);

// sha256.c

/** FIPS 180-4, as 64 hexadecimal digits and a zero. */
void sha256(const void *bytes, size_t length, char digest[65]);

// clock.c

/** Milliseconds of a clock that only goes forward. */
double now(void);

// commands/

void complete_command(const struct options *);
/** The seed that was given, or a random one of 32 bits. */
uint64_t read_seed(const char *digits);
void chat_command(const struct options *);
/** What a completion says, `end_token` is -1 where none ended it. */
struct said {
  const uint32_t *tokens;
  size_t count;
  double end_token;
  const char *finish_reason;
};
/** A completion of tokens that were taken last; behind them are those that it says. Nothing is shown. */
struct said complete_again(const struct options *, const struct tokens *prompt);
/** Whether all receipts of a file are true. */
bool verify_command(const struct options *);
void tokenize_command(const struct options *);
void logits_command(const struct options *);
