// Reads a compiled grammar:
//
//     "ZGA" 1 | missing u8[32] | class u8[256] | states | start | state ...
//     state: distance | 2 * nesting + accepts | runs | calls | run ... | call ...
//     run: classes between it and the last one | classes in it - 1 | target        call: the rule's start | target
//
// Numbers are LEB128.

#include <string.h>

#include "parts.h"

enum { HEADER = 4 + 32 + 256 };
static const uint8_t MAGIC[4] = {'Z', 'G', 'A', 1};

struct reader {
  const uint8_t *at, *end;
  bool failed;
};

/** A number up to `most`. */
static uint32_t number(struct reader *reader, uint32_t most) {
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (reader->at == reader->end) break;
    uint8_t byte = *reader->at++;
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) {
      if (value <= most) return (uint32_t)value;
      break;
    }
  }
  reader->failed = true;
  return 0;
}

static int bad(const char *words) {
  trouble.words = words;
  return BAD_GRAMMAR;
}

static bool read_classes(struct automaton *automaton, const uint8_t *classes) {
  memcpy(automaton->class_of, classes, 256);
  for (int byte = 1; byte < 256; byte++) {
    if (classes[byte] != classes[byte - 1] && classes[byte] != classes[byte - 1] + 1) return false;
  }
  automaton->classes = classes[255] + 1u;
  return classes[0] == 0;
}

/** Reads the states; `runs` and `calls` get how many there are. Without room for states it only counts and checks. */
static bool read_states(struct automaton *automaton, struct reader reader, uint32_t *runs, uint32_t *calls) {
  uint32_t count = automaton->state_count, last_state = count - 1;
  struct state *states = automaton->states;
  *runs = *calls = 0;
  for (uint32_t i = 0; i < count && !reader.failed; i++) {
    struct state state = {.runs = *runs, .calls = *calls, .distance = number(&reader, ENDLESS)};
    uint32_t nesting = number(&reader, UINT32_MAX);
    state.nesting = nesting >> 1;
    state.accepts = nesting & 1;
    uint32_t run_count = number(&reader, 256), call_count = number(&reader, ZAGREUS_BUFFER_BYTES), next = 0;
    for (uint32_t j = 0; j < run_count && !reader.failed; j++) {
      uint32_t first = next + number(&reader, 256), last = first + number(&reader, 255);
      if (last >= automaton->classes) return false;
      struct run run = {(uint16_t)first, (uint16_t)last, number(&reader, last_state)};
      if (states) automaton->runs[*runs] = run;
      next = last + 1;
      ++*runs;
    }
    for (uint32_t j = 0; j < call_count && !reader.failed; j++) {
      struct call call = {.rule = number(&reader, last_state)};
      call.target = number(&reader, last_state);
      if (states) automaton->calls[*calls] = call;
      ++*calls;
    }
    if (states) states[i] = state;
  }
  if (states) states[count] = (struct state){.runs = *runs, .calls = *calls};
  return !reader.failed && reader.at == reader.end;
}

int read_automaton(struct automaton *automaton) {
  const uint8_t *bytes = automaton->bytes.bytes;
  if (automaton->length < HEADER || memcmp(bytes, MAGIC, sizeof MAGIC)) return bad("it was not compiled by this version of the library");
  int status = prepare_vocabulary();
  if (status != OK) return status;
  if (memcmp(bytes + 4, vocabulary.missing, 32)) return bad("it was compiled for a model with other tokens");
  struct reader reader = {bytes + HEADER, bytes + automaton->length, !read_classes(automaton, bytes + 36)};
  automaton->state_count = number(&reader, ZAGREUS_BUFFER_BYTES);
  automaton->start = number(&reader, automaton->state_count ? automaton->state_count - 1 : 0);
  uint32_t runs, calls;
  automaton->states = NULL;
  if (reader.failed || !automaton->state_count || !read_states(automaton, reader, &runs, &calls)) return bad("its bytes are damaged");
  size_t state_bytes = (automaton->state_count + 1) * sizeof(struct state);
  status = try_reserve(&automaton->block, state_bytes + runs * sizeof(struct run) + calls * sizeof(struct call), &trouble.needed);
  if (status != OK) return status;
  automaton->states = automaton->block.bytes;
  automaton->runs = (struct run *)((char *)automaton->states + state_bytes);
  automaton->calls = (struct call *)(automaton->runs + runs);
  read_states(automaton, reader, &runs, &calls);
  return OK;
}
