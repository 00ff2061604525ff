"""A small table with a title and remarks, in text and as data, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from arena_hard.showing.notes import Text


@dataclass(frozen=True)
class Section:
    """A title, columns and rows of text, and the same as data for JSON.

    remarks: sentences that follow; picture: for HTML, as safe HTML.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    data: Any
    remarks: Sequence[Text] = ()
    picture: str = ""

    def table(self) -> list[list[str]]:
        """The head and the rows, without columns that hold nothing; nothing without a row."""
        filled = [place for place in range(len(self.columns)) if any(row[place] for row in self.rows)]
        return [[row[place] for place in filled] for row in (self.columns, *self.rows)] if self.rows else []


def signed(value: float, digits: int = 1) -> str:
    """Points with a sign; none where they are 0 as shown."""
    words = f"{value:+.{digits}f}"
    return words[1:] if float(words) == 0.0 else words


def signed_ends(lower: float, upper: float) -> str:
    """An interval of points with signs."""
    return f"({signed(lower)}, {signed(upper)})"


def plain_data(value: Any) -> Any:
    """Dataclasses and arrays as dictionaries and lists, for JSON."""
    if hasattr(value, "__dataclass_fields__"):
        return plain_data(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain_data(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(each) for each in value]
    return plain_data(value.tolist()) if isinstance(value, (np.ndarray, np.generic)) else value
