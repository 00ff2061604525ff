"""Record files that somebody else saves, moves, cuts or removes while a run writes them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena_hard.data.records import UserError
from arena_hard.data.writer import RecordWriter

Rows = list[dict[str, Any]]
BEFORE: Rows = [{"question_id": f"old{n}", "text": "there before"} for n in range(3)]
FIRST: Rows = [{"question_id": f"q{n}", "text": "é paid for"} for n in range(5)]
SECOND: Rows = [{"question_id": f"q{n}", "text": "later"} for n in range(5, 9)]


def lines(rows: Rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def rows_of(file: Path) -> Rows:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def written(
    tmp_path: Path, change: Callable[[Path], object], replacing: tuple[str, ...] = (), second: Rows = SECOND
) -> tuple[Path, list[str]]:
    """A file with FIRST and `second` written by one run, between which `change` was done to it; what was said."""
    file = tmp_path / "m.jsonl"
    file.write_text(lines(BEFORE), encoding="utf-8")
    said: list[str] = []

    async def write(writer: RecordWriter, rows: Rows) -> None:
        for row in rows:
            await writer.write(file, lambda row=row: row)

    with RecordWriter(said.append) as writer:
        writer.open(file, replacing)
        asyncio.run(write(writer, FIRST))
        change(file)
        asyncio.run(write(writer, second))
    return file, said


def replaced_by(text: str) -> Callable[[Path], object]:
    """What an editor and `sed -i` do: a new file takes the place of the old one."""

    def change(file: Path) -> None:
        other = file.with_name("other")
        other.write_text(text, encoding="utf-8")
        os.replace(other, file)

    return change


def saved_in_place(text: str) -> Callable[[Path], object]:
    """What other editors do: the same file is cut and written anew."""
    return lambda file: file.write_text(text, encoding="utf-8")


def cut_to_nothing(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("how", [replaced_by, saved_in_place])
@pytest.mark.parametrize("kept", [0, 2, 5])
def test_an_older_state_that_was_saved_gets_what_it_lacks(
    tmp_path: Path, how: Callable[[str], Callable[[Path], object]], kept: int, end: str
) -> None:
    file, said = written(tmp_path, how(lines(BEFORE + FIRST[:kept]).removesuffix("\n") + end))
    assert rows_of(file) == BEFORE + FIRST + SECOND
    assert len(said) == 1 and str(file) in said[0]
    assert (f"{5 - kept} records" in said[0]) == (kept < 5)


def moved_away(file: Path) -> None:
    file.rename(file.with_name("m_backup.jsonl"))


@pytest.mark.parametrize(
    ("change", "lost"), [(Path.unlink, 8), (moved_away, 8), (replaced_by(""), 8), (replaced_by(lines(BEFORE[:2])), 6)]
)
def test_all_that_was_there_comes_back_after_a_removal(
    tmp_path: Path, change: Callable[[Path], object], lost: int
) -> None:
    file, said = written(tmp_path, change)
    assert rows_of(file) == BEFORE + FIRST + SECOND and f"{lost} records" in said[0]


def test_what_this_run_wrote_comes_back_after_the_file_itself_was_cut(tmp_path: Path) -> None:
    file, said = written(tmp_path, cut_to_nothing)
    assert rows_of(file) == FIRST + SECOND and "5 records" in said[0]


def test_what_was_there_before_and_is_left_out_on_purpose_stays_out(tmp_path: Path) -> None:
    file, said = written(tmp_path, replaced_by(lines([BEFORE[1], *FIRST])))
    assert rows_of(file) == [BEFORE[1], *FIRST, *SECOND] and "written again" not in said[0]


def test_the_change_is_seen_at_the_end_too(tmp_path: Path) -> None:
    file, said = written(tmp_path, Path.unlink, second=[])
    assert rows_of(file) == BEFORE + FIRST and len(said) == 1


def test_a_file_that_is_removed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text(lines(BEFORE), encoding="utf-8")

    async def write(writer: RecordWriter) -> None:
        for row in FIRST:
            await writer.write(file, lambda row=row: row)
            file.unlink()

    with RecordWriter() as writer:
        writer.open(file)
        asyncio.run(write(writer))
    assert rows_of(file) == BEFORE + FIRST


def test_an_edited_record_stays_edited(tmp_path: Path) -> None:
    edited = [{**row, "text": "edited by hand"} for row in FIRST]
    file, said = written(tmp_path, replaced_by(lines(BEFORE + edited)))
    assert rows_of(file) == BEFORE + edited + SECOND and "written again" not in said[0]


def test_an_old_record_does_not_pass_for_the_one_that_replaces_it(tmp_path: Path) -> None:
    old = [{"question_id": "q0", "text": "old"}, {"text": FIRST[1]["text"], "question_id": "q1"}]
    file, said = written(tmp_path, replaced_by(lines(old)), ("q0", "q1"), second=[])
    assert rows_of(file) == [*old, FIRST[0], *FIRST[2:]] and "4 records" in said[0]


def test_an_untouched_file_is_left_alone(tmp_path: Path) -> None:
    file, said = written(tmp_path, lambda file: None)
    assert rows_of(file) == BEFORE + FIRST + SECOND and said == []


def test_what_cannot_go_on_is_put_aside(tmp_path: Path) -> None:
    def a_folder_in_its_place(file: Path) -> None:
        file.unlink()
        file.mkdir()

    with pytest.raises(UserError, match=r"m\.jsonl\.rescued"):
        written(tmp_path, a_folder_in_its_place)
    assert rows_of(tmp_path / "m.jsonl.rescued") == FIRST


@pytest.mark.parametrize("change", [Path.unlink, cut_to_nothing, replaced_by(lines(BEFORE))])
def test_a_change_while_records_are_being_written_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    file = tmp_path / "m.jsonl"
    said: list[str] = []

    def changed_meanwhile() -> dict[str, Any]:
        change(file)
        return SECOND[0]

    async def write(writer: RecordWriter) -> None:
        for make_row in (lambda: FIRST[0], changed_meanwhile, lambda: SECOND[1]):
            await writer.write(file, make_row)

    with RecordWriter(said.append) as writer:
        writer.open(file)
        asyncio.run(write(writer))
    keys = {row["question_id"] for row in rows_of(file)}
    assert keys >= {"q0", "q5", "q6"} and len(said) == 1
