// GGUF v2 / v3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), all little-endian:
//
//     magic "GGUF" | version u32 | tensor_count u64 | metadata_kv_count u64
//     metadata_kv_count x { key: string | type u32 | value }
//     tensor_count      x { name: string | n_dims u32 | dims u64[n_dims] | type u32 | offset u64 }
//     padding to `general.alignment` | tensor data, each tensor at its aligned offset from here
//
//     string = length u64 | UTF-8 bytes          array = element type u32 | count u64 | elements

export const GGUF_MAGIC = 0x46554747; // "GGUF"
export const GGUF_VERSION_MIN = 2;
export const GGUF_VERSION_MAX = 3;
export const GGUF_DEFAULT_ALIGNMENT = 32;

// Metadata value types
export const VALUE_U8 = 0;
export const VALUE_I8 = 1;
export const VALUE_U16 = 2;
export const VALUE_I16 = 3;
export const VALUE_U32 = 4;
export const VALUE_I32 = 5;
export const VALUE_F32 = 6;
export const VALUE_BOOL = 7;
export const VALUE_STRING = 8;
export const VALUE_ARRAY = 9;
export const VALUE_U64 = 10;
export const VALUE_I64 = 11;
export const VALUE_F64 = 12;

// Token types (tokenizer.ggml.token_type)
export const TOKEN_NORMAL = 1;
export const TOKEN_UNKNOWN = 2;
export const TOKEN_CONTROL = 3;
export const TOKEN_USER_DEFINED = 4;
export const TOKEN_UNUSED = 5;
export const TOKEN_BYTE = 6;

/** How the families of models mark the end of a text or of a turn: control tokens, though some files type them as user-defined. */
export const END_TOKENS = `<|end_of_text|> <|endoftext|> <|eot_id|> <|eom_id|> <|im_end|> <|end|> </s>`;

// Limits, checked before anything is allocated
export const MAX_HEADER_BYTES = 134217728; // 128 MiB: the largest public vocabularies need 20
export const MAX_METADATA = 4096; // keys; real files have 20 to 80
export const MAX_TENSORS = 16384;
export const MAX_KEY_BYTES = 65535; // the specification's
export const MAX_STRING_BYTES = 16777216; // a chat template is 10 KB
export const MAX_TENSOR_NAME_BYTES = 64; // GGML_MAX_NAME
export const MAX_DIMENSIONS = 4;
export const MAX_DIMENSION = 2097152; // rows or columns
export const MAX_LAYERS = 1024;
export const MAX_HEADS = 1024;
export const MAX_HEAD_SIZE = 512;
export const MAX_VOCABULARY = 2097152;
export const MAX_TOKEN_BYTES = 1024; // of one vocabulary entry
export const MAX_SPECIALS = 262144; // control and user-defined tokens; models of speech have 65,536
export const MAX_SPECIAL_BYTES = 4194304; // of all of them
export const MAX_CONTEXT = 1048576;
export const MAX_ALIGNMENT = 1048576;
