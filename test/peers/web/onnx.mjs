// onnxruntime-web's 8-bit dynamic quantization, one thread, on the linear layers of a model of the same shape: per layer q, k, v, o, gate,
// up and down as DynamicQuantizeLinear + MatMulInteger with distinct int8 weights, SiLU, products and residuals. Left out, in its favour:
// attention, RoPE, norms, embedding, LM head and tokenizer.

import { env, InferenceSession, Tensor } from "../node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";

const HIDDEN = 960;
const KV = 320;
const INTERMEDIATE = 2560;
const LAYERS = 32;
const TOKENS = 128;
const FLOAT = 1;
const INT8 = 3;

/** @returns {Promise<Record<string, (options: any) => Promise<unknown>>>} */
export async function commands() {
  env.wasm.numThreads = 1;
  let bytes = buildModel();
  let session;
  const input = Float32Array.from({ length: TOKENS * HIDDEN }, (_, i) => Math.sin(i));
  return {
    async load() {
      const start = performance.now();
      session = await InferenceSession.create(bytes, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
      bytes = undefined;
      return { loadMs: performance.now() - start, tokenMs: [] };
    },
    async prefill({ count }) {
      const x = new Tensor("float32", input.subarray(0, count * HIDDEN), [count, HIDDEN]);
      const start = performance.now();
      const { [session.outputNames[0]]: result } = await session.run({ x });
      const ms = performance.now() - start;
      if (!result.data.every(Number.isFinite) || new Set(result.data).size < 1000)
        throw new Error("the result is degenerate");
      return { ms };
    },
  };
}

/** The ONNX file. */
function buildModel() {
  const nodes = [];
  const initializers = [];
  let names = 0;
  let seed = 1;

  const node = (type, inputs, outputs = 1) => {
    const results = Array.from({ length: outputs }, () => `t${names++}`);
    const attributes = { Cast: integerAttribute("to", FLOAT), Concat: integerAttribute("axis", 1) }[type] ?? [];
    nodes.push([
      ...inputs.map((name) => text(1, name)),
      ...results.map((name) => text(2, name)),
      text(4, type),
      attributes,
    ]);
    return outputs === 1 ? results[0] : results;
  };
  const initializer = (type, dimensions, data) => {
    const name = `w${names++}`;
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    initializers.push([...dimensions.map((size) => number(1, size)), number(2, type), text(8, name), field(9, raw)]);
    return name;
  };
  const weights = (inputs, outputs) => {
    const data = new Uint32Array((inputs * outputs) / 4);
    for (let i = 0; i < data.length; i++) {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      data[i] = seed;
    }
    return initializer(INT8, [inputs, outputs], data);
  };
  const linear = ([quantized, scale, zero], inputs, outputs) => {
    const weightScale = initializer(FLOAT, [], Float32Array.of(1 / (600 * Math.sqrt(inputs))));
    const weightZero = initializer(INT8, [], Int8Array.of(0));
    const product = node("MatMulInteger", [quantized, weights(inputs, outputs), zero, weightZero]);
    return node("Mul", [node("Cast", [product]), node("Mul", [scale, weightScale])]);
  };
  const quantize = (x) => node("DynamicQuantizeLinear", [x], 3);

  let x = "x";
  for (let layer = 0; layer < LAYERS; layer++) {
    const a = quantize(x);
    const query = linear(a, HIDDEN, HIDDEN);
    const keyValue = node("Add", [linear(a, HIDDEN, KV), linear(a, HIDDEN, KV)]);
    const mixed = node("Add", [query, node("Concat", [keyValue, keyValue, keyValue])]); // uses all, in attention's place
    x = node("Add", [x, linear(quantize(mixed), HIDDEN, HIDDEN)]);
    const b = quantize(x);
    const gate = linear(b, HIDDEN, INTERMEDIATE);
    const gated = node("Mul", [node("Mul", [gate, node("Sigmoid", [gate])]), linear(b, HIDDEN, INTERMEDIATE)]);
    x = node("Add", [x, linear(quantize(gated), INTERMEDIATE, HIDDEN)]);
  }

  const graph = [
    ...nodes.map((parts) => field(1, ...parts)),
    text(2, "layers"),
    ...initializers.map((parts) => field(5, ...parts)),
    field(11, ...matrix("x")),
    field(12, ...matrix(x)),
  ];
  return join([number(1, 8), field(8, text(1, ""), number(2, 13)), field(7, ...graph)]);
}

/** ValueInfoProto of float[tokens][HIDDEN]. */
function matrix(name) {
  const shape = field(2, field(1, text(2, "tokens")), field(1, number(1, HIDDEN)));
  return [text(1, name), field(2, field(1, number(1, FLOAT), shape))];
}

function integerAttribute(name, value) {
  return field(5, text(1, name), number(3, value), number(20, 2));
}

// Protocol buffers: a field is nested arrays of bytes until it is joined, so that weights are copied once.

function field(id, ...parts) {
  return [varint((id << 3) | 2), varint(lengthOf(parts)), parts];
}

function text(id, value) {
  return field(id, new TextEncoder().encode(value));
}

function number(id, value) {
  return [varint(id << 3), varint(value)];
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return Uint8Array.of(...bytes, value);
}

function lengthOf(parts) {
  return parts instanceof Uint8Array ? parts.length : parts.reduce((sum, part) => sum + lengthOf(part), 0);
}

function join(parts) {
  const bytes = new Uint8Array(lengthOf(parts));
  let at = 0;
  const append = (part) => {
    if (!(part instanceof Uint8Array)) return part.forEach(append);
    bytes.set(part, at);
    at += part.length;
  };
  append(parts);
  return bytes;
}
