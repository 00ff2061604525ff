"""The criteria in an annotator's reply: a list of numbers or names, or an object of decisions.

What cannot be read with certainty is no label: a reply that was cut, two lists that differ, a number that is none of
the criteria. That no criterion is met counts only where the reply says so.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from arena_hard.calling.providers.base import Reply

Label = tuple[bool, ...]  # for each criterion, in the order of the file

_CUT = {"length": "the reply was cut at max_tokens", "content_filter": "the reply was cut by the content filter"}
_NUMBERED = re.compile(r"(?:criteri(?:on|um)\s*|#)?(\d{1,9})(?:\s*[.:)(\-–—]*\s*(\D.*?))?\)?", re.DOTALL)
_MARK = re.compile(r"criteria\s+(?:that\s+are\s+|which\s+are\s+)?(?:met|satisfied)\b", re.IGNORECASE)
_BETWEEN = " :=-–—\"'"  # the mark and the list
_FORM = re.compile(r"[n,.… ]*n[n,.… ]*")  # "[n, n, ...]": the form that was asked for, repeated
_LIST = re.compile(r"(?<![\w\]])\[([^\[\]]*)\](?!\()")  # no index of an array, no link
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_LABELLED = re.compile(r"(?:[^:\[\]]{0,60}[:=]\s*)?(\[[^\[\]]*\])\s*\.?")  # a line that is a list
_SEPARATED = re.compile(r"[,;，、；]|\band\b|&")
_NONE = {"", "none", "no criteria", "none of them"}
_TRUE = {"yes": True, "true": True, "1": True, "met": True, "no": False, "false": False, "0": False, "not met": False}


class Reading(NamedTuple):
    """What was read in a reply: a label or, where there is none, why."""

    label: Label | None
    why: str = ""


def read_label(reply: Reply, names: Sequence[str]) -> Reading:
    """The one label in a reply. names: those of the criteria in their order."""
    if reply.finish_reason in _CUT:
        return Reading(None, _CUT[reply.finish_reason])
    return read_text(reply.content, names)


def read_text(text: str, names: Sequence[str]) -> Reading:
    """The one label in a text that is whole."""
    objects = list(_objects(text, names))
    lines = [line for line in map(_plain, text.splitlines()) if line]
    marked = list(_after_marks(lines))
    found = marked or list(_lists(lines))
    lists = [_label_of(items, names) for items in found]
    known = {label for label in (*objects, *lists) if label is not None}
    if None in lists and (marked or not known):
        wrong = found[lists.index(None)]
        return Reading(None, f"the list names what is none of the {len(names)} criteria: {wrong[:60]!r}")
    if len(known) > 1:
        return Reading(None, "the reply holds two lists of criteria that differ")
    if known:
        return Reading(known.pop())
    return Reading(None, "the object leaves criteria out" if objects else "the reply holds no list of criteria")


def _plain(line: str) -> str:
    return _MARKUP.sub("", line).strip().lstrip("#>").strip()


def _after_marks(lines: Sequence[str]) -> list[str]:
    """What stands after "Criteria met:", in its line or in the next; lists in brackets go before other words."""
    brackets: list[str] = []
    words: list[str] = []
    for line, following in zip(lines, [*lines[1:], ""]):
        for mark in _MARK.finditer(line):
            rest = line[mark.end() :].lstrip(_BETWEEN)
            colon = ":" in line[mark.end() : len(line) - len(rest)]
            rest = rest or following
            if found := _LIST.match(rest):
                brackets += [] if _FORM.fullmatch(found[1]) else [found[1]]
            elif colon and rest and not rest.startswith("["):  # "Criteria met: 1, 2" and "Criteria met: none"
                words.append(rest.rstrip(" ."))
    return brackets or words


def _lists(lines: Sequence[str]) -> Iterator[str]:
    """The lists of a text without that mark: lines that are one, and those in the last line.

    An empty list has to be a line: in a sentence or a piece of code it says nothing of the criteria.
    """
    for line in lines:
        if whole := _LABELLED.fullmatch(line):
            yield whole[1][1:-1]
    last = lines[-1] if lines else ""
    if not _LABELLED.fullmatch(last):
        yield from (found[1] for found in _LIST.finditer(last) if found[1].strip())
    if len(lines) == 1 and last.lower().strip(" .\"'") in ("none", "none of them"):
        yield "none"


def _label_of(items: str, names: Sequence[str]) -> Label | None:
    """The label of a list's items; None where one of them is no criterion."""
    if items.strip(" \t\"'.").lower() in _NONE:
        return (False,) * len(names)
    met: set[int] = set()
    for item in _items(items):
        number = _criterion(item, names)
        if number is None:
            return None
        met.add(number)
    return tuple(number in met for number in range(len(names)))


def _items(items: str) -> list[str]:
    parts = [part.strip(" \t\r\n\"'") for part in _SEPARATED.split(items)]
    parts = [part for part in parts if part]
    return items.split() if len(parts) == 1 and re.fullmatch(r"[\d\s]+", items) else parts


def _criterion(item: str, names: Sequence[str]) -> int | None:
    """The place of a criterion that is called by its number, its name or both."""
    known = {_bare(name): place for place, name in enumerate(names)}
    numbered = _NUMBERED.fullmatch(item)
    if not numbered:
        return known.get(_bare(item))
    place = int(numbered[1]) - 1
    if not 0 <= place < len(names):
        return None
    return place if not numbered[2] or known.get(_bare(numbered[2])) == place else None


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


# -------------------------------------------------------------------------------------------- objects


def _objects(text: str, names: Sequence[str]) -> Iterator[Label | None]:
    """The labels of the JSON objects that decide criteria, or list them; None for one that leaves some out."""
    known = {_bare(name): place for place, name in enumerate(names)}
    for value in _json_objects(text):
        decided = {known[_bare(key)]: _decision(each) for key, each in value.items() if _bare(key) in known}
        every = [decided.get(place) for place in range(len(names))]
        if decided:
            yield None if None in every else tuple(each is True for each in every)
        elif len(value) == 1 and isinstance(items := next(iter(value.values())), list):
            yield _label_of(", ".join(map(str, items)), names)


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        value: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            value, end = decoder.raw_decode(text, at)
            at = end - 1
        if isinstance(value, dict):
            yield value
        at = text.find("{", at + 1)


def _decision(value: Any) -> bool | None:
    """Yes or no in an object: as a text, true or false, 1 or 0, or within an object that also holds reasons."""
    if isinstance(value, dict):
        inner = [each for each in map(_decision, value.values()) if each is not None]
        return inner[0] if len(inner) == 1 else None
    return _TRUE.get(str(value).strip(" .").lower())
