"""Lists of names for people: the first few and how many more there are, or the one that was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NEAR = 0.65  # of difflib: mm is near m
NEAR_KEY = 0.75  # for words that are no names: tp is not near stop, engine not near regions
SHOWN = 8  # a list of one more is shown whole, for "and 1 more" is hardly shorter


def shortened(items: Sequence[str], shown: int = SHOWN, separator: str = ", ", what: str = "") -> str:
    """The items on one line; of many only the first, and the number of the others. what: 'pairs', say."""
    if len(items) <= shown + 1:
        return separator.join(items)
    return f"{separator.join(items[:shown])} and {len(items) - shown} more{what and ' ' + what}"


def counted(number: int, one: str, many: str = "") -> str:
    """'1 question', '2 questions'; many: the plural where it is not one with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def first_lines(lines: Sequence[str], what: str, shown: int = SHOWN) -> list[str]:
    """The lines; of many only the first, and one with the number of the others. what: 'models', say."""
    if len(lines) <= shown + 1:
        return list(lines)
    return [*lines[:shown], f"  … and {len(lines) - shown} more {what}"]


def nearest(word: str, known: Iterable[str], cutoff: float = _NEAR) -> str | None:
    """The known word that was probably meant, whatever its case, hyphens and underscores; None where none is near."""
    import difflib

    folded = {re.sub(r"[\s_-]", "", each).lower(): each for each in sorted(known, reverse=True)}
    near = difflib.get_close_matches(re.sub(r"[\s_-]", "", word).lower(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def suggestion(word: str, known: set[str]) -> str:
    """A sentence that names the nearest known word, or all of them where none is near."""
    near = nearest(word, known)
    return f"Did you mean {near!r}?" if near else f"Known are: {shortened(sorted(known), 40)}."
