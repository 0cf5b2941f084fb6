// What the files of the reactor share. Every call of zagreus_abi.h ends with one of the functions of answer.c; nothing here ends the program.

#pragma once

#include "grammar/grammar.h"
#include "zagreus.h"
#include "zagreus_abi.h"

// answer.c

/** The result is `length` bytes at an address; OK. */
int32_t give(const void *bytes, size_t length);
/** The result is a copy of so many bytes in the buffer; OK. */
int32_t give_copy(const void *bytes, size_t length);
int32_t give_u32(uint32_t);
int32_t give_u64(uint64_t);
/** There is no result; OK. */
int32_t give_nothing(void);
/** The result is a sentence, print()'s; the status. */
int32_t refused(int32_t status, const char *format, ...);
/** The sentence for a status that the core gave, or OK. */
int32_t answer(int32_t status);
/** The sentence for a status about a value. */
int32_t refused_value(int32_t status, const char *field, double value, double expected);

/** try_reserve() with a sentence. */
int32_t reserve(struct block *, size_t bytes);

// state.c

extern enum state { NEW, IDLE, LOADING, READY } state;
/** OK when initialize() has been called. */
int32_t check_initialized(void);
/** OK when a model is loaded. */
int32_t check_loaded(void);
/** OK when the buffer can hold so many bytes. */
int32_t check_buffer(uint32_t length);

// sessions.c

enum { TEXT_ROOM = 8192 }; // of what is held back, and the text of a token

struct session {
  uint32_t handle; // 0: closed
  uint32_t *ids;   // u32[context]
  size_t count;
  double max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram;
  bool has_seed;
  uint64_t seed;
  int bias_count;
  struct {
    uint32_t token;
    float value;
  } biases[MAX_LOGIT_BIAS];
  const char *stops[ZAGREUS_MAX_STOPS];
  int stop_count;
  size_t stop_bytes;
  char stop_text[ZAGREUS_MAX_STOP_BYTES];
  struct constraint constraint;
  // The completion
  bool completing;
  uint64_t random; // the generator's state
  size_t prompt;   // tokens before it
  size_t shown;    // bytes of text that were given
  size_t held;     // bytes of text that may begin a stop string
  char text[TEXT_ROOM];
};

/** What goes on until another call has a session or a model. */
extern enum snapshot_state { NO_SNAPSHOT, SAVING, RESTORING } snapshot;
/** The session of a handle, or null with `status` set. */
struct session *find_session(uint32_t handle, int32_t *status);
/** Adds tokens that are in the vocabulary; CONTEXT_OVERFLOW leaves it as it was. */
int32_t add_ids(struct session *, const uint32_t *ids, size_t count);
void close_sessions(void);

// text.c

/** Tokens of a text; they stay until the next call. `behind` is the token before, -1: none. */
int32_t encode_bytes(const char *text, size_t length, bool special, int continued, const uint32_t **ids, size_t *count);

// constrain.c

/** Starts the session's text in its grammar, if it has one; CONTEXT_OVERFLOW and BAD_OPTION where it has no room for one. */
int32_t begin_grammar(struct session *);
/** Lets the sampler take only what may come. */
int32_t mask_tokens(struct session *);
/** The session's last token was sampled. */
int32_t follow_token(struct session *);

// run.c

/** Told when a session's tokens are not those any more that were running. */
void leave(const struct session *);
/** Makes the session's the text and the sampler that the core goes on with. */
void enter(struct session *);
/** Tokens of the session that the KV cache has, from the first on. */
size_t common_tokens(const struct session *);
/** Runs tokens up to number `end`. */
int32_t run_to(struct session *, size_t end);
/** Runs what is left; the logits behind the last token. A status */
int32_t run_all(struct session *, const float **logits);
/** The logits are about to change. */
void use_logits(void);
