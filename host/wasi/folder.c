// What to say of a folder where a file was meant.

#include <dirent.h>
#include <string.h>
#include <strings.h>

#include "zagreus.h"

#define MAX_NAME 256
#define MAX_LISTED 1024 // bytes of names

static bool is_model(const char *name) {
  size_t length = strlen(name);
  return length > 5 && length < MAX_NAME && !strcasecmp(name + length - 5, ".gguf");
}

/** Makes `name` the model's that follows it in the alphabet. */
static bool next_model(const char *path, char *name) {
  char next[MAX_NAME] = "";
  DIR *folder = opendir(path);
  if (!folder) return false;
  for (const struct dirent *entry; (entry = readdir(folder));) {
    const char *found = entry->d_name;
    if (is_model(found) && strcmp(found, name) > 0 && (!*next || strcmp(found, next) < 0)) strcpy(next, found);
  }
  closedir(folder);
  strcpy(name, next);
  return *next != 0;
}

const char *models_in(const char *path) {
  static char text[MAX_LISTED];
  char name[MAX_NAME] = "";
  while (next_model(path, name) && strlen(text) + strlen(name) + 24 < sizeof text) {
    strcat(text, *text ? ", " : "; GGUF files in it: ");
    strcat(text, name);
  }
  return *text ? text : ", and has no model";
}
