// The grammars that are known, equal ones once, and texts on their way through them: host/core/grammar/constraint.ts.

#include <string.h>

#include "parts.h"

enum { ENOUGH_WORDS = 1 << 20 }; // a machine that needs more for a token may have them, but does not keep them filled

struct trouble trouble;

static struct known {
  struct block block; // of a struct machine
  bool is_used;       // whether there ever was one
  uint32_t users;
} grammars[ZAGREUS_MAX_SESSIONS];

static struct machine *machine_in(int i) { return grammars[i].block.bytes; }
static struct machine *machine_of(const struct constraint *constraint) { return machine_in((int)constraint->grammar - 1); }

void forget_grammars(void) {
  memset(grammars, 0, sizeof grammars);
  vocabulary.ready = false;
}

void drop_grammar(struct constraint *constraint) {
  if (constraint->grammar) grammars[constraint->grammar - 1].users--;
  constraint->grammar = 0;
}

static bool is_known(int i, size_t length) {
  if (!grammars[i].is_used || machine_in(i)->automaton.length != length) return false;
  return !memcmp(machine_in(i)->automaton.bytes.bytes, at(core_buffer()), length);
}

/** The grammar that is the least loss, of those that nobody uses: there is one, because not all sessions use one. */
static int unused_grammar(void) {
  int found = -1;
  for (int i = 0; i < ZAGREUS_MAX_SESSIONS; i++) {
    if (!grammars[i].is_used) return i;
    if (!grammars[i].users && (found < 0 || !machine_in(i)->automaton.length)) found = i;
  }
  return found;
}

static int read_grammar(int i, size_t length) {
  struct known *known = &grammars[i];
  if (!known->is_used) {
    int status = try_reserve(&known->block, sizeof(struct machine), &trouble.needed);
    if (status != OK) return status;
    memset(known->block.bytes, 0, sizeof(struct machine));
    known->is_used = true;
  }
  struct machine *machine = machine_in(i);
  struct automaton *automaton = &machine->automaton;
  automaton->length = 0; // until all went well
  int status = try_reserve(&automaton->bytes, length, &trouble.needed);
  if (status != OK) return status;
  memcpy(automaton->bytes.bytes, at(core_buffer()), length);
  automaton->length = length;
  status = read_automaton(automaton);
  if (status == OK) status = prepare_shortest();
  machine->size = 0;
  if (status == OK) status = reset_machine(machine, false);
  if (status == OK && machine->start == DEAD) {
    trouble.words = "it has no text that does not nest too deeply";
    status = BAD_GRAMMAR;
  }
  if (status != OK) automaton->length = 0;
  return status;
}

int set_grammar(struct constraint *constraint, size_t length) {
  drop_grammar(constraint);
  if (!length) return OK;
  int found = 0;
  while (found < ZAGREUS_MAX_SESSIONS && !is_known(found, length)) found++;
  if (found == ZAGREUS_MAX_SESSIONS) {
    int status = read_grammar(found = unused_grammar(), length);
    if (status != OK) return status;
  }
  grammars[found].users++;
  constraint->grammar = (uint32_t)found + 1;
  constraint->era = 0;
  return OK;
}

/** Comes to where the tokens lead. FULL: the machine is full. */
static int advance(struct constraint *constraint, struct machine *machine, const uint32_t *ids, size_t count) {
  if (constraint->era != machine->era || constraint->read > count) {
    constraint->era = machine->era;
    constraint->read = 0;
    constraint->config = machine->start;
  }
  while (constraint->read < count) {
    uint32_t token = ids[constraint->read], config = constraint->config;
    const uint8_t *text = token_text(token);
    machine->work = 0;
    for (size_t i = 0; i < token_length(token); i++) config = step_machine(machine, config, text[i]);
    if (machine->failed != OK) return machine->failed;
    if (config == DEAD) {
      trouble.words = "the text nests too deeply";
      return BAD_GRAMMAR;
    }
    constraint->config = config;
    constraint->read++;
  }
  const struct config *config = config_at(machine, constraint->config);
  constraint->complete = config->flags & ENDS;
  constraint->finished = constraint->complete && !config->count;
  machine->work = 0;
  return OK;
}

