"""Vectors of one's own are found by id, and refused where they are of other prompts or no vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from arena_hard.building import given_vectors
from arena_hard.building.settings import EmbeddingSettings
from arena_hard.building.tables import Table
from arena_hard.data.records import UserError

IDS = ["a", "b", "c"]
VECTORS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float64)


@pytest.fixture
def rows(tmp_path: Path) -> Table:
    """The prompts, in another order than the vectors, of which there are more."""
    file = tmp_path / "language.parquet"
    pyarrow.parquet.write_table(pa.table({"id": ["c", "a"]}), file)
    return Table(file)


def as_npy(folder: Path, ids: list[str], vectors: Any) -> EmbeddingSettings:
    np.save(folder / "mine.npy", vectors)
    (folder / "mine.ids.txt").write_text("\n".join(ids))
    return EmbeddingSettings(kind="file", file=str(folder / "mine.npy"))


def as_parquet(folder: Path, ids: list[str], vectors: Any) -> EmbeddingSettings:
    table = pa.table({"id": ids, "embedding": [list(vector) for vector in vectors]})
    pyarrow.parquet.write_table(table, folder / "mine.parquet")
    return EmbeddingSettings(kind="file", file=str(folder / "mine.parquet"))


@pytest.mark.parametrize("write", [as_npy, as_parquet])
def test_vectors_are_found_by_id(write: Any, tmp_path: Path, rows: Table) -> None:
    twice = np.vstack([VECTORS, VECTORS[:1]])  # the same prompt with the same vector contradicts nothing
    found = np.vstack(list(given_vectors.vectors(write(tmp_path, [*IDS, IDS[0]], twice), rows)))
    assert found.dtype == np.float32 and found.tolist() == [[5.0, 6.0], [1.0, 2.0]]


@pytest.mark.parametrize("write", [as_npy, as_parquet])
def test_vectors_of_other_prompts_are_refused(write: Any, tmp_path: Path, rows: Table) -> None:
    with pytest.raises(UserError, match=r"no vector for 1 prompt of 2 \(first c\)"):
        list(given_vectors.vectors(write(tmp_path, ["a", "b"], VECTORS[:2]), rows))


@pytest.mark.parametrize(
    ("ids", "vectors", "said"),
    [
        (IDS, VECTORS[:2], "3 ids and an array of shape"),
        (IDS, VECTORS.astype(int), "floating point numbers"),
        (IDS, np.array([[1.0, 2.0], [3.0, 4.0], [np.nan, 1.0]]), "the vector of c holds what is no number"),
        (IDS, np.array(["x", "y", "z"]), "shape"),
        ([*IDS, "b", "a"], np.array([*VECTORS, VECTORS[1], VECTORS[2]]), r"1 id with several .* \(first a\). Keep one"),
    ],
)
def test_what_is_no_vector_for_each_id_is_refused(
    ids: list[str], vectors: Any, said: str, tmp_path: Path, rows: Table
) -> None:
    with pytest.raises(UserError, match=said):
        list(given_vectors.vectors(as_npy(tmp_path, ids, vectors), rows))


def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, rows: Table) -> None:
    def said(name: str) -> str:
        settings = EmbeddingSettings(kind="file", file=str(tmp_path / name))
        with pytest.raises(UserError) as refusal:
            given_vectors.file_of(settings)
            list(given_vectors.vectors(settings, rows))
        return str(refusal.value)

    assert "neither .npy nor .parquet" in said("mine.pt")
    assert "does not exist" in said("mine.parquet")
    np.save(tmp_path / "alone.npy", VECTORS)
    assert "alone.ids.txt does not exist" in said("alone.npy")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    assert "torn.parquet cannot be read" in said("torn.parquet")
    pyarrow.parquet.write_table(pa.table({"key": IDS}), tmp_path / "other.parquet")
    assert "id and embedding are expected" in said("other.parquet")
    uneven = pa.table({"id": IDS, "embedding": [[1.0], [1.0, 2.0], [1.0]]})
    pyarrow.parquet.write_table(uneven, tmp_path / "uneven.parquet")
    assert "all of one length" in said("uneven.parquet")
