// Stop strings in a stream of text whose pieces end anywhere; the rules of host/core/engine/stop.ts.

#include <string.h>

#include "zagreus.h"

/** Start of the stop string that ends first, the longest of those; `length` where there is none. */
static size_t first_complete(const char *text, size_t length, const char *const *stops, int stop_count) {
  for (size_t end = 1; end <= length; end++) {
    size_t longest = 0;
    for (int i = 0; i < stop_count; i++) {
      size_t size = strlen(stops[i]);
      if (size > longest && size <= end && !memcmp(text + end - size, stops[i], size)) longest = size;
    }
    if (longest) return end - longest;
  }
  return length;
}

/** Length of the longest end of the text that begins a stop string. */
static size_t held_length(const char *text, size_t length, const char *const *stops, int stop_count) {
  size_t longest = 0;
  for (int i = 0; i < stop_count; i++) {
    size_t size = strlen(stops[i]) - 1;
    for (size = size < length ? size : length; size > longest; size--) {
      if (!memcmp(text + length - size, stops[i], size)) longest = size;
    }
  }
  return longest;
}

struct stop_match match_stops(const char *text, size_t length, const char *const *stops, int stop_count) {
  size_t start = first_complete(text, length, stops, stop_count);
  if (start < length) return (struct stop_match){true, start};
  return (struct stop_match){false, length - held_length(text, length, stops, stop_count)};
}
