// Which tokens may come in a configuration: all are looked at, and what came of the last configurations is kept.

#include <string.h>

#include "parts.h"

enum { NODES = 2 }; // bytes of tokens that take as long as an entry

/** Whether `left` tokens suffice from a configuration to the end. */
static bool reaches(struct machine *machine, uint32_t config, size_t left) {
  uint32_t bytes = distance_of(machine, config);
  return bytes <= left || (bytes <= left * vocabulary.longest && length_of(machine, config) <= left);
}

struct walk {
  uint8_t *bits;
  size_t left; // tokens that have to suffice, SIZE_MAX: any number
  uint32_t furthest;
  bool is_empty, is_all;
};

static void visit(struct machine *machine, uint32_t token, uint32_t after, struct walk *walk) {
  uint32_t distance = distance_of(machine, after);
  if (walk->left != SIZE_MAX && !reaches(machine, after, walk->left)) {
    walk->is_all = false;
    return;
  }
  walk->is_empty = false;
  walk->bits[token >> 3] |= 1 << (token & 7);
  if (distance > walk->furthest) walk->furthest = distance;
}

/** Follows all tokens, those that begin alike together. */
static void walk_tokens(struct machine *machine, uint32_t config, struct walk *walk) {
  uint32_t *path = machine->path; // configurations by bytes of the token
  size_t alive = 0; // bytes of the last token that lead somewhere
  path[0] = config;
  for (size_t i = 0; i < vocabulary.count && machine->failed == OK; i++) {
    size_t shared = vocabulary.shared[i];
    if (shared > alive) continue;
    uint32_t token = vocabulary.sorted[i];
    size_t length = token_length(token);
    const uint8_t *text = token_text(token);
    if (i && shared == length) continue; // as the one before it
    for (alive = shared; alive < length; alive++) {
      path[alive + 1] = step_machine(machine, path[alive], text[alive]);
      if (path[alive + 1] == DEAD) break;
    }
    count_work(machine, (alive - shared) / NODES + 1);
    if (alive == length && machine->failed == OK) visit(machine, token, path[length], walk);
  }
}

const uint8_t *mask_of(struct machine *machine, uint32_t config, const struct mask **about) {
  uint32_t slot = (config * 0x9e3779b1u >> 16) % KEPT_MASKS;
  struct mask *mask = &machine->masks[slot];
  uint8_t *bits = (uint8_t *)machine->mask_block.bytes + slot * mask_bytes();
  *about = mask;
  if (mask->config == config) return bits;
  struct walk walk = {.bits = bits, .left = SIZE_MAX, .is_empty = true};
  memset(bits, 0, mask_bytes());
  walk_tokens(machine, config, &walk);
  *mask = (struct mask){machine->failed == OK ? config : DEAD, walk.furthest, walk.is_empty};
  return bits;
}

bool mask_near(struct machine *machine, uint32_t config, size_t left, uint8_t *bits) {
  struct walk walk = {.bits = bits, .left = left, .is_all = true};
  memset(bits, 0, mask_bytes());
  walk_tokens(machine, config, &walk);
  return walk.is_all;
}
