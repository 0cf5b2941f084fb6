// `zagreus template`: compiles a model's chat template for hosts without JavaScript.

import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { readTemplate, withTemplate } from "../../chat/template.js";
import { loadModel, type ModelFlags, withModel } from "../../shared/model.js";
import { print, printJson } from "../../shared/output.js";

interface TemplateFlags extends ModelFlags {
  out: string;
  template?: string;
}

export function templateCommand(): Command {
  return withTemplate(withModel(new Command("template")))
    .description("compile a model's chat template for the chat of zagreus.wasm")
    .requiredOption("-o, --out <file>", "where the bytes go")
    .addHelpText("after", "\nExamples:\n  zagreus template -m nesso-instruct -o nesso.zgt")
    .action(run);
}

async function run(flags: TemplateFlags): Promise<void> {
  const template = await readTemplate(flags.template);
  const { model } = await loadModel(flags);
  const { compileTemplate } = await import("../../../chat/compile_template.js"); // with the renderer
  const bytes = await compileTemplate(model.info, template);
  await writeFile(flags.out, bytes);
  if (flags.json) return printJson({ out: flags.out, bytes: bytes.length });
  print(`${flags.out}: ${bytes.length.toLocaleString("en")} bytes`);
}
