from os import PathLike
from typing import Any

from pyarrow import Schema, Table

def read_schema(where: str | PathLike[str]) -> Schema: ...
def read_table(
    source: str | PathLike[str], *, columns: list[str] | None = ..., read_dictionary: list[str] | None = ...
) -> Table: ...
def __getattr__(name: str) -> Any: ...  # writing, in the benchmarks and tests
