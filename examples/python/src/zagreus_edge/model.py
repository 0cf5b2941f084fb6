"""Models, sessions and completions."""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from .chat import chat_tokens
from .module import BUFFER_BYTES, Instance

KV_TYPES = {"int8": 0, "f32": 1, "f16": 2, "int4": 3}
OPTIONS = {
    "max_tokens": 1,
    "temperature": 2,
    "top_k": 3,
    "top_p": 4,
    "min_p": 5,
    "repetition_penalty": 6,
    "no_repeat_ngram": 7,
}
FINISH_REASONS = (None, "stop", "length", "context")
NO_TOKEN = 0xFFFFFFFF
SPECIAL, NO_BOS, CONTINUES = 1, 2, 4
CONTROL = 3
INFO = (
    "layers hidden intermediate heads kv_heads head_size vocabulary trained_context context kv_type bos eos add_bos relaxed "
    "parameters file_bytes memory_bytes"
).split()


def _ids(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data))


class Completion:
    """Pieces of text while they are generated, once: iterate, or take all as `.text()`."""

    def __init__(self, session: Session, close: bool = False):
        self._session = session
        self._close = close
        self.seed: int = struct.unpack("<Q", session._call("complete"))[0]
        self.tokens: list[int] = []
        self.end_token: int | None = None
        self.finish_reason: str | None = None

    def __iter__(self) -> Iterator[str]:
        while self.finish_reason is None:
            piece = self._session._call("next")
            finish, token, end = struct.unpack_from("<III", piece)
            if token != NO_TOKEN:
                self.tokens.append(token)
            if finish:
                self._end(FINISH_REASONS[finish], end)
            if text := piece[12:].decode():
                yield text

    def _end(self, reason: str | None, end: int) -> None:
        self.finish_reason = reason
        self.end_token = None if end == NO_TOKEN else end
        if self._close:
            self._session.close()

    def text(self) -> str:
        return "".join(self)


class Session:
    """A growing sequence of tokens."""

    def __init__(self, model: Model):
        self.model = model
        self._handle: int = struct.unpack("<I", model._instance.call("session_open"))[0]

    def _call(self, name: str, *args) -> bytes:
        return self.model._instance.call(name, self._handle, *args)

    @property
    def tokens(self) -> list[int]:
        return _ids(self._call("session_tokens"))

    def append(self, prompt: str | Iterable[int]) -> None:
        """Text, or token ids."""
        write = self.model._instance.write
        if isinstance(prompt, str):
            self._call("session_append", write(prompt.encode()), 0)
        else:
            ids = list(prompt)
            write(struct.pack(f"<{len(ids)}I", *ids))
            self._call("session_append_tokens", len(ids))

    def complete(self, prompt: str | Iterable[int] = "", **options: Any) -> Completion:
        """Continues the session by a prompt and what the model says to it. Options: those of Model.complete()."""
        self._configure(**options)
        if prompt:
            self.append(prompt)
        return Completion(self)

    def _configure(
        self,
        *,
        seed: int | None = None,
        stop: str | Sequence[str] = (),
        logit_bias: Mapping[int, float] | None = None,
        grammar: bytes = b"",
        **options: float,
    ) -> None:
        for name, value in options.items():
            if name not in OPTIONS:
                raise TypeError(f"there is no option {name}; there are {', '.join([*OPTIONS, 'seed', 'stop', 'logit_bias', 'grammar'])}")
            self._call("session_option", OPTIONS[name], float(value))
        if seed is not None:
            self._call("session_seed", seed - (seed >> 63 << 64))  # as the signed number of the same bits
        self._call("session_stop", 0)
        for text in [stop] if isinstance(stop, str) else stop:
            self._call("session_stop", self.model._instance.write(text.encode()))
        for token, bias in (logit_bias or {}).items():
            self._call("session_bias", token, float(bias))
        self._call("session_grammar", self.model._instance.write(grammar))

    def logits(self) -> array:
        """Of the next token, as floats of 32 bits."""
        return array("f", self._call("logits"))

    def save(self) -> bytes:
        """A snapshot: tokens and KV cache."""
        self._call("save")
        return b"".join(iter(lambda: self.model._instance.call("save_next"), b""))

    def close(self) -> None:
        if self._handle:
            self._call("session_close")
        self._handle = 0


