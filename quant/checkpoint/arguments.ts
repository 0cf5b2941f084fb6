// Checks of what programs pass to the functions of zagreus-edge/quantize.

import { invalidOption } from "../../host/core/api/errors.js";

/** @throws ZagreusError INVALID_OPTION unless it is an object with these functions */
export function checkObject(field: string, value: unknown, functions: readonly string[] = []): void {
  const object = value as Record<string, unknown> | null;
  if (object && typeof object === "object" && functions.every((name) => typeof object[name] === "function")) return;
  const expected =
    functions.length > 0 ? `an object with ${functions.map((name) => `${name}()`).join(", ")}` : "an object";
  throw invalidOption(field, value, expected);
}

/** @throws ZagreusError INVALID_OPTION */
export function checkString(field: string, value: unknown): void {
  if (typeof value !== "string") throw invalidOption(field, value, "a string");
}
