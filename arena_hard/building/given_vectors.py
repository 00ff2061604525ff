"""Vectors of one's own: a Parquet table with the columns id and embedding, or NAME.npy with the ids in NAME.ids.txt.

The ids are those of the table that is embedded (`id` in language.parquet, which --until language leaves).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arena_hard.building.arrays import Floats
from arena_hard.building.runner import fingerprint
from arena_hard.building.settings import EmbeddingSettings
from arena_hard.building.tables import Table, arrow
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError

_PIECE = 20_000
_COLUMNS = ("embedding", "embeddings", "vector")


def file_of(settings: EmbeddingSettings) -> Path:
    """The file that the config names. Raises UserError."""
    assert settings.file is not None  # the settings were checked
    file = Path(settings.file)
    if file.suffix not in (".npy", ".parquet"):
        raise UserError(f"embedding: file: {file} is neither .npy nor .parquet. Write the vectors as one of them.")
    for each in (file, *_beside(file)):
        if not each.is_file():
            what = "the ids of its rows, one on a line" if each != file else "the vectors"
            raise UserError(f"embedding: file: {each} does not exist. It should hold {what}.")
    return file


def fingerprint_of(settings: EmbeddingSettings) -> list[dict[str, Any]]:
    """What tells the file from another one. Raises UserError."""
    file = file_of(settings)
    return [fingerprint(each) for each in (file, *_beside(file))]


def _beside(file: Path) -> list[Path]:
    return [file.with_suffix(".ids.txt")] if file.suffix == ".npy" else []


def vectors(settings: EmbeddingSettings, rows: Table) -> Iterator[Floats]:
    """The vectors of the rows, found by their ids. Raises UserError where some are missing or no numbers."""
    file = file_of(settings)
    ids, found = _of_parquet(file) if file.suffix == ".parquet" else _of_npy(file)
    if found.ndim != 2 or len(found) != len(ids) or not np.issubdtype(found.dtype, np.floating):
        raise UserError(
            f"{file}: {counted(len(ids), 'id')} and an array of shape {found.shape} ({found.dtype}). One row of "
            "floating point numbers for each id is expected."
        )
    place = {key: row for row, key in enumerate(ids)}
    again = [row for row, key in enumerate(ids) if place[key] != row] if len(place) < len(ids) else []
    if other := [ids[row] for row in again if not np.array_equal(found[row], found[place[ids[row]]], equal_nan=True)]:
        raise UserError(
            f"{file}: {counted(len(set(other)), 'id')} with several vectors that differ (first {other[0]}). Keep one "
            "of each."
        )
    wanted = rows.column("id")
    missing = [key for key in wanted if key not in place]
    if missing:
        raise UserError(
            f"{file} has no vector for {counted(len(missing), 'prompt')} of {len(wanted)} (first {missing[0]}): it is "
            "of other rows. Embed the prompts in language.parquet and write their ids beside the vectors."
        )
    for at in range(0, len(wanted), _PIECE):
        piece = np.asarray(found[[place[key] for key in wanted[at : at + _PIECE]]], np.float32)
        if not np.isfinite(piece).all():
            bad = wanted[at + int(np.flatnonzero(~np.isfinite(piece).all(axis=1))[0])]
            raise UserError(f"{file}: the vector of {bad} holds what is no number. Embed it again.")
        yield piece


def _of_npy(file: Path) -> tuple[Sequence[str], npt.NDArray[Any]]:
    try:
        found: Any = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{file} cannot be read ({error}). Write it with numpy.save.") from None
    return _beside(file)[0].read_text(encoding="utf-8").split(), found


def _of_parquet(file: Path) -> tuple[Sequence[str], npt.NDArray[Any]]:
    parquet = arrow().parquet
    try:
        names = parquet.read_schema(file).names
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({error}). Write it as Parquet.") from None
    column = next((name for name in _COLUMNS if name in names), None)
    if "id" not in names or column is None:
        raise UserError(f"{file} has the columns {', '.join(names)}; id and embedding are expected. Rename them.")
    table = parquet.read_table(file, columns=["id", column])
    lists = table.column(column).combine_chunks()
    lengths = set(lists.value_lengths().to_pylist()) if hasattr(lists, "value_lengths") else set[int]()
    if len(lengths) != 1 or None in lengths:
        raise UserError(f"{file}: {column} must hold lists of numbers, all of one length. Write them so.")
    flat = np.asarray(lists.flatten().to_numpy(zero_copy_only=False))
    return [str(key) for key in table.column("id").to_pylist()], flat.reshape(len(table), -1)
