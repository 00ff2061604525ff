"""Does a benchmark work: what its judgments say of how well it tells models apart, by the statistics of rating/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena_hard.data.expected import Expected
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.rating import battles, benchmarks, categories, intervals, metrics
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.benchmarks import Comparison
from arena_hard.rating.discrimination import Discrimination, discrimination
from arena_hard.rating.games import GameTable, read_judgments, without_own
from arena_hard.rating.metrics import Correlation, Source
from arena_hard.rating.outcomes import outcomes
from arena_hard.rating.ratings import win_rate

LEVEL = 0.95


@dataclass(frozen=True)
class Check:
    """What one judge's games against one baseline say of a benchmark.

    source: the models' win rates with intervals clustered by question, the baseline among them; itself: the source
    against itself, for its separability; None with fewer than three models. reference: against another ranking;
    why_no_reference: why it is not there, though one was given. questions: what each says of the models.
    """

    judge: str
    baseline: str
    category: str
    source: Source
    itself: Correlation | None
    questions: Discrimination
    reference: Comparison | None = None
    why_no_reference: str = ""

    @property
    def models(self) -> list[tuple[str, float, float, float]]:
        """Name, win rate and both ends of its interval in percent, best first."""
        columns = (self.source.score, self.source.lower, self.source.upper)
        rows = zip(self.source.models, *(column.tolist() for column in columns))
        return sorted(rows, key=lambda row: (-row[1], row[0]))


def checks(bench: Bench, reference: Source | None = None) -> tuple[list[Check], list[str]]:
    """One for each judge, baseline and category that has readable verdicts; and why others have none."""
    found: list[Check] = []
    problems: list[str] = []
    for judge in bench.judges():
        expected = Expected(bench)
        try:
            judgments = read_judgments(bench, [judge], expected.judged_against([judge]))
            parts = categories.cut(judgments.table, expected, None, None)
        except UserError as error:
            problems.append(str(error))
            continue
        for part in parts:
            games = without_own(part.games, part.baseline)
            one = _check(judge, part.category, part.baseline, games, reference) if len(games) else None
            if one is None:
                problems.append(f"{judge} has given no verdict against {part.baseline} that can be read.")
            else:
                found.append(one)
    return found, problems


def _check(judge: str, category: str, baseline: str, games: GameTable, reference: Source | None) -> Check | None:
    fought = battles.from_games(games, baseline)
    if not len(fought):
        return None
    cells, rule = battles.cells_of(fought), intervals.Rule(kind="sandwich", level=LEVEL)
    fit = intervals.fit_with_intervals(fought, cells, fought.models.index(baseline), rule)
    scores = [win_rate(ends) for ends in (fit.ratings, fit.lower, fit.upper)]
    known = np.flatnonzero(~np.isnan(scores[0]))
    models = tuple(fit.models[place] for place in known.tolist())
    source = _source(models, [values[known] for values in scores])
    itself = metrics.correlate(source, source, level=LEVEL) if len(source.models) >= 3 else None
    compared, why = None, ""
    if reference is not None:
        try:
            compared = benchmarks.compare([source], reference, level=LEVEL)[0]
        except UserError as error:
            why = str(error)
    return Check(judge, baseline, category, source, itself, discrimination(outcomes(games)), compared, why)


def _source(models: tuple[str, ...], scores: Sequence[FloatArray]) -> Source:
    score, lower, upper = scores
    spread = (upper - lower) / (2 * 1.959964)
    return Source("this benchmark", models, score, lower, upper, score, spread, LEVEL)
