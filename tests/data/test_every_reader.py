"""Every reader finds the same records, whatever other programs have left in and between the lines."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import warnings
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena_hard.browse.index import BenchIndex
from arena_hard.data import jsonl, record_lines, typed_jsonl
from arena_hard.data.baselines import JudgmentFolder, named_in
from arena_hard.data.bench_files import load_answers, load_questions
from arena_hard.data.lengths import answer_lengths
from arena_hard.data.line_notes import is_utf8
from arena_hard.data.nameless import origin_of
from arena_hard.data.odd_lines import Torn, pieces
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.verdicts import LABELS
from arena_hard.rating.game_codes import JudgmentHead
from arena_hard.rating.games import read_judgments
from arena_hard.rating.question_categories import question_categories
from arena_hard.rating.style_control import style_table
from tests.support.checked_readers import load_judgments

ODD_VALUES = [
    b'"plain"', b"NaN", b"[Infinity, -Infinity]", b"1e999", b"123456789012345678901234567890", b"null", b"[]",
    b'"\\ud83d"', b'"\\ude00\\ud83d and more text"', b'"\\ud83d\\ude00"', b'"\xff\xfe"', b'"caf\xe9 \xed\xa0\xbd"',
    b'"a \x01 b"', b'{"question_id": 1}', b'[{"uid": "x"}, {"question_id": "y"}]', b'"{\\"question_id\\": 7, {{["',
]  # fmt: skip
BETWEEN = [b"\n", b"\r\n", b"\r", b"", b"  ", b"\n\n", b"\n\0\0\n", b"\n\xef\xbb\xbf", b"\r\r"]
IDS = st.integers(0, 10**9).map(str) | st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
QUIET = settings(deadline=None, max_examples=150)


class File(NamedTuple):
    """The bytes of a generated file, and what stands in it: by id the label, number or text that was drawn."""

    data: bytes
    expected: dict[str, Any]


def line_of(row: dict[str, Any], odd: bytes, as_number: bool) -> bytes:
    """A row as JSON, with an odd value in a field that nobody needs, and its id as a number where it is one."""
    name = row["question_id"]
    if as_number and name.isdecimal() and str(int(name)) == name:
        row = {**dict(reversed(row.items())), "question_id": int(name)}
    return json.dumps(row).encode()[:-1] + b', "odd": ' + odd + b', "end": "a text that may be cut"}'


@st.composite
def files(draw: Any, kind: str, torn: bool = True) -> File:
    """A file of questions, answers or judgments with oddities between, in and, with `torn`, before the records."""
    names = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    data = draw(st.sampled_from([b"", jsonl.BOM]))
    expected: dict[str, Any] = {}
    for number, name in enumerate(names):
        row, expected[name] = ROWS[kind](name, draw(st.integers(0, 4)))
        line = line_of(row, draw(st.sampled_from(ODD_VALUES)), draw(st.booleans()))
        if torn and draw(st.integers(0, 5)) == 0:
            data += line[: draw(st.integers(len(line) - 20, len(line) - 3))]  # within the last text
        data += line + (draw(st.sampled_from(BETWEEN)) if number < len(names) - 1 else b"")
    end = draw(st.sampled_from([b"", b"\n", b"\r\n", b"\n\0\0"]))
    if torn and draw(st.booleans()):
        end += line_of(ROWS[kind]("torn", 0)[0], draw(st.sampled_from(ODD_VALUES)), False)
        end = end[: len(end) - draw(st.integers(1, 60))]
    return File(data + end, expected)


def judgment(name: str, number: int) -> tuple[dict[str, Any], Any]:
    games = [{"score": LABELS[number], "judgment": f"about {name}"}, {"score": LABELS[4 - number]}]
    return {"question_id": name, "model": "m", "judge": "j", "games": games}, LABELS[number]


def answer(name: str, number: int) -> tuple[dict[str, Any], Any]:
    turns = [{"content": "# a\n" * number}]
    row = {"question_id": name, "model_id": "m", "choices": [{"index": 0, "turns": turns}]}
    return {**row, "conv_metadata": {"token_len": 10 + number}}, number


def question(name: str, number: int) -> tuple[dict[str, Any], Any]:
    return {"question_id": name, "category": number, "turns": [{"content": f"ask {name}"}]}, str(number)


ROWS = {"judgment": judgment, "answer": answer, "question": question}


@contextmanager
def bench_of(file: str, data: bytes) -> Iterator[tuple[Bench, Path]]:
    """A bench with one file in it."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", jsonl.Remark)
        bench = Bench(Path(folder), "b")
        path = bench.folder / file
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        yield bench, path


