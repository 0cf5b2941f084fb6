// Valid headers with random damage: a typed error or a model, never a trap, never a hang, and the next load is unharmed.
//
//     FC_SEED=123 FC_RUNS=100000 npx vitest run test/assembly/fuzz.test.ts

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENCODE_SPECIAL, INFO_CONTEXT, INFO_VOCABULARY } from "../../assembly/layout/abi";
import * as status from "../../assembly/layout/status";
import { Core, statusName } from "../support/core";
import {
  array,
  type GgufFile,
  scalar,
  string,
  type TinyOptions,
  tinyModel,
  type Value,
  writeGguf,
} from "../support/models/gguf_writer";
import { BASELINE } from "../support/variants";

const SEED = Number(process.env.FC_SEED ?? 20_251_121);
const RUNS = Number(process.env.FC_RUNS ?? 1500);
const CODES = new Set<number>([status.LOADED, ...Object.values(status).filter((code) => code >= status.FIRST_ERROR)]);
/** No damaged header may make the core take more. */
const BUDGET = 64e6;

const SHAPES: TinyOptions[] = [
  { layers: 1 },
  { layers: 1, types: 2, unknownKeys: true, tied: false },
  { layers: 1, types: { attn_q: 3, attn_k: 6, attn_output: 7 } },
];
const MODELS = SHAPES.map(tinyModel);
const FILES = MODELS.map(writeGguf);

/** Damages `bytes` (a copy) inside the first `header` bytes; may change the length. */
type Mutation = (bytes: Uint8Array, header: number) => Uint8Array;

/** A share of the header; fast-check would prefer small ones, and they only hit the magic. */
const position = fc.noBias(fc.nat(0xffffff)).map((share) => share / 0x1000000);
const at = (share: number, header: number) => Math.floor(share * header);

const flip = fc.record({ where: position, bit: fc.nat(7) }).map(
  ({ where, bit }): Mutation =>
    (bytes, header) => {
      const index = at(where, header);
      bytes[index] = bytes[index]! ^ (1 << bit);
      return bytes;
    },
);
const replace = fc.record({ where: position, byte: fc.nat(255) }).map(
  ({ where, byte }): Mutation =>
    (bytes, header) => {
      bytes[at(where, header)] = byte;
      return bytes;
    },
);
const interesting = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 16n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 61n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 70000n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
/** Overwrites what is likely a length: eight bytes whose upper half is zero, from a random place on. */
const length = fc.record({ where: position, value: interesting }).map(
  ({ where, value }): Mutation =>
    (bytes, header) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let index = at(where, header); index + 8 <= header; index++) {
        const found = view.getBigUint64(index, true);
        if (found > 0n && found < 70000n) {
          view.setBigUint64(index, value, true);
          break;
        }
      }
      return bytes;
    },
);
const range = fc.record({ from: position, to: position, size: fc.nat(300) });
const copy = range.map(
  ({ from, to, size }): Mutation =>
    (bytes, header) => {
      bytes.copyWithin(at(to, header), at(from, header), Math.min(header, at(from, header) + size));
      return bytes;
    },
);
const cut = range.map(
  ({ from, size }): Mutation =>
    (bytes, header) => {
      const start = at(from, header);
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(Math.min(header, start + size))]);
    },
);
const splice = range.map(
  ({ from, to, size }): Mutation =>
    (bytes, header) => {
      const piece = bytes.subarray(at(from, header), at(from, header) + size);
      return Buffer.concat([bytes.subarray(0, at(to, header)), piece, bytes.subarray(at(to, header))]);
    },
);
const end = position.map(
  (where): Mutation =>
    (bytes) =>
      bytes.subarray(0, at(where, bytes.length)),
);

const damage = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: flip },
    { weight: 2, arbitrary: replace },
    { weight: 6, arbitrary: length },
    { weight: 1, arbitrary: copy },
    { weight: 1, arbitrary: cut },
    { weight: 1, arbitrary: splice },
    { weight: 1, arbitrary: end },
  ),
  { minLength: 1, maxLength: 4 },
);
/** Damage that leaves the header readable: other values of keys, other fields of tensors. */
type Edit = (file: GgufFile) => void;

