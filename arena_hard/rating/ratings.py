"""Bradley–Terry ratings from counted battles.

P(i beats j) = 1 / (1 + 10^((R_j − R_i) / 400)). The fit maximises the likelihood without a penalty; a tie
is half a win for either side. Against one baseline the maximum has a closed form; in general Newton's
method finds it on the matrix of wins. Bradley & Terry, Biometrika 39 (1952) 324; Hunter, Ann. Stat. 32
(2004) 384, also for when the maximum exists: a model that the others cannot be reached from (it only
wins, or only loses) has an infinite rating.
"""

from __future__ import annotations

import math

import numpy as np

from arena_hard.rating.arrays import BoolArray, FloatArray, weight_sums
from arena_hard.rating.battles import A_WINS, TIE, Cells

SCALE = 400.0 / math.log(10.0)  # rating points per unit of log-odds
ANCHOR_RATING = 1000.0
_LONGEST = 8.0  # step in log-odds; farther off, probabilities are 0 or 1 and the next step is lost
_EXACT = 1e-11  # relative size of the last step
_ROUNDED = 1e-4  # of one that is but rounding, if the steps do not become smaller any more


def win_matrix(cells: Cells, counts: FloatArray) -> FloatArray:
    """W[p, p]: how often the row's model beat the column's; a tie is half a win for both. counts: [k]."""
    won = np.choose(cells.winner, [1.0, 0.5, 0.0]) * counts
    p = cells.n_models
    wins = weight_sums(cells.model_a * p + cells.model_b, won, p * p)
    wins += weight_sums(cells.model_b * p + cells.model_a, counts - won, p * p)
    return wins.reshape(p, p)


def is_star(cells: Cells, anchor: int) -> bool:
    """Whether every battle is one with the anchor."""
    return bool(np.all((cells.model_a == anchor) | (cells.model_b == anchor)))


def star_sums(cells: Cells, anchor: int) -> tuple[FloatArray, FloatArray]:
    """Two matrices [k, p] that turn counts of cells into wins over the anchor and games with it."""
    model = np.where(cells.model_a == anchor, cells.model_b, cells.model_a)
    won = np.choose(cells.winner, [1.0, 0.5, 0.0])
    won = np.where(cells.model_a == anchor, 1.0 - won, won)
    games = np.zeros((len(cells), cells.n_models))
    games[np.arange(len(cells)), model] = 1.0
    return games * won[:, None], games


def star_ratings(wins: FloatArray, games: FloatArray, anchor: int) -> FloatArray:
    """Ratings [..., p] from wins over the anchor and games with it [..., p].

    The closed form: 400·log10(wins / losses) above the anchor. ±inf for a model that won or lost
    everything, NaN for one without a game.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratings = ANCHOR_RATING + 400.0 * (np.log10(wins) - np.log10(games - wins))
    ratings[..., anchor] = ANCHOR_RATING
    return ratings


def fit(cells: Cells, counts: FloatArray, anchor: int, start: FloatArray | None = None) -> FloatArray:
    """Ratings [p] of the models, the anchor's being 1000. counts: rows in each cell [k]."""
    if is_star(cells, anchor):
        to_wins, to_games = star_sums(cells, anchor)
        return star_ratings(counts @ to_wins, counts @ to_games, anchor)
    return newton_ratings(win_matrix(cells, counts), anchor, start)


def newton_ratings(wins: FloatArray, anchor: int, start: FloatArray | None = None) -> FloatArray:
    """Ratings [p] from a win matrix [p, p]: Newton's method for logistic regression, anchor pinned.

    Only the models that are tied to the anchor by wins in both directions have a finite rating: a
    model from which no chain of wins leads back is +inf or −inf, one that neither side reaches NaN.
    """
    below, above = reached(wins > 0, anchor), reached(wins.T > 0, anchor)
    ratings = np.select([below & above, above, below], [0.0, np.inf, -np.inf], np.nan)
    finite = np.flatnonzero(below & above)
    inner = wins[np.ix_(finite, finite)]
    base = int(np.searchsorted(finite, anchor))
    theta = np.zeros(len(finite))
    if start is not None and np.isfinite(start[finite]).all():
        theta = (start[finite] - start[anchor]) / SCALE
    ratings[finite] = ANCHOR_RATING + SCALE * most_likely(inner, theta, np.arange(len(finite)) != base)
    ratings[anchor] = ANCHOR_RATING
    return ratings


