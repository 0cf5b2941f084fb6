// Standard output and standard error.

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tables.h"
#include "zagreus.h"

struct writer out = {.fd = 1}, err = {.fd = 2, .is_message = true};

void flush(struct writer *w) {
  size_t length = w->length;
  w->length = 0;
  if (w->fd == NOWHERE) return;
  for (size_t done = 0; done < length;) {
    ssize_t written = write(w->fd, w->bytes + done, length - done);
    if (written >= 0) {
      done += (size_t)written;
      continue;
    }
    if (w == &err) return;
    if (errno == EPIPE) _Exit(SUCCESS); // a reader that went away, as in `zagreus … | head`
    fail("cannot write: %s", strerror(errno));
  }
}

void write_bytes(struct writer *w, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (w->length == sizeof w->bytes && w->fd == NOWHERE) return; // what does not fit is lost
    if (w->length == sizeof w->bytes) flush(w);
    w->bytes[w->length++] = bytes[i];
  }
}

// Text

/** Whether a character is a control or turns the direction of text: those of host/core/api/printable.ts. Its code goes to `code`. */
static bool unprintable(const char *text, size_t size, uint32_t *code) {
  const uint8_t *p = (const uint8_t *)text;
  if (size == 1) *code = p[0];
  else if (size == 2) *code = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
  else if (size == 3) *code = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
  else return false;
  uint32_t c = *code;
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void write_escaped(struct writer *w, uint32_t c) {
  static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
  for (const char *name = names; *name; name += 2) {
    if ((uint8_t)*name != c) continue;
    write_bytes(w, "\\", 1);
    write_bytes(w, name + 1, 1);
    return;
  }
  write_bytes(w, "\\u", 2);
  for (int shift = 12; shift >= 0; shift -= 4) write_bytes(w, &"0123456789abcdef"[c >> shift & 15], 1);
}

static void write_characters(struct writer *w, const char *text, size_t length, bool json) {
  for (size_t at = 0, size; at < length; at += size) {
    bool valid;
    size = character(text + at, length - at, &valid);
    char c = text[at];
    uint32_t code;
    bool odd = valid && unprintable(text + at, size, &code);
    bool line_end = c == '\n' || c == '\r'; // in messages these become spaces
    if (!valid || (odd && w->is_message && !line_end)) write_bytes(w, REPLACEMENT, sizeof REPLACEMENT);
    else if (json && (odd || c == '"' || c == '\\')) write_escaped(w, odd ? code : (uint8_t)c);
    else write_bytes(w, text + at, size);
  }
}

void write_text(struct writer *w, const char *text, size_t length) { write_characters(w, text, length, false); }

void write_json(struct writer *w, const char *text, size_t length) {
  write_bytes(w, "\"", 1);
  write_characters(w, text, length, true);
  write_bytes(w, "\"", 1);
}

// Numbers

/** Decimal digits of n in groups of `group`. */
static void write_integer(struct writer *w, uint64_t n, int group) {
  char digits[32];
  size_t at = sizeof digits;
  int count = 0;
  do {
    if (count > 0 && count % group == 0) digits[--at] = ',';
    digits[--at] = (char)('0' + n % 10);
    n /= 10;
    count++;
  } while (n > 0);
  write_bytes(w, digits + at, sizeof digits - at);
}

enum { UNGROUPED = 64, THOUSANDS = 3 };

void write_unsigned(struct writer *w, uint64_t n) { write_integer(w, n, UNGROUPED); }

static bool is_integer(double x) { return fabs(x) <= 0x1p64 && x == trunc(x); }
static uint64_t to_integer(double x) { return x < 0x1p64 ? (uint64_t)x : UINT64_MAX; }

void write_count(struct writer *w, double x) {
  if (isnan(x)) return write_bytes(w, "NaN", 3);
  if (x < 0) write_bytes(w, "-", 1);
  x = fabs(x);
  if (isinf(x)) return write_bytes(w, "Infinity", 8);
  if (!is_integer(x)) return write_real(w, x);
  write_integer(w, to_integer(x), THOUSANDS);
}

/** 0.DIGITS x 10^point, with the point where JavaScript puts it. */
static void write_decimal(struct writer *w, const char *digits, int count, int point) {
  if (point < -5 || point > 21) {
    write_bytes(w, digits, 1);
    if (count > 1) write_bytes(w, ".", 1);
    write_bytes(w, digits + 1, (size_t)count - 1);
    write_bytes(w, point < 1 ? "e-" : "e+", 2);
    return write_integer(w, (uint64_t)abs(point - 1), UNGROUPED);
  }
  if (point < 1) write_bytes(w, "0.00000", (size_t)(2 - point));
  for (int i = 0; i < count || i < point; i++) {
    if (i == point && i > 0) write_bytes(w, ".", 1);
    write_bytes(w, i < count ? digits + i : "0", 1);
  }
}

/** x 10^exponent; long double has 113 bits, so that a double's 17 digits come out right. */
static long double scale(long double x, int exponent) {
  for (; exponent > 0; exponent--) x *= 10;
  for (; exponent < 0; exponent++) x /= 10;
  return x;
}

/** To the nearest integer, halves to the even one. */
static uint64_t rounded(long double x) {
  uint64_t n = (uint64_t)x;
  long double rest = x - n;
  return rest > 0.5L || (rest == 0.5L && n % 2) ? n + 1 : n;
}

void write_real(struct writer *w, double x) {
  if (!isfinite(x)) return write_bytes(w, "null", 4);
  if (x < 0) write_bytes(w, "-", 1);
  x = fabs(x);
  if (is_integer(x)) return write_integer(w, to_integer(x), UNGROUPED);
  int point = 0; // 0.1 <= x / 10^point < 1
  while (scale(x, -point) >= 1) point++;
  while (scale(x, -point) < 0.1L) point--;
  int count = 0;
  uint64_t n;
  do n = rounded(scale(x, ++count - point));
  while (count < 17 && (double)scale(n, point - count) != x);
  char digits[18];
  if (n == (uint64_t)scale(1, count)) { // rounded up to one digit more
    n /= 10;
    point++;
  }
  for (int i = count - 1; i >= 0; i--, n /= 10) digits[i] = (char)('0' + n % 10);
  write_decimal(w, digits, count, point);
}

/** A number of a file as the four characters that it is made of, as JSON has them. */
static void write_four(struct writer *w, uint32_t n) {
  write_bytes(w, "\"", 1);
  for (int shift = 0; shift < 32; shift += 8) {
    uint8_t c = (uint8_t)(n >> shift);
    char wide[] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};
    char narrow[] = {(char)c};
    if (c < ' ' || c == '"' || c == '\\') write_escaped(w, c);
    else if (c < 0x80) write_text(w, narrow, 1);
    else write_text(w, wide, 2);
  }
  write_bytes(w, "\"", 1);
}

