"""Record files: what is torn, doubled, foreign or reordered; names that become files; one writer at a time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena_hard.browse.index import BenchIndex
from arena_hard.data import jsonl, record_lines, typed_jsonl
from arena_hard.data.bench_files import load_answers
from arena_hard.data.foreign_files import foreign_kind
from arena_hard.data.lengths import served_length
from arena_hard.data.paths import Bench, file_name, name_of, short_file_name
from arena_hard.data.records import (
    Answer,
    AnswerTurn,
    Game,
    Judgment,
    UserError,
    answer_from_row,
    answer_row,
    judgment_from_row,
    judgment_row,
    question_from_row,
)
from arena_hard.data.typed_jsonl import Reader
from arena_hard.data.usage import Usage, usage_from_row
from arena_hard.data.writer import LOTS_APART, RecordWriter
from tests.support.pipeline_bench import answer, question, write_rows

ROWS = st.lists(st.dictionaries(st.text(), st.text() | st.integers(-(2**60), 2**60) | st.none()), max_size=6)


class _Row(msgspec.Struct):
    a: int


def read_rows(file: Path) -> list[dict[str, Any]]:
    return list(jsonl.read(file, dict))


@pytest.mark.slow
@settings(deadline=None)
@given(ROWS, st.dictionaries(st.text(min_size=1), st.text(), min_size=1), st.data())
def test_a_torn_end_is_cut_off_and_nothing_else(rows: list[dict[str, Any]], last: dict[str, str], data: Any) -> None:
    rows = [{"question_id": "q", **row} for row in rows]  # without it the first may be a server's message
    last = {"question_id": "q", **last}
    whole = b"".join(jsonl.encode(row) for row in rows)
    line = jsonl.encode(last)
    torn = line[: data.draw(st.integers(1, len(line) - 2))]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "f.jsonl"
        file.write_bytes(whole + torn)
        assert read_rows(file) == rows
        assert jsonl.repair(file) == len(torn)
        assert file.read_bytes() == whole
        assert (Path(folder) / "f.torn").read_bytes() == torn + b"\n"
        assert jsonl.repair(file) == 0


def test_a_row_that_begins_as_a_servers_message_is_one_where_others_follow(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b'{"ERROR":null}\n{"a":1}\n{"to')
    assert read_rows(file) == [{"ERROR": None}, {"a": 1}]
    assert jsonl.repair(file) == len(b'{"to')
    file.write_bytes(b'{"error":{"code":404}}')
    assert "server's message" in (foreign_kind(file) or "")


@pytest.mark.slow
@given(ROWS)
def test_a_whole_last_line_without_its_newline_is_kept(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "f.jsonl"
        file.write_bytes(b"".join(jsonl.encode(row) for row in rows).removesuffix(b"\n"))
        assert read_rows(file) == rows
        assert jsonl.repair(file) == 0
        assert read_rows(file) == rows


@pytest.mark.parametrize("text", [b"hello world, my precious notes", b"[1]", b'"x"', b"7"])
def test_a_last_line_that_is_no_record_is_never_cut_off(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b'{"a": 1}\n\n' + text)
    for use in (jsonl.repair, read_rows, lambda each: list(Reader(_Row).blocks(each))):
        with pytest.raises(UserError, match=r"f\.jsonl:3: .*delete it"):
            use(file)
    assert file.read_bytes().endswith(text)


def test_a_torn_last_line_is_passed_over_with_one_warning_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b'{"a": 1}\n{"a": ')
    with pytest.warns(jsonl.TornLine, match=r"f\.jsonl: the last line is incomplete"):
        assert read_rows(file) == [{"a": 1}]
    with pytest.warns(jsonl.TornLine, match=r"f\.jsonl"):
        assert [row.a for rows in Reader(_Row).blocks(file) for row in rows] == [1]
    with pytest.raises(UserError, match=r"f\.jsonl:2: the file ends within this line"):
        list(jsonl.read(file, dict, complete=True))


def test_a_byte_order_mark_belongs_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(jsonl.BOM + b'{"uid": "1", "a": 1}\n{"uid": "0", "a": 0}')
    assert [row["a"] for row in read_rows(file)] == [1, 0]
    assert [row.a for rows in Reader(_Row).blocks(file) for row in rows] == [1, 0]
    record_lines.sort(file, {"0": 0, "1": 1}, tmp_path / "f.superseded")
    assert [row["a"] for row in read_rows(file)] == [0, 1]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        list(jsonl.read(tmp_path, dict))


@pytest.mark.parametrize(
    "row",
    [
        {"choices": [7]},
        {"choices": [{"turns": [None]}]},
        {"messages": ["x"]},
        {"choices": [{"turns": [{"content": "x"}]}], "settings_hash": ["x"]},
    ],
)
def test_a_value_of_another_kind_is_named_in_words(tmp_path: Path, row: dict[str, Any]) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(jsonl.encode({"question_id": "q", "model": "m"} | row))
    with pytest.raises(UserError, match=r"f\.jsonl:1: ") as raised:
        list(jsonl.read(file, answer_from_row))
    assert not any(word in str(raised.value) for word in ("attribute", "subscriptable", "unhashable"))


@pytest.mark.parametrize("row", [{"category": [5]}, {"cluster": {"a": 1}}, {"turns": []}, {"turns": 7}])
def test_a_question_of_wrong_kinds(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(row))):
        question_from_row(question(1) | row)


def test_a_record_nested_too_deep_is_a_broken_line(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    for use in (read_rows, lambda each: list(Reader(_Row).blocks(each))):
        with pytest.raises(UserError, match=r"f\.jsonl:1: not a readable record"):
            use(file)


@pytest.mark.parametrize("bad", [b"{\n", b"[1]\n", b'"x"\n', b"\xff\xfe\n", b"<html>\n", b'{"a": 1}}\n'])
def test_a_foreign_line_is_named(tmp_path: Path, bad: bytes) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b'{"a": 1}\n\n' + bad + b'{"a": 2}\n')
    with pytest.raises(UserError, match=r"f\.jsonl:3: "):
        read_rows(file)


def test_lone_surrogates_can_be_written() -> None:
    assert json.loads(jsonl.encode({"a": "x\ud800y"})) == {"a": "x?y"}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_maps_back_and_stays_in_its_folder(name: str) -> None:
    try:
        made = file_name(name)
    except UserError:
        assert name.startswith(".") or {"", ".", ".."} & set(name.split("/"))
        return
    assert "/" not in made
    assert not made.startswith(".")
    assert name_of(Path(f"{made}.jsonl")) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../b", ".hidden", "a\\b"])
def test_a_bench_is_a_plain_folder(name: str) -> None:
    with pytest.raises(UserError):
        Bench(Path("data"), name)


def test_both_formats_of_questions_answers_and_judgments() -> None:
    old = question_from_row(question(1, "a", "b"))
    assert old.turns == ("a", "b")
    new = question_from_row({"uid": "u", "category": "hard_prompt", "subcategory": "s", "prompt": "p"})
    assert (new.question_id, new.turns, new.cluster) == ("u", ("p",), "s")
    messages = [{"role": "user", "content": "p"}, {"role": "assistant", "content": {"answer": "x", "thought": "t"}}]
    row = {"uid": "u", "ans_id": "i", "model": "m", "messages": messages, "metadata": {"token_len": 7}}
    said = answer_from_row(row).turns[0]
    assert (said.content, said.token_len, said.thought) == ("x", 7, "t")
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}]
    games = [{"score": "A<B", "judgment": {"answer": "j"}, "prompt": prompt}, None]
    judged = judgment_from_row({"uid": "u", "model": "m", "judge": "g", "baseline": "b", "games": games})
    assert judged.games[1] is None
    assert judged.games[0] is not None
    assert (judged.games[0].verdict, judged.games[0].judgment, judged.games[0].user_prompt) == ("A<B", "j", "p")
    assert judgment_from_row(judgment_row(judged)) == judged


def test_an_answer_written_and_read_is_the_same() -> None:
    first = answer_from_row(answer(1, "m", "x", "y"))
    assert answer_from_row(answer_row(first)) == first


def filled(kind: type[Any], **known: Any) -> Any:
    """A record with a value in every field, made from its type."""
    return kind(**{name: known.get(name, f"a {name}") for name in kind.__struct_fields__})


def test_every_field_of_a_record_is_written_and_read() -> None:
    usage = Usage(3, 5)
    odds = {"A>>B": 0.5, "A>B": 0.25, "A=B": 0.125, "B>A": 0.125, "B>>A": 0.0}
    played = partial(
        filled,
        Game,
        usage=usage,
        label_probabilities=odds,
        label_probabilities_unknown=0.25,
        truncated={"kept": 0.5, "left_out": 7},
    )
    turns = (filled(AnswerTurn, token_len=7), filled(AnswerTurn, token_len=8))
    said = filled(Answer, choices=(turns, turns), tstamp=1.5, usage=usage, total_tokens=None)  # never written
    games = (played(verdict="A>B"), played(verdict="A=B"))
    judged = filled(Judgment, games=games)
    assert answer_from_row(json.loads(jsonl.encode(answer_row(said)))) == said
    assert judgment_from_row(json.loads(jsonl.encode(judgment_row(judged)))) == judged


def test_everything_awaited_is_on_disk(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "f.jsonl", tmp_path / "g.jsonl"]

    async def write_all(writer: RecordWriter) -> None:
        await asyncio.gather(*(writer.write(files[n % 2], lambda n=n: {"n": n}) for n in range(200)))

    with RecordWriter() as writer:
        for file in files:
            writer.open(file)
        asyncio.run(write_all(writer))
        found = [row["n"] for file in files for row in read_rows(file)]
    assert sorted(found) == list(range(200))


def test_records_that_come_fast_share_their_way_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), fsync(number))[1])
    file = tmp_path / "f.jsonl"

    async def write_all(writer: RecordWriter) -> float:
        begin, written = time.monotonic(), []
        for number in range(100):
            written.append(asyncio.ensure_future(writer.write(file, lambda n=number: {"n": n})))
            await asyncio.sleep(0.001)
        await asyncio.gather(*written)
        return time.monotonic() - begin

    with RecordWriter() as writer:
        writer.open(file)
        seconds = asyncio.run(write_all(writer))
        assert [row["n"] for row in read_rows(file)] == list(range(100))
    assert len(synced) <= seconds / LOTS_APART + 1


def test_a_writer_that_is_closed_writes_what_waits_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena_hard.data.writer.LOTS_APART", 60.0)
    file = tmp_path / "f.jsonl"

    async def begin(writer: RecordWriter) -> None:
        await writer.write(file, lambda: {"n": 1})
        writer.writing(file, lambda: {"n": 2})

    with RecordWriter() as writer:
        writer.open(file)
        asyncio.run(begin(writer))
    assert read_rows(file) == [{"n": 1}, {"n": 2}]


def test_a_second_writer_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    with RecordWriter() as first, RecordWriter() as second:
        first.open(file)
        with pytest.raises(UserError, match="another run"):
            second.open(file)
    with RecordWriter() as third:
        assert third.open(file) == 0


def test_a_file_that_is_opened_twice_in_one_run_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    with RecordWriter() as writer:
        assert [writer.open(file), writer.open(tmp_path / "." / "f.jsonl")] == [0, 0]
        asyncio.run(writer.write(file, lambda: {"n": 1}))
    assert read_rows(file) == [{"n": 1}]


@pytest.mark.slow
def test_a_full_disk_says_so_and_leaves_whole_lines(tmp_path: Path) -> None:
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True
        ).returncode
    ):
        pytest.skip("mounting a small tmpfs needs root")
    try:
        file = tmp_path / "f.jsonl"

        async def fill(writer: RecordWriter) -> None:
            for number in range(100):
                await writer.write(file, lambda n=number: {"n": n, "text": "x" * 3000})

        with RecordWriter() as writer:
            writer.open(file)
            with pytest.raises(UserError, match="Free some space"):
                asyncio.run(fill(writer))
        assert [row["n"] for row in read_rows(file)] == list(range(len(read_rows(file))))
        assert len(read_rows(file)) > 5
        assert file.read_bytes().endswith(b"\n")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), "many", None, [1]])
def test_a_count_that_is_no_number_costs_the_usage_alone(odd: Any) -> None:
    assert usage_from_row({"prompt_tokens": odd, "completion_tokens": 3}) is None
    assert usage_from_row({"prompt_tokens": 2.0, "completion_tokens": 3}) == Usage(2, 3)


@pytest.mark.parametrize(("thought", "length"), [(0, 20), (15, 5), (20, 0), (21, 20)])
def test_the_length_of_an_answer_has_no_thought_in_it(thought: int, length: int) -> None:
    assert served_length(Usage(10, 20, reasoning_tokens=thought)) == length


def test_an_argument_in_a_locale_without_its_letters_is_the_same_file() -> None:
    argument = "bäse é".encode().decode("ascii", "surrogateescape")
    assert file_name(argument) == file_name("bäse é") == "b%C3%A4se %C3%A9"
    assert short_file_name([argument, "x" * 200]) == short_file_name(["bäse é", "x" * 200])


@pytest.mark.parametrize(
    "nothing",
    [
        {"choices": []},
        {"choices": None},
        {"choices": [{"index": 0, "turns": []}]},
        {"choices": [{"index": 0, "turns": [{"content": None, "token_len": 0}]}]},
        {"choices": [{"turns": [None]}]},
        {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": None}]},
        {"messages": [{"role": "assistant", "content": {"answer": None}}]},
    ],
)
def test_null_in_the_place_of_an_answer_is_no_answer(tmp_path: Path, nothing: dict[str, Any]) -> None:
    """The others count, and so does one that was there before it."""
    bench = Bench(tmp_path, "b")
    empty = [{"question_id": answer(n, "m")["question_id"], "model_id": "m", **nothing} for n in (1, 2)]
    write_rows(bench.answer_file("m"), [answer(1, "m", "first"), *empty, answer(3, "m", "third")])
    with pytest.warns(jsonl.Remark, match="2 records without an answer"):
        found = load_answers(bench.answer_file("m"))
    assert [each.turns[0].content for each in found.values()] == ["first", "third"]
    index = BenchIndex(bench)
    write_rows(bench.question_file, [question(n) for n in (1, 2, 3)])
    index.refresh()
    texts = [each and each.turns[0].content for each in (index.answer("m", n) for n in range(3))]
    assert texts == ["first", None, "third"]


def test_a_folder_that_is_gone_is_no_full_disk(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a.jsonl cannot be written: .* Bring back its folder"):
        jsonl.replace(tmp_path / "gone" / "a.jsonl", [b"{}\n"])


@pytest.mark.parametrize("is_core_left", [False, True])
def test_the_fingerprint_of_a_file_is_that_of_all_its_bytes(
    tmp_path: Path, is_core_left: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_jsonl, "is_core_left", lambda: is_core_left)
    monkeypatch.setattr(typed_jsonl, "BLOCK_BYTES", 64)
    (file := tmp_path / "rows.jsonl").write_bytes(b"".join(b'{"a": %d}\n' % number for number in range(99)))
    reader = Reader(_Row, fingerprints=True)
    assert sum(map(len, reader.blocks(file))) == 99
    assert reader.fingerprint() == hashlib.sha256(file.read_bytes()).hexdigest()
