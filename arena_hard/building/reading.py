"""The first step: files of conversations → a table with one row for each conversation."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena_hard.building import inputs
from arena_hard.building.conversations import SHAPES, content_id, kept, prompt_id
from arena_hard.building.parallel import in_order
from arena_hard.building.runner import fingerprint
from arena_hard.building.settings import Turns
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, arrow
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError

if TYPE_CHECKING:
    import pyarrow as pa

NO_TURN = "without a user's turn"
BROKEN_TURN = "with a broken turn"
METHOD = 2  # raised when the same rows would be read otherwise


@dataclass
class ReadBlock:
    """What a process makes of a block."""

    table: pa.Table
    shapes: Counter[str]
    dropped: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])


class ReadStep(Step):
    """Read all files, in the order of their names, so that it does not matter in which order they are given."""

    name = "read"

    def made_from(self, context: Context) -> dict[str, Any]:
        self.check(context)
        files = in_reading_order(context.inputs)
        return {
            "turns": context.settings.clean.turns,
            "method": METHOD,
            "inputs": [{"file": file.name, **fingerprint(file)} for file in files],
        }

    def check(self, context: Context) -> None:
        for file in context.inputs:
            inputs.format_of(file)

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        for file in in_reading_order(context.inputs):
            yield f"{file}: {inputs.format_of(file)}, {recognised(first_shapes(file))}"

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        files = in_reading_order(context.inputs)
        forms = {file: inputs.format_of(file) for file in files}  # all are looked at before one is read
        out.progress.reset(total=sum(file.stat().st_size for file in files))
        pieces = (piece for file in files for piece in inputs.blocks(file, forms[file], out.advance))
        shapes: dict[str, Counter[str]] = {}
        read = functools.partial(_read_named, context.settings.clean.turns)
        for file, block in in_order(read, pieces, context.processes):
            shapes.setdefault(str(file), Counter()).update(block.shapes)
            out.rows_in += block.shapes.total()
            for reason, rows_without in block.dropped.items():
                out.drop(reason, rows_without)
            out.write(block.table)
        for file in files:
            found = shapes.get(str(file), Counter())
            out.say(f"{file}: {forms[file]}, {counted(found.total(), 'row')}, {recognised(found)}")
        out.facts["shapes"] = {Path(file).name: dict(sorted(found.items())) for file, found in shapes.items()}


def in_reading_order(files: Iterable[Path]) -> list[Path]:
    """Files by their names, each once."""
    return sorted(dict.fromkeys(files), key=lambda file: (file.name, str(file)))


def recognised(shapes: Counter[str]) -> str:
    """The shapes of a file's rows, for people."""
    many = len(shapes) > 1
    return " and ".join(
        f"{SHAPES[key]} ({key}{f', {number}' if many else ''})" for key, number in sorted(shapes.items())
    )


def first_shapes(file: Path) -> Counter[str]:
    """The shapes of the rows with which a file begins. Raises UserError for a row that has none."""
    form = inputs.format_of(file)
    with_first = inputs.blocks(file, form, lambda read: None)
    first = next(with_first, None)
    if first is None:
        raise UserError(f"{file} holds no row. Name a file of conversations (JSONL, JSON or Parquet).")
    return read_block(first, "single").shapes


def _read_named(turns: Turns, block: inputs.Block) -> tuple[Path, ReadBlock]:
    return block.file, read_block(block, turns)


def read_block(block: inputs.Block, turns: Turns) -> ReadBlock:
    """The conversations of a block. Raises UserError with file and line."""
    columns: dict[str, list[Any]] = {name: [] for name in schema().names}
    shapes: Counter[str] = Counter()
    dropped: dict[str, list[tuple[str, str]]] = {}
    for line, said in inputs.rows_of(block):
        shapes[said.key] += 1
        if not said.turns:
            named = said.source_id or str(line)
            dropped.setdefault(BROKEN_TURN if said.is_broken else NO_TURN, []).append((named, ""))
            continue
        source_id = said.source_id or content_id(said)
        prompt = kept(said.turns, turns)
        values = (prompt_id(prompt), block.file.name, source_id, prompt, len(said.turns), said.flags, said.language)
        for column, value in zip(columns.values(), (*values, said.category_tag)):
            column.append(value)
    return ReadBlock(arrow().table(columns, schema=schema()), shapes, dropped)


@functools.cache
def schema() -> pa.Schema:
    """The columns of the table that all steps share."""
    found = arrow()
    text, texts = found.string(), found.list_(found.string())
    return found.schema(
        [
            ("id", text),
            ("source", text),
            ("source_id", text),
            ("turns", texts),
            ("n_user_turns", found.int32()),
            ("flags", texts),
            ("language", text),
            ("category_tag", text),
        ]
    )


def texts_of(table: pa.Table) -> list[str]:
    """The prompts of a table, each as one text."""
    return ["\n".join(turns) for turns in table.column("turns").to_pylist()]


def batches(table: Table, columns: list[str] | None = None, size: int = 5000) -> Iterator[pa.Table]:
    """A table in pieces that are worth a process's while."""
    for part in table.parts(columns):
        for at in range(0, part.num_rows, size):
            yield part.slice(at, size)
