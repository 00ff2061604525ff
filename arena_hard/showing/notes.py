"""Notes with lists in them: printed with the first few of each list, whole in JSON and HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from arena_hard.data.name_lists import SHOWN, shortened

_HYPHEN = re.compile(r"(?<![^\s(\[])-(?=\d|inf\b)")


@dataclass(frozen=True)
class Items:
    """A list within a note, the worst first; its items may be notes with lists of their own. what: they are."""

    items: Sequence[Text]
    separator: str = ", "
    shown: int = SHOWN
    what: str = ""


@dataclass(frozen=True)
class Note:
    """A sentence made of texts and lists."""

    parts: Sequence[str | Items]


Text = str | Note


def printed(note: Text) -> str:
    """The note for a terminal or an issue: long lists are cut, with the number of what is left out."""
    return one_line(_text(note, is_whole=False))


def one_line(text: str) -> str:
    """A text without line breaks, which a name may hold, and which would tear a row."""
    return " ".join(text.splitlines())


def whole(note: Text) -> str:
    """The note with all of its lists."""
    return _text(note, is_whole=True)


def with_minus(text: str) -> str:
    """A text for a page: numbers below 0 with a true minus. Hyphens within names, dates and flags stay."""
    return _HYPHEN.sub("−", text)


def as_data(notes: Sequence[Text]) -> list[Any]:
    """Notes as plain values, to be kept in a file."""
    return msgspec.to_builtins(notes)


def from_data(kept: Any) -> list[Text]:
    """The notes that were kept so; none where there is something else."""
    try:
        return msgspec.convert(kept, list[Text])
    except msgspec.ValidationError:
        return []


def _text(note: Text, is_whole: bool) -> str:
    if isinstance(note, str):
        return note
    return "".join(part if isinstance(part, str) else _list(part, is_whole) for part in note.parts)


def _list(part: Items, is_whole: bool) -> str:
    items = [_text(item, is_whole) for item in part.items]
    return shortened(items, len(items) if is_whole else part.shown, part.separator, part.what)
