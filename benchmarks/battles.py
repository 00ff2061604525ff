"""Ten million battles of 500 models, from Parquet to the table with its clustered interval, beside evalica's point fit.

    python benchmarks/battles.py FOLDER [--count 10000000] [--evalica PYTHON]

Two files are made in FOLDER from a seed where they are not there: without question ids, as votes of an arena come, and
with 5,000. Each run is a process of its own. PYTHON is an interpreter that has evalica (python3 -m venv E;
E/bin/pip install evalica); its time is that of the call alone, with the names in lists.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.make_judgments import battle_codes, make_battles  # noqa: E402
from benchmarks.results import run, script  # noqa: E402

MODELS, QUESTIONS = 500, 5000
REPETITIONS = 3
EVALICA = """
import json, sys, time
import numpy as np
import evalica
kinds = [evalica.Winner.X, evalica.Winner.Draw, evalica.Winner.Y]
a, b, won = (np.load(f"{sys.argv[1]}/{name}.npy").tolist() for name in ("model_a", "model_b", "winner"))
names = [f"model-{number:03d}" for number in range(int(sys.argv[2]))]
a, b, won = [names[code] for code in a], [names[code] for code in b], [kinds[code] for code in won]
start = time.perf_counter()
found = evalica.bradley_terry(a, b, won, tolerance=1e-9, limit=10_000)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "odds": {str(name): float(value) for name, value in found.scores.items()}}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=10_000_000, help="how many battles (default: 10 million)")
    parser.add_argument("--evalica", metavar="PYTHON", help="an interpreter that has evalica")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(f"{args.count:,} battles of {MODELS} models, point fit and clustered interval, whole process")
    print(f"{'':24}{'seconds':>10}{'CPU s':>10}{'peak MB':>10}{'to evalica':>12}")
    theirs = measure_evalica(args.folder, args.count, args.evalica) if args.evalica else None
    worst = 0.0
    for name, questions in {"without question ids": 0, f"with {QUESTIONS:,}": QUESTIONS}.items():
        file = args.folder / f"battles-{args.count}-{questions}.parquet"
        if not file.exists():
            make_battles(file, args.count, MODELS, questions)
        seconds, cpu, memory, ratings = measure(file)
        ratio = f"{seconds / theirs[0]:>12.2f}" if theirs else ""
        print(f"{name:24}{seconds:>10.2f}{cpu:>10.2f}{memory:>10.0f}{ratio}")
        worst = max(worst, *(abs(ratings[model] - theirs[1][model]) for model in ratings)) if theirs else worst
    if theirs is None:
        print("evalica: not measured (--evalica PYTHON)")
        return
    print(f"{'evalica, the fit alone':24}{theirs[0]:>10.2f}")
    print(f"largest difference of a rating: {worst:.1e} rating points")


def measure(file: Path) -> tuple[float, float, float, dict[str, float]]:
    """(median seconds, seconds of CPU, largest peak in MB, ratings) of runs of show_result.py."""
    flags = ["--battles", str(file.resolve()), "--baseline", "model-000", "--interval", "sandwich", "--format", "json"]
    with tempfile.TemporaryDirectory() as folder:
        runs = [run(script(Path(folder), *flags), Path(folder)) for _ in range(REPETITIONS)]
    wall, cpu, memory = (sorted(each[column] for each in runs) for column in range(3))
    rows = json.loads(runs[0][3])["parts"][0]["rows"]
    middle = len(runs) // 2
    return float(wall[middle]), float(cpu[middle]), float(memory[-1]), {row["model"]: row["rating"] for row in rows}


def measure_evalica(folder: Path, count: int, python: str) -> tuple[float, dict[str, float]]:
    """(seconds of the call, ratings with the first model at 1000) of evalica's Bradley–Terry fit."""
    codes = battle_codes(count, MODELS, QUESTIONS)
    for name in ("model_a", "model_b", "winner"):
        np.save(folder / f"{name}.npy", codes[name])
    found = json.loads(run([python, "-c", EVALICA, str(folder.resolve()), str(MODELS)], ROOT)[3])
    odds = found["odds"]
    return found["seconds"], {name: 1000.0 + 400.0 * np.log10(each / odds["model-000"]) for name, each in odds.items()}


if __name__ == "__main__":
    main()
