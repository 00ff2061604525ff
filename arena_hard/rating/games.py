"""Games as integer codes: what all statistics are computed from.

Texts are not kept: a judgment of 2.6 kB becomes two rows of a few bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from arena_hard.data.baselines import judgment_files, no_judgments
from arena_hard.data.beside import Copy
from arena_hard.data.columns import Places
from arena_hard.data.jsonl import Remark, say, warn
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.owners import owners
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_index import is_worth_keeping
from arena_hard.data.records import UserError
from arena_hard.data.typed_jsonl import InputFile
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.game_codes import (
    ABSENT,
    UNKNOWN,
    UNREADABLE,
    UNUSABLE,
    Codes,
    ForeignScores,
    GameHead,
    JudgmentHead,
)
from arena_hard.rating.game_records import FileGames, GameReader
from arena_hard.rating.halves import read_all, size_of
from arena_hard.rating.same_records import Overruled, counting, named_elsewhere, ranks


@dataclass(frozen=True)
class GameTable:
    """One row for each game, in the order of the files; codes index the lists of names.

    question, model, judge, baseline, category: integer arrays [n].
    game: [n] 0 for the first game (A = baseline, B = model), 1 for the second (swapped).
    verdict: [n] index into `verdicts.LABELS` as the judge wrote it (A and B of that game),
        or -1 when no verdict could be read.
    shortened: [n] whether the judge saw shortened answers; [0] where nobody has looked.
    probabilities: [n, labels] how probable each label was to the judge, A and B as in `verdict`, NaN where it is not
        known; None where nobody asked (`read_judgments`).
    """

    questions: list[str]
    models: list[str]
    judges: list[str]
    baselines: list[str]
    categories: list[str]
    question: IntArray
    model: IntArray
    judge: IntArray
    baseline: IntArray
    category: IntArray
    game: IntArray
    verdict: IntArray
    shortened: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    probabilities: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.verdict)


@dataclass(frozen=True)
class Judgments:
    """The games of a bench and where they came from.

    An empty name among the table's baselines or categories means that the records do not say.
    `foreign`: the scores that are no verdict, which count as unreadable; None without any.
    `without_game`: how many judgments hold no game at all. `no_probabilities`: what stands for label probabilities
    and is none, so that the label counts; the first of them is the reason.
    """

    table: GameTable
    inputs: tuple[InputFile, ...]
    duplicates: dict[str, int]
    overruled: list[Overruled]
    foreign: ForeignScores | None = None
    without_game: int = 0
    no_probabilities: ForeignScores | None = None


class _Builder:
    """Gathers the judgments of files as columns of codes."""

    def __init__(self, bench: Bench, reader: GameReader) -> None:
        self.bench, self.reader = bench, reader
        self.names = {column: Codes() for column in ("question", "model", "judge", "baseline", "category")}
        self.columns: dict[str, list[IntArray]] = {}
        self.files: list[Path] = []
        self.inputs: list[InputFile] = []
        self.is_renamed = False
        self._of_places: tuple[Places, IntArray] | None = None

    def add(self, judge: str, found: FileGames, unnamed: str = "") -> None:
        """Put the judgments of a file behind the others. unnamed: whom records without a baseline are against.

        What there is to say of the file is said here.
        """
        say(found.said)
        kinds, n = found.records.kinds, len(found.records.codes)
        baseline, category = self.names["baseline"], self.names["category"]
        question = self._questions(found.records.places)
        columns = {
            "question": question,
            "model": self._models(found, question),
            "judge": np.full(n, self.names["judge"][judge], dtype=np.int32),
            "baseline": found.column(baseline[kind.baseline or unnamed] for kind in kinds),
            "category": found.column(category[kind.category] for kind in kinds),
            "file": np.full(n, len(self.files), dtype=np.int32),
            "shortened": found.column((kind.shortened for kind in kinds), bool),
            "first": found.column((kind.first for kind in kinds), np.int8),
            "second": found.column((kind.second for kind in kinds), np.int8),
        }
        if found.first is not None and found.second is not None:
            columns |= {"first probabilities": found.first, "second probabilities": found.second}
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(values)
        self.files.append(found.file)
        self.inputs.append(found.input(self.bench.data_dir))

    def _questions(self, places: Places) -> IntArray:
        """[n] codes of the questions of a file's records; most files have the same."""
        if self._of_places is None or self._of_places[0] is not places:
            codes = self.names["question"]
            self._of_places = places, np.array([codes[key] for key in places.ids], dtype=np.int32)
        return self._of_places[1]

    def _models(self, found: FileGames, question: IntArray) -> IntArray:
        """[n] codes of the models that a file's records are of; a warning where these are odd. question: [n] codes."""
        named = [kind.model for kind in found.records.kinds]
        whose = {name: name for name in named}
        if not whose.keys() <= {name_of(found.file)}:
            place = found.column(list(whose).index(name) for name in named)
            questions = {name: set(question[place == code].tolist()) for code, name in enumerate(whose)}
            known = owners(self.bench, found.file, questions)
            warn(known.notes)
            whose = known.of
            self.is_renamed |= any(name != model for name, model in whose.items())
        codes = self.names["model"]
        return found.column(codes[whose[name]] for name in named)

    def empty_files(self) -> list[Path]:
        """The files in which no record was found."""
        return [file for file, rows in zip(self.files, self.columns["file"]) if not len(rows)]

    def _foreign(self, columns: dict[str, IntArray]) -> ForeignScores | None:
        """The scores that are no verdict, of the rows that count."""
        odd = np.column_stack([columns["first"], columns["second"]]) == UNKNOWN
        return self._first(columns, odd, lambda game: self.reader.verdicts.of(game) == UNKNOWN, lambda game: game.score)

    def _no_probabilities(self, columns: dict[str, IntArray]) -> ForeignScores | None:
        """What cannot be used as label probabilities, and why the first cannot."""
        known = self.reader.probabilities
        if known is None:
            return None
        odd = np.column_stack([columns["first probabilities"], columns["second probabilities"]]) == UNUSABLE
        return self._first(columns, odd, lambda game: known.of(game) == UNUSABLE, known.why_none)

    def _first(
        self,
        columns: dict[str, IntArray],
        odd: BoolArray,
        is_odd: Callable[[GameHead], bool],
        said: Callable[[GameHead], object],
    ) -> ForeignScores | None:
        """How many games are odd (a mask [rows, 2]), where the first is, and what is said of it."""
        if not odd.any():
            return None
        row = int(odd.any(axis=1).argmax())
        file, question = self.files[int(columns["file"][row])], columns["question"][row]
        found: list[object] = []

        def has_it(row: JudgmentHead) -> bool:
            if self.names["question"][row.question_id or row.uid] != question:
                return False
            found.extend(said(game) for game in (row.games or [])[:2] if game and is_odd(game))
            return bool(found)

        line = self.reader.typed.line_of(file, has_it)
        return ForeignScores(int(odd.sum()), found[0], file, line)

    def judgments(self) -> Judgments:
        """What was gathered: one row for each judge, model, question and baseline."""
        columns = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        self.columns.clear()
        keys = [columns["judge"], columns["model"], columns["question"], self._baselines(columns)]
        named = ranks(self.files, columns["file"], list(self.names["model"]), columns["model"])
        found = counting(keys, named, columns["file"], self.files)
        columns = {name: values[found.kept] for name, values in columns.items()}
        nothing = int(((columns["first"] == ABSENT) & (columns["second"] == ABSENT)).sum())
        table = self._table(columns)
        table = _recoded(table) if found.overruled or self.is_renamed else table
        odd = self._foreign(columns), nothing, self._no_probabilities(columns)
        return Judgments(table, tuple(self.inputs), found.duplicates, found.overruled, *odd)

    def _baselines(self, columns: dict[str, IntArray]) -> IntArray:
        """[n] baselines that tell rows apart; in a file where not all rows name theirs, they tell nothing."""
        nameless = columns["baseline"] == self.names["baseline"].get("", -1)
        unknown = np.bincount(columns["file"], weights=nameless, minlength=len(self.files)) > 0
        return np.where(unknown[columns["file"]], len(self.names["baseline"]), columns["baseline"])

    def _table(self, columns: dict[str, IntArray]) -> GameTable:
        verdict = np.column_stack([columns["first"], columns["second"]]).astype(np.int8).ravel()
        played = verdict != ABSENT
        verdict[verdict == UNKNOWN] = UNREADABLE
        codes = {name: np.repeat(columns[name], 2)[played] for name in self.names}
        game = np.tile(np.array([0, 1], dtype=np.int8), len(columns["first"]))[played]
        names = {column: list(codes) for column, codes in self.names.items()}
        return GameTable(
            questions=names["question"],
            models=names["model"],
            judges=names["judge"],
            baselines=names["baseline"],
            categories=names["category"],
            **codes,
            game=game,
            verdict=verdict[played],
            shortened=np.repeat(columns["shortened"] > 0, 2)[played],
            probabilities=self._probabilities(columns, played),
        )

    def _probabilities(self, columns: dict[str, IntArray], played: BoolArray) -> FloatArray | None:
        if self.reader.probabilities is None:
            return None
        codes = np.column_stack([columns["first probabilities"], columns["second probabilities"]])
        return self.reader.probabilities.rows(codes.ravel()[played])


