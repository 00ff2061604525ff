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
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_CHAIN = re.compile(r"\[[^\[\]]*\](?!\()(?:\s*(?:[,;]|and|or|&)?\s*\[[^\[\]]*\](?!\())*")  # "[1], [2]"
_JOINT = re.compile(r"\]\s*((?:[,;]|and|or|&)?)\s*\[")
_LABELLED = re.compile(  # a line that is a list, and nothing else but the words of an answer
    r"(?:(?:(?:the|my)\s+)?(?:final\s+)?(?:answer|criteria|labels?|result|decision)(?:\s+(?:is|are))?\s*[:=]?\s*"
    r"|the\s+prompt\s+(?:meets|satisfies)\s*:?\s*)?(\[[^\[\]]*\])\s*\.?",
    re.IGNORECASE,
)
_NOT_BEFORE = re.compile(  # "No criteria met", "None of the criteria met"
    r"(?:\b(?:no|none|not|without|neither|few|which)|n't)(?:\s+(?:of|all|any|the|these|those|other|seven|\d+))*\s*$",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|no|none|un(?:met|satisfied)|fail\w*|miss\w*|lack\w*|without|neither)\b|n't", re.IGNORECASE
)
_BULLET = re.compile(r"[-+•–—]\s+")
_KEY = re.compile(r"criteri|label|answer|result|decision|^met$|satisf")  # of an object that lists criteria
_NO_KEY = re.compile(r"not|un(?:met|satis)|fail|miss|^no")
_SEPARATED = re.compile(r"[,;，、；]|\band\b|&")
_WORDS = 3  # as long a line may be an item of a list
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
    marked = _after_marks(lines, names)
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


def _after_marks(lines: Sequence[str], names: Sequence[str]) -> list[str]:
    """What stands after "Criteria met:", in its line or below; lists in brackets go before words that are none."""
    brackets: list[str] = []
    words: list[str] = []
    for number, line in enumerate(lines):
        for mark in _MARK.finditer(line):
            if _NOT_BEFORE.search(line[: mark.start()]):
                continue
            rest = line[mark.end() :].lstrip(_BETWEEN)
            colon = ":" in line[mark.end() : len(line) - len(rest)]
            below = lines[number + 1 :]
            first, below = (rest, below) if rest else ("".join(below[:1]), below[1:])
            if found := _CHAIN.match(first):
                brackets += _in_brackets(found[0], below)
            elif colon and first and not first.startswith("["):  # "Criteria met: 1, 2" and "Criteria met: none"
                words.append(_in_lines(first, below, names, begun=bool(rest)))
    certain = [each for each in words if _label_of(each, names) is not None]
    return [*brackets, *certain] if brackets else words


def _in_brackets(chain: str, below: Sequence[str]) -> Iterator[str]:
    """The lists after a mark: "[1], [2]" is one, a line below that is a list is another."""
    items = _JOINT.sub(lambda joint: f" {joint[1] or ','} ", chain)[1:-1]
    if not _FORM.fullmatch(items):
        yield items
    for line in below:
        if not (whole := _LABELLED.fullmatch(line)):
            break
        yield whole[1][1:-1]


def _in_lines(first: str, below: Sequence[str], names: Sequence[str], *, begun: bool) -> str:
    """A list over several lines. begun: it begins beside the mark; then only what is certainly of it is taken."""
    items = [_item(first)]
    for line in below:
        item = _item(line)
        known = bool(_items(item)) and all(_criterion(each, names) is not None for each in _items(item))
        looks = _BULLET.match(line) or line[:1].isdigit() or (len(line.split()) <= _WORDS and line[-1] not in ".:]")
        if not known and (begun or not looks):
            break
        items.append(item)
    return ", ".join(filter(None, items))


def _item(line: str) -> str:
    return _BULLET.sub("", line, count=1).rstrip(" .,;") if _BULLET.match(line) else line.rstrip(" .,;")


def _lists(lines: Sequence[str]) -> Iterator[str]:
    """The lists of a text without that mark: lines that are one.

    In a sentence or a piece of code a list says nothing of the criteria, and below "not met" the contrary.
    """
    for line, before in zip(lines, ["", *lines]):
        if (whole := _LABELLED.fullmatch(line)) and not _denies(before):
            yield whole[1][1:-1]
    if len(lines) == 1 and lines[0].lower().strip(" .\"'") in ("none", "none of them"):
        yield "none"


def _denies(line: str) -> bool:
    """Whether a line is the heading of what is not met."""
    heading = line.endswith(":") or (":" not in line and len(line.split()) <= 2 * _WORDS and not line.endswith("."))
    return heading and bool(_DENIED.search(line))


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
        elif (
            len(value) == 1 and isinstance(items := next(iter(value.values())), list) and _lists_met(next(iter(value)))
        ):
            yield _label_of(", ".join(map(str, items)), names)


def _lists_met(key: str) -> bool:
    return bool(_KEY.search(key.lower())) and not _NO_KEY.search(key.lower())


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
