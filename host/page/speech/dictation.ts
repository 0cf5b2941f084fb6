// Dictation, where the browser has it.

import type { Language } from "../text/say.js";

interface Result {
  0: { transcript: string };
}
interface Recognition extends EventTarget {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  start(): void;
  stop(): void;
}
type Constructor = new () => Recognition;

/** Milliseconds until a microphone must be heard: some browsers have the interface and nothing behind it. */
const START_MS = 3000;

const recognition = (): Constructor | undefined => {
  const { SpeechRecognition, webkitSpeechRecognition } = window as unknown as Record<string, Constructor | undefined>;
  return SpeechRecognition ?? webkitSpeechRecognition;
};

export const canDictate = () => recognition() !== undefined;

interface Handlers {
  /** All that has been said. */
  onText(text: string): void;
  /** @param failed why nothing was heard, if something went wrong */
  onEnd(failed: string | undefined): void;
}

/** Listens until what it returns is called, or nobody says more. */
export function dictate(language: Language, { onText, onEnd }: Handlers): () => void {
  const listening = new (recognition()!)();
  Object.assign(listening, { lang: language === "it" ? "it-IT" : "en-US", continuous: true, interimResults: true });
  let failed: string | undefined;
  let over = false;
  const end = () => {
    clearTimeout(timer);
    if (!over) onEnd(failed);
    over = true;
  };
  const timer = setTimeout(() => {
    failed = "no audio";
    listening.stop();
    end();
  }, START_MS);
  listening.addEventListener("audiostart", () => clearTimeout(timer));
  listening.addEventListener("result", (event) =>
    onText(heard((event as Event & { results: ArrayLike<Result> }).results)),
  );
  listening.addEventListener("error", (event) => {
    failed = (event as Event & { error: string }).error;
  });
  listening.addEventListener("end", end);
  try {
    listening.start();
  } catch (error) {
    failed = String(error);
    end();
  }
  return () => listening.stop();
}

/** What was said: some browsers give one result after the other, others each with those before in it. */
export function heard(results: ArrayLike<Result>): string {
  const parts: string[] = [];
  for (const {
    0: { transcript },
  } of Array.from(results)) {
    const text = transcript.trim();
    if (parts.length > 0 && text.startsWith(parts.at(-1)!)) parts.pop();
    if (text) parts.push(text);
  }
  return parts.join(" ");
}