class Model:
    """A loaded model. Not for two threads at once: load one a thread."""

    def __init__(self, instance: Instance):
        self._instance = instance
        self.info: dict[str, int] = dict(zip(INFO, struct.unpack("<14I3Q", instance.call("info"))))
        self.special = self._markers()

    @classmethod
    def load(
        cls,
        source: str | os.PathLike | BinaryIO,
        *,
        context: int = 0,
        kv: str = "int8",
        memory_budget: int = 0,
        build: str = "relaxed",
    ) -> Model:
        """Loads a GGUF file, by its path or as an open one.

        context: positions of the KV cache, 0: the model's own, at most 4096. kv: "int8", "int4", "f16" or "f32". memory_budget: bytes, 0: no
        limit. build: "relaxed", or "simd" for engines without relaxed SIMD; the bits are the same.
        """
        if kv not in KV_TYPES:
            raise ValueError(f'kv is "{kv}", must be one of {", ".join(KV_TYPES)}')
        if not hasattr(source, "read"):
            with open(source, "rb") as file:
                return cls.load(file, context=context, kv=kv, memory_budget=memory_budget, build=build)
        instance = Instance(build)
        instance.call("load_begin", context, KV_TYPES[kv], memory_budget)
        while piece := source.read(BUFFER_BYTES):
            instance.call("load_push", instance.write(piece))
        instance.call("load_end")
        return cls(instance)

    def _markers(self) -> dict[str, int]:
        special: dict[str, int] = {}
        first = 0
        while data := self._instance.call("markers", first):
            at = 0
            while at < len(data):
                token, kind, length = struct.unpack_from("<III", data, at)
                if kind == CONTROL:
                    special[data[at + 12 : at + 12 + length].decode(errors="replace")] = token
                at += 12 + length
                first = token + 1
        return special

    @property
    def hash(self) -> int:
        """Names weights, shape and vocabulary; every host and build has the same."""
        return struct.unpack("<Q", self._instance.call("model_hash"))[0]

    def metadata(self, key: str) -> str:
        """Of the file, as text; empty where there is none."""
        return self._instance.call("metadata", self._instance.write(key.encode())).decode()

    def tokenize(self, text: str, *, special: bool = False, bos: bool = True, continues: bool = False) -> list[int]:
        flags = SPECIAL * special | NO_BOS * (not bos) | CONTINUES * continues
        return _ids(self._instance.call("tokenize", self._instance.write(text.encode()), flags))

    def session(self) -> Session:
        return Session(self)

    def restore(self, snapshot: bytes) -> Session:
        """The session of a snapshot, which may come from another host."""
        session = Session(self)
        try:
            session._call("restore")
            for at in range(0, len(snapshot), BUFFER_BYTES):
                self._instance.call("restore_push", self._instance.write(snapshot[at : at + BUFFER_BYTES]))
            self._instance.call("restore_end")
        except BaseException:
            session.close()
            raise
        return session

    def complete(self, prompt: str | Iterable[int], **options: Any) -> Completion:
        """Continues a text.

        Options: max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, no_repeat_ngram, seed, stop, logit_bias, grammar (what
        `zagreus grammar` compiled for this model: the text is one of it).
        """
        session = self.session()
        try:
            session._configure(**options)
            session.append(prompt)
            return Completion(session, close=True)
        except BaseException:
            session.close()
            raise

    def chat(
        self, messages: Sequence[Mapping[str, Any]], *, template: str | None = None, tools: list | None = None, **options: Any
    ) -> Completion:
        """Answers a conversation, through the template of the model's file."""
        tokens, stop = chat_tokens(self, messages, template, tools)
        given = options.pop("stop", ())
        return self.complete(tokens, stop=[*([given] if isinstance(given, str) else given), *stop], **options)

    def logits(self, tokens: Iterable[int]) -> array:
        """Behind the last of these tokens."""
        session = self.session()
        try:
            session.append(tokens)
            return session.logits()
        finally:
            session.close()