def read_judgments(
    bench: Bench,
    judges: Sequence[str],
    baselines: Sequence[str] = (),
    with_probabilities: bool = False,
    copy: Copy | None = None,
    keep: bool = False,
) -> Judgments:
    """The judgments of one or more judges, files in sorted order, rows in the order of the files.

    baselines: those whose own folders are read too; with_probabilities: read those of the labels, which takes longer;
    copy: which reads half of large ones first; keep: whether the indexes of large files may be written.
    Raises UserError for a judge without judgments or a broken line.
    """
    files: list[tuple[str, Path, str]] = []
    for judge in judges:
        if not (found := judgment_files(bench, judge, baselines)):
            raise no_judgments(bench, judge)
        files += [(judge, file, baseline) for file, baseline in found.items()]
    every = [file for _, file, _ in files]
    reader = GameReader(bench, with_probabilities, keep and is_worth_keeping(size_of(every)))
    known = {file: games for file in every if (games := reader.at_hand(file))}
    others = [file for file in dict.fromkeys(every) if file not in known]
    known |= zip(others, read_all(others, reader.read, not with_probabilities, copy))
    builder = _Builder(bench, reader)
    for judge, file, baseline in files:
        builder.add(judge, known[file], baseline)
    empty = builder.empty_files()
    judgments = builder.judgments()
    if empty:
        named = shortened([str(file) for file in empty])
        warnings.warn(f"Without any judgment, so that its model may be missing: {named}.", Remark, stacklevel=1)
    if len(judgments.table) == 0:
        raise UserError(f"{bench.judgment_folder(judges[0])} holds no game. Run gen_judgment.py first.")
    return judgments


