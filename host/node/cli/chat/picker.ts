// Which model to talk with, for those who did not say.

import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { printable } from "../../../core/api/printable.js";
import { hubCached, megabytes } from "../../hub.js";
import { styled } from "../shared/colour.js";
import { FAMILY, type FamilyModel, idOf } from "../shared/family.js";

interface ModelChoice {
  /** For -m. */
  id: string;
  about: string;
  /** Bytes on the disk; undefined for what has to be downloaded. */
  bytes: number | undefined;
  /** What it takes where it is not. */
  wanted: FamilyModel["bytes"];
}

/** What -m has to say, asked at a terminal; undefined when nothing was chosen. Elsewhere wrong usage. */
export async function pickModel(command: Command): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    command.error(
      "error: which model? zagreus chat -m nesso-instruct (Italian and English) or -m nesso2-agentic (tools); zagreus list shows all",
    );
  }
  const choices = await chooseFrom();
  const lines = choices.map(({ id, about, bytes, wanted }, i) => {
    const size = bytes === undefined ? `${megabytes(wanted.safetensors)} to download` : "on disk";
    return `${String(i + 1).padStart(3)}  ${styled("bold", id.padEnd(16), process.stderr)} ${printable(about.padEnd(62))} ${megabytes(bytes ?? wanted.q4_0).padStart(7)}, ${size}`;
  });
  process.stderr.write(`${lines.join("\n")}\n`);
  return ask(choices);
}

/** What answers: what is on the disk first. */
async function chooseFrom(): Promise<ModelChoice[]> {
  const here = new Map<string, number>();
  for (const { repository, kind, bytes } of await hubCached()) {
    if (kind !== "safetensors" && !here.has(repository)) here.set(repository, bytes);
  }
  const family = FAMILY.filter(({ chats }) => chats).map(({ name, repository, languages, purpose, bytes }) => ({
    id: name,
    about: `${languages}: ${purpose}`,
    bytes: here.get(repository),
    wanted: bytes,
  }));
  const known = new Set(FAMILY.map(({ repository }) => repository));
  const others = [...here]
    .filter(([repository]) => !known.has(repository))
    .map(([repository, bytes]) => ({
      id: idOf(repository),
      about: "",
      bytes,
      wanted: { q4_0: bytes, safetensors: bytes },
    }));
  const isHere = ({ bytes }: ModelChoice) => bytes !== undefined;
  return [...family.filter(isHere), ...others, ...family.filter((choice) => !isHere(choice))];
}

/** Until a number or a name comes; an empty line is the first, an end of the input or Ctrl-C none. */
async function ask(choices: readonly ModelChoice[]): Promise<string | undefined> {
  const readline = createInterface({ input: process.stdin, output: process.stderr });
  const left = new Promise<undefined>((resolve) => readline.once("close", () => resolve(undefined)));
  readline.on("SIGINT", () => readline.close());
  try {
    for (;;) {
      const line = await Promise.race([readline.question(`Which one? (1 to ${choices.length}) [1] `), left]);
      if (line === undefined) return undefined;
      const text = line.trim() || "1";
      const chosen = choices[Number(text) - 1] ?? choices.find(({ id }) => id === text);
      if (chosen) return chosen.id;
    }
  } finally {
    readline.close();
  }
}
