// What is measured of free answers without a judge: whether they are in the language asked in, and whether they go round in a loop.

import { strip, words } from "../python.js";
import type { Recorded } from "./answers.js";

const LIST = (text: string) => new Set(text.split(" "));

/**
 * Words that a text of some length cannot do without. Conversations are in Italian and English; the others are what a model slips into.
 * What two languages share stands in both lists, so that the rest decides.
 */
const FUNCTION_WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  IT: LIST(
    "che di il la per non un una è e sono con del della dei delle nel nella al alla le lo gli i si da come più ma anche ho hai questo questa puoi",
  ),
  EN: LIST(
    "the of and to is are for with that this it you your can be on as by from or an not have has was were will i my we they there what how which",
  ),
  ES: LIST(
    "que de el la los las y en un una es por con para no se del al lo como más pero su sus le o este esta son está muy también ser puede tu mi",
  ),
  PT: LIST(
    "que de o a os as e em um uma é por com para não se do da dos das no na ao à mais mas seu sua como ou este esta são está muito também ser pode",
  ),
  FR: LIST(
    "que de le la les et en un une est pour avec dans ne pas se du des au aux ce cette il elle plus mais son sa comme ou qui sont nous vous sur",
  ),
  DE: LIST(
    "der die das und ist nicht ein eine einen zu den dem des mit für auf von im in sich es ich sie wir als auch an wie aber oder wird sind zur zum",
  ),
};
const FIRST_WORDS = 60;
const ENOUGH = 4;

/** Languages that inLanguage() knows. */
export const LANGUAGES = Object.keys(FUNCTION_WORDS);

/**
 * Whether at least four of the first sixty words are function words of the language, which is the makers' rule for Italian, and no other
 * language has more of them.
 */
export function inLanguage(text: string, language: string): boolean {
  const first = words(text.toLowerCase()).slice(0, FIRST_WORDS);
  const bare = first.map((word) => word.replace(/^[.,!?;:()]+|[.,!?;:()]+$/g, ""));
  const count = (known: ReadonlySet<string>) => bare.filter((word) => known.has(word)).length;
  const own = count(FUNCTION_WORDS[language]!);
  return own >= ENOUGH && Object.values(FUNCTION_WORDS).every((known) => count(known) <= own);
}

/** What is counted of the replies in each language. */
export interface TalkCounts {
  answers: number;
  inLanguage: number;
  loops: number;
}

/** By language, in the order of the replies. */
export function countReplies(replies: readonly Recorded[]): Record<string, TalkCounts> {
  const languages = [...new Set(replies.map(({ variant }) => variant))];
  return Object.fromEntries(
    languages.map((language) => {
      const own = replies.filter(({ variant }) => variant === language);
      const count = (is: (reply: Recorded) => boolean) => own.filter(is).length;
      const fitting = count(({ answer }) => inLanguage(answer, language));
      return [
        language,
        { answers: own.length, inLanguage: fitting, loops: count(({ answer, cut }) => isLoop(answer, cut)) },
      ];
    }),
  );
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
