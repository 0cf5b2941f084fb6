// Files of the package, relative to dist/. Bundlers find them where `new URL(name, import.meta.url)` is written out; in a classic script,
// as an iife bundle is, there is no import.meta.url, and they lie beside the script.

/** Whether this is a module. */
export const isModule = typeof import.meta.url === "string";

const script = (globalThis.document?.currentScript as HTMLScriptElement | null | undefined)?.src;
const here = isModule ? import.meta.url : script || globalThis.location?.href;

/** A file that no bundler sees. */
export const packageFile = (name: string): URL => new URL(name, here);
