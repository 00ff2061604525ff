"""What is known of a record file by its index: only while the file is the same, and whatever becomes of the index."""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.data import jsonl, known_records, open_files, readers, record_index, single_answers
from arena_hard.data.bench_files import load_answers, load_questions
from arena_hard.data.columns import Column, Places, different
from arena_hard.data.known_records import Answers, known_judgments
from arena_hard.data.paths import Bench
from arena_hard.data.record_index import Records, known, records_of
from arena_hard.data.records import UserError, judgment_from_row
from tests.support.pipeline_bench import answer, question, question_id, write_rows

AGO = 1_700_000_000_000_000_000  # nanoseconds


@pytest.fixture(autouse=True)
def _every_file_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of tests are small and new."""
    monkeypatch.setattr(record_index, "SMALL", 0)
    monkeypatch.setattr(record_index, "FRESH_SECONDS", -1.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three lines; a record is the first letter of one."""
    file = tmp_path / "m.jsonl"
    write(file, "apple\nbean\ncorn\n")
    return file


_times = iter(range(1, 1 << 30))


def write(file: Path, text: str, mode: str = "w") -> None:
    """Write a file with a time of its own, for the clock of a file system may stand still between two tests."""
    with open(file, mode) as stream:
        stream.write(text)
    os.utime(file, ns=(AGO, AGO + next(_times) * 1000))


def keys(file: Path, reads: list[str]) -> list[str]:
    """The ids of what is known of a file; reads: gets what had to be read."""

    def read(said: list[jsonl.Remark]) -> Iterator[tuple[str, str, tuple[bytes, ...]]]:
        for line in file.read_text().splitlines():
            reads.append(line)
            if line == "odd":
                said.append(jsonl.Remark("odd"))
            yield line[0], "a kind", (line.encode().ljust(16),)

    records, _ = known(file.with_suffix(".index"), file, str, read)
    assert [mark.strip().decode() for _, mark in records.marked()] == file.read_text().splitlines()
    return records.places.ids


def test_a_file_that_is_the_same_is_not_read_again(file: Path) -> None:
    reads: list[str] = []
    assert keys(file, reads) == keys(file, reads) == ["a", "b", "c"]
    assert reads == ["apple", "bean", "corn"]


def replaced(file: Path) -> None:
    other = file.with_suffix(".new")
    write(other, "apple\nbean\nkiwi\n")
    status = file.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)


def edited_in_place(file: Path) -> None:
    """As long as before, and with the time of before: only when it was changed tells."""
    status = file.stat()
    while file.stat().st_ctime_ns == status.st_ctime_ns:
        file.write_text("apple\nbean\nkiwi\n")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], None]] = {
    "appended": lambda file: write(file, "dill\n", "a"),
    "truncated": lambda file: os.truncate(file, 6),
    "edited": lambda file: write(file, "apple\nbean\nkiwi\n"),
    "edited in place": edited_in_place,
    "replaced": replaced,
    "emptied": lambda file: write(file, ""),
}


def test_an_index_counts_for_the_code_that_made_it_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    code = [file.with_name(f"{name}.py") for name in ("one", "other")]
    write(code[0], "yes = 'A>B'")
    monkeypatch.setattr(readers, "files_of", lambda _: [each for each in code if each.exists()])

    def read_by_this_code() -> int:
        readers.code_of.cache_clear()
        reads.clear()
        assert keys(file, reads) == ["a", "b", "c"]
        return len(reads)

    try:
        assert [read_by_this_code(), read_by_this_code()] == [3, 0]
        write(code[0], "yes = 'A>B'")  # as a checkout does
        assert read_by_this_code() == 0
        write(code[0], "yes = 'B>A'")
        assert [read_by_this_code(), read_by_this_code()] == [3, 0]
        write(code[1], "")
        assert read_by_this_code() == 3
    finally:
        readers.code_of.cache_clear()


