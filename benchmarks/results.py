"""How quick and how exact the leaderboard is, beside a plain re-implementation of the original's method.

    python benchmarks/results.py FOLDER [--slice 16] [--full]

FOLDER is made by benchmarks/make_judgments.py when it is not there. Each measurement is a process of its own,
cold, with tokens counted and 100 rounds; memory is the peak of that process. One that does nothing but read the
judgments' lines with Python's json says what can be reached: the ratio to it is printed, too. The original's method
grows with the square of the models (frames copied row by row, a dense design): it is run on a slice and on half of it,
and a·n + b·n² through both says what all models take. --full runs it on all of them (minutes).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.make_judgments import BENCH, JUDGE, make  # noqa: E402

ROUNDS = 100
REPETITIONS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--slice", type=int, default=16, help="models for the original's method (default: 16)")
    parser.add_argument("--full", action="store_true", help="the original's method on all models")
    args = parser.parse_args()
    if not (args.folder / BENCH).is_dir():
        make(args.folder)
    files = sorted((args.folder / BENCH / "model_judgment" / JUDGE).glob("*.jsonl"))
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files)} models, {size:.0f} MB of judgments, {ROUNDS} rounds, tokens counted, cold process")
    ours, plain = measure_ours(args.folder, files)
    models = len(files) if args.full else min(args.slice, len(files))
    theirs = measure_original(args.folder, models)
    half = None if args.full else measure_original(args.folder, models // 2)
    print_comparison(ours, theirs, half, models, len(files))
    print(f"show_result.py to one plain JSON pass over the judgments ({plain:.2f} s): {ours[0] / plain:.2f}")
    print_agreement(args.folder, theirs)


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


def measure_ours(data_dir: Path, files: list[Path]) -> tuple[tuple[float, float, float], float]:
    """(median seconds, median seconds of CPU, largest peak in MB) of runs that write their caches anew, and the median
    seconds of a process that reads each line of files with Python's json; in turns, for a machine that others use.
    """
    code = "import json, sys\nfor file in sys.argv[1:]:\n    for line in open(file, 'rb'):\n        json.loads(line)"
    runs, passes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPETITIONS):
            for cache in ("arena_hard_battles", "bootstrapping_results"):
                for file in data_dir.glob(f"{cache}*"):
                    file.unlink()
            shutil.rmtree(data_dir / BENCH / "cache", ignore_errors=True)
            runs.append(run(script(data_dir), Path(folder))[:3])
            passes.append(run([sys.executable, "-c", code, *map(str, files)], ROOT)[0])
    wall, cpu, memory = (sorted(column) for column in zip(*runs))
    return (wall[len(wall) // 2], cpu[len(cpu) // 2], memory[-1]), sorted(passes)[REPETITIONS // 2]


def measure_original(data_dir: Path, models: int) -> dict[str, Any]:
    """Times, memory and ratings of the original's method on the first models."""
    file = ROOT / "benchmarks" / "original_method.py"
    command = [sys.executable, str(file), str(data_dir.resolve()), str(models), str(ROUNDS)]
    seconds, cpu, memory, text = run(command, ROOT)
    return {**json.loads(text), "total": seconds, "cpu": cpu, "memory": memory}


def print_comparison(
    ours: tuple[float, float, float], theirs: dict[str, Any], half: dict[str, Any] | None, models: int, all_models: int
) -> None:
    """Both side by side, and the ratios. Seconds of CPU suffer less from a busy machine."""
    whole = []
    for clock in ("wall", "cpu"):
        spent = sum(theirs["seconds"][clock].values())
        start_up = theirs["total" if clock == "wall" else "cpu"] - spent
        if half is not None:
            spent = grown(sum(half["seconds"][clock].values()), models // 2, spent, models, all_models)
        whole.append(start_up + spent)
    original = whole[0], whole[1], theirs["memory"]
    ratio = tuple(b / a for a, b in zip(ours, original))
    rows = {"show_result.py": ours, "method of the original": original, "ratio": ratio}
    print(f"{'':26}{'seconds':>10}{'CPU s':>10}{'peak MB':>10}")
    for name, values in rows.items():
        print(f"{name:26}" + "".join(f"{value:>10.2f}" if value < 10 else f"{value:>10.0f}" for value in values))
    what = "measured" if half is None else f"times from {models // 2} and {models} models; memory of {models} alone"
    print(f"the original's: {what}")
    print("  of CPU: " + ", ".join(f"{name} {each:.1f} s" for name, each in theirs["seconds"]["cpu"].items()))


def grown(first: float, n1: int, second: float, n2: int, n: int) -> float:
    """a·n + b·n² through two measurements."""
    b = (second / n2 - first / n1) / (n2 - n1)
    return n * (first / n1 - b * n1) + b * n * n


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


if __name__ == "__main__":
    main()
