// Writes a model in the layout that huggingface/nanotron gives its checkpoints (src/nanotron/serialize, models/llama.py):
// one safetensors file, with one tensor "data", for each parameter and rank that holds a part of it.

export interface TestTensor {
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}

export interface HuggingFaceModel {
  config: Record<string, unknown>;
  /** Under their names in model.safetensors. */
  tensors: ReadonlyMap<string, TestTensor>;
}

export interface NanotronLayout {
  tp?: number;
  pp?: number;
  ropeInterleaved?: boolean;
  /** The flag that tells nanotron's model classes apart. */
  model?: "is_llama_config" | "is_qwen2_config";
  /** NumPy 2 prints its integers as np.int64(7). */
  numpy2?: boolean;
}

/** A safetensors file. */
export function safetensors(tensors: ReadonlyMap<string, TestTensor>, metadata?: Record<string, string>): Uint8Array {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  const text = JSON.stringify(header);
  const head = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const file = new Uint8Array(8 + head.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.length), true);
  file.set(head, 8);
  let at = 8 + head.length;
  for (const { bytes } of tensors.values()) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** What a safetensors file holds. */
export function readSafetensors(file: Uint8Array): Map<string, TestTensor> {
  const { header, data } = readHeader(file);
  const { __metadata__: _, ...entries } = header;
  const tensors = new Map<string, TestTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries<Entry>(entries)) {
    tensors.set(name, { dtype, shape, bytes: data.slice(...data_offsets) });
  }
  return tensors;
}

export function readMetadata(file: Uint8Array): Record<string, string> {
  return readHeader(file).header.__metadata__ ?? {};
}

function readHeader(file: Uint8Array) {
  const start = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
  return { header, data: file.subarray(start) };
}

/** The checkpoint's files by path. */
export function nanotronFiles(model: HuggingFaceModel, layout: NanotronLayout = {}): Map<string, Uint8Array> {
  const { tp = 1, pp = 1, ropeInterleaved = false, model: kind = "is_llama_config", numpy2 = true } = layout;
  const { config, tensors } = model;
  const layers = Number(config.num_hidden_layers);
  const headSize = Number(config.hidden_size) / Number(config.num_attention_heads);
  const files = new Map<string, Uint8Array>();
  const text = (path: string, content: string) => files.set(path, new TextEncoder().encode(content));
  const get = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`the model has no ${name}`);
    return tensor;
  };

  const path = (parameter: string, ranks: string) =>
    `model/model/${parameter.replaceAll(".", "/").replace(/weight$/, "model_weight")}${ranks}.safetensors`;
  const whole = (parameter: string, tensor: TestTensor) =>
    files.set(path(parameter, ""), safetensors(new Map([["data", tensor]]), {}));
  /** Every rank gets its share of every chunk of dimension `dim`. */
  const sharded = (parameter: string, stage: number, tensor: TestTensor, dim: 0 | 1, chunks?: number[]) => {
    for (let rank = 0; rank < tp; rank++) {
      const pairs: string[] = [];
      const parts: TestTensor[] = [];
      const all = "None,None,None";
      let local = 0;
      let start = 0;
      for (const chunk of chunks ?? [tensor.shape[dim]!]) {
        const size = chunk / tp;
        if (!Number.isInteger(size)) throw new Error(`${parameter}: ${chunk} cannot be split over ${tp} ranks`);
        const from = start + rank * size;
        parts.push(slice(tensor, dim, from, from + size));
        const here = chunks ? `${local},${local + size},None` : all;
        const there = `${from},${from + size},None`;
        pairs.push(dim === 0 ? `${here}|${all}#${there}|${all}` : `${all}|${here}#${all}|${there}`);
        local += size;
        start += chunk;
      }
      const shape = tensor.shape.map((size, at) => (chunks && at === dim && numpy2 ? `np.int64(${size})` : `${size}`));
      const metadata = {
        version: "1.4",
        local_global_slices_pairs: pairs.join(";"),
        unsharded_shape: `(${shape.join(", ")})`,
      };
      const ranks = `_pp-rank-${stage}-of-${pp}_tp-rank-${rank}-of-${tp}`;
      files.set(path(parameter, ranks), safetensors(new Map([["data", join(parts)]]), metadata));
    }
  };

  const rotary = (tensor: TestTensor) => (ropeInterleaved ? interleave(tensor, headSize) : tensor);
  sharded("token_position_embeddings.pp_block.token_embedding.weight", 0, get("model.embed_tokens.weight"), 0);
  for (let layer = 0; layer < layers; layer++) {
    const stage = Math.floor((layer * pp) / layers);
    const from = (name: string) => get(`model.layers.${layer}.${name}.weight`);
    const to = (name: string) => `decoder.${layer}.pp_block.${name}.weight`;
    const merged = (...parts: TestTensor[]): [TestTensor, 0, number[]] => [
      join(parts),
      0,
      parts.map(({ shape }) => shape[0]!),
    ];
    whole(to("input_layernorm"), from("input_layernorm"));
    whole(to("post_attention_layernorm"), from("post_attention_layernorm"));
    sharded(
      to("attn.qkv_proj"),
      stage,
      ...merged(rotary(from("self_attn.q_proj")), rotary(from("self_attn.k_proj")), from("self_attn.v_proj")),
    );
    sharded(to("attn.o_proj"), stage, from("self_attn.o_proj"), 1);
    sharded(to("mlp.gate_up_proj"), stage, ...merged(from("mlp.gate_proj"), from("mlp.up_proj")));
    sharded(to("mlp.down_proj"), stage, from("mlp.down_proj"), 1);
  }
  whole("final_layer_norm.pp_block.weight", get("model.norm.weight"));
  if (!config.tie_word_embeddings) sharded("lm_head.pp_block.weight", pp - 1, get("lm_head.weight"), 0);

  const modelConfig = {
    bos_token_id: config.bos_token_id,
    eos_token_id: config.eos_token_id,
    hidden_act: config.hidden_act,
    hidden_size: config.hidden_size,
    initializer_range: config.initializer_range,
    intermediate_size: config.intermediate_size,
    [kind]: true,
    max_position_embeddings: config.max_position_embeddings,
    num_attention_heads: config.num_attention_heads,
    num_hidden_layers: config.num_hidden_layers,
    attention_bias: false,
    num_key_value_heads: config.num_key_value_heads,
    pad_token_id: null,
    pretraining_tp: 1,
    rms_norm_eps: config.rms_norm_eps,
    rope_scaling: config.rope_scaling,
    rope_theta: config.rope_theta,
    rope_interleaved: ropeInterleaved,
    tie_word_embeddings: config.tie_word_embeddings,
    use_cache: true,
    vocab_size: config.vocab_size,
    ...(kind === "is_qwen2_config" && { moe_config: null, sliding_window_size: null, no_rope_layer: null }),
  };
  text("model_config.json", JSON.stringify(modelConfig));
  // As PyYAML prints nanotron's Config; only what a reader could care for.
  const lines = Object.entries(modelConfig).map(([key, value]) => `    ${key}: ${value}`);
  text(
    "config.yaml",
    `general:\n  project: test\n  run: null\n  step: 10\nmodel:\n  ddp_bucket_cap_mb: 25\n  dtype: bfloat16\n` +
      `  init_method:\n    std: 0.025\n  make_vocab_size_divisible_by: 1\n  model_config:\n${lines.join("\n")}\n` +
      `parallelism:\n  dp: 1\n  pp: ${pp}\n  tp: ${tp}\n` +
      `tokenizer:\n  tokenizer_max_length: null\n  tokenizer_name_or_path: zagreus-nano\n`,
  );
  text(
    "checkpoint_metadata.json",
    JSON.stringify({ cp: 1, dp: 1, tp, version: "1.4", metas: { last_train_step: 10 } }),
  );
  // Beside the model stand the optimizer's and the random generators' states, which are no business of ours.
  text("optimizer/optimizer_config.json", "{}");
  return files;
}

