// What is measured of free answers without a judge: whether they are in the language asked in, and whether they go round in a loop.

import { strip, words } from "../python.js";

const LIST = (text: string) => new Set(text.split(" "));

/** Words that a text of some length cannot do without, and that the other language lacks, or nearly so. */
const FUNCTION_WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  IT: LIST(
    "che di il la per non un una è e sono con del della dei delle nel nella al alla le lo gli i si da come più ma anche ho hai questo questa puoi",
  ),
  EN: LIST(
    "the of and to is are for with that this it you your can be on as by from or an not have has was were will i my we they there what how which",
  ),
};
const FIRST_WORDS = 60;
const ENOUGH = 4;

/** Languages that inLanguage() knows. */
export const LANGUAGES = Object.keys(FUNCTION_WORDS);

/** Whether at least four of the first sixty words are function words of the language: the makers' rule for Italian. */
export function inLanguage(text: string, language: string): boolean {
  const known = FUNCTION_WORDS[language]!;
  const first = words(text.toLowerCase()).slice(0, FIRST_WORDS);
  return first.filter((word) => known.has(word.replace(/^[.,!?;:()]+|[.,!?;:()]+$/g, ""))).length >= ENOUGH;
}

const COPIES = 4;
const SHORTEST = 8;
const GRAM = 6;

/** Whether an answer ends in four copies of a text of eight characters or more, or was cut with more than half of its 6-grams said before. */
export function isLoop(text: string, cut: boolean): boolean {
  return endsInCopies(text) || (cut && repeatedShare(words(text)) > 0.5);
}

/** The last copy may lack the white space that stands between them. */
function endsInCopies(answer: string): boolean {
  const text = strip(answer);
  return ["", " ", "\n", "\n\n"].some((between) => {
    const whole = text + between;
    for (let length = SHORTEST; length * COPIES <= whole.length; length++) {
      if (whole.endsWith(whole.slice(-length).repeat(COPIES))) return true;
    }
    return false;
  });
}

function repeatedShare(all: readonly string[]): number {
  const grams = all.slice(GRAM - 1).map((_, i) => all.slice(i, i + GRAM).join(" "));
  return grams.length === 0 ? 0 : 1 - new Set(grams).size / grams.length;
}
