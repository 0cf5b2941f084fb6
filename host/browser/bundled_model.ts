// zagreus-edge/bundled-model, for bundlers: they ship the file to those who import this, and to nobody else.

/** The model that comes with the package: zagreus-nano, int8. */
export const bundledModel = new URL("../host/models/zagreus-nano-Q8_0.gguf", import.meta.url);
