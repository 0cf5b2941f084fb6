// The end of every call: where its result is.

#include <string.h>

#include "reactor.h"

static const void *result;
static size_t result_length;
static struct writer sentence = {.fd = NOWHERE, .is_message = true};

uint32_t zagreus_abi(void) { return ZAGREUS_ABI; }
uint64_t zagreus_buffer(void) { return (uintptr_t)at(core_buffer()); }
uint64_t zagreus_result(void) { return (uintptr_t)result; }
uint64_t zagreus_length(void) { return result_length; }

int32_t give(const void *bytes, size_t length) {
  result = bytes;
  result_length = length;
  return OK;
}

int32_t give_copy(const void *bytes, size_t length) {
  memmove(at(core_buffer()), bytes, length);
  return give(at(core_buffer()), length);
}

int32_t give_u32(uint32_t number) { return give_copy(&number, sizeof number); }
int32_t give_u64(uint64_t number) { return give_copy(&number, sizeof number); }
int32_t give_nothing(void) { return give(at(core_buffer()), 0); }

static int32_t give_sentence(int32_t status) {
  make_one_line(&sentence);
  give_copy(sentence.bytes, sentence.length);
  sentence.length = 0;
  return status;
}

int32_t refused(int32_t status, const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_list(&sentence, format, values);
  va_end(values);
  return give_sentence(status);
}

int32_t refused_value(int32_t status, const char *field, double value, double expected) {
  describe(&sentence, status, field, strlen(field), value, expected);
  return give_sentence(status);
}

int32_t answer(int32_t status) {
  if (status < FIRST_ERROR) return give_nothing();
  const char *field = at(core_errorField());
  describe(&sentence, status, field, (size_t)core_errorFieldLength(), core_errorValue(), core_errorExpected());
  return give_sentence(status);
}

int32_t reserve(struct block *block, size_t bytes) {
  double needed = 0;
  int status = try_reserve(block, bytes, &needed);
  return status == OK ? OK : refused_value(status, "memory", needed, memory_budget);
}
