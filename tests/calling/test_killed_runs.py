"""What a run that was killed wrote is counted from its records by the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from arena_hard.calling import manifest
from arena_hard.calling.killed_runs import killed_note, settled
from arena_hard.calling.run_tally import RunTally
from arena_hard.data.records import Question
from arena_hard.data.writer import RecordWriter

ANSWER = {
    "question_id": "a",
    "choices": [{"turns": [{"content": "x"}, {"content": "y"}]}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
GAME = {"judgment": "x", "usage": {"prompt_tokens": 10, "completion_tokens": 1}}
JUDGMENT = {"question_id": "a", "games": [GAME, None, GAME]}


def line(row: Any) -> bytes:
    return msgspec.json.encode(row) + b"\n"


def entry(**more: Any) -> dict[str, Any]:
    return {"started": "2026-01-02T03:04:05Z", "ended": None, "written": 0, "requests": 0, "usage": {}, **more}


@pytest.mark.parametrize(
    ("rows", "written", "requests", "usage"),
    [
        ([], 0, 0, {}),
        ([ANSWER], 1, 2, {"prompt_tokens": 3, "completion_tokens": 4}),
        ([JUDGMENT, ANSWER], 2, 4, {"prompt_tokens": 23, "completion_tokens": 6}),
        ([{"question_id": "a", "usage": "odd", "choices": "odd", "games": [7]}], 1, 0, {}),
        ([[1, 2], "odd"], 0, 0, {}),
    ],
)
def test_what_was_written_is_counted(
    tmp_path: Path, rows: list[Any], written: int, requests: int, usage: dict[str, int]
) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(line(ANSWER))
    before = entry(size=file.stat().st_size)
    with file.open("ab") as stream:
        stream.write(b"".join(map(line, rows)) + b'{"question_id": "torn')
    after = settled(file, before)
    assert after == before | {"killed": True, "written": written, "requests": requests, "usage": usage}
    assert settled(file, after) == after
    words = f"the run started at {before['started']} was killed after {written} record{'s' * (written > 1)}."
    assert killed_note(file, [before]) == killed_note(file, [after]) == (words if written else None)


def test_what_is_not_known_is_not_said(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(line(ANSWER))
    old, ended = entry(), entry(ended="2026-01-02T03:05:00Z", written=5)
    assert settled(file, old) == old
    assert killed_note(file, []) is killed_note(file, [old]) is killed_note(file, [entry(size=0), ended]) is None
    assert settled(tmp_path / "gone", entry(size=3))["written"] == 0


def test_the_next_run_settles_it_and_says_so_before(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(line(ANSWER))
    with RecordWriter() as writer:
        writer.open(file)
        manifest.begin_run(RunTally(file, "h"), [])
        file.write_bytes(line(ANSWER) + line(ANSWER) + line(ANSWER))
        assert manifest.earlier_notes(file, [], existing=3) == []  # it is at work
    (note,) = manifest.earlier_notes(file, [], existing=3)
    assert note.endswith("was killed after 2 records.")
    following = RunTally(file, "h")
    manifest.begin_run(following, [])
    assert manifest.earlier_notes(file, [], existing=3) == []  # it has just begun
    manifest.end_run(following)
    killed, ended = manifest.load(file)["runs"]
    assert (killed["killed"], killed["written"], killed["requests"], killed["ended"]) == (True, 2, 4, None)
    assert ended["ended"] and not {"killed", "size"} & ended.keys()
    assert manifest.earlier_notes(file, [], existing=3) == []


@pytest.mark.parametrize(
    ("last", "in_order"),
    [
        (entry(size=0), True),
        (entry(size=0, killed=True, written=2), True),
        (entry(size=0, ended="2026-01-02T03:05:05Z", written=2), False),  # somebody may have sorted it otherwise
        (
            entry(size=0, redo={"name": "all", "ids": ["a"], "done": [], "size": 0}),
            False,
        ),  # which goes on where it was killed
    ],
)
def test_the_records_of_a_killed_run_are_put_in_order(tmp_path: Path, last: dict[str, Any], in_order: bool) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(b"".join(line(ANSWER | {"question_id": key}) for key in "ba"))
    manifest.manifest_file(file).write_bytes(msgspec.json.encode({"settings": {}, "runs": [last]}))
    manifest.finish_killed(file, [Question(key, (key,)) for key in "ab"])
    keys = [msgspec.json.decode(row)["question_id"] for row in file.read_bytes().splitlines()]
    assert "".join(keys) == ("ab" if in_order else "ba")
    (noted,) = manifest.load(file)["runs"]
    assert noted["written"] == (0 if noted.get("redo") else 2)
    manifest.finish_killed(tmp_path / "none.jsonl", [])
