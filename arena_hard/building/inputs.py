"""Files of conversations: JSON, JSONL, Parquet, also in gzip or zstd; told by what they hold, not by their names.

A file is cut into blocks, which processes read side by side; each row knows its line (in Parquet: its row).
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.conversations import SHAPES, Conversation, Row, conversation_of, decode_row
from arena_hard.building.json_rows import JsonRows, torn
from arena_hard.building.tables import arrow, in_one_line, missing_package
from arena_hard.data import jsonl
from arena_hard.data.foreign_files import foreign_kind
from arena_hard.data.records import UserError

_BLOCK = 4 << 20
_CHUNK = 1 << 16  # of a compressed file, which may become a thousand times as large
_ROWS = 2000  # of a Parquet file
_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_COLUMNS = Row.__struct_fields__
_SAID = {*SHAPES, "input", "content", "value", "text", "role", "from"}  # keys whose bytes must be a text
_NO_UTF8 = "what a user said is not UTF-8"


@dataclass(frozen=True)
class Format:
    """What a file is: JSONL, JSON, Parquet; packed: in gzip or zstd."""

    kind: str
    packed: str = ""

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind} in {self.packed}" if self.packed else self.kind


@dataclass(frozen=True)
class Block:
    """A piece of a file. first: the number of its first row; data: bytes, or rows of a Parquet file.

    lines: where the rows of JSON begin, which are not lines; ends: where they end in the data.
    """

    file: Path
    first: int
    data: Any
    lines: tuple[int, ...] | None = None
    ends: tuple[int, ...] = ()


def format_of(file: Path) -> Format:
    """What a file is. Raises UserError for what is no file, empty or something else."""
    if file.is_dir():
        raise UserError(f"{file} is a folder. Name the files in it, like {file}/*.jsonl.")
    if not file.exists():
        raise UserError(f"{file} does not exist. Name a file of conversations (JSONL, JSON or Parquet).")
    start = _start(file)
    packed = "gzip" if start.startswith(_GZIP) else "zstd" if start.startswith(_ZSTD) else ""
    if start.startswith(_PARQUET):
        return Format("Parquet")
    if not packed and start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(foreign_kind(file) or f"{file} is not in UTF-8. Save it as UTF-8, then run again.")
    beginning = _beginning(file, packed)
    if not beginning:
        raise UserError(f"{file} is empty. Name a file of conversations (JSONL, JSON or Parquet).")
    if b"\0" in beginning[:2]:
        raise UserError(f"{file} is in UTF-16. Save it as UTF-8, then run again.")
    if beginning[:1] == b"\x1e":
        raise UserError(
            f"{file} is a JSON text sequence: the sign 0x1e stands before each row. Remove it, like "
            "tr -d '\\036' < FILE > NEW"
        )
    if beginning[:1] not in (b"[", b"{"):
        raise UserError(foreign_kind(file) if not packed and foreign_kind(file) else _not_json(file, beginning))
    return Format("JSON" if beginning[:1] == b"[" or re.match(rb"\{\s*\n", beginning) else "JSONL", packed)


def blocks(file: Path, form: Format, advance: Callable[[int], None]) -> Iterator[Block]:
    """The pieces of a file, in order. advance: is told the bytes of the file that were read."""
    try:
        if form.kind == "Parquet":
            yield from _of_parquet(file, advance)
        elif form.kind == "JSON":
            yield from _of_json(file, _unpacked(file, form.packed, advance))
        else:
            yield from _of_lines(file, _unpacked(file, form.packed, advance))
    except OSError as error:
        raise jsonl.unreadable(file, error) from None


def rows_of(block: Block) -> Iterator[tuple[int, Conversation]]:
    """(its number, conversation) of each row, as a line where rows are lines. Raises UserError with file and line."""
    for place, (number, span) in enumerate(_spans_of(block), block.first):
        if span.is_torn:
            raise UserError(torn(block.file, number))
        if (error := span.error or span.value) and isinstance(error, Exception):
            raise _broken(block.file, number, error)
        yield number if block.lines is None else place, span.value


def _spans_of(block: Block) -> Iterator[tuple[int, jsonl.Span]]:
    """(line, what stands there) of each row; what is no strict JSON, but can be read, is read."""
    if isinstance(block.data, bytes) and block.lines is None:
        for span in jsonl.spans(block.data.splitlines(keepends=True), _conversation):
            yield block.first + span.number - 1, span
        return
    for number, record in _records(block):
        for span in jsonl.spans([record], _conversation):
            yield number, span


def _records(block: Block) -> Iterator[tuple[int, bytes]]:
    if block.lines is not None:
        for line, start, end in zip(block.lines, (0, *block.ends), block.ends):
            yield line, block.data[start:end]
    else:
        as_texts = _with_texts if "binary" in str(block.data.schema) else lambda row: row
        for number, row in enumerate(block.data.to_pylist(), block.first):
            try:
                yield number, msgspec.json.encode(as_texts(row), enc_hook=str)
            except UnicodeError as error:
                raise _broken(block.file, number, ValueError(f"{_NO_UTF8} ({error})")) from None


def _with_texts(value: Any, key: str = "") -> Any:
    """A value of Parquet, where some writers leave texts as bytes. Raises UnicodeDecodeError for what users said."""
    if isinstance(value, dict):
        return {name: _with_texts(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_texts(each, key) for each in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            if key in _SAID:
                raise
    return value  # bytes that are no text are images or ids


def _broken(file: Path, number: int, error: Exception) -> UserError:
    return UserError(f"{file}:{number}: {error}. Fix this row or delete it; nothing was changed.")


def _conversation(record: bytes) -> Conversation | ValueError:
    """The conversation of a row, or why it is none. Raises one of jsonl.BROKEN for what is no strict JSON."""
    try:
        row = decode_row(record)
        return conversation_of(row, record)
    except jsonl.BROKEN:
        if (error := _not_utf8(record)) is not None:
            return error
        raise
    except ValueError as error:
        return error


def _not_utf8(record: bytes) -> ValueError | None:
    """Why a row is in another encoding, which no reader can guess: a prompt would come out with wrong letters."""
    try:
        record.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return None  # the file ends within a letter, and so within the row
        return ValueError(
            f"{_NO_UTF8} (byte {record[error.start]:#x}). Save the whole file as UTF-8, like "
            "iconv -f CP1252 -t UTF-8 FILE > NEW"
        )
    return None


# ------------------------------------------------------------------------------------- what a file begins with


def _start(file: Path) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(4)
    except OSError as error:
        raise jsonl.unreadable(file, error) from None


def _beginning(file: Path, packed: str) -> bytes:
    """The first bytes that are no white space."""
    for piece in _unpacked(file, packed, lambda read: None):
        if found := piece.removeprefix(jsonl.BOM).lstrip():
            return found[:256]
    return b""


def _not_json(file: Path, beginning: bytes) -> str:
    shown = beginning[:40].decode("utf-8", "replace")
    return (
        f"{file} holds neither JSON nor Parquet: it begins with {shown!r}. Name a file of conversations; of a table "
        "make JSONL with one of the keys " + ", ".join(SHAPES) + "."
    )


# ------------------------------------------------------------------------------------- pieces of bytes


def _unpacked(file: Path, packed: str, advance: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of a file, unpacked. Raises UserError for one that is cut off or damaged."""
    with open(file, "rb") as stream:
        if not packed:
            while piece := stream.read(_BLOCK):
                advance(len(piece))
                yield piece
        else:
            yield from _gathered(_decompressed(file, packed, iter(lambda: stream.read(_CHUNK), b""), advance))


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same in pieces that are worth a block."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _decompressed(file: Path, packed: str, pieces: Iterable[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    """Members (gzip) or frames (zstd) one after the other."""
    new, errors = _unpacker(packed)
    unpacker: Any = None
    try:
        for piece in pieces:
            advance(len(piece))
            while piece:
                if unpacker is None and packed == "gzip" and not piece.strip(b"\0"):
                    break  # what tapes and some servers fill up with
                unpacker = unpacker or new()
                yield unpacker.decompress(piece)
                piece = unpacker.unused_data if unpacker.eof else b""
                unpacker = None if unpacker.eof else unpacker
    except errors as error:
        raise UserError(f"{file} is damaged ({packed}: {error}). Fetch or copy it again.") from None
    if unpacker is not None:
        raise UserError(f"{file} is cut off: its {packed} data does not end. Fetch or copy it again.")


def _unpacker(packed: str) -> tuple[Callable[[], Any], type[Exception]]:
    if packed == "gzip":
        return (lambda: zlib.decompressobj(wbits=31)), zlib.error
    try:
        import zstandard
    except ImportError:
        raise UserError(missing_package("zstandard")) from None
    return zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError


# ------------------------------------------------------------------------------------- pieces of rows


def _of_lines(file: Path, pieces: Iterable[bytes]) -> Iterator[Block]:
    first, waiting = 1, [b""]
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        waiting.append(piece[:cut] if cut else piece)
        if cut and sum(map(len, waiting)) >= _BLOCK // 2:
            data = b"".join(waiting)
            yield Block(file, first, data)
            first += data.count(b"\n")
            waiting = [piece[cut:]]
        elif cut:
            waiting.append(piece[cut:])
    if rest := b"".join(waiting):
        yield Block(file, first, rest)


def _of_json(file: Path, pieces: Iterable[bytes]) -> Iterator[Block]:
    """The rows of JSON lists, or objects over several lines one after the other."""
    rows, first = JsonRows(file), 1
    for piece in pieces:
        if found := rows.feed(piece):
            lines, records = zip(*found)
            yield Block(file, first, b"".join(records), lines, tuple(itertools.accumulate(map(len, records))))
            first += len(found)
    rows.close()


def _of_parquet(file: Path, advance: Callable[[int], None]) -> Iterator[Block]:
    found = arrow()
    try:
        opened = found.parquet.ParquetFile(file)
        columns = [name for name in opened.schema_arrow.names if name in _COLUMNS]
        if not set(columns) & SHAPES.keys():
            named = ", ".join(opened.schema_arrow.names[:12])
            raise UserError(
                f"{file} holds no column {', '.join(SHAPES)}: it has {named}. Rename the one with the texts."
            )
        size, count = file.stat().st_size, max(1, opened.metadata.num_rows)
        first = 1
        for batch in opened.iter_batches(batch_size=_ROWS, columns=columns):
            advance(size * batch.num_rows // count)
            yield Block(file, first, found.Table.from_batches([batch]))
            first += batch.num_rows
    except (found.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # of the system, not of what the file holds
        raise UserError(f"{file} cannot be read as Parquet ({in_one_line(error)}). Fetch or copy it again.") from None