def reached(edges: BoolArray, start: int) -> BoolArray:
    """Mask [p] of what can be reached from `start`, which is, along edges [p, p]."""
    reached = np.zeros(len(edges), dtype=bool)
    reached[start] = True
    while True:
        more = reached | edges[reached].any(axis=0)
        if (more == reached).all():
            return reached
        reached = more


def most_likely(wins: FloatArray, theta: FloatArray, free: BoolArray, rounds: int = 100) -> FloatArray:
    """Log-odds [p] that maximise the likelihood from a start, those that are not free staying as they are."""
    likelihood, before = log_likelihood(wins, theta), np.inf
    for _ in range(rounds):
        slope, curvature = derivatives(wins, theta)
        step = np.zeros(len(wins))
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
        step *= _LONGEST / max(_LONGEST, float(np.abs(step).max()))
        while (better := log_likelihood(wins, theta + step)) < likelihood - 1e-9 * abs(likelihood):
            step = step / 2.0
        theta, likelihood = theta + step, better
        size = float(np.abs(step).max(initial=0.0)) / max(1.0, float(np.abs(theta).max(initial=0.0)))
        if size < _EXACT or before / 2.0 < size < _ROUNDED:
            return theta
        before = size
    raise ArithmeticError(f"the fit did not settle within {rounds} Newton steps")


def derivatives(wins: FloatArray, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How fast the log-likelihood rises with each log-odds [p], and how fast that falls with each [p, p]."""
    games, expected = wins + wins.T, 1.0 / (1.0 + np.exp(theta[None, :] - theta[:, None]))
    spread = games * expected * (1.0 - expected)
    return (wins - games * expected).sum(axis=1), np.diag(spread.sum(axis=1)) - spread


def log_likelihood(wins: FloatArray, theta: FloatArray) -> float:
    """Of a win matrix with these log-odds [p]."""
    return -float((wins * np.logaddexp(0.0, theta[None, :] - theta[:, None])).sum())


def log_odds(ratings: FloatArray) -> FloatArray:
    """Ratings as log-odds against the anchor's 1000."""
    return (ratings - ANCHOR_RATING) / SCALE


def win_rate(ratings: FloatArray, against: FloatArray | float = ANCHOR_RATING) -> FloatArray:
    """Expected share of wins in percent [like ratings] against a rating."""
    with np.errstate(over="ignore"):
        return 100.0 / (1.0 + 10.0 ** ((against - np.asarray(ratings)) / 400.0))


def sklearn_ratings(cells: Cells, counts: FloatArray, anchor: int) -> FloatArray:
    """The same fit by scikit-learn's logistic regression on counted cells, without a penalty.

    Slower; it is the way to go on with covariates, and an independent check of `fit`.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    design, won, weight = logistic_rows(cells, counts)
    with threadpool_limits(1):  # with more threads the same fit took fifty times as long on a busy machine
        model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=10_000)
        model.fit(np.delete(design, anchor, axis=1), won, sample_weight=weight)
    theta = np.insert(model.coef_[0], anchor, 0.0)
    return ANCHOR_RATING + SCALE * theta


def logistic_rows(cells: Cells, counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Counted cells as a weighted logistic regression: design [m, p], outcome [m], weight [m].

    +1 stands for model_a and −1 for model_b; a tie is half a win and half a loss.
    """
    design = np.zeros((len(cells), cells.n_models))
    design[np.arange(len(cells)), cells.model_a] = 1.0
    design[np.arange(len(cells)), cells.model_b] = -1.0
    tied = cells.winner == TIE
    weight = np.where(tied, counts / 2.0, counts)
    return (
        np.concatenate([design, design[tied]]),
        np.concatenate([(cells.winner == A_WINS) | tied, np.zeros(int(tied.sum()), dtype=bool)]),
        np.concatenate([weight, weight[tied]]),
    )
