"""Filling the judge prompt, reading a verdict from the judge's text, and what a verdict means."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
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


class Reading(NamedTuple):
    """What was read in a judge's text; `missing` tells that it held no label that counts."""

    verdict: str | None
    missing: bool


def read_verdict(text: str, patterns: Sequence[re.Pattern[str]], any_label: bool = False) -> Reading:
    """The one verdict in a judge's text, by the first pattern that finds any, as the judge first wrote it.

    Different verdicts are ambiguous: none, and asking again would not help. What is no verdict ([[A]],
    [[A>>>B]]) is passed over, except with `any_label`, for a judge that rates instead of comparing.
    """
    for pattern in patterns:
        labels = [match.strip() for match in pattern.findall(text)]
        said = {standard_label(label) or label: label for label in reversed(labels)}  # A>B and B<A are one
        counted = [label for meaning, label in said.items() if meaning in _OUTCOMES or (any_label and label)]
        if counted:
            return Reading(counted[0] if len(counted) == 1 else None, missing=False)
    return Reading(None, missing=True)


# --------------------------------------------------------------------------------- judge prompts


def fields_of(template: str) -> set[str]:
    """The placeholders of a template. Raises ValueError when its braces do not match."""
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


def is_placeholder(field: str) -> bool:
    """Whether a field can be filled: {question_N}, {answer_N}, {ref_answer_N} or v2.0's names."""
    return re.fullmatch(r"(question|answer|ref_answer)_[1-9]\d*", field) is not None or field in _V2_NAMES


_V2_NAMES = {"QUESTION": "question_1", "ANSWER_A": "answer_1", "ANSWER_B": "answer_2"}


def prompt_values(
    turns: Sequence[str],
    answers: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    fields: Iterable[str],
) -> dict[str, str]:
    """The values for a judge prompt's placeholders.

    `answers` holds the answers in the order in which the judge sees them, each a list of turns.
    With templates that name every turn, {answer_1}… run through A's turns and then B's, as in the
    original. Templates that name only the first turn get the whole dialogue of several turns in
    {question_1}, {answer_1} and {answer_2}: the original would show A's second turn as B's answer.
    """
    names = {_V2_NAMES.get(field, field) for field in fields}
    if len(turns) > 1 and "question_2" not in names:
        turns = [_joined(turns)]
        answers = [[_joined(answer)] for answer in answers]
        references = [[_joined(reference)] for reference in references]
    values = {f"question_{i}": turn for i, turn in enumerate(turns, 1)}
    shown = [turn for answer in answers for turn in answer]
    values |= {f"answer_{i}": turn for i, turn in enumerate(shown, 1)}
    for j, reference in enumerate(references):
        values |= {f"ref_answer_{i + j}": turn for i, turn in enumerate(reference, 1)}
    return values | {name: values[key] for name, key in _V2_NAMES.items() if key in values}


def _joined(turns: Sequence[str]) -> str:
    """Several turns as one text, each under a line with its number."""
    return "\n\n".join(f"[Turn {number}]\n{turn}" for number, turn in enumerate(turns, 1))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled, once: braces in the values stay as they are.

    Raises KeyError with the placeholder for which there is no value.
    """
    parts = []
    for text, field, _, _ in string.Formatter().parse(template):
        parts.append(text)
        if field is not None:
            parts.append(values[field])
    return "".join(parts)
