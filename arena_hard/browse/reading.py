"""Reads record files for the index: by their own indexes, at once where they are small, else while pages are shown."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from arena_hard.browse.record_file import JudgmentHead, spans_of, verdict_code
from arena_hard.data.lengths import AnswerKind, AnswerRow, answer_kind, answers_at_hand, known_answers
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_index import NO_STAMP, Records, Row, Stamp, is_worth_keeping, records_of, stamp_of
from arena_hard.data.records import UserError
from arena_hard.rating.game_codes import ABSENT, UNREADABLE
from arena_hard.rating.game_records import GameKind, GameReader

LARGE = 16 << 20  # bytes of files that nobody should wait for

Facts = tuple[int, int, int, int, int]  # a row of RecordFile.facts
Known = Records[GameKind] | Records[AnswerKind]


class Wanted(NamedTuple):
    """A record file as it is now, of judgments or of answers."""

    path: Path
    stamp: Stamp
    is_judged: bool


@dataclass(frozen=True)
class Scan:
    """What is known of a record file, and the stamp that it had.

    problems: lines that could not be read, said in words; notes: what else is odd.
    """

    path: Path
    stamp: Stamp
    records: Known
    problems: list[str]
    notes: list[str]


class Reading(NamedTuple):
    """How far it is while files are read."""

    files: int
    of_files: int
    bytes: int
    of_bytes: int

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.files:,} of {self.of_files:,} files, {self.bytes / 1e9:.1f} of {self.of_bytes / 1e9:.1f} GB"


class Scans:
    """The scans of a bench's files. One thread reads what is large; what it has read waits until it is asked for.

    reading: how far it was when scans were asked for last; None where nothing was being read.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.reading: Reading | None = None
        self._done: dict[Path, Scan] = {}
        self._progress: Reading | None = None
        self._lock = threading.Lock()

    def of(self, files: list[Wanted], in_background: bool, size: int) -> list[Scan]:
        """The scans of those files that are known by now; without in_background, of all.

        size: the bytes of all files of the bench, of which many are worth indexes. They are written only where this
        project has written into the bench before: who looks at a folder leaves nothing in it.
        """
        with self._lock:
            self.reading = self._progress
            found = [scan for each in files if (scan := self._done.pop(each.path, None)) and scan.stamp == each.stamp]
        known = {scan.path for scan in found}
        reader = _Reader(self.bench, is_worth_keeping(size) and (self.bench.folder / "cache").is_dir())
        found += [scan for each in files if each.path not in known and (scan := reader.at_hand(each))]
        known = {scan.path for scan in found}
        others = [each for each in files if each.path not in known]
        if others and in_background and sum(each.stamp.size for each in others) >= LARGE:
            self._begin(reader, others)
            return found
        return found + list(map(reader.read, others))

    def _begin(self, reader: _Reader, files: list[Wanted]) -> None:
        with self._lock:
            if self._progress is not None:
                return
            self.reading = self._progress = Reading(0, len(files), 0, sum(each.stamp.size for each in files))
        in_order = sorted(files, key=lambda each: (name_of(each.path).lower(), each.is_judged, each.path))
        threading.Thread(target=self._read_all, args=(reader, in_order), daemon=True).start()

    def _read_all(self, reader: _Reader, files: list[Wanted]) -> None:
        try:
            for each in files:
                scan = reader.read(each)
                with self._lock:
                    self._done[each.path] = scan
                    at = self._progress or Reading(0, 0, 0, 0)
                    self._progress = at._replace(files=at.files + 1, bytes=at.bytes + each.stamp.size)
        finally:
            with self._lock:
                self._progress = None


class _Reader:
    """Reads files of a bench. keep: whether their indexes may be written."""

    def __init__(self, bench: Bench, keep: bool) -> None:
        self.bench, self.keep = bench, keep
        self.games = GameReader(bench, keep=keep, with_places=True)

    def at_hand(self, file: Wanted) -> Scan | None:
        """What the index of a file knows of it; None where there is none that fits."""
        if file.is_judged:
            found = self.games.at_hand(file.path)
            records: Known | None = found.records if found else None
        else:
            records = answers_at_hand(self.bench, file.path)
        return Scan(file.path, records.stamp, records, [], []) if records else None

    def read(self, file: Wanted) -> Scan:
        """A scan of a file: at the speed of its bytes, and line by line where anything is to be said of it."""
        try:
            if file.is_judged:
                found = self.games.read(file.path)
                records, said = found.records, found.said
            else:
                records, said = known_answers(self.bench, file.path, self.keep, with_places=True)
            if not said:
                return Scan(file.path, records.stamp, records, [], [])
        except UserError:
            pass
        return _read_line_by_line(file)


def _read_line_by_line(file: Wanted) -> Scan:
    """A scan in which what cannot be read is passed over, and said."""
    problems: list[str] = []
    notes: list[str] = []
    stamp = stamp_of(file.path) or NO_STAMP
    if file.is_judged:
        rows = _rows(file.path, JudgmentHead, game_kind, problems, notes)
        return Scan(file.path, stamp, records_of(rows, GameKind), problems, notes)
    rows = _rows(file.path, AnswerRow, lambda row: AnswerKind(*answer_kind(row)), problems, notes)
    return Scan(file.path, stamp, records_of(rows, AnswerKind), problems, notes)


def _rows(
    path: Path, head: type, kind_of: Callable[[Any], Any], problems: list[str], notes: list[str]
) -> Iterator[Row[Any]]:
    for span in spans_of(path, msgspec.json.Decoder(head).decode, problems, notes):
        key = span.value.question_id or span.value.uid
        if key:
            yield key, kind_of(span.value), (struct.pack("=qq", span.start, span.end - span.start),)
        else:
            problems.append(f"{path}:{span.number}: the key question_id or uid is missing")


def game_kind(row: JudgmentHead) -> GameKind:
    """What a GameKind says of a judgment; odd scores are as unreadable here as none."""
    games = (row.games or [])[:2]
    verdicts = [UNREADABLE if game is None else verdict_code(game.score) for game in games]
    verdicts += [ABSENT] * (2 - len(verdicts))
    shortened = any(game and game.truncated for game in games)
    return GameKind(row.model or "", row.baseline or "", "", verdicts[0], verdicts[1], shortened)


def answer_facts(kind: AnswerKind) -> Facts:
    """What a RecordFile has of an answer."""
    tokens = -1 if kind.tokens is None else int(kind.tokens)
    return tokens, int(kind.is_cut_off), int(kind.has_failed), 0, 0
