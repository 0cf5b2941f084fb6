// Pre-tokenizers of GPT-2's family: they cut a text into the pieces that byte-pair encoding works on, and differ in four data
// (assembly/tokenizer/split/gpt2.ts). A row has three lines:
//
//     names     values of tokenizer.ggml.pre; files are written with the first
//     data      digits that a number has at most, 0: any
//               | contractions: exact | folded (ASCII case)
//               | before letters: blank (before numbers too) | other: any character but letters, numbers and line breaks
//               | line breaks: none | own pieces
//     pattern   the regular expression in tokenizer.json, which a checkpoint's is recognized by

export const SPLITTERS = `
llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano
3 folded other own
(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
`;
