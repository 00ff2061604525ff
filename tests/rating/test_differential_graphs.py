"""Any pairs, metrics and features of style against slow twins: as test_differential.py, with as many cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from arena_hard.rating import battles, intervals, metrics, ratings, style_fit
from arena_hard.rating.battles import Battles
from arena_hard.rating.intervals import Rule
from arena_hard.rating.metrics import Source
from tests.rating.test_differential import many, near

pytestmark = pytest.mark.slow

Battle = tuple[int, int, int, int]  # model_a, model_b, winner, question

pairs = st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0, 0, 0, 1, 2]), st.integers(0, 5)).filter(
    lambda battle: battle[0] != battle[1]
)


def made(rows: list[Battle]) -> Battles:
    model_a, model_b, winner, question = (np.array(column, dtype=np.int32) for column in zip(*rows))
    ones = np.ones(len(rows), dtype=np.int8)
    return Battles([f"m{k}" for k in range(5)], [f"q{k}" for k in range(6)], model_a, model_b, question, winner, ones)


def beats(rows: list[Battle]) -> list[list[bool]]:
    """Whether a chain of wins or ties leads from one model to another, by Floyd's and Warshall's loops."""
    chain = [[one == other for other in range(5)] for one in range(5)]
    for a, b, winner, _ in rows:
        chain[a][b] |= winner != 2
        chain[b][a] |= winner != 0
    for over, one, other in itertools.product(range(5), repeat=3):
        chain[one][other] |= chain[one][over] and chain[over][other]
    return chain


def loss(theta: np.ndarray, rows: list[Battle]) -> float:
    total = 0.0
    for a, b, winner, _ in rows:
        won, gap = (1.0, 0.5, 0.0)[winner], theta[a] - theta[b]
        total += won * np.logaddexp(0, -gap) + (1 - won) * np.logaddexp(0, gap)
    return float(total)


@many
@given(st.lists(pairs, min_size=1, max_size=25))
def test_ratings_of_any_pairs(rows: list[Battle]) -> None:
    fought = made(rows)
    cells = battles.cells_of(fought)
    found = ratings.fit(cells, cells.counts(fought), 0)
    chain = beats(rows)
    inner = [k for k in range(5) if chain[0][k] and chain[k][0]]
    for k in range(5):
        above, below = chain[k][0], chain[0][k]
        wanted = math.isfinite(found[k]) if above and below else found[k] == (math.inf if above else -math.inf)
        assert wanted or (not above and not below and math.isnan(found[k]))
    own = [row for row in rows if row[0] in inner and row[1] in inner]
    if len(inner) < 2:
        return
    free = inner[1:]

    def of_free(values: np.ndarray) -> float:
        theta = np.zeros(5)
        theta[free] = values
        return loss(theta, own)

    slow = optimize.minimize(of_free, np.zeros(len(free)), method="BFGS").x
    theta = np.zeros(5)
    theta[inner] = (found[inner] - 1000) / ratings.SCALE
    assert loss(theta, own) <= of_free(slow) + 1e-7


@many
@given(st.lists(pairs, min_size=1, max_size=12), st.sampled_from([0.5, 0.9, 0.95]))
def test_bounds_across_components(rows: list[Battle], level: float) -> None:
    """At the bounded end all games that tie a model to the anchor are (1 − level)/2 times as probable as at best."""
    fought = made(rows)
    found = intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule("sandwich", level))
    chain = beats(rows)
    most = max(
        sum({a, b} == {i, j} and question == q for a, b, _, question in rows)
        for i, j in itertools.combinations(range(5), 2)
        for q in range(6)
    )
    for k in np.flatnonzero(np.isinf(found.ratings)).tolist():
        up = found.ratings[k] > 0
        tied = [m for m in range(5) if (chain[k][m] and chain[m][0] if up else chain[m][k] and chain[0][m])]
        own = [row for row in rows if row[0] in tied and row[1] in tied]
        leaving = [(a, b, q) for a, b, _, q in own if chain[k][a] * chain[a][k] != chain[k][b] * chain[b][k]]
        met = len(leaving) / len({(frozenset((a, b)), q) for a, b, q in leaving})
        end = found.lower[k] if up else 2000 - found.upper[k]
        distance = (end - 1000) / ratings.SCALE + math.log(most / met)
        at_best = highest([row for row in own if chain[row[0]][row[1]] and chain[row[1]][row[0]]], {})
        there = highest(own, {0: 0.0, k: distance if up else -distance})
        assert there - at_best == pytest.approx(math.log((1 - level) / 2), abs=2e-4)


def highest(rows: list[Battle], pinned: dict[int, float]) -> float:
    """The largest log-likelihood of some games, each question of a pair being one trial."""
    free = [k for k in {a for row in rows for a in row[:2]} if k not in pinned]
    if not rows:
        return 0.0
    weights = np.array([1.0 / _rows_a_question(rows, {a, b}) for a, b, _, _ in rows])
    one, other, winner, _ = np.array(rows).T
    won = weights * (1.0 - winner / 2.0)

    def of_free(values: np.ndarray) -> float:
        theta = np.zeros(5)
        theta[list(pinned)] = list(pinned.values())
        theta[free] = values
        gap = theta[one] - theta[other]
        return float(won @ np.logaddexp(0, -gap) + (weights - won) @ np.logaddexp(0, gap))

    return -float(optimize.minimize(of_free, np.zeros(len(free)), method="BFGS").fun) if free else -of_free(np.zeros(0))


def _rows_a_question(rows: list[Battle], pair: set[int]) -> float:
    met = [question for a, b, _, question in rows if {a, b} == pair]
    return len(met) / len(set(met))


columns = st.lists(st.integers(0, 6), min_size=4, max_size=7)


@many
@given(columns, st.data())
def test_metrics(first: list[int], data: st.DataObject) -> None:
    p = len(first)
    one = _source(first, data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.5, math.nan]), min_size=p, max_size=p)))
    second = data.draw(st.lists(st.integers(0, 6), min_size=p, max_size=p))
    other = _source(second, data.draw(st.lists(st.sampled_from([0.0, 1.0, math.nan]), min_size=p, max_size=p)))
    found = metrics.correlate(one, other, rounds=2)
    compared = [(i, j) for i, j in itertools.combinations(range(p), 2) if _known(one, i) and _known(one, j)]
    touching = [(i, j) for i, j in compared if one.lower[i] >= one.upper[j] or one.lower[j] >= one.upper[i]]
    apart = [(i, j) for i, j in touching if first[i] != first[j]]
    assert found.separability.value == (near(len(apart) / len(compared)) if compared else None)
    both = [(i, j) for i, j in compared if _known(other, i) and _known(other, j) and _sign(other, i, j)]
    wanted = sum(_sign(one, i, j) * _sign(other, i, j) for i, j in both) / len(both) if both else None
    assert found.agreement.value == (None if wanted is None else near(wanted))
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert found.spearman.value == near(stats.spearmanr(first, second).statistic)
        assert found.kendall.value == near(stats.kendalltau(first, second).statistic)


def _source(scores: list[int], reach: list[float]) -> Source:
    score, width = np.array(scores, dtype=float), np.array(reach)
    names = tuple(f"m{k}" for k in range(len(scores)))
    return Source("s", names, score, score - width, score + width, score, width / 2)


def _known(source: Source, place: int) -> bool:
    return not math.isnan(source.lower[place])


def _sign(source: Source, i: int, j: int) -> int:
    """+1 or −1 where the closed intervals share no point."""
    if max(source.lower[i], source.lower[j]) <= min(source.upper[i], source.upper[j]):
        return 0
    return 1 if source.score[i] > source.score[j] else -1


@many
@given(
    st.lists(st.tuples(*[st.integers(0, 30)] * 8, st.integers(1, 4)), min_size=2, max_size=9),
    st.sampled_from(["v0.1", "v2.0"]),
)
def test_features_of_style(games: list[tuple[int, ...]], formula: str) -> None:
    a, b = (np.array([game[start : start + 4] for game in games]) for start in (0, 4))
    weight = np.array([game[8] for game in games], dtype=float)
    found = style_fit.style_features(a, b, weight, formula)
    same = style_fit.equal_style(a, b, weight, formula)
    for column in range(4):
        raw = [_difference(game[:4], game[4:8], column, formula) for game in games]
        rows = [value for value, game in zip(raw, games) for _ in range(game[8])]
        mean = math.fsum(rows) / len(rows)
        spread = math.sqrt(math.fsum((value - mean) ** 2 for value in rows) / len(rows))
        if len(set(raw)) == 1:
            assert not found[:, column].any() and same[column] == 0
        elif spread > 1e-6:
            assert found[:, column].tolist() == pytest.approx([(value - mean) / spread for value in raw], abs=1e-6)
            assert same[column] == pytest.approx(-mean / spread, abs=1e-6)


def _difference(a: tuple[int, ...], b: tuple[int, ...], column: int, formula: str) -> float:
    if formula == "v0.1":
        return (a[column] - b[column]) / (a[column] + b[column] + 1)
    if column == 0:
        return (a[0] - b[0]) / (a[0] + b[0]) if a[0] + b[0] else 0.0
    one, other = a[column] / (a[0] + 1), b[column] / (b[0] + 1)
    return (one - other) / (one + other + 1)
