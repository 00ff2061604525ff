"""Standard errors of ratings: the sandwich H⁻¹ (Σ g gᵀ) H⁻¹, clustered by question, and by the rule of rows.

g is the score of a question (Liang & Zeger, Biometrika 73 (1986) 13); all is on the scale of log-odds.
"""

from __future__ import annotations

import numpy as np

from arena_hard.rating import ratings
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray, distinct, weight_sums
from arena_hard.rating.battles import Battles, Cells

_AT_ONCE = 1 << 24  # numbers of a table of models and questions: 128 MB


def standard_errors(
    battles: Battles, cells: Cells, point: FloatArray, anchor: int, questions: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Standard errors [p] in rating points, clustered by question and by the rule of rows.

    questions: [p] as `questions_of_models` gives them, where they are known. 0 for the anchor, NaN for a model without
    a finite rating.
    """
    questions = questions_of_models(battles) if questions is None else questions
    finite = np.isfinite(point)
    usable = finite[cells.model_a] & finite[cells.model_b]
    known = np.where(finite, point, 0.0)
    expected = 1.0 / (1.0 + 10.0 ** ((known[cells.model_b] - known[cells.model_a]) / 400.0))
    residual = np.where(usable, np.choose(cells.winner, [1.0, 0.5, 0.0]) - expected, 0.0)
    spread = cells.counts(battles) * usable * expected * (1.0 - expected)
    squares = _row_squares(battles, cells, residual)
    if ratings.is_star(cells, anchor):
        variances = _star_variances(battles, cells, residual, squares, spread, anchor, questions)
    else:
        variances = _general_variances(battles, cells, residual, squares, spread, anchor, finite, questions)
    errors = [np.where(finite, ratings.SCALE * np.sqrt(np.maximum(variance, 0.0)), np.nan) for variance in variances]
    return errors[0], errors[1]


def _row_squares(battles: Battles, cells: Cells, residual: FloatArray) -> FloatArray:
    """The squared residuals of the rows in each cell [k]; those of a game with an expected outcome are alike."""
    if battles.game is None:
        return cells.counts(battles) * residual**2
    games = battles.games()
    total = weight_sums(games.place, residual[cells.of_battle] * battles.rows, len(games.rows))
    return weight_sums(cells.of_battle[games.first], total**2 / games.rows, len(cells))


def _star_variances(
    battles: Battles,
    cells: Cells,
    residual: FloatArray,
    squares: FloatArray,
    spread: FloatArray,
    anchor: int,
    questions: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Variances [p] of the log-odds where all battles are with the anchor."""
    p, n = cells.n_models, battles.n_questions
    model = np.where(cells.model_a == anchor, cells.model_b, cells.model_a)
    information = weight_sums(model, spread, p)
    by_rows = weight_sums(model, squares, p)
    cluster = model[cells.of_battle].astype(np.int64) * n + battles.question
    scores = weight_sums(cluster, residual[cells.of_battle] * battles.rows, p * n)
    clustered = (scores.reshape(p, n) ** 2).sum(axis=1) * _small_sample(questions)
    information[information == 0.0] = np.nan
    variances = clustered / information**2, by_rows / information**2
    for variance in variances:
        variance[anchor] = 0.0
    return variances


def _general_variances(
    battles: Battles,
    cells: Cells,
    residual: FloatArray,
    squares: FloatArray,
    spread: FloatArray,
    anchor: int,
    finite: BoolArray,
    questions: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Variances [p] of the log-odds for any graph: diagonals of H⁻¹ B H⁻¹ without the anchor."""
    free = np.flatnonzero(finite & (np.arange(len(finite)) != anchor))
    inverse = np.linalg.inv(_laplacian(cells, spread)[np.ix_(free, free)])
    by_rows = _laplacian(cells, squares)
    clustered = cluster_scores(battles, cells, residual)
    variances: list[FloatArray] = []
    for meat in (clustered, by_rows):
        variance = np.zeros(len(finite))
        variance[free] = np.einsum("ij,jk,ki->i", inverse, meat[np.ix_(free, free)], inverse, optimize=True)
        variances.append(variance)
    return variances[0] * _small_sample(questions), variances[1]


def _small_sample(questions: IntArray) -> FloatArray:
    """The usual factor n / (n − 1) for clusters, 1 where there is but one."""
    return np.where(questions > 1, questions / np.maximum(questions - 1, 1), 1.0)


def _laplacian(cells: Cells, weights: FloatArray) -> FloatArray:
    """Σ w (e_a − e_b)(e_a − e_b)ᵀ over cells [p, p]."""
    p = cells.n_models
    between = weight_sums(cells.model_a * p + cells.model_b, weights, p * p).reshape(p, p)
    between = between + between.T
    return np.diag(between.sum(axis=1)) - between


def cluster_scores(battles: Battles, cells: Cells, residual: FloatArray, block: int = 2000) -> FloatArray:
    """Σ g gᵀ [p, p] over questions, g [p] being a question's sum of residual·(e_a − e_b) over its rows.

    Battles without questions are counted by cell; so are, where there are many questions, those with one battle, the
    others in blocks, so that memory stays small.
    """
    p = cells.n_models
    if not battles.questions:  # each battle is one of its own
        rows = battles.rows.astype(float)
        return _laplacian(cells, residual**2 * weight_sums(cells.of_battle, np.square(rows, out=rows), len(cells)))
    if p * battles.n_questions <= _AT_ONCE:
        g = _scores_of_questions(battles, residual[cells.of_battle] * battles.rows, battles.question, slice(None))
        return g.T @ g
    battles_of = np.bincount(battles.question, minlength=battles.n_questions)
    alone = battles_of[battles.question] == 1
    squares = (residual[cells.of_battle] * battles.rows) ** 2
    meat = _laplacian(cells, weight_sums(cells.of_battle[alone], squares[alone], len(cells)))
    several = np.flatnonzero(~alone)
    several = several[np.argsort(battles.question[several], kind="stable")]
    number = np.cumsum(np.diff(battles.question[several], prepend=-1) > 0) - 1
    edges = np.searchsorted(number, np.arange(0, (number[-1] + 1 if len(number) else 0) + block, block))
    for first, last in zip(edges[:-1], edges[1:]):
        part = several[first:last]
        if len(part) == 0:
            continue
        row = number[first:last] - number[first]
        g = _scores_of_questions(battles, residual[cells.of_battle[part]] * battles.rows[part], row, part)
        meat += g.T @ g
    return meat


def _scores_of_questions(battles: Battles, score: FloatArray, row: IntArray, part: IntArray | slice) -> FloatArray:
    """Sums [rows, p] of the scores of some battles, for model_a as they are, for model_b with the other sign."""
    p, rows = len(battles.models), int(row.max(initial=-1)) + 1
    at = row.astype(np.int64) * p
    g = weight_sums(at + battles.model_a[part], score, rows * p)
    g -= weight_sums(at + battles.model_b[part], score, rows * p)
    return g.reshape(rows, p)


def questions_of_models(battles: Battles) -> IntArray:
    """With how many different questions each model has a battle [p]."""
    p = len(battles.models)
    if not battles.questions:  # each battle is one of its own
        other = battles.model_b[battles.model_b != battles.model_a]
        return np.bincount(battles.model_a, minlength=p) + np.bincount(other, minlength=p)
    found: list[IntArray] = []
    for side in (battles.model_a, battles.model_b):
        found.append(side.astype(np.int64) * battles.n_questions + battles.question)
    if p * battles.n_questions <= 1 << 26:
        there = np.zeros(p * battles.n_questions, dtype=bool)
        for pairs in found:
            there[pairs] = True
        return there.reshape(p, -1).sum(axis=1)
    pairs = distinct(np.concatenate(found))
    return np.bincount(pairs // battles.n_questions, minlength=p)
