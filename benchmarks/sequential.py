"""Stopping when decided: error rates and judgments saved, by simulation.

    python benchmarks/sequential.py [--runs 4000] [--seed 1]

Verdicts come from a latent scale: each question has a difficulty that both models share, each game its
own noise; thresholds turn the scale into the five labels. Per-question differences spread by some 50
points, as on real judgments.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.sequential import ALPHA, LOOKS, POWER, boundaries  # noqa: E402

QUESTIONS = 500
EFFECTS = (0.0, 2.0, 5.0, 10.0)
POWERS = (1.0, 2.0, 3.0)
WIDTHS = (20.0, 15.0, 10.0)
_WINS = np.array([0.0, 0.0, 0.5, 1.0, 3.0])
_WEIGHTS = np.array([3.0, 1.0, 1.0, 1.0, 3.0])
_THRESHOLDS = np.array([-1.6, -0.05, 0.05, 1.6])


def games(rng: np.random.Generator, shift: float, difficulty: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted wins and weights [runs, questions] of a model, two games for each question."""
    own = rng.normal(size=difficulty.shape) * 0.5
    wins, weights = np.zeros(difficulty.shape), np.zeros(difficulty.shape)
    for place in (0.3, -0.3):  # judges favour a place
        scale = shift + place + 0.8 * difficulty + own + rng.normal(size=difficulty.shape)
        label = np.searchsorted(_THRESHOLDS, scale)
        wins += _WINS[label]
        weights += _WEIGHTS[label]
    return wins, weights


def influence(wins: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The score in points, and what each question adds to its error [..., n]; the last axis is questions.

    The weighted win rate is a ratio of sums, so question q has 100·(wins − rate·weights)/mean weight.
    """
    mean = weights.mean(axis=-1, keepdims=True)
    rate = wins.mean(axis=-1, keepdims=True) / mean
    return 100 * rate[..., 0], 100 * (wins - rate * weights) / mean


def standard_error(values: FloatArray) -> FloatArray:
    """The standard error of a mean whose questions differ by these values; the last axis is questions."""
    n = values.shape[-1]
    return np.asarray(np.sqrt((values**2).sum(axis=-1) / max(1, n - 1) / n))


def with_few(boundary: float, questions: int) -> float:
    """A normal boundary as one of Student's t, for a spread that is estimated from few questions."""
    from scipy.special import stdtrit

    return float(stdtrit(questions - 1, NormalDist().cdf(boundary))) if boundary < 8 else boundary


def shift_for(effect: float) -> float:
    """The shift on the latent scale that raises a score by so many points."""
    low, high = 0.0, 2.0
    rng_seed = 99
    for _ in range(20):
        middle = (low + high) / 2
        difficulty = np.random.default_rng(rng_seed).normal(size=(1, 200_000))
        scores = [
            influence(*games(np.random.default_rng(rng_seed + 1), shift, difficulty))[0][0]
            for shift in (middle - 0.3, -0.3)
        ]
        low, high = (middle, high) if scores[0] - scores[1] < effect else (low, middle)
    return (low + high) / 2


def stopping(effect: float, runs: int, seed: int, power: float) -> tuple[IntArray, BoolArray]:
    """For each look, the share of runs that stop there; and the share of all that decide for the wrong side."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(size=(runs, QUESTIONS))
    better = games(rng, (shift_for(effect) if effect else 0.0) - 0.3, difficulty)
    worse = games(rng, -0.3, difficulty)
    sizes = [QUESTIONS * (look + 1) // LOOKS for look in range(LOOKS)]
    bounds = boundaries([size / QUESTIONS for size in sizes], power=power)
    stopped, wrong = np.full(runs, -1), np.zeros(runs, bool)
    for look, (size, bound) in enumerate(zip(sizes, bounds)):
        (a, first), (b, second) = (influence(w[:, :size], v[:, :size]) for w, v in (better, worse))
        z = (a - b) / standard_error(first - second)
        new = (stopped < 0) & (np.abs(z) > with_few(bound, size))
        stopped[new] = look
        wrong |= new & (z < 0)
    return stopped, wrong


def coverage(width: float, runs: int, seed: int) -> tuple[float, float]:
    """Share of intervals that hold the true score at the stop, and the mean share of questions judged."""
    rng = np.random.default_rng(seed)
    truth = influence(*games(np.random.default_rng(7), 0.5, np.random.default_rng(8).normal(size=(1, 2_000_000))))[0]
    wins, weights = games(rng, 0.5, rng.normal(size=(runs, QUESTIONS)))
    bounds = boundaries([(look + 1) / LOOKS for look in range(LOOKS)])
    stopped = np.zeros(runs, bool)
    held, used = np.zeros(runs, bool), np.full(runs, QUESTIONS)
    for look in range(LOOKS):
        size = QUESTIONS * (look + 1) // LOOKS
        score, values = influence(wins[:, :size], weights[:, :size])
        reach = with_few(bounds[look], size) * standard_error(values)
        new = ~stopped & ((2 * reach <= width) | (look == LOOKS - 1))
        held[new] = (np.abs(score - truth[0]) <= reach)[new]
        used[new] = size
        stopped |= new
    return float(held.mean()), float(used.mean() / QUESTIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(
        f"{args.runs} runs, seed {args.seed}, {QUESTIONS} questions, {LOOKS} looks, alpha {ALPHA}; chosen power {POWER}"
    )
    print("\n--until-decided: power  effect  decided  wrong side  judgments saved")
    for power in POWERS:
        for effect in EFFECTS:
            stopped, wrong = stopping(effect, args.runs, args.seed, power)
            used = np.where(stopped < 0, LOOKS, stopped + 1).mean() / LOOKS
            print(f"{power:>22} {effect:>7} {np.mean(stopped >= 0):>8.3f} {wrong.mean():>11.4f} {1 - used:>16.1%}")
    stopped, _ = stopping(0.0, args.runs, args.seed, POWER)
    spent = [np.mean((stopped >= 0) & (stopped <= look)) for look in range(LOOKS)]
    print(f"\nfalse decisions by each look (power {POWER}): " + " ".join(f"{share:.4f}" for share in spent))
    print("\n--until-width: points  coverage  questions judged")
    for width in WIDTHS:
        held, used = coverage(width, args.runs, args.seed)
        print(f"{width:>21} {held:>9.4f} {used:>17.1%}")


if __name__ == "__main__":
    main()