/** Looks after a machine before it goes on, or when it could not. @param status of the last try, OK: there was none */
static int make_ready(struct machine *machine, int status) {
  if (status == FULL) return reset_machine(machine, true);
  if (status != OK) return status;
  bool is_full = machine->used > machine->size / 4 * 3;
  return is_full || !machine->size || machine->failed != OK ? reset_machine(machine, is_full && machine->size < ENOUGH_WORDS) : OK;
}

/** Writes the mask; FULL: the machine is full. */
static int write_mask(struct constraint *constraint, struct machine *machine, const uint32_t *ids, size_t count, size_t remaining) {
  int status = advance(constraint, machine, ids, count);
  if (status != OK) return status;
  uint8_t *bits = at(core_samplerMask());
  const struct mask *mask;
  const uint8_t *found = mask_of(machine, constraint->config, &mask);
  if (machine->failed != OK) return machine->failed;
  if (mask->is_empty && !constraint->complete) {
    trouble.words = "the text nests too deeply";
    return BAD_GRAMMAR;
  }
  if (mask->furthest < remaining) {
    memcpy(bits, found, mask_bytes());
    return OK;
  }
  bool is_all = mask_near(machine, constraint->config, remaining - 1, bits);
  if (machine->failed != OK) return machine->failed;
  if (is_all) return OK;
  size_t had = constraint->plan_end - constraint->plan_next;
  uint32_t length = length_of(machine, constraint->config);
  if (machine->failed == OK && length <= (size_t)model.context && (!constraint->has_plan || length < had)) {
    constraint->has_plan = true;
    constraint->plan_next = 0;
    constraint->plan_end = shortest_tokens(machine, constraint->config, constraint->plan, (size_t)model.context);
  }
  if (machine->failed != OK) return machine->failed;
  if (constraint->has_plan && constraint->plan_next < constraint->plan_end) {
    uint32_t token = constraint->plan[constraint->plan_next];
    bits[token >> 3] |= 1 << (token & 7);
  }
  return OK;
}

int allow_tokens(struct constraint *constraint, const uint32_t *ids, size_t count, size_t remaining) {
  struct machine *machine = machine_of(constraint);
  int status = OK;
  do {
    status = make_ready(machine, status);
    if (status == OK) status = write_mask(constraint, machine, ids, count, remaining);
  } while (status == FULL);
  if (status != OK || !constraint->complete) return status;
  uint8_t *bits = at(core_samplerMask());
  for (int i = 0; i < model.end_count; i++) bits[model.ends[i] >> 3] |= 1 << (model.ends[i] & 7);
  return OK;
}

/** advance(), with as much room as it takes. */
static int advance_surely(struct constraint *constraint, const uint32_t *ids, size_t count) {
  struct machine *machine = machine_of(constraint);
  int status = OK;
  do {
    status = make_ready(machine, status);
    if (status == OK) status = advance(constraint, machine, ids, count);
  } while (status == FULL);
  return status;
}

int begin_constrained(struct constraint *constraint, double *shortest) {
  constraint->has_plan = false;
  constraint->era = 0;
  int status = advance_surely(constraint, NULL, 0);
  if (status != OK) return status;
  struct machine *machine = machine_of(constraint);
  *shortest = length_of(machine, constraint->config);
  return machine->failed;
}

int accept_token(struct constraint *constraint, const uint32_t *ids, size_t count) {
  bool is_planned = constraint->has_plan && constraint->plan_next < constraint->plan_end && constraint->plan[constraint->plan_next] == ids[count - 1];
  if (is_planned) constraint->plan_next++;
  else constraint->has_plan = false;
  return advance_surely(constraint, ids, count);
}
