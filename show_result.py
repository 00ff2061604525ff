"""Turn judgments into a leaderboard: judgments → battles → ratings → table.

Reads data/BENCH/model_judgment/JUDGE/*.jsonl, prints each model's win rate against the baseline with a
confidence interval. Strong verdicts count `--weight` times; the rating is a Bradley–Terry fit.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import utils
from arena_hard import battles as battle
from arena_hard import caches, leaderboard
from arena_hard.games import Judgments, read_judgments
from arena_hard.intervals import KINDS, Fit, Rule, fit_with_intervals
from arena_hard.paths import Bench
from arena_hard.records import UserError

EXAMPLES = """\
  python show_result.py
  python show_result.py --judge-name gpt-4.1 --baseline gpt-4-0314 --output
  python show_result.py --interval sandwich
  python show_result.py --compare model-a model-b --ranks
  python show_result.py --full-stats
  python show_result.py --battles my_battles.jsonl --baseline model-a
  python show_result.py --correlate human_arena.csv --bench arena-hard=leaderboard/arena_hard_leaderboard_20240731.csv
"""


def main() -> int:
    args = parse_arguments()
    if args.correlate:
        return print_correlation(args)
    bench = Bench(args.data_dir, args.bench_name)
    if args.costs:
        return print_costs(args, bench)

    judgments = None if args.battles or args.load_battles else load_judgments(args, bench)
    battles = get_battles(args, bench, judgments)
    fit = get_fit(args, bench, battles, judgments)
    tokens = leaderboard.average_tokens(bench, fit.models)
    rows = leaderboard.rows_of(fit, tokens.means, args.show_elo)
    if args.ranks:
        rows = leaderboard.with_ranks(rows, rank_intervals(args, judgments))

    print_table(args, rows)
    print_notes(args, fit, rows, judgments, tokens)
    if args.compare:
        print_differences(args, judgments)
    if args.plan is not None:
        print_plan(args, judgments)
    if args.full_stats:
        print_full_stats(args, judgments)
    if args.output:
        print(f"\nwritten: {leaderboard.write_csv(rows, Path('leaderboard'), time.strftime('%Y-%m-%d'))}")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--bench-name", default="arena-hard-v0.1", help="folder in data/ (default: %(default)s)")
    parser.add_argument("--judge-name", default="gpt-4-1106-preview", help="the judge (default: %(default)s)")
    parser.add_argument("--baseline", default="gpt-4-0314", help="the model compared with (default: %(default)s)")
    parser.add_argument("--weight", type=int, default=3, help="how often a strong verdict counts (default: 3)")
    parser.add_argument("--first-game-only", action="store_true", help="leave the swapped games out")
    parser.add_argument("--show-elo", action="store_true", help="ratings instead of win rates")
    parser.add_argument("--output", action="store_true", help="write leaderboard/arena_hard_leaderboard_DATE.csv")
    parser.add_argument(
        "--format", choices=("table", "markdown", "json"), default="table", help="how the table is printed"
    )
    parser.add_argument("--costs", action="store_true", help="what all records on disk have cost")
    add_interval_flags(parser)
    add_cache_flags(parser)
    add_question_flags(parser)
    args = parser.parse_args()
    check_arguments(args)
    return args


def add_interval_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("intervals")
    group.add_argument(
        "--interval", choices=KINDS, default="rows", help="rows: as in published tables; the others are honest"
    )
    group.add_argument("--num-rounds", type=int, default=100, help="bootstrap rounds (default: 100)")
    group.add_argument("--level", type=float, default=0.95, help="confidence level (default: 0.95)")
    group.add_argument("--seed", type=int, default=42, help="of the bootstrap (default: 42, as in published tables)")
    group.add_argument(
        "--compat-unanchored",
        action="store_true",
        help="intervals as the original computes them for baselines other than gpt-4-0314: without an anchor",
    )


def add_cache_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("caches and other inputs")
    group.add_argument("--load-battles", action="store_true", help="use the battles of an earlier run")
    group.add_argument(
        "--load-bootstrap", action="store_true", help="use its bootstrap rounds too (needs --load-battles)"
    )
    group.add_argument(
        "--battles", type=Path, metavar="FILE", help="battles of any pairs, JSONL or Parquet, instead of judgments"
    )


def add_question_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who is better, and can one believe it")
    group.add_argument("--compare", nargs="+", metavar="MODEL", help="paired differences between these models")
    group.add_argument("--ranks", action="store_true", help="the rank interval of each model")
    group.add_argument("--plan", type=float, metavar="POINTS", help="questions needed to see such a difference")
    group.add_argument("--full-stats", action="store_true", help="counts for each model, diagnostics of the judge")
    group.add_argument("--correlate", metavar="REFERENCE", help="judge the benchmark: FILE.csv or FILE.csv:BENCHMARK")
    group.add_argument("--bench", nargs="+", metavar="NAME=FILE", default=[], help="leaderboards to correlate with it")


def check_arguments(args: argparse.Namespace) -> None:
    """Raises UserError for values that cannot be meant."""
    if args.num_rounds < 1:
        raise UserError(f"--num-rounds {args.num_rounds}: at least one round is needed.")
    if not 0.0 < args.level < 1.0:
        raise UserError(f"--level {args.level:g}: a share between 0 and 1 is needed, such as 0.95.")
    if args.weight < 1:
        raise UserError(f"--weight {args.weight}: must be at least 1.")
    if not 0 <= args.seed < 2**32:
        raise UserError(f"--seed {args.seed}: must be from 0 to 4294967295.")
    if args.load_bootstrap and not args.load_battles:
        raise UserError("--load-bootstrap needs --load-battles: rounds belong to their battles.")
    if args.plan is not None and args.plan <= 0:
        raise UserError(f"--plan {args.plan:g}: a difference above 0 points is needed.")
    if args.compare and len(args.compare) < 2:
        raise UserError("--compare needs at least two models.")


# -------------------------------------------------------------------------- judgments → battles → fit


def load_judgments(args: argparse.Namespace, bench: Bench) -> Judgments:
    """The judge's games; duplicates are reported, and the last of them counts."""
    judgments = read_judgments(bench, [args.judge_name])
    for file, count in judgments.duplicates.items():
        print(f"note: {file}: {count} judgments are there more than once; the last one counts.", file=sys.stderr)
    return judgments


