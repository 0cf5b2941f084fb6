// Adapters of both formats become the same, value by value, and what does not fit is refused by its name.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Factors } from "../../../host/core/adapters/adapter";
import { readAdapter } from "../../../host/core/adapters/read";
import { ZagreusError } from "../../../host/core/api/errors";
import { readSafetensors } from "../../../host/core/gguf/safetensors";
import { caught } from "../../support/nano";
import { bytesOf, filesOf, LORA, NANO, peft, QUERY_VALUE, readFixture, safetensors } from "./support";

const MODULES: Record<string, string> = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** Values of a tensor of PEFT's, F32 or BF16. */
async function stored(folder: string, { layer, site }: Factors, side: "A" | "B"): Promise<number[]> {
  const bytes = bytesOf(join(folder, "adapter_model.safetensors"));
  const file = {
    name: "",
    byteLength: bytes.length,
    read: async (at: number, n: number) => bytes.subarray(at, at + n),
  };
  const tensors = await readSafetensors(file);
  const found = tensors.get(`base_model.model.model.layers.${layer}.${MODULES[site]}.lora_${side}.weight`)!;
  const view = new DataView(bytes.buffer, found.offset, found.byteLength);
  const wide = new DataView(new ArrayBuffer(4));
  return Array.from({ length: found.shape[0]! * found.shape[1]! }, (_, i) => {
    if (found.dtype === "F32") return view.getFloat32(4 * i, true);
    wide.setUint16(0, view.getUint16(2 * i, true));
    return wide.getFloat32(0);
  });
}

test.each(["upper", "recipe"])(
  "%s of PEFT has the values of its file, with queries and keys in GGUF's order",
  async (folder) => {
    const adapter = await readFixture(folder);
    expect(adapter.factors.map(({ layer }) => layer)).toEqual([...adapter.factors.map(({ layer }) => layer)].sort());
    for (const factors of adapter.factors) {
      const { site, rank, a, b, scale } = factors;
      expect([rank, scale]).toEqual(folder === "upper" ? [8, 2] : [16, 6]);
      expect(Array.from(a)).toEqual(await stored(folder, factors, "A"));
      const rows = await stored(folder, factors, "B");
      const expected = rows.slice();
      if (site === "attn_q" || site === "attn_k") {
        for (let head = 0; head < rows.length / rank / 64; head++) {
          for (let i = 0; i < 32; i++) {
            for (let j = 0; j < 2; j++) {
              const to = 64 * head + 2 * i + j;
              const from = 64 * head + 32 * j + i;
              for (let r = 0; r < rank; r++) expected[to * rank + r] = rows[from * rank + r]!;
            }
          }
        }
        expect(expected).not.toEqual(rows);
      }
      expect(Array.from(b)).toEqual(expected);
    }
  },
);

test("the same values have one hash, whatever file they come from; others have another", async () => {
  const [folder, f32, f16, q8] = await Promise.all(
    ["upper", "upper-f32.gguf", "upper-f16.gguf", "upper-q8_0.gguf"].map(readFixture),
  );
  expect(f32!.hash).toBe(folder!.hash);
  expect(f32!.factors).toEqual(folder!.factors);
  expect(new Set([folder, f16, q8].map((adapter) => adapter!.hash)).size).toBe(3);
  expect(folder).toMatchObject({ rank: 8, name: undefined });
  expect(folder!.factors).toHaveLength(16);
});

test.each([
  ["upper-f32.gguf", "upper-f16.gguf", 2 ** -11],
  ["upper-f32.gguf", "upper-q8_0.gguf", 1 / 127],
  ["recipe", "recipe-f16.gguf", 2 ** -11],
])("%s and %s are as near as their types are", async (one, other, error) => {
  const [left, right] = await Promise.all([one, other].map(readFixture));
  expect(right!.factors).toHaveLength(left!.factors.length);
  left!.factors.forEach(({ layer, site, rank, scale, a, b }, i) => {
    const near = right!.factors[i]!;
    expect(near).toMatchObject({ layer, site, rank, scale });
    for (const [values, others] of [
      [a, near.a],
      [b, near.b],
    ] as const) {
      const largest = Math.max(...values.map(Math.abs));
      expect(Math.max(...values.map((value, k) => Math.abs(value - others[k]!)))).toBeLessThanOrEqual(error * largest);
    }
  });
});

