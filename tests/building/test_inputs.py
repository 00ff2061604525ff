"""Files of conversations in every format, and what is no such file."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from arena_hard.building import inputs
from arena_hard.building.reading import read_block
from arena_hard.data.records import UserError

ROWS: list[dict[str, Any]] = [
    {"conversation_id": f"c{number}", "conversation": [
        {"role": "user", "content": f"Question {number} with a brace }} and \"quotes\" and a \\ sign\nand a line"},
        {"role": "assistant", "content": "[{answer}]"}], "language": "English"}
    for number in range(40)
]  # fmt: skip
PROMPTS = [row["conversation"][0]["content"] for row in ROWS]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def read(file: Path) -> tuple[list[str], list[str]]:
    """(prompts, names of the rows) of a file."""
    done: list[int] = []
    tables = [read_block(each, "single").table for each in inputs.blocks(file, inputs.format_of(file), done.append)]
    assert sum(done) == file.stat().st_size  # the bar ends at its end
    rows = pa.concat_tables(tables).to_pylist()
    return [row["turns"][0] for row in rows], [row["source_id"] for row in rows]


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "lines": ("JSONL", lambda: jsonl(ROWS)),
    "no last newline": ("JSONL", lambda: jsonl(ROWS).rstrip()),
    "windows": ("JSONL", lambda: b"\xef\xbb\xbf" + jsonl(ROWS).replace(b"\n", b"\r\n")),
    "array": ("JSON", lambda: json.dumps(ROWS).encode()),
    "indented array": ("JSON", lambda: json.dumps(ROWS, indent=2).encode()),
    "indented objects": ("JSON", lambda: b"\n".join(json.dumps(row, indent=2).encode() for row in ROWS)),
    "gzip": ("JSONL in gzip", lambda: gzip.compress(jsonl(ROWS))),
    "gzip members": (
        "JSONL in gzip",
        lambda: gzip.compress(jsonl(ROWS[:9])) + gzip.compress(jsonl(ROWS[9:])) + b"\0" * 99,
    ),
    "zstd": ("JSONL in zstd", lambda: zstandard.compress(jsonl(ROWS))),
    "zstd frames": ("JSONL in zstd", lambda: zstandard.compress(jsonl(ROWS[:9])) + zstandard.compress(jsonl(ROWS[9:]))),
    "array in gzip": ("JSON in gzip", lambda: gzip.compress(json.dumps(ROWS).encode())),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("block", [64, 8 << 20])
def test_every_format_holds_the_same_rows(
    name: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_BLOCK", block)
    said, content = FORMATS[name]
    file = tmp_path / "log"
    file.write_bytes(content())
    assert str(inputs.format_of(file)) == said
    assert read(file) == (PROMPTS, [row["conversation_id"] for row in ROWS])


@pytest.mark.parametrize("as_text", [False, True], ids=["lists", "JSON in texts"])
def test_parquet_holds_lists_or_json_as_text(as_text: bool, tmp_path: Path) -> None:
    file = tmp_path / "train-00000.parquet"
    tag = {"criteria_v0.1": {"specificity": True}}
    rows = [{**row, "score": 1.5, "category_tag": json.dumps(tag) if as_text else tag} for row in ROWS]
    if as_text:
        rows = [{**row, "conversation": json.dumps(row["conversation"])} for row in rows]
    pq.write_table(pa.Table.from_pylist(rows), file)
    assert str(inputs.format_of(file)) == "Parquet"
    assert read(file) == (PROMPTS, [row["conversation_id"] for row in ROWS])
    block = next(iter(inputs.blocks(file, inputs.format_of(file), lambda read: None)))
    assert json.loads(read_block(block, "single").table.column("category_tag").to_pylist()[0]) == tag


def test_a_file_of_several_shapes_is_read_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(jsonl([ROWS[0], {"prompt": "second"}, {"conversations": [{"from": "human", "value": "third"}]}]))
    block = next(iter(inputs.blocks(file, inputs.format_of(file), lambda read: None)))
    assert read_block(block, "single").shapes == {"conversation": 1, "prompt": 1, "conversations": 1}
    assert read(file) == ([PROMPTS[0], "second", "third"], ["c0", "2", "3"])


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is empty"),
        (b"  \n\n ", "is empty"),
        (b"question,answer\na,b\n", "begins with 'question,answer"),
        (b"<!doctype html><html>", "is a web page"),
        (b"PK\x03\x04abcd", "is an archive"),
        ("[]".encode("utf-16"), "is in UTF-16"),
        (jsonl(ROWS[:3]) + b'{"prompt": "a",}\n', r"log:4: .*Fix this row"),
        (jsonl(ROWS[:3]) + b"5\n", r"log:4: "),
        (jsonl(ROWS[:3]) + b'{"text": "a"}\n', r"log:4: no conversation: one of the keys .* there are text"),
        (jsonl(ROWS[:3]) + b'{"prompt": "a', r"log:4: the file ends within a row"),
        (b'[\n{"prompt": "a"},\n{"prompt": 5,,}\n]', r"log:3: "),
        (b'[\n{"prompt": "a"},\n{"messages": [{}]}\n]', r"log:3: a turn of messages says neither role"),
        (b'[\n{"prompt": "a"},\n{"prompt": "b"', r"log:2: the file ends|log:3: the file ends"),
        (b'[\n{"prompt": "a"},\n', r"the file ends"),
        (gzip.compress(jsonl(ROWS) * 50)[:-40], "is cut off"),
        (gzip.compress(jsonl(ROWS))[:-8] + b"12345678", "is damaged"),
        (zstandard.compress(jsonl(ROWS) * 50)[:-9], "is cut off"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_such_file_is_named_with_the_remedy(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        read(file)
    assert re.search(words, str(error.value)), error.value
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    "content, prompts",
    [
        (b'{"prompt": "half \\ud83d"}\n{"prompt": "b", "x": NaN}\n', ["half \ufffd", "b"]),
        (b'[{"prompt": "half \\ud83d"},\n{"prompt": "b", "x": NaN}]', ["half \ufffd", "b"]),
        (b'{"prompt": "no UTF-8: \xff"}\n{"prompt": "b"}{"prompt": "c"}\n', ["no UTF-8: \ufffd", "b", "c"]),
        (b'\n{"prompt": "a"}\n\n  \n{"prompt": "b"},\n', ["a", "b"]),
    ],
)
def test_what_other_readers_take_is_taken(content: bytes, prompts: list[str], tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(content)
    assert read(file)[0] == prompts


def test_parquet_without_a_known_column_names_those_that_it_has(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"], "label": [1]}), file)
    with pytest.raises(UserError, match="it has text, label"):
        read(file)


def test_a_row_in_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"messages": ['[{"role": "user", "content": "a"}]', '[{"content": "a"}]']}), file)
    with pytest.raises(UserError, match=r"a.parquet:2: a turn of messages"):
        read(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder. Name the files in it"):
        inputs.format_of(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        inputs.format_of(tmp_path / "none.jsonl")
