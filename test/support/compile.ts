import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./child";

export interface Compiled {
  binary: Uint8Array<ArrayBuffer>;
  /** The module in WebAssembly's text format. */
  text: string;
}

/** Compiles an AssemblyScript file, in a process of its own; `entry` and the paths of options are the project's. */
export async function compile(entry: string, ...options: string[]): Promise<Compiled> {
  const directory = mkdtempSync(join(tmpdir(), "zagreus-asc-"));
  try {
    const [wasm, wat] = [join(directory, "out.wasm"), join(directory, "out.wat")];
    await run(process.execPath, ["host/build/asc.mjs", entry, ...options, "--outFile", wasm, "--textFile", wat]);
    return { binary: new Uint8Array(readFileSync(wasm)), text: readFileSync(wat, "utf8") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Compiles source text that imports from assembly/ as a file in test/.cache/ does. */
export async function compileText(name: string, text: string, ...options: string[]): Promise<Compiled> {
  const directory = "test/.cache"; // which TypeScript's compiler leaves out
  mkdirSync(directory, { recursive: true });
  const entry = `${directory}/${name}-${process.pid}.ts`;
  writeFileSync(entry, text);
  try {
    return await compile(entry, ...options);
  } finally {
    rmSync(entry);
  }
}
