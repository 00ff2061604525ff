from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

class ArrowException(Exception): ...

class Schema:
    names: list[str]

class Indices:
    def to_numpy(self, zero_copy_only: bool = ...) -> npt.NDArray[np.integer[Any]]: ...

class Values:
    def to_pylist(self) -> list[object]: ...

class Chunk:
    """One piece of a column; `dictionary` and `indices` only where it is encoded as a dictionary."""

    null_count: int
    dictionary: Values
    indices: Indices
    def dictionary_encode(self) -> Chunk: ...

class ChunkedArray:
    chunks: list[Chunk]

class Table:
    column_names: list[str]
    def column(self, name: str) -> ChunkedArray: ...

def table(data: Mapping[str, Any]) -> Table: ...
def __getattr__(name: str) -> Any: ...  # the benchmarks build tables with more of it
