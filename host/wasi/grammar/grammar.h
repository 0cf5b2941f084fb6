// What is constrained: grammars that the library compiled (host/core/grammar/compiled.ts), followed as host/core/grammar does it, so that
// masks are the same. grammars.c: which there are, and texts on their way; automaton.c: their bytes; machine.c: all paths at once; masks.c:
// which tokens may come; shortest.c: the way to the end; vocabulary.c: the tokens.
//
// Nothing trusts the bytes: references are checked when they are read, and work, memory and depth have limits.

#pragma once

#include "zagreus.h"
#include "zagreus_abi.h"

enum { BAD_GRAMMAR = ZAGREUS_STATUS_BAD_GRAMMAR };

/** A text on its way through a grammar, or through any where `grammar` is 0. */
struct constraint {
  uint32_t grammar;
  uint32_t *plan; // u32[context]: tokens that lead to the end, since it became near
  size_t plan_next, plan_end;
  bool has_plan;
  bool complete; // whether the text is one of the grammar,
  bool finished; // and nothing may follow
  // Where it is behind `read` tokens, as long as the grammar's era is this one
  uint32_t era, config;
  size_t read;
};

/** What a status of the functions below is about: words for BAD_GRAMMAR, and otherwise bytes of memory. */
struct trouble {
  const char *words;
  double needed;
};
extern struct trouble trouble;

/** Before the core grows: there is no grammar any more. */
void forget_grammars(void);
/** Makes the compiled grammar in the core's buffer that of a text; length 0: none. A status, as of all that follow. */
int set_grammar(struct constraint *, size_t length);
void drop_grammar(struct constraint *);
/** A text begins. `shortest` gets the tokens that suffice for all of it. */
int begin_constrained(struct constraint *, double *shortest);
/** Writes the core's mask for what follows these tokens; so many may still be sampled. */
int allow_tokens(struct constraint *, const uint32_t *ids, size_t count, size_t remaining);
/** The last of these tokens was sampled. */
int accept_token(struct constraint *, const uint32_t *ids, size_t count);
