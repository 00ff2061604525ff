"""Numbers as pages show them, with a true minus."""

from __future__ import annotations

from arena_hard.data.name_lists import counted
from arena_hard.showing import sections


def signed(value: float, digits: int) -> str:
    """A difference with its sign; none where it is 0 as shown."""
    return sections.signed(value, digits).replace("-", "−")


def places(value: float, digits: int) -> str:
    """A number with so many digits, signed only below 0."""
    return signed(value, digits).removeprefix("+")


def with_commas(number: int, one: str, many: str = "") -> str:
    """'1 question', '1,200 questions'."""
    return counted(number, one, many).replace(str(number), f"{number:,}", 1)
