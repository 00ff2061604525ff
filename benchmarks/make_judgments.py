"""A bench of the size of a full leaderboard, made from a seed: 84 models x 500 questions x 2 games, some 220 MB.

    python -m benchmarks.make_judgments FOLDER [--models 84] [--questions 500] [--seed 1]
    python -m benchmarks.make_judgments --battles FILE.parquet [--count 10000000]

FOLDER becomes a data folder: FOLDER/arena-hard-v0.1 with questions, answers and judgments of the default
judge against the default baseline. Texts are words at random; verdicts follow a strength for each model, a
difficulty for each question and a judge who favours the first place. The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from arena_hard.rating.arrays import FloatArray, IntArray

BENCH, JUDGE, BASELINE = "arena-hard-v0.1", "gpt-4-1106-preview", "gpt-4-0314"
LABELS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
THRESHOLDS = (-1.5, -0.06, 0.06, 1.5)
UNREADABLE = 0.0012
WORDS = """
the answer gives a clear function for each list of values and explains why python sorts it before the loop ends
while assistant shows an example with tests headers tables memory thread elastic kernel vector matrix query index
because user asked about cost time error value object class method input output state model number proof step
""".split()  # noqa: SIM905


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument("--out", type=Path, help="the same as FOLDER")
    parser.add_argument("--models", type=int, default=84)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--battles", type=Path, metavar="FILE", help="make battles of any pairs instead")
    parser.add_argument("--count", type=int, default=10_000_000, help="how many battles (default: 10 million)")
    args = parser.parse_args()
    folder = args.folder or args.out
    if args.battles:
        print(f"{make_battles(args.battles, args.count, seed=args.seed):,} bytes in {args.battles}")
    elif folder:
        print(f"{make(folder, args.models, args.questions, args.seed):,} bytes of judgments in {folder}/{BENCH}")
    else:
        parser.error("name a FOLDER, or --battles FILE")


def make(data_dir: Path, models: int = 84, questions: int = 500, seed: int = 1) -> int:
    """Write the bench into a data folder; returns the bytes of its judgments."""
    rng, texts = np.random.default_rng(seed), _Texts(seed)
    folder = data_dir / BENCH
    (folder / "model_answer").mkdir(parents=True, exist_ok=True)
    judged = folder / "model_judgment" / JUDGE
    judged.mkdir(parents=True, exist_ok=True)
    keys = [hashlib.md5(f"{seed} {number}".encode()).hexdigest() for number in range(questions)]
    prompts = [texts.of(400) for _ in keys]
    _write(folder / "question.jsonl", [_question(*each) for each in zip(range(questions), keys, prompts)])
    names = [f"model-{number:02d}" for number in range(models)]
    for name in (BASELINE, *names):
        _write(folder / "model_answer" / f"{name}.jsonl", [_answer(name, key, texts) for key in keys])
    difficulty, size = rng.normal(size=questions), 0
    for name, strength in zip(names, rng.normal(-0.6, 0.7, size=models)):
        verdicts = _verdicts(rng, float(strength), difficulty)
        rows = [_judgment(name, *each, texts) for each in zip(keys, prompts, verdicts)]
        size += _write(judged / f"{name}.jsonl", rows)
    return size


class _Texts:
    """Texts at random, put together from paragraphs that were made once."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._paragraphs = [" ".join(self._random.choices(WORDS, k=30)).capitalize() + "." for _ in range(2000)]

    def of(self, length: int) -> str:
        """A text of about `length` characters."""
        parts: list[str] = []
        while sum(map(len, parts)) < length:
            parts.append(self._random.choice(self._paragraphs))
        return "\n\n".join(parts)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


def _verdicts(rng: np.random.Generator, strength: float, difficulty: FloatArray) -> list[list[str | None]]:
    """Labels of both games for each question, in the judge's words."""
    scale = strength + 0.6 * difficulty + 0.5 * rng.normal(size=len(difficulty))
    games = []
    for side in (1, -1):  # the second game shows the model first; the judge favours the first place
        seen = side * scale - 0.25 + 0.8 * rng.normal(size=len(difficulty))
        games.append(np.searchsorted(THRESHOLDS, seen))
    lost = rng.random((len(difficulty), 2)) < UNREADABLE
    return [
        [None if gone else LABELS[label] for label, gone in zip(pair, missing)]
        for pair, missing in zip(np.column_stack(games), lost)
    ]


