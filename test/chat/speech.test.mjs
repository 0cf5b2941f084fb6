// Reading aloud and dictation, with a voice and ears that are made up.

import { afterAll, beforeAll, expect, test } from "vitest";
import { click, fill, launch, press, text, written } from "./harness.mjs";
import { stub } from "./stub.mjs";

const PIECES = ["Ciao! ", "Come **st", "ai** oggi", "? Io ", "bene", "."];

let browser;
let server;
beforeAll(async () => {
  browser = await launch("chromium");
  server = await stub({ pieces: PIECES, pace: 100 });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** A page whose voice notes what it says, and whose ears hear what dispatch() is told. */
async function open() {
  const page = await browser.open("about:blank");
  await page.evaluateOnNewDocument(() => {
    globalThis.spoken = [];
    const voices = [
      { lang: "it-IT", name: "cloud", localService: false },
      { lang: "it-IT", name: "here", localService: true },
    ];
    const speechSynthesis = {
      getVoices: () => voices,
      cancel: () => globalThis.spoken.push("(silence)"),
      speak(utterance) {
        globalThis.spoken.push(utterance.text);
        if (utterance.voice) globalThis.voice = utterance.voice.name;
        setTimeout(() => utterance.onend?.(), 20);
      },
    };
    class SpeechSynthesisUtterance {
      constructor(text) {
        this.text = text;
      }
    }
    class SpeechRecognition extends EventTarget {
      start() {
        globalThis.ears = this;
      }
      stop() {
        this.dispatchEvent(new Event("end"));
      }
    }
    const made = { speechSynthesis, SpeechSynthesisUtterance, SpeechRecognition };
    for (const [name, value] of Object.entries(made)) Object.defineProperty(globalThis, name, { value });
  });
  await page.goto(server.url);
  await written(page);
  return page;
}

test("a reply is read by sentences while it is written, without its Markdown; Esc is silence", async () => {
  const page = await open();
  await press(page, "Impostazioni");
  await click(page, "#aloud");
  await press(page, "Chiudi");
  await fill(page, "#prompt", "Ehi");
  await page.focus("#prompt");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => globalThis.spoken.includes("Ciao!"));
  expect(await page.$(".speed")).toBeNull();
  await page.waitForFunction(() => globalThis.spoken.includes("Io bene."));
  const spoken = await page.evaluate(() => globalThis.spoken);
  expect(spoken.slice(spoken.indexOf("Ciao!"))).toEqual(["Ciao!", "Come stai oggi?", "Io bene."]);
  expect(await page.evaluate(() => globalThis.voice)).toBe("here");
  await page.keyboard.press("Escape");
  expect(await page.evaluate(() => globalThis.spoken.at(-1))).toBe("(silence)");
  expect(page.errors).toEqual([]);
  await page.close();
});

test("what is dictated comes behind what was written; a browser without ears says so", async () => {
  const page = await open();
  await fill(page, "#prompt", "Prima");
  const dictate = "Detta (il browser può inviare ciò che dici a chi lo produce)";
  await press(page, dictate);
  await page.waitForFunction(() => globalThis.ears);
  await page.evaluate(() => {
    const results = ["ciao", "ciao come stai"].map((transcript) => [{ transcript }]);
    globalThis.ears.dispatchEvent(new Event("audiostart"));
    globalThis.ears.dispatchEvent(Object.assign(new Event("result"), { results }));
  });
  await page.waitForFunction(() => document.querySelector("#prompt")?.value === "Prima ciao come stai");
  expect(await page.evaluate(() => globalThis.ears.lang)).toBe("it-IT");
  await press(page, "Termina la dettatura");
  await press(page, dictate);
  await page.waitForFunction(() => document.querySelector("#composer [role=alert]")?.textContent);
  expect(await text(page, "#composer [role=alert]")).toBe("La dettatura non ha funzionato (no audio)");
  expect(page.errors).toEqual([]);
  await page.close();
});
