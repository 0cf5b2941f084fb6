"""From messages to tokens, through the model's Jinja template.

What people say cannot become control tokens: a character of each such token, its guard, is replaced by a stand-in before the template is
rendered, so that in what it gives only the template's own control tokens are whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from .model import Model

BUILT_IN = {
    "chatml": "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "llama3": "{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{{ message.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
}
ENDS = ("<|end_of_text|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "</s>")  # of every host


def _environment() -> ImmutableSandboxedEnvironment:
    """transformers' own."""

    def raise_exception(message: str):
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals.update(raise_exception=raise_exception, strftime_now=lambda form: datetime.now().strftime(form))
    return environment


class _Shield:
    def __init__(self, names: Sequence[str], text: str):
        self._names = sorted((name for name in names if len(name) > 1), key=len, reverse=True)
        free = (chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
        self._stand_ins = {guard: next(free) for guard in sorted({self._guard(name) for name in self._names})}

    @staticmethod
    def _guard(name: str) -> str:
        if "|" in name:
            return "|"
        found = re.search(r"[^\w\s'\"\\]", name)
        return found[0] if found else name[0]

    def protect(self, value: Any) -> Any:
        if isinstance(value, str):
            for guard, stand_in in self._stand_ins.items():
                value = value.replace(guard, stand_in)
            return value
        if isinstance(value, Mapping):
            return {key: self.protect(item) for key, item in value.items()}
        return [self.protect(item) for item in value] if isinstance(value, (list, tuple)) else value

    def split(self, rendered: str) -> list[str]:
        """Control tokens at the odd places, text between them."""
        parts = re.split(f"({'|'.join(map(re.escape, self._names))})", rendered) if self._names else [rendered]
        return [part if i % 2 else self._restore(part) for i, part in enumerate(parts)]

    def _restore(self, text: str) -> str:
        for guard, stand_in in self._stand_ins.items():
            text = text.replace(stand_in, guard)
        return text


def _choose(model: Model, template: str | None) -> str:
    if template:
        return BUILT_IN.get(template, template)
    if found := model.metadata("tokenizer.chat_template"):
        return found
    raise ValueError('the model has no chat template: it continues texts. Use complete(), or give a template, "chatml" or "llama3"')


def chat_tokens(
    model: Model, messages: Sequence[Mapping[str, Any]], template: str | None, tools: list | None
) -> tuple[list[int], list[str]]:
    """The prompt, and the ends of a turn that are no token in this vocabulary."""
    source = _choose(model, template)
    shield = _Shield(list(model.special), source + json.dumps([messages, tools], ensure_ascii=False))
    names = {token: name for name, token in model.special.items()}
    rendered = _environment().from_string(source).render(
        messages=[shield.protect(dict(message)) for message in messages],
        tools=shield.protect(tools) if tools else None,
        documents=None,
        add_generation_prompt=True,
        bos_token=names.get(model.info["bos"], ""),
        eos_token=names.get(model.info["eos"], ""),
    )
    tokens: list[int] = []
    for i, part in enumerate(shield.split(rendered)):
        tokens += [model.special[part]] if i % 2 else model.tokenize(part, bos=False)
    bos = model.info["bos"]
    begins = tokens[:1] == [bos]
    while tokens[:1] == [bos]:
        del tokens[0]
    if model.info["add_bos"] or begins:
        tokens.insert(0, bos)
    return tokens, [end for end in ENDS if end in source and end not in model.special]
