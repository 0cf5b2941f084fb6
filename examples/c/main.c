// Continues a text on WAMR (https://github.com/bytecodealliance/wasm-micro-runtime): zagreus MODULE MODEL PROMPT [logits]

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasm_export.h>

#include "zagreus_abi.h"

static wasm_module_inst_t instance;
static wasm_exec_env_t environment;

static void fail(const char *what) {
  fprintf(stderr, "zagreus: %s\n", what);
  exit(1);
}

/** All of a file. */
static uint8_t *read_file(const char *path, uint32_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path);
  *length = (uint32_t)ftell(file);
  uint8_t *bytes = malloc(*length);
  rewind(file);
  if (fread(bytes, 1, *length, file) != *length) fail(path);
  fclose(file);
  return bytes;
}

/** Calls a function with up to four arguments as 32-bit cells; a 64-bit one takes two. */
static uint32_t call(const char *name, uint32_t count, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  uint32_t cells[8] = {a, b, c, d};
  wasm_function_inst_t function = wasm_runtime_lookup_function(instance, name);
  if (!function || !wasm_runtime_call_wasm(environment, function, count, cells)) fail(wasm_runtime_get_exception(instance));
  return cells[0];
}

/** What the last call gave. */
static void *result(uint32_t *length) {
  *length = call("zagreus_length", 0, 0, 0, 0, 0);
  return wasm_runtime_addr_app_to_native(instance, call("zagreus_result", 0, 0, 0, 0, 0));
}

/** Calls what may fail. */
static void *ask(const char *name, uint32_t count, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t *length) {
  uint32_t size, status = call(name, count, a, b, c, d);
  char *text = result(length ? length : &size);
  if (status) fprintf(stderr, "%.*s\n", (int)(length ? *length : size), text), fail(name);
  return text;
}

static void *buffer(void) { return wasm_runtime_addr_app_to_native(instance, call("zagreus_buffer", 0, 0, 0, 0, 0)); }

static uint32_t write_buffer(const void *bytes, uint32_t length) {
  memcpy(buffer(), bytes, length);
  return length;
}

static void load(const char *path, uint32_t context) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path);
  ask("zagreus_load_begin", 4, context, ZAGREUS_KV_INT8, 0, 0, NULL); // the budget's two cells are 0: no limit
  for (uint32_t length; (length = (uint32_t)fread(buffer(), 1, ZAGREUS_BUFFER_BYTES, file)) > 0;) {
    ask("zagreus_load_push", 1, length, 0, 0, 0, NULL);
  }
  ask("zagreus_load_end", 0, 0, 0, 0, 0, NULL);
  fclose(file);
}

static void set_option(uint32_t session, uint32_t option, double value) {
  uint32_t cells[2];
  memcpy(cells, &value, sizeof value);
  ask("zagreus_session_option", 4, session, option, cells[0], cells[1], NULL);
}

int main(int argc, char **argv) {
  if (argc < 4) fail("usage: zagreus MODULE MODEL PROMPT [logits]");
  char error[128];
  uint32_t length;
  uint8_t *wasm = read_file(argv[1], &length);
  if (!wasm_runtime_init()) fail("WAMR does not start");
  wasm_module_t module = wasm_runtime_load(wasm, length, error, sizeof error);
  if (!module) fail(error);
  wasm_runtime_set_wasi_args(module, NULL, 0, NULL, 0, NULL, 0, NULL, 0); // no folders, no arguments
  if (!(instance = wasm_runtime_instantiate(module, 65536, 0, error, sizeof error))) fail(error);
  environment = wasm_runtime_create_exec_env(instance, 65536);
  if (call("zagreus_abi", 0, 0, 0, 0, 0) != ZAGREUS_ABI) fail("the module has another ABI than this program");
  ask("zagreus_initialize", 0, 0, 0, 0, 0, NULL);
  const char *context = getenv("CONTEXT"); // positions of the KV cache; by default the model's, at most 4096
  load(argv[2], context ? (uint32_t)atoi(context) : 0);

  uint32_t session = *(uint32_t *)ask("zagreus_session_open", 0, 0, 0, 0, 0, NULL);
  ask("zagreus_session_append", 3, session, write_buffer(argv[3], (uint32_t)strlen(argv[3])), 0, 0, NULL);
  if (argc > 4) {
    const void *logits = ask("zagreus_logits", 1, session, 0, 0, 0, &length);
    return fwrite(logits, 1, length, stdout) != length;
  }
  set_option(session, ZAGREUS_OPTION_MAX_TOKENS, 64);
  set_option(session, ZAGREUS_OPTION_TEMPERATURE, 0.7);
  ask("zagreus_session_seed", 3, session, 1, 0, 0, NULL);
  ask("zagreus_complete", 1, session, 0, 0, 0, NULL);
  for (uint32_t finish = ZAGREUS_FINISH_NONE; finish == ZAGREUS_FINISH_NONE;) {
    const struct zagreus_piece *piece = ask("zagreus_next", 1, session, 0, 0, 0, &length);
    finish = piece->finish;
    printf("%.*s", (int)(length - sizeof *piece), (const char *)(piece + 1));
    fflush(stdout);
  }
  printf("\n");
  return 0;
}
