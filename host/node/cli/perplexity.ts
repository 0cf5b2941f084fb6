import { Command } from "commander";
import { readInput } from "./input.js";
import { loadModel, type ModelFlags, withModel } from "./model.js";
import { print, printJson } from "./output.js";

interface Flags extends ModelFlags {
  file: string;
}

export function perplexityCommand(): Command {
  return withModel(new Command("perplexity"))
    .description("measure how well the model predicts a text, over llama.cpp's windows")
    .requiredOption("-f, --file <file>", "the text, - for standard input")
    .action(run);
}

// Windows as llama-perplexity has them: runs of `context` tokens side by side, the first token of each replaced by bos;
// only the second half is scored, so every scored token has half a context before it. The remainder is dropped.
async function run(flags: Flags): Promise<void> {
  const text = await readInput(flags.file);
  const { model, signal } = await loadModel(flags);
  const { contextLength: context, tokenizer } = model.info;
  const tokens = model.tokenize(text);
  if (tokens.length < context) {
    throw new Error(
      `the text has ${tokens.length} tokens, one window needs ${context}: take a longer text or a smaller --context`,
    );
  }
  let nll = 0;
  let scored = 0;
  for (let start = 0; start + context <= tokens.length; start += context) {
    const window = tokens.slice(start, start + context);
    if (tokenizer.addBos && tokenizer.bos !== undefined) window[0] = tokenizer.bos;
    // Positions context / 2 .. context - 2 predict the tokens after them.
    for (const { logprob } of await model.logprobs(window, { from: Math.floor(context / 2) + 1, signal })) {
      nll -= logprob ?? 0;
      scored++;
    }
  }
  const mean = nll / scored;
  if (flags.json) return printJson({ perplexity: Math.exp(mean), nll: mean, tokens: scored });
  print(`perplexity ${Math.exp(mean).toFixed(4)} (${mean.toFixed(5)} nats a token, ${scored} tokens scored)`);
}
