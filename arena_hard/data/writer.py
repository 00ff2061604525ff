"""Writing records so that a record counts as done only when it is on disk.

One thread writes for all files: what has gathered while it wrote the last lot goes out together,
with one fsync for each file, so that safety costs the event loop nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import filelock

from arena_hard.data import jsonl
from arena_hard.data.records import UserError


class RecordWriter:
    """Appends records to files that no other run can write at the same time."""

    def __init__(self) -> None:
        self._files: dict[Path, BinaryIO] = {}
        self._locks: list[filelock.BaseFileLock] = []
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="record-writer", daemon=True)
        self._started = False

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, file: Path) -> int:
        """Lock a file, repair its end and keep it open. Returns the bytes of a torn line cut off.

        Raises UserError when another run has it or it cannot be written.
        """
        if file in self._files:
            return 0  # two models may record into one file
        lock = filelock.FileLock(file.with_name(f".{file.name}.lock"), timeout=0)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()  # pyright: ignore[reportUnknownMemberType] - its proxy is generic, without a type
            self._locks.append(lock)
            torn = jsonl.repair(file)
            self._files[file] = open(file, "ab", buffering=0)  # noqa: SIM115 - open for the whole run
        except filelock.Timeout:
            raise UserError(f"{file} is being written by another run. Wait for it to end, or stop it.") from None
        except OSError as error:
            raise UserError(f"{file} cannot be written: {error.strerror or error}.") from None
        return torn

    async def write(self, file: Path, make_row: Callable[[], dict[str, Any]]) -> None:
        """Append one record; returns when it is on disk. Raises UserError when it cannot be written.

        `make_row` is called by the writing thread, so that counting tokens does not hold the loop up.
        """
        if not self._started:
            self._started = True
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put(_Item(file, make_row, loop, done))
        await done

    def close(self) -> None:
        """Write what is left, close the files, give the locks back."""
        if self._started:
            self._queue.put(None)
            self._thread.join()
            self._started = False
        for stream in self._files.values():
            stream.close()
        self._files.clear()
        for lock in self._locks:
            lock.release()
        self._locks.clear()

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

    def _append(self, file: Path, items: list[_Item]) -> None:
        stream = self._files[file]
        size = os.fstat(stream.fileno()).st_size
        try:
            lines = [jsonl.encode(item.make_row()) for item in items]
            _write_all(stream, b"".join(lines))
            os.fsync(stream.fileno())
            error = None
        except OSError as failure:
            _cut_back(stream, size)
            error = UserError(f"{file} cannot be written: {failure.strerror}. Make room, then run again.")
        except Exception as failure:  # whatever it is, the one who waits must hear of it
            error = failure
        with contextlib.suppress(RuntimeError):  # a loop that has ended waits no more
            items[0].loop.call_soon_threadsafe(_finish, items, error)


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


def _write_all(stream: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def _cut_back(stream: BinaryIO, size: int) -> None:
    """Take a half written lot away, so that the file ends with a whole line."""
    with contextlib.suppress(OSError):  # if this fails too, the next start repairs it
        os.ftruncate(stream.fileno(), size)
