export type FullsizeType = "q4_0" | "q8_0";

/** Writes the file and returns its size in bytes. */
export function writeFullsize(options: {
  type: FullsizeType;
  out: string;
  seed?: number;
  context?: number;
  onProgress?: (done: number, total: number) => void;
}): number;

/** Path of such a file under test/.cache/, written on first use. */
export function cachedFullsize(type: FullsizeType, options?: { seed?: number; context?: number }): string;
