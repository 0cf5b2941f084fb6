"""Receipts: whether a completion is what somebody says. `zagreus complete --receipt`, the library and the server write them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Model

OPTIONS = {
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topK": "top_k",
    "topP": "top_p",
    "minP": "min_p",
    "repetitionPenalty": "repetition_penalty",
    "noRepeatNgram": "no_repeat_ngram",
}
KV_TYPES = ("int8", "f32", "f16", "int4")


def verify(model: Model, receipt: Mapping[str, Any]) -> str | None:
    """Makes the completion again; None when it is the same, or where it parts.

    Raises ValueError for a receipt of another version, of a model that was loaded otherwise, or with options that only the library for
    JavaScript knows.
    """
    options = dict(receipt["options"])
    bias = {token: float(value) for token, value in options.pop("logitBias", [])}
    stop = options.pop("stop", [])
    if receipt["version"] != 1:
        raise ValueError(f"the receipt's version is {receipt['version']}, must be 1")
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise ValueError(f"options of the library for JavaScript: {', '.join(unknown)}")
    if (here := KV_TYPES[model.info["kv_type"]]) != receipt["kvType"]:
        raise ValueError(f"the receipt is of a model with KV type {receipt['kvType']}, this one was loaded with {here}")
    if (context := model.info["context"]) != receipt["contextLength"]:
        raise ValueError(f"the receipt is of a model with {receipt['contextLength']} positions, this one was loaded with {context}")
    if f"{model.hash:016x}" != receipt["model"]:
        return f"model: {receipt['model']} in the receipt, {model.hash:016x} here"
    given = {OPTIONS[name]: value for name, value in options.items()}
    completion = model.complete(receipt["prompt"], seed=int(receipt["seed"]), stop=stop, logit_bias=bias, **given)
    completion.text()
    return _difference(model, receipt, completion)


def _difference(model: Model, receipt: Mapping[str, Any], completion: Any) -> str | None:
    there, here = receipt["tokens"], completion.tokens
    for i in range(max(len(there), len(here))):
        if there[i : i + 1] != here[i : i + 1]:
            return f"token {i}: {there[i] if i < len(there) else None} in the receipt, {here[i] if i < len(here) else None} here"
    logits = hashlib.sha256(model.logits([*receipt["prompt"], *here])).hexdigest()
    ends = {"endToken": completion.end_token, "finishReason": completion.finish_reason, "logits": logits}
    for name, value in ends.items():
        if receipt[name] != value:
            return f"{name}: {receipt[name]} in the receipt, {value} here"
    return None