def test_all_code_that_reads_for_an_index_is_among_its_readers() -> None:
    """Whoever makes an index, and all that they import; what fills prompts is bound to its own code (unchanged.py)."""
    room = Path(record_index.__file__).parents[1]
    wanted = [file for file in room.rglob("*.py") if "index_file(" in file.read_text() and "judging" not in file.parts]
    found: set[Path] = set()
    while wanted:
        file = wanted.pop()
        named = re.findall(r"^ *from (arena_hard[.\w]*) import (.*)$", file.read_text(), re.MULTILINE)
        modules = [module for module, _ in named] + [
            f"{m}.{each.strip()}" for m, names in named for each in names.split(",")
        ]
        places = {room.parent / f"{module.replace('.', '/')}.py" for module in modules}
        wanted += [place for place in places if place.is_file() and place not in found]
        found |= {file, *filter(Path.is_file, places)}
    assert room / "data/verdicts.py" in found and room / "rating/game_codes.py" in found
    assert found <= {*readers.files_of(readers.READERS)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_has_changed_is_read_again(file: Path, change: str) -> None:
    keys(file, [])
    CHANGES[change](file)
    reads: list[str] = []
    assert keys(file, reads) == [line[0] for line in file.read_text().splitlines()]
    assert reads == file.read_text().splitlines()


def test_a_file_that_was_just_written_could_change_without_showing_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_index, "FRESH_SECONDS", 3600.0)
    reads: list[str] = []
    assert keys(file, reads) == keys(file, reads)
    assert len(reads) == 6 and not file.with_suffix(".index").exists()


def test_a_file_that_changes_while_it_is_read_is_not_known(file: Path) -> None:
    def read(said: list[jsonl.Remark]) -> Iterator[tuple[str, str, tuple[bytes, ...]]]:
        write(file, "dill\n", "a")
        yield "a", "a kind", (bytes(16),)

    known(file.with_suffix(".index"), file, str, read)
    assert keys(file, []) == ["a", "b", "c", "d"]


def test_a_file_that_was_just_written_when_a_long_reading_began_is_not_known(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_index, "FRESH_SECONDS", 0.2)
    file.touch()

    def read(said: list[jsonl.Remark]) -> Iterator[tuple[str, str, tuple[bytes, ...]]]:
        time.sleep(0.3)
        yield "a", "a kind", (bytes(16),)

    known(file.with_suffix(".index"), file, str, read)
    assert not file.with_suffix(".index").exists()
    known(file.with_suffix(".index"), file, str, read)
    assert file.with_suffix(".index").exists()


def test_what_is_to_be_said_of_a_file_is_said_each_time(file: Path) -> None:
    write(file, "odd\n", "a")
    reads: list[str] = []
    assert keys(file, reads) == keys(file, reads)
    assert reads.count("odd") == 2


@pytest.mark.parametrize("cut", [0, 5, 20, 40, -1])
@pytest.mark.parametrize("turned", [False, True])
def test_an_index_that_is_torn_or_damaged_is_none(file: Path, cut: int, turned: bool) -> None:
    keys(file, [])
    index = file.with_suffix(".index")
    data = bytearray(index.read_bytes())
    if turned:
        data[cut] ^= 1
    else:
        del data[cut:]
    index.write_bytes(data)
    record_index._known_places.clear()  # as in the next process
    reads: list[str] = []
    assert keys(file, reads) == ["a", "b", "c"] and len(reads) == 3
    assert keys(file, reads) == ["a", "b", "c"] and len(reads) == 3  # a whole one is there again


def test_without_room_for_an_index_the_file_is_read(file: Path) -> None:
    file.with_suffix(".index").mkdir()
    reads: list[str] = []
    assert keys(file, reads) == keys(file, reads) and len(reads) == 6
    assert [each.name for each in file.parent.iterdir() if "tmp" in each.name] == []


def _keys_many_times(file: Path) -> bool:
    record_index.SMALL, record_index.FRESH_SECONDS = 0, -1.0
    index = file.with_suffix(".index")
    for number in range(30):
        record_index._known_places.clear()
        if number % 3 == 0:
            index.unlink(missing_ok=True)
        if keys(file, []) != ["a", "b", "c"]:
            return False
    return True


@pytest.mark.slow
def test_two_runs_may_write_an_index_at_once(file: Path) -> None:
    with ProcessPoolExecutor(2) as pool:
        assert list(pool.map(_keys_many_times, [file] * 4)) == [True] * 4
    assert [each.name for each in file.parent.iterdir() if "tmp" in each.name] == []


# ------------------------------------------------------------------------------------------ columns


