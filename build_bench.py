"""Make a benchmark of one's own from a log of conversations: conversations → question.jsonl.

Reads files of conversations (JSON, JSONL or Parquet, also in gzip or zstd) and config/build_bench_config.yaml; writes
data/BENCH/question.jsonl and, for each step on the way, a table and its manifest in data/BENCH/building/. A step whose
inputs and settings are what they were is not done again.
"""

from __future__ import annotations

if __name__ == "__main__":  # before what takes long to import
    from arena_hard.data import interrupts

    interrupts.end_at_once()

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

import utils
from arena_hard.building.build_steps import build_steps
from arena_hard.building.label_files import shard_of
from arena_hard.building.runner import chosen_steps, print_plan, run_steps
from arena_hard.building.settings import BuildSettings, load_build_settings
from arena_hard.building.steps import Context, Step
from arena_hard.calling.selection import add_costs, check_selection
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.money.account import Account, print_costs

EXAMPLES = """\
  python build_bench.py conversations.jsonl --bench my-bench
  python build_bench.py conversations.jsonl --bench my-bench --plan
  python build_bench.py *.parquet --bench my-bench --until language
  python build_bench.py --from topics
  python build_bench.py --bench my-bench --report
"""


def main() -> int:
    args = parse_arguments()
    context = context_of(args, with_arguments(args, load_build_settings(args.setting_file)))
    steps, anew = chosen_steps(build_steps(context.settings), args.until, args.start)
    if args.report:
        return report(args, context, steps)
    names = list(dict.fromkeys(name for step in steps for name in step.models(context.settings)))
    context.models = {model.name: model for model in utils.load_models(args.endpoint_file, names)} if names else {}
    if args.plan or args.quote:
        print_plan(context, steps, anew)
        return 0
    try:
        return run_steps(context, steps, anew)
    finally:  # a run that is stopped has cost something too
        print_costs(context.account)


def report(args: argparse.Namespace, context: Context, steps: Sequence[Step]) -> int:
    """Write the page of what there is (--report), and say what comes next. Returns the exit code."""
    from arena_hard.building.report import write_report
    from arena_hard.rating.benchmarks import read_source

    file = write_report(context, steps, read_source(args.correlate) if args.correlate else None)
    print(f"Report: {file.resolve().as_uri()}")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="conversations, in place of the config's")
    parser.add_argument("--bench", metavar="NAME", help="name of the benchmark, in place of the config's bench_name")
    parser.add_argument(
        "--setting-file",
        type=Path,
        default=Path("config/build_bench_config.yaml"),
        help="what stays and how it is labelled and drawn (default: %(default)s)",
    )
    parser.add_argument(
        "--endpoint-file",
        type=Path,
        default=Path("config/api_config.yaml"),
        help="endpoints of the models that label, name topics or embed (default: %(default)s)",
    )
    add_steps(parser)
    add_costs(parser, "what labels cost", "print requests, tokens and price of the labels; send none")
    add_report(parser)
    args = parser.parse_args()
    if args.correlate and not args.report:
        raise UserError("--correlate only applies to --report. Add --report, or drop it.")
    return args


def add_steps(parser: argparse.ArgumentParser) -> None:
    """The flags that say which steps are done, and how."""
    group = parser.add_argument_group("which steps")
    group.add_argument("--plan", action="store_true", help="print what each step will do; do nothing")
    group.add_argument("--from", dest="start", metavar="STEP", help="do this step and those after it anew")
    group.add_argument("--until", metavar="STEP", help="end after this step")
    group.add_argument(
        "--exclude", nargs="*", metavar="BENCH", help="leave out the questions of these benches or files"
    )
    group.add_argument("--twin", action="store_true", help="also draw BENCH-twin: the same topics, other prompts")
    group.add_argument(
        "--shard",
        type=shard_of,
        metavar="K/N",
        help="label just part K of N; without the flag labels of all parts count, wherever they were made",
    )
    group.add_argument(
        "--backend",
        choices=("loky", "dask"),
        default="loky",
        help="who embeds and labels: this machine, or a Dask cluster, whose workers get the keys (its TLS hides them)",
    )
    group.add_argument("--address", metavar="HOST:PORT", help="with --backend dask: of a scheduler that runs already")
    group.add_argument(
        "--processes", type=int, metavar="N", default=os.cpu_count() or 1, help="side by side (default: all cores)"
    )


def add_report(parser: argparse.ArgumentParser) -> None:
    """The flags of the page that shows how a benchmark was made, and whether it works."""
    group = parser.add_argument_group("report")
    group.add_argument(
        "--report", action="store_true", help="write data/BENCH/report.html of what is there, judgments included"
    )
    group.add_argument(
        "--correlate", metavar="FILE", help="with --report: how the benchmark agrees with the ranking in this CSV file"
    )


def with_arguments(args: argparse.Namespace, settings: BuildSettings) -> BuildSettings:
    """The settings, with what the command line says in their place."""
    exclude = settings.duplicates.exclude if args.exclude is None else args.exclude
    return msgspec.structs.replace(
        settings,
        bench_name=args.bench or settings.bench_name,
        input=[str(file) for file in args.files] or settings.input,
        duplicates=msgspec.structs.replace(settings.duplicates, exclude=exclude),
        sample=msgspec.structs.replace(settings.sample, twin=args.twin or settings.sample.twin),
    )


def context_of(args: argparse.Namespace, settings: BuildSettings) -> Context:
    """What all steps share. Raises UserError where no conversations are named, or flags make no sense."""
    if not settings.input and not args.report:
        raise UserError(
            "No conversations are named. Name files, like build_bench.py conversations.jsonl --bench my-bench, or "
            f"write input: [conversations.jsonl] into {args.setting_file}."
        )
    if args.processes < 1:
        raise UserError(f"--processes {args.processes}: must be at least 1.")
    if args.shard and args.backend == "dask":
        raise UserError("--shard and --backend dask both share labels out. Drop one of them.")
    check_selection(args)
    return Context(
        Bench(args.data_dir, settings.bench_name),
        settings,
        [Path(name) for name in settings.input],
        args,
        args.processes,
        account=Account(args.max_cost, args.batch, args.finish_live),
    )


if __name__ == "__main__":
    utils.run_main(main)
