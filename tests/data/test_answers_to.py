"""Answers to a few questions are those that the whole file holds, however its lines are written."""

import json
from pathlib import Path

import pytest

from arena_hard.data import bench_files, typed_jsonl
from arena_hard.data.answers_to import answers_to


def record(key: object, text: object = "an answer", **more: object) -> str:
    turns = [{"content": text, "token_len": 3}]
    return json.dumps({"question_id": key, "model_id": "m", "choices": [{"index": 0, "turns": turns}], **more})


FILES = {
    "one of several": "\n".join(record(key) for key in ("a", "b", "c")) + "\n",
    "the last counts": "\n".join([record("a", "old"), record("b"), record("a", "new")]) + "\n",
    "a failed call after an answer": "\n".join([record("a"), record("a", "$ERROR$")]),
    "an id inside others' texts": "\n".join([record("b", "a a a"), record("aa"), record("a")]),
    "an id that is a number": "\n".join([record(1), record(12), record("a")]),
    "several on a line": record("b") + record("a") + "\n" + record("c"),
    "CR line ends": "\r".join([record("a"), record("b")]),
    "a torn end": record("a") + "\n" + record("b")[:30],
    "a torn end of its own": record("b") + "\n" + record("a")[:50],
    "a byte-order mark": "\ufeff" + record("a") + "\n",
    "null": "\n".join([record("b"), record("a", None)]),
    "nothing": "",
}


@pytest.mark.parametrize("wanted", [{"a"}, {"a", "1"}, {"1", "b"}, {"ä"}], ids=lambda each: "+".join(sorted(each)))
@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_they_are_those_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wanted: set[str]
) -> None:
    monkeypatch.setattr(typed_jsonl, "BLOCK_BYTES", 100)  # so that most lines lie in several blocks
    file = tmp_path / "m.jsonl"
    file.write_bytes(FILES[name].encode())
    every = bench_files.load_answers(file)
    assert answers_to(file, wanted) == {key: answer for key, answer in every.items() if key in wanted}


def test_ids_that_json_may_write_in_other_ways(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text(record("ä") + "\n" + record("a/b").replace("/", "\\/"), encoding="utf-8")
    assert answers_to(file, {"ä", "a/b"}).keys() == {"ä", "a/b"}
    assert answers_to(tmp_path / "none.jsonl", {"a"}) == {}


def test_a_broken_record_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text(record("a") + "\n" + '{"question_id": "a", "choices": 5}\n{"question_id": "a" oops}\n')
    assert answers_to(file, {"a"})["a"].turns[0].content == "an answer"
