"""The prompt templates of a judge config: their placeholders, and filling them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence


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
    parts: list[str] = []
    for text, field, _, _ in string.Formatter().parse(template):
        parts.append(text)
        if field is not None:
            parts.append(values[field])
    return "".join(parts)
