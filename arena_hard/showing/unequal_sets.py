"""What has to be said where models were judged on different questions, or by some of the judges only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from arena_hard.data.name_lists import counted
from arena_hard.rating.arrays import IntArray, occurring
from arena_hard.rating.coverage import Coverage
from arena_hard.rating.games import GameTable, select
from arena_hard.showing.notes import Items, Note, Text
from arena_hard.showing.sections import signed

if TYPE_CHECKING:
    from arena_hard.rating.paired import Difference, RankInterval

FEW_GROUPS = 4
_MOST_READ = 0.9  # of the games of the judge with most, below which the judges' shares of a score are not alike
_FEW = 3  # pairs that are named

NOTHING_COMMON = (
    "no question in common: no comparison is made, because part of the difference between their win rates is due to "
    "the questions"
)


def coverage_notes(found: Coverage) -> list[Text]:
    """Which models were judged on a part of the bench's questions only, and whether on the same part."""
    heads = [f"{judge} judged" for judge in found.judges] if len(found.judges) > 1 else ["Judged"]
    if not found.judges:
        heads = ["A readable verdict on"]
    notes: list[Text] = []
    for judge, head in enumerate(heads):
        groups = [_group_text(found, *group) for group in found.groups(judge).items()]
        notes += [Note([f"{head} ", Items(groups, "; ", FEW_GROUPS), "."])] if groups else []
    half = [_group_text(found, (number, False), models) for number, models in found.half_read().items()]
    if half and found.judges:
        notes.append(Note(["A readable verdict on ", Items(half, "; ", FEW_GROUPS), "."]))
    shared = found.shared()
    if shared is not None:
        what = "models' readable verdicts are not" if half else "models were not judged"
        notes.append(
            f"The {what} on the same questions ({shared} are common to all), so part of the difference "
            "between scores is due to the questions; a paired difference uses only the questions that both models have."
        )
    if found.strays:
        notes.append(f"Judged questions that question.jsonl does not list here, rated all the same: {found.strays}.")
    return notes


def _group_text(found: Coverage, group: tuple[int, bool], models: Sequence[str]) -> Note:
    number, is_sample = group
    named: str | Items = "all models" if 1 < len(models) == len(found.models) else Items(models)
    return Note([f"{number} of {counted(found.n_questions, 'question')}{', a stratified sample' * is_sample}: ", named])


def judges_notes(table: GameTable) -> list[Text]:
    """Judges of an ensemble that say nothing at all, and models of which the others do not say equally much."""
    judges = occurring(table.judge)
    judged, read = _games_by_judge(table, judges), _games_by_judge(select(table, table.verdict >= 0), judges)
    if len(judges) < 2:
        return []
    silent = ~read.any(axis=0)
    notes: list[Text] = [
        f"{table.judges[judges[code]]} has no readable verdict in any of its "
        f"{counted(int(judged[:, code].sum()), 'game')}, so no score rests on it."
        for code in np.flatnonzero(silent).tolist()
    ]
    judged, read = judged[:, ~silent], read[:, ~silent]
    uneven = judged.max(axis=1, initial=0) > judged.min(axis=1, initial=len(table))
    half = ~uneven & (read.min(axis=1, initial=len(table)) < _MOST_READ * read.max(axis=1, initial=0))
    for models, what in ((uneven, "judged"), (half, "a readable verdict on")):
        named = Items([table.models[model] for model in np.flatnonzero(models)])
        head = f"The judges have not {what} the same games of: "
        end = ". The pooled score is dominated by the judge with more games."
        notes += [Note([head, named, end])] if models.any() else []
    return notes


def _games_by_judge(table: GameTable, judges: Sequence[int]) -> IntArray:
    """How many games [models, judges] a table has."""
    shape = (len(table.models), len(table.judges))
    counts = np.bincount(np.ravel_multi_index((table.model, table.judge), shape), minlength=shape[0] * shape[1])
    return counts.reshape(shape)[:, judges]


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
