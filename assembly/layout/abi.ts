// Sizes and identifiers that both sides of the ABI use.

/** The I/O buffer: chunks of the file while loading, text afterwards. */
export const IO_BYTES = 1048576;
/** Longest run of text that one encode() call takes, and so the longest pre-token. */
export const TEXT_BYTES = 65536;
/** Tokens that one forward() call takes at most. */
export const MAX_BATCH = 64;
/** Rows of logits that one logits() call computes at most. */
export const LOGIT_ROWS = 8;
/** Sequences at most. */
export const MAX_SEQUENCES = 16;
/** Entries that top() returns at most. */
export const MAX_TOP = 256;
/** Entries of the logit bias list at most. */
export const MAX_LOGIT_BIAS = 1024;
/** Threads at most, the caller's among them. */
export const MAX_THREADS = 64;
/** takePart(): to the last layer. */
export const ALL_LAYERS = -1;
/** Used when the caller names no context length and the model allows more. */
export const DEFAULT_CONTEXT = 4096;

// KV cache element types
export const KV_INT8 = 0;
export const KV_F32 = 1;
export const KV_F16 = 2;
export const KV_INT4 = 3;

// Kernels that may run, setKernels() takes their sum: the same bits, at another speed
export const KERNEL_STREAMS_ONE = 1; // one token: four streams of weights instead of one
export const KERNEL_STREAMS_FEW = 2; // a few tokens
export const KERNEL_ADD = 4; // relaxed builds: i32x4.relaxed_dot_i8x16_i7x16_add_s instead of i16x8.relaxed_dot_i8x16_i7x16_s
export const KERNEL_BYTES_UNSIGNED = 8; // the same for int8 weights: where that dot takes 0..255 for its seven bits
export const KERNEL_BYTES_SIGNED = 16; // where it takes -128..127
export const KERNEL_ALONE = 32; // the caller's thread computes alone

// encode() flags
export const ENCODE_SPECIAL = 1; // control tokens in the text become their ids; without it they stay text
export const ENCODE_LAST = 2; // no more text follows
export const ENCODE_CONTINUED = 4; // text stands before, other than a special token

// info() identifiers. Model:
export const INFO_LAYERS = 0;
export const INFO_HIDDEN = 1;
export const INFO_INTERMEDIATE = 2;
export const INFO_HEADS = 3;
export const INFO_KV_HEADS = 4;
export const INFO_HEAD_SIZE = 5;
export const INFO_VOCABULARY = 6;
export const INFO_TRAINED_CONTEXT = 7;
export const INFO_CONTEXT = 8;
export const INFO_KV_TYPE = 9;
export const INFO_ROPE_THETA = 10;
export const INFO_NORM_EPSILON = 11;
export const INFO_TIED = 12; // 1 when the LM head is the embedding
export const INFO_BOS = 13; // token id or -1
export const INFO_EOS = 14;
export const INFO_ADD_BOS = 15; // tokenizer.ggml.add_bos_token, 1 when the file does not say
export const INFO_PARAMETERS = 16;
export const INFO_DATA_OFFSET = 17; // first byte of tensor data in the file
export const INFO_FILE_BYTES = 18; // what the file must have
export const INFO_ARENA_BYTES = 19; // the sum of the sections
export const INFO_MEMORY_BYTES = 20; // size of linear memory when the plan is carried out
export const INFO_BLANK_FIRST = 21; // 1 when the tokenizer puts a blank before a text (SentencePiece)
export const INFO_SEQUENCES = 22; // that can be run at once
export const INFO_PAGES = 23; // of the KV cache
export const INFO_PAGE_BYTES = 24;
export const INFO_PAGE_PARTS = 25;
// INFO_SECTION + SECTION_*: bytes of a section of the arena
export const INFO_SECTION = 26;

// Sections of the arena, in the order in which they lie
export const SECTION_WEIGHTS = 0; // packed
export const SECTION_TENSORS = 1; // tensor records, structs of the weights
export const SECTION_TOKENIZER = 2; // tables, and what encode() writes
export const SECTION_KV_CACHE = 3;
export const SECTION_ACTIVATIONS = 4; // and sequences
export const SECTION_SAMPLER = 5; // logits and sampler scratch
export const SECTION_ADAPTERS = 6; // slots that were reserved
export const SECTIONS = 7;

// Sampler parameters, at sampler():
//
//     0 temperature f32 (0: greedy) | 4 top_k i32 (0: off) | 8 top_p f32 (1: off) | 12 min_p f32 (0: off)
//    16 repetition_penalty f32 (1: off) | 20 no_repeat_ngram i32 (0: off) | 24 bias count i32 | 28 masked i32 (0: off)
//    32 MAX_LOGIT_BIAS x { token id u32 | bias f32 } | 8224 penalty count i32 | 4 bytes unused
export const SAMPLER_TEMPERATURE = 0;
export const SAMPLER_TOP_K = 4;
export const SAMPLER_TOP_P = 8;
export const SAMPLER_MIN_P = 12;
export const SAMPLER_REPETITION_PENALTY = 16;
export const SAMPLER_NO_REPEAT_NGRAM = 20;
export const SAMPLER_BIAS_COUNT = 24;
export const SAMPLER_MASKED = 28; // 1: only tokens of samplerMask() are sampled
export const SAMPLER_BIAS = 32;
export const SAMPLER_PENALTY_COUNT = 8224; // 32 + 8 * MAX_LOGIT_BIAS
export const SAMPLER_BYTES = 8232;

// Run, at runs(): neighbouring rows of the batch that belong to one sequence, which are cut to `position` before
//
//     0 sequence u32 | 4 position u32 | 8 count u32
export const RUN_SEQUENCE = 0;
export const RUN_POSITION = 4;
export const RUN_COUNT = 8;
export const RUN_BYTES = 12;

// Tensor record, at tensorEntry(i):
//
//     0 name 64 bytes | 64 name length u32 | 68 ggml type u32 | 72 dims u32 | 76 role u32 | 80 dims u64[4]
//   112 offset u64 (from the data section) | 120 bytes u64 | 128 destination u32 | 132 layer u32
export const TENSOR_NAME = 0;
export const TENSOR_NAME_LENGTH = 64;
export const TENSOR_TYPE = 68;
export const TENSOR_RANK = 72;
export const TENSOR_ROLE = 76;
export const TENSOR_DIMENSIONS = 80;
export const TENSOR_OFFSET = 112;
export const TENSOR_BYTES = 120;
export const TENSOR_DESTINATION = 128;
export const TENSOR_LAYER = 132;
export const TENSOR_RECORD_BYTES = 136;