void print_list(struct writer *w, const char *format, va_list values) {
  for (; *format; format++) {
    if (*format != '%') {
      write_bytes(w, format, 1);
      continue;
    }
    format++;
    if (*format == 's') {
      const char *text = va_arg(values, const char *);
      write_text(w, text, strlen(text));
    } else {
      write_real(w, *format == 'd' ? va_arg(values, int) : va_arg(values, double));
    }
  }
}

void print(struct writer *w, const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_list(w, format, values);
  va_end(values);
}

// Errors

void make_one_line(struct writer *w) {
  for (size_t i = 0; i < w->length; i++) {
    if (w->bytes[i] == '\n' || w->bytes[i] == '\r') w->bytes[i] = ' ';
  }
}

/** The message is complete: makes one line of it and ends the program. */
static _Noreturn void give_up(int code) {
  make_one_line(&err);
  write_bytes(&err, "\n", 1);
  flush(&err);
  _Exit(code);
}

#define GIVE_UP(code, prefix, format)     \
  do {                                    \
    va_list values;                       \
    va_start(values, format);             \
    print(&err, prefix);                  \
    print_list(&err, format, values);     \
    va_end(values);                       \
    give_up(code);                        \
  } while (0)

void fail(const char *format, ...) { GIVE_UP(FAILURE, "zagreus: ", format); }
void misused(const char *format, ...) { GIVE_UP(USAGE, "error: ", format); }
void bad_option(const char *format, ...) { GIVE_UP(USAGE, "zagreus: option ", format); }

static void write_name(struct writer *w, const char *const *names, size_t count, const char *unknown, double number) {
  const char *name = number >= 0 && number < (double)count ? names[(size_t)number] : NULL;
  if (name) print(w, "%s", name);
  else print(w, "%s%f", unknown, number);
}

static void write_formatted(struct writer *w, enum number_format format, double n) {
  switch (format) {
    case FORMAT_COUNT:
      return write_count(w, n);
    case FORMAT_BYTES:
      return write_four(w, (uint32_t)n);
    case FORMAT_LAST:
      return write_count(w, n - 1);
    case FORMAT_DIMENSION:
      print(w, n == MAX_DIMENSION ? "must be 1 to " : "expected ");
      return write_count(w, n);
    case FORMAT_TENSORTYPE:
      return write_name(w, TENSOR_TYPES, LENGTH(TENSOR_TYPES), UNKNOWN_TENSOR_TYPE, n);
    case FORMAT_VALUETYPE:
      return write_name(w, VALUE_TYPES, LENGTH(VALUE_TYPES), UNKNOWN_VALUE_TYPE, n);
  }
}

void describe(struct writer *w, int status, const char *field, size_t length, double value, double expected) {
  for (const char *p = MESSAGES[status]; *p; p++) {
    if (*p == INSERT_FIELD) write_text(w, field, length);
    else if (*p == INSERT_VALUE) write_formatted(w, *++p, value);
    else if (*p == INSERT_EXPECTED) write_formatted(w, *++p, expected);
    else write_bytes(w, p, 1);
  }
}

void refuse(int status, const char *field, size_t length, double value, double expected) {
  print(&err, "zagreus: ");
  describe(&err, status, field, length, value, expected);
  give_up(status == BAD_OPTION ? USAGE : FAILURE);
}

int check(int status) {
  if (status < FIRST_ERROR) return status;
  refuse(status, at(core_errorField()), (size_t)core_errorFieldLength(), core_errorValue(), core_errorExpected());
}

int counted(int count) {
  if (count < 0) check(-count);
  return count;
}
