"""The five verdict labels, their spellings, and what they mean."""

from __future__ import annotations

import functools
import html
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from arena_hard.data.record_values import LABELS, is_list, is_object

# v2.0 and some judges write the same verdicts the other way round.
_OTHER_SPELLINGS = {"A<B": "B>A", "A<<B": "B>>A", "B<A": "A>B", "B<<A": "A>>B", "B=A": "A=B"}

_AROUND = " \t\r\n[](){}\"'`*"  # what other programs leave around a label that they cut out of a text


class Outcome(NamedTuple):
    """What a verdict says: `winner` is 'A', 'B' or None for a tie."""

    winner: str | None
    strong: bool


_OUTCOMES = {
    "A>>B": Outcome("A", True),
    "A>B": Outcome("A", False),
    "A=B": Outcome(None, False),
    "B>A": Outcome("B", False),
    "B>>A": Outcome("B", True),
}


def standard_label(score: Any) -> str | None:
    """The label in v0.1's spelling, or None when it is not one of the five verdicts.

    Records of others may hold anything: a label in brackets, in small letters, with spaces or with &gt;, or a list of
    one label, says the same.
    """
    if is_list(score) and len(score) == 1:
        score = score[0]
    return _label_in(score) if isinstance(score, str) else None


@functools.lru_cache(maxsize=1024)
def _label_in(text: str) -> str | None:
    if len(text) > 60:
        return None
    label = "".join(html.unescape(text).strip(_AROUND).split()).upper()
    label = _OTHER_SPELLINGS.get(label, label)
    return label if label in _OUTCOMES else None


def labels_in(text: str, patterns: Iterable[re.Pattern[str]], any_label: bool = False) -> list[str]:
    """The different verdicts in a judge's text, each as first written, by the first pattern that finds any.

    What is no verdict ([[A]], [[A>>>B]]) is passed over, except with `any_label`.
    """
    for pattern in patterns:
        labels = [match.strip() for match in pattern.findall(text)]
        said = {standard_label(label) or label: label for label in reversed(labels)}  # A>B and B<A are one
        counted = [label for meaning, label in said.items() if meaning in LABELS or (any_label and label)]
        if counted:
            return counted[::-1]
    return []


_ROUNDING = 0.01  # by which probabilities that were written with few digits may miss their sum


def probabilities_in(given: Any) -> tuple[float, ...]:
    """The probabilities of LABELS in their order, from {label: probability}; a label that is not named has none.

    Labels may be spelt in other ways and numbers be texts, as everywhere; what misses the sum of 1 by rounding is
    brought to it. Raises ValueError with what is wrong.
    """
    if not is_object(given):
        raise ValueError("not an object with a probability for each label")
    found: dict[str, float] = dict.fromkeys(LABELS, 0.0)
    for name, value in given.items():
        label = standard_label(name)
        if label is None:
            raise ValueError(f"{name!r} is no label")
        found[label] += _probability(name, value)
    total = sum(found.values())
    if abs(total - 1.0) > _ROUNDING:
        raise ValueError(f"the sum is {total:.6g}, not 1")
    return tuple(value / total for value in found.values())


def _probability(label: str, value: Any) -> float:
    """A number that is a probability but for rounding; null is none."""
    try:
        number = float(0.0 if value is None else value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not -_ROUNDING <= number <= 1.0 + _ROUNDING:
        raise ValueError(f"{label} is {repr(value)[:40]}, not a number from 0 to 1")
    return max(0.0, number)


def places_of_label(text: str, patterns: Iterable[re.Pattern[str]]) -> list[tuple[int, str]]:
    """Where the first pattern that finds any verdict finds them, each as it is written."""
    for pattern in patterns:
        found = [
            (match.start(1) + len(match[1]) - len(match[1].lstrip()), match[1].strip())
            for match in pattern.finditer(text)
        ]
        if counted := [each for each in found if standard_label(each[1])]:
            return counted
    return []


def is_verdict(score: Any) -> bool:
    """Whether the score of a record is one of the five verdicts."""
    return standard_label(score) is not None


def outcome(label: Any) -> Outcome:
    """Winner and strength of a verdict in any of its spellings. Raises ValueError for another text."""
    known = standard_label(label)
    if known is None:
        raise ValueError(f"{label!r} is no verdict; known are {', '.join(LABELS)}")
    return _OUTCOMES[known]


def swapped(label: str) -> str:
    """The same verdict seen with A and B exchanged."""
    known = standard_label(label)
    if known is None:
        raise ValueError(f"{label!r} is no verdict; known are {', '.join(LABELS)}")
    return known.translate(str.maketrans("AB", "BA")) if known != "A=B" else known
