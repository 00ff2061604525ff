"""The five verdict labels, their spellings, and what they mean."""

from __future__ import annotations

from typing import NamedTuple, TypeGuard

LABELS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")

# v2.0 and some judges write the same verdicts the other way round.
_OTHER_SPELLINGS = {"A<B": "B>A", "A<<B": "B>>A", "B<A": "A>B", "B<<A": "A>>B", "B=A": "A=B"}


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


def standard_label(label: str) -> str | None:
    """The label in v0.1's spelling, or None when it is not one of the five verdicts."""
    label = label.strip()
    label = _OTHER_SPELLINGS.get(label, label)
    return label if label in _OUTCOMES else None


def is_verdict(score: object) -> TypeGuard[str]:
    """Whether the score of a record is one of the five verdicts; records of others may hold anything."""
    return isinstance(score, str) and standard_label(score) is not None


def outcome(label: str) -> Outcome:
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
