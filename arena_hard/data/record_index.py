"""What is known of a record file that has not changed since it was read: the id and the facts of each record, no texts.

Kept in data/BENCH/cache/index/, a file for each record file and each kind of reader. It counts only for the code that
made it (readers.py), and only while the record file is provably the same (inode, size, both its times); one that was
written within the last seconds could change once more without showing it, and one of which something has to be said to
people is read each time, so that it is said each time. An index may be deleted, torn, or written by two runs at once:
what does not fit its own digest is no index.
"""

from __future__ import annotations

import hashlib
import os
import time
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.columns import Column, Places
from arena_hard.data.paths import Bench
from arena_hard.data.readers import READERS, code_of
from arena_hard.data.saved import MARK, digest_of, opened, save

K = TypeVar("K", bound=Hashable)

FRESH_SECONDS = 2.0  # the coarsest clock that a file system may have
SMALL = 1 << 17  # bytes of a file that is read as quickly as its index
_WORTH = 250_000_000  # bytes of records that are read in half a second: of fewer, who only reads leaves nothing
_IDS_KEPT = 8  # lists of ids; the files of a bench mostly have the same


def mark_of(texts: Iterable[str]) -> bytes:
    """A digest of some texts, each with its length."""
    digest = hashlib.blake2b(digest_size=MARK)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """What tells a file and its state from others, in nanoseconds; a device has another number after each start."""

    inode: int
    size: int
    written: int
    changed: int


NO_STAMP = Stamp(0, 0, 0, 0)


def stamp_of(file: Path | str) -> Stamp | None:
    """The stamp of a file; None where it is not there."""
    try:
        return stamp_from(os.stat(file))
    except OSError:
        return None


def stamp_from(status: os.stat_result) -> Stamp:
    """The stamp of a file of which the system says this."""
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_large(stamp: Stamp | None) -> bool:
    """Whether a file is worth an index."""
    return stamp is not None and stamp.size >= SMALL


def is_worth_keeping(size: int) -> bool:
    """Whether so many bytes of records are worth a file that spares somebody their reading."""
    return size >= _WORTH


Row = tuple[str, K, tuple[bytes, ...]]  # a record's id, what it has in common with many others, digests of its own


class Gathered(msgspec.Struct, Generic[K], frozen=True):
    """The records of a file as they were read: the id, and the code of the kind, of each.

    marks: columns of MARK bytes a record; whole: what is known of the file as a whole.
    """

    ids: Sequence[str]
    kinds: Sequence[K]
    codes: Sequence[int]
    marks: Sequence[bytes] = ()
    whole: Any = None


class Records(Generic[K]):
    """What is known of a record file. marks: columns of MARK bytes a record; digest: of all of it.

    stamp: that of the file, where there is one; whole: what is known of the file as a whole.
    """

    def __init__(
        self,
        places: Places,
        kinds: Sequence[K],
        codes: Sequence[int],
        marks: Sequence[bytes],
        digest: bytes,
        stamp: Stamp = NO_STAMP,
        whole: Any = None,
    ) -> None:
        self.places, self.kinds, self.codes, self.marks, self.digest = places, kinds, codes, marks, digest
        self.stamp, self.whole = stamp, whole

    @property
    def by_id(self) -> Column[K]:
        """The kind of each id's last record."""
        return Column(self.places, self.kinds, self.codes)

    def all(self) -> Iterator[tuple[str, K]]:
        """The id and the kind of each record, in the order of the file."""
        return zip(self.places.ids, map(self.kinds.__getitem__, self.codes))

    def mark(self, key: str, column: int = 0) -> bytes:
        """The mark of an id's last record. Raises KeyError."""
        place = MARK * self.places.of[key]
        return self.marks[column][place : place + MARK]

    def marked(self, column: int = 0) -> Iterator[tuple[str, bytes]]:
        """The mark of each record, in the order of the file."""
        marks = self.marks[column] if self.marks else b""
        return zip(self.places.ids, (marks[place : place + MARK] for place in range(0, len(marks), MARK)))


def _format() -> str:
    """What an index must have been made by to be believed: this layout, and the same readers."""
    return f"4 {code_of(*READERS).hex()}"


class _Head(msgspec.Struct, array_like=True):
    """What stands before the ids in the file of an index."""

    format: str
    stamp: Stamp
    kinds: msgspec.Raw
    codes: bytes
    wide: bool
    marks: list[bytes]
    ids: bytes
    whole: msgspec.Raw
    digest: bytes = b""


def index_file(bench: Bench, file: Path, ending: str = ".index", keep: bool = True) -> Path | None:
    """Where the index of a record file is; None for one outside the bench, or that neither is there nor may come."""
    if not keep and not (bench.folder / "cache" / "index").is_dir():
        return None
    try:
        inside = file.relative_to(bench.folder)
    except ValueError:
        return None
    return bench.folder / "cache" / "index" / inside.with_name(inside.name.removesuffix(".jsonl") + ending)


Read = Callable[[list[jsonl.Remark]], "Iterable[Row[K]] | Gathered[K]"]


