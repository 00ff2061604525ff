"""Constrained decoding: a reply that can only be one of some choices, asked for in the server's own terms.

Which terms a server takes is learnt like the rest of its dialect: "no FORM" after a refusal, or after a reply that is
none of the choices, and "FORM holds" once a reply was one in that form. What is left at last is to ask in words.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from arena_hard.calling.providers.base import CallError, Dialect, Reply

NAME = "verdict"  # of the schema, the tool, and the one field of both
_AROUND = " \t\r\n[](){}\"'`*."
_FENCE = re.compile(r"\A\s*```(?:json)?(.*?)(?:```\s*)?\Z", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def schema(choices: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of an object whose one field is one of the choices."""
    return {
        "type": "object",
        "properties": {NAME: {"type": "string", "enum": list(choices)}},
        "required": [NAME],
        "additionalProperties": False,
    }


def _json_schema(choices: Sequence[str]) -> dict[str, Any]:
    named = {"name": NAME, "strict": True, "schema": schema(choices)}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _grammar(choices: Sequence[str]) -> dict[str, Any]:
    return {"grammar": f"root ::= {' | '.join(map(json.dumps, choices))}"}


def anthropic_tool(choices: Sequence[str]) -> dict[str, Any]:
    """Anthropic's form: a tool that has to be called."""
    told = "Hands in the final verdict."
    tool = {"name": NAME, "description": told, "input_schema": schema(choices)}
    return {"tools": [tool], "tool_choice": {"type": "tool", "name": NAME}}


def bedrock_tool(choices: Sequence[str]) -> dict[str, Any]:
    """The same in the terms of Converse."""
    told = {"name": NAME, "description": "Hands in the final verdict.", "inputSchema": {"json": schema(choices)}}
    return {"toolConfig": {"tools": [{"toolSpec": told}], "toolChoice": {"tool": {"name": NAME}}}}


Form = Callable[[Sequence[str]], dict[str, Any]]
# of OpenAI's protocol, in the order in which they are tried: the standard's, vLLM's two, llama.cpp's
OPENAI: dict[str, Form] = {
    "json_schema": _json_schema,
    "structured_outputs": lambda choices: {"structured_outputs": {"choice": list(choices)}},
    "guided_choice": lambda choices: {"guided_choice": list(choices)},
    "grammar": _grammar,
}
_AS_THEY_ARE = ("structured_outputs", "guided_choice", "grammar")  # the others are JSON objects
ANTHROPIC: dict[str, Form] = {"tool": anthropic_tool}
BEDROCK: dict[str, Form] = {"tool": bedrock_tool}
# what a refusal calls them
NAMED = {
    "json_schema": re.compile(r"response_?format|json.?schema|structured.?outputs?|\bschema\b"),
    "structured_outputs": re.compile(r"structured_outputs"),
    "guided_choice": re.compile(r"guided"),
    "grammar": re.compile(r"grammar"),
    "tool": re.compile(r"\btools?\b|tool_?choice|tool_?config"),
}


def constraint(forms: Mapping[str, Form], choices: Sequence[str], dialect: Dialect) -> dict[str, Any]:
    """What a body gets in the first form that this server has not refused; nothing without choices, or forms.

    What it has kept to and refuses later, it refuses for another reason.
    """
    taken = (form for name, form in forms.items() if f"{name} holds" in dialect or f"no {name}" not in dialect)
    form = next(taken, None)
    return form(choices) if choices and form else {}


def asked_choices(body: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """(form, choices) of a body that `constraint` was put into; None for others, also with a user's own schema."""
    for forms in (OPENAI, ANTHROPIC, BEDROCK):
        for name, form in forms.items():
            with contextlib.suppress(KeyError, TypeError, IndexError, ValueError):
                choices = _CHOICES[name](body)
                part = form(choices)
                if choices and all(body.get(key) == value for key, value in part.items()):
                    return name, choices
    return None


def _of_schema(found: Any) -> list[str]:
    return list(found["properties"][NAME]["enum"])


def _of_tool(body: Mapping[str, Any]) -> list[str]:
    if "toolConfig" in body:
        return _of_schema(body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"])
    return _of_schema(body["tools"][0]["input_schema"])


_CHOICES: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "json_schema": lambda body: _of_schema(body["response_format"]["json_schema"]["schema"]),
    "structured_outputs": lambda body: list(body["structured_outputs"]["choice"]),
    "guided_choice": lambda body: list(body["guided_choice"]),
    "grammar": lambda body: [json.loads(each) for each in _QUOTED.findall(body["grammar"])],
    "tool": _of_tool,
}


def chosen(content: str, choices: Sequence[str]) -> str | None:
    """The choice that a reply is: as it is, in brackets or quotes, or as the one field of a JSON object."""
    said = _object_or_text(content)
    if isinstance(said, dict):
        value = said.get(NAME)
        said = str(value) if isinstance(value, (str, int)) else ""
    named = {_bare(choice): choice for choice in choices}
    return named.get(_bare(said))


def _object_or_text(content: str) -> dict[str, Any] | str:
    """The JSON object that a reply is, be it fenced; its text where it is none."""
    fenced = _FENCE.match(content)
    said = fenced[1] if fenced else content
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(said)
        return found if isinstance(found, dict) else said
    return said


def _keeps_to(form: str, content: str, choice: str) -> bool:
    """Whether a reply that is this choice is so in the form that was asked for."""
    return content.strip() == choice if form in _AS_THEY_ARE else isinstance(_object_or_text(content), dict)


def _bare(text: str) -> str:
    return "".join(text.strip(_AROUND).split()).upper()


def tool_input(parts: Any) -> str | None:
    """What the tool was called with, as JSON: in a content of Anthropic's or Converse's. None where it was not."""
    for part in parts if isinstance(parts, list) else []:
        called = part.get("toolUse", part) if isinstance(part, Mapping) else None
        if isinstance(called, Mapping) and called.get("name") == NAME:
            given = called.get("input") or called.get("partial_json")  # of a stream it is a text
            return given if isinstance(given, str) else json.dumps(given)
    return None


def in_choices(read: Callable[[], Reply], body: Mapping[str, Any], dialect: Dialect) -> Reply:
    """What is read of a reply. Raises CallError with a lesson where the server ignored the form that it was asked in.

    Once it has kept to the form, a reply that is none of the choices teaches nothing and is handed on. So is a choice
    in another form: the judge did what the words asked for.
    """
    asked = asked_choices(body)
    if asked is None:
        return read()
    form, choices = asked
    is_known = f"{form} holds" in dialect
    try:
        reply = read()
    except CallError as error:
        if error.finish_reason is not None and not is_known:  # a reply came, and no text in it
            error.lesson = f"no {form}"
        raise
    choice = chosen(reply.content, choices)
    if choice is not None and _keeps_to(form, reply.content, choice):
        dialect.add(f"{form} holds")
        return replace(reply, form=form)
    if choice is None and not is_known:
        raise CallError("transient", f"the server ignores {form}", lesson=f"no {form}", usage=reply.usage)
    return reply
