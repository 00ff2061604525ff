"""A value that a key cannot have, in words: what it is, what is allowed, what to write."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin

import msgspec

from arena_hard.data.places import Place
from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.records import UserError
from arena_hard.data.value_types import LARGEST, argument, bare, kinds_of, limits_of
from arena_hard.data.variables import names_variable

_NAMES = {  # texts in which no environment variable is looked for
    *("model_name", "model_id", "tokenizer", "reasoning_effort", "regions", "bench_name", "model_list"),
    *("judge_model", "ref_model", "baseline_model"),
}
_NUMBERS = (bool, int, float)
_ALONE = {"EndpointSettings": "an address, or "}  # what may stand for the mapping
_SHOWN = 40  # characters of a value
_EXAMPLES: dict[str, str] = {
    "model_name": "my-org/my-model",
    "endpoints": "http://localhost:8000/v1",
    "api_type": "openai",
    "api_base": "http://localhost:8000/v1",
    "api_key": "${OPENAI_API_KEY}",
    "verify": "/etc/ssl/my-authority.pem",
    "parallel": "8",
    "tokenizer": "gpt-4",
    "context_length": "32768",
    "system_prompt": "You are a helpful assistant.",
    "temperature": "0.0",
    "max_tokens": "4096",
    "requests_per_minute": "60",
    "tokens_per_minute": "100000",
    "reasoning_effort": "high",
    "thinking": "8000",
    "extra_body": "{top_p: 0.9}",
    "stop": '["</s>"]',
    "end_think_token": "</think>",
    "record": "recorded.jsonl",
    "serve": "vllm serve my-org/my-model --port {port}",
    "price": "{input: 0.4, output: 1.6}",
    "regions": "us-central1",
    "bench_name": "arena-hard-v0.1",
    "model_list": "[my-model]",
    "judge_model": "gpt-4-1106-preview",
    "ref_model": "[gpt-4-0314]",
    "verdict": "constrained",
    "prompt_template": '["{question_1} {answer_1} {answer_2}"]',
    "categories": "{creative_writing: {baseline_model: my-baseline}}",
    "options": "{name: value}",
}


def check_value(value: Any, field: msgspec.structs.FieldInfo, place: Place) -> None:
    """Raise UserError, with the remedy, where a field cannot have this value."""
    texts: list[Any] = value if is_list(value) else [value]
    variable = next((each for each in texts if isinstance(each, str) and names_variable(each)), None)
    if variable is not None and field.name in _NAMES:
        around = Place(place.file, None, place.keys[:-1], place.line)
        raise UserError(
            f"{around}: {field.name} is {variable!r}, and environment variables are read in endpoints only. Write the "
            "name itself."
        )
    found = _fault(value, field.type, place)
    if found is not None:
        where, seen, hint = found
        around = Place(where.file, None, where.keys[:-1], where.line)
        said = f"{where.keys[-1]} is {_seen(seen, hint)} and must be {allowed(hint)}"
        raise UserError(f"{around}: {said}. {remedy(field, seen, hint)}")


def remedy(field: msgspec.structs.FieldInfo, seen: Any = None, hint: Any = str) -> str:
    """What to write for a field."""
    if field.name == "regex_pattern" and is_object(seen):
        return "Write a pattern, or {name: ..., pattern: ...}."
    if is_object(seen) and str in map(bare, kinds_of(hint)):
        return "Put it into quotes if the braces, or a colon with a space, are meant as text."
    example = _EXAMPLES.get(field.name) or _default_of(field)
    written = f"Write it like {field.name}: {example}" if example else "Fix the value"
    return f"{written}." if field.required or field.name == "model_name" else f"{written}, or leave the key out."


def allowed(hint: Any) -> str:
    """What a value may be."""
    kinds = [kind for kind in kinds_of(hint) if kind is not type(None)]
    words = [word for kind in kinds if (word := _kind(kind))]
    return " or ".join(dict.fromkeys(words))


def _fault(value: Any, hint: Any, place: Place) -> tuple[Place, Any, Any] | None:
    """The innermost place where a value does not fit, the value there, and what it should be."""
    try:
        msgspec.convert(value, hint)
        return None
    except msgspec.ValidationError:
        kinds = kinds_of(hint)
    items, named = argument(kinds, list, 0), argument(kinds, dict, 1)
    inner: list[tuple[Place, Any, Any]] = []
    if is_list(value) and items is not None:
        inner = [(place.item(number), each, items) for number, each in enumerate(value, 1)]
    elif is_object(value) and named is not None:
        inner = [(place.at(key), each, named) for key, each in value.items()]
    faults = (_fault(each, kind, where) for where, each, kind in inner)
    return next((found for found in faults if found), (place, value, hint))


def _default_of(field: msgspec.structs.FieldInfo) -> str:
    default = field.default
    return json.dumps(default) if isinstance(default, (int, float)) else default if isinstance(default, str) else ""


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    plain: Any = bare(kind)
    if get_origin(plain) is list:
        return f"a list, each of it {allowed(get_args(plain)[0])}"
    if get_origin(plain) is dict:
        values = get_args(plain)[1]
        return "keys with values" if bare(values) is Any else f"keys, each with {allowed(values)}"
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        return f"{_ALONE.get(plain.__name__, '')}keys with values ({', '.join(plain.__struct_fields__[:3])}, ...)"
    words: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return words.get(plain, "") + _limits(limits_of(kind))


def _limits(limits: msgspec.Meta | None) -> str:
    if limits is None or limits.min_length is not None:
        return ""
    most = f" and at most {limits.le}" * (limits.le is not None and limits.le < LARGEST)
    return (f" above {limits.gt:g}" if limits.gt is not None else f" of at least {limits.ge:g}") + most


def _seen(value: Any, hint: Any) -> str:
    """A value, short; of a list or mapping only that it is one, and of a text where none can stand: it may be a key."""
    if value is None:
        return "null"
    if is_list(value):
        return "a list"
    if is_object(value):
        return "a mapping"
    if isinstance(value, str) and not value.strip():
        return "empty"
    countable = any(bare(kind) in _NUMBERS or get_origin(kind) is Literal for kind in kinds_of(hint))
    if isinstance(value, str) and not countable:
        return "a text"
    text = json.dumps(value) if isinstance(value, (bool, int, float)) else repr(str(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
