"""The judgments of one file as the statistics and the browser need them: known by the file's index, or read."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from arena_hard.data import jsonl
from arena_hard.data.paths import Bench
from arena_hard.data.record_index import Gathered, Records, found_in, index_file, known
from arena_hard.data.typed_jsonl import InputFile, Reader, input_file, name_in
from arena_hard.rating.arrays import IntArray
from arena_hard.rating.game_codes import (
    JudgmentHead,
    JudgmentWithProbabilities,
    Numbers,
    ProbabilityCodes,
    VerdictCodes,
)


class GameKind(msgspec.Struct, frozen=True, array_like=True):
    """What many judgments have in common; names are empty where the record has none.

    first, second: the codes of the games' verdicts (game_codes.py); shortened: whether the judge saw shortened answers.
    """

    model: str
    baseline: str
    category: str
    first: int
    second: int
    shortened: bool


def codes_of(codes: Sequence[int]) -> IntArray:
    """The codes of records as an array [n]."""
    return np.frombuffer(codes, np.uint8) if isinstance(codes, bytes) else np.array(codes, dtype=np.int64)


@dataclass(frozen=True)
class FileGames:
    """The judgments of a file, and what there is to say of it.

    Where label probabilities were asked for, first and second are their codes of each record's games [n].
    """

    file: Path
    records: Records[GameKind]
    said: Sequence[jsonl.Remark] = ()
    first: IntArray | None = None
    second: IntArray | None = None

    def column(self, of_kinds: Iterable[Any], dtype: Any = np.int32) -> IntArray:
        """[n] a value for each record, given those of its kinds."""
        return np.array(list(of_kinds), dtype=dtype)[self.codes]

    @property
    def codes(self) -> IntArray:
        """[n] which of the kinds each record is of."""
        return codes_of(self.records.codes)

    def input(self, base: Path) -> InputFile:
        """The file as it was when it was read, named relative to `base`."""
        return input_file(name_in(base, self.file), self.records.stamp, self.records.whole)


class GameReader:
    """Reads files of judgments; those whose index fits are not read. keep: whether an index may be written.

    with_probabilities: reads those of the labels too, which no index has. Of files that are read, an index needs
    fingerprints, as results do, and the places of the records, as the browser does (with_places).
    """

    def __init__(
        self, bench: Bench, with_probabilities: bool = False, keep: bool = False, with_places: bool = False
    ) -> None:
        self.bench, self.keep, self.with_places = bench, keep, with_places or keep
        self.verdicts = VerdictCodes()
        self.probabilities = ProbabilityCodes() if with_probabilities else None
        row = JudgmentWithProbabilities if with_probabilities else JudgmentHead
        self.typed: Reader[JudgmentHead] = Reader(row, fingerprints=keep or not with_places)

    def _index(self, file: Path) -> Path | None:
        return index_file(self.bench, file, ".games", self.keep) if self.probabilities is None else None

    def at_hand(self, file: Path) -> FileGames | None:
        """What the index of a file knows of it; None where there is none that fits."""
        records = found_in(self._index(file), file, GameKind)
        return records and FileGames(file, records)

    def read(self, file: Path) -> FileGames:
        """The judgments of a file. Raises UserError with the line of a broken row."""
        columns: tuple[list[int], list[int]] = [], []

        def read(said: list[jsonl.Remark]) -> Gathered[GameKind]:
            return self._gather(file, said, columns)

        records, said = known(self._index(file), file, GameKind, read, self.keep)
        given = [np.array(column, dtype=np.int64) for column in columns] if self.probabilities is not None else ()
        return FileGames(file, records, said, *given)

    def _gather(self, file: Path, said: list[jsonl.Remark], columns: tuple[list[int], list[int]]) -> Gathered[GameKind]:
        ids: list[str] = []
        codes, places = array("I"), array("q") if self.with_places else None
        kinds: Numbers[tuple[Any, ...]] = Numbers()
        for rows in self.typed.blocks(file, said, places):
            played = [row.games or () for row in rows]
            ids += [row.question_id or row.uid for row in rows]
            shared = zip(
                [row.model or "" for row in rows],
                [row.baseline or "" for row in rows],
                [row.category or "" for row in rows],
                self.verdicts.of_games(played, 0),
                self.verdicts.of_games(played, 1),
                [any(game and game.truncated for game in games) for games in played],
            )
            codes.extend(map(kinds.__getitem__, shared))
            if self.probabilities is not None:
                for position, column in enumerate(columns):
                    column += self.probabilities.of_games(played, position)
        self.typed.check_ids(file, ids)
        marks = [places.tobytes()] if places is not None else []
        return Gathered(ids, [GameKind(*kind) for kind in kinds], codes, marks, self.typed.fingerprint())
