"""Writing records so that a record counts as done only when it is on disk.

One thread writes for all files: what has gathered since the last lot goes out together, with one fsync for each file,
so that safety costs the event loop nothing. A record that comes alone is written at once; of many, none waits longer
than until a hundredth of a second after the lot before it.

Others may save, move or remove a file meanwhile (an editor, `sed -i`, `rm`). Before each lot the file is compared with
how it was left; where it is another one, the run goes on in the file that is there and adds what it has lost. The old
one is still open, so that what was there before the run is not lost either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import tempfile
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import filelock

from arena_hard.data import jsonl, record_lines
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError

LOTS_APART = 0.01  # seconds; with a thousand replies a second, a lot for each would take more CPU than the replies


def is_being_written(file: Path) -> bool:
    """Whether a run is at work on a file."""
    lock = _lock_of(file)
    if not os.path.exists(lock.lock_file):
        return False
    try:
        with lock:
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a folder that may only be read
        return False


def _lock_of(file: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(file.with_name(f".{file.name}.lock"), timeout=0)


@contextlib.contextmanager
def alone_in(folder: Path) -> Generator[None]:
    """A folder that is made, and in which no other run is at work while the body is. Raises UserError."""
    lock = _lock_of(folder / "run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise UserError(f"{folder} is being worked on by another run. Wait for it to end, or stop it.") from None
    except OSError as error:
        raise jsonl.not_writable(folder, error) from None
    try:
        yield
    finally:
        lock.release()


class RecordWriter:
    """Appends records to files that no other run can write at the same time.

    say: told, in a line for people, when somebody else has changed a file.
    """

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self._say = say
        self._files: dict[Path, _OpenFile] = {}
        self._locks: list[filelock.BaseFileLock] = []
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="record-writer", daemon=True)
        self._started = False
        self._ends = threading.Event()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, file: Path, replacing: Collection[str] = ()) -> int:
        """Lock a file, repair its end and keep it open. Returns the bytes of a torn line cut off.

        replacing: question ids of records in the file that this run writes anew. Raises UserError when another run
        has the file or it cannot be written.
        """
        if file in self._files:
            return 0  # two models may record into one file
        lock = _lock_of(file)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            self._locks.append(lock)
            torn = jsonl.repair(file)
            self._files[file] = _OpenFile(file, frozenset(replacing))
        except filelock.Timeout:
            raise UserError(f"{file} is being written by another run. Wait for it to end, or stop it.") from None
        except OSError as error:
            raise jsonl.not_writable(file, error) from None
        return torn

    async def write(self, file: Path, make_row: Callable[[], dict[str, Any]]) -> None:
        """Append one record; returns when it is on disk. Raises UserError when it cannot be written.

        `make_row` is called by the writing thread, so that counting tokens does not hold the loop up.
        """
        await self.writing(file, make_row)

    def writing(self, file: Path, make_row: Callable[[], dict[str, Any]]) -> asyncio.Future[None]:
        """The same, begun at once; whoever stops waiting does not stop it."""
        if not self._started:
            self._started = True
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put(_Item(file, make_row, loop, done))
        return done

    def finish(self, file: Path) -> None:
        """Close a file to which nothing more is written; its lock stays. Raises UserError when it lost records.

        Nothing may be waiting to be written to it. A file without any record goes: it would look like a model's.
        """
        opened = self._files.pop(file)
        with contextlib.closing(opened):
            self._check(opened)
            opened.remove_if_empty()

    def close(self) -> None:
        """Write what is left, close the files, give the locks back. Raises UserError when one of them lost records."""
        if self._started:
            self._ends.set()
            self._queue.put(None)
            self._thread.join()
            self._started = False
        with contextlib.ExitStack() as stack:
            for lock in self._locks:
                stack.callback(lock.release)
            self._locks.clear()
            for file in list(self._files):
                stack.callback(self.finish, file)

    def _check(self, opened: _OpenFile) -> None:
        """Go on in the file that is there now. Raises UserError when that cannot be done."""
        if not opened.was_changed():
            return
        try:
            added = opened.go_on()
        except (OSError, UserError) as failure:
            saved = opened.rescue()
            raise UserError(
                f"{opened.path} was changed by another program and cannot be written any more ({failure}). What this "
                f"run wrote to it is in {saved}: put the two together, then run again."
            ) from None
        again = (
            f"; {counted(added, 'record')} that it had lost {'was' if added == 1 else 'were'} written again"
            if added
            else ""
        )
        self._say(f"{opened.path} was changed by another program during the run{again}.")

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            items = [item for item in batch if item is not None]
            by_file: dict[Path, list[_Item]] = {}
            for item in items:
                by_file.setdefault(item.file, []).append(item)
            for file, lot in by_file.items():
                self._append(file, lot)
            if len(items) < len(batch):
                return
            self._ends.wait(LOTS_APART)

    def _append(self, file: Path, items: list[_Item]) -> None:
        opened = self._files[file]
        try:
            self._check(opened)
            opened.append([jsonl.encode(item.make_row()) for item in items])
            error = None
        except OSError as failure:
            error = jsonl.not_writable(file, failure)
        except Exception as failure:  # whatever it is, the one who waits must hear of it
            error = failure
        with contextlib.suppress(RuntimeError):  # a loop that has ended waits no more
            items[0].loop.call_soon_threadsafe(_finish, items, error)


class _OpenFile:
    """A file that is being written: its stream, how it was left, and a copy of what this run has written."""

    def __init__(self, path: Path, replacing: frozenset[str]) -> None:
        self.path, self._replacing = path, replacing
        self._copy = _temporary()  # from the start: a record that was paid for must not wait for a file to be opened
        self._stream: BinaryIO = open(path, "a+b", buffering=0)  # noqa: SIM115 - open for the whole run
        self._left = _stamp(self._stream.fileno())

    def append(self, lines: list[bytes]) -> None:
        """Write whole lines. Raises OSError, with the file as it was."""
        size, data = self._left.size, b"".join(lines)
        try:
            jsonl.append_to(self._stream, data, size)
        except OSError:
            self._left = _stamp(self._stream.fileno())
            raise
        # not of the path, where another file may be by now, and with the size that it has if nobody else wrote
        self._left = _stamp(self._stream.fileno())._replace(size=size + len(data))
        self._copy.write(data)

    def was_changed(self) -> bool:
        """Whether somebody else has written, replaced or removed the file since."""
        try:
            return _stamp(self.path) != self._left
        except OSError:
            return True

    def go_on(self) -> int:
        """Open the file that is there now and add what it lacks of this run. Returns how many records that were.

        Where none is there, or just the beginning of what was, all the rest is added. Else a record that is there in
        other words, or was there before the run and is not any more, stays so, for somebody may have edited it on
        purpose. Raises OSError, and UserError where what is there is no record file.
        """
        replaced, old = self._replaced(), self._stream
        self.path.parent.mkdir(parents=True, exist_ok=True)
        jsonl.repair(self.path)
        self._stream = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        old.close()
        there_now = self.path.read_bytes()
        rest = replaced[len(there_now) :] if replaced.startswith(there_now) else b""
        lost = [rest] if rest else self._lost()
        if lost:
            jsonl.append_to(self._stream, b"".join(lost), len(there_now))
        self._left = _stamp(self._stream.fileno())
        return b"".join(lost).count(b"\n")

    def _replaced(self) -> bytes:
        """What the file holds that was moved or removed; nothing where it is the same file still."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(self.path), os.fstat(self._stream.fileno())):
                return b""
        self._stream.seek(0)
        return self._stream.read()

    def _lost(self) -> list[bytes]:
        """The records of this run that are not in the file."""
        there: dict[str, list[bytes]] = {}
        for line in record_lines.lines(self.path):
            name = record_lines.name_of_line(line)
            there.setdefault(name, []).extend([line] if name in self._replacing else [])
        return list({name: line for name, line in self._written() if not self._is_there(name, line, there)}.values())

    def _is_there(self, name: str, line: bytes, there: Mapping[str, list[bytes]]) -> bool:
        """Whether a record that this run wrote is among those of its question, and not just an older one."""
        if name not in self._replacing:
            return name in there
        return any(record_lines.equal(line, other) for other in there.get(name, ()))

    def remove_if_empty(self) -> None:
        """Remove a file that holds nothing, if it is a plain file still."""
        with contextlib.suppress(OSError):
            if self._left.size == 0 and _stamp(self.path) == self._left and not self.path.is_symlink():
                self.path.unlink() if self.path.is_file() else None

    def rescue(self) -> Path:
        """Put this run's records into a file of their own. Returns where it is. Raises OSError."""
        data = b"".join(line for _, line in self._written())
        for folder in (self.path.parent, Path(tempfile.gettempdir())):
            saved = folder / f"{self.path.name}.rescued"
            with contextlib.suppress(OSError), open(saved, "ab") as stream:
                stream.write(data)
                self._copy.seek(0)  # each record is put aside once
                self._copy.truncate()
                return saved
        raise OSError(f"{len(data)} bytes of records could not be kept anywhere")

    def _written(self) -> list[tuple[str, bytes]]:
        """What this run wrote: each line with its name."""
        self._copy.seek(0)
        lines = [(record_lines.name_of_line(line), line) for line in self._copy]
        self._copy.seek(0, os.SEEK_END)
        return lines

    def close(self) -> None:
        """Close the stream, and forget the copy."""
        self._stream.close()
        self._copy.close()


def _temporary() -> IO[bytes]:
    """A file without a name. Raises UserError."""
    try:
        return tempfile.TemporaryFile(prefix="arena-hard-")
    except OSError as error:
        raise jsonl.not_writable(Path(tempfile.tempdir or "/tmp"), error) from None


class _Stamp(NamedTuple):
    """What tells a file and its state from others. changed: nanoseconds."""

    device: int
    inode: int
    size: int
    changed: int


def _stamp(file: Path | int) -> _Stamp:
    """Of a path or an open file. Raises OSError."""
    status = os.stat(file)
    return _Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class _Item(NamedTuple):
    """A record on its way to a file, and the one who waits for it."""

    file: Path
    make_row: Callable[[], dict[str, Any]]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


def _finish(items: list[_Item], error: Exception | None) -> None:
    for item in items:
        if item.done.done():
            continue
        if error is None:
            item.done.set_result(None)
        else:
            item.done.set_exception(error)
