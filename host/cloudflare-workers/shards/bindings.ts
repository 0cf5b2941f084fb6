// What the objects of a model in parts are given by wrangler's configuration, which `zagreus shard` writes.

import type { Bucket, Fetcher } from "../source.js";

/** What is used of an object's state. */
export interface ObjectState {
  readonly id: { readonly name?: string | undefined; toString(): string };
}

/** What is used of a namespace of Durable Objects. */
export interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request | string, init?: RequestInit): Promise<Response> };
}

/** Where an object's part of the model is: one of the two. */
export interface PartBindings {
  /** Static assets. */
  ASSETS?: Fetcher;
  /** A bucket of R2. */
  MODELS?: Bucket;
  /** The folder with manifest.json and shards.json, or what keys of the bucket begin with. Default: "model". */
  FOLDER?: string;
}

export interface ShardBindings extends PartBindings {
  /** Which shard it is; 1 has the first layers. */
  PART: number | string;
}

export interface EdgeBindings extends PartBindings {
  /** The edge's own namespace. */
  EDGE: Namespace;
  /** What requests call the model. Default: its file's name. */
  MODEL?: string;
  /** Bearer tokens, of which requests must bring one, with commas or blanks between them. A secret. */
  API_KEYS?: string;
  /** Of the shards: SHARD_1, SHARD_2 ... */
  [shard: `SHARD_${number}`]: Namespace;
}
