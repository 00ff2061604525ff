"""The steps from conversations to a benchmark, each of which can be resumed: what a step is, and how they are run.

A step reads the tables of the steps before and writes its own, data/BENCH/building/STEP.parquet, with its manifest
STEP.manifest.json beside it: what it was made from, and what it left of what came. A step that would be made from the
same is up to date and is passed over; any other, and all that need it, run anew. The manifest is written last, so a run
that is killed at any moment leaves either a whole step or one that is made anew.
"""

from __future__ import annotations

import abc
import argparse
import contextlib
import os
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from arena_hard.building.settings import BuildSettings
from arena_hard.building.tables import Table, TableWriter
from arena_hard.data import jsonl
from arena_hard.data.paths import Bench
from arena_hard.data.record_values import is_object
from arena_hard.data.settings import ModelSettings
from arena_hard.money.account import Account

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = 5  # of what was dropped, for each reason
EXAMPLE_CHARACTERS = 300
FORMAT = 1  # raised where steps of an earlier version cannot be gone on with


@dataclass
class Context:
    """What all steps of a run share. models: the entries of the endpoint file that the settings name.

    waiting: for a plan, the steps that are not up to date, whose tables say nothing of the run that is planned.
    """

    bench: Bench
    settings: BuildSettings
    inputs: list[Path]
    args: argparse.Namespace
    processes: int = 1
    models: dict[str, ModelSettings] = field(default_factory=dict[str, ModelSettings])
    account: Account = field(default_factory=Account)
    waiting: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """Where the steps leave their tables."""
        return self.bench.folder / "building"

    def table(self, step: str) -> Table:
        """The table that a step has left."""
        return Table(self.folder / f"{step}.parquet")

    def is_known(self, *steps: str) -> bool:
        """Whether what these steps leave is known when a run is planned: they have ended, and are up to date."""
        return all(step not in self.waiting and self.manifest(step) is not None for step in steps)

    def file(self, name: str) -> Path:
        """A further file of a step (embeddings.npy)."""
        return self.folder / name

    def manifest_file(self, step: str) -> Path:
        """Where a step says of itself what it was made from and what it left."""
        return self.folder / f"{step}.manifest.json"

    def manifest(self, step: str) -> dict[str, Any] | None:
        """What a step has said of itself; None where it has not ended."""
        try:
            found: object = msgspec.json.decode(self.manifest_file(step).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None
        return found if is_object(found) and found.get("step") == step else None


class Step(abc.ABC):
    """One step. needs: the steps whose tables it reads; the first is the one whose rows `run` gets.

    files: what it leaves beside its table, or in its place where has_table is false.
    """

    name: str
    needs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    has_table: bool = True

    def models(self, settings: BuildSettings) -> Sequence[str]:
        """The entries of the endpoint file that it needs."""
        return ()

    @abc.abstractmethod
    def made_from(self, context: Context) -> dict[str, Any]:
        """Settings, seeds and versions that decide what comes out; what `needs` left is added by the runner."""

    @abc.abstractmethod
    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        """Do the step. rows: of the first step that it needs; None for the first of all."""

    def check(self, context: Context) -> None:
        """Look, before any step is run or paid, whether this one could. Raises UserError."""
        return

    def is_there(self, context: Context) -> bool:
        """Whether what the step leaves outside of the folder of steps is there."""
        return True

    def is_shared(self, context: Context) -> bool:
        """Whether other runs may do other parts of it at the same time."""
        return False

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        """Lines for the plan: what was recognised, tokens and price. rows: that will come in, where that is known."""
        return ()


@dataclass
class Output:
    """What a step hands back: rows, and what it has dropped, counted by reason with a few examples.

    code: the exit code of the run. stopped: the run ends after this step, which counts as not finished.
    """

    table: Path
    progress: Any
    writer: TableWriter | None = None
    dropped: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    rows_in: int = 0
    rows_out: int = 0
    code: int = 0
    stopped: bool = False

    def write(self, table: pa.Table) -> None:
        """Add rows to the step's table; the first tells what columns it has."""
        if self.writer is None:
            self.writer = TableWriter(self.table, table.schema)
        self.writer.write(table)

    @contextlib.contextmanager
    def file(self, name: str) -> Generator[Path]:
        """A path to write a further file to; it takes its name when the body has ended."""
        target = self.table.with_name(name)
        temporary = target.with_name(f".{name}.tmp")
        try:
            with jsonl.written(target):
                yield temporary
                os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def drop(self, reason: str, rows: Sequence[tuple[str, str]], count: int | None = None) -> None:
        """Rows that go no further. rows: (id, text), of which the first few are kept as examples; count: of all."""
        self.dropped[reason] += len(rows) if count is None else count
        kept = self.examples.setdefault(reason, [])
        for key, text in rows[: EXAMPLES - len(kept)]:
            kept.append({"id": key, "text": text[:EXAMPLE_CHARACTERS]})

    def advance(self, count: int) -> None:
        """So many more rows are done."""
        self.progress.update(count)

    def say(self, line: str) -> None:
        """A line for people, printed when the step has ended and kept in its manifest."""
        self.lines.append(line)