def case_of(args: argparse.Namespace) -> caches.Case:
    return caches.Case(args.bench_name, args.judge_name, args.baseline, args.weight, args.first_game_only)


def get_battles(args: argparse.Namespace, bench: Bench, judgments: Judgments | None) -> battle.Battles:
    """Battles from judgments, from the cache, or from a file of any pairs."""
    if args.battles:
        return battle.read_battles(args.battles)
    cache = caches.cache_files(bench, case_of(args)).battles
    if judgments is None:
        if not caches.check(bench, cache, case_of(args)):
            print(f"note: {cache} says nothing of its inputs; it is taken as it is.", file=sys.stderr)
        return battle.read_battles(cache)
    baseline = battle.baseline_of(judgments.table, args.baseline)
    battles = battle.from_games(judgments.table, baseline, args.weight, args.first_game_only)
    if not len(battles):
        raise UserError("no game has a readable verdict. Look at the judge's texts with qa_browser.py.")
    keep(cache, battle.battle_lines(battles), caches.Sidecar(case_of(args), judgments.inputs))
    return battles


def get_fit(
    args: argparse.Namespace, bench: Bench, battles: battle.Battles, judgments: Judgments | None
) -> Fit:
    """Ratings with intervals; bootstrap rounds come from the cache when asked for."""
    if args.baseline not in battles.models:
        raise UserError(
            f"no battle has the baseline {args.baseline}. Name one of the models with --baseline: "
            f"{', '.join(battles.models[:10])}"
        )
    anchor = battles.models.index(args.baseline)
    rule = Rule(args.interval, args.level, args.num_rounds, args.seed, args.compat_unanchored)
    made_by = f"{rule.kind}, {rule.rounds} rounds, seed {rule.seed}"
    cache = caches.cache_files(bench, case_of(args)).bootstrap
    rounds = None
    if args.load_bootstrap:
        caches.check(bench, cache, case_of(args), made_by)
        rounds = caches.read_rounds(cache, battles.models)
    cells = battle.cells_of(battles)
    fit = fit_with_intervals(battles, cells, anchor, rule, rounds, progress=rounds_with_progress)
    if judgments is not None and fit.rounds is not None:
        lines = caches.round_lines(fit.models, fit.rounds)
        keep(cache, lines, caches.Sidecar(case_of(args), judgments.inputs, made_by))
    return fit


