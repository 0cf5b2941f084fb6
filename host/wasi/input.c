// Files and standard input.

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zagreus.h"

void __wasm_call_ctors(void); // the linker makes it, and calls it by itself only where nobody else does

void start_libc(void) {
  static bool started = false;
  if (!started) __wasm_call_ctors();
  started = true;
}

const char *reason(int error) {
  return error == ENOTCAPABLE ? "it is in no directory that the host opens to this program" : strerror(error);
}

static bool is_folder(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
}

int open_input(const char *path) {
  if (!strcmp(path, "-")) return 0;
  int fd = open(path, O_RDONLY);
  if (fd < 0) fail("cannot read \"%s\": %s", path, reason(errno));
  if (is_folder(fd)) fail("cannot read \"%s\": it is a folder%s", path, models_in(path));
  return fd;
}

size_t read_some(int fd, const char *path, void *bytes, size_t length) {
  ssize_t count = read(fd, bytes, length);
  if (count < 0) fail("cannot read \"%s\": %s", path, reason(errno));
  return (size_t)count;
}

struct text read_all(const char *path) {
  int fd = open_input(path);
  struct text text = {take(0), 0};
  for (;;) {
    size_t count = read_some(fd, path, at(core_buffer()), IO_BYTES);
    if (count == 0) break;
    memcpy(extend(count), at(core_buffer()), count);
    text.length += count;
  }
  return text;
}

const char *text_input(const struct options *options, const char *missing) {
  if (options->text) return NULL;
  if (!options->file && isatty(0)) misused("%s", missing);
  const char *path = options->file ? options->file : "-";
  if (!strcmp(path, "-") && !strcmp(options->model, "-")) {
    misused("the model and the text cannot both come from standard input");
  }
  return path;
}
