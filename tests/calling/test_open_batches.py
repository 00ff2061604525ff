"""Batches that were begun and not collected, and runs over other divisions of the same records."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena_hard.calling.open_batches import begun_in, check_division, notes_of, notes_of_open
from arena_hard.data.records import UserError
from tests.support.pipeline_bench import write_rows

WHOLE, FIRST_OF_TWO, SECOND_OF_TWO, FIRST_OF_FOUR, OTHERS = (
    "labels by judge",
    "labels by judge, shard 1 of 2",
    "labels by judge, shard 2 of 2",
    "labels by judge, shard 1 of 4",
    "labels by judge2",
)
PREPARED = {"step": "prepared", "marker": "one", "keys": ["k"]}
SUBMITTED = {"step": "submitted", "marker": "one", "id": "batch-1"}
COLLECTED = {"step": "collected", "marker": "one", "replies": 1}


@pytest.mark.parametrize("steps", [[PREPARED], [PREPARED, SUBMITTED], [PREPARED, SUBMITTED, COLLECTED], []])
def test_a_batch_is_open_until_it_is_collected(tmp_path: Path, steps: list[dict[str, object]]) -> None:
    is_open = bool(steps) and COLLECTED not in steps
    write_rows(notes_of(tmp_path), steps)
    found, known = begun_in(tmp_path)
    assert [batch.marker for batch in found] == ["one"] * is_open
    assert known == ({"batch-1"} if SUBMITTED in steps else set())
    assert bool(notes_of_open(tmp_path, set())) == is_open


@pytest.mark.parametrize(
    ("there", "own", "how"),
    [
        (FIRST_OF_TWO, FIRST_OF_FOUR, "with --shard 1/2"),
        (FIRST_OF_FOUR, SECOND_OF_TWO, "with --shard 1/4"),
        (SECOND_OF_TWO, WHOLE, "with --shard 2/2"),
        (WHOLE, FIRST_OF_TWO, "without --shard"),
        (SECOND_OF_TWO, FIRST_OF_TWO, None),
        (WHOLE, WHOLE, None),
        (OTHERS, FIRST_OF_TWO, None),
        (OTHERS, WHOLE, None),
    ],
)
def test_records_in_an_open_batch_of_another_division_are_not_sent_again(
    tmp_path: Path, there: str, own: str, how: str | None
) -> None:
    write_rows(notes_of(tmp_path / there), [PREPARED, SUBMITTED])
    if how is None:
        check_division(tmp_path / own)
        return
    with pytest.raises(UserError, match=f"{there} has open batches.* Run the same command {how} first"):
        check_division(tmp_path / own)
    write_rows(notes_of(tmp_path / there), [PREPARED, SUBMITTED, COLLECTED])
    check_division(tmp_path / own)
    check_division(tmp_path / "not yet there" / own)
