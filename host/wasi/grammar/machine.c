// Runs a pushdown automaton along all paths at once, as host/core/grammar/machine.ts does it. All that is computed lies in one arena, and
// what is found again in one table; when one of them is full, everything is forgotten, and texts are read again.

#include <string.h>

#include "parts.h"

enum { MAX_DEPTH = 1000, MAX_PAIRS = MAX_DEPTH + 8 }; // open rules
enum { MAX_WORK = 4000000 };    // entries that are looked at for one token
enum { FIRST_WORDS = 1 << 16, MAX_WORDS = 1 << 22, WORDS_PER_ENTRY = 4 };
enum { UNION = 8, UNITED = 3 }; // entries that take as long
enum { HEADER = sizeof(struct config) / sizeof(uint32_t), END = HEADER };
enum { PUSH = 1, UNITE, INTERN }; // kinds of entries

void count_work(struct machine *machine, size_t work) {
  machine->work += work;
  if (machine->work > MAX_WORK && machine->failed == OK) {
    trouble.words = "a token takes too many steps, it is too ambiguous";
    machine->failed = BAD_GRAMMAR;
  }
}

static bool has_room(struct machine *machine, size_t words) {
  if (machine->used + words <= machine->size && machine->failed == OK) return true;
  if (machine->failed == OK) machine->failed = FULL;
  return false;
}

// The table

static size_t place_of(const struct machine *machine, uint32_t kind, uint32_t key) {
  uint32_t hash = (kind * 0x9e3779b1u) ^ (key * 0x85ebca77u);
  hash = (hash ^ hash >> 15) * 0xc2b2ae3du;
  return (hash ^ hash >> 13) & (machine->table_size - 1);
}

/** The entry of a key, or the empty one that it would be. */
static struct entry *find_entry(struct machine *machine, uint32_t kind, uint32_t key) {
  size_t at = place_of(machine, kind, key);
  while (machine->table[at].kind && (machine->table[at].kind != kind || machine->table[at].key != key)) at = (at + 1) & (machine->table_size - 1);
  return &machine->table[at];
}

static void add_entry(struct machine *machine, struct entry *empty, uint32_t kind, uint32_t key, uint32_t value) {
  if (machine->failed != OK) return;
  *empty = (struct entry){kind, key, value};
  if (++machine->table_used > machine->table_size / 4 * 3) machine->failed = FULL;
}

static uint32_t kind_of(int kind, uint32_t key) { return (uint32_t)kind << 30 | key; }

// Configurations

static uint32_t sum(uint32_t a, uint32_t b) { return a + b < ENDLESS ? a + b : ENDLESS; }

/** Whether a state's rule can come to its end without too many open rules. */
static bool fits(const struct machine *machine, uint32_t state, uint32_t next) {
  return config_at(machine, next)->depth + (uint64_t)machine->automaton.states[state].nesting < MAX_DEPTH;
}

/** The number of the configuration that stands behind the others, with its items and flags. */
static uint32_t intern(struct machine *machine, uint32_t flags, uint32_t count) {
  uint32_t number = (uint32_t)machine->used, hash = 0x811c9dc5u ^ flags;
  struct config *config = config_at(machine, number);
  for (uint32_t i = 0; i < 2 * count; i++) hash = (hash ^ config->items[i]) * 0x01000193u, hash ^= hash >> 15;
  uint32_t kind = kind_of(INTERN, hash & 0x3fffffff), key = 0;
  struct entry *entry;
  for (;; key++) {
    entry = find_entry(machine, kind, key);
    if (!entry->kind) break;
    const struct config *known = config_at(machine, entry->value);
    if (known->flags == flags && known->count == count && !memcmp(known->items, config->items, 8 * count)) return entry->value;
  }
  config->flags = flags;
  config->count = count;
  config->distance = flags ? 0 : ENDLESS;
  config->depth = config->row = config->closure = config->closure_count = config->tokens = 0;
  for (uint32_t i = 0; i < 2 * count; i += 2) {
    const struct config *next = config_at(machine, config->items[i + 1]);
    uint32_t distance = sum(machine->automaton.states[config->items[i]].distance, next->distance);
    if (distance < config->distance) config->distance = distance;
    if (next->depth + 1 > config->depth) config->depth = next->depth + 1;
  }
  machine->used += HEADER + 2 * count;
  add_entry(machine, entry, kind, key, number);
  return number;
}

static struct entry *find_union(struct machine *machine, uint32_t a, uint32_t b) {
  return find_entry(machine, kind_of(UNITE, a < b ? a : b), a < b ? b : a);
}

/** Both, where that is known; otherwise false. */
static bool known_union(struct machine *machine, uint32_t a, uint32_t b, uint32_t *both) {
  *both = a;
  if (a == b || b == DEAD) return true;
  *both = b;
  if (a == DEAD) return true;
  const struct entry *entry = find_union(machine, a, b);
  *both = entry->value;
  return entry->kind != 0;
}

