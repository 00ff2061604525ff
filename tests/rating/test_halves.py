"""Judgments read in two halves are those read in one, to the last code; what has to be said is said all the same."""

import contextlib
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Generator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.typed_jsonl import Reader
from arena_hard.rating import halves
from arena_hard.rating.game_records import GameReader
from arena_hard.rating.games import read_judgments
from tests.support.pipeline_bench import question_id, write_rows

ROOT = Path(__file__).resolve().parents[2]


def judgment(model: str, number: int, score: object = "A>B", **more: object) -> dict[str, object]:
    both = [{"score": score, "judgment": "", "user_prompt": ""}, {"score": "B>>A", "judgment": "", "user_prompt": ""}]
    return {"question_id": question_id(number), "model": model, "judge": "j", "games": both, **more}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Four files of two judges: other orders of questions, a foreign score, a record that is there twice."""
    bench = Bench(tmp_path, "b")
    for judge in ("j", "k"):
        folder = bench.judgment_folder(judge)
        folder.mkdir(parents=True)
        for model, step in (("m", 1), ("n", -1)):
            rows = [judgment(model, number) for number in range(6)[::step]]
            write_rows(folder / f"{model}.jsonl", [*rows, judgment(model, 3, "A=B", baseline="base", category="c")])
    write_rows(bench.judgment_folder("k") / "o.jsonl", [judgment("o", 9, "12"), judgment("o", 1, None)])
    return bench


def in_two(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every reading in two halves, the second as another process would hand it on; gives what it handed on."""
    handed: list[object] = []

    @contextlib.contextmanager
    def beside(work: Callable[[], object], is_large: bool, copy: None) -> Generator[Callable[[], object]]:
        handed.extend([pickle.loads(pickle.dumps(work()))] * is_large)
        yield lambda: handed[-1] if is_large else None

    monkeypatch.setattr(halves, "_LARGE", 0)
    monkeypatch.setattr(halves, "beside", beside)
    return handed


def test_two_halves_are_the_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_judgments(bench, ["j", "k"])
    handed = in_two(monkeypatch)
    both = read_judgments(bench, ["j", "k"])
    assert len(handed) == 1
    for field in fields(whole.table):
        one, other = getattr(whole.table, field.name), getattr(both.table, field.name)
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other, field.name
    assert (whole.inputs, whole.duplicates, whole.overruled) == (both.inputs, both.duplicates, both.overruled)
    assert whole.foreign == both.foreign and whole.foreign is not None and whole.without_game == both.without_game


def test_files_are_divided_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in "abcd"]
    for file, size in zip(files, (10, 50, 30, 10)):
        file.write_bytes(b"x" * size)
    handed = in_two(monkeypatch)
    monkeypatch.setattr(halves, "_LARGE", 101)  # too small to be divided
    assert halves.read_all(files, lambda file: file.name) == list("abcd") and handed == []
    monkeypatch.setattr(halves, "_LARGE", 100)
    assert halves.read_all(files, lambda file: file.name) == list("abcd") and handed == [["c", "d"]]
    assert halves.read_all(files[:1], str) == [str(files[0])] and halves.read_all([], str) == [] and len(handed) == 1
    assert halves.read_all(files, str, may_divide=False) == list(map(str, files)) and len(handed) == 1


IN_TWO_PROCESSES = """
import os, sys, warnings
from pathlib import Path
from typing import Any
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.typed_jsonl import Reader
from arena_hard.rating import halves
from arena_hard.rating.game_records import GameReader
from arena_hard.rating.games import read_judgments

copies, fork = [], os.fork
os.fork = lambda: copies.append(1) or fork()
os.sched_getaffinity = lambda _: {0, 1}
halves._LARGE = 0
warnings.showwarning = lambda message, *_: print(message)
try:
    print(len(read_judgments(Bench(Path(sys.argv[1]), "b"), ["j", "k"]).table))
except UserError as error:
    print(error)
print(len(copies), "copy")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="copies of a process are made on Linux only")
@pytest.mark.parametrize(
    ("end", "torn"),
    [("", 0), ('{"question_id": "x"', 1), ('{"question_id": "x", oops}\n', 0)],
    ids=["whole", "torn", "broken"],
)
def test_what_is_odd_in_the_second_half_is_said(bench: Bench, end: str, torn: int) -> None:
    with open(bench.judgment_folder("k") / "o.jsonl", "a", encoding="utf-8") as stream:
        stream.write(end)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = str(len(read_judgments(bench, ["j", "k"]).table))
        except UserError as error:
            expected = str(error)
    command = [sys.executable, "-c", IN_TWO_PROCESSES, str(bench.data_dir)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *said, found, copies = done.stdout.splitlines()
    assert (found, copies) == (expected, "1 copy")
    assert [("incomplete" in each) for each in said] == [True] * torn


@pytest.mark.parametrize(("left", "words"), [(True, "was changed while it was read. Run again."), (False, "not there")])
@pytest.mark.parametrize("with_probabilities", [False, True])
def test_a_file_that_is_changed_before_its_odd_score_is_looked_for_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, with_probabilities: bool, left: bool, words: str
) -> None:
    file, read = bench.judgment_folder("j") / "m.jsonl", GameReader.read
    odd = {"label_probabilities": {"A>B": 7}, "score": "A>B"} if with_probabilities else {"score": "odd"}
    write_rows(file, [judgment("m", 1) | {"games": [odd, odd]}])

    def then_replaced(reader: GameReader, each: Path) -> object:
        found = read(reader, each)
        write_rows(file, [judgment("m", 1)]) if left else file.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(GameReader, "read", then_replaced)
    with pytest.raises(UserError, match=re.escape(words)):
        read_judgments(bench, ["j"], with_probabilities=with_probabilities)


@pytest.mark.parametrize("broken", ['{"games": []}\n', "no record\n"])
def test_a_broken_line_that_has_gone_is_not_named_by_another_number(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    file, decode = bench.judgment_folder("j") / "m.jsonl", Reader[Any]._decode
    file.write_text(broken)

    def then_mended(reader: Reader[Any], *rest: Any) -> object:
        write_rows(file, [judgment("m", 1)])
        return decode(reader, *rest)

    monkeypatch.setattr(Reader, "_decode", then_mended)
    with pytest.raises(UserError, match=r"m\.jsonl was changed while it was read"):
        read_judgments(bench, ["j"])
