// `zagreus pull`: downloads a model of the hub into its cache, or lists what a repository has.

import { Command } from "commander";
import { type HubListing, hubList, hubPull, PREFERENCE, type Pulled, SHORT_NAMES } from "../../hub.js";
import { interruptSignal, notice, print, printJson } from "../shared/output.js";
import { progressBar } from "../shared/progress.js";

interface PullFlags {
  list?: boolean;
  json?: boolean;
}

const HELP = `
Without FILE the first GGUF file is taken, by its type: ${PREFERENCE.join(" > ")}.
Where there is none, the checkpoint (config, tokenizer, safetensors), of which -m NAME makes a file by itself.

Short names:
${Object.entries(SHORT_NAMES)
  .map(([name, repository]) => `  ${name.padEnd(16)}hf:${repository}`)
  .join("\n")}

Files go to the cache of the Hugging Face hub, which other tools use too: HF_HUB_CACHE, or hub/ in HF_HOME. An
interrupted download goes on where it ended. HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are as for those tools.

Examples:
  zagreus pull zagreus-ita
  zagreus pull hf:OWNER/REPO --list`;

export function pullCommand(): Command {
  return new Command("pull")
    .description("download a model from the Hugging Face hub, and check it")
    .argument("<model>", "hf:OWNER/REPO[@REVISION][/FILE] or a short name")
    .option("--list", "show the repository's files, and which one is taken, instead")
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action(run);
}

async function run(model: string, { list, json }: PullFlags): Promise<void> {
  const signal = interruptSignal();
  const bar = progressBar("downloading");
  try {
    if (list) {
      const listing = await hubList(model, { signal, onNotice: notice });
      return json ? printJson(listing) : showListing(listing);
    }
    const pulled = await hubPull(model, { signal, onNotice: notice, onProgress: bar.update });
    bar.stop();
    return json ? printJson(pulled) : show(pulled);
  } finally {
    bar.stop();
  }
}

function show({ path, bytes, sha256, files }: Pulled): void {
  print(path);
  const count = files.length === 1 ? "" : `${files.length} files, `;
  print(`${count}${bytes.toLocaleString("en-US")} bytes, SHA-256 ${sha256}`);
}

function showListing({ repository, commit, files }: HubListing): void {
  print(`${repository} at ${commit}`);
  for (const { path, bytes, chosen } of files) {
    print(`${chosen ? "*" : " "} ${path}, ${bytes.toLocaleString("en-US")} bytes`);
  }
}
