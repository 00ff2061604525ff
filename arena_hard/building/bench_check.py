"""Does a benchmark work: what its judgments say of how well it tells models apart, by the statistics of rating/."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from arena_hard.data.expected import Expected
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question, UserError
from arena_hard.rating import battles, benchmarks, intervals, metrics, same_place
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.benchmarks import Comparison
from arena_hard.rating.categories import Cut, Part, covered, cut
from arena_hard.rating.coverage import judged_in, listed
from arena_hard.rating.discrimination import Discrimination, discrimination
from arena_hard.rating.games import GameTable, read_judgments, without_own
from arena_hard.rating.metrics import Correlation, Source
from arena_hard.rating.outcomes import outcomes
from arena_hard.rating.ratings import win_rate
from arena_hard.rating.stopped import looked_in
from arena_hard.showing import footnotes
from arena_hard.showing.notes import Text

LEVEL = 0.95
_VIEW = argparse.Namespace(soft=False, first_game_only=False, weight=3, level=LEVEL)  # show_result's defaults


@dataclass(frozen=True)
class Check:
    """What one judge's games against one baseline say of a benchmark.

    source: the models' win rates with intervals clustered by question, the baseline among them; itself: the source
    against itself, for its separability; None with fewer than three models. reference: against another ranking;
    why_no_reference: why it is not there, though one was given. questions: what each says of the models.
    notes: what show_result says of the same games.
    """

    judge: str
    baseline: str
    category: str
    source: Source
    itself: Correlation | None
    questions: Discrimination
    reference: Comparison | None = None
    why_no_reference: str = ""
    notes: Sequence[Text] = ()

    @property
    def models(self) -> list[tuple[str, float, float, float]]:
        """Name, win rate and both ends of its interval in percent, best first."""
        columns = (self.source.score, self.source.lower, self.source.upper)
        rows = zip(self.source.models, *(column.tolist() for column in columns))
        return sorted(rows, key=lambda row: (-row[1], row[0]))


def checks(
    bench: Bench, questions: Sequence[Question], reference: Source | None = None
) -> tuple[list[Check], list[str]]:
    """One for each judge, baseline and category that has readable verdicts; and why others have none.

    questions: those of the benchmark; what else was judged says nothing of it. Without any, all that was judged counts.
    """
    found: list[Check] = []
    problems: list[str] = []
    for judge in bench.judges():
        expected = Expected(bench)
        try:
            judgments = read_judgments(bench, [judge], expected.judged_against([judge]))
            parts = cut(judgments.table, expected, None, None)
        except UserError as error:
            problems.append(str(error))
            continue
        notes = footnotes.files_notes(judgments)
        for part in parts:
            games = without_own(part.games, part.baseline)
            said = [*part.notes, *footnotes.own_notes(part.games, games, part.baseline), *notes]
            games, strays = listed(games, questions) if questions else (games, 0)
            if len(games) and (one := _check(bench, questions, part, judge, games, reference)):
                found.append(replace(one, notes=[*_stray_notes(strays), *one.notes, *said]))
            else:
                problems.append(_no_check(judge, part.baseline, 0 if len(games) else strays))
    return found, problems


def _stray_notes(strays: int) -> list[str]:
    said = "Judged questions that question.jsonl does not list, which are not counted here"
    return [f"{said}: {strays}."] * bool(strays)


def _no_check(judge: str, baseline: str, strays: int) -> str:
    if not strays:
        return f"{judge} has given no verdict against {baseline} that can be read."
    return (
        f"{judge} has judged none of these questions against {baseline}, but {counted(strays, 'other')} that "
        "question.jsonl does not list. Run gen_answer.py and gen_judgment.py again."
    )


def _check(
    bench: Bench, questions: Sequence[Question], cut: Cut, judge: str, games: GameTable, reference: Source | None
) -> Check | None:
    """What some games of a part say; None where no verdict can be read."""
    fought = battles.from_games(games, cut.baseline)
    if not len(fought):
        return None
    looked = looked_in([bench.judgment_folder(judge, own) for own in ("", cut.baseline)], fought.models)
    silent, rule = same_place.same_place(games), intervals.Rule(kind="sandwich", level=LEVEL)
    part = Part(cut.category, cut.baseline, fought, games, judged_in(games), looked, silent)
    fit = intervals.fit_with_intervals(fought, battles.cells_of(fought), part.anchor, rule)
    fit = intervals.without_ends(fit, silent)
    notes = footnotes.score_notes(fit, rule, fought, covered(part, questions))
    scores = [win_rate(ends) for ends in (fit.ratings, fit.lower, fit.upper)]
    known = np.flatnonzero(~np.isnan(scores[0]))
    models = tuple(fit.models[place] for place in known.tolist())
    source = _source(models, [values[known] for values in scores])
    itself = metrics.correlate(source, source, level=LEVEL) if len(source.models) >= 3 else None
    compared, why = _against(source, reference)
    told = discrimination(outcomes(games))
    notes += footnotes.games_notes(_VIEW, games, games, looked, silent)
    return Check(judge, cut.baseline, cut.category, source, itself, told, compared, why, notes)


def _against(source: Source, reference: Source | None) -> tuple[Comparison | None, str]:
    """The benchmark against a ranking, or why there is none."""
    if reference is None:
        return None, ""
    try:
        return benchmarks.compare([source], reference, level=LEVEL)[0], ""
    except UserError as error:
        return None, str(error)


def _source(models: tuple[str, ...], scores: Sequence[FloatArray]) -> Source:
    score, lower, upper = scores
    spread = (upper - lower) / (2 * 1.959964)
    return Source("this benchmark", models, score, lower, upper, score, spread, LEVEL)
