// A text that grows, cut into its sentences. Where it is cut does not depend on how it comes.

/**
 * Ends of sentences: marks with what closes them and white space, lines, and the marks that no white space follows. Each needs the character
 * after it, so that what has been cut stays cut.
 */
const END = /[.!?…]+["'”’»)\]*_]*\s+(?=\S)|\n\s*(?=\S)|[。！？]+[”’」』）]*\s*(?=[^\s。！？”’」』）])/gu;
/** What a full stop stands behind without ending a sentence, in English and Italian; and initials and numbers of a list. */
const ABBREVIATION =
  /(^|[^\p{L}\p{N}])(\p{L}|mr|mrs|ms|dr|prof|st|vs|cf|fig|no|e\.g|i\.e|sig|sigg|sig\.ra|dott|dott\.ssa|ing|avv|art|pag|es|p\.es)\.\s+$/iu;
const LIST_NUMBER = /^\s*\d+\.\s+$/;

export class Sentences {
  #rest = "";

  /** Adds text; returns the sentences that have come to their end, with the white space behind them. */
  add(text: string): string[] {
    this.#rest += text;
    const sentences: string[] = [];
    let start = 0;
    for (const { 0: end, index } of this.#rest.matchAll(END)) {
      const at = index + end.length;
      const sentence = this.#rest.slice(start, at);
      if (goesOn(sentence, end, this.#rest.slice(at))) continue;
      sentences.push(sentence);
      start = at;
    }
    this.#rest = this.#rest.slice(start);
    return sentences;
  }

  /** The last sentence, if there is one. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }
}

function goesOn(sentence: string, end: string, next: string): boolean {
  if (end.includes("\n")) return sentence.trim() === "";
  return /^\p{Ll}/u.test(next) || ABBREVIATION.test(sentence) || LIST_NUMBER.test(sentence);
}

/** The sentences of pieces, as soon as they have come to their end. */
export async function* sentencesOf(pieces: AsyncIterable<{ text: string }>): AsyncGenerator<string> {
  const sentences = new Sentences();
  for await (const { text } of pieces) yield* sentences.add(text);
  yield* sentences.end();
}
