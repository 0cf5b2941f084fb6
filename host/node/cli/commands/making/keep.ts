// --keep, --corpus, --tokens and --no-code: which tokens of a vocabulary stay.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { Inflation, KeepOptions, KeepReport, Language } from "../../../quantize.js";
import { LANGUAGES } from "../../../trim/frequencies.js";
import { integer, names } from "../../shared/arguments.js";

export interface KeepFlags {
  keep?: Language[];
  corpus?: string[];
  tokens?: number;
  code: boolean;
}

/** Adds the options. */
export function withKeep(command: Command): Command {
  const help = `leave away tokens that texts in these languages do not need: some of ${LANGUAGES.join(",")}`;
  return command
    .addOption(new Option("--keep <languages>", help).argParser(languages))
    .option("--corpus <files...>", "texts (UTF-8) that decide as much as a language, however long they are")
    .option("--tokens <n>", "tokens that stay (default: 49152, or half of the vocabulary if that is less)", integer(1))
    .option("--no-code", "do not keep what programs need, beyond JSON");
}

/** "it,en" */
function languages(text: string): Language[] {
  const list = names(text) as Language[];
  const unknown = list.find((name) => !LANGUAGES.includes(name));
  if (unknown === undefined) return list;
  throw new InvalidArgumentError(
    `There is no list for "${unknown}": must be some of ${LANGUAGES.join(",")}, or a --corpus.`,
  );
}

/** Undefined where all tokens stay. */
export function keepOptions({ keep, corpus, tokens, code }: KeepFlags): KeepOptions | undefined {
  if (keep === undefined && corpus === undefined && tokens === undefined) return undefined;
  return { languages: keep, corpus, tokens, code };
}

/** For people: what has become of a vocabulary. */
export function keptLines({ tokens, texts }: KeepReport): string[] {
  return [
    `${tokens.after.toLocaleString("en-US")} of ${tokens.before.toLocaleString("en-US")} tokens`,
    ...texts.flatMap(textLines),
  ];
}

function textLines({ name, characters, before, after, longer }: Inflation): string[] {
  const rate = (tokens: number) => ((1000 * tokens) / characters).toFixed(1);
  const more = ((100 * (after - before)) / before).toFixed(2);
  const words = longer.map(({ word, before, after }) => `${word} ${before}>${after}`).join("  ");
  const line = `${name.padEnd(6)} tokens for 1,000 characters: ${rate(before)} -> ${rate(after)} (+${more} %)`;
  return words === "" ? [line] : [line, `       longer: ${words}`];
}
