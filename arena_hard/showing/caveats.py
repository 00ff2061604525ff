"""Notes on scores that the published arithmetic makes look surer than they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from arena_hard.rating import judge_trust
from arena_hard.rating.games import GameTable
from arena_hard.rating.same_place import ByPlace
from arena_hard.rating.stopped import Looked
from arena_hard.showing.notes import Items, Note, Text


def same_place_notes(models: Sequence[str]) -> list[Text]:
    """Models of which a judge that always prefers one place says nothing."""
    if not models:
        return []
    head = (
        "The judge preferred the same place in all games, in both orders, which says nothing of the model, so that no "
        "interval, rank or difference is known: "
    )
    return [Note([head, Items(models), "."])]


def by_place_notes(found: Sequence[ByPlace], level: float = 0.95) -> list[Text]:
    """Models of which much was decided by place, and what the other questions say."""
    if not found:
        return []
    named = [
        f"{one.model} {one.by_place} of {one.questions} judgments, win rate on the others {_rate(one, level)}"
        for one in found
    ]
    head = (
        "The judge preferred the same place in both games of many judgments, which says nothing of the model, draws "
        "its score to 50 and narrows its interval: "
    )
    return [Note([head, Items(named, "; "), "."])]


def _rate(one: ByPlace, level: float) -> str:
    if math.isnan(one.rate):
        return "not known"
    ends = f"{one.lower:.1f} to {one.upper:.1f}" if one.lower == one.lower else "not known"
    return f"{one.rate:.1f} ({100 * level:g} % interval {ends})"


def trust_notes(games: GameTable) -> list[Text]:
    """Judges whose verdicts are to be taken with care, or not to be trusted; nothing of others."""
    notes: list[Text] = []
    for found in judge_trust.trust(games):
        if found.answer in ("with care", "no"):
            head = "Take these results with care" if found.answer == "with care" else "Do not trust these results"
            notes.append(f"{head}: the judge {found.judge} {found.agreement}, and {found.bias}.")
    return notes


def looks_notes(looked: Mapping[str, Looked]) -> list[Text]:
    """Models whose judging was looked at while it went on."""
    if not looked:
        return []
    head = (
        "Judging was looked at while it went on, and what was seen could end it (--until-decided, --until-width), so "
        "intervals, ranks and p-values that take the number of questions for fixed are too sure: "
    )
    tail = ". What holds at all looks is in the table of looks that show_result.py makes from the judgments."
    return [Note([head, Items(list(looked)), tail])]
