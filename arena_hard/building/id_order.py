"""Rows in the order of their ids, whatever order they came in: so that the order of a log decides nothing.

Ids are hashes, so that equal ranges of them hold about equally many rows: of a large table each range lies on disk
until its turn comes, and memory stays flat.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena_hard.building.tables import PART_ROWS, Table, arrow
from arena_hard.data import jsonl

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = 8  # of an id in hex that tell its range
_FOLDER = ".by_id.tmp"


def in_order_of_ids(parts: Iterable[pa.Table], count: int, folder: Path) -> Iterator[pa.Table]:
    """The rows of some parts by their `id`. count: of all rows at most; folder: where there is room for them."""
    ranges = -(-count // PART_ROWS)
    if ranges <= 1:
        if tables := list(parts):
            yield _sorted(arrow().concat_tables(tables))
        return
    with _folder(folder) as place:
        files = [place / f"{number}.parquet" for number in range(ranges)]
        _divide(parts, files)
        for file in files:
            if file.exists():
                yield _sorted(Table(file).read())


def _sorted(table: pa.Table) -> pa.Table:
    return table.take(arrow().compute.sort_indices(table, sort_keys=[("id", "ascending")]))


@contextlib.contextmanager
def _folder(folder: Path) -> Generator[Path]:
    """A folder that is there for a while; what a killed run has left goes first."""
    place = folder / _FOLDER
    shutil.rmtree(place, ignore_errors=True)
    with jsonl.written(place):
        place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _divide(parts: Iterable[pa.Table], files: list[Path]) -> None:
    """Write each row to the file of its range."""
    import numpy as np

    found = arrow()
    with contextlib.ExitStack() as opened:
        writers: dict[int, Any] = {}
        for part in parts:
            keys = [int(key[:_DIGITS], 16) for key in part.column("id").to_pylist()]
            ranges = np.array(keys, np.int64) * len(files) >> 4 * _DIGITS
            for number in np.unique(ranges).tolist():
                with jsonl.written(files[number]):
                    if number not in writers:
                        writers[number] = opened.enter_context(found.parquet.ParquetWriter(files[number], part.schema))
                    writers[number].write_table(part.filter(found.array(ranges == number)))