def test_of_several_records_of_an_id_the_last_counts() -> None:
    rows = [("a", "one", (bytes(16),)), ("b", "two", (bytes(16),)), ("a", "three", (bytes(16),))]
    column = records_of(rows, str).by_id
    assert dict(column) == {"a": "three", "b": "two"} and len(column) == 2
    assert column.where(lambda kind: kind != "two") == {"a"}
    assert column.mapped(len) == {"a": 5, "b": 3}
    assert different(column) >= {"two", "three"}
    assert "c" not in column and column.get("c") is None


def test_more_kinds_than_a_byte_holds(file: Path) -> None:
    def read(said: list[jsonl.Remark]) -> Iterator[tuple[str, int, tuple[bytes, ...]]]:
        yield from ((f"k\ud800{number}", number, (bytes(16),)) for number in range(700))

    index = file.with_suffix(".index")
    first, _ = known(index, file, int, read)
    record_index._known_places.clear()
    again, _ = known(index, file, int, lambda said: [])
    assert dict(again.by_id) == dict(first.by_id) == {f"k\ud800{number}": number for number in range(700)}
    assert again.digest == first.digest


def test_a_column_of_nothing() -> None:
    column: Column[str] = Column(Places([]), [], b"")
    assert (dict(column), list(records_of([], str).marked()), different(column)) == ({}, [], set())


