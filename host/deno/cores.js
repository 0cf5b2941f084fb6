// The cores as modules. TypeScript does not know this kind of import; Deno asks for no permission to read them.

export const cores = {
  simd: () => import.source("./zagreus-simd.wasm"),
  relaxed: () => import.source("./zagreus-relaxed.wasm"),
  "simd-mt": () => import.source("./zagreus-simd-mt.wasm"),
  "relaxed-mt": () => import.source("./zagreus-relaxed-mt.wasm"),
};