def rounds_with_progress(rounds, count):  # type: ignore[no-untyped-def]
    """A progress bar for rounds that take longer than a second."""
    from tqdm import tqdm

    return tqdm(rounds, total=count, desc="bootstrap", delay=1.0, leave=False)


def keep(cache: Path, lines, sidecar: caches.Sidecar) -> None:  # type: ignore[no-untyped-def]
    """Write a cache; a folder that cannot be written to costs only the cache."""
    try:
        caches.write(cache, lines, sidecar)
    except OSError as error:
        print(f"note: {cache} was not written ({error.strerror}).", file=sys.stderr)


# ---------------------------------------------------------------------------------------- the table


def print_table(args: argparse.Namespace, rows: list[leaderboard.Row]) -> None:
    if args.format == "json":
        import json

        print(json.dumps(leaderboard.json_rows(rows), indent=1))
    elif args.format == "markdown":
        print("\n".join(leaderboard.markdown_lines(rows, args.level)))
    else:
        print("\n".join(leaderboard.table_lines(rows, args.show_elo, args.level)))


def print_notes(
    args: argparse.Namespace,
    fit: Fit,
    rows: list[leaderboard.Row],
    judgments: Judgments | None,
    tokens: leaderboard.TokenCounts,
) -> None:
    """What one has to know of the numbers; beside JSON it goes to stderr."""
    out = sys.stderr if args.format == "json" else sys.stdout
    print(f"\n{interval_note(args, fit)}", file=out)
    for row in rows:
        if row.model != args.baseline and row.questions == 0:
            print(f"note: {row.model} has no readable verdict, so nothing is known of it.", file=out)
        elif row.model != args.baseline and (row.score in (0.0, 100.0) or abs(row.score) == float("inf")):
            print(
                f"note: {row.model} won or lost every game; its rating has no end on that side, and the other end "
                f"is a binomial bound for {row.questions} questions.",
                file=out,
            )
    if judgments is not None:
        for line in unreadable_lines(judgments):
            print(line, file=out)
    if tokens.by_server:
        print(f"note: tokens as counted by the server, not by tiktoken: {', '.join(tokens.by_server)}.", file=out)


def interval_note(args: argparse.Namespace, fit: Fit) -> str:
    """Which rule made the intervals, how exact they are, and how far they can be trusted."""
    if args.interval == "sandwich":
        return "Intervals: sandwich, clustered by question."
    unit = "battle rows, as in published tables" if args.interval == "rows" else "questions"
    text = f"Intervals: bootstrap of {unit}; {args.num_rounds} rounds, seed {args.seed}"
    if fit.monte_carlo is not None:
        text += f"; other random numbers would move an end by some {fit.monte_carlo:.2f} points"
    if args.interval == "rows" and fit.ratio == fit.ratio:
        text += (
            f".\nRows count a strong verdict {args.weight} times and take the two games of a question as independent: "
            f"clustered by question the intervals are {fit.ratio:.2f} times as wide (--interval questions or sandwich)"
        )
    return text + "."


def unreadable_lines(judgments: Judgments) -> list[str]:
    """How many games of each model have no readable verdict."""
    from arena_hard.judge_stats import model_counts

    found = [(count.model, count.nulls, count.games) for count in model_counts(judgments.table) if count.nulls]
    return [f"note: {model}: {nulls} of {games} games have no readable verdict." for model, nulls, games in found]


# ----------------------------------------------------------------------------- who is really better


def needed(judgments: Judgments | None, flag: str) -> Judgments:
    if judgments is None:
        raise UserError(f"{flag} needs judgments: leave --battles and --load-battles out.")
    return judgments


def rank_intervals(args: argparse.Namespace, judgments: Judgments | None) -> dict[str, tuple[int, int]]:
    from arena_hard import paired

    found = paired.influences(needed(judgments, "--ranks").table, args.weight, args.first_game_only)
    return {each.model: (each.best, each.worst) for each in paired.rank_intervals(found, args.level)}