# ------------------------------------------------------------------------------- answers, judgments


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench of four questions."""
    place = Bench(tmp_path, "bench")
    write_rows(place.question_file, [question(number) for number in range(1, 5)])
    return place


def test_answers_are_those_that_are_loaded_with_their_texts(bench: Bench) -> None:
    failed = answer(2, "m", "$ERROR$")
    rows = [answer(1, "m"), answer(3, "m", "old"), failed, answer(3, "m", "new"), answer(4, "m") | {"model_id": None}]
    write_rows(bench.answer_file("m"), rows)
    for _ in range(2):  # read, and by the index
        found = Answers(bench, bench.answer_file("m"))
        assert set(found) == {question_id(1), question_id(3), question_id(4)} and question_id(2) not in found
        assert dict(found) == load_answers(bench.answer_file("m"))
    assert len(Answers(bench, bench.answer_file("nobody"))) == 0


def large(bench: Bench, name: str, count: int = 300) -> Path:
    """A file of answers that is worth an index, with what makes places odd."""
    made = [answer(number, name, f"{name} says {number} " + "x" * 900) for number in range(1, count + 1)]
    lines = [json.dumps(each).encode() for each in made]
    file = bench.answer_file(name)
    file.parent.mkdir(exist_ok=True)
    two, marked = lines[3] + b" " + lines[4], b"\xef\xbb\xbf" + lines[7]
    failed = json.dumps(answer(9, name, "$ERROR$")).encode()
    old = json.dumps(answer(1, name, "old")).encode()
    parts = [old, *lines[:3], two, *lines[5:7], marked, failed, b"", *(line + b"\r" for line in lines[9:20])]
    file.write_bytes(b"\n".join([*parts, *lines[20:]]) + b"\n")
    return file


def test_answers_of_a_large_file_are_read_one_by_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    file = large(bench, "m")
    expected = load_answers(file)
    Answers(bench, file).forget()
    monkeypatch.setattr(known_records, "load_answers", lambda file: pytest.fail("all were read"))
    found = Answers(bench, file)
    found.forget()
    assert dict(found) == expected and len(expected) == 299
    assert found.get(question_id(9)) is None
    found.forget()
    assert not single_answers._now_open


@pytest.mark.parametrize("how", ["replaced", "added to", "removed"])
def test_answers_stay_those_that_were_planned_with(bench: Bench, how: str) -> None:
    file = large(bench, "m")
    expected = load_answers(file)
    found = Answers(bench, file)
    found.forget()
    assert found[question_id(2)] == expected[question_id(2)]
    rows = [answer(number, "m", "another text") for number in range(1, 301)]
    if how == "removed":
        file.unlink()
    elif how == "added to":
        with open(file, "ab") as stream:
            stream.write(json.dumps(rows[0]).encode() + b"\n")
    else:
        write_rows(bench.answer_file("other"), rows)
        os.replace(bench.answer_file("other"), file)
    assert dict(found) == expected
    found.forget()


def test_of_a_file_that_was_written_over_the_texts_are_read_as_they_are(bench: Bench) -> None:
    file = large(bench, "m")
    found = Answers(bench, file)
    found.forget()
    assert found[question_id(2)].turns[0].content.startswith("m says 2 ")
    file.write_bytes(file.read_bytes().replace(b"says", b"said").replace(b"says 300", b"says 3"))
    assert found[question_id(3)].turns[0].content.startswith("m said 3 ")
    write_rows(file, [answer(1, "m")])
    found.forget()
    with pytest.raises(UserError, match="was changed while this run was planned"):
        found[question_id(3)]


def test_more_files_than_may_be_open_are_read_as_wholes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files.resource, "getrlimit", lambda _: (8, 8))
    answers = [Answers(bench, large(bench, name)) for name in ("m", "n")]
    for each in answers:
        each.forget()
    for each, name in zip(answers, ("m", "n")):
        assert dict(each) == load_answers(bench.answer_file(name))
    assert len(single_answers._now_open) == 1
    for each in answers:
        each.forget()


def test_answers_to_edited_questions_are_those_that_their_records_tell_of(bench: Bench) -> None:
    questions = load_questions(bench)
    kinds: list[dict[str, Any]] = [
        {"question_hash": questions[0].hash},
        {"question_hash": "another"},
        {"settings_hash": "ours"},
        {},
    ]
    rows = [answer(number, "m", *turns) | kind for number, (kind, turns) in enumerate(zip(kinds, [("a",)] * 4), 1)]
    rows[2] = answer(3, "m", "one", "two") | kinds[2]
    write_rows(bench.answer_file("m"), rows)
    answers = load_answers(bench.answer_file("m"))
    expected = {each.question_id for each in questions if answers[each.question_id].is_to_other_words(each)}
    assert expected == {question_id(2), question_id(3)}
    for _ in range(2):
        assert Answers(bench, bench.answer_file("m")).to_other_words(questions) == expected


def test_a_text_that_is_no_text_is_said_of_judgments_each_time(bench: Bench) -> None:
    file = bench.judgment_file("j", "m")
    game = {"score": ["A>B"], "user_prompt": "p", "judgment": "j"}
    made = {"question_id": "1", "model": "m", "judge": "j"}
    write_rows(file, [made | {"games": [game, None]}, made | {"games": [game | {"score": {"odd": 1}}]}])
    found: list[Records[Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [known_judgments(bench, file)[0] for _ in range(2)]
    assert [[kind.verdicts for _, kind in each.all()] for each in found] == [[("A>B", None), ("?",)]] * 2
    with open(file, "ab") as stream:
        stream.write(b'{"question_id": "2", "ga')
    assert [[type(each) for each in known_judgments(bench, file)[1]] for _ in range(2)] == [[jsonl.TornLine]] * 2


ODD = st.sampled_from([None, "", "A>B", "x", 1, 3.0, True, [], ["a"], {}, {"kept": 0.5}, {"answer": "a"}, float("nan")])
GAMES = st.one_of(
    st.lists(
        st.one_of(
            st.none(),
            st.dictionaries(st.sampled_from(["score", "user_prompt", "prompt", "judgment", "truncated", "usage"]), ODD),
        ),
        max_size=3,
    ),
    ODD,
)
NAMES = ("question_id", "uid", "model", "judge", "baseline", "category", "settings_hash", "tstamp")


@given(st.dictionaries(st.sampled_from(NAMES), ODD), GAMES, st.booleans())
def test_a_judgment_is_known_alike_however_quickly_it_is_read(row: dict[str, Any], games: Any, plain: bool) -> None:
    """Or refused alike, whatever stands where."""
    usual = {"question_id": "q", "model": "m", "settings_hash": "h"} if plain else {}
    line = json.dumps(row | usual | {"games": games}).encode()

    def read(decode: Callable[[bytes], Any], parse: Callable[[Any], Any]) -> Any:
        try:
            return parse(decode(line))
        except (*jsonl.BROKEN, ValueError, AttributeError, TypeError) as error:
            return type(error), str(error)

    whole = read(jsonl.decode_object, lambda found: known_records.judged_row(judgment_from_row(found)))
    assert read(known_records._decoded, known_records._row_of) == whole
