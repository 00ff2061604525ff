"""Tables on disk: Parquet in parts of 100,000 rows, so that memory stays flat whatever their size.

A table is written under a temporary name and renamed when it is whole: only whole files count.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena_hard.data import jsonl
from arena_hard.data.records import UserError

if TYPE_CHECKING:
    import pyarrow as pa

PART_ROWS = 100_000


def arrow() -> Any:
    """pyarrow, imported when it is needed. Raises UserError where it is not there."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise UserError(missing_package("pyarrow")) from None
    return pyarrow


def missing_package(name: str) -> str:
    """The message for a package that building needs and that is not installed."""
    return f"Building a benchmark needs the package {name}. Install it: pip install -r requirements-build.txt"


def in_one_line(error: Exception) -> str:
    """What a library says in several lines."""
    return " ".join(str(error).split())


class Table:
    """A table on disk: iterated over, it gives its parts one after the other."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def count(self) -> int:
        """The number of rows."""
        return int(self._open().metadata.num_rows)

    def __iter__(self) -> Iterator[pa.Table]:
        return self.parts()

    def parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The parts of the table, of these columns or of all."""
        with self._open() as opened:
            for number in range(opened.num_row_groups):
                with self._damaged():
                    part = opened.read_row_group(number, columns=None if columns is None else list(columns))
                yield part

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """These columns at once; of texts rather take the parts."""
        with self._open() as opened, self._damaged():
            return opened.read(columns=None if columns is None else list(columns))

    def column(self, name: str) -> list[Any]:
        """One column as Python values."""
        return self.read([name]).column(name).to_pylist()

    def _open(self) -> Any:
        with self._damaged():
            return arrow().parquet.ParquetFile(self.file)

    @contextlib.contextmanager
    def _damaged(self) -> Generator[None]:
        """Raises UserError for what the body cannot read of the file."""
        try:
            yield
        except FileNotFoundError:
            raise UserError(
                f"{self.file} does not exist. Run build_bench.py again; it makes what is missing."
            ) from None
        except (arrow().ArrowException, OSError) as error:
            raise UserError(
                f"{self.file} cannot be read ({in_one_line(error)}). Delete it and run build_bench.py again; it is "
                "made anew."
            ) from None


class TableWriter:
    """Writes a table in parts of one size, so that its bytes do not tell how its rows came."""

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._file, self._schema = file, schema
        self._temporary = file.with_name(f".{file.name}.tmp")
        self._waiting: list[pa.Table] = []
        self._held = self.rows = 0
        with jsonl.written(file):
            self._sink = open(self._temporary, "wb")  # noqa: SIM115 - closed by finish
            self._writer: Any = arrow().parquet.ParquetWriter(self._sink, schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        self._waiting.append(table.select(self._schema.names).cast(self._schema))
        self._held += table.num_rows
        self.rows += table.num_rows
        if self._held >= PART_ROWS:
            self._flush(PART_ROWS)

    def _flush(self, least: int) -> None:
        waiting = arrow().concat_tables(self._waiting)
        at = 0
        while self._held - at >= least and at < self._held:
            part = waiting.slice(at, PART_ROWS).combine_chunks()
            with jsonl.written(self._file):
                self._writer.write_table(part, row_group_size=PART_ROWS)
            at += part.num_rows
        self._waiting = [waiting.slice(at)]
        self._held -= at

    def finish(self) -> None:
        """Write what is left; the file takes its name."""
        if self._waiting:
            self._flush(1)
        with jsonl.written(self._file):
            self._writer.close()
            self._sink.flush()
            os.fsync(self._sink.fileno())
            self._sink.close()
            os.replace(self._temporary, self._file)

    def abandon(self) -> None:
        """Leave what was there."""
        self._sink.close()
        self._temporary.unlink(missing_ok=True)


def version_of(package: str) -> str:
    """The version of a package that is installed; empty where it is not."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
