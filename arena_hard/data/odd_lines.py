"""Lines that other JSON readers take and a strict one does not, read so that every reader sees the same records.

Several records on one line, lone surrogates, NaN, bytes that are no UTF-8, marks and blanks between records, numbers
in the place of names. What is left of a line is a record as strict JSON, the beginning of one, or a mistake.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from arena_hard.data.record_values import is_list, is_object, with_names

_DECODER = json.JSONDecoder(strict=False)
# zeros are what a power cut may leave, the mark comes with joined files, commas with lines of what was an array
_BLANK = re.compile("[ \t\r\n\f\v\0\ufeff,]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("[\r\n]")
_MARKS = re.compile(r'\\["\\/bfnrtu]|["{}\[\]]')
_BEGINNING = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')

_ENDLESS = (math.inf, -math.inf)

MERGE_MARK = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?=[ \r\n]|$)", re.MULTILINE)

FILE_ENDS = "the file ends within this line"


class Torn(ValueError):
    """A piece of a line is the beginning of a record that was never finished."""


class Piece(NamedTuple):
    """Bytes [start, end) of a line: a record in strict JSON, or why it is none. `breaks`: CR line ends before it."""

    start: int
    end: int
    breaks: int
    record: bytes
    error: ValueError | None = None


def pieces(line: bytes) -> Iterator[Piece]:
    """What a line holds that is not strict JSON; blanks are left out.

    A finished record is never called torn, whatever stands before or behind it on its line.
    """
    text = line.decode("utf-8", "surrogateescape")
    chars = place = breaks = 0
    for start, end, value in _stretches(text):
        place += _width(text[chars:start])
        breaks += text.count("\r", chars, start)
        chars, size = end, _width(text[start:end])
        if isinstance(value, ValueError):
            yield Piece(place, place + size, breaks, b"", value)
        else:
            yield Piece(place, place + size, breaks, _strict(value))
        place += size
        breaks += text.count("\r", start, end)


def _width(text: str) -> int:
    """Bytes of a text in its file."""
    return len(text.encode("utf-8", "surrogateescape"))


def _stretches(text: str) -> Iterator[tuple[int, int, dict[str, Any] | ValueError]]:
    """(start, end, the object or what is wrong) of each stretch of characters that is not blank."""
    place = _after_blanks(text, 0)
    while place < len(text):
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            end, value = _unreadable(text, place, error)
        if not isinstance(value, ValueError) and not is_object(value):
            end, value = _line_end(text, end), ValueError("a JSON object is expected")
        yield place, end, value
        place = _after_blanks(text, end)


def _after_blanks(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _line_end(text: str, place: int) -> int:
    found = _LINE_END.search(text, place)
    return found.start() if found else len(text)


def _unreadable(text: str, place: int, error: Exception) -> tuple[int, ValueError]:
    """Where a stretch that is no JSON ends, and whether it is torn (its first brace is never closed) or broken.

    Where a run was killed within a record, another program may have gone on in the same line.
    """
    stop = _line_end(text, place)
    if conflict := MERGE_MARK.match(text, place):
        return stop, ValueError(
            f"a mark of a merge conflict ({conflict.group()}): Git has left both versions of some records here, of "
            "which one is to be kept"
        )
    depth, in_string = 0, False
    for match in _MARKS.finditer(text, place, stop):
        mark, at = match.group(), match.start()
        if mark == "{" and depth and text[place] == "{" and _begins_anew(text, at, in_string):
            return at, Torn("a record ends within this line")
        if mark == '"':
            in_string = not in_string
        elif not in_string and mark in "{[":
            depth += 1
        elif not in_string and mark in "}]":
            depth -= 1
            if depth == 0:
                break
    else:
        if stop == len(text) and text.startswith("{", place):
            return stop, Torn(FILE_ENDS)
    reason = f"{error.msg}, character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
    return stop, ValueError(f"not a readable record ({reason})")


def _begins_anew(text: str, place: int, in_string: bool) -> bool:
    """Whether a record of its own begins here, within one that was never finished.

    A string cannot hold a whole object, for its quotes would be escaped. Where a value is due, an object may be a part
    of what it stands in: one that looks like a record, and behind which nothing goes on, is none.
    """
    if not _BEGINNING.match(text, place):
        return False
    try:
        value, end = _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return False
    if in_string or not _is_value_due(text, place):
        return True
    is_record = bool(value.keys() & {"question_id", "uid"}) and bool(
        value.keys() & {"model", "model_id", "turns", "prompt"}
    )
    next_one = _after_blanks(text, end)
    return is_record and (next_one >= _line_end(text, end) or text[next_one] == "{")


def _is_value_due(text: str, place: int) -> bool:
    """Whether an object outside a string may be a part of what it stands in."""
    return text[max(0, place - 20) : place].rstrip()[-1:] in ("[", ":", ",")


def _strict(row: dict[str, Any]) -> bytes:
    """An object as strict JSON: names are texts, NaN and Infinity null, what is no character U+FFFD.

    Among label probabilities null is none, which NaN is not: there it is a text.
    """
    row = with_names(row)
    games = row.get("games")
    for game in games if is_list(games) else ():
        given = game.get("label_probabilities") if is_object(game) else None
        if is_object(given):
            given.update({label: str(value) for label, value in given.items() if value in _ENDLESS or value != value})
    try:
        return msgspec.json.encode(row)
    except UnicodeEncodeError:
        return msgspec.json.encode(_with_characters(row))


def _with_characters(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if is_list(value):
        return [_with_characters(entry) for entry in value]
    if is_object(value):
        return {_with_characters(key): _with_characters(entry) for key, entry in value.items()}
    return value