interface BadCase {
  path: string;
  mentions: string[];
}
const { cases }: { cases: BadCase[] } = JSON.parse(readFileSync(join(LORA, "bad/bad.json"), "utf8"));

describe("refused by name", () => {
  test.each(cases.filter(({ path }) => path !== "peft-pickle"))("$path", async ({ path, mentions }) => {
    const error = await caught(readAdapter(path, filesOf(join("bad", path)), NANO));
    expect(error).toBeInstanceOf(ZagreusError);
    for (const mention of mentions) expect((error as Error).message).toMatch(new RegExp(mention));
  });

  const CONFIGS: [object, RegExp][] = [
    [{ peft_type: "IA3" }, /peft_type.*IA3/],
    [{ use_dora: true }, /use_dora.*DoRA/],
    [{ use_qalora: true }, /QALoRA/],
    [{ modules_to_save: ["lm_head"] }, /modules_to_save/],
    [{ bias: "all" }, /"bias" is all/],
    [{ lora_bias: true }, /lora_bias/],
    [{ fan_in_fan_out: true }, /fan_in_fan_out/],
    [{ layer_replication: [[0, 4]] }, /layer_replication/],
    [{ alora_invocation_tokens: [1] }, /aLoRA/],
    [{ trainable_token_indices: [1] }, /trainable_token_indices/],
    [{ target_parameters: ["x"] }, /target_parameters/],
    [{ init_lora_weights: "pissa_niter_4" }, /pissa_niter_4.*base/],
    [{ r: 0 }, /"r" is 0/],
    [{ r: 8 }, /rank 4.*says 8/],
    [{ lora_alpha: "x" }, /lora_alpha/],
    [{ lora_alpha: 1e300 }, /scale.*finite/],
    [{ rank_pattern: { q_proj: 5 } }, /q_proj.*rank 4.*says 5/],
    [{ rank_pattern: { q_proj: "4" } }, /rank_pattern\.q_proj/],
    [{ alpha_pattern: { "(": 4 } }, /alpha_pattern.*not understood/],
    [{ alpha_pattern: { "(q)\\1": 4 } }, /alpha_pattern.*not understood/],
  ];
  test.each(CONFIGS)("%j", async (config, message) => {
    const error = await caught(readAdapter("it", peft(config, safetensors(QUERY_VALUE)), NANO));
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect(["BAD_ADAPTER", "BAD_VALUE"]).toContain((error as ZagreusError).code);
  });

  const PREFIX = "base_model.model";
  const TENSORS: [string, number[], RegExp][] = [
    [`${PREFIX}.lm_head.weight`, [2, 2], /lm_head/],
    [`${PREFIX}.lm_head.lora_A.weight`, [4, 192], /lm_head.*head/],
    [`${PREFIX}.model.embed_tokens.lora_embedding_A`, [4, 192], /embedding/],
    [`${PREFIX}.model.layers.0.self_attn.q_proj.lora_magnitude_vector.weight`, [192], /DoRA/],
    [`${PREFIX}.model.layers.0.input_layernorm.weight`, [192], /input_layernorm.*replaces a weight/],
    [`${PREFIX}.model.layers.0.mlp.fc1.lora_A.weight`, [4, 192], /fc1/],
    [`${PREFIX}.model.layers.0.mlp.constructor.lora_A.weight`, [4, 192], /constructor/],
    [`${PREFIX}.model.layers.00.self_attn.k_proj.lora_A.weight`, [4, 192], /layers\.00/],
    [`${PREFIX}.model.layers.1.self_attn.q_proj.lora_B.weight`, [192, 4], /layers\.1.*lora_A/],
    [`${PREFIX}.model.layers.1.self_attn.q_proj.lora_A.weight`, [4, 192, 1], /lora_B/],
  ];
  test.each(TENSORS)("%s", async (name, shape, message) => {
    const weights = safetensors({ ...QUERY_VALUE, [name]: { shape } });
    const error = await caught(readAdapter("it", peft({}, weights), NANO));
    expect(error).toMatchObject({ code: "BAD_ADAPTER", message: expect.stringMatching(message) });
  });

  test("another base, no factors, what is no adapter at all", async () => {
    const other = { ...NANO, kvHeads: 3 };
    expect(await caught(readAdapter("it", filesOf("upper"), other))).toMatchObject({
      code: "FOREIGN_ADAPTER",
      message: expect.stringMatching(/v_proj.*64 x 8.*192 rows/),
    });
    expect(await caught(readAdapter("it", peft({}, safetensors({})), NANO))).toMatchObject({ code: "BAD_ADAPTER" });
    expect(await caught(readAdapter("it", { gguf: new Uint8Array(3) }, NANO))).toMatchObject({
      code: "BAD_ADAPTER",
      message: expect.stringContaining("safetensors"),
    });
    const model = new Uint8Array(readFileSync(join(LORA, "../overflow.gguf")));
    expect(await caught(readAdapter("it", { gguf: model }, NANO))).toMatchObject({
      code: "BAD_ADAPTER",
      field: "general.type",
    });
  });
});

