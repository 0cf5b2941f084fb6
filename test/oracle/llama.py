"""llama.cpp through its shared libraries: quantizing, decoding, logits, perplexity. Needs numpy.

    python3 llama.py LIBRARIES < JOBS.json > RESULTS.json      LLAMA_THREADS=1 beside other programs

LIBRARIES is the directory of libllama and libggml*. The structs below are those of llama.h 0.5.0; another version may have others.
A job is an object: "do" names one of the functions do_* below, the rest are its arguments.
"""

import ctypes as c
import glob
import json
import os
import sys

import numpy as np

THREADS = int(os.environ.get("LLAMA_THREADS", "2"))


class QuantizeParams(c.Structure):
    _fields_ = [
        ("nthread", c.c_int32),
        ("ftype", c.c_int32),
        ("output_tensor_type", c.c_int32),
        ("token_embedding_type", c.c_int32),
        ("allow_requantize", c.c_bool),
        ("quantize_output_tensor", c.c_bool),
        ("only_copy", c.c_bool),
        ("pure", c.c_bool),
        ("keep_split", c.c_bool),
        ("dry_run", c.c_bool),
        ("pointers", c.c_void_p * 4),
        ("max_buf_size", c.c_size_t),
    ]


class ModelParams(c.Structure):
    _fields_ = [
        ("devices", c.c_void_p * 2),
        ("layers_and_modes", c.c_int32 * 5),
        ("pointers", c.c_void_p * 4),
        ("vocab_only", c.c_bool),
        ("check_tensors", c.c_bool),
        ("use_extra_bufts", c.c_bool),
        ("more", c.c_bool * 3),
    ]


class ContextParams(c.Structure):
    _fields_ = [
        ("n_ctx", c.c_uint32),
        ("n_batch", c.c_uint32),
        ("n_ubatch", c.c_uint32),
        ("sequences_and_outputs", c.c_uint32 * 4),
        ("n_threads", c.c_int32),
        ("n_threads_batch", c.c_int32),
        ("kinds", c.c_int32 * 4),
        ("flash_attn_type", c.c_int32),
        ("rope", c.c_float * 8),
        ("cb_eval", c.c_void_p * 2),
        ("type_k", c.c_int32),
        ("type_v", c.c_int32),
        ("abort", c.c_void_p * 2),
        ("flags", c.c_bool * 6),
        ("samplers", c.c_void_p),
        ("n_samplers", c.c_size_t),
        ("ctx_other", c.c_void_p),
    ]


class Batch(c.Structure):
    _fields_ = [
        ("n_tokens", c.c_int32),
        ("token", c.POINTER(c.c_int32)),
        ("embd", c.c_void_p),
        ("pos", c.POINTER(c.c_int32)),
        ("n_seq_id", c.POINTER(c.c_int32)),
        ("seq_id", c.POINTER(c.POINTER(c.c_int32))),
        ("logits", c.POINTER(c.c_int8)),
    ]


class TypeTraits(c.Structure):
    _fields_ = [
        ("type_name", c.c_char_p),
        ("blck_size", c.c_int64),
        ("blck_size_interleave", c.c_int64),
        ("type_size", c.c_size_t),
        ("is_quantized", c.c_bool),
        ("to_float", c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_int64)),
        ("from_float_ref", c.c_void_p),
    ]


def find(name):
    return c.CDLL(sorted(glob.glob(f"{sys.argv[1]}/{name}"))[0], mode=c.RTLD_GLOBAL)


base = find("libggml-base*.so*")
ggml = find("libggml.*so*")
llama = find("libllama.*so*")


