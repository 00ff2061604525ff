"""Constrained decoding: a reply that can only be one of some choices, or an object with one in each of its fields.

It is asked for in the server's own terms.

Which terms a server takes is learnt like the rest of its dialect: "no FORM" after a refusal, or after a reply that is
none of the choices, and "FORM holds" once a reply was one in that form. What is left at last is to ask in words.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from arena_hard.calling.providers.base import CallError, Dialect, Reply, Request

_FILTERED = "content_filter"  # a reason for the end of a reply, in our words
NAME = "verdict"  # of the schema, the tool, and of the one field of both where a request names none
_AROUND = " \t\r\n[](){}\"'`*."
_FENCE = re.compile(r"\A\s*```(?:json)?(.*?)(?:```\s*)?\Z", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class Allowed(NamedTuple):
    """What a reply may be: one of the choices or, where fields are named, an object with one of them in each field."""

    choices: tuple[str, ...]
    fields: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the object; it has one field where none is named."""
        names = self.fields or (NAME,)
        return {
            "type": "object",
            "properties": {name: {"type": "string", "enum": list(self.choices)} for name in names},
            "required": list(names),
            "additionalProperties": False,
        }


def _json_schema(allowed: Allowed) -> dict[str, Any]:
    named = {"name": NAME, "strict": True, "schema": allowed.schema()}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _structured_outputs(allowed: Allowed) -> dict[str, Any]:
    asked = {"json": allowed.schema()} if allowed.fields else {"choice": list(allowed.choices)}
    return {"structured_outputs": asked}


def _guided(allowed: Allowed) -> dict[str, Any]:
    return {"guided_json": allowed.schema()} if allowed.fields else {"guided_choice": list(allowed.choices)}


def _grammar(allowed: Allowed) -> dict[str, Any]:
    if not allowed.fields:
        return {"grammar": f"root ::= {' | '.join(map(json.dumps, allowed.choices))}"}
    fields = ' ", " '.join(json.dumps(f"{json.dumps(name)}: ") + " value" for name in allowed.fields)
    values = " | ".join(json.dumps(json.dumps(choice)) for choice in allowed.choices)
    return {"grammar": f'root ::= "{{" {fields} "}}"\nvalue ::= {values}'}


def anthropic_tool(allowed: Allowed) -> dict[str, Any]:
    """Anthropic's form: a tool that has to be called."""
    tool = {"name": NAME, "description": _told(allowed), "input_schema": allowed.schema()}
    return {"tools": [tool], "tool_choice": {"type": "tool", "name": NAME}}


def bedrock_tool(allowed: Allowed) -> dict[str, Any]:
    """The same in the terms of Converse."""
    told = {"name": NAME, "description": _told(allowed), "inputSchema": {"json": allowed.schema()}}
    return {"toolConfig": {"tools": [{"toolSpec": told}], "toolChoice": {"tool": {"name": NAME}}}}


def _told(allowed: Allowed) -> str:
    return "Hands in the answer, field by field." if allowed.fields else "Hands in the final verdict."


