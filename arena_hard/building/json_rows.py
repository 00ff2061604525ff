"""The rows of a JSON file, cut out as its bytes come: of lists, or objects over several lines one after the other.

Each byte is looked at once, however long a row is.
"""

from __future__ import annotations

import re
from pathlib import Path

from arena_hard.data import jsonl
from arena_hard.data.records import UserError

# strings, of which the last may be unfinished: the group is then where its rest begins
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|(\\?\Z))|[\[\]{}]', re.DOTALL)
_REST = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*(?:"|(\\?\Z))', re.DOTALL)
_BETWEEN = b" \t\r\n,\x1e"  # rows, whatever a writer puts there
_SHOWN = 40


class JsonRows:
    """What is known while the bytes come: `feed` hands back the rows that have ended."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._data = bytearray()  # from the end of the last row that was handed back
        self._at = 0  # looked at so far
        self._end = 0  # of the last row, or bracket of a list of rows
        self._start = 0  # of the row that has not ended
        self._line, self._counted = 1, 0  # the line of a place in the data
        self._depth = 0
        self._in_list = self._in_text = self._begun = False

    def feed(self, piece: bytes) -> list[tuple[int, bytes]]:
        """(line, bytes) of each row that ends in this piece. Raises UserError for what is no object."""
        self._data += piece if self._begun else piece.removeprefix(jsonl.BOM)
        self._begun = True
        found: list[tuple[int, bytes]] = []
        if self._in_text:
            rest = _REST.match(self._data, self._at)
            assert rest is not None  # it matches nothing, too
            self._note_text(rest)
        if not self._in_text:
            for token in _TOKEN.finditer(self._data, self._at):
                self._take(token, found)
            self._at = self._at if self._in_text else len(self._data)
        self._forget()
        return found

    def close(self) -> None:
        """Raises UserError where the file ends before what it has begun."""
        if self._depth:
            raise UserError(torn(self._file, self._line))
        self._look_between(len(self._data))
        if self._in_list:
            raise UserError(
                f"{self._file}:{self._line_at(len(self._data))}: the file ends before its list does. Fetch or copy it "
                "again; if it is whole, add ] at its end."
            )

    def _take(self, token: re.Match[bytes], found: list[tuple[int, bytes]]) -> None:
        sign = self._data[token.start()]
        if sign == ord('"'):
            if not self._depth:
                self._look_between(len(self._data))
            self._note_text(token)
        elif sign in b"{[":
            self._open(token.start(), is_list=sign == ord("["))
        elif self._depth:
            self._depth -= 1
            if not self._depth:
                self._end = token.end()
                found.append((self._line, bytes(self._data[self._start : self._end])))
        else:
            ends_list = sign == ord("]") and self._in_list
            self._look_between(token.start() if ends_list else token.end())
            self._in_list, self._end = False, token.end()

    def _open(self, place: int, is_list: bool) -> None:
        if not self._depth:
            self._look_between(place)
            if is_list and not self._in_list:
                self._in_list, self._end = True, place + 1
                return
            self._start = place
            self._line_at(place)
        self._depth += 1

    def _note_text(self, token: re.Match[bytes]) -> None:
        self._in_text = token.group(1) is not None
        self._at = token.start(1) if self._in_text else token.end()

    def _line_at(self, place: int) -> int:
        self._line += self._data.count(b"\n", self._counted, place)
        self._counted = place
        return self._line

    def _look_between(self, end: int) -> None:
        """Raises UserError where something stands before `end` that is no row."""
        between = bytes(self._data[self._end : end])
        odd = between.lstrip(_BETWEEN)
        if odd:
            line = self._line_at(end - len(odd))
            shown = odd[:_SHOWN].strip(_BETWEEN).decode("utf-8", "replace")
            raise UserError(
                f'{self._file}:{line}: {shown!r} is no row: each must be an object, like {{"prompt": "…"}}. Fix it or '
                "delete it; nothing was changed."
            )

    def _forget(self) -> None:
        """Let go of the bytes of rows that were handed back."""
        used = self._end
        self._line_at(max(used, self._counted))
        del self._data[:used]
        self._at, self._counted = self._at - used, self._counted - used
        self._start, self._end = self._start - used, 0


def torn(file: Path, number: int) -> str:
    """The message for a file that ends within a row."""
    return f"{file}:{number}: the file ends within a row that begins here. Fetch or copy it again, or delete that row."
