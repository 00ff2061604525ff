"""What the judge's config says of the result where no flag does."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

from arena_hard.data.expected import Expected, judges_of
from arena_hard.data.jsonl import Remark
from arena_hard.data.name_lists import shortened
from arena_hard.data.paths import Bench
from arena_hard.data.presets import DEFAULT_BENCH
from arena_hard.data.records import UserError
from arena_hard.data.settings import JudgeSettings

CONFIG = Path("config/judge_config.yaml")


def choose(args: argparse.Namespace, load: Callable[[Path], JudgeSettings]) -> Expected:
    """Fill in the benchmark and the judges that no flag names, and say whom else it is against. Raises UserError.

    The default config need not be there, and need not be right where the flags name benchmark and judge.
    """
    file = args.setting_file or CONFIG
    settings = _loaded(args, file, load) if args.setting_file or file.is_file() else None
    args.setting_file = file if settings else None
    args.bench_name = args.bench_name or (settings.bench_name if settings else DEFAULT_BENCH)
    bench = Bench(args.data_dir, args.bench_name)
    if not args.judge_name:
        args.judge_name = judges_of(bench, settings)
        _say_missing(args, settings, file)
    is_of_it = settings is not None and settings.bench_name == bench.name
    return Expected(bench, settings, str(file)) if is_of_it else Expected(bench)


def _say_missing(args: argparse.Namespace, settings: JudgeSettings | None, file: Path) -> None:
    """The config's judges that have not judged this benchmark, where others have."""
    missing = sorted(set(settings.judges) - set(args.judge_name)) if settings else []
    if missing and settings and set(args.judge_name) <= set(settings.judges):
        words = f"{file} names {shortened(missing)} as judges, too; they have judged nothing of {args.bench_name} yet."
        warnings.warn(words, Remark, stacklevel=1)


def _loaded(args: argparse.Namespace, file: Path, load: Callable[[Path], JudgeSettings]) -> JudgeSettings | None:
    try:
        return load(file)
    except UserError as error:
        if args.setting_file or not (args.bench_name and args.judge_name):
            raise
        warnings.warn(f"{file} is not used: {error}", Remark, stacklevel=1)
        return None
