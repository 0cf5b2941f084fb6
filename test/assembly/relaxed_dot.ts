// Engines whose i32x4.relaxed_dot_i8x16_i7x16_add_s makes something of the eighth bit, as x64 with AVX-VNNI and arm64 do: a relaxed build
// in which a function, exact for signed or for unsigned bytes, stands in for the instruction.

import binaryen from "binaryen";

/** (acc, bytes, eight) -> acc + in every i32 lane four products. */
const dot = (sign: "s" | "u") => {
  const half = (part: string) => `(i32x4.dot_i16x8_s
    (i16x8.extend_${part}_i8x16_s (local.get $bytes)) (i16x8.extend_${part}_i8x16_${sign} (local.get $eight)))`;
  const lanes = (from: number) =>
    [from, from + 8, from + 16, from + 24].flatMap((byte) => [byte, byte + 1, byte + 2, byte + 3]).join(" ");
  return `(func $exact_dot (param $bytes v128) (param $eight v128) (param $acc v128) (result v128)
    (local $low v128) (local $high v128)
    (local.set $low ${half("low")})
    (local.set $high ${half("high")})
    (i32x4.add (local.get $acc) (i32x4.add
      (i8x16.shuffle ${lanes(0)} (local.get $low) (local.get $high))
      (i8x16.shuffle ${lanes(4)} (local.get $low) (local.get $high)))))`;
};

/** The module as an engine runs it whose dot takes signed or unsigned bytes. */
export function withEightBitDot(wasm: Uint8Array, sign: "signed" | "unsigned"): WebAssembly.Module {
  const module = binaryen.readBinary(wasm);
  const text = module.emitText();
  module.dispose();
  const instruction = "(i32x4.relaxed_dot_i8x16_i7x16_add_s";
  if (!text.includes(instruction)) throw new Error("the module has no relaxed dot that adds");
  const replaced = text
    .replaceAll(instruction, "(call $exact_dot")
    .replace(/\)\s*$/, `${dot(sign === "signed" ? "s" : "u")})`);
  const changed = binaryen.parseText(replaced);
  changed.setFeatures(binaryen.Features.All);
  const binary = changed.emitBinary();
  changed.dispose();
  return new WebAssembly.Module(new Uint8Array(binary));
}
