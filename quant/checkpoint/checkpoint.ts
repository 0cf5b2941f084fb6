// What every reader of a checkpoint gives, and what quantize() takes. Files come from outside: nothing here knows a runtime.

/** Bytes at random places. */
export interface RandomAccess {
  /** What messages call it. */
  readonly name: string;
  /** Size in bytes. */
  readonly byteLength: number;
  /** Exactly `length` bytes from `offset` on. @throws ZagreusError TRUNCATED when there are fewer */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Closes the file. */
  close(): Promise<void>;
}

/** A folder of files. */
export interface Directory {
  /** What messages call it. */
  readonly name: string;
  /** Paths of all files below it, with "/" between the parts, sorted. */
  list(): Promise<string[]>;
  /** Whether there is such a file, or something else of that name. */
  has(path: string): Promise<boolean>;
  /** Opens a file. @throws ZagreusError SOURCE_FAILED when there is no such file */
  open(path: string): Promise<RandomAccess>;
}

/** A tensor under its GGUF name, rows in GGUF's order: llama.cpp's permutation of query and key rows is already applied. */
export interface SourceTensor {
  /** Its name in GGUF, such as "blk.0.attn_q.weight". */
  readonly name: string;
  /** Element type, TYPE_* of assembly/layout/blocks.ts. */
  readonly type: number;
  /** Number of rows; 1 for a vector. */
  readonly rows: number;
  /** Elements of a row. */
  readonly columns: number;
  /** Whether it has one dimension only. */
  readonly vector: boolean;
  /** The raw elements (or blocks) of `count` rows from `row` on. */
  read(row: number, count: number): Promise<Uint8Array>;
}

/** A GGUF metadata value and its type, VALUE_* of assembly/layout/gguf.ts. */
export interface MetadataValue {
  /** VALUE_*. */
  readonly type: number;
  /** VALUE_* of an array's elements. */
  readonly elementType?: number;
  /** 64-bit integers as bigint. */
  readonly value: number | bigint | boolean | string | readonly (number | bigint | boolean | string)[];
}

/** A model that is not a GGUF file yet. */
export interface Checkpoint {
  /** Keys in the order in which the file will have them. */
  readonly metadata: Map<string, MetadataValue>;
  /** All tensors of the model. */
  readonly tensors: readonly SourceTensor[];
  /** Closes its files. */
  close(): Promise<void>;
}
