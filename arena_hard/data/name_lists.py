"""Long lists for people: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 8  # a list of one more is shown whole, for "and 1 more" is hardly shorter


def shortened(items: Sequence[str], shown: int = SHOWN, separator: str = ", ") -> str:
    """The items on one line; of many only the first, and the number of the others."""
    if len(items) <= shown + 1:
        return separator.join(items)
    return f"{separator.join(items[:shown])} and {len(items) - shown} more"


def first_lines(lines: Sequence[str], what: str, shown: int = SHOWN) -> list[str]:
    """The lines; of many only the first, and one with the number of the others. what: 'models', say."""
    if len(lines) <= shown + 1:
        return list(lines)
    return [*lines[:shown], f"  … and {len(lines) - shown} more {what}"]
