"""The index of a bench: offsets, verdicts, and what changes under it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arena_hard.browse import tables
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.record_file import NO_GAME, UNREADABLE
from arena_hard.data.lengths import answer_lengths
from arena_hard.data.paths import Bench
from arena_hard.data.verdicts import LABELS
from arena_hard.rating.games import read_judgments
from tests.support.browse_bench import answer_row, judgment_row, write_bench
from tests.support.pipeline_bench import write_rows


def test_records_are_read_from_their_offsets(index: BenchIndex) -> None:
    for model in ("base", "alpha"):
        for code, question in enumerate(index.question_ids):
            answer = index.answer(model, code)
            assert answer is not None
            assert answer.turns[0].content == f"{model} says turn 1 of {question}"
    judgment = index.judgment("judy", index.models.index("beta"), index.question_ids.index("q-plan"))
    assert judgment is not None
    assert [game.verdict for game in judgment.games if game] == ["A>B", "A>>B"]


def test_verdicts_are_kept_as_codes(index: BenchIndex) -> None:
    table = index.judged["judy"]
    alpha, plan, time = index.models.index("alpha"), 3, 4
    assert LABELS[table.first[alpha, plan]] == "B>>A"
    assert table.second[alpha, plan] == UNREADABLE
    assert table.first[alpha, time] == NO_GAME
    assert index.models_of("judy") == [index.models.index("alpha"), index.models.index("beta")]


def test_a_judgment_that_is_appended_appears(index: BenchIndex) -> None:
    file = index.bench.judgment_file("judy", "alpha")
    with open(file, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(judgment_row("alpha", "q-time", ("B>A", "A>B"))) + "\n")
    assert index.refresh()
    assert index.judgment("judy", index.models.index("alpha"), 4) is not None
    assert not index.refresh()


def test_a_torn_last_line_is_passed_over_without_a_word(index: BenchIndex) -> None:
    with open(index.bench.judgment_file("judy", "alpha"), "a", encoding="utf-8") as stream:
        stream.write('{"question_id": "q-time", "mod')
    assert index.refresh()
    assert index.problems == []
    assert index.judgment("judy", index.models.index("alpha"), 4) is None
    assert index.judgment("judy", index.models.index("alpha"), 0) is not None


def test_a_broken_line_in_the_middle_is_named_and_the_rest_is_read(index: BenchIndex) -> None:
    file = index.bench.judgment_file("judy", "beta")
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([lines[0], "{broken\n", *lines[1:]]), encoding="utf-8")
    index.refresh()
    assert [problem.split(": ")[0] for problem in index.problems] == [f"{file}:2"]
    assert index.judgment("judy", index.models.index("beta"), 3) is not None


def test_a_deleted_file_leaves_the_index(index: BenchIndex) -> None:
    index.bench.judgment_file("judy", "beta").unlink()
    index.bench.answer_file("beta").unlink()
    index.refresh()
    assert "beta" not in index.models
    assert index.judgment("judy", index.models.index("alpha"), 0) is not None


def test_names_with_a_slash_come_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    write_rows(bench.answer_file("maker/model"), [answer_row("maker/model", "q-sum", ["four"])])
    write_rows(bench.judgment_file("a/judge", "maker/model"), [judgment_row("maker/model", "q-sum", ("A>B", "B>A"))])
    index = BenchIndex(bench)
    index.refresh()
    assert "maker/model" in index.models
    assert index.judges == ["a/judge", "judy"]
    assert index.judgment("a/judge", index.models.index("maker/model"), 0) is not None


def test_version_2_records_are_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "new")
    write_rows(bench.question_file, [{"uid": "u1", "category": "hard_prompt", "subcategory": "x", "prompt": "Why?"}])
    messages = [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": {"answer": "So.", "thought": "Hm"}},
    ]
    answer = {"uid": "u1", "ans_id": "1", "model": "m", "messages": messages, "tstamp": 1, "metadata": {"token_len": 2}}
    write_rows(bench.answer_file("m"), [answer])
    game = {"score": "A<<B", "judgment": {"answer": "so"}, "prompt": [{"role": "user", "content": "p"}]}
    write_rows(
        bench.judgment_file("j", "m"),
        [{"uid": "u1", "category": "hard_prompt", "judge": "j", "model": "m", "baseline": "b", "games": [game, None]}],
    )
    index = BenchIndex(bench)
    index.refresh()
    table = index.judged["j"]
    assert LABELS[table.first[0, 0]] == "B>>A"
    assert table.second[0, 0] == UNREADABLE
    assert index.baselines[table.baseline[0, 0]] == "b"
    found = index.answer("m", 0)
    assert found is not None and found.turns[0].thought == "Hm"


@pytest.mark.parametrize("file", ["llama3:8b é.jsonl", "llama3%3a8b%20%C3%A9.jsonl", "llama3%3A8b %C3%A9.jsonl"])
def test_a_file_in_another_spelling_of_its_name_is_found_by_terminal_and_browser(tmp_path: Path, file: str) -> None:
    bench, name = Bench(write_bench(tmp_path / "small").parent, "small"), "llama3:8b é"
    (bench.answer_folder / "alpha.jsonl").rename(bench.answer_folder / file)
    index = BenchIndex(bench)
    index.refresh()
    assert answer_lengths(bench, name).average == tables.tokens_of(index, name) == 60 / 5
    assert bench.answer_file(name).name == file


def test_of_two_spellings_the_program_s_own_counts(tmp_path: Path) -> None:
    bench = Bench(write_bench(tmp_path / "small").parent, "small")
    for name, source in (("a:b.jsonl", "alpha"), ("a%3Ab.jsonl", "beta"), ("a%3ab.jsonl", "base")):
        (bench.answer_folder / f"{source}.jsonl").rename(bench.answer_folder / name)
    index = BenchIndex(bench)
    index.refresh()
    assert index.answers["a:b"].path == bench.answer_file("a:b") == bench.answer_folder / "a%3Ab.jsonl"


def test_a_judge_s_folder_in_another_spelling_is_found(tmp_path: Path) -> None:
    bench = Bench(write_bench(tmp_path / "small").parent, "small")
    judgments = bench.folder / "model_judgment"
    (judgments / "judy").rename(judgments / "judy:7b")
    assert bench.judges() == ["judy:7b"] and bench.judgment_folder("judy:7b") == judgments / "judy:7b"
    assert bench.judgment_file("judy:7b", "new/one") == judgments / "judy:7b" / "new%2Fone.jsonl"
    assert len(read_judgments(bench, ["judy:7b"]).table) == 16
