// `zagreus perplexity`: how well a model predicts a text, over the windows of llama-perplexity.

import { Command } from "commander";
import { withAdapters, withoutName } from "../shared/adapters/lora.js";
import { integer } from "../shared/arguments.js";
import { readInput } from "../shared/input.js";
import { loadModel, type ModelFlags, withModel } from "../shared/model.js";
import { print, printJson } from "../shared/output.js";
import { countBar } from "../shared/progress.js";

interface PerplexityFlags extends ModelFlags {
  file: string;
  windows?: number;
}

/** llama-perplexity's. */
const DEFAULT_WINDOW = 512;
const NEWLINE = 10;

export function perplexityCommand(): Command {
  return withAdapters(withModel(new Command("perplexity")))
    .description(`measure how well the model predicts a text, over llama.cpp's windows (--context, ${DEFAULT_WINDOW})`)
    .requiredOption("-f, --file <file>", "the text, - for standard input")
    .option("--windows <n>", "only the first n windows", integer(1))
    .addHelpText("after", "\nExamples:\n  zagreus perplexity -f text.txt -m model.gguf --windows 20")
    .action(run);
}

// What llama-perplexity does (tools/perplexity/perplexity.cpp, and -f in common/arg.cpp): one newline at the end of the file is not part of
// the text; runs of `context` tokens side by side, the first token of each replaced by bos; only the second half is scored, so
// every scored token has half a context before it. The remainder is dropped.
async function run(flags: PerplexityFlags): Promise<void> {
  const file = await readInput(flags.file);
  const text = file.at(-1) === NEWLINE ? file.subarray(0, -1) : file;
  const loaded = await loadModel({ ...flags, context: flags.context ?? DEFAULT_WINDOW });
  const { model, signal } = loaded;
  const adapters = loaded.adapters?.map(withoutName);
  const { contextLength: context, tokenizer } = model.info;
  const tokens = model.tokenize(text);
  const windows = Math.min(Math.floor(tokens.length / context), flags.windows ?? Number.POSITIVE_INFINITY);
  if (windows === 0) {
    throw new Error(
      `the text has ${tokens.length} tokens, one window needs ${context}: take a longer text or a smaller --context`,
    );
  }
  const score = new Score();
  const bar = countBar("window", windows, flags.json === true);
  try {
    for (let i = 0; i < windows; i++) {
      const window = tokens.slice(i * context, (i + 1) * context);
      if (tokenizer.addBos && tokenizer.bos !== undefined) window[0] = tokenizer.bos;
      // Positions context / 2 .. context - 2 predict the tokens after them.
      for (const { logprob } of await model.logprobs(window, { from: Math.floor(context / 2) + 1, adapters, signal })) {
        score.add(-(logprob ?? 0));
      }
      bar.update(i + 1, `${format(score.perplexity)} +/- ${format(score.error)}`);
    }
  } finally {
    bar.stop();
  }
  const { perplexity, error, nll, tokens: scored } = score;
  if (flags.json) return printJson({ perplexity, error, nll, tokens: scored, windows, context });
  print(
    `perplexity ${format(perplexity)} +/- ${format(error)} ` +
      `(${nll.toFixed(5)} nats a token, ${scored} tokens in ${windows} windows of ${context})`,
  );
}

const format = (value: number) => value.toFixed(4);

/** The mean of negative log-likelihoods, and what follows from it. */
class Score {
  tokens = 0;
  #sum = 0;
  #squares = 0;

  add(nll: number): void {
    this.tokens++;
    this.#sum += nll;
    this.#squares += nll * nll;
  }
  get nll(): number {
    return this.#sum / this.tokens;
  }
  get perplexity(): number {
    return Math.exp(this.nll);
  }
  /** Standard error of the perplexity: that of the mean, times the slope of exp. */
  get error(): number {
    const variance = this.#squares / this.tokens - this.nll ** 2;
    return this.tokens > 1 ? this.perplexity * Math.sqrt(Math.max(variance, 0) / (this.tokens - 1)) : 0;
  }
}
