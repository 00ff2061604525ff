"""How often the intervals hold the truth, how wide they are, and how many pairs of models are told apart.

    python benchmarks/intervals.py data                     bench, judge and baseline as in show_result.py
    python benchmarks/intervals.py data --bench-name demo --judge-name demo-judge --baseline demo-baseline

The verdicts are the bench's own. Its questions are the population and its ratings the truth: each sample draws as many
questions as are asked for, with replacement, and is rated as if it were all that there is. Where a bench is not at
hand, benchmarks/make_judgments.py makes one. Printed as well: the widths of the whole bench's intervals against the
anchored rows', and its pairs of models (without the baseline) that are told apart at 5%.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arena_hard.data.paths import Bench  # noqa: E402
from arena_hard.data.presets import DEFAULT_BENCH, DEFAULT_JUDGE, usual_baseline  # noqa: E402
from arena_hard.rating import battles, outcomes, paired, ratings  # noqa: E402
from arena_hard.rating.arrays import FloatArray, IntArray  # noqa: E402
from arena_hard.rating.battles import Battles  # noqa: E402
from arena_hard.rating.games import GameTable, read_judgments, without_own  # noqa: E402
from arena_hard.rating.intervals import Fit, Rule, fit_with_intervals  # noqa: E402

RULES = (Rule(), Rule(rounds=1000), Rule("questions", rounds=2000), Rule("sandwich"))
UNANCHORED = Rule(compat_unanchored=True)
ALPHA = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path, help="the folder with the benchmarks")
    parser.add_argument("--bench-name", default=DEFAULT_BENCH)
    parser.add_argument("--judge-name", default=DEFAULT_JUDGE)
    parser.add_argument("--baseline", help="default: the bench's usual one")
    parser.add_argument("--questions", type=int, nargs="+", default=[10, 20, 50, 500], help="questions of a sample")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    baseline = args.baseline or usual_baseline(args.bench_name)
    found = read_judgments(Bench(args.data_dir, args.bench_name), [args.judge_name], [baseline])
    games = without_own(found.table, baseline)
    fought = battles.readable_battles(games, baseline, args.judge_name, 3, False)
    models, questions = len(fought.models) - 1, len(np.unique(fought.question))
    print(f"{models} models, {questions} questions, {args.samples} samples, seed {args.seed}\n")
    print_widths(fought)
    print_pairs(games, fought)
    print("\nquestions  interval        rounds  coverage  width, points", flush=True)
    for size in args.questions:
        print_coverage(fought, size, args.samples, args.seed)


def rated(fought: Battles, rule: Rule) -> Fit:
    """The fit under one rule; the baseline is the first of the models."""
    return fit_with_intervals(fought, battles.cells_of(fought), 0, rule)


def widths(fit: Fit) -> FloatArray:
    """In points of the win rate, [models], without the baseline's."""
    return (ratings.win_rate(fit.upper) - ratings.win_rate(fit.lower))[1:]


def print_widths(fought: Battles) -> None:
    """Each rule against that of rows, median over the models."""
    rows = widths(rated(fought, RULES[0]))
    for name, rule in (("rows, unanchored", UNANCHORED), ("questions", RULES[2]), ("sandwich", RULES[3])):
        print(f"{name:17} {np.median(widths(rated(fought, rule)) / rows):.2f} times as wide as rows")


def print_pairs(games: GameTable, fought: Battles) -> None:
    """How many pairs a paired test tells apart, and how many have intervals that do not overlap."""
    compared = paired.differences(outcomes.outcomes(games))
    fit = rated(fought, RULES[3])
    pairs = list(combinations(range(1, len(fought.models)), 2))
    apart = sum(bool(fit.lower[a] > fit.upper[b] or fit.lower[b] > fit.upper[a]) for a, b in pairs)
    alone, holm = (sum(p < ALPHA for p in each) for each in zip(*((d.p_value, d.corrected) for d in compared)))
    print(f"of {len(compared)} pairs: {alone} told apart each for itself, {holm} with Holm's correction for all,")
    print(f"{apart} by sandwich intervals that do not overlap")


def drawn(fought: Battles, size: int, rng: np.random.Generator) -> Battles:
    """The battles of so many questions, drawn with replacement; one that came twice is two questions."""
    order = np.argsort(fought.question, kind="stable")
    there, starts, counts = np.unique(fought.question[order], return_index=True, return_counts=True)
    chosen = rng.integers(0, len(there), size=size)
    times = counts[chosen]
    before = np.repeat(np.cumsum(times) - times, times)
    at: IntArray = order[np.repeat(starts[chosen], times) + np.arange(times.sum()) - before]
    columns = {name: getattr(fought, name)[at] for name in ("model_a", "model_b", "winner", "rows")}
    names = [str(number) for number in range(size)]
    return replace(fought, questions=names, question=np.repeat(np.arange(size), times), **columns)


def print_coverage(fought: Battles, size: int, samples: int, seed: int) -> None:
    """The share of samples, over all models, whose interval holds the rating of the whole bench."""
    truth = rated(fought, RULES[3]).ratings
    for rule in RULES:
        rng, held, wide = np.random.default_rng(seed), list[float](), list[float]()
        for _ in range(samples):
            fit = rated(drawn(fought, size, rng), rule)
            held.append(float(np.mean(((fit.lower <= truth) & (truth <= fit.upper))[1:])))
            wide.append(float(np.mean(widths(fit))))
        rounds = "–" if rule.kind == "sandwich" else str(rule.rounds)
        print(f"{size:>9}  {rule.kind:14}  {rounds:>6}  {np.mean(held):>8.3f}  {np.mean(wide):>13.1f}", flush=True)


if __name__ == "__main__":
    main()
