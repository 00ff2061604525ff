"""What has to be said of comparisons and ranks where models were judged on different questions."""

from __future__ import annotations

from collections.abc import Sequence

from arena_hard.data.name_lists import counted
from arena_hard.rating.paired import Difference, RankInterval
from arena_hard.showing.notes import Items, Note, Text
from arena_hard.showing.sections import signed

_FEW = 3  # pairs that are named

NOTHING_COMMON = (
    "no question in common: no comparison is made, because part of the difference between their win rates is due to "
    "the questions"
)


def unpaired_notes(pairs: Sequence[Difference]) -> list[Text]:
    """What the win rates of models on different questions differ by, and why that is no difference of the models."""
    said = [
        f"{one.model} was judged on {counted(one.model_questions, 'question')}, {one.other} on {one.other_questions}, "
        f"both on {one.questions}: their whole win rates are {signed(one.unpaired)} points apart"
        for one in pairs
        if not one.has_same_questions
    ]
    why = ", but part of that is the difficulty of the questions."
    return [Note([Items(said, "; ", _FEW, "pairs"), why])] if said else []


def without_common_notes(pairs: Sequence[tuple[str, str]]) -> list[Text]:
    """Pairs of which nothing is said."""
    named = Items([f"{one} and {other}" for one, other in pairs], "; ", _FEW, "pairs")
    return [Note([named, f" have {NOTHING_COMMON}."])] if pairs else []


def rank_notes(ranks: Sequence[RankInterval]) -> list[Text]:
    """What has to be said of ranks where models were judged on different questions."""
    notes: list[Text] = []
    circle = [one.model for one in ranks if one.in_circle]
    beside = [f"{one.model} (place {one.rank})" for one in ranks if not one.holds_rank]
    if circle:
        why = ", each on the questions that two of them share, so the ranks do not order them."
        notes.append(Note(["Each better than the next, in a circle: ", Items(circle), why]))
    if beside:
        why = "Places use all questions of a model, ranks those that two models share, so the place is outside them: "
        notes.append(Note([why, Items(beside), "."]))
    return notes
