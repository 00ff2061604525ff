"""How long the rounds of a style-controlled fit take, beside a fit of scikit-learn for each round.

    python benchmarks/style.py [--models 84] [--questions 500] [--rounds 100] [--sklearn-rounds 3]

Games of all models against a baseline are made from a seed. scikit-learn's way fits each round anew, on a row for every
game; some rounds of it say what all would take, and how far the coefficients are apart.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from arena_hard.rating import style_fit  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=84)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--sklearn-rounds", type=int, default=3)
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    print(f"{args.models} models x {args.questions} questions x 2 games, {args.rounds} rounds, {cores} cores")
    print(f"{'':10}{'1 process':>12}{'2 processes':>12}{'scikit-learn':>14}{'ratio':>8}{'apart by':>10}")
    for formula in style_fit.FORMULAS:
        rows = games(args.models, args.questions, formula)
        alone, found = timed(rows, formula, args.rounds, 1)
        both, same = timed(rows, formula, args.rounds, 2)
        if found.ratings.tobytes() != same.ratings.tobytes():
            raise SystemExit("the rounds of two processes are not those of one")
        theirs, apart = by_sklearn(rows, formula, found, args.sklearn_rounds)
        theirs *= args.rounds
        print(f"{formula:10}{alone:>10.2f} s{both:>10.2f} s{theirs:>12.1f} s{alone / theirs:>8.3f}{apart:>10.1e}")


def games(models: int, questions: int, formula: str) -> style_fit.Rows:
    """Games that the longer answer tends to win, a third of them plainly."""
    rng = np.random.default_rng(1)
    n = models * questions * 2
    model, question = np.repeat(np.arange(models) + 1, 2 * questions), np.tile(np.arange(2 * questions) // 2, models)
    a, b = (rng.poisson([mean, 4, 6, 8], (n, 4)).astype(float) for mean in (300, 280))
    lean = (b - a)[:, 0] / 40 - rng.normal(-0.6, 0.7, models + 1)[model]
    won = np.digitize(rng.logistic(size=n) - lean, [-0.2, 0.2]) / 2.0
    weight = np.where(rng.random(n) < 0.3, 3.0, 1.0)
    features = style_fit.style_features(a, b, weight, formula)
    return style_fit.Rows(models + 1, np.zeros(n, dtype=int), model, question, won, weight, features)


def timed(rows: style_fit.Rows, formula: str, rounds: int, jobs: int) -> tuple[float, style_fit.StyleRounds]:
    """(seconds, what was found) of a fit and its rounds, the start of processes included."""
    start = time.perf_counter()
    found = style_fit.bootstrap_style(rows, 0, formula, rounds, jobs=jobs)
    return time.perf_counter() - start, found


def by_sklearn(rows: style_fit.Rows, formula: str, found: style_fit.StyleRounds, rounds: int) -> tuple[float, float]:
    """(seconds a round, how far the coefficients in log-odds are from those that were found)."""
    seconds, apart = 0.0, 0.0
    for number, weight in enumerate(style_fit.weights_of_rounds(rows, "rows", 42, range(rounds))):
        start = time.perf_counter()
        fit = style_fit.fit_by_sklearn(rows, weight, 0, formula)
        seconds += time.perf_counter() - start
        each = [(fit.ratings - found.ratings[number]) / style_fit.SCALE, fit.coefficients - found.coefficients[number]]
        apart = max(apart, *(float(np.abs(values).max()) for values in each))
    return seconds / rounds, apart


if __name__ == "__main__":
    main()
