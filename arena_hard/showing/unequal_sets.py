"""What has to be said of comparisons and ranks where models were judged on different questions."""

from __future__ import annotations

from collections.abc import Sequence

from arena_hard.data.name_lists import counted
from arena_hard.rating.paired import Difference, RankInterval
from arena_hard.showing.notes import Items, Note, Text

NOTHING_COMMON = (
    "no question in common: nothing is said of them, because the difference of their win rates is that of the "
    "questions, too"
)


def unpaired(one: Difference) -> str:
    """What two win rates on different questions differ by, and why that is no difference of the models."""
    return (
        f"{one.model} was judged on {counted(one.model_questions, 'question')}, {one.other} on {one.other_questions}, "
        f"both on {one.questions}: their whole win rates are {one.unpaired:+.1f} points apart, but that is the "
        "questions' difficulty, too."
    )


def rank_notes(ranks: Sequence[RankInterval]) -> list[Text]:
    """What has to be said of ranks where models were judged on different questions."""
    notes: list[Text] = []
    circle = [one.model for one in ranks if one.in_circle]
    beside = [f"{one.model} (place {one.rank})" for one in ranks if not one.holds_rank]
    if circle:
        why = ", each on the questions that two of them share: no order of these is said in the ranks."
        notes.append(Note(["Better than each other in a circle: ", Items(circle), why]))
    if beside:
        why = "Places go by all questions of a model, ranks by those that two share, so the place is not among them: "
        notes.append(Note([why, Items(beside), "."]))
    return notes
