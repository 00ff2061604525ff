"""The statistics again, as slowly and plainly as they can be written: loops over games, one formula at a time.

They share no code with arena_hard.rating but the verdicts' names; tests/rating/test_differential.py compares both on
small benches that are made up.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

Rows = tuple[float, float]  # weighted wins and weight


@dataclass(frozen=True)
class Played:
    """One game with a verdict that was read; grade: 0 (strong loss of the model) to 4."""

    judge: int
    model: int
    question: int
    game: int
    grade: int


def rows_of(game: Played, weight: float) -> Rows:
    """A game as rows of battles: how many are won, how many there are."""
    rows = weight if game.grade in (0, 4) else 1.0
    return rows * {0: 0.0, 1: 0.0, 2: 0.5, 3: 1.0, 4: 1.0}[game.grade], rows


def by_question(games: Iterable[Played], model: int, weight: float) -> dict[int, Rows]:
    """A model's rows on each question."""
    found: dict[int, Rows] = {}
    for game in games:
        if game.model == model:
            won, rows = rows_of(game, weight)
            old = found.get(game.question, (0.0, 0.0))
            found[game.question] = old[0] + won, old[1] + rows
    return found


def score(questions: Mapping[int, Rows]) -> float:
    """The weighted win rate in percent."""
    return 100.0 * sum(won for won, _ in questions.values()) / sum(rows for _, rows in questions.values())


def mean_rows(questions: Mapping[int, Rows]) -> float:
    return sum(rows for _, rows in questions.values()) / len(questions)


def influences(questions: Mapping[int, Rows]) -> dict[int, float]:
    total, rate = sum(rows for _, rows in questions.values()), score(questions) / 100.0
    return {key: 100.0 * (won - rate * rows) / total for key, (won, rows) in questions.items()}


def rating(win_rate: float) -> float:
    """A win rate in percent as rating points, the baseline's being 1000."""
    if win_rate in (0.0, 100.0):
        return math.inf if win_rate else -math.inf
    return 1000.0 + 400.0 * math.log10(win_rate / (100.0 - win_rate))


def win_rate(points: float) -> float:
    """Rating points as a win rate in percent."""
    if abs(points) > 1e5:
        return 100.0 if points > 0 else 0.0
    return 100.0 / (1.0 + 10.0 ** ((1000.0 - points) / 400.0))


def unseen(n: int, level: float) -> float:
    """The p for which none of n has probability (1 − level)/2."""
    return 1.0 - math.exp(math.log((1.0 - level) / 2.0) / n)


def with_unseen(value: float, rows: float, most: float, share: float) -> tuple[float, float]:
    """A score if a share of the questions, with `most` rows each, were lost, and were won."""
    total = (1.0 - share) * rows + share * most
    kept = (1.0 - share) * rows * value
    return kept / total, (kept + 100.0 * share * most) / total


def sandwich(questions: Mapping[int, Rows], most: float, level: float) -> tuple[float, float]:
    """The interval of a score in percent: on the scale of log-odds, clustered by question."""
    n, value = len(questions), score(questions)
    if value in (0.0, 100.0):
        ends = with_unseen(value, mean_rows(questions), most, unseen(n, level))
        return (0.0, ends[1]) if value == 0.0 else (ends[0], 100.0)
    if n == 1:
        return 0.0, 100.0
    error = math.sqrt(sum(each**2 for each in influences(questions).values()) * n / (n - 1)) / 100.0
    if error < 1e-9:
        return with_unseen(value, mean_rows(questions), most, unseen(n, level))
    share = value / 100.0
    reach = stats.t.ppf((1 + level) / 2, n - 1) * error / (share * (1 - share)) * 400.0 / math.log(10.0)
    return win_rate(rating(value) - reach), win_rate(rating(value) + reach)


@dataclass(frozen=True)
class Pair:
    """A paired difference; NaN and 0 questions without a common one."""

    value: float
    lower: float
    upper: float
    p_value: float
    sigma: float
    questions: int