def declare(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


load_backends = declare(ggml, "ggml_backend_load_all_from_path", None, c.c_char_p)
traits = declare(base, "ggml_get_type_traits", c.POINTER(TypeTraits), c.c_int)
quantize_chunk = declare(
    base, "ggml_quantize_chunk", c.c_size_t, c.c_int, c.c_void_p, c.c_void_p, c.c_int64, c.c_int64, c.c_int64, c.c_void_p
)
version = declare(llama, "llama_version", c.c_char_p)
quantize_defaults = declare(llama, "llama_model_quantize_default_params", QuantizeParams)
model_quantize = declare(llama, "llama_model_quantize", c.c_uint32, c.c_char_p, c.c_char_p, c.POINTER(QuantizeParams))
model_defaults = declare(llama, "llama_model_default_params", ModelParams)
model_load = declare(llama, "llama_model_load_from_file", c.c_void_p, c.c_char_p, ModelParams)
model_free = declare(llama, "llama_model_free", None, c.c_void_p)
get_vocab = declare(llama, "llama_model_get_vocab", c.c_void_p, c.c_void_p)
vocab_size = declare(llama, "llama_vocab_n_tokens", c.c_int32, c.c_void_p)
vocab_bos = declare(llama, "llama_vocab_bos", c.c_int32, c.c_void_p)
context_defaults = declare(llama, "llama_context_default_params", ContextParams)
context_new = declare(llama, "llama_init_from_model", c.c_void_p, c.c_void_p, ContextParams)
context_free = declare(llama, "llama_free", None, c.c_void_p)
get_memory = declare(llama, "llama_get_memory", c.c_void_p, c.c_void_p)
memory_clear = declare(llama, "llama_memory_clear", None, c.c_void_p, c.c_bool)
batch_init = declare(llama, "llama_batch_init", Batch, c.c_int32, c.c_int32, c.c_int32)
batch_free = declare(llama, "llama_batch_free", None, Batch)
decode = declare(llama, "llama_decode", c.c_int32, c.c_void_p, Batch)
get_logits = declare(llama, "llama_get_logits", c.POINTER(c.c_float), c.c_void_p)
tokenize = declare(
    llama, "llama_tokenize", c.c_int32, c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool
)

LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)
quiet = LOG(lambda level, text, _: sys.stderr.write(text.decode(errors="replace")) if level == 4 else None)