/** Makes the union of two configurations, or names the two whose union it needs first. */
static bool make_union(struct machine *machine, uint32_t a, uint32_t b, uint32_t needed[2]) {
  const struct config *x = config_at(machine, a), *y = config_at(machine, b);
  uint32_t count = 0, i = 0, j = 0;
  count_work(machine, UNION + UNITED * (x->count + y->count));
  if (!has_room(machine, HEADER + 2 * (x->count + y->count))) return true;
  uint32_t *items = config_at(machine, (uint32_t)machine->used)->items;
  while (i < x->count || j < y->count) {
    uint32_t state_x = i < x->count ? x->items[2 * i] : UINT32_MAX, state_y = j < y->count ? y->items[2 * j] : UINT32_MAX;
    uint32_t next_x = state_x <= state_y ? x->items[2 * i++ + 1] : DEAD, next_y = state_y <= state_x ? y->items[2 * j++ + 1] : DEAD;
    items[2 * count] = state_x < state_y ? state_x : state_y;
    if (!known_union(machine, next_x, next_y, &items[2 * count + 1])) {
      needed[0] = next_x;
      needed[1] = next_y;
      return false;
    }
    count++;
  }
  uint32_t both = intern(machine, x->flags | y->flags, count);
  add_entry(machine, find_union(machine, a, b), kind_of(UNITE, a < b ? a : b), a < b ? b : a, both);
  return true;
}

static uint32_t unite(struct machine *machine, uint32_t a, uint32_t b) {
  uint32_t(*pairs)[2] = machine->pairs; // whose unions are being made; each is less deep than the one before
  uint32_t both;
  if (known_union(machine, a, b, &both)) return both;
  pairs[0][0] = a;
  pairs[0][1] = b;
  for (size_t open = 1; open && machine->failed == OK;) {
    if (make_union(machine, pairs[open - 1][0], pairs[open - 1][1], pairs[open])) open--;
    else open++;
  }
  return machine->failed == OK && known_union(machine, a, b, &both) ? both : DEAD;
}

/** At `state` of a rule, and `next` behind it: a rule that can end is left as well, one that must is only left. */
static uint32_t push(struct machine *machine, uint32_t state, uint32_t next) {
  const struct state *of = &machine->automaton.states[state];
  if (machine->failed != OK || !fits(machine, state, next)) return DEAD;
  if (of[1].runs == of->runs && of[1].calls == of->calls) return of->accepts ? next : DEAD;
  const struct entry *known = find_entry(machine, kind_of(PUSH, state), next);
  if (known->kind) return known->value;
  if (!has_room(machine, HEADER + 2)) return DEAD;
  uint32_t *items = config_at(machine, (uint32_t)machine->used)->items;
  items[0] = state;
  items[1] = next;
  uint32_t config = intern(machine, 0, 1);
  if (of->accepts) config = unite(machine, config, next);
  add_entry(machine, find_entry(machine, kind_of(PUSH, state), next), kind_of(PUSH, state), next, config);
  return machine->failed == OK ? config : DEAD;
}

// Steps

static void add_to_closure(struct machine *machine, uint32_t state, uint32_t next, size_t *count, size_t *open) {
  uint32_t before = machine->marks[state], united = unite(machine, before, next);
  if (united == before || machine->failed != OK) return;
  if (!before) machine->list[(*count)++] = state;
  machine->marks[state] = united;
  if (!machine->is_open[state]) machine->open[(*open)++] = state;
  machine->is_open[state] = true;
}

/** Makes the entries of a configuration, and those of all rules that can be called there. */
static void make_closure(struct machine *machine, uint32_t number) {
  const struct automaton *automaton = &machine->automaton;
  struct config *config = config_at(machine, number);
  size_t count = 0, open = 0;
  for (uint32_t i = 0; i < config->count; i++) add_to_closure(machine, config->items[2 * i], config->items[2 * i + 1], &count, &open);
  while (open) {
    uint32_t state = machine->open[--open], next = machine->marks[state];
    machine->is_open[state] = false;
    const struct state *of = &automaton->states[state];
    count_work(machine, 1 + of[1].calls - of->calls);
    for (uint32_t i = of->calls; i < of[1].calls && machine->failed == OK; i++) {
      const struct call *call = &automaton->calls[i];
      uint32_t behind = push(machine, call->target, next);
      if (behind != DEAD && fits(machine, call->rule, behind)) add_to_closure(machine, call->rule, behind, &count, &open);
    }
  }
  count_work(machine, count);
  bool kept = has_room(machine, 2 * count + 1); // one more, so that it is never 0
  uint32_t place = (uint32_t)machine->used;
  for (size_t i = 0; i < count; i++) {
    uint32_t state = machine->list[i];
    if (kept) {
      machine->arena[place + 2 * i] = state;
      machine->arena[place + 2 * i + 1] = machine->marks[state];
    }
    machine->marks[state] = DEAD;
  }
  if (!kept) return;
  machine->used += 2 * count + 1;
  config->closure = place;
  config->closure_count = (uint32_t)count;
}

