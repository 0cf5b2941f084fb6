// Memory behind the core's, of blocks that are never freed but used again.

#include "reactor.h"

static uint32_t era = 1; // changes when the core takes all memory for itself again

void forget_blocks(void) {
  give_back();
  era++;
}

int32_t reserve(struct block *block, size_t bytes) {
  if (block->era != era) *block = (struct block){.era = era};
  if (block->size >= bytes) return OK;
  size_t wanted = bytes > 2 * block->size ? bytes : 2 * block->size;
  double needed = 0;
  int status = try_take(wanted, &block->bytes, &needed);
  if (status != OK) return refused_value(status, "memory", needed, memory_budget);
  block->size = wanted;
  return OK;
}
