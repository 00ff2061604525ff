"""Models without a finite rating: from which no chain of wins leads back to the baseline, or to which none leads.

Models that are tied to each other by wins in both directions form a *component*; between two components one side won
every game. Ratings within a component are fitted as usual, the distance between two is unbounded on one side. On the
other side it is bounded by what happened: the smallest distance with which winning all those games, one for each
question, has a probability of (1 − level)/2. For a model that only met the baseline that is Clopper & Pearson's bound;
in general the components in between are placed where they make the games most probable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arena_hard.rating import ratings
from arena_hard.rating.arrays import FloatArray, IntArray
from arena_hard.rating.battles import B_WINS, Battles
from arena_hard.rating.unseen import with_unseen

_FARTHEST = 40.0  # log-odds beyond which a probability is 0 or 1 for all purposes
_STEPS = 60  # of a bisection


@dataclass(frozen=True)
class Graph:
    """Who beat whom, arrays [p, p] with the winner's row.

    wins: rows of battles, a tie being half a win for both; questions: on how many different ones the row's model won;
    component: [p] equal for models of one component; within: [p] log-odds in it.
    """

    wins: FloatArray
    questions: FloatArray
    component: IntArray
    within: FloatArray

    def mirrored(self) -> Graph:
        """The same with losses for wins."""
        return Graph(self.wins.T, self.questions.T, self.component, -self.within)


def graph_of(battles: Battles, wins: FloatArray) -> Graph:
    """The graph of some battles, whose win matrix is `wins`."""
    from scipy.sparse.csgraph import connected_components

    _, component = connected_components(wins > 0, directed=True, connection="strong")
    within = np.zeros(len(wins))
    for number in np.unique(component):
        members = np.flatnonzero(component == number)
        own = ratings.newton_ratings(wins[np.ix_(members, members)], 0)
        within[members] = (own - ratings.ANCHOR_RATING) / ratings.SCALE
    return Graph(wins, _questions_won(battles), component, within)


def _questions_won(battles: Battles) -> FloatArray:
    """On how many questions the row's model won or tied against the column's, as model_a where it tied [p, p]."""
    p, n = len(battles.models), battles.n_questions
    is_lost = battles.winner == B_WINS
    winner = np.where(is_lost, battles.model_b, battles.model_a).astype(np.int64)
    loser = np.where(is_lost, battles.model_a, battles.model_b)
    met = np.unique((winner * p + loser) * n + battles.question)
    return np.bincount(met // n, minlength=p * p).astype(float).reshape(p, p)


def separation_bounds(graph: Graph, point: FloatArray, anchor: int, level: float, most: float) -> FloatArray:
    """The bounded end [p] of each model with an infinite rating, on the rating scale; NaN for the others.

    most: how many rows of battles a question may be.
    """
    ends = np.full(len(point), np.nan)
    for side, seen in ((1.0, graph), (-1.0, graph.mirrored())):
        for model in np.flatnonzero(point == side * np.inf):
            share = _least_share(seen, int(model), anchor, (1.0 - level) / 2.0, most)
            ends[model] = ratings.ANCHOR_RATING + side * ratings.SCALE * math.log(share / (1.0 - share))
    return ends


def _least_share(graph: Graph, model: int, anchor: int, chance: float, most: float) -> float:
    """The least win rate (0 to 1) against the anchor of a model above it, in rows of battles."""
    between = ratings.reached(graph.wins > 0, model) & ratings.reached(graph.wins.T > 0, anchor)
    apart = graph.component[:, None] != graph.component[None, :]
    won = np.where(between[:, None] & between[None, :] & apart, graph.questions, 0.0)
    low, high = -_FARTHEST, _FARTHEST
    for _ in range(_STEPS):
        distance = (low + high) / 2.0
        is_likely = _log_chance(graph, won, model, anchor, distance) >= math.log(chance)
        low, high = (low, distance) if is_likely else (distance, high)
    share = 1.0 / (1.0 + math.exp(-high))
    leaves = won * (graph.component == graph.component[model])[:, None]
    rows = float(graph.wins[leaves > 0].sum() / leaves.sum())
    return float(with_unseen(1.0, rows, most, 1.0 - share)[0])


def _log_chance(graph: Graph, won: FloatArray, model: int, anchor: int, distance: float) -> float:
    """The largest log-probability of the games won [p, p], with the model so far above the anchor (log-odds)."""
    own, base = graph.component[model], graph.component[anchor]
    taking_part = np.unique(graph.component[won.any(axis=1) | won.any(axis=0)])
    others = taking_part[~np.isin(taking_part, [own, base])]
    winner, loser = np.nonzero(won)
    games, fixed = won[winner, loser], graph.within.copy()
    fixed[graph.component == own] += distance - graph.within[model]
    fixed[graph.component == base] -= graph.within[anchor]
    moves = (graph.component[:, None] == others).astype(float)  # [p, others]

    def loss(shifts: FloatArray) -> tuple[float, FloatArray]:
        place = fixed + moves @ shifts
        gap = place[winner] - place[loser]
        slope = -games / (1.0 + np.exp(np.minimum(gap, 700.0)))
        return float((games * np.logaddexp(0.0, -gap)).sum()), (moves[winner] - moves[loser]).T @ slope

    if not len(others):
        return -loss(np.zeros(0))[0]
    from scipy.optimize import minimize

    start = np.full(len(others), distance / 2.0)
    return -float(minimize(loss, start, jac=True, method="BFGS").fun)