/** Where a class of bytes leads, or -1. */
static int64_t target_of(const struct automaton *automaton, uint32_t state, uint32_t cls) {
  const struct state *of = &automaton->states[state];
  uint32_t low = of->runs, high = of[1].runs;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (automaton->runs[middle].last < cls) low = middle + 1;
    else high = middle;
  }
  return low < of[1].runs && automaton->runs[low].first <= cls ? (int64_t)automaton->runs[low].target : -1;
}

static uint32_t next_of(struct machine *machine, uint32_t number, uint32_t cls) {
  struct config *config = config_at(machine, number);
  if (!config->closure) make_closure(machine, number);
  count_work(machine, config->closure_count);
  uint32_t next = DEAD;
  const uint32_t *closure = machine->arena + config->closure;
  for (uint32_t i = 0; i < config->closure_count && machine->failed == OK; i++) {
    int64_t target = target_of(&machine->automaton, closure[2 * i], cls);
    if (target >= 0) next = unite(machine, next, push(machine, (uint32_t)target, closure[2 * i + 1]));
  }
  return next;
}

uint32_t step_machine(struct machine *machine, uint32_t number, uint8_t byte) {
  if (number == DEAD || machine->failed != OK) return DEAD;
  struct config *config = config_at(machine, number);
  uint32_t cls = machine->automaton.class_of[byte];
  if (!config->row) {
    if (!has_room(machine, machine->automaton.classes)) return DEAD;
    memset(machine->arena + machine->used, 0, machine->automaton.classes * sizeof(uint32_t));
    config->row = (uint32_t)machine->used;
    machine->used += machine->automaton.classes;
  }
  uint32_t *cell = machine->arena + config->row + cls;
  if (*cell) return *cell - 1;
  uint32_t next = next_of(machine, number, cls);
  if (machine->failed != OK) return DEAD;
  *cell = next + 1;
  return next;
}

// Room

static int reserve_machine(struct machine *machine, size_t words) {
  size_t states = machine->automaton.state_count, masks = KEPT_MASKS * mask_bytes();
  size_t scratch = MAX_PAIRS * sizeof *machine->pairs + (MAX_TOKEN_BYTES + 1) * sizeof(uint32_t);
  int status = try_reserve(&machine->arena_block, words * sizeof(uint32_t), &trouble.needed);
  if (status == OK) status = try_reserve(&machine->table_block, words / WORDS_PER_ENTRY * sizeof(struct entry), &trouble.needed);
  if (status == OK) status = try_reserve(&machine->scratch_block, scratch + states * (3 * sizeof(uint32_t) + sizeof(bool)), &trouble.needed);
  if (status == OK) status = try_reserve(&machine->mask_block, masks, &trouble.needed);
  if (status != OK) return status;
  machine->size = words;
  machine->table_size = words / WORDS_PER_ENTRY;
  machine->arena = machine->arena_block.bytes;
  machine->table = machine->table_block.bytes;
  machine->pairs = machine->scratch_block.bytes;
  machine->path = (uint32_t *)(machine->pairs + MAX_PAIRS);
  machine->marks = machine->path + MAX_TOKEN_BYTES + 1;
  machine->list = machine->marks + states;
  machine->open = machine->list + states;
  machine->is_open = (bool *)(machine->open + states);
  return OK;
}

int reset_machine(struct machine *machine, bool larger) {
  size_t words = machine->size ? machine->size : FIRST_WORDS;
  if (larger && words == MAX_WORDS) {
    trouble.words = "a token takes too much memory, it is too ambiguous";
    return BAD_GRAMMAR;
  }
  machine->size = 0; // as long as there is not enough
  int status = reserve_machine(machine, larger ? (4 * words < MAX_WORDS ? 4 * words : MAX_WORDS) : words);
  if (status != OK) return status;
  size_t states = machine->automaton.state_count;
  memset(machine->table, 0, machine->table_size * sizeof *machine->table);
  memset(machine->marks, 0, states * sizeof(uint32_t));
  memset(machine->is_open, 0, states * sizeof(bool));
  memset(machine->masks, 0, sizeof machine->masks);
  memset(machine->arena, 0, 2 * HEADER * sizeof(uint32_t));
  config_at(machine, DEAD)->distance = ENDLESS;
  config_at(machine, END)->flags = ENDS;
  machine->used = 2 * HEADER;
  machine->table_used = machine->work = 0;
  machine->failed = OK;
  machine->era++;
  machine->start = push(machine, machine->automaton.start, END);
  return machine->failed == BAD_GRAMMAR ? BAD_GRAMMAR : OK;
}
