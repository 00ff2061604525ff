"""The flags of show_result.py, in groups, and which values make no sense."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from arena_hard.data.presets import DEFAULT_BASELINE, DEFAULT_BENCH, DEFAULT_JUDGE
from arena_hard.data.records import UserError
from arena_hard.rating.caches import Case, Draw
from arena_hard.rating.intervals import KINDS, Rule
from arena_hard.showing.config_values import CONFIG

FORMATS = ("table", "json", "markdown", "html")  # showing.formats has what makes them
MOST_WEIGHT = 100
DOCUMENTS = ("json", "html")  # for files and programs, in UTF-8 whatever the terminal is


def add_to(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add all flags of show_result.py."""
    _add_input(parser.add_argument_group("what is rated"))
    _add_intervals(parser.add_argument_group("intervals"))
    _add_further(parser.add_argument_group("further analyses"))
    _add_style(parser.add_argument_group("style control (needs the answers)"))
    _add_output(parser.add_argument_group("output"))
    return parser


def _add_input(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--setting-file",
        type=Path,
        metavar="FILE",
        help=f"benchmark, judge, baseline and categories where no flag names them (default: {CONFIG}, if it is there)",
    )
    group.add_argument("--bench-name", help=f"folder in data/ (default: the config's, else {DEFAULT_BENCH})")
    group.add_argument(
        "--judge-name",
        nargs="+",
        metavar="JUDGE",
        help="folder in model_judgment/; several judge together as an ensemble "
        f"(default: the config's, else {DEFAULT_JUDGE})",
    )
    group.add_argument(
        "--baseline",
        metavar="MODEL",
        help="the model that every answer was compared with (default: the one that most judgments name, first the "
        f"config's, else {DEFAULT_BASELINE})",
    )
    group.add_argument(
        "--category", nargs="+", metavar="NAME", help="categories, each rated on its own; all; or none: no categories"
    )
    group.add_argument("--weight", type=int, default=3, help="rows of a strong verdict (default: %(default)s)")
    group.add_argument("--first-game-only", action="store_true", help="leave the second, swapped games out")
    group.add_argument(
        "--soft",
        action="store_true",
        help="count each game by the probabilities of its labels (verdict: logprobs), where it has them",
    )
    group.add_argument("--load-battles", action="store_true", help="use the battles that an earlier run wrote")
    group.add_argument("--battles", type=Path, metavar="FILE", help="rate any pairs from a JSONL or Parquet file")


def _add_intervals(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--interval",
        choices=KINDS,
        default="rows",
        help="rows: as in published tables, too narrow; questions: bootstrap of questions; "
        "sandwich: clustered by question, without random numbers (default: rows)",
    )
    group.add_argument("--level", type=float, help="confidence level (default: 0.95; 0.9 for v2.0's intervals)")
    group.add_argument("--num-rounds", type=int, default=100, help="bootstrap rounds (default: %(default)s)")
    group.add_argument("--seed", type=int, default=42, help="of the bootstrap (default: 42, the original's)")
    group.add_argument("--load-bootstrap", action="store_true", help="use an earlier run's rounds (--load-battles)")
    group.add_argument(
        "--compat-unanchored",
        action="store_true",
        help="leave rounds unanchored, as the original does for baselines other than gpt-4-0314",
    )


