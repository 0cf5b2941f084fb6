// The monotonic clock, in milliseconds.

#include <wasi/api.h>

#include "zagreus.h"

double now(void) {
  __wasi_timestamp_t nanoseconds = 0;
  if (__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &nanoseconds)) return 0;
  return (double)nanoseconds / 1e6;
}
