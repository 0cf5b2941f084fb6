// What the files of a grammar share.

#pragma once

#include "grammar.h"

// vocabulary.c

/** Tokens that write text. */
struct vocabulary {
  bool ready;
  size_t longest;      // bytes
  uint8_t *data;       // of token i: data[offsets[i]] up to data[offsets[i + 1]]
  uint32_t *offsets;
  uint32_t *sorted;    // by their bytes
  uint16_t *shared;    // bytes that one begins with as the one before it does
  size_t count;
  uint8_t missing[32]; // a bit for each byte that no token writes alone
};
extern struct vocabulary vocabulary;
/** Made when it is first wanted. */
int prepare_vocabulary(void);
static inline size_t token_length(uint32_t token) { return vocabulary.offsets[token + 1] - vocabulary.offsets[token]; }
static inline const uint8_t *token_text(uint32_t token) { return vocabulary.data + vocabulary.offsets[token]; }

// automaton.c

enum { ENDLESS = 1 << 30 };

struct run {
  uint16_t first, last; // classes of bytes
  uint32_t target;
};
struct call {
  uint32_t rule, target; // states
};
struct state {
  uint32_t runs, calls; // the first of its own; those of the next state are behind the last
  uint32_t distance, nesting;
  bool accepts;
};
struct automaton {
  struct block bytes, block; // as it came, and what was made of it
  size_t length;
  uint8_t class_of[256];
  uint32_t classes, state_count, start;
  struct state *states; // one more than there are
  struct run *runs;
  struct call *calls;
};
/** Reads automaton->bytes. */
int read_automaton(struct automaton *);

// machine.c

enum { DEAD = 0, ENDS = 1 };
enum { FULL = -1 }; // a machine that has to begin again with more room

/** A set of (state, what follows its rule), which is a configuration itself; equal ones have the same number. */
struct config {
  uint32_t flags, distance, depth, count;
  uint32_t row, closure, closure_count; // places in the arena, 0: not made yet
  uint32_t tokens;                      // 1 + those that suffice to the end, 0: not counted yet
  uint32_t items[];                     // state and configuration in turn, ascending by state
};
struct entry {
  uint32_t kind, key, value;
};
struct mask {
  uint32_t config; // DEAD: none
  uint32_t furthest;
  bool is_empty;
};
enum { KEPT_MASKS = 8 };
struct machine {
  struct automaton automaton;
  struct block arena_block, table_block, scratch_block, mask_block;
  uint32_t *arena;
  size_t size, used; // words
  struct entry *table;
  size_t table_size, table_used;
  uint32_t (*pairs)[2], *path;
  uint32_t *marks, *list, *open; // by state
  bool *is_open;
  uint32_t era, start;
  size_t work;
  int failed; // OK, FULL or BAD_GRAMMAR
  struct mask masks[KEPT_MASKS];
};
static inline struct config *config_at(const struct machine *machine, uint32_t config) { return (struct config *)(machine->arena + config); }
/** Forgets what was computed; with more room if that was too little. */
int reset_machine(struct machine *, bool larger);
/** After one more byte. DEAD where nothing goes on, or `failed` is set. */
uint32_t step_machine(struct machine *, uint32_t config, uint8_t byte);
/** So much has been done for the token. */
void count_work(struct machine *, size_t work);
static inline uint32_t distance_of(const struct machine *machine, uint32_t config) { return config_at(machine, config)->distance; }

// shortest.c

/** Tokens of a shortest text to the end, at most `room` of them into `tokens`; ENDLESS when it is very long. */
uint32_t shortest_tokens(struct machine *, uint32_t config, uint32_t *tokens, size_t room);
/** How many that are; as many as its bytes when it is very long. */
uint32_t length_of(struct machine *, uint32_t config);
int prepare_shortest(void);

// masks.c

/** Bits of the tokens that may come, without those that end the text. */
const uint8_t *mask_of(struct machine *, uint32_t config, const struct mask **about);
/** Writes only those behind which `left` tokens suffice; whether those are all. */
bool mask_near(struct machine *, uint32_t config, size_t left, uint8_t *bits);
static inline size_t mask_bytes(void) { return ((size_t)model.vocabulary + 7) / 8; }