const number = fc.oneof(
  fc.constantFrom(
    -1,
    0,
    1,
    2,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    96,
    128,
    264,
    265,
    266,
    512,
    2 ** 20,
    2 ** 31 - 1,
    2 ** 32 - 1,
  ),
  fc.integer({ min: 0, max: 300 }),
);
const integerTypes = fc.constantFrom(0, 1, 2, 3, 4, 5, 10, 11);
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(integerTypes, number).map(([type, x]) => scalar(type, x)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(6, 12), fc.double()).map(([type, x]) => scalar(type, x)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "llama", "linear", "none", "gpt2", "llama-bpe", "h e").map((x) => string(x)),
  },
  {
    weight: 1,
    arbitrary: fc.array(fc.constantFrom("", "h", "h e", "Ġ", "é", "a b c"), { maxLength: 300 }).map((x) => array(8, x)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(integerTypes, fc.array(number, { maxLength: 300 })).map(([type, x]) => array(type, x)),
  },
);
const EXTRA_KEYS = [
  "general.alignment",
  "llama.attention.key_length",
  "llama.attention.value_length",
  "llama.rope.scaling.type",
  "llama.rope.scaling.factor",
  "llama.rope.scale_linear",
  "llama.expert_count",
  "tokenizer.ggml.add_bos_token",
];
const pick = fc.noBias(fc.nat(0xffffff));
const setKey = fc.record({ pick, value }).map(
  ({ pick, value }): Edit =>
    ({ metadata }) => {
      const index = pick % (metadata.length + EXTRA_KEYS.length);
      if (index < metadata.length) metadata[index]!.value = value;
      else metadata.push({ key: EXTRA_KEYS[index - metadata.length]!, value });
    },
);
const dropKey = pick.map(
  (pick): Edit =>
    ({ metadata }) =>
      void metadata.splice(pick % metadata.length, 1),
);
const setTensor = fc
  .record({
    pick,
    dims: fc.option(fc.array(number, { maxLength: 5 })),
    type: fc.option(fc.constantFrom(0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 30)),
    offset: fc.option(fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: number })),
    bytes: fc.option(fc.nat(40000)),
  })
  .map(
    ({ pick, dims, type, offset, bytes }): Edit =>
      ({ tensors }) => {
        const tensor = tensors[pick % tensors.length]!;
        if (dims) tensor.dims = dims;
        if (type !== null) tensor.type = type;
        if (typeof offset === "number") tensor.offset = offset;
        if (bytes !== null) tensor.data = tensor.data.slice(0, bytes);
      },
  );
const swapNames = fc.tuple(pick, pick).map(
  ([a, b]): Edit =>
    ({ tensors }) => {
      const [one, other] = [tensors[a % tensors.length]!, tensors[b % tensors.length]!];
      [one.name, other.name] = [other.name, one.name];
    },
);
const dropTensor = pick.map(
  (pick): Edit =>
    ({ tensors }) =>
      void tensors.splice(pick % tensors.length, 1),
);
const edits = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: setKey },
    { weight: 1, arbitrary: dropKey },
    { weight: 4, arbitrary: setTensor },
    { weight: 1, arbitrary: swapNames },
    { weight: 1, arbitrary: dropTensor },
  ),
  { minLength: 1, maxLength: 3 },
);

const chunks = fc.array(fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 1 << 20 })), {
  minLength: 1,
  maxLength: 4,
});

describe.each(BASELINE)("fuzzed files: $name", (variant) => {
  const core = new Core(variant);
  const answers = FILES.map(({ bytes }) => core.open(bytes).fingerprint());

  /** Runs the property and prints what became of the files. */
  function check<T>(damaged: fc.Arbitrary<T>, build: (damage: T, which: number) => Uint8Array): void {
    const seen = new Map<string, number>();
    let slowest = 0;
    const property = fc.property(fc.nat(FILES.length - 1), damaged, chunks, (which, damage, chunks) => {
      const file = build(damage, which);
      const start = performance.now();
      const code = core.load(file, { chunks, memoryBudget: BUDGET });
      const took = performance.now() - start;
      slowest = Math.max(slowest, took);
      seen.set(statusName(code), (seen.get(statusName(code)) ?? 0) + 1);
      expect(CODES.has(code), statusName(code)).toBe(true);
      expect(took).toBeLessThan(1000);
      expect(core.memoryBytes).toBeLessThanOrEqual(BUDGET);
      if (code === status.LOADED) run(core);
      expect(core.open(FILES[which]!.bytes).fingerprint()).toBe(answers[which]);
    });
    fc.assert(property, { seed: SEED, numRuns: RUNS });
    const counts = [...seen].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name} ${count}`);
    console.log(`${variant.name}: slowest load ${slowest.toFixed(1)} ms; ${counts.join(", ")}`);
  }

  it(`damaged bytes, seed ${SEED}, ${RUNS} runs`, { timeout: 600_000 }, () => {
    check(damage, (mutations, which) => {
      const { bytes, headerBytes } = FILES[which]!;
      return mutations.reduce<Uint8Array>(
        (damaged, mutate) => mutate(damaged, Math.min(headerBytes, damaged.length)),
        bytes.slice(),
      );
    });
  });

  it(`damaged values, seed ${SEED}, ${RUNS} runs`, { timeout: 600_000 }, () => {
    check(edits, (changes, which) => {
      const { metadata, tensors } = MODELS[which]!;
      const file = {
        metadata: metadata.map((entry) => ({ ...entry })),
        tensors: tensors.map((tensor) => ({ ...tensor })),
      };
      for (const change of changes) if (file.metadata.length && file.tensors.length) change(file);
      return writeGguf(file).bytes;
    });
  });
});

/** Whatever was damaged, what loads also runs. */
function run(core: Core): void {
  const { exports: e } = core;
  expect(core.forward([0, 1, 2].slice(0, core.info(INFO_CONTEXT)), 0)).toBe(status.OK);
  e.logits(0, 1);
  core.sampling({ temperature: 1, topK: 5 });
  expect(e.sample(0)).toBeLessThan(core.info(INFO_VOCABULARY));
  core.encode("the an in <|end_of_text|>", ENCODE_SPECIAL);
  e.modelHash();
}
