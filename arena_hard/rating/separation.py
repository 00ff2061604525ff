"""Models without a finite rating: from which no chain of wins leads back to the baseline, or to which none leads.

Models that are tied to each other by wins in both directions form a *component*; between two components one side won
every game. Ratings within a component are fitted as usual, the distance between two is unbounded on one side. On the
other side it is bounded by what happened: the smallest distance at which the games within and between the components
are, at best, (1 − level)/2 times as probable as at any distance, the ratings of all models in between being placed
where they make the games most probable (profile likelihood; Venzon & Moolgavkar, Appl. Stat. 37 (1988) 87). So both
the games across and the spread of what a model's place in its component is known from count. For a model that only
met the baseline that is Clopper & Pearson's bound, (1 − level)/2 being the probability of winning all. A question is
one trial for each pair, however many rows of battles it has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arena_hard.rating import ratings
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray, distinct
from arena_hard.rating.battles import Battles

_STEPS = 200  # of Newton's method, each no longer than _LONGEST in log-odds
_LONGEST = 3.0
_SETTLED = 1e-7  # log-odds


@dataclass(frozen=True)
class Graph:
    """Who beat whom, arrays [p, p] with the winner's row.

    wins: rows of battles, a tie being half a win for both; trials: the same with each question of a pair as one;
    component: [p] equal for models of one component; within: [p] log-odds in it.
    """

    wins: FloatArray
    trials: FloatArray
    component: IntArray
    within: FloatArray

    def mirrored(self) -> Graph:
        """The same with losses for wins."""
        return Graph(self.wins.T, self.trials.T, self.component, -self.within)


def graph_of(battles: Battles, wins: FloatArray) -> Graph:
    """The graph of some battles, whose win matrix is `wins`."""
    from scipy.sparse.csgraph import connected_components

    _, component = connected_components(wins > 0, directed=True, connection="strong")
    rows = wins + wins.T
    trials = np.divide(wins * _questions_met(battles), rows, out=np.zeros_like(wins), where=rows > 0)
    return Graph(wins, trials, component, _theta_within(wins, component))


def _questions_met(battles: Battles) -> FloatArray:
    """On how many questions two models met [p, p]."""
    p, n = len(battles.models), battles.n_questions
    one, other = np.minimum(battles.model_a, battles.model_b), np.maximum(battles.model_a, battles.model_b)
    pair = one.astype(np.int64) * p + other
    alone = np.bincount(battles.question, minlength=n)[battles.question] == 1
    several = distinct(pair[~alone] * n + battles.question[~alone]) // n
    counts = (np.bincount(pair[alone], minlength=p * p) + np.bincount(several, minlength=p * p)).reshape(p, p)
    return (counts + counts.T).astype(float)


def _theta_within(wins: FloatArray, component: IntArray) -> FloatArray:
    """The log-odds [p] of each model in its component."""
    theta = np.zeros(len(wins))
    for number in np.unique(component):
        members = np.flatnonzero(component == number)
        theta[members] = ratings.log_odds(ratings.newton_ratings(wins[np.ix_(members, members)], 0))
    return theta


def separation_bounds(graph: Graph, point: FloatArray, anchor: int, level: float, most: float) -> FloatArray:
    """The bounded end [p] of each model with an infinite rating, on the rating scale; NaN for the others.

    most: how many rows of battles a question may be.
    """
    from threadpoolctl import threadpool_limits

    ends = np.full(len(point), np.nan)
    inner = np.where(graph.component[:, None] == graph.component[None, :], graph.trials, 0.0)
    placed = _theta_within(inner, graph.component)
    with threadpool_limits(1):  # with more threads the steps took twenty times as long on a busy machine
        for side, seen in ((1.0, graph), (-1.0, graph.mirrored())):
            for model in np.flatnonzero(point == side * np.inf):
                distance = _least_distance(seen, side * placed, int(model), anchor, (1.0 - level) / 2.0, most)
                ends[model] = ratings.ANCHOR_RATING + side * ratings.SCALE * distance
    return ends


def _least_distance(graph: Graph, placed: FloatArray, model: int, anchor: int, chance: float, most: float) -> float:
    """The least log-odds against the anchor of a model above it, in rows. placed: log-odds in the components."""
    between = np.flatnonzero(ratings.reached(graph.wins > 0, model) & ratings.reached(graph.wins.T > 0, anchor))
    component, own = graph.component[between], graph.component[model]
    apart = component[:, None] != component[None, :]
    trials, rows = (games[np.ix_(between, between)] for games in (graph.trials, graph.wins))
    one, base = np.searchsorted(between, [model, anchor])
    likely = ratings.log_likelihood(np.where(apart, 0.0, trials), placed[between])
    distance = _least_by_trials(trials, apart, int(one), int(base), likely, chance)
    leaves = apart & (component == own)[:, None] & (trials > 0)
    # A share of 1/(1 + e^distance) of the questions not won may be lost in `most` rows each (unseen.py).
    return distance + math.log(rows[leaves].sum() / trials[leaves].sum() / most)


def _least_by_trials(
    trials: FloatArray, apart: BoolArray, model: int, anchor: int, likely: float, chance: float
) -> float:
    """The distance in log-odds at which the largest likelihood is `chance` times that at any distance (`likely`).

    The logarithm of the largest likelihood is concave and rises with the distance, so that Newton's method finds it
    from below; its slope is that of the model's own place, all others being where the likelihood is largest.
    """
    wanted = likely + math.log(chance)
    lost = np.where(apart & (trials.T > 0), -math.log(chance), 0.0)  # what makes many games won as probable
    theta = ratings.log_odds(ratings.newton_ratings(trials + lost, anchor))
    free = ~np.isin(np.arange(len(trials)), [model, anchor])
    for _ in range(_STEPS):
        theta = ratings.most_likely(trials, theta, free)
        slope, curvature = ratings.derivatives(trials, theta)
        step = (wanted - ratings.log_likelihood(trials, theta)) / slope[model]
        step = min(max(step, -_LONGEST), _LONGEST)
        if abs(step) < _SETTLED:
            return float(theta[model] + step - theta[anchor])
        theta[model] += step
        theta[free] -= step * np.linalg.solve(curvature[np.ix_(free, free)], curvature[free, model])
    raise ArithmeticError(f"the bound did not settle within {_STEPS} Newton steps")
