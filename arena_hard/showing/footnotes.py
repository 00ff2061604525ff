"""What a reader of the leaderboard has to know besides the numbers, a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from arena_hard.data.lengths import AnswerLengths
from arena_hard.data.verdicts import LABELS
from arena_hard.rating.coverage import Coverage
from arena_hard.rating.games import ForeignScores, GameTable, games_of_judgments
from arena_hard.rating.intervals import Fit, Rule
from arena_hard.showing.leaderboard import percent

FEW_QUESTIONS = 10


def interval_line(fit: Fit, rule: Rule) -> str:
    """Which interval was used, how sure its ends are, and what the other rule would say."""
    parts = [f"Interval: {rule.kind}, {percent(rule.level)} %"]
    if rule.kind == "sandwich":
        parts[0] = f"Interval: sandwich, clustered by question, {percent(rule.level)} %"
    if fit.rounds is not None:
        parts[0] += f", {len(fit.rounds)} rounds, seed {rule.seed}"
        if rule.compat_unanchored:
            parts[0] += ", unanchored as the original's"
        if fit.monte_carlo is not None and np.isfinite(fit.monte_carlo):
            parts.append(f"chance of the rounds moves an end by ±{fit.monte_carlo:.2f} points")
    if rule.kind == "rows" and np.isfinite(fit.ratio):
        parts.append(
            f"clustered by question the intervals are {fit.ratio:.2f} times as wide on this data (--interval sandwich)"
        )
    return "; ".join(parts) + "."


def coverage_notes(found: Coverage) -> list[str]:
    """Which models were judged on a part of the bench's questions only, and whether on the same part."""
    heads = [f"{judge} judged" for judge in found.judges] if len(found.judges) > 1 else ["Judged"]
    if not found.judges:
        heads = ["A readable verdict on"]
    notes = []
    for judge, head in enumerate(heads):
        groups = [_group_text(found, *group) for group in found.groups(judge).items()]
        notes += [f"{head} {'; '.join(groups)}."] if groups else []
    shared = found.shared()
    if shared is not None:
        notes.append(
            f"The models were not judged on the same questions ({shared} are common to all), so their scores differ "
            "by the questions, too; a paired difference of two models uses only those that both have."
        )
    if found.strays:
        notes.append(f"Judged questions that question.jsonl does not list here, rated all the same: {found.strays}.")
    return notes


def _group_text(found: Coverage, group: tuple[int, bool], models: Sequence[str]) -> str:
    number, is_sample = group
    named = "all models" if 1 < len(models) == len(found.models) else ", ".join(models)
    return f"{number} of {found.n_questions} questions{', a stratified sample' * is_sample}: {named}"


def fit_notes(fit: Fit, rule: Rule) -> list[str]:
    """Notes on models whose score or interval is not what it looks like."""
    notes = []
    level = percent(rule.level)
    others = np.arange(len(fit.models)) != fit.anchor
    for model in np.flatnonzero(others & np.isinf(fit.ratings)):
        what = "lost" if fit.ratings[model] > 0 else "won"
        notes.append(
            f"{fit.models[model]} {what} nothing, so no finite rating fits; the other end of its interval is the "
            f"{level} % binomial bound for {fit.questions[model]} questions."
        )
    for model in np.flatnonzero(others & np.isnan(fit.ratings)):
        why = "has no readable verdict" if fit.questions[model] == 0 else "is not linked to the baseline by battles"
        notes.append(f"{fit.models[model]} {why}: no score.")
    few = [m for m in np.flatnonzero(others & (fit.questions > 0)) if fit.questions[m] < FEW_QUESTIONS]
    if few:
        named = ", ".join(f"{fit.models[m]} {fit.questions[m]}" for m in few)
        notes.append(f"Few questions with a readable verdict, so the intervals mean little: {named}.")
    flat = others & np.isfinite(fit.ratings) & (fit.upper == fit.lower)
    if flat.any():
        named = ", ".join(fit.models[m] for m in np.flatnonzero(flat))
        notes.append(f"No variation between questions, so the interval has no width: {named}.")
    return notes


def table_notes(table: GameTable) -> list[str]:
    """Notes on null verdicts and on judges that never differ."""
    notes = []
    nulls = np.bincount(table.model[table.verdict < 0], minlength=len(table.models))
    if nulls.any():
        named = ", ".join(f"{table.models[m]} {nulls[m]}" for m in np.flatnonzero(nulls))
        notes.append(f"Games without a readable verdict, not counted ({nulls.sum()} of {len(table)}): {named}.")
    for code, judge in enumerate(table.judges):
        given = table.verdict[(table.judge == code) & (table.verdict >= 0)]
        if len(given) > 1 and (given == given[0]).all():
            notes.append(f"{judge} gave the same verdict, {LABELS[given[0]]}, in all of its {len(given)} games.")
    return notes + single_game_notes(table) + _coverage_notes(table)


def own_notes(every: GameTable, games: GameTable, baseline: str) -> list[str]:
    """How many judgments of the baseline against itself were left out: those that `games` has not."""
    count = games_of_judgments(every)[0] - games_of_judgments(games)[0]
    if not count:
        return []
    return [f"{baseline} is the baseline; its own judgments, against itself, say nothing and are left out: {count}."]


def single_game_notes(table: GameTable) -> list[str]:
    """How many judgments hold one game only."""
    judgments, single = games_of_judgments(table)
    if not single:
        return []
    return [f"Judgments with one game only, where nothing balances the position: {single} of {judgments}."]


def gameless_notes(count: int) -> list[str]:
    """How many judgments hold no game."""
    return [f"Judgments without a game, not counted: {count}. --retry-unreadable judges them again."] * bool(count)


def foreign_notes(foreign: ForeignScores | None) -> list[str]:
    """Scores of other programs that are no verdict."""
    if foreign is None:
        return []
    return [
        f"Scores that are no verdict, counted as unreadable: {foreign.count}, the first {foreign.first!r} in "
        f"{foreign.file}:{foreign.line}. gen_judgment.py --retry-unreadable judges them again."
    ]


def duplicate_notes(duplicates: Mapping[str, int]) -> list[str]:
    """Which files hold several judgments of one question."""
    return [
        f"{file}: {count} judgment{'s' * (count > 1)} replaced by a later line for the same question."
        for file, count in duplicates.items()
    ]


def length_notes(lengths: Mapping[str, AnswerLengths]) -> list[str]:
    """Where token counts are missing or not comparable."""
    missing = [model for model, length in lengths.items() if length.average is None]
    by_server = [model for model, length in lengths.items() if length.by_server]
    notes = []
    if missing:
        notes.append(f"No answers with a token count: {_named(missing)}.")
    if by_server:
        notes.append(f"Tokens as the server counted them, with the model's own tokenizer: {_named(by_server)}.")
    return notes


def _named(models: Sequence[str], shown: int = 10) -> str:
    """The names, the first of them where they are many."""
    more = f" and {len(models) - shown} more" if len(models) > shown else ""
    return ", ".join(models[:shown]) + more


def _coverage_notes(table: GameTable) -> list[str]:
    """Models that not all judges of an ensemble have judged."""
    seen = np.zeros((len(table.models), len(table.judges)), dtype=np.int64)
    np.add.at(seen, (table.model, table.judge), 1)
    uneven: Sequence[int] = np.flatnonzero((seen != seen[:, :1]).any(axis=1) & (seen.sum(axis=1) > 0)).tolist()
    if not uneven:
        return []
    named = ", ".join(table.models[model] for model in uneven)
    return [f"The judges have not judged the same games of: {named}. The pooled score follows the busier judge."]
