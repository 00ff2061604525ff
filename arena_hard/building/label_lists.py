"""One list of criteria, in a strict form: every sign of it is understood, or it is no list.

A word more than the form has room for may turn a list round ("not", "partially", "except", a cross beside an item), in
any language. What is left over is therefore never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

Label = tuple[bool, ...]  # for each criterion, in the order of the file

_NONE = {"none", "no criteria", "none of them", "none of the criteria"}
_NAME = r"[^\W\d][\w \-]*"
_NUMBER = r"(?:criteri(?:on|um)\s*)?#?(\d{1,3})"
_ITEMS = {  # how a criterion may be called; groups: its number, its name
    "number": re.compile(_NUMBER, re.IGNORECASE),
    "[number]": re.compile(r"\[(\d{1,3})\]"),
    "number name": re.compile(rf"{_NUMBER}(?:\s*[.:)]\s*|\s+[-–—]\s+|\s+)({_NAME})", re.IGNORECASE),
    "number (name)": re.compile(rf"{_NUMBER}\s*\(({_NAME})\)", re.IGNORECASE),
    "[number] name": re.compile(rf"\[(\d{{1,3}})\]\s*:?\s*({_NAME})"),
    "(number) name": re.compile(rf"\((\d{{1,3}})\)\s*:?\s*({_NAME})"),
    "name (number)": re.compile(rf"()({_NAME}?)\s*\(#?(\d{{1,3}})\)"),
    "name": re.compile(rf"()({_NAME})"),
    "[name]": re.compile(rf"()\[({_NAME})\]"),
}
_BARE_NUMBER, _LONE_RANGE = "number", "range"
_ON_LINES = ("number name", "[number] name", "(number) name")  # kinds that may stand in lines with blank ones between
_PAIRS = (  # signs beside the items of a table of all criteria
    ("✅", "❌"),
    ("✓", "✗"),
    ("✔", "✘"),
    ("☑", "☐"),
    ("[x]", "[ ]"),
    ("yes", "no"),
    ("true", "false"),
    ("met", "not met"),
)
_SIGNS = {sign: (pair, pair.index(sign) == 0) for pair in _PAIRS for sign in pair}
_SIGN = "|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True)))
_SIGN_BEFORE = re.compile(rf"({_SIGN})\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_SIGN_AFTER = re.compile(rf"(.*?\S)(?:\s*[:=]\s*|\s+[-–—]\s+|\s+|\s*\()({_SIGN})(\)?)", re.IGNORECASE | re.DOTALL)
_SEPARATOR = re.compile(r"\s*[,;、]\s*(?:(?:and|&)\s+)?|\s+(?:and|&)\s+", re.IGNORECASE)
_LAST_SEPARATOR = re.compile(r"\s*[,;、]\s*\Z")
_RANGE = re.compile(r"(\d{1,2})[-–](\d{1,2})")
_SPACED = re.compile(r"\d{1,3}(?:\s+\d{1,3})+|\[\d{1,3}\](?:\s*\[\d{1,3}\])+")
_IN_BRACKETS = re.compile(r"(?:\[([^\[\]]*)\]|\(((?:[^()\[\]]|\([^()\[\]]*\))*)\)|\{([^{}\[\]]*)\})\.?[ \t]*(?=\n|\Z)")
_BULLET = re.compile(r"([-+•–—])\s+")
_QUOTES = " \t\r\n\"'“”‘’"


class Item(NamedTuple):
    """A criterion that a list names. pair: the signs beside the items, one of which this one has; decided: which."""

    place: int
    kind: str
    pair: tuple[str, str] | None = None
    decided: bool = True


class Found(NamedTuple):
    """The label of the list with which some lines begin, and the lines below it."""

    label: Label
    below: Sequence[str]


def list_of(lines: Sequence[str], names: Sequence[str], *, beside: bool = False) -> Found | None:
    """The list with which some lines begin; None where they begin with anything else. names: of the criteria.

    beside: the first line stands beside a heading, and the others below it.
    """
    return in_brackets(lines, names) or _none_is_met(lines, names) or _over_lines(lines, names, beside)


def in_brackets(lines: Sequence[str], names: Sequence[str]) -> Found | None:
    """The same for a list in brackets alone, be it over several lines."""
    text = "\n".join(lines)
    found = _IN_BRACKETS.match(text)
    if not found:
        return None
    inner = next(each for each in found.groups() if each is not None).strip()
    is_asked_for = found[1] is not None
    is_none = inner.strip(_QUOTES).lower() in _NONE or (is_asked_for and not inner)
    items = [] if is_none else items_of(inner, names)
    if items is None or (not is_asked_for and _is_count(items)):
        return None
    label = label_of(items, names)
    return None if label is None else Found(label, text[found.end() :].split("\n")[1:])


def of_numbers(text: str, names: Sequence[str]) -> Found | None:
    """The same for numbers on one line alone, two or more: one may as well say how many are met."""
    items = items_of(text.removesuffix("."), names)
    if not items or "\n" in text or _is_count(items) or {item.kind for item in items} != {_BARE_NUMBER}:
        return None
    label = label_of(items, names)
    return None if label is None else Found(label, [])


def _is_count(items: Sequence[Item]) -> bool:
    """Whether a lone number, or a range, may as well say how many are met."""
    return [item.kind for item in items] == [_BARE_NUMBER] or any(item.kind == _LONE_RANGE for item in items)


def _none_is_met(lines: Sequence[str], names: Sequence[str]) -> Found | None:
    if lines and lines[0].removesuffix(".").strip(_QUOTES).lower() in _NONE:
        return Found((False,) * len(names), lines[1:])
    return None


class _Row(NamedTuple):
    """One line of a list. goes_on: whether it ends with a comma."""

    bullet: str
    items: list[Item]
    goes_on: bool


def _over_lines(lines: Sequence[str], names: Sequence[str], beside: bool) -> Found | None:
    """A list without brackets: on one line, or on several of one form."""
    rows: list[_Row] = []
    taken = 0
    for number, line in enumerate(lines):
        row = _row(line, names) if line else None
        if line and (row is None or (number > taken and not _goes_on(row, beside))):
            break
        if row:
            rows.append(row)
            taken = number + 1
    if not rows or rows[-1].goes_on or len({row.bullet for row in rows}) > 1:
        return None
    is_total = beside and len(rows) > 1 and _is_count(rows[0].items) and not rows[0].goes_on
    items = [item for row in rows for item in row.items]
    if is_total or (not rows[0].bullet and _is_count(items)):
        return None
    label = label_of(items, names)
    return None if label is None else Found(label, lines[taken:])


def _row(line: str, names: Sequence[str]) -> _Row | None:
    bullet = _BULLET.match(line)
    said = line[bullet.end() if bullet else 0 :].removesuffix(".")
    items = items_of(said, names)
    goes_on = _LAST_SEPARATOR.search(said) is not None
    return None if items is None else _Row(bullet[1] if bullet else "", items, goes_on)


def _goes_on(row: _Row, beside: bool) -> bool:
    """Whether a list goes on with a line below a blank one."""
    return not beside and (bool(row.bullet) or (len(row.items) == 1 and row.items[0].kind in _ON_LINES))


def items_of(text: str, names: Sequence[str]) -> list[Item] | None:
    """The criteria that a text names one after the other; None where any of it is anything else."""
    text = text.strip()
    spaced = _SPACED.fullmatch(text)
    parts = re.findall(r"\[?\d+\]?", text) if spaced else _SEPARATOR.split(_LAST_SEPARATOR.sub("", text))
    items: list[Item] = []
    for part in parts:
        span = _span(part, names)
        found = item_of(part, names)
        if not span and found is None:
            return None
        items += span if span else [found] if found else []
    is_lone = len(parts) == 1 and len(items) > 1
    return [item._replace(kind=_LONE_RANGE) for item in items] if is_lone else items


def _span(text: str, names: Sequence[str]) -> list[Item]:
    """The criteria from one number to another; of all of them it may be the form that was asked for, repeated."""
    found = _RANGE.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    is_some = 1 <= first < last <= len(names) and last - first + 1 < len(names)
    return [Item(number - 1, _BARE_NUMBER) for number in range(first, last + 1)] if is_some else []


def item_of(text: str, names: Sequence[str]) -> Item | None:
    """The criterion that a text is, called by its number, its name or both, and with a sign beside it or without."""
    text = text.strip(_QUOTES)
    if found := _named(text, names):
        return found
    before, after = _SIGN_BEFORE.fullmatch(text), _SIGN_AFTER.fullmatch(text)
    if bool(before) == bool(after):
        return None
    sign, rest = (before[1], before[2]) if before else (after[2], after[1]) if after else ("", "")
    if after and ("(" in text[len(rest) : after.start(2)]) != bool(after[3]):
        return None
    found = _named(rest, names)
    pair, decided = _SIGNS[sign.lower()]
    return found and found._replace(pair=pair, decided=decided)


def _named(text: str, names: Sequence[str]) -> Item | None:
    known = {bare(name): place for place, name in enumerate(names)}
    for kind, form in _ITEMS.items():
        found = form.fullmatch(text)
        if not found:
            continue
        number = next((each for each in found.groups() if each and each.isdigit()), None)
        name = next((each for each in found.groups() if each and not each.isdigit()), None)
        places = {*([int(number) - 1] if number else []), *([known.get(bare(name), -1)] if name else [])}
        place = places.pop()
        return Item(place, kind) if not places and 0 <= place < len(names) else None
    return None


def label_of(items: Sequence[Item], names: Sequence[str]) -> Label | None:
    """The label of a list's items, all of one form and each named once; of a table, that of its signs."""
    places = {item.place: item.decided for item in items}
    if len(places) != len(items) or len({(item.kind, item.pair) for item in items}) > 1:
        return None
    if items and items[0].pair and len(items) != len(names):
        return None
    return tuple(places.get(place, False) for place in range(len(names)))


def bare(name: str) -> str:
    """What a name has of letters and digits, by which spellings of it are compared."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