Form = Callable[[Allowed], dict[str, Any]]
# of OpenAI's protocol, in the order in which they are tried: the standard's, vLLM's two, llama.cpp's
OPENAI: dict[str, Form] = {
    "json_schema": _json_schema,
    "structured_outputs": _structured_outputs,
    "guided_choice": _guided,
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


def constraint(forms: Mapping[str, Form], request: Request, dialect: Dialect) -> dict[str, Any]:
    """What a body gets in the first form that this server has not refused; nothing without choices, or forms.

    What it has kept to and refuses later, it refuses for another reason.
    """
    taken = (form for name, form in forms.items() if f"{name} holds" in dialect or f"no {name}" not in dialect)
    form = next(taken, None)
    return form(Allowed(request.choices, request.fields)) if request.choices and form else {}


def asked_for(body: Mapping[str, Any]) -> tuple[str, Allowed] | None:
    """(form, what is allowed) of a body that `constraint` was put into; None for others, such as a user's own."""
    if _KEYS.isdisjoint(body):
        return None
    for forms in (OPENAI, ANTHROPIC, BEDROCK):
        for name, form in forms.items():
            with contextlib.suppress(KeyError, TypeError, IndexError, ValueError, AttributeError):
                allowed = _ALLOWED[name](body)
                part = form(allowed)
                if allowed.choices and all(body.get(key) == value for key, value in part.items()):
                    return name, allowed
    return None


def _of_schema(found: Any) -> Allowed:
    properties = found["properties"]
    names = tuple(properties)
    return Allowed(tuple(properties[names[0]]["enum"]), () if names == (NAME,) else names)


def _of_structured_outputs(body: Mapping[str, Any]) -> Allowed:
    asked = body["structured_outputs"]
    return _of_schema(asked["json"]) if "json" in asked else Allowed(tuple(asked["choice"]))


def _of_guided(body: Mapping[str, Any]) -> Allowed:
    return _of_schema(body["guided_json"]) if "guided_json" in body else Allowed(tuple(body["guided_choice"]))


def _of_grammar(body: Mapping[str, Any]) -> Allowed:
    root, _, values = body["grammar"].partition("\nvalue ::= ")
    texts = [json.loads(each) for each in _QUOTED.findall(values or root)]
    if not values:
        return Allowed(tuple(texts))
    names = [json.loads(each) for each in _QUOTED.findall(root)]
    fields = tuple(json.loads(name.removesuffix(": ")) for name in names if name.endswith(": "))
    return Allowed(tuple(map(json.loads, texts)), fields)


def _of_tool(body: Mapping[str, Any]) -> Allowed:
    if "toolConfig" in body:
        return _of_schema(body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"])
    return _of_schema(body["tools"][0]["input_schema"])


_ALLOWED: dict[str, Callable[[Mapping[str, Any]], Allowed]] = {
    "json_schema": lambda body: _of_schema(body["response_format"]["json_schema"]["schema"]),
    "structured_outputs": _of_structured_outputs,
    "guided_choice": _of_guided,
    "grammar": _of_grammar,
    "tool": _of_tool,
}
# one of which every form puts into a body
_KEYS = {"response_format", "structured_outputs", "guided_choice", "guided_json", "grammar", "tools", "toolConfig"}


def chosen(content: str, choices: Sequence[str]) -> str | None:
    """The choice that a reply is: as it is, in brackets or quotes, or as the one field of a JSON object."""
    said = _object_or_text(content)
    if isinstance(said, dict):
        value = said.get(NAME)
        said = str(value) if isinstance(value, (str, int)) else ""
    named = {_bare(choice): choice for choice in choices}
    return named.get(_bare(said))


def filled(content: str, allowed: Allowed) -> dict[str, str] | None:
    """The choice in each field of the object that a reply is; None for any other reply."""
    said = _object_or_text(content)
    if not isinstance(said, dict) or said.keys() != set(allowed.fields):
        return None
    named = {_bare(choice): choice for choice in allowed.choices}
    found = {name: named.get(_bare(value)) for name, value in said.items() if isinstance(value, str)}
    known = {name: found[name] for name in allowed.fields if found.get(name)}
    return {name: str(choice) for name, choice in known.items()} if len(known) == len(allowed.fields) else None


def _object_or_text(content: str) -> dict[str, Any] | str:
    """The JSON object that a reply is, be it fenced; its text where it is none."""
    fenced = _FENCE.match(content)
    said = fenced[1] if fenced else content
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(said)
        return found if isinstance(found, dict) else said
    return said


def _keeps_to(form: str, content: str, allowed: Allowed) -> bool | None:
    """Whether a reply keeps to the form that it was asked for in; None for one that is nothing of what is allowed."""
    if allowed.fields:
        return True if filled(content, allowed) else None
    choice = chosen(content, allowed.choices)
    if choice is None:
        return None
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
    in another form: the judge did what the words asked for. A refusal to answer, or a filter, says nothing of the form.
    """
    asked = asked_for(body)
    if asked is None:
        return read()
    form, allowed = asked
    is_known = f"{form} holds" in dialect
    try:
        reply = read()
    except CallError as error:
        if error.finish_reason not in (None, _FILTERED) and not is_known:  # a reply came, and no text in it
            error.lesson = f"no {form}"
        raise
    holds = _keeps_to(form, reply.content, allowed)
    if holds:
        dialect.add(f"{form} holds")
        return replace(reply, form=form)
    if holds is None and not is_known and not reply.refuses and reply.finish_reason != _FILTERED:
        raise CallError("transient", f"the server ignores {form}", lesson=f"no {form}", usage=reply.usage)
    return reply
