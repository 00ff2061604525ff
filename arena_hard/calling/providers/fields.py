"""What is needed of a reply, read field by field: one that has an odd type is passed over and noted.

A reply is paid for. Gateways send usage as floats or texts, contents as lists, and reasons as objects; none of that
is a cause to throw an answer away.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

from arena_hard.calling.providers.base import Note, without_secrets
from arena_hard.data import secrets

_DIGITS = re.compile(r"\s*(\d{1,15})(?:\.0*)?\s*")
_WRAPPERS = ("data", "result", "response", "body", "output", "completion")
_DEEPEST = 3  # of wrappers within each other
_SHOWN = 60  # characters of an odd value
_MOST = 10**9  # what is above it counts no tokens, and is no number of an error
# what the parts of a content call their texts, and the kinds of parts that hold a thought or a plain text
_TEXTS = ("text", "content", "value", "output_text", "citationsContent")
_THOUGHTS = ("thinking", "reasoning", "thought", "reasoning_content", "reasoningText", "summary", *_TEXTS)
_THOUGHT_KINDS = ("thinking", "reasoning", "thought")
_TEXT_KINDS = ("text", "output_text", "input_text", "message", "")


class Fields:
    """One object of a reply, and its place in it. What is odd is noted in a list that all objects of a reply share."""

    def __init__(self, values: Any, place: str = "", notes: list[Note] | None = None) -> None:
        self.notes: list[Note] = [] if notes is None else notes
        self._place = place
        self._values: Mapping[str, Any] = {}
        values = alone(values)
        if isinstance(values, Mapping):
            self._values = values
        elif values:
            self._note("", values)

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    @property
    def whole(self) -> Mapping[str, Any]:
        """The object itself."""
        return self._values

    def raw(self, key: str) -> Any:
        """Whatever stands there; None where nothing does."""
        return self._values.get(key)

    def inner(self, key: str) -> Fields:
        """An object in it; an empty one where there is none."""
        return Fields(self._values.get(key), self._name(key), self.notes)

    def first(self, key: str) -> Fields:
        """The object of a list that says index 0, or else its first one; an empty one where there is none."""
        value = self._values.get(key)
        if isinstance(value, list):
            numbered = (each for each in value if isinstance(each, Mapping) and whole_number(each.get("index")) == 0)
            return Fields(next(numbered, value[0] if value else None), self._name(key), self.notes)
        return self.inner(key)

    def text(self, key: str) -> str | None:
        """A text that is not empty, or None."""
        value = self._values.get(key)
        if isinstance(value, str):
            return value or None
        if value:
            self._note(key, value)
        return None

    def count(self, *keys: str) -> int | None:
        """The whole number under the first of these names that counts something, also as 12.0 or '12'.

        0 where none does, None where none is there, or it is odd.
        """
        found = None
        for key in keys:
            value = self._values.get(key)
            if value is None:
                continue
            found = whole_number(value)
            if found is None or found < 0:
                self._note(key, value)
                return None
            if found:
                return found
        return found

    def word(self, key: str) -> str | None:
        """A word such as a finish reason, also as an object that has it as its type, or as the number of an error."""
        value = self._values.get(key)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, Mapping):
            named = next((value[name] for name in ("type", "reason", "name") if isinstance(value.get(name), str)), None)
            if named:
                return named.strip() or None
        if isinstance(value, str):
            return value.strip() or None
        if value is not None:
            self._note(key, value)
        number = whole_number(value)
        return str(number) if number is not None and 400 <= number < 600 else None

    def note_no_end(self, key: str) -> None:
        """Note that a reason stands there and says nothing, so that nobody knows whether the answer is whole."""
        if key in self._values and self._values[key] in (None, ""):
            self.notes.append(("end", f"{self._name(key)}: {_in_json(self._values[key])}"))

    def said(self, key: str) -> tuple[str, str]:
        """(answer, thought) of a content: a text, or parts with a text, of which some are thoughts."""
        answer: list[str] = []
        thought: list[str] = []
        value = self._values.get(key)
        for part in value if isinstance(value, list) else [value]:
            self._take(key, part, answer, thought)
        if isinstance(value, Mapping) and value and not value.get("type") and not any((*answer, *thought)):
            answer.append(self._odd_object(key, value))
        return "".join(answer), "\n\n".join(filter(None, thought))

    def _take(self, key: str, part: Any, answer: list[str], thought: list[str]) -> None:
        if isinstance(part, str):
            answer.append(part)
        elif isinstance(part, Mapping):
            self._take_object(key, part, answer, thought)
        elif isinstance(part, list):
            for each in part:
                self._take(key, each, answer, thought)
        elif _is_number(part):
            answer.append(json.dumps(part))  # an answer such as 42, which a gateway took for a number
            self._note(key, part)
        elif part:
            self._note(key, part)

    def _take_object(self, key: str, part: Mapping[str, Any], answer: list[str], thought: list[str]) -> None:
        kind = part.get("type") or ""
        kind = kind.lower() if isinstance(kind, str) else "?"
        if "reasoningContent" in part:  # Bedrock's, whose parts have no type
            thought.append(words_of(part["reasoningContent"], _THOUGHTS))
            return
        if "parts" in part and not kind:  # Gemini's
            self._take(key, part["parts"], answer, thought)
            return
        if str(part.get("role") or part.get("sender_type")).lower() == "user":  # what was asked
            return
        if part.get("thought") is True or any(word in kind for word in _THOUGHT_KINDS):
            thought.append(words_of(part, _THOUGHTS))
            return
        names = _TEXTS if kind in _TEXT_KINDS else ("text", "refusal")
        words = words_of(part, names)
        if words and kind not in (*_TEXT_KINDS, "refusal"):
            self._note(f"{key}.type", part.get("type"))
        number = None if words else next((name for name in names if _is_number(part.get(name))), None)
        if number:
            self._take(f"{key}.{number}", part[number], answer, thought)
        answer.append(words)

    def _odd_object(self, key: str, value: Mapping[str, Any]) -> str:
        """An object in the place of a text: the one text in it, else its JSON, which a gateway took for data."""
        texts = [each for each in value.values() if isinstance(each, str) and each.strip()]
        numbers = [each for each in value.values() if _is_number(each)]
        if not texts and len(numbers) != 1:
            return ""
        self._note(key, value)
        if not texts:
            return json.dumps(numbers[0])
        return texts[0] if len(texts) == 1 else _in_json(value)

    def thought(self, *keys: str) -> str:
        """The words under the first of these names that has any: a text, an object with one, or a list of those."""
        for key in keys:
            value = self._values.get(key)
            words = words_of(value, _THOUGHTS)
            if words:
                return words
            if value and not isinstance(value, str) and not _is_sealed(value):
                self._note(key, value)
        return ""

    def _name(self, key: str) -> str:
        return f"{self._place}.{key}".strip(".")

    def note(self, key: str) -> None:
        """Note what stands there, or that nothing does, as odd."""
        self._note(key, self._values.get(key))

    def _note(self, key: str, value: Any) -> None:
        shown = without_secrets(_in_json(secrets.masked(value)))
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        self.notes.append(("field", f"{self._name(key) or 'reply'}: {shown}"))


def whole_reply(found: Any, *names: str) -> Fields:
    """A reply's JSON, of which it has one of these names; an empty one where it is no object.

    Gateways hand on the reply in a list, in an object of their own, or as a text.
    """
    whole = _within(found, names, _DEEPEST) or alone(found)
    return Fields(whole if isinstance(whole, Mapping) else None)


def _within(found: Any, names: tuple[str, ...], depth: int) -> Mapping[str, Any] | None:
    """The first object with one of these names, in the lists and wrappers around it."""
    if isinstance(found, str) and found.lstrip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(found, strict=False)
    if isinstance(found, Mapping) and any(found.get(name) is not None for name in names):
        return found
    inner = found if isinstance(found, list) else []
    if isinstance(found, Mapping):
        inner = [found.get(name) for name in _WRAPPERS]
    hits = (_within(each, names, depth - 1) for each in inner if depth and each)
    return next((hit for hit in hits if hit is not None), None)


def alone(found: Any) -> Any:
    """The object of a list that holds nothing else; everything else as it is."""
    return found[0] if isinstance(found, list) and len(found) == 1 and isinstance(found[0], Mapping) else found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def words_of(value: Any, names: tuple[str, ...]) -> str:
    """The text in a value: itself, that under one of the names, or those of a list one after the other."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(words_of(each, names) for each in value)
    if isinstance(value, Mapping):
        return next((words for name in names if (words := words_of(value.get(name), names))), "")
    return ""


def _is_sealed(value: Any) -> bool:
    """Whether a value is a list of thoughts that only their provider can read."""
    parts = value if isinstance(value, list) else [value]
    return all(isinstance(part, Mapping) and ("data" in part or "signature" in part) for part in parts)


def _in_json(value: Any) -> str:
    """A value for a message."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError):  # a number of thousands of digits, which Python does not write; keys of odd types
        return "(not printable)"


def whole_number(value: Any) -> int | None:
    """12, 12.0 and '12' as 12; None for everything else, and for what is too large to count anything."""
    number = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and (digits := _DIGITS.fullmatch(value)):
        number = int(digits[1])
    return number if number is not None and abs(number) <= _MOST else None
