// Pre-tokenizers of GPT-2's family: they cut a text into the pieces that byte-pair encoding works on, and differ in a few data
// (assembly/tokenizer/split/gpt2.ts). A row has two lines:
//
//     names     values of tokenizer.ggml.pre; files are written with the first
//     data      digits that a number has at most, 0: any
//               | contractions: exact | folded (ASCII case) | last: folded, and the end of a word | - none
//               | before letters: blank (before numbers too) | other: any character but letters, numbers and line breaks
//                 | cased: likewise, and a word's capitals (of ASCII, as llama.cpp has it) stand at its beginning
//               | line breaks: own pieces, and the end of symbols | slash: likewise, with slashes | blank: the end of white space only
//                 | - as other white space
//               | numbers: first: cut before all else, as if the text ended there | -
//               | words: whole: one that is a token becomes it, merges or not | -
//               | bos: before each text where tokenizer.ggml.add_bos_token does not say | -

export const SPLITTERS = `
llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano
3 folded other own - whole bos
smaug-bpe dbrx glm4 chatglm-bpe
3 folded other own - - -
qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 bailingmoe bailingmoe2 llada-moe
1 folded other own - - -
seed-coder
1 folded other blank - - -
ufakzeka
1 - other own - - -
minicpm5
3 folded other own first whole -
tekken
1 - cased slash - whole bos
gpt-4o llama4 kanana2 talkie minimax-m2
3 last cased slash - - -
smollm starcoder refact command-r codeshell exaone minerva-7b mellum2
1 exact blank - first - -
gpt-2 phi-2 olmo mpt jais trillion exaone4 gigachat mellum a.x-4.0 granite-docling
0 exact blank - - - -
`;

// The first five data, and a regular expression in tokenizer.json that says the same (behind the numbers, where they are first). Those of
// the cased ones are llama.cpp's; the makers' have \p{Lu} and \p{M} instead and are refused, though no cut in test/fixtures/text differs.

export const PATTERNS = `
3 folded other own -
(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
1 folded other own -
(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
1 folded other own -
'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+
1 folded other blank -
(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
1 - other own -
[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
3 folded other own first
(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
1 - cased slash -
[^\\r\\n\\p{L}\\p{N}]?((?=[\\p{L}])([^a-z]))*((?=[\\p{L}])([^A-Z]))+|[^\\r\\n\\p{L}\\p{N}]?((?=[\\p{L}])([^a-z]))+((?=[\\p{L}])([^A-Z]))*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
3 last cased slash -
[^\\r\\n\\p{L}\\p{N}]?((?=[\\p{L}])([^a-z]))*((?=[\\p{L}])([^A-Z]))+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\\r\\n\\p{L}\\p{N}]?((?=[\\p{L}])([^a-z]))+((?=[\\p{L}])([^A-Z]))*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+
1 exact blank - first
's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+
0 exact blank - -
's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+
`;
