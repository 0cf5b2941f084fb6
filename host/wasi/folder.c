// What to say of a folder where a file was meant.

#include <dirent.h>
#include <string.h>
#include <strings.h>

#include "zagreus.h"

#define MAX_LISTED 1024 // bytes of names

static bool is_model(const char *name) {
  size_t length = strlen(name);
  return length > 5 && !strcasecmp(name + length - 5, ".gguf");
}

const char *models_in(const char *path) {
  static char text[MAX_LISTED];
  DIR *folder = opendir(path);
  for (const struct dirent *entry; folder && (entry = readdir(folder));) {
    if (!is_model(entry->d_name) || strlen(text) + strlen(entry->d_name) + 24 > sizeof text) continue;
    strcat(text, *text ? ", " : "; GGUF files in it: ");
    strcat(text, entry->d_name);
  }
  return *text ? text : ", and has no model";
}
