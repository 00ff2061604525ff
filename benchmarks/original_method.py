"""The original's way from judgments to intervals, re-implemented plainly for the sake of comparison.

This is what is measured against, not what is used: frames grown row by row, a dense design with every battle
twice, one logistic regression for each bootstrap round. benchmarks/results.py runs it in a process of its own.

    python benchmarks/original_method.py DATA_DIR MODELS ROUNDS     prints times and scores as JSON
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

BENCH, JUDGE, BASELINE = "arena-hard-v0.1", "gpt-4-1106-preview", "gpt-4-0314"
STRONG = 3
# how the two games read: (winner, rows) for each label; in the second game the model stands first
FIRST = {"A>>B": ("model_a", STRONG), "A>B": ("model_a", 1), "A=B": ("tie", 1)}
FIRST |= {"B>A": ("model_b", 1), "B>>A": ("model_b", STRONG)}
SECOND = {"A>>B": ("model_b", STRONG), "A>B": ("model_b", 1), "A=B": ("tie", 1)}
SECOND |= {"B>A": ("model_a", 1), "B>>A": ("model_a", STRONG)}


def read_battles(files: list[Path]) -> pd.DataFrame:
    """Every game becomes rows that are put behind the frame so far."""
    battles = pd.DataFrame()
    for file in files:
        for _, row in pd.read_json(file, lines=True).iterrows():
            for game, meaning in zip(row["games"], (FIRST, SECOND)):
                if game["score"] not in meaning:
                    continue
                winner, copies = meaning[game["score"]]
                line = {"question_id": row["question_id"], "model_a": BASELINE, "model_b": row["model"]}
                battles = pd.concat([battles, pd.DataFrame([{**line, "winner": winner}] * copies, dtype=object)])
    return battles.reset_index(drop=True)


def ratings_of(battles: pd.DataFrame) -> pd.Series:
    """One logistic regression on a dense design; each battle stands twice, so that a tie is half and half."""
    names = pd.Index(pd.unique(np.concatenate([battles["model_a"].to_numpy(), battles["model_b"].to_numpy()])))
    twice = pd.concat([battles, battles], ignore_index=True)
    rows = np.arange(len(twice))
    design = np.zeros((len(twice), len(names)))
    design[rows, names.get_indexer(twice["model_a"].to_numpy())] = math.log(10)
    design[rows, names.get_indexer(twice["model_b"].to_numpy())] = -math.log(10)
    won = (twice["winner"] == "model_a").to_numpy().astype(float)
    tied = (twice["winner"] == "tie").to_numpy()
    won[tied & (rows < len(battles))] = 1.0
    with threadpool_limits(1):  # in favour of the method: with more threads the fit is slower on a busy machine
        model = LogisticRegression(fit_intercept=False, C=np.inf, tol=1e-8).fit(design, won)
    ratings = pd.Series(400 * model.coef_[0] + 1000, index=names)
    return ratings + 1000 - ratings[BASELINE]


def now() -> npt.NDArray[np.float64]:
    """Seconds by the wall and of CPU."""
    return np.array([time.perf_counter(), time.process_time()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("models", type=int)
    parser.add_argument("rounds", type=int)
    args = parser.parse_args()
    data_dir, models, rounds = args.data_dir, args.models, args.rounds
    files = sorted((data_dir / BENCH / "model_judgment" / JUDGE).glob("*.jsonl"))[:models]
    start = now()
    battles = read_battles(files)
    built = now()
    point = ratings_of(battles)
    np.random.seed(42)
    drawn = pd.DataFrame([ratings_of(battles.sample(frac=1.0, replace=True)) for _ in range(rounds)])
    ends = drawn.quantile([0.025, 0.975])
    rated = now()
    lengths = {}
    for file in (data_dir / BENCH / "model_answer").glob("*.jsonl"):
        if file.stem in point.index:
            rows = [json.loads(line) for line in file.open()]
            lengths[file.stem] = sum(row["choices"][0]["turns"][0]["token_len"] for row in rows) / len(rows)
    done = now()
    phases = {"battles": built - start, "ratings": rated - built, "tokens": done - rated}
    times = {clock: {name: each[i] for name, each in phases.items()} for i, clock in enumerate(("wall", "cpu"))}
    values = {name: [point[name], float(ends.loc[0.025, name]), float(ends.loc[0.975, name])] for name in point.index}
    print(json.dumps({"seconds": times, "rows": len(battles), "ratings": values, "tokens": lengths}))


if __name__ == "__main__":
    main()