def indexed(bench: Bench) -> BenchIndex:
    index = BenchIndex(bench)
    index.refresh()
    assert index.problems == []
    return index


@pytest.mark.slow
@QUIET
@given(files("judgment"), st.integers(1, 300))
def test_places_of_records_are_those_of_their_spans(made: File, block: int) -> None:
    with bench_of("m.jsonl", made.data) as (_, file), pytest.MonkeyPatch.context() as context:
        context.setattr(typed_jsonl, "BLOCK_BYTES", block)
        places, ids = array("q"), list[str]()
        for rows in typed_jsonl.Reader(JudgmentHead).blocks(file, [], places):
            ids += [row.question_id for row in rows]
        with open(file, "rb") as stream:
            spans = [each for each in jsonl.spans(stream, msgspec.json.Decoder(JudgmentHead).decode) if not each.error]
    assert ids == [each.value.question_id for each in spans]
    assert list(zip(places[::2], places[1::2])) == [(each.start, each.end - each.start) for each in spans]


@pytest.mark.parametrize(
    "block",
    [
        b'{"a":1}{"a":2}\n\n',
        b'{"a":1} {"a":2}\n\n',
        b'\n{"a":1} {"a":2}\n',
        b'{"a":1}\n{"a":2}',
    ],
)
def test_as_many_lines_as_records_need_not_be_theirs(tmp_path: Path, block: bytes) -> None:
    file, places = tmp_path / "m.jsonl", array("q")
    file.write_bytes(block)
    rows = [row for rows in typed_jsonl.Reader(dict[str, int]).blocks(file, [], places) for row in rows]
    found = [block[start : start + size] for start, size in zip(places[::2], places[1::2])]
    assert rows == [{"a": 1}, {"a": 2}][-len(found) :]
    assert [msgspec.json.decode(each) for each in found] == rows


@pytest.mark.slow
@QUIET
@given(files("judgment"))
def test_judgments(made: File) -> None:
    with bench_of("model_judgment/j/m.jsonl", made.data) as (bench, path):
        checked = load_judgments(path)
        assert {name: found.games[0].verdict for name, found in checked.items() if found.games[0]} == made.expected
        table = read_judgments(bench, ["j"]).table
        assert [table.questions[code] for code in table.question[::2]] == list(made.expected)
        assert [LABELS[code] for code in table.verdict[::2]] == list(made.expected.values())
        index = indexed(bench)
        assert {name: index.judgment("j", 0, code) for code, name in enumerate(index.question_ids)} == checked
        assert_nothing_is_lost(path, made, lambda: load_judgments(path) == checked)


@pytest.mark.slow
@QUIET
@given(files("answer"))
def test_answers(made: File) -> None:
    with bench_of("model_answer/m.jsonl", made.data) as (bench, path):
        checked = load_answers(path)
        assert {name: found.turns[0].content.count("#") for name, found in checked.items()} == made.expected
        tokens = [10 + number for number in made.expected.values()]
        assert [found.token_len for found in checked.values()] == tokens
        lengths = answer_lengths(bench, "m")
        assert (lengths.average, lengths.answers) == (np.mean(tokens), len(tokens))
        styles = style_table(bench, ["m"], list(made.expected))[0]
        assert styles[:, :2].tolist() == [[10 + number, number] for number in made.expected.values()]
        index = indexed(bench)
        assert index.answers["m"].facts[:, 0].tolist() == tokens
        assert {name: index.answer("m", code) for code, name in enumerate(index.question_ids)} == checked
        assert_nothing_is_lost(path, made, lambda: load_answers(path) == checked)


