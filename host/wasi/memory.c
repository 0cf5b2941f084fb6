// Linear memory:
//
//     | stack | launcher's data | core's data, I/O buffer, arena ... | text and tokens of the launcher ...
//     0                         ^ memoryBase in asconfig.json        ^ memory.size when the model is loaded
//
// The core's plan grows memory once and takes all of it. What depends on the prompt comes behind that, when the core
// grows no more.

#include <string.h>

#include "zagreus.h"

enum { PAGE = 65536 };

double memory_budget = 0;
static char *end = NULL; // of what is taken
static char *limit = NULL;

/** Makes room for so many bytes: OK, or OVER_BUDGET or OUT_OF_MEMORY. */
static int make_room(size_t bytes, double *needed) {
  if (!end) end = limit = (char *)(__builtin_wasm_memory_size(0) * PAGE);
  size_t left = (size_t)(limit - end);
  if (bytes <= left) return OK;
  size_t pages = (bytes - left + PAGE - 1) / PAGE;
  *needed = (double)(uintptr_t)limit + (double)pages * PAGE;
  if (memory_budget > 0 && *needed > memory_budget) return OVER_BUDGET;
  if (*needed > UINT32_MAX || __builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return OUT_OF_MEMORY;
  limit += pages * PAGE;
  return OK;
}

void *extend(size_t bytes) {
  double needed;
  int status = make_room(bytes, &needed);
  if (status != OK) refuse(status, "", 0, needed, memory_budget);
  end += bytes;
  return end - bytes;
}

static size_t padding(void) { return -(uintptr_t)end & 7; }

void *take(size_t bytes) {
  extend(0);
  extend(padding());
  return extend(bytes);
}

int try_take(size_t bytes, void **taken, double *needed) {
  int status = make_room(bytes + 7, needed);
  if (status != OK) return status;
  *taken = take(bytes);
  return OK;
}

static uint32_t era = 1; // of the memory behind the core's

void give_back(void) {
  end = limit = NULL;
  era++;
}

int try_reserve(struct block *block, size_t bytes, double *needed) {
  if (block->era != era) *block = (struct block){.era = era};
  if (block->size >= bytes) return OK;
  size_t wanted = bytes > 2 * block->size ? bytes : 2 * block->size;
  int status = try_take(wanted, &block->bytes, needed);
  if (status == OK) block->size = wanted;
  return status;
}

// wasi-libc keeps the names of the preopened directories on the heap. This one has a fixed size, so that sbrk() never
// grows memory into the core's.

struct chunk {
  _Alignas(16) size_t size;
};
static _Alignas(16) char heap[16384];
static size_t used = 0;

void *malloc(size_t bytes) {
  size_t whole = sizeof(struct chunk) + ((bytes + 15) & ~(size_t)15);
  if (whole < bytes || whole > sizeof heap - used) return NULL;
  struct chunk *chunk = (struct chunk *)(heap + used);
  used += whole;
  chunk->size = bytes;
  return chunk + 1;
}

void free(void *pointer) { (void)pointer; }

void *calloc(size_t count, size_t bytes) {
  if (bytes > 0 && count > sizeof heap / bytes) return NULL;
  return malloc(count * bytes); // memory that is never freed is still zero
}

void *realloc(void *pointer, size_t bytes) {
  void *moved = malloc(bytes);
  if (!moved || !pointer) return moved;
  size_t before = ((struct chunk *)pointer)[-1].size;
  return memcpy(moved, pointer, before < bytes ? before : bytes);
}
