"""Files of conversations in every format, and what is no such file."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from arena_hard.building import inputs, json_rows
from arena_hard.building.json_rows import JsonRows
from arena_hard.building.reading import read_block
from arena_hard.building.tables import Table
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
    assert read(file)[0] == [PROMPTS[0], "second", "third"]
    first, *others = read(file)[1]
    file.write_bytes(
        jsonl([{"prompt": "zero"}, {"conversations": [{"from": "human", "value": "third"}]}, {"prompt": "second"}])
    )
    assert first == "c0" and read(file)[1][:0:-1] == others  # what has no id is known by what it says, wherever it is


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is empty"),
        (b"  \n\n ", "is empty"),
        (b"question,answer\na,b\n", "begins with 'question,answer"),
        (b"<!doctype html><html>", "is a web page"),
        (b"PK\x03\x04abcd", "is an archive"),
        ("[]".encode("utf-16"), "is in UTF-16"),
        ('{"prompt": "a"}\n'.encode("utf-16-le"), "log is in UTF-16. Save it as UTF-8"),
        ('[{"prompt": "a"}]'.encode("utf-16-be"), "log is in UTF-16. Save it as UTF-8"),
        (b'\x1e{"prompt": "a"}\n', r"log is a JSON text sequence: .* Remove it, like tr -d '.036' <"),
        (b'{"prompt": "a"}\n{}\n', r"log:2: no conversation: one of the keys .* there are none"),
        (jsonl(ROWS[:3]) + b'{"prompt": "a",}\n', r"log:4: .*Fix this row"),
        (jsonl(ROWS[:3]) + b"5\n", r"log:4: "),
        (jsonl(ROWS[:3]) + b'{"text": "a"}\n', r"log:4: no conversation: one of the keys .* there are text"),
        (jsonl(ROWS[:3]) + b'{"prompt": "a', r"log:4: the file ends within a row"),
        (b'[\n{"prompt": "a"},\n{"prompt": 5,,}\n]', r"log:3: "),
        (b'[\n{"prompt": "a"},\n{"messages": [{}]}\n]', r"log:3: a turn of messages says neither role"),
        (b'[\n{"prompt": "a"},\n{"prompt": "b"', r"log:2: the file ends|log:3: the file ends"),
        (b'[\n{"prompt": "a"},\n', r"log:3: the file ends before its list does"),
        (b'[{"prompt": "a"},\n "text", {"prompt": "b"}]', r"log:2: '\"text\", .* is no row: each must be an object"),
        (b'{"prompt": "a"}\n{"prompt": "K\xf6nnten Sie"}\n', r"log:2: .*not UTF-8 \(byte 0xf6\).*iconv"),
        (b'[{"prompt": "a"},\n{"prompt": "K\xf6nnten Sie"}]', r"log:2: .*not UTF-8"),
        (b'{"prompt": "a"}\n{"prompt": "\xc3', r"log:2: the file ends within a row"),
        (b'["a", "b"]', "log:1: .* is no row"),
        (b'[{"prompt": "a"},\n7, null, {"prompt": "b"}]', "log:2: '7, null' is no row"),
        (b'[{"prompt": "a"}, null]', "log:1: 'null' is no row"),
        (b'[{"prompt": "a"} junk {"prompt": "b"}]', "log:1: 'junk' is no row"),
        (b'[{"prompt": "a"}]}', "log:1: '}' is no row"),
        (b'[{"prompt": "a"}, [{"prompt": "b"}]]', "log:1: "),
        (gzip.compress(jsonl(ROWS) * 50, mtime=0)[:-40], "is cut off"),
        (gzip.compress(jsonl(ROWS), mtime=0)[:-8] + b"12345678", "is damaged"),
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
        (b'{"prompt": "a"}\n{"prompt": "b"}{"prompt": "c"}\n', ["a", "b", "c"]),
        (b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\xf6"}]}\n', ["a"]),
        (b'\n{"prompt": "a"}\n\n  \n{"prompt": "b"},\n', ["a", "b"]),
        (b'[{"prompt": "a"}]\n[{"prompt": "b"},]\n', ["a", "b"]),
    ],
)
def test_what_other_readers_take_is_taken(content: bytes, prompts: list[str], tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(content)
    assert read(file)[0] == prompts


@pytest.mark.parametrize("block", range(1, 40))
def test_a_brace_in_a_text_ends_no_row_wherever_the_file_is_cut(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_BLOCK", block)
    file = tmp_path / "log"
    file.write_bytes(b'[{"prompt": "if (x) } { \\" ] \\\\"},\n\n{"prompt": "b"}]')
    assert read(file)[0] == ['if (x) } { " ] \\', "b"]


def test_a_row_longer_than_many_blocks_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, text = JsonRows(Path("log")), b"x" * 1000
    looked: list[int] = []

    class Counted:
        """A pattern that notes how much it passes over."""

        def __init__(self, pattern: re.Pattern[bytes]) -> None:
            self._pattern = pattern

        def match(self, data: bytes, at: int) -> re.Match[bytes] | None:
            looked.append(len(data) - at)
            return self._pattern.match(data, at)

        def finditer(self, data: bytes, at: int) -> Iterator[re.Match[bytes]]:
            looked.append(len(data) - at)
            return self._pattern.finditer(data, at)

    for name in ("_TOKEN", "_REST"):
        monkeypatch.setattr(json_rows, name, Counted(getattr(json_rows, name)))
    pieces = [b'{"prompt": "', *[text] * 50, b'", "x": [', *[b'{"y": "z"},'] * 50, b"0]}"]
    found = [row for piece in pieces for row in rows.feed(piece)]
    rows.close()
    assert found == [(1, b"".join(pieces))]
    assert sum(looked) < 2 * len(found[0][1])


def test_a_row_with_a_turn_that_is_null_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    nulls: list[dict[str, Any]] = [
        {"id": 1, "conversation": [None, *ROWS[0]["conversation"]]},
        {"id": 2, "turns": ["a", None]},
        {"id": 3, "conversation": None},
    ]
    file.write_bytes(jsonl([*nulls, ROWS[1]]))
    block = read_block(next(iter(inputs.blocks(file, inputs.format_of(file), lambda read: None))), "single")
    assert block.dropped == {"with a broken turn": [("1", ""), ("2", "")], "without a user's turn": [("3", "")]}
    assert block.table.column("turns").to_pylist() == [[PROMPTS[1]]]


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


def damaged(file: Path) -> Path:
    """A Parquet file of the size it should have, whose pages are lost and whose end is whole."""
    pq.write_table(pa.table({"prompt": [f"{number} {'word ' * number}" for number in range(300)]}), file)
    data = file.read_bytes()
    file.write_bytes(data[:4] + bytes(len(data) // 2) + data[4 + len(data) // 2 :])
    return file


def test_parquet_with_damaged_pages_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a.parquet cannot be read as Parquet .* Fetch or copy it again"):
        read(damaged(tmp_path / "a.parquet"))
    for reading in (lambda table: table.read(), lambda table: list(table)):
        with pytest.raises(UserError, match=r"a.parquet cannot be read .* Delete it and run build_bench.py again"):
            reading(Table(tmp_path / "a.parquet"))


BYTES = pa.binary()


def test_texts_that_parquet_holds_as_bytes_are_texts(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    turn = pa.struct([("role", BYTES), ("content", BYTES), ("image", BYTES)])
    columns = {
        "messages": pa.array(
            [None, [{"role": b"user", "content": "schön".encode(), "image": b"\xff"}]], pa.list_(turn)
        ),
        "prompt": pa.array(["Wie geht's, Jürgen?".encode(), None], pa.large_binary()),
        "id": pa.array([b"one", b"two"], BYTES),
    }
    pq.write_table(pa.table(columns), file)
    assert read(file) == (["Wie geht's, Jürgen?", "schön"], ["one", "two"])


@pytest.mark.parametrize(
    "column", [pa.array([b"a", b"K\xf6nnten"], BYTES), pa.array([["a"], [b"\xf6"]], pa.list_(BYTES))]
)
def test_bytes_in_parquet_that_are_no_text_are_named(column: pa.Array, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"prompt": column}), file)
    with pytest.raises(UserError, match=r"a.parquet:2: what a user said is not UTF-8"):
        read(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder. Name the files in it"):
        inputs.format_of(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        inputs.format_of(tmp_path / "none.jsonl")
