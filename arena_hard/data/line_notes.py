"""What is odd about the lines of a file though its records can be read: bytes that are no UTF-8, zeros of a crash.

Decoders that pass over the texts do not see either, so the bytes themselves are looked at.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

_ZEROS = re.compile(rb"(?:\A|(?<=[\n\r}]))\0[\0\s]*")  # between records; within one they make it unreadable
_STEP = 1 << 16  # so much text at a time stays in the processor's cache


class LineNotes:
    """Gathers what is odd in a file, as its bytes go by."""

    def __init__(self) -> None:
        self._wrong: list[int] = []  # where in the file lines with other bytes begin
        self._zeros = 0
        self._first_zero = 0

    def look(self, data: bytes, start: int) -> None:
        """Look at one or more whole lines, which begin at byte `start` of the file."""
        if b"\0" in data:
            for found in _ZEROS.finditer(data):
                self._first_zero = self._first_zero if self._zeros else start + found.start()
                self._zeros += found.group().count(b"\0")
        if not is_utf8(data):
            for line in data.splitlines(keepends=True):
                self._wrong += [] if is_utf8(line) else [start]
                start += len(line)

    def said(self, file: Path) -> list[str]:
        """What a user should know, a sentence each, with file and line."""
        notes: list[str] = []
        if self._wrong:
            count = len(self._wrong)
            what = "1 line holds" if count == 1 else f"the first of {count} lines that hold"
            where = _place(file, self._wrong[0])
            notes.append(f"{where}: {what} text that is not UTF-8; its bytes are shown as \ufffd.")
        if self._zeros:
            notes.append(
                f"{_place(file, self._first_zero)}: {self._zeros:,} zero bytes, as a crash or a power cut leaves them, "
                "are passed over; records may be lost there."
            )
        return notes


def is_utf8(data: bytes) -> bool:
    """Whether some bytes are UTF-8."""
    if data.isascii():
        return True
    view, place = memoryview(data), 0
    try:
        while place < len(data):
            end = place + _STEP
            _, used = codecs.utf_8_decode(view[place:end], "strict", end >= len(data))
            place += used
    except UnicodeDecodeError:
        return False
    return True


def _place(file: Path, start: int) -> str:
    """The file with the number of the line that holds a byte."""
    with open(file, "rb") as stream:
        return f"{file}:{_line_ends(stream.read(start)) + 1}"


def _line_ends(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
