import type { Arbitrary } from "fast-check";
import type { GenerateOptions, Model } from "zagreus-edge";

export const randomSchema: Arbitrary<boolean | { [keyword: string]: unknown }>;
export function mistake(schema: unknown, text: string): string | undefined;
export function writeFor(
  model: Model,
  schema: unknown,
  options: GenerateOptions & { maxTokens: number },
): Promise<{ text: string; finishReason: string | undefined; refused?: string }>;
