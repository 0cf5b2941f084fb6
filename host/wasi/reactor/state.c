// What a call may expect.

#include "reactor.h"

enum state state = NEW;

int32_t check_initialized(void) {
  return state == NEW ? refused(WRONG_STATE, "zagreus_initialize comes first") : OK;
}

int32_t check_loaded(void) { return state == READY ? OK : refused(WRONG_STATE, "no model is loaded"); }

int32_t check_buffer(uint32_t length) {
  if (length <= IO_BYTES) return OK;
  return refused(ZAGREUS_STATUS_BAD_LENGTH, "%f bytes, the buffer has %d", (double)length, IO_BYTES);
}