class Model:
    """A model with plain kernels, an f32 KV cache and no flash attention: as little rounding as llama.cpp can be asked for."""

    def __init__(self, path, context, kv=0):  # GGML_TYPE_F32
        params = model_defaults()
        params.use_extra_bufts = False
        self.model = model_load(path.encode(), params)
        if not self.model:
            raise RuntimeError(f"llama.cpp does not load {path}")
        self.vocab = get_vocab(self.model)
        self.vocabulary = vocab_size(self.vocab)
        params = context_defaults()
        params.n_ctx = params.n_batch = params.n_ubatch = context
        params.n_threads = params.n_threads_batch = THREADS
        params.flash_attn_type = 0
        params.type_k = params.type_v = kv
        self.context = context_new(self.model, params)
        if not self.context:
            raise RuntimeError(f"llama.cpp makes no context for {path}")
        self.batch = batch_init(context, 0, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        batch_free(self.batch)
        context_free(self.context)
        model_free(self.model)

    def tokens(self, text):
        bytes_ = text.encode()
        out = (c.c_int32 * (len(bytes_) + 8))()
        count = tokenize(self.vocab, bytes_, len(bytes_), out, len(out), True, False)
        return list(out[:count])

    def logits(self, tokens, first=0):
        """float32 [tokens - first][vocabulary] of a sequence from an empty cache, from position `first` on"""
        memory_clear(get_memory(self.context), True)
        return self.run(tokens, 0, first)

    def run(self, tokens, position, first):
        """logits from the `first` of these tokens on, which follow the `position` tokens that are in the cache"""
        self.batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            self.batch.token[i] = token
            self.batch.pos[i] = position + i
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = 0
            self.batch.logits[i] = i >= first
        if decode(self.context, self.batch) != 0:
            raise RuntimeError("llama_decode failed")
        rows = len(tokens) - first
        return np.ctypeslib.as_array(get_logits(self.context), (rows, self.vocabulary)).copy()

    def greedy(self, prompt, count, ends):
        """the likeliest tokens, the one that ends the text among them, and how far each is before the next"""
        tokens, gaps = [], []
        logits = self.logits(prompt, len(prompt) - 1)[0]
        while True:
            second, first = np.sort(logits)[-2:]
            tokens.append(int(logits.argmax()))
            gaps.append(round(float(first - second), 3))
            if len(tokens) == count or tokens[-1] in ends:
                return {"tokens": tokens, "gaps": gaps}
            logits = self.run(tokens[-1:], len(prompt) + len(tokens) - 1, 0)[0]


def do_version():
    return version().decode()


def do_quantize_rows(type, columns, values, blocks):
    """float32 rows of `columns` to blocks of a ggml type."""
    rows = np.fromfile(values, np.float32)
    traits_ = traits(type).contents
    out = np.zeros(rows.size // traits_.blck_size * traits_.type_size, np.uint8)
    written = quantize_chunk(type, rows.ctypes.data, out.ctypes.data, 0, rows.size // columns, columns, None)
    if written != out.size:
        raise RuntimeError(f"{written} bytes, expected {out.size}")
    out.tofile(blocks)


def do_dequantize(type, blocks, values):
    """Blocks of a ggml type to float32."""
    source = np.fromfile(blocks, np.uint8)
    traits_ = traits(type).contents
    out = np.zeros(source.size // traits_.type_size * traits_.blck_size, np.float32)
    traits_.to_float(source.ctypes.data, out.ctypes.data, out.size)
    out.tofile(values)


def do_quantize(source, target, ftype, pure=False, requantize=False):
    """Quantizes a GGUF file; `ftype` is a number of llama.h's enum llama_ftype."""
    params = quantize_defaults()
    params.nthread = THREADS
    params.ftype = ftype
    params.pure = pure
    params.allow_requantize = requantize
    status = model_quantize(source.encode(), target.encode(), c.byref(params))
    if status != 0:
        raise RuntimeError(f"llama_model_quantize: {status}")


def do_logits(model, tokens, out):
    """Writes float32 [tokens][vocabulary]."""
    with Model(model, len(tokens)) as m:
        m.logits(tokens).tofile(out)


def do_greedy(model, prompts, count, ends, kv):
    """Greedy texts after some prompts, with a KV cache of a ggml type."""
    with Model(model, max(map(len, prompts)) + count, kv) as m:
        return [m.greedy(prompt, count, ends) for prompt in prompts]


def losses(logits, targets):
    """-log p of each target, in the precision of llama-perplexity"""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1, dtype=np.float64)) - shifted[np.arange(len(targets)), targets]


def do_scores(model, text, count):
    """The first `count` tokens of a text, bos in front, and the log-probability of each after the first."""
    with Model(model, count) as m:
        tokens = m.tokens(open(text, encoding="utf-8", newline="").read())[:count]
        return {"tokens": tokens, "logprobs": (-losses(m.logits(tokens)[:-1], tokens[1:])).tolist()}


def do_perplexity(model, text, context=512):
    """As llama-perplexity computes it (tools/perplexity/perplexity.cpp): its tokens, windows, sums and error."""
    prompt = open(text, encoding="utf-8", newline="").read()
    prompt = prompt[:-1] if prompt.endswith("\n") else prompt
    with Model(model, context) as m:
        tokens = m.tokens(prompt)
        first = context // 2
        nll = []
        for start in range(0, len(tokens) // context * context, context):
            window = [vocab_bos(m.vocab), *tokens[start + 1 : start + context]]
            nll.extend(losses(m.logits(window, first)[:-1], window[first + 1 :]))
        mean = np.mean(nll)
        error = np.sqrt((np.mean(np.square(nll)) - mean * mean) / (len(nll) - 1))
        return {"perplexity": np.exp(mean), "error": error * np.exp(mean), "nll": mean, "tokens": len(nll)}


def main():
    declare(llama, "llama_log_set", None, LOG, c.c_void_p)(quiet, None)
    declare(base, "ggml_log_set", None, LOG, c.c_void_p)(quiet, None)
    load_backends(sys.argv[1].encode())
    results = []
    for job in json.load(sys.stdin):
        results.append(globals()[f"do_{job.pop('do')}"](**job))
    json.dump(results, sys.stdout)


main()
