// A module that imports a .wasm file gets it compiled.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