/** Rows (dim 0) or columns (dim 1) from..to. */
function slice({ dtype, shape, bytes }: TestTensor, dim: 0 | 1, from: number, to: number): TestTensor {
  const rowBytes = bytes.length / shape[0]!;
  if (dim === 0) {
    const part = bytes.slice(from * rowBytes, to * rowBytes);
    return { dtype, shape: [to - from, ...shape.slice(1)], bytes: part };
  }
  const element = rowBytes / shape[1]!;
  const width = (to - from) * element;
  const part = new Uint8Array(shape[0]! * width);
  for (let row = 0; row < shape[0]!; row++) {
    const at = row * rowBytes + from * element;
    part.set(bytes.subarray(at, at + width), row * width);
  }
  return { dtype, shape: [shape[0]!, to - from], bytes: part };
}

/** One below the other; of a single part, itself. */
function join(parts: TestTensor[]): TestTensor {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part.bytes, at);
    at += part.bytes.length;
  }
  return { dtype: first!.dtype, shape: [rows, ...first!.shape.slice(1)], bytes };
}

/** From Hugging Face's order of a head's rows (first halves of all pairs, then second halves) to pairs side by side. */
function interleave({ dtype, shape, bytes }: TestTensor, headSize: number): TestTensor {
  const rowBytes = bytes.length / shape[0]!;
  const permuted = new Uint8Array(bytes.length);
  for (let row = 0; row < shape[0]!; row++) {
    const inHead = row % headSize;
    const source = row - inHead + (inHead >> 1) + (inHead & 1) * (headSize >> 1);
    permuted.set(bytes.subarray(source * rowBytes, (source + 1) * rowBytes), row * rowBytes);
  }
  return { dtype, shape, bytes: permuted };
}