def print_differences(args: argparse.Namespace, judgments: Judgments | None) -> None:
    """Paired differences of the models of --compare, corrected for the number of pairs."""
    from arena_hard import paired

    found = paired.influences(needed(judgments, "--compare").table, args.weight, args.first_game_only)
    for name in args.compare:
        if name not in found.models:
            raise UserError(f"--compare {name}: no judgments of it. There are: {', '.join(found.models)}")
    print("\nPaired differences of win rates on the same questions (p corrected for the number of pairs):")
    for each in paired.differences(found, args.compare, args.level):
        print(
            f"  {each.model} − {each.other}: {each.value:+.1f} points, {args.level * 100:g}% CI "
            f"({each.lower:+.1f}, {each.upper:+.1f}), p = {each.p_value:.2g}, corrected {each.corrected:.2g}"
        )


def print_plan(args: argparse.Namespace, judgments: Judgments | None) -> None:
    """How many questions a difference needs to be seen."""
    from arena_hard import paired

    found = paired.influences(needed(judgments, "--plan").table, args.weight, args.first_game_only)
    plan = paired.plan(found, args.plan, args.level)
    print(
        f"\nTo see a difference of {args.plan:g} points in four of five tries, {plan.needed} questions are needed "
        f"(paired standard deviation of a question: {plan.sigma:.0f} points)."
    )


# ------------------------------------------------------------------------- judge and benchmark


def print_full_stats(args: argparse.Namespace, judgments: Judgments | None) -> None:
    """Counts for each model, then what can be said of the judge."""
    from arena_hard import judge_stats

    table = needed(judgments, "--full-stats").table
    print("\nmodel                          | games | strong wins | wins | ties | losses | strong losses | unreadable")
    for count in judge_stats.model_counts(table):
        print(
            f"{count.model:<30} | {count.games:>5} | {count.strong_wins:>11} | {count.slight_wins:>4} "
            f"| {count.ties:>4} | {count.slight_losses:>6} | {count.strong_losses:>13} | {count.nulls:>10}"
        )
    for report in judge_stats.judge_reports(table, args.level):
        print_judge(report)
    for name, effect in (
        (f"weight {args.weight} instead of 1", judge_stats.effect_of_weight(table, args.weight)),
        ("first game only instead of both", judge_stats.effect_of_first_game(table, args.weight)),
    ):
        print(
            f"{name}: scores move by {effect.mean_change:.1f} points on average, {effect.largest_change:.1f} at most, "
            f"ranks by up to {effect.largest_rank_change}."
        )


def print_judge(report) -> None:  # type: ignore[no-untyped-def]
    """Position bias, consistency and the 5×5 table of one judge."""
    from arena_hard.judge_stats import GRADES

    print(f"\njudge {report.judge}: {report.games} games, {report.nulls} unreadable, {report.ties} ties")
    if report.position_bias is not None:
        bias = report.position_bias
        print(f"position bias (first − second place): {bias.value:+.1f} points ({bias.lower:+.1f}, {bias.upper:+.1f})")
    agreement = report.consistency
    if agreement.kappa is not None and agreement.alpha is not None:
        print(
            f"the two games agree on the winner in {agreement.same_sign:.0%} of {agreement.units} questions; "
            f"κ = {agreement.kappa:.2f} (quadratic weights), α = {agreement.alpha:.2f} (ordinal)"
        )
    print("game 1 down, game 2 across, seen from the model:")
    print("           " + " ".join(f"{grade:>12}" for grade in GRADES))
    for grade, line in zip(GRADES, report.table):
        print(f"{grade:>12}" + " ".join(f"{int(count):>12}" for count in line))


def print_correlation(args: argparse.Namespace) -> int:
    """How well benchmarks agree with a reference."""
    from arena_hard import correlate

    reference = correlate.read_source(args.correlate)
    comparisons = correlate.compare(correlate.read_benches(args.bench, args.correlate), reference, level=args.level)
    print("\n".join(correlate.table_lines(comparisons)))
    return 0


def print_costs(args: argparse.Namespace, bench: Bench) -> int:
    """What the records of a bench have cost."""
    from arena_hard import costs

    bench.check()
    print("\n".join(costs.report_lines(bench)))
    return 0


if __name__ == "__main__":
    utils.run_main(main)
