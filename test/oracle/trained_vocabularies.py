"""Trains small vocabularies as people do, and says what their own libraries make of texts. Needs tokenizers and sentencepiece.

    python3 trained_vocabularies.py FOLDER < {"corpus": [FILE...], "texts": [...]} > [{"name", "oracle", "listed", "ids": [[...]...]}...]

Each vocabulary is written to FOLDER/name as a checkpoint has it: tokenizer.json, or tokenizer.model. `listed`: how the library is known to
differ from llama.cpp, whose rules zagreus-edge has.
"""

import io
import json
import os
import sys

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SIZE = 2000
LLAMA = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
folder = sys.argv[1]
job = json.load(sys.stdin)
results = []


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def byte_level(regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)


def write(name, file, content):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    with open(os.path.join(folder, name, file), "wb") as out:
        out.write(content)


def report(name, oracle, encode, listed=None):
    results.append({"name": name, "oracle": oracle, "listed": listed, "ids": [encode(text) for text in job["texts"]]})


def train_bytes(name, steps, whole=False, alphabet=True, listed=None):
    """Byte-level BPE behind these steps."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=whole))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else [],
        special_tokens=["<|endoftext|>", "<|im_end|>"],
    )
    tokenizer.train(job["corpus"], trainer)
    write(name, "tokenizer.json", tokenizer.to_str().encode())
    # Special tokens in a text are text here: the library has no way to leave them, so an encoder without them is asked.
    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = []
    encoder = Tokenizer.from_str(json.dumps(plain))
    report(name, "tokenizers", lambda text: encoder.encode(text, add_special_tokens=False).ids, listed)


def merges_of(pieces):
    """As transformers makes them of a sentencepiece model: all ways to a token, in the order of the scores."""
    ids = {piece: id for id, piece in enumerate(pieces)}
    merges = []
    for piece, id in ids.items():
        ways = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        ways = [way for way in ways if way[0] in ids and way[1] in ids]
        merges.extend((id, *way) for way in sorted(ways, key=lambda way: (ids[way[0]], ids[way[1]])))
    return [way[1:] for way in sorted(merges, key=lambda merge: merge[0])]


def train_sentencepiece(name, **options):
    model = io.BytesIO()
    lines = [line for file in job["corpus"] for line in open(file, encoding="utf-8")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=SIZE,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
        **options,
    )
    write(name, "tokenizer.model", model.getvalue())
    encoder = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    report(name, "sentencepiece", encoder.encode)
    return encoder


def convert(name, encoder):
    """The same vocabulary as a tokenizer.json, as transformers writes it."""
    pieces = [encoder.id_to_piece(id) for id in range(len(encoder))]
    made = [piece if not (encoder.is_control(id) or encoder.is_unknown(id) or encoder.is_byte(id)) else None for id, piece in enumerate(pieces)]
    ranked = sorted((id for id, piece in enumerate(made) if piece), key=lambda id: -encoder.get_score(id))
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: id for id, piece in enumerate(pieces)},
            merges=merges_of([pieces[id] for id in ranked]),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    write(name, "tokenizer.json", tokenizer.to_str().encode())
    report(name, "tokenizers", lambda text: tokenizer.encode(text, add_special_tokens=False).ids)


digits = pre_tokenizers.Digits(individual_digits=True)
train_bytes("gpt-2", [byte_level(True)])
train_bytes("smollm", [digits, byte_level(True)])
train_bytes("smollm without some bytes", [digits, byte_level(True)], alphabet=False, listed="merges reach across bytes without a token")
train_bytes("llama-bpe", [split(LLAMA), byte_level(False)], whole=True)
train_bytes("smaug-bpe", [split(LLAMA), byte_level(False)])
train_bytes("qwen2", [split(LLAMA.replace("{1,3}", "")), byte_level(False)])
train_bytes("minicpm5", [split(r"\p{N}{1,3}"), split(LLAMA.replace("{1,3}", "+")), byte_level(False)], whole=True)
encoder = train_sentencepiece("sentencepiece", split_digits=True)
convert("sentencepiece as tokenizer.json", encoder)
train_sentencepiece("sentencepiece, no blank first", add_dummy_prefix=False)
train_sentencepiece("sentencepiece, across words", split_by_whitespace=False, max_sentencepiece_length=12)
json.dump(results, sys.stdout)