@pytest.mark.slow
@QUIET
@given(files("question", torn=False))
def test_questions(made: File) -> None:
    with bench_of("question.jsonl", made.data) as (bench, path):
        checked = load_questions(bench)
        assert {each.question_id: each.category for each in checked} == made.expected
        assert question_categories(path) == made.expected
        assert indexed(bench).questions == checked


def assert_nothing_is_lost(path: Path, made: File, is_same: Any) -> None:
    """Putting the end in repair and the records in order loses no byte of a record; what was torn is kept."""
    jsonl.repair(path)
    assert is_same()
    backwards = {name: place for place, name in enumerate(reversed(list(made.expected)))}
    record_lines.sort(path, backwards, path.with_suffix(".superseded"))
    assert is_same()
    ids = [str(row["question_id"]) for row in jsonl.read(path, dict)]
    assert ids == list(backwards)
    assert len(ids) == 1 or path.read_bytes().count(b"\n") == len(ids)
    kept = path.read_bytes() + (path.with_suffix(".torn").read_bytes() if path.with_suffix(".torn").exists() else b"")
    assert kept.count(b'"odd"') == made.data.count(b'"odd"')


@pytest.mark.parametrize(
    "line",
    [b'{"question_id": "a", b: 1}', b"[1]", b'{"question_id": "a"}]', b"{{}}", b'"x"', b'{"uid": "a",\n"model": "m"}'],
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b'\n{"question_id": "b", "model": "m", "games": []}\n'])
def test_what_is_no_record_is_an_error_for_every_reader_and_never_torn(line: bytes, end: bytes) -> None:
    first = b'{"question_id": "x", "model": "m", "judge": "j", "games": [{"score": "A>B"}]}\n'
    with bench_of("model_judgment/j/m.jsonl", first + line + end) as (bench, path):
        for read in (lambda: load_judgments(path), lambda: read_judgments(bench, ["j"])):
            with pytest.raises(UserError, match=r"m\.jsonl:2: "):
                read()
        index = BenchIndex(bench)
        index.refresh()
        assert index.problems[0].startswith(f"{path}:2: ")
        if not end:
            with pytest.raises(UserError, match=rf"m\.jsonl:{2 + line.count(10)}: "):
                jsonl.repair(path)
        assert path.read_bytes() == first + line + end
        assert not path.with_suffix(".torn").exists()


FINISHED = {"question_id": "b", "model": "m", "judge": "j", "games": [{"score": "B>A"}, {"score": "A>B"}]}


@pytest.mark.parametrize("end", ["", "\n", ",\n", '\n{"question_id": "c", "model": "m", "games": []}\n'])
def test_wherever_a_record_breaks_off_the_one_behind_it_is_read(end: str) -> None:
    games = [{"score": "A>B", "judgment": 'a "quoted" \\ text {'}, {"score": None, "usage": {"prompt_tokens": 12}}]
    first = json.dumps(
        {"question_id": "a", "model": "m", "odd": [{"uid": 1}, {}], "games": games, "x": True, "y": [{}]}
    )
    for cut in range(1, len(first)):
        line = (first[:cut] + json.dumps(FINISHED) + end).encode()
        found = list(pieces(line.splitlines(keepends=True)[0]))
        assert isinstance(found[0].error, Torn) and len(found) == 2, line
        assert json.loads(found[1].record) == FINISHED, line


