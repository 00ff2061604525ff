"""Notes on scores that the published arithmetic makes look surer than they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from arena_hard.data.name_lists import counted
from arena_hard.rating import judge_trust
from arena_hard.rating.arrays import distinct, occurring
from arena_hard.rating.game_rows import has_probabilities
from arena_hard.rating.games import ForeignScores, GameTable
from arena_hard.rating.intervals import BY_ROWS
from arena_hard.rating.judge_trust import Trust
from arena_hard.rating.same_place import ByPlace
from arena_hard.rating.stopped import Looked
from arena_hard.showing.leaderboard import score_text
from arena_hard.showing.notes import Items, Note, Text


def same_place_notes(models: Sequence[str]) -> list[Text]:
    """Models of which a judge that always prefers one place says nothing."""
    if not models:
        return []
    head = (
        "The judge preferred the same position in all games, in both orders, which says nothing about the model, so no "
        "interval, rank or difference is known: "
    )
    return [Note([head, Items(models), "."])]


def by_place_notes(found: Sequence[ByPlace], level: float = 0.95) -> list[Text]:
    """Models of which much was decided by place, and what the other questions say."""
    if not found:
        return []
    named = [
        f"{one.model} {one.by_place} of {counted(one.judgments, 'judgment')}, win rate on the others "
        + _rate(one, level)
        for one in found
    ]
    head = (
        "The judge preferred the same position in both games of many judgments, which says nothing about the model, "
        "pulls its score toward 50 and narrows its interval: "
    )
    return [Note([head, Items(named, "; "), "."])]


def _rate(one: ByPlace, level: float) -> str:
    if math.isnan(one.rate):
        return "not known"
    ends = f"{score_text(one.lower)} to {score_text(one.upper)}" if one.lower == one.lower else "not known"
    return f"{score_text(one.rate)} ({100 * level:g}% interval {ends})"


def soft_notes(games: GameTable, first_game_only: bool) -> list[Text]:
    """What --soft counts, and in how many games."""
    used = (games.verdict >= 0) & ((games.game == 0) | (not first_game_only))
    known, several = has_probabilities(games), occurring(games.judge)[1:]
    counts = [
        f"{int((known & used & (games.judge == code)).sum())} of {int((used & (games.judge == code)).sum())} games"
        f" with probabilities{f' ({games.judges[code]})' if several else ''}"
        for code in occurring(games.judge)
    ]
    rest = "; the others count by their label" * bool((used & ~known).any())
    if not (known & used).any():
        rest = "; all count by their label, as without --soft (verdict: logprobs in the judge's config records them)"
    about = "What is said of the judge, its ties, positions and agreement, is of its labels."
    return [Note(["soft: expected outcomes in place of labels, ", Items(counts), f"{rest}. {about}"])]


def no_probabilities_notes(found: ForeignScores | None) -> list[str]:
    """What stands in the place of label probabilities and cannot be used."""
    if found is None:
        return []
    return [
        f"Label probabilities that cannot be used, so that the label counts: {found.count}, the first in {found.file}:"
        f"{found.line} ({found.first})."
    ]


ANSWERS = {"yes": "Yes.", "with care": "With care.", "no": "No.", "not known": "Too few games to tell."}
_CAUTIONS = {"with care": "Take these results with care", "no": "Do not trust these results"}
_SUSPICION = (
    f"Fewer than {judge_trust.FEWEST} judgments do not show whether a judge can be trusted, and these speak against it"
)


def trust_facts(found: Trust) -> str:
    """What decides whether a judge can be trusted, as a sentence."""
    return f"{found.judge} {found.agreement}, and {found.bias}."


def caution(found: Trust | None) -> tuple[str, str] | None:
    """A warning of a judge and why, None where there is nothing to be said."""
    if found is None or not (head := _SUSPICION if found.suspected else _CAUTIONS.get(found.answer)):
        return None
    return head, f"the judge {trust_facts(found)}"


def trust_notes(games: GameTable) -> list[Text]:
    """Judges whose verdicts are to be taken with care, or not to be trusted, or who look so; nothing of others."""
    return [": ".join(said) for said in map(caution, judge_trust.trust(games)) if said]


def is_caution(note: Text) -> bool:
    """Whether a note is one of `trust_notes`, which a page puts first; also of those that a file kept."""
    heads = (*_CAUTIONS.values(), _SUSPICION)
    return isinstance(note, str) and note.startswith(tuple(f"{head}: " for head in heads))


def narrow_intervals(kind: str, ratios: Sequence[float]) -> str:
    """Where published intervals are too narrow, how to get wide ones, else nothing; ratios: `Fit.ratio` of parts."""
    wider = max((ratio for ratio in ratios if math.isfinite(ratio)), default=0.0)
    if kind not in BY_ROWS or round(wider, 2) <= 1.0:
        return ""
    most = "up to " * (len(ratios) > 1)
    return (
        f"The intervals are too narrow, as published ones are: clustered by question they are {most}{wider:.2f} times "
        "as wide on this data, which --interval sandwich shows."
    )


def shortened_notes(games: GameTable) -> list[Text]:
    """How many games were judged on shortened answers, which the judge's context had no room for."""
    cut = np.bincount(games.model[games.shortened], minlength=len(games.models)) if len(games.shortened) else None
    if cut is None or not cut.any():
        return []
    named = Items([f"{games.models[m]} {cut[m]}" for m in np.argsort(-cut, kind="stable") if cut[m]])
    head = "Games judged on answers that were shortened to fit the judge's context (truncate: answers)"
    return [Note([f"{head}, {cut.sum()} of {len(games)}: ", named, "."])]


IN_TABLE = "What holds at all looks is in the table of looks (which --load-battles does not make)."


def looks_notes(looked: Mapping[str, Looked], games: GameTable, told: str = IN_TABLE) -> list[Text]:
    """Models whose judging was looked at while it went on, and where what holds all the same is told."""
    if not looked:
        return []
    head = (
        "Judging was monitored as it ran and could stop on what was seen (--until-decided, --until-width), so "
        "intervals, ranks and p-values that assume a fixed number of questions are overconfident: "
    )
    return [Note([head, Items(list(looked)), f". {_where_told(looked, games) or told}"])]


def _where_told(looked: Mapping[str, Looked], games: GameTable) -> str:
    read = games.verdict >= 0
    if len(occurring(games.judge[read])) > 1:
        return "What holds at all looks is shown for a single judge only (--judge-name)."
    of_looked = read & np.array([name in looked for name in games.models], dtype=bool)[games.model]
    places = distinct(games.model[of_looked].astype(np.int64) * len(games.questions) + games.question[of_looked])
    if not len(places) or np.bincount(places // len(games.questions)).max() < 2:
        return "One question does not show what holds at all looks."
    return ""
