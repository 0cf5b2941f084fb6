import { expect, test } from "vitest";
import * as status from "../../../assembly/layout/status";
import { coreError } from "../../../host/core/api/messages";

const about = (field: string, value: number, expected: number) => ({ field, value, expected });

const MESSAGES: [code: number, failure: ReturnType<typeof about>, message: string][] = [
  [
    status.BAD_MAGIC,
    about("magic", 0x04034b50, 0x46554747),
    'not a GGUF file: it starts with "PK\\u0003\\u0004", must start with "GGUF"',
  ],
  [status.BAD_COUNT, about("tensor_count", 99999, 16384), "tensor_count is 99,999, must be at most 16,384"],
  [status.BAD_VALUE_TYPE, about("llama.block_count", 8, 4), '"llama.block_count": value type is string, must be u32'],
  [status.MISSING_KEY, about("llama.block_count", 0, 1), '"llama.block_count" is missing from the metadata'],
  [
    status.BAD_DIMENSION,
    about("blk.0.attn_q.weight", 100, 128),
    'tensor "blk.0.attn_q.weight": a dimension is 100, expected 128',
  ],
  [status.BAD_DIMENSION, about("x", 0, 2097152), 'tensor "x": a dimension is 0, must be 1 to 2,097,152'],
  [
    status.UNSUPPORTED_TENSOR_TYPE,
    about("output.weight", 10, 8),
    'tensor "output.weight": type is Q2_K, must be F32, F16 or BF16, for a matrix also Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K',
  ],
  [status.UNSUPPORTED_ARCHITECTURE, about("mamba", 0, 0), 'general.architecture is "mamba", must be "llama"'],
  [
    status.TRUNCATED,
    about("tensor infos", 700, 701),
    'the file ends early: "tensor infos" has 700 bytes, needs at least 701',
  ],
  [status.OVER_BUDGET, about("memory", 9000000, 1000000), "needs 9,000,000 bytes, the memory budget is 1,000,000"],
  [status.CONTEXT_OVERFLOW, about("", 600, 512), "600 tokens do not fit into the context of 512 tokens"],
];

test.each(MESSAGES)("status %i", (code, failure, message) => {
  expect(coreError(code, failure)).toMatchObject({ name: "ZagreusError", message, ...failure });
});

test("every error of the core has a code of its name and a message", () => {
  for (const [name, code] of Object.entries(status)) {
    if (code < status.FIRST_ERROR || name === "FIRST_ERROR") continue;
    const error = coreError(code, about("some.field", 1234, 5));
    expect(error.code).toBe(name === "BAD_OPTION" ? "INVALID_OPTION" : name);
    expect(error.message).toMatch(/some\.field|1,234|1234|"Ò/);
  }
});
