// Status codes that cross the ABI. Every call that can fail returns one of these; from FIRST_ERROR on it is an error, and
// errorField / errorValue / errorExpected say which field had which value where another was expected.

export const OK = 0;
export const NEED_BYTES = 1; // feed more
export const HEADER_READY = 2; // metadata and tensor records may be read; call plan() to go on
export const LOADED = 3; // every tensor is packed

export const FIRST_ERROR = 16;

// The file
export const BAD_MAGIC = 16; // value: the first four bytes as u32
export const UNSUPPORTED_VERSION = 17; // value: version
export const HEADER_TOO_LARGE = 18; // value: bytes the header needs at least, expected: the limit
export const BAD_COUNT = 19; // field: tensor_count | metadata_kv_count, expected: the limit
export const BAD_STRING_LENGTH = 20; // value: length, expected: the limit
export const BAD_VALUE_TYPE = 21; // value: GGUF value type found, expected: the one needed
export const BAD_ARRAY_LENGTH = 22;
export const BAD_ELEMENT_TYPE = 23; // an array's element type
export const DUPLICATE_KEY = 24;
export const MISSING_KEY = 25;
export const BAD_VALUE = 26; // expected: the nearest value that would do
export const BAD_ALIGNMENT = 27;
export const BAD_RANK = 28; // a tensor's number of dimensions
export const BAD_DIMENSION = 29;
export const UNSUPPORTED_TENSOR_TYPE = 30; // value: ggml type
export const BAD_OFFSET = 31;
export const DUPLICATE_TENSOR = 32;
export const MISSING_TENSOR = 33;
export const UNEXPECTED_TENSOR = 34;
export const UNSUPPORTED_ARCHITECTURE = 35; // field: the value of general.architecture
export const UNSUPPORTED_ROPE_SCALING = 36; // field: the value of <arch>.rope.scaling.type
export const UNSUPPORTED_TOKENIZER = 37; // field: the value of tokenizer.ggml.model or .pre
export const BAD_VOCABULARY = 38; // field: the key or the token, value: its index
export const NON_FINITE_WEIGHT = 39; // field: the tensor, value: row
export const TRUNCATED = 40; // field: what was being read, value: bytes seen, expected: bytes needed at least
export const TRAILING_BYTES = 41; // safetensors only; value: bytes after the last tensor

// The machine
export const OVER_BUDGET = 48; // value: bytes needed, expected: the budget
export const OUT_OF_MEMORY = 49; // value: bytes needed

// The caller
export const WRONG_STATE = 56; // a call before begin(), plan() or LOADED
export const BAD_OPTION = 57; // field: the option, expected: the limit
export const BAD_TOKEN = 58; // value: token id, expected: the vocabulary size
export const CONTEXT_OVERFLOW = 59; // value: positions needed, expected: the context length
export const ACTIVATION_OVERFLOW = 61; // value: an activation, expected: what it must stay below
export const PRETOKEN_TOO_LONG = 60; // value: bytes without a boundary, expected: the limit
