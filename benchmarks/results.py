"""How quick and how exact the leaderboard is, beside a plain re-implementation of the original's method.

    python benchmarks/results.py FOLDER [--slice 4] [--full] [--battles FILE.parquet]

FOLDER is made by benchmarks/make_judgments.py when it is not there. Each measurement is a process of its own,
cold, with tokens counted and 100 rounds; memory is the peak of that process. The original's method is run on
a slice of the models and its time taken in proportion, which is too little: building battles grows with the
square. --full runs it on all models (many minutes).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.make_judgments import BENCH, JUDGE, make, make_battles  # noqa: E402

ROUNDS = 100
REPETITIONS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--slice", type=int, default=4, help="models for the original's method (default: 4)")
    parser.add_argument("--full", action="store_true", help="the original's method on all models")
    parser.add_argument("--battles", type=Path, metavar="FILE", help="also rate 10 million battles; made if missing")
    args = parser.parse_args()
    if not (args.folder / BENCH).is_dir():
        make(args.folder)
    files = sorted((args.folder / BENCH / "model_judgment" / JUDGE).glob("*.jsonl"))
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files)} models, {size:.0f} MB of judgments, {ROUNDS} rounds, tokens counted, cold process")
    ours = measure_ours(args.folder)
    models = len(files) if args.full else min(args.slice, len(files))
    theirs = measure_original(args.folder, models)
    print_comparison(ours, theirs, models, len(files))
    print_agreement(args.folder, theirs)
    if args.battles:
        print_battles(args.battles)


def run(command: list[str], cwd: Path) -> tuple[float, float, str]:
    """(seconds, peak memory in MB, output) of a process."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, cwd=cwd, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return seconds, usage.ru_maxrss / unit, text


def script(data_dir: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "show_result.py"), "--data-dir", str(data_dir.resolve()), *more]


def measure_ours(data_dir: Path) -> tuple[float, float]:
    """(median seconds, largest peak in MB) of some runs that write their caches anew each time."""
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPETITIONS):
            for cache in ("arena_hard_battles", "bootstrapping_results"):
                for file in data_dir.glob(f"{cache}*"):
                    file.unlink()
            runs.append(run(script(data_dir), Path(folder))[:2])
    return sorted(seconds for seconds, _ in runs)[len(runs) // 2], max(memory for _, memory in runs)


def measure_original(data_dir: Path, models: int) -> dict[str, Any]:
    """Times, memory and ratings of the original's method on the first models."""
    file = ROOT / "benchmarks" / "original_method.py"
    command = [sys.executable, str(file), str(data_dir.resolve()), str(models), str(ROUNDS)]
    seconds, memory, text = run(command, ROOT)
    return {**json.loads(text), "total": seconds, "memory": memory}


def print_comparison(ours: tuple[float, float], theirs: dict[str, Any], models: int, all_models: int) -> None:
    """Both side by side, and the ratios."""
    phases = theirs["seconds"]
    factor = all_models / models
    total = theirs["total"] if factor == 1 else sum(phases.values()) * factor
    what = "measured" if factor == 1 else f"at least: {models} models measured, in proportion"
    print(f"{'':34}{'seconds':>10}{'peak MB':>10}")
    print(f"{'show_result.py':34}{ours[0]:>10.2f}{ours[1]:>10.0f}")
    print(f"{'method of the original':34}{total:>10.1f}{theirs['memory']:>10.0f}   ({what})")
    print(f"{'ratio':34}{total / ours[0]:>10.0f}{theirs['memory'] / ours[1]:>10.1f}")
    print(f"of the {models} models: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.items()))


def print_agreement(data_dir: Path, theirs: dict[str, Any]) -> None:
    """How far the ratings and the ends of the intervals are apart, on the models of the slice."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "data" / BENCH / "model_judgment" / JUDGE
        inside.mkdir(parents=True)
        for file in (data_dir / BENCH / "model_judgment" / JUDGE).glob("*.jsonl"):
            if file.stem in theirs["ratings"]:
                (inside / file.name).symlink_to(file.resolve())
        text = run(script(Path(folder) / "data", "--format", "json"), Path(folder))[2]
    worst = 0.0
    for row in json.loads(text)["parts"][0]["rows"]:
        found = [row["rating"], row["rating_lower"], row["rating_upper"]]
        worst = max(worst, *(abs(a - b) for a, b in zip(found, theirs["ratings"][row["model"]])))
    print(f"largest difference of a rating or an interval's end: {worst:.1e} rating points")


def print_battles(file: Path) -> None:
    """The point fit of 10 million battles of 500 models, any pairs."""
    if not file.exists():
        make_battles(file)
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--battles", str(file.resolve()), "--baseline", "model-000", "--interval", "sandwich"]
        seconds, memory, text = run(script(Path(folder), *flags), Path(folder))
    rows = sum(" | score: " in line for line in text.splitlines())
    print(f"{file.name}: {rows} models, point fit and sandwich in {seconds:.1f} s, {memory:.0f} MB")


if __name__ == "__main__":
    main()
