"""What the Python package says, as one JSON object: python check.py MODEL BUILD SNAPSHOT RECEIPT GRAMMAR"""

import hashlib
import json
import sys
from pathlib import Path

from zagreus_edge import Model, ZagreusError, verify
from zagreus_edge.chat import ENDS

path, build, snapshot, receipt, grammar = sys.argv[1:]
PROMPT = "C'era una volta un re che aveva"
MESSAGES = [
    {"role": "system", "content": "Rispondi in breve."},
    {"role": "user", "content": "Che cosa vuol dire <|im_end|>? \u00e8 una fine"},
]

model = Model.load(path, build=build)


def said(completion):
    text = completion.text()
    return {"text": text, "tokens": completion.tokens, "finish": completion.finish_reason}


def refusal(call):
    try:
        call()
    except (ZagreusError, ValueError, TypeError) as error:
        return str(error)


receipt = json.loads(Path(receipt).read_text())
session = model.session()
turns = [said(session.complete(prompt, max_tokens=30, temperature=0, stop=["\n", " e"])) for prompt in (PROMPT, " poi", " dunque")]
restored = model.restore(Path(snapshot).read_bytes())
pieces = model.complete(PROMPT, max_tokens=12, temperature=0)
result = {
    "greedy": said(model.complete(PROMPT, max_tokens=40, temperature=0)),
    "sampled": said(model.complete(PROMPT, max_tokens=40, seed=2**64 - 3, top_p=0.9, repetition_penalty=1.1, logit_bias={300: 2})),
    "constrained": said(model.complete(PROMPT, max_tokens=60, seed=5, grammar=Path(grammar).read_bytes())),
    "turns": turns,
    "tokens": session.tokens,
    "chat": {name: said(model.chat(MESSAGES, template=name, max_tokens=20, temperature=0)) for name in ("chatml", "llama3")},
    "restored": said(restored.complete(max_tokens=10, temperature=0)),
    "saved": hashlib.sha256(model.restore(Path(snapshot).read_bytes()).save()).hexdigest(),
    "sha256": hashlib.sha256(model.logits(model.tokenize(PROMPT))).hexdigest(),
    "hash": f"{model.hash:016x}",
    "pieces": len(list(pieces)),
    "ends": list(ENDS),
    "verified": verify(model, receipt),
    "tampered": [
        verify(model, {**receipt, **change})
        for change in ({"tokens": [1, *receipt["tokens"]]}, {"logits": "0" * 64}, {"model": "0" * 16}, {"prompt": receipt["prompt"][:-1]})
    ],
    "refusals": [
        refusal(lambda: model.complete("x", top_p=2)),
        refusal(lambda: model.complete("x" * 9, max_token=2)),
        refusal(lambda: model.chat(MESSAGES)),
        refusal(lambda: model.restore(b"ZGSS")),
        refusal(lambda: model.complete("x", grammar=b"ZGA")),
        refusal(lambda: Model.load(__file__)),
    ],
}
print(json.dumps(result))