def paired(
    first: Mapping[int, Rows], second: Mapping[int, Rows], most: float, level: float, fixed: bool = False
) -> Pair:
    """first minus second on the questions that both have; fixed: second is the baseline, 50 on every question."""
    common = sorted(set(first) & set(second))
    if not common:
        return Pair(math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    return _paired_on({key: first[key] for key in common}, {key: second[key] for key in common}, most, level, fixed)


def _paired_on(
    one: Mapping[int, Rows], two: Mapping[int, Rows], most: float, level: float, fixed: bool = False
) -> Pair:
    """The same on questions that both have, or that one of them has 0 rows of."""
    common = sorted(one)
    n, value = len(common), score(one) - score(two)
    own, others = influences(one), influences(two)
    squares = sum((own[key] - others[key]) ** 2 for key in common)
    error = math.sqrt(squares * n / (n - 1)) if n > 1 else math.inf
    differing = sum(
        abs(one[k][0] * two[k][1] - two[k][0] * one[k][1]) > 1e-9
        or abs((one[k][0] - one[k][1] / 2) - (two[k][0] - two[k][1] / 2)) > 1e-9
        for k in common
    )
    t = abs(value) / error if error > 1e-9 else (math.inf if abs(value) > 1e-9 else 0.0)
    gaps = [n * (own[key] - others[key]) for key in common]
    p_value = max(2 * stats.t.sf(t, max(n - 1, 1)), min(1.0, 2.0 ** (1 - differing)))
    reach = stats.t.ppf((1 + level) / 2, n - 1) * error if n > 1 else math.inf
    lower = min(value - reach, -_unmet(two, one, most, unseen(n, level), [-gap for gap in gaps], (fixed, False)))
    upper = max(value + reach, _unmet(one, two, most, unseen(n, level), gaps, (False, fixed)))
    if p_value >= 1 - level:
        lower, upper = min(lower, 0.0), max(upper, 0.0)
    elif value > 0:
        lower = max(lower, 1e-6)
    else:
        upper = min(upper, -1e-6)
    furthest = 50.0 if fixed else 100.0
    return Pair(value, max(lower, -furthest), min(upper, furthest), p_value, error * math.sqrt(n), n)


def _unmet(
    one: Mapping[int, Rows],
    two: Mapping[int, Rows],
    most: float,
    share: float,
    gaps: Sequence[float],
    fixed: tuple[bool, bool],
) -> float:
    """The highest difference one − two: the share shrinks by how far the best question went towards the best of all."""
    best = 0.0 if fixed[0] else (100.0 - score(one)) * most / mean_rows(one)
    best += 0.0 if fixed[1] else score(two) * most / mean_rows(two)
    if max(gaps) > 0 and best > 0:
        share *= max(0.0, 1.0 - max(gaps) / best)
    high = score(one) if fixed[0] else with_unseen(score(one), mean_rows(one), most, share)[1]
    low = score(two) if fixed[1] else with_unseen(score(two), mean_rows(two), most, share)[0]
    return high - low


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, one after the other."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for place, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        largest = max(largest, min(1.0, p_values[k] * (len(p_values) - place)))
        corrected[k] = largest
    return corrected


def ranks(
    models: Mapping[str, Mapping[int, Rows]], baseline: str, most: float, level: float
) -> dict[str, tuple[int, int]]:
    """Best and worst rank of each model, the baseline among them."""
    pairs = {
        (a, b): paired(models[a], models[b], most, level, b == baseline)
        for a, b in combinations(sorted(models, key=lambda name: name == baseline), 2)
    }
    known = {names: pair for names, pair in pairs.items() if pair.questions}
    corrected = holm([pair.p_value for pair in known.values()])
    above, below = defaultdict[str, int](int), defaultdict[str, int](int)
    for ((a, b), pair), p_value in zip(known.items(), corrected):
        if p_value <= 1.0 - level:
            better, worse = (a, b) if pair.value > 0 else (b, a)
            above[worse] += 1
            below[better] += 1
    return {name: (1 + above[name], len(models) - below[name]) for name in models}


def bootstrap_ends(
    games: Sequence[Played], models: Sequence[int], kind: str, weight: int, rounds: int, level: float
) -> dict[int, tuple[float, float]]:
    """Percentiles of rounds that draw rows, or questions, with the original's generator; by model, as ratings."""
    generator = np.random.RandomState(42)
    lines = [
        (g, 1.0 if g.grade > 2 else 0.5 if g.grade == 2 else 0.0) for g in games for _ in range(_copies(g, weight))
    ]
    asked = sorted({g.question for g in games})
    found: dict[int, list[float]] = {model: [] for model in models}
    for _ in range(rounds):
        if kind == "rows":
            drawn = [lines[k] for k in generator.randint(0, len(lines), size=len(lines))]
        else:
            picks = [asked[k] for k in generator.randint(0, len(asked), size=len(asked))]
            drawn = [line for pick in picks for line in lines if line[0].question == pick]
        for model in models:
            won = [win for game, win in drawn if game.model == model]
            found[model].append(rating(100.0 * sum(won) / len(won)) if won else math.nan)
    tail = (1.0 - level) / 2.0
    return {model: (quantile(each, tail), quantile(each, 1.0 - tail)) for model, each in found.items()}


def _copies(game: Played, weight: int) -> int:
    return weight if game.grade in (0, 4) else 1


def quantile(values: Sequence[float], share: float) -> float:
    """Linear between neighbours; between two infinite ones the nearer, NaN left out."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return math.nan
    place = share * (len(known) - 1)
    low, part = int(place), place - int(place)
    below, above = known[low], known[min(low + 1, len(known) - 1)]
    if part == 0 or below == above:
        return below
    if math.isinf(below) and math.isinf(above):
        return below if part < 0.5 else above
    return (1 - part) * below + part * above


def position_bias(games: Sequence[Played], level: float) -> tuple[float, float, float] | None:
    """First place minus second in points, with its interval."""
    orders = [[g for g in games if g.game == order] for order in (0, 1)]
    asked = sorted({g.question for g in games})
    if not all(orders) or len(asked) < 2:
        return None
    sides: list[dict[int, Rows]] = []
    for order, games_of_order in enumerate(orders):  # the baseline's answer is the first, then the second
        won = {q: [abs(order - _first_won(g)) for g in games_of_order if g.question == q] for q in asked}
        sides.append({q: (sum(each), float(len(each))) for q, each in won.items()})
    most = max(rows for side in sides for _, rows in side.values())
    found = _paired_on(sides[0], sides[1], most, level)
    return found.value, found.lower, found.upper


def _first_won(game: Played) -> float:
    """Whether the answer shown first won: the baseline's in game 1, the model's in game 2."""
    model = {0: 0.0, 1: 0.0, 2: 0.5, 3: 1.0, 4: 1.0}[game.grade]
    return 1.0 - model if game.game == 0 else model
