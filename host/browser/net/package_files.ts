// Files of the package, relative to dist/. Bundlers find them where `new URL(name, import.meta.url)` is written out; in a classic script,
// as an iife bundle is, there is no import.meta.url, and they lie beside the script.

const url = import.meta.url;

/** Whether this is a module. */
export const isModule = typeof url === "string";

const script = (globalThis.document?.currentScript as HTMLScriptElement | null | undefined)?.src;

/** A file that no bundler sees. Beside a script that has no place, as one of a blob: URL, there is none: an address that leads nowhere. */
export function packageFile(name: string): URL {
  try {
    return new URL(name, url ?? (script || globalThis.location?.href));
  } catch {
    return new URL(name, "https://no-place.invalid/");
  }
}

/** What to do where a file of the package is not found. */
export const WHERE = 'option "assets" of load() says where the package\'s dist/ is';