def known(
    index: Path | None, file: Path, kind: type[K], read: Read[K], keep: bool = True
) -> tuple[Records[K], list[jsonl.Remark]]:
    """What is known of a file: by its index, else read and, where that can be trusted later, kept.

    read: its records; adds to the list what there is to say of them, which is handed on. keep: whether an index may be
    written; else the records have no digest.
    """
    before, began = stamp_of(file), time.time_ns()
    if not is_large(before):
        index = None
    if at_hand := found_in(index, file, kind):
        return at_hand, []
    said: list[jsonl.Remark] = []
    found = read(said)
    if not keep:
        each = found if isinstance(found, Gathered) else _gathered(found)
        places = _places(digest_of(ids := _joined(each.ids)), ids)
        return Records(places, each.kinds, each.codes, each.marks, b"", before or NO_STAMP, each.whole), said
    head, ids = _head_of(found)
    head.stamp = before or head.stamp
    if index and not said and is_settled(file, before, began):
        save(index, msgspec.msgpack.encode(head), ids)
    return _records(head, ids, kind), said


def found_in(index: Path | None, file: Path, kind: type[K]) -> Records[K] | None:
    """What an index knows of a file as it is; None where it is small, or has none that fits."""
    stamp = stamp_of(file)
    return _load(index, stamp, kind) if index and stamp and is_large(stamp) else None


def records_of(rows: Iterable[Row[K]], kind: type[K]) -> Records[K]:
    """What is known of some records."""
    return _records(*_head_of(rows), kind)


def is_settled(file: Path, before: Stamp | None, at: int | None = None) -> bool:
    """Whether a file is the same as before, or still not there, and would show a change since `at`, or from now on."""
    return (before is None or is_old(before, at or time.time_ns())) and stamp_of(file) == before


def is_old(stamp: Stamp, at: int) -> bool:
    """Whether a file with this stamp would show it if it were changed from a time on, in nanoseconds."""
    return at - max(stamp.written, stamp.changed) > FRESH_SECONDS * 1e9


def _gathered(rows: Iterable[Row[K]]) -> Gathered[K]:
    """Records that come one after the other."""
    numbers: dict[K, int] = {}
    keys: list[str] = []
    codes = array("I")
    marks: list[bytearray] = []
    for key, kind, own in rows:
        keys.append(key)
        codes.append(numbers.setdefault(kind, len(numbers)))
        marks = marks or [bytearray() for _ in own]
        for column, mark in zip(marks, own):
            column += mark
    return Gathered(keys, list(numbers), codes, list(map(bytes, marks)))


def _head_of(rows: Iterable[Row[K]] | Gathered[K]) -> tuple[_Head, bytes]:
    """The index of some records, without a stamp, and their ids."""
    found = rows if isinstance(rows, Gathered) else _gathered(rows)
    wide = len(found.kinds) > 256
    packed = array("I", found.codes).tobytes() if wide else bytes(list(found.codes))
    ids = _joined(found.ids)
    kinds, whole = (msgspec.Raw(msgspec.msgpack.encode(each)) for each in (list(found.kinds), found.whole))
    head = _Head(_format(), NO_STAMP, kinds, packed, wide, list(found.marks), digest_of(ids), whole)
    head.digest = digest_of(msgspec.msgpack.encode(head))
    return head, ids


_last_joined: tuple[Sequence[str], bytes] = (), b""


def _joined(ids: Sequence[str]) -> bytes:
    """Ids as they are kept; those of one file are mostly those of the last."""
    global _last_joined
    if ids != _last_joined[0]:
        _last_joined = ids, b"".join(map(_packed, ids))
    return _last_joined[1]


def _packed(key: str) -> bytes:
    data = key.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(4, "little") + data


def _records(head: _Head, ids: bytes, kind: type[K]) -> Records[K]:
    kinds = [msgspec.convert(each, kind) for each in msgspec.msgpack.decode(head.kinds)]
    codes: Sequence[int] = array("I", head.codes) if head.wide else head.codes
    whole = msgspec.msgpack.decode(head.whole)
    return Records(_places(head.ids, ids), kinds, codes, head.marks, head.digest, head.stamp, whole)


_known_places: dict[bytes, Places] = {}


def _places(digest: bytes, ids: bytes) -> Places:
    """The ids as a list, which all files with the same ones share."""
    if digest not in _known_places:
        while len(_known_places) >= _IDS_KEPT:
            del _known_places[next(iter(_known_places))]
        _known_places[digest] = Places(list(_unpacked(ids)))
    return _known_places[digest]


def _unpacked(ids: bytes) -> Iterator[str]:
    place = 0
    while place < len(ids):
        end = place + 4 + int.from_bytes(ids[place : place + 4], "little")
        yield ids[place + 4 : end].decode("utf-8", "surrogatepass")
        place = end


def _load(index: Path, stamp: Stamp, kind: type[K]) -> Records[K] | None:
    """The records of an index that has this stamp; None for any other, or none."""
    try:
        with opened(index) as (data, rest):
            head = msgspec.msgpack.decode(data, type=_Head)
            if head.stamp != stamp or head.format != _format():
                return None
            ids = b"" if head.ids in _known_places else rest()
            if ids and digest_of(ids) != head.ids:
                return None
            return _records(head, ids, kind)
    except (OSError, ValueError, msgspec.DecodeError):
        return None