def test_records_with_a_comma_behind_each_are_read_by_every_reader() -> None:
    lines = [json.dumps({**FINISHED, "question_id": name}) + "," for name in "abc"]
    with bench_of("model_judgment/j/m.jsonl", "\n".join(lines).encode()) as (bench, path):
        before = path.read_bytes()
        assert list(load_judgments(path)) == indexed(bench).question_ids == ["a", "b", "c"]
        assert read_judgments(bench, ["j"]).table.questions == ["a", "b", "c"]
        jsonl.repair(path)
        assert path.read_bytes() == before + b"\n"
        record_lines.sort(path, {"c": 0, "b": 1, "a": 2}, path.with_suffix(".superseded"))
        assert list(load_judgments(path)) == ["c", "b", "a"]


def test_lines_are_numbered_as_editors_number_them(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_bytes(b'{"a": 1}\r{"a": NaN}\r{"a": ]\r{"a": 1}\r')
    with pytest.raises(UserError, match=r"f\.jsonl:3: not a readable record"):
        list(jsonl.read(file, dict))


READ: dict[str, tuple[str, list[Callable[[Bench, Path], object]]]] = {
    "judgment": (
        "model_judgment/j/m.jsonl",
        [lambda _, file: load_judgments(file), lambda b, _: read_judgments(b, ["j"])],
    ),
    "answer": (
        "model_answer/m.jsonl",
        [
            lambda _, file: load_answers(file),
            lambda bench, _: answer_lengths(bench, "m"),
            lambda bench, _: style_table(bench, ["m"], ["1"]),
        ],
    ),
    "question": ("question.jsonl", [lambda bench, _: load_questions(bench), lambda _, file: question_categories(file)]),
}
WRONG = b', "text": "caf\xe9, x"}\n'
LINE_NOTES = [
    (lambda lines: lines[0] + lines[1][:-2] + WRONG, ":2: 1 line holds text that is not UTF-8"),
    (
        lambda lines: b"".join(line[:-2] + WRONG for line in lines),
        ":1: the first of 2 lines that hold text that is not",
    ),
    (lambda lines: lines[0] + lines[1] + b"\0" * 4096, ":3: 4,096 zero bytes, as a crash"),
    (lambda lines: lines[0] + b"\0\0" + lines[1], ":2: 2 zero bytes, as a crash"),
]


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize(("made", "words"), LINE_NOTES)
def test_what_is_odd_about_readable_lines_is_said_once_by_every_reader(
    kind: str, made: Callable[[list[bytes]], bytes], words: str
) -> None:
    place, readers = READ[kind]
    data = made([json.dumps(ROWS[kind](name, 3)[0]).encode() + b"\n" for name in ("1", "2")])
    with bench_of(place, data) as (bench, file):
        for read in readers:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                read(bench, file)
            said = [str(each.message) for each in caught]
            assert [note.startswith(f"{file}{words}") for note in said] == [True], said
        index = indexed(bench)
        notes = [note for note in index.notes if "question.jsonl is not there" not in note]
        assert [note.startswith(f"{file}{words}") for note in notes] == [True], notes


@pytest.mark.slow
@given(
    st.binary(max_size=40) | st.text(max_size=30).map(str.encode),
    st.sampled_from([b"", b"a" * 65535, "é".encode() * 32768]),
)
def test_text_is_checked_as_python_checks_it(data: bytes, before: bytes) -> None:
    try:
        (before + data).decode()
    except UnicodeDecodeError:
        assert not is_utf8(before + data)
    else:
        assert is_utf8(before + data)


WHOLES = {
    "one JSON array": lambda rows: json.dumps(rows),
    "is one JSON array": lambda rows: json.dumps(rows, indent=2) + "\n",
    "objects over several lines": lambda rows: "\n".join(json.dumps(row, indent=2) for row in rows),
    "UTF-16": lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode("utf-16"),
    "gzip": lambda rows: gzip.compress(json.dumps(rows).encode()),
}


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("words", WHOLES)
def test_what_is_no_jsonl_is_named_with_the_remedy_by_every_reader(kind: str, words: str) -> None:
    place, readers = READ[kind]
    made = WHOLES[words]([ROWS[kind](name, 3)[0] for name in ("1", "2")])
    with bench_of(place, made if isinstance(made, bytes) else made.encode()) as (bench, file):
        for read in readers:
            with pytest.raises(UserError, match=rf"{file.name} .*{words}.*, then run again\."):
                read(bench, file)
        index = BenchIndex(bench)
        index.refresh()
        (problem,) = index.problems
        assert words in problem
        before = file.read_bytes()
        if not before.endswith(b"\n"):
            with pytest.raises(UserError, match=words):
                jsonl.repair(file)
        assert file.read_bytes() == before


SAME_TURNS: list[Any] = [
    [{"turns": ["# a"]}],
    [{"turns": "# a"}],
    [{"turns": {"content": "# a"}}],
    {"turns": [{"content": "# a"}]},
    [{"turns": [{"answer": "# a"}]}],
    [{"turns": [{"text": "# a"}]}],
    [{"turns": [{"content": {"answer": "# a", "thought": "t"}}]}],
    [{"turns": [{"content": [{"type": "text", "text": "# "}, {"type": "text", "text": "a"}]}]}],
    [{"turns": [["# a"]]}],
    ["# a"],
    [{"message": {"role": "assistant", "content": "# a"}, "finish_reason": "stop"}],
    [{"content": "# a"}],
]


@pytest.mark.parametrize("choices", SAME_TURNS)
def test_a_turn_in_any_plain_form_is_the_same_text_for_every_reader(choices: Any) -> None:
    row = {"question_id": "1", "model_id": "m", "choices": choices, "conv_metadata": {"token_len": 7}}
    with bench_of("model_answer/m.jsonl", json.dumps(row).encode()) as (bench, path):
        (found,) = load_answers(path).values()
        assert ([turn.content for turn in found.turns], found.token_len) == (["# a"], 7)
        assert answer_lengths(bench, "m").average == 7
        assert style_table(bench, ["m"], ["1"])[0][0].tolist() == [7, 1, 0, 0]
        assert indexed(bench).answer("m", 0) == found


@pytest.mark.parametrize("turns", [["ask 1"], "ask 1", {"content": "ask 1"}, [{"text": "ask 1"}], [["ask 1"]]])
def test_a_question_in_any_plain_form_is_the_same_for_every_reader(turns: Any) -> None:
    with bench_of("question.jsonl", json.dumps({"question_id": "1", "turns": turns}).encode()) as (bench, _):
        (found,) = load_questions(bench)
        assert found.turns == ("ask 1",) and indexed(bench).questions == [found]


@pytest.mark.parametrize("turns", [[], [7], [None], [{}], [{"content": None}], [["a", {"type": "image"}]], [""], 7])
def test_what_holds_no_text_is_no_question(turns: Any) -> None:
    with bench_of("question.jsonl", json.dumps({"question_id": "1", "turns": turns}).encode()) as (bench, path):
        with pytest.raises(UserError, match=r"question\.jsonl:1: (a turn|turns)"):
            load_questions(bench)
        index = BenchIndex(bench)
        index.refresh()
        assert index.problems[0].startswith(f"{path}:1: ")


MESSAGES = {
    b'{"error":"Repository not found"}': r"is a server's message \(JSON\)",
    b'{ "detail" : "Not authenticated" }\n': r"is a server's message \(JSON\)",
    b'{\n  "message": "Not Found",\n  "status": "404"\n}\n': r"is a server's message \(JSON\)",
    b"<!DOCTYPE html>\n<html></html>\n": r"is a web page \(HTML\)",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "is a Git LFS pointer",
}


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("message", MESSAGES)
def test_a_servers_message_in_the_place_of_records_is_named_by_all_who_read_or_append(
    kind: str, message: bytes
) -> None:
    place, readers = READ[kind]
    refused = rf"{Path(place).name} {MESSAGES[message]}"
    with bench_of(place, message) as (bench, file):
        for read in (*readers, lambda _, file: jsonl.repair(file)):
            with pytest.raises(UserError, match=refused):
                read(bench, file)
        assert file.read_bytes() == message


@pytest.mark.parametrize("first", ["error", "message", "code"])
def test_a_record_whose_first_key_is_a_message_is_none(first: str) -> None:
    """Its broken line is named, as that of any other record."""
    record = json.dumps({first: None, **answer("1", 1)[0]}).encode()
    with bench_of("model_answer/m.jsonl", record + b"\n{]\n") as (_, file):
        with pytest.raises(UserError, match=r"m\.jsonl:2: not a readable record"):
            load_answers(file)
        file.write_bytes(record)
        assert list(load_answers(file)) == ["1"] and jsonl.repair(file) == 0


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("mark", ["<<<<<<< HEAD", "=======", ">>>>>>> theirs", "||||||| 1a2b3c"])
def test_a_mark_of_a_merge_conflict_is_named_by_every_reader(kind: str, mark: str) -> None:
    place, readers = READ[kind]
    lines = [json.dumps(ROWS[kind](name, 3)[0]) for name in ("1", "2")]
    with bench_of(place, "\r\n".join([lines[0], mark, lines[1], ""]).encode()) as (bench, file):
        words = re.escape(f"{file.name}:2: a mark of a merge conflict ({mark[:7]})")
        for read in readers:
            with pytest.raises(UserError, match=words):
                read(bench, file)
        index = BenchIndex(bench)
        index.refresh()
        assert re.search(words, index.problems[0])


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("odd", [["1"], {"$oid": "1"}, True])
def test_an_id_that_is_no_name_is_named_by_every_reader(kind: str, odd: Any) -> None:
    place, readers = READ[kind]
    rows = [ROWS[kind](name, 3)[0] for name in ("1", "2")]
    rows[1]["question_id"] = odd
    with bench_of(place, "".join(json.dumps(row) + "\n" for row in rows).encode()) as (bench, file):
        for read in readers:
            with pytest.raises(UserError, match=rf"{file.name}:2: .*question_id"):
                read(bench, file)


@pytest.mark.parametrize("key", ["question_id", "baseline"])
@pytest.mark.parametrize("odd", [["1"], {"$oid": "1"}])
def test_those_who_look_for_baselines_pass_over_records_that_cannot_be_read(key: str, odd: Any) -> None:
    good, bad = judgment("1", 1)[0], {**judgment("2", 1)[0], key: odd}
    data = "".join(json.dumps(row) + "\n" for row in (bad, good)).encode()
    with bench_of("model_judgment/j/m.jsonl", data) as (bench, file):
        assert list(named_in(file)) == [("1", "")]
        assert JudgmentFolder(bench, "j", {"1": "x"}).file_for("m", "base", "x", True) == file
        assert origin_of(bench, "j", "base", "x").baseline == ""


@pytest.mark.parametrize("count", ["743", "743.0", " 743 ", 743.0])
def test_a_count_of_tokens_may_be_a_text(count: Any) -> None:
    turns: list[dict[str, Any]] = [{"choices": [{"turns": [{"content": "a", "token_len": count}]}]}]
    for row in (*turns, {"choices": [{"turns": ["a"]}], "conv_metadata": {"token_len": count}}):
        data = json.dumps({"question_id": "1", "model_id": "m", **row}).encode()
        with bench_of("model_answer/m.jsonl", data) as (bench, file):
            assert load_answers(file)["1"].token_len == answer_lengths(bench, "m").average == 743
            assert style_table(bench, ["m"], ["1"])[0][0][0] == indexed(bench).answers["m"].facts[0, 0] == 743
