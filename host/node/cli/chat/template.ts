// --template, of the commands that chat.

import { readFile } from "node:fs/promises";
import type { Command } from "commander";

const BUILT_IN = ["chatml", "llama3"];

/** Adds --template. */
export function withTemplate(command: Command): Command {
  return command.option(
    "--template <template>",
    `chat template: ${BUILT_IN.join(", ")}, or a file (default: the model's)`,
  );
}

/** A file's text, or the name of a built-in template. */
export async function readTemplate(template: string | undefined): Promise<string | undefined> {
  if (template === undefined || BUILT_IN.includes(template)) return template;
  return new TextDecoder().decode(await readFile(template));
}