test("ranks, alphas and rsLoRA of a module are looked up as PEFT does", async () => {
  const patterns: [object, number, number][] = [
    [{}, 2, 2],
    [{ use_rslora: true }, 4, 4],
    [{ alpha_pattern: { q_proj: 16 } }, 4, 2],
    [{ alpha_pattern: { proj: 16 } }, 2, 2], // the beginning of a name is at a dot
    [{ alpha_pattern: { "self_attn.q_proj": 16, "layers.0.self_attn.v_proj": 2 } }, 4, 0.5],
    [{ alpha_pattern: { "model.layers.0.self_attn.q_proj": 16 } }, 4, 2],
    [{ alpha_pattern: { ".*_proj": 16, q_proj: 1 } }, 4, 4], // the first that matches
    [{ alpha_pattern: { "layers\\.[0-3]\\..*v_proj": 16 } }, 2, 4],
    [{ alpha_pattern: { "(q|v)_proj": 16 } }, 4, 4],
    [{ alpha_pattern: { "^model.*q_proj": 16 } }, 4, 2],
    [{ alpha_pattern: { "(a+)+$": 16 } }, 2, 2],
    [{ r: 8, rank_pattern: { "self_attn.._proj": 4 }, use_rslora: true }, 4, 4],
  ];
  for (const [config, query, value] of patterns) {
    const { factors } = await readAdapter("it", peft(config, safetensors(QUERY_VALUE)), NANO);
    expect([config, ...factors.map(({ site, scale }) => [site, scale])]).toEqual([
      config,
      ["attn_q", query],
      ["attn_v", value],
    ]);
  }
});

test("no alpha in GGUF means that the factors are as they are meant", async () => {
  const bytes = bytesOf("upper-f16.gguf");
  const key = Buffer.from(bytes.buffer).indexOf("adapter.lora.alpha");
  new DataView(bytes.buffer).setFloat32(key + "adapter.lora.alpha".length + 4, 0, true);
  const { factors } = await readAdapter("it", { gguf: bytes }, NANO);
  expect(factors.map(({ scale }) => scale)).toEqual(factors.map(() => 1));
});

test("whatever the bytes are, they are an adapter or a ZagreusError", async () => {
  const good = bytesOf("bad/missing-b.gguf");
  const config = bytesOf("bad/peft-nan/adapter_config.json");
  const weights = bytesOf("bad/peft-nan/adapter_model.safetensors");
  const change = fc.record({ at: fc.double({ min: 0, max: 0.3, noNaN: true }), value: fc.nat(255) });
  const damaged = (bytes: Uint8Array, changes: readonly { at: number; value: number }[], length: number) => {
    const copy = bytes.slice(0, Math.ceil(bytes.length * length));
    for (const { at, value } of changes) copy[Math.floor(at * copy.length)] = value;
    return copy;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("gguf", "config", "weights"),
      fc.array(change, { maxLength: 4 }),
      fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
      async (which, changes, length) => {
        const files =
          which === "gguf"
            ? { gguf: damaged(good, changes, length) }
            : { config, weights, [which]: damaged(which === "config" ? config : weights, changes, length) };
        const error = await readAdapter("it", files, NANO).then(
          () => undefined,
          (reason) => reason,
        );
        if (error !== undefined) expect(error).toBeInstanceOf(ZagreusError);
      },
    ),
    { numRuns: 300 },
  );
});
