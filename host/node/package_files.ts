// Files of the package, relative to dist/.
//
// Bundlers that find `new URL(name, import.meta.url)` copy the file and put in where it is then; so that is written out wherever a
// file is wanted. Turbopack puts in files, webpack URLs of the web server, instead of which the file in the package is taken.

/** As a variable, which no bundler follows. */
const here = import.meta.url;

export const packageFile = (name: string): URL => new URL(name, here);

/** Whether URLs that are written out lead to files. */
export const writtenUrlsAreFiles = new URL("./zagreus-simd.wasm", import.meta.url).protocol === "file:";

/** The file at `written`, else `name` in the package. */
export const fileAt = (written: URL, name: string): URL => (writtenUrlsAreFiles ? written : packageFile(name));
