"""Renders templates for three conversations, as transformers' environment does: called by templates.mjs.

    python3 test/oracle/templates.py FOLDER

Prints {"conversations": [...], "rendered": [{"template", "conversation", "arguments", "text"}, ...]} as JSON, with what jinja2 renders. A
call's arguments are a mapping, as transformers documents them, or text where a template takes nothing else.
"""

import json
import pathlib
import sys

from transformers.utils import chat_template_utils

SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
USER = {"role": "user", "content": "Che tempo fa a Roma?"}
PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "The city's \"name\""},
        "days": {"type": "integer", "default": 3},
        "ratio": {"type": "number"},
        "detail": {"type": "boolean", "default": False},
        "units": {"type": "string", "enum": ["c", "f"]},
        "places": {"type": "array", "items": {"type": "string"}},
        "options": {"type": "object", "properties": {"deep": {"type": "array", "items": {"type": "integer"}}}},
    },
    "required": ["city"],
}
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Ritorna il meteo <b>per</b> una città", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "now", "description": "Tells the time", "parameters": {"type": "object", "properties": {}}}},
]
ARGUMENTS = {
    "city": "Roma & l'\"Urbe\"",
    "days": 2,
    "ratio": 1.5,
    "detail": True,
    "units": None,
    "places": ["a", "b'c"],
    "options": {"deep": [1, 2], "more": {"x": False, "y": None}},
}


def with_tools(arguments):
    call = {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    return [
        SYSTEM,
        USER,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call00001", "name": "get_weather", "content": '{"temp": 30}'},
        {"role": "assistant", "content": "30 °C."},
        {"role": "user", "content": "Grazie!"},
    ]


CONVERSATIONS = {
    "plain": lambda _: [SYSTEM, USER, {"role": "assistant", "content": "Sole.\nMolto."}, {"role": "user", "content": "Ok"}],
    "no system message": lambda _: [USER],
    "tools": with_tools,
}


def render(template, name, arguments):
    """With tools as None where there are none, as transformers does; left out where that fails."""
    given = {"messages": CONVERSATIONS[name](arguments), "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
    attempts = [{"tools": TOOLS}] if name == "tools" else [{"tools": None}, {}]
    for attempt in attempts:
        try:
            return chat_template_utils._compile_jinja_template(template).render(documents=None, **given, **attempt)
        except Exception:  # jinja2 raises what it likes
            continue
    return None


def main(folder):
    sys.setrecursionlimit(10_000)
    rendered = []
    for path in sorted(pathlib.Path(folder).glob("*.jinja")):
        for name in CONVERSATIONS:
            for kind, arguments in ("mapping", ARGUMENTS), ("text", json.dumps(ARGUMENTS, ensure_ascii=False)):
                text = render(path.read_text(), name, arguments)
                if text is not None:
                    rendered.append({"template": path.name, "conversation": name, "arguments": kind, "text": text})
                    break
    sent = json.dumps(ARGUMENTS, ensure_ascii=False)
    conversations = {name: {"messages": make(sent), "tools": TOOLS if name == "tools" else None} for name, make in CONVERSATIONS.items()}
    json.dump({"conversations": conversations, "rendered": rendered}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
