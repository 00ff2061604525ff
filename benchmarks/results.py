"""How quick and how exact the leaderboard is, beside a plain re-implementation of the original's method.

    python benchmarks/results.py FOLDER [--slice 8] [--full] [--battles FILE.parquet]

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
    parser.add_argument("--slice", type=int, default=8, help="models for the original's method (default: 8)")
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


def run(command: list[str], cwd: Path) -> tuple[float, float, float, str]:
    """(seconds, seconds of CPU, peak memory in MB, output) of a process."""
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
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, text


def script(data_dir: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "show_result.py"), "--data-dir", str(data_dir.resolve()), *more]


def measure_ours(data_dir: Path) -> tuple[float, float, float]:
    """Median seconds, median seconds of CPU, largest peak in MB of runs that write their caches anew."""
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPETITIONS):
            for cache in ("arena_hard_battles", "bootstrapping_results"):
                for file in data_dir.glob(f"{cache}*"):
                    file.unlink()
            runs.append(run(script(data_dir), Path(folder))[:3])
    wall, cpu, memory = (sorted(column) for column in zip(*runs))
    return wall[len(wall) // 2], cpu[len(cpu) // 2], memory[-1]


def measure_original(data_dir: Path, models: int) -> dict[str, Any]:
    """Times, memory and ratings of the original's method on the first models."""
    file = ROOT / "benchmarks" / "original_method.py"
    command = [sys.executable, str(file), str(data_dir.resolve()), str(models), str(ROUNDS)]
    seconds, cpu, memory, text = run(command, ROOT)
    return {**json.loads(text), "total": seconds, "cpu": cpu, "memory": memory}


def print_comparison(ours: tuple[float, float, float], theirs: dict[str, Any], models: int, all_models: int) -> None:
    """Both side by side, and the ratios. Seconds of CPU suffer less from a busy machine."""
    phases, factor = theirs["seconds"], all_models / models
    start_up = theirs["total"] - sum(phases.values())
    rows = {
        "show_result.py": ours,
        "method of the original": (
            start_up + sum(phases.values()) * factor,
            start_up + (theirs["cpu"] - start_up) * factor,
            theirs["memory"],
        ),
    }
    rows["ratio"] = tuple(b / a for a, b in zip(*rows.values()))  # type: ignore[assignment]
    print(f"{'':26}{'seconds':>10}{'CPU s':>10}{'peak MB':>10}")
    for name, values in rows.items():
        print(f"{name:26}" + "".join(f"{value:>10.2f}" if value < 10 else f"{value:>10.0f}" for value in values))
    what = "all models measured" if factor == 1 else f"{models} models measured, taken in proportion: at least"
    print(f"the original's: {what}; " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.items()))


def print_agreement(data_dir: Path, theirs: dict[str, Any]) -> None:
    """How far the ratings and the ends of the intervals are apart, on the models of the slice."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "data" / BENCH / "model_judgment" / JUDGE
        inside.mkdir(parents=True)
        for file in (data_dir / BENCH / "model_judgment" / JUDGE).glob("*.jsonl"):
            if file.stem in theirs["ratings"]:
                (inside / file.name).symlink_to(file.resolve())
        text = run(script(Path(folder) / "data", "--format", "json"), Path(folder))[3]
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
        seconds, cpu, memory, text = run(script(Path(folder), *flags), Path(folder))
    rows = sum(" | score: " in line for line in text.splitlines())
    print(f"{file.name}: {rows} models, point fit and sandwich")
    print(f"  {seconds:.1f} s ({cpu:.1f} s of CPU), {memory:.0f} MB")


if __name__ == "__main__":
    main()
