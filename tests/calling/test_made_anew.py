"""Which replies of a mailbox count for records that are made anew; runs by batch are in test_made_anew_by_batch.py."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any

from arena_hard.calling import made_anew


class Box:
    """What is asked of a mailbox."""

    busy = False

    def __init__(self) -> None:
        self.archived: list[Set[str]] = []

    def archive(self, records: Set[str]) -> None:
        self.archived.append(records)


def test_another_redo_takes_nothing_of_the_one_before_though_the_record_is_the_same(tmp_path: Path) -> None:
    box: Any = Box()
    for records in ({"r": "1.5 abc"}, {"r": "1.5 abc"}, {"r": "2.5 abc", "s": "2.5"}, {"s": "2.5"}):
        made_anew.begin(box, tmp_path, records)
    assert box.archived == [{"", "r"}, {"", "r", "s"}]


def test_what_was_written_is_used_up(tmp_path: Path) -> None:
    box: Any = Box()
    made_anew.begin(box, tmp_path, {"r": "abc", "s": "def"})
    made_anew.end(tmp_path, ["r", "of another run"])
    made_anew.begin(box, tmp_path, {"r": "abc", "s": "def"})
    assert box.archived == [{"", "r", "s"}, {"", "r"}]
