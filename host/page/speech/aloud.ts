// Reading aloud, a sentence at a time: voices stop in long texts, and some end without saying so.

import type { Language } from "../text/say.js";

/** Characters of an utterance, at most. */
const LONGEST = 200;
/** Milliseconds that an utterance may take, beside what its length needs. */
const PATIENCE_MS = 10_000;
const MS_PER_CHARACTER = 150;

export const canSpeak = () => "speechSynthesis" in window;

export class Aloud {
  readonly #waiting: string[] = [];
  #speaking = false;
  #language: Language = "en";

  /** Reads what comes next in a language. In the answer to a click first: else phones stay silent. */
  begin(language: Language): void {
    this.stop();
    this.#language = language;
    speechSynthesis.speak(new SpeechSynthesisUtterance(""));
  }

  /** Reads a sentence, behind those before. */
  say(sentence: string): void {
    this.#waiting.push(...utterances(plain(sentence)));
    if (!this.#speaking) this.#next();
  }

  stop(): void {
    this.#waiting.length = 0;
    this.#speaking = false;
    speechSynthesis.cancel();
  }

  #next(): void {
    const text = this.#waiting.shift();
    this.#speaking = text !== undefined;
    if (text === undefined) return;
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.lang = this.#language === "it" ? "it-IT" : "en-US";
    const voice = voiceFor(this.#language);
    if (voice) utterance.voice = voice;
    let ended = false;
    const end = () => {
      clearTimeout(timer);
      if (ended || !this.#speaking) return;
      ended = true;
      this.#next();
    };
    const timer = setTimeout(
      () => {
        speechSynthesis.cancel();
        end();
      },
      PATIENCE_MS + text.length * MS_PER_CHARACTER,
    );
    utterance.onend = end;
    utterance.onerror = end;
    speechSynthesis.speak(utterance);
  }
}

/** One of this device before one that sends texts away. */
function voiceFor(language: Language): SpeechSynthesisVoice | undefined {
  const voices = speechSynthesis.getVoices().filter(({ lang }) => lang.toLowerCase().startsWith(language));
  return voices.find(({ localService }) => localService) ?? voices[0];
}

/** Without what makes Markdown of it. */
export function plain(sentence: string): string {
  return sentence
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^\s*(#+|>|[-*+]|\|)\s+/gm, "")
    .replace(/[*_`~|]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

/** Pieces that are short enough, cut between words. */
export function utterances(text: string): string[] {
  return /[\p{L}\p{N}]/u.test(text)
    ? (text.match(new RegExp(`\\S.{0,${LONGEST - 1}}(?=\\s|$)|\\S{1,${LONGEST}}`, "gu")) ?? [])
    : [];
}