# ------------------------------------------------------------------------------------ parts of a table


def select(table: GameTable, mask: BoolArray) -> GameTable:
    """The games of a mask [n]; the lists of names stay whole."""
    if mask.all():
        return table
    columns = ["question", "model", "judge", "baseline", "category", "game", "verdict"]
    columns += ["shortened"] * (len(table.shortened) > 0)
    columns += ["probabilities"] * (table.probabilities is not None)
    return replace(table, **{column: getattr(table, column)[mask] for column in columns})


def against(table: GameTable, baseline: str, unnamed: bool) -> GameTable:
    """The games against one baseline, as if no others were there; with `unnamed` those that name none, too.

    A game that is there with its baseline in one file and without it in another counts once, and this is a warning.
    """
    wanted = [name == baseline or (unnamed and not name) for name in table.baselines]
    mask = np.array(wanted, dtype=bool)[table.baseline]
    if not mask.all():
        table = _recoded(select(table, mask))
    nameless = np.array([not name for name in table.baselines], dtype=bool)[table.baseline]
    again = named_elsewhere([table.judge, table.model, table.question, table.game], nameless)
    if not again.any():
        return table
    many = counted(int(again.sum()), "game that names no baseline is", "games that name no baseline are")
    warnings.warn(
        f"{many} not counted, because others of the same model and question are there that name {baseline}.",
        Remark,
        stacklevel=1,
    )
    return _recoded(select(table, ~again))


def _recoded(table: GameTable) -> GameTable:
    """Models and questions in the order in which the games that are left meet them: seeded statistics follow it."""
    model, models = _by_first(table.model, table.models)
    question, questions = _by_first(table.question, table.questions)
    return replace(table, model=model, models=models, question=question, questions=questions)


def _by_first(codes: IntArray, names: list[str]) -> tuple[IntArray, list[str]]:
    there, first = np.unique(codes, return_index=True)
    order = there[np.argsort(first)]
    place = np.zeros(len(names), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place[codes], [names[code] for code in order]


def without_own(table: GameTable, unnamed: str = "") -> GameTable:
    """The table without the games of a baseline against itself, which carry nothing.

    unnamed: the baseline of records that name none.
    """
    codes = {name: code for code, name in enumerate(table.models)}
    own = np.array([codes.get(name or unnamed, -1) for name in table.baselines], dtype=np.int32)
    return select(table, own[table.baseline] != table.model)


def games_of_judgments(table: GameTable) -> tuple[int, int]:
    """How many judgments a table has, and how many of them have one game only."""
    first = int((table.game == 0).sum())
    return first, first - int((table.game == 1).sum())
