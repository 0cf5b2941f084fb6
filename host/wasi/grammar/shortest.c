// The shortest way to the end of a text, and the tokens that write it: host/core/grammar/shortest.ts.

#include <string.h>

#include "parts.h"

enum { MAX_BYTES = 1 << 16, MAX_OPEN = 4096 };

static struct block text_block, open_block;

int prepare_shortest(void) {
  int status = try_reserve(&text_block, MAX_BYTES, &trouble.needed);
  return status == OK ? try_reserve(&open_block, MAX_OPEN * sizeof(uint32_t), &trouble.needed) : status;
}

static uint8_t first_byte(const struct automaton *automaton, uint32_t cls) {
  return (uint8_t)((const uint8_t *)memchr(automaton->class_of, (int)cls, 256) - automaton->class_of);
}

/** The first run that leads one byte nearer to the end, or null. */
static const struct run *nearer_run(const struct automaton *automaton, const struct state *state) {
  for (uint32_t i = state->runs; i < state[1].runs; i++) {
    if (automaton->states[automaton->runs[i].target].distance + 1 == state->distance) return &automaton->runs[i];
  }
  return NULL;
}

/** The first call that reads something and leads to the end, or null. */
static const struct call *nearer_call(const struct automaton *automaton, const struct state *state) {
  for (uint32_t i = state->calls; i < state[1].calls; i++) {
    const struct call *call = &automaton->calls[i];
    uint32_t bytes = automaton->states[call->rule].distance;
    if (bytes && bytes + automaton->states[call->target].distance == state->distance) return call;
  }
  return NULL;
}

/** Adds the shortest text from a state to the end of its rule; false when the distances are not true, or the rules nest too deeply. */
static bool add_text(struct machine *machine, uint32_t from, uint8_t *text, size_t *length) {
  const struct automaton *automaton = &machine->automaton;
  uint32_t *open = open_block.bytes; // states to go on in, the last one first
  size_t count = 1;
  open[0] = from;
  while (count) {
    const struct state *state = &automaton->states[open[--count]];
    count_work(machine, 1);
    if (machine->failed != OK) return false;
    if (!state->distance) continue;
    const struct run *run = nearer_run(automaton, state);
    const struct call *call = run ? NULL : nearer_call(automaton, state);
    if ((!run && !call) || count + 2 > MAX_OPEN || *length == MAX_BYTES) return false;
    if (run) text[(*length)++] = first_byte(automaton, run->first);
    else open[count++] = call->target;
    open[count++] = run ? run->target : call->rule;
  }
  return true;
}

static bool shortest_text(struct machine *machine, uint32_t number, uint8_t *text, size_t *length) {
  const struct state *states = machine->automaton.states;
  *length = 0;
  while (distance_of(machine, number)) {
    const struct config *config = config_at(machine, number);
    uint32_t best = 0;
    while (states[config->items[best]].distance + distance_of(machine, config->items[best + 1]) != config->distance) best += 2;
    if (!add_text(machine, config->items[best], text, length)) return false;
    number = config->items[best + 1];
  }
  return true;
}

/** The first of the sorted tokens from `low` on whose byte behind `depth` bytes is at least `byte`; those that end there come before all. */
static size_t first_with(size_t low, size_t high, size_t depth, int byte) {
  while (low < high) {
    size_t middle = (low + high) / 2;
    uint32_t token = vocabulary.sorted[middle];
    int its = token_length(token) > depth ? token_text(token)[depth] : -1;
    if (its < byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The longest token that a text begins with. */
static uint32_t longest_token(const uint8_t *text, size_t length) {
  size_t low = 0, high = vocabulary.count;
  uint32_t best = ZAGREUS_NO_TOKEN;
  for (size_t depth = 0; depth < length; depth++) {
    low = first_with(low, high, depth, text[depth]);
    high = first_with(low, high, depth, text[depth] + 1);
    if (low == high) break;
    if (token_length(vocabulary.sorted[low]) == depth + 1) best = vocabulary.sorted[low];
  }
  return best;
}

uint32_t shortest_tokens(struct machine *machine, uint32_t config, uint32_t *tokens, size_t room) {
  uint8_t *text = text_block.bytes;
  size_t length;
  uint32_t count = 0;
  if (distance_of(machine, config) > MAX_BYTES) return ENDLESS;
  if (!shortest_text(machine, config, text, &length)) {
    if (machine->failed == OK) machine->failed = BAD_GRAMMAR, trouble.words = "its distances are not true, or it nests too deeply";
    return ENDLESS;
  }
  for (size_t done = 0; done < length; count++) {
    count_work(machine, 1);
    uint32_t token = longest_token(text + done, length - done);
    if (token == ZAGREUS_NO_TOKEN) { // cannot be: bytes without a token have no edges
      machine->failed = BAD_GRAMMAR, trouble.words = "it has a byte that no token writes";
      return ENDLESS;
    }
    if (count < room) tokens[count] = token;
    done += token_length(token);
  }
  return count;
}

uint32_t length_of(struct machine *machine, uint32_t number) {
  struct config *config = config_at(machine, number);
  if (!config->tokens) {
    uint32_t length = shortest_tokens(machine, number, NULL, 0);
    if (machine->failed != OK) return ENDLESS;
    config->tokens = 1 + (length == ENDLESS ? config->distance : length);
  }
  return config->tokens - 1;
}
