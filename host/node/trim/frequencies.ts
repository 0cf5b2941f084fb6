// Frequency lists and held-out texts of the package. Paths are relative to dist/, where this file is bundled to.

import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { decodeFrequencies, type Frequency } from "../../../quant/vocabulary/frequency_list.js";
import { fileAt, readPackageFile } from "../files/package_files.js";

const FILES = {
  it: fileAt(() => new URL("./frequencies-it.br", import.meta.url), "frequencies-it.br"),
  en: fileAt(() => new URL("./frequencies-en.br", import.meta.url), "frequencies-en.br"),
  es: fileAt(() => new URL("./frequencies-es.br", import.meta.url), "frequencies-es.br"),
  fr: fileAt(() => new URL("./frequencies-fr.br", import.meta.url), "frequencies-fr.br"),
  pt: fileAt(() => new URL("./frequencies-pt.br", import.meta.url), "frequencies-pt.br"),
  code: fileAt(() => new URL("./frequencies-code.br", import.meta.url), "frequencies-code.br"),
};
const HELD_OUT = fileAt(() => new URL("./held-out.txt", import.meta.url), "held-out.txt");

/** What there is a list of. */
export type ListName = keyof typeof FILES;
/** A language by its ISO 639-1 code. */
export type Language = Exclude<ListName, "code">;
export const LANGUAGES = Object.keys(FILES).filter((name): name is Language => name !== "code");

/** @throws ZagreusError SOURCE_FAILED */
export async function readFrequencies(name: ListName): Promise<Frequency[]> {
  const bytes = await promisify(brotliDecompress)(await readPackageFile(FILES[name]));
  return decodeFrequencies(bytes.toString("utf8"));
}

/** Texts that no list was made of, by the names of the lists. @throws ZagreusError SOURCE_FAILED */
export async function readHeldOut(): Promise<Map<string, string>> {
  const text = (await readPackageFile(HELD_OUT)).toString("utf8");
  const sections = text.split(/^=== (\w+)\n/m).slice(1);
  return new Map(Array.from({ length: sections.length / 2 }, (_, i) => [sections[2 * i]!, sections[2 * i + 1]!]));
}