def _add_further(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--full-stats", action="store_true", help="each model's games, and how reliable the judge is")
    group.add_argument("--compare", nargs="+", metavar="MODEL", help="paired differences of two or more models")
    group.add_argument(
        "--breakdown",
        nargs="*",
        metavar="BY",
        help="where models do better or worse than their scores say: by cluster and category (default: both), or by "
        "another key of question.jsonl",
    )
    group.add_argument("--models", nargs="+", default=[], metavar="MODEL", help="for --breakdown (default: all)")
    group.add_argument("--ranks", action="store_true", help="the ranks consistent with the data")
    group.add_argument("--plan", type=float, metavar="POINTS", help="questions needed to detect this difference")
    group.add_argument(
        "--correlate",
        metavar="REFERENCE",
        help="compare benchmarks with a reference: CSV file, or FILE:BENCHMARK; nothing else is computed",
    )
    group.add_argument(
        "--bench",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FILE",
        help="benchmarks for --correlate (default: the others in the reference's file)",
    )
    group.add_argument("--name-map", type=Path, metavar="FILE", help="JSON or CSV of names, for --correlate")
    group.add_argument(
        "--as-published", action="store_true", help="--correlate: the paper's rule for reference intervals of no width"
    )
    group.add_argument("--costs", action="store_true", help="what the records of the benchmark have cost; nothing else")


def _add_style(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--control-features",
        nargs="+",
        metavar="FEATURE",
        help="length, markdown, or single ones: tokens, headers, lists, bold",
    )
    group.add_argument(
        "--at-equal-style",
        action="store_true",
        help="scores for answers of the same style; published ones keep the mean difference in",
    )
    group.add_argument("--style-formula", choices=("v0.1", "v2.0"), default="v2.0", help="default: %(default)s")
    group.add_argument("--jobs", type=int, default=1, help="processes for the rounds (-1: all cores; default: 1)")
    group.add_argument("--backend", choices=("loky", "dask", "ray"), default="loky", help="default: %(default)s")
    group.add_argument("--address", help="of a running Dask or Ray cluster (default: one is started here)")


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--show-elo", action="store_true", help="ratings (baseline 1000) in place of win rates")
    group.add_argument("--format", choices=FORMATS, default="table", help="printed form (default: %(default)s)")
    group.add_argument("--output", action="store_true", help="write leaderboard/arena_hard_leaderboard_DATE….csv")
    group.add_argument("--plot", type=Path, metavar="FILE", help="draw the intervals: .png or .svg (matplotlib)")


def check(args: argparse.Namespace) -> None:
    """Raises UserError for values that make no sense, or not together."""
    if args.num_rounds < 1:
        raise UserError(f"--num-rounds {args.num_rounds}: must be at least 1.")
    if args.level is None:
        args.level = 0.9 if args.interval == "v2.0" else 0.95
    if not 0.0 < args.level < 1.0:
        raise UserError(f"--level {args.level:g} must lie between 0 and 1, such as 0.95.")
    if args.weight < 1:
        raise UserError(f"--weight {args.weight}: a strong verdict counts for at least one row.")
    if args.weight > MOST_WEIGHT:
        raise UserError(f"--weight {args.weight}: at most {MOST_WEIGHT}, because the battle file has a line for each.")
    if not 0 <= args.seed < 2**32:
        raise UserError(f"--seed {args.seed} must lie between 0 and {2**32 - 1}.")
    if args.jobs == 0 or args.jobs < -1:
        raise UserError(f"--jobs {args.jobs} must be 1 or more, or -1 for all cores.")
    judges = args.judge_name or []
    twice = [judge for judge in judges if judges.count(judge) > 1]
    if twice:
        raise UserError(f"--judge-name names {twice[0]} twice.")
    if args.compare is not None and len(set(args.compare)) < 2:
        raise UserError("--compare needs at least two models.")
    if args.plot and args.plot.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--plot {args.plot}: the name must end with .png or .svg.")
    if args.plot and find_spec("matplotlib") is None:
        raise UserError("--plot needs one more package: pip install matplotlib")
    if args.plan is not None:
        from arena_hard.rating import planning

        planning.check(args.plan)
    _check_together(args)


def _check_together(args: argparse.Namespace) -> None:
    if args.load_bootstrap and not args.load_battles:
        raise UserError("--load-bootstrap needs --load-battles: rounds belong to their battles.")
    if args.load_bootstrap and args.interval == "sandwich":
        raise UserError("--load-bootstrap has no use with --interval sandwich, which draws no rounds.")
    if args.compat_unanchored and args.interval != "rows":
        raise UserError("--compat-unanchored reproduces the original's intervals: use it with --interval rows.")
    if args.interval == "v2.0" and (args.battles or args.load_battles or args.control_features):
        raise UserError("--interval v2.0 is made from judgments, without style control: it leaves some of them out.")
    if args.battles and args.load_battles:
        raise UserError("--battles FILE and --load-battles name two sources. Use one of them.")
    if args.load_battles and args.category and "all" in args.category:
        raise UserError("--load-battles needs the categories by name, not all.")
    if args.control_features and args.interval == "sandwich":
        raise UserError("Style control has bootstrap intervals only: --interval rows or questions.")
    if args.at_equal_style and not args.control_features:
        raise UserError("--at-equal-style belongs to --control-features: name the features.")
    if args.soft and args.battles:
        raise UserError(
            "--soft counts judgments by the probabilities of their labels; battles from --battles have none."
        )
    needs_games = {"--compare": args.compare, "--ranks": args.ranks, "--plan": args.plan is not None}
    needs_games |= {
        "--breakdown": args.breakdown is not None,
        "--full-stats": args.full_stats,
        "--control-features": args.control_features,
    }
    for flag, wanted in needs_games.items():
        if wanted and (args.battles or args.load_battles):
            raise UserError(f"{flag} is computed from the judgments: run it without --load-battles and --battles.")
    _check_format(args)
    if args.models and args.breakdown is None and args.format != "html":
        raise UserError("--models belongs to --breakdown: it names the models that are broken down.")
    if (args.bench or args.name_map or args.as_published) and not args.correlate:
        raise UserError("--bench, --name-map and --as-published belong to --correlate.")
    if args.category and args.battles:
        raise UserError("--category needs judgments; battles from --battles carry none.")


def _check_format(args: argparse.Namespace) -> None:
    """--correlate and --costs have not all forms."""
    forms = {"--correlate": (args.correlate, ("table", "markdown", "json")), "--costs": (args.costs, ("table", "json"))}
    for flag, (wanted, formats) in forms.items():
        if wanted and args.format not in formats:
            raise UserError(f"{flag} has no form {args.format}. Known are {', '.join(formats)}.")


def rule(args: argparse.Namespace) -> Rule:
    """The rule of intervals that was asked for."""
    return Rule(args.interval, args.level, args.num_rounds, args.seed, args.compat_unanchored)


def case(args: argparse.Namespace, category: str, baseline: str) -> Case:
    """What cached battles of a run depend on."""
    judges = tuple(args.judge_name)
    return Case(args.bench_name, judges, baseline, args.weight, args.first_game_only, category, args.soft)


def leaves_files(args: argparse.Namespace) -> bool:
    """Whether a run leaves its battles in the data folder; not by v2.0's rule, which leaves some judgments out."""
    return args.interval != "v2.0"


def draw(args: argparse.Namespace) -> Draw:
    """What bootstrap rounds depend on."""
    return Draw(args.interval, args.num_rounds, args.seed)
