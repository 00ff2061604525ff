"""Constrained decoding: which form a request asks for, and the choice that a server which keeps to it answers."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping
from typing import Any

FORMS = {  # the parameter of each
    "json_schema": "response_format",
    "structured_outputs": "structured_outputs",
    "guided_choice": "guided_choice",  # of an object it is guided_json
    "grammar": "grammar",
    "tool": "tool_choice",
}
_PART = re.compile(r'"(?:[^"\\]|\\.)*"|\bvalue\b')  # of the grammar of an object
_ODDS = (0.4, 0.3, 0.15, 0.1, 0.05)


def form_of(body: Mapping[str, Any]) -> str | None:
    """The form that a body asks for, None for one without a constraint."""
    if "guided_json" in body:
        return "guided_choice"
    return next((form for form, parameter in FORMS.items() if parameter in body), None)


def choose(body: Mapping[str, Any], form: str, rng: random.Random) -> str:
    """One of the choices, as the form has it: the text alone, or in an object."""
    if (schema := _schema(body, form)) is not None:
        return json.dumps({name: rng.choice(value["enum"]) for name, value in schema["properties"].items()})
    if form in ("structured_outputs", "guided_choice"):
        found = body[form]
        return rng.choice(found["choice"] if isinstance(found, dict) else found)
    root, _, values = body["grammar"].partition("\nvalue ::= ")
    if not values:
        return rng.choice(_quoted(root))
    return "".join(rng.choice(_quoted(values)) if part == "value" else json.loads(part) for part in _PART.findall(root))


def _quoted(rule: str) -> list[str]:
    return [json.loads(each) for each in re.findall(r'"(?:[^"\\]|\\.)*"', rule)]


def _schema(body: Mapping[str, Any], form: str) -> Any:
    """Of the object that is asked for; None where it is a choice alone."""
    if form == "tool":
        return body["tools"][0]["input_schema"]
    if form == "json_schema":
        return body["response_format"]["json_schema"]["schema"]
    if form == "guided_choice":
        return body.get("guided_json")
    return body["structured_outputs"].get("json") if form == "structured_outputs" else None


def logprobs(text: str, most: int) -> dict[str, Any]:
    """The probabilities of a text's tokens: a 1, an A and a > are likely, the others of their kind less."""
    return {"content": [_token(token, most) for token in re.findall(r"[A-Za-z]{2,}|\s+|.", text, re.DOTALL)]}


def _token(token: str, most: int) -> dict[str, Any]:
    kinds = ("12345", "AB", ">=")
    kind = next((kind for kind in kinds if token in kind), token if len(token) == 1 else "")
    odds = dict(zip(kind, _ODDS)) or {token: 0.9}
    tops = [{"token": each, "logprob": math.log(value)} for each, value in odds.items()]
    return {"token": token, "logprob": math.log(odds[token]), "top_logprobs": tops[:most]}