def _question(number: int, key: str, prompt: str) -> dict[str, Any]:
    cluster = f"Cluster {number // 2}"
    return {"question_id": key, "category": BENCH, "cluster": cluster, "turns": [{"content": prompt}]}


def _answer(model: str, key: str, texts: _Texts) -> dict[str, Any]:
    turn = {"content": texts.of(texts.number(400, 2500)), "token_len": texts.number(80, 900)}
    choice = {"index": 0, "turns": [turn]}
    return {"question_id": key, "answer_id": key[:22], "model_id": model, "choices": [choice], "tstamp": 1.7e9}


def _judgment(model: str, key: str, prompt: str, verdicts: list[str | None], texts: _Texts) -> dict[str, Any]:
    games = []
    for verdict in verdicts:
        end = "no verdict" if verdict is None else f"[[{verdict}]]"
        shown = f"<|User Prompt|>\n{prompt}\n\n{texts.of(750)}"
        text = f"{texts.of(1000)}\n\nMy final verdict is: {end}"
        games.append({"user_prompt": shown, "judgment": text, "score": verdict})
    return {"question_id": key, "model": model, "judge": JUDGE, "games": games}


def _write(file: Path, rows: list[dict[str, Any]]) -> int:
    data = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    file.write_bytes(data)
    return len(data)


def make_battles(file: Path, count: int = 10_000_000, models: int = 500, questions: int = 5000, seed: int = 1) -> int:
    """Write battles of any pairs, Parquet or JSONL by the name; returns the bytes. questions: 0 for none."""
    codes = battle_codes(count, models, questions or 1, seed)
    names = [f"model-{number:03d}" for number in range(models)]
    entries = {
        "question_id": [f"q{number:05d}" for number in range(questions)],
        "model_a": names,
        "model_b": names,
        "winner": ["model_a", "tie", "model_b"],
    }
    columns = {name: (codes[name], listed) for name, listed in entries.items() if listed}
    (_write_parquet if file.suffix == ".parquet" else _write_battle_lines)(file, columns)
    return file.stat().st_size


def battle_codes(count: int, models: int, questions: int, seed: int = 1) -> dict[str, IntArray]:
    """Battles of any pairs as codes [count]; winner: 0 for model_a, 1 for a tie, 2 for model_b."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(0, 0.8, size=models)
    model_a = rng.integers(0, models, count, dtype=np.int16)
    model_b = (model_a + rng.integers(1, models, count, dtype=np.int16)) % models
    chance = 1 / (1 + np.exp(strength[model_b] - strength[model_a]))
    winner = np.where(rng.random(count) < 0.05, 1, np.where(rng.random(count) < chance, 0, 2)).astype(np.int8)
    question = rng.integers(0, questions, count, dtype=np.int16)
    return {"question_id": question, "model_a": model_a, "model_b": model_b, "winner": winner}


def _write_parquet(file: Path, columns: dict[str, tuple[IntArray, list[str]]]) -> None:
    import pyarrow
    from pyarrow import parquet

    arrays = {
        name: pyarrow.DictionaryArray.from_arrays(pyarrow.array(codes), pyarrow.array(names))
        for name, (codes, names) in columns.items()
    }
    parquet.write_table(pyarrow.table(arrays), file)


def _write_battle_lines(file: Path, columns: dict[str, tuple[IntArray, list[str]]]) -> None:
    keys = [f'"{name}":"' for name in columns]
    with open(file, "wb") as stream:
        for start in range(0, len(next(iter(columns.values()))[0]), 100_000):
            parts = [(codes[start : start + 100_000].tolist(), names) for codes, names in columns.values()]
            texts = [[names[code] for code in codes] for codes, names in parts]
            lines = ("{" + ",".join(f'{key}{text}"' for key, text in zip(keys, row)) + "}\n" for row in zip(*texts))
            stream.write("".join(lines).encode())


if __name__ == "__main__":
    main()
