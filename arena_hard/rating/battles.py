"""Judgments → battles: the rows of the fit, kept as codes and counted instead of repeated."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from arena_hard.data.foreign_files import foreign_kind
from arena_hard.data.jsonl import Remark
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.record_folder import in_place_of
from arena_hard.data.record_values import text_of
from arena_hard.data.records import UserError
from arena_hard.data.self_play import may_be_itself
from arena_hard.data.typed_jsonl import Reader
from arena_hard.data.verdicts import LABELS, outcome
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray, occurring, weight_sums
from arena_hard.rating.games import UNREADABLE, Codes, GameTable, select

if TYPE_CHECKING:
    from pyarrow import Table

WINNERS = ("model_a", "tie", "model_b")
A_WINS, TIE, B_WINS = range(3)
_AHEAD = np.array([{"A": 1, None: 0, "B": -1}[outcome(label).winner] for label in LABELS])


@dataclass(frozen=True)
class Battles:
    """Battles in the order of the files; codes index `models` and `questions`.

    model_a, model_b, question: int arrays [n]; winner: [n] index into WINNERS;
    rows: [n] how many rows of the original's battle file a battle is (the weight of a strong verdict);
    most: how many rows all battles of two models on one question may be; None where only those that are there tell it.
    Where battles come without questions, `questions` is empty and each battle is a question of its own.
    """

    models: list[str]
    questions: list[str]
    model_a: IntArray
    model_b: IntArray
    question: IntArray
    winner: IntArray
    rows: IntArray
    most: int | None = None

    def __len__(self) -> int:
        return len(self.winner)

    @property
    def n_rows(self) -> int:
        """How many rows the original's battle file has for these battles."""
        return int(self.rows.sum())

    @property
    def n_questions(self) -> int:
        return len(self.questions) or len(self)

    def most_rows(self) -> int:
        """How many rows all battles of two models on one question may be."""
        if self.most is not None or not self.questions:
            return self.most or 1
        one, other = np.minimum(self.model_a, self.model_b), np.maximum(self.model_a, self.model_b)
        pair = one.astype(np.int64) * len(self.models) + other
        met, of_battle = np.unique(pair * self.n_questions + self.question, return_inverse=True)
        return int(weight_sums(of_battle, self.rows, len(met)).max())

    def fought(self) -> set[str]:
        """The models that have a battle."""
        return {self.models[code] for codes in (self.model_a, self.model_b) for code in occurring(codes)}


@dataclass(frozen=True)
class Cells:
    """The different battles there are: cell c is won by `winner[c]` between model_a[c] and model_b[c].

    of_battle: [n] the cell of each battle; all other arrays [k].
    """

    n_models: int
    model_a: IntArray
    model_b: IntArray
    winner: IntArray
    of_battle: IntArray

    def __len__(self) -> int:
        return len(self.winner)

    def counts(self, battles: Battles) -> FloatArray:
        """Rows in each cell [k]."""
        return weight_sums(self.of_battle, battles.rows, len(self))

    def of_rows(self, battles: Battles) -> IntArray:
        """The cell of each row in the order of the original's battle file [n_rows]."""
        return np.repeat(self.of_battle, battles.rows)


def cells_of(battles: Battles) -> Cells:
    """Equal battles put together, in linear time."""
    p = len(battles.models)
    code = (battles.model_a.astype(np.int64) * p + battles.model_b) * len(WINNERS) + battles.winner
    there = np.flatnonzero(np.bincount(code, minlength=p * p * len(WINNERS)))
    place = np.empty(p * p * len(WINNERS), dtype=np.int32)
    place[there] = np.arange(len(there), dtype=np.int32)
    pair, winner = np.divmod(there, len(WINNERS))
    model_a, model_b = np.divmod(pair, p)
    return Cells(p, model_a, model_b, winner, place[code])


# --------------------------------------------------------------------------------------- from games


def winners_of(table: GameTable) -> IntArray:
    """[n] index into WINNERS with the baseline as model_a; meaningless where no verdict was read."""
    seen = {"A": A_WINS, None: TIE, "B": B_WINS}
    as_shown = np.array([seen[outcome(label).winner] for label in LABELS], dtype=np.int8)[table.verdict]
    return np.where(table.game == 0, as_shown, B_WINS - as_shown).astype(np.int8)


def strong_verdicts(table: GameTable) -> BoolArray:
    """Mask [n] of the strong verdicts."""
    strong = np.array([outcome(label).strong for label in LABELS])[table.verdict]
    return strong & (table.verdict >= 0)


def from_games(table: GameTable, baseline: str, weight: int = 3, first_game_only: bool = False) -> Battles:
    """The battles of a table whose games were all played against one baseline.

    A strong verdict counts as `weight` rows. Models without a readable verdict stay in the list.
    """
    there = occurring(table.model)
    models = [baseline, *(table.models[code] for code in there)]
    place = np.zeros(len(table.models), dtype=np.int32)
    place[there] = np.arange(1, len(models))
    used = table.verdict >= 0
    if first_game_only:
        used &= table.game == 0
    rows = np.where(strong_verdicts(table), weight, 1)[used]
    return Battles(
        models=models,
        questions=table.questions,
        model_a=np.zeros(int(used.sum()), dtype=np.int32),
        model_b=place[table.model[used]],
        question=table.question[used],
        winner=winners_of(table)[used],
        rows=rows,
        most=most_rows(weight, first_game_only, len(occurring(table.judge[used]))),
    )


def most_rows(weight: int, first_game_only: bool, judges: int) -> int:
    """How many rows of battles a question is at most: strong verdicts of all judges (one at least) in each game."""
    return weight * (1 if first_game_only else 2) * max(1, judges)


def readable_battles(table: GameTable, baseline: str, judge: str, weight: int, first_game_only: bool) -> Battles:
    """The battles of `from_games`, by a judge of this name. Raises UserError where there is none."""
    if not len(table):
        raise UserError(
            f"{judge} has judged nothing but the baseline {baseline} itself, which says nothing. Judge other models "
            "with gen_judgment.py, or name the right baseline with --baseline."
        )
    fought = from_games(table, baseline, weight, first_game_only)
    if not len(fought):
        raise UserError(
            f"No verdict of {judge} could be read in any of {counted(len(table), 'game')}. Look at the judge's "
            "texts with qa_browser.py."
        )
    return fought


def baseline_of(table: GameTable, wanted: str) -> str:
    """The baseline of a table's games, checked against the records. Raises UserError.

    Records of the original do not say whom the model was compared with: for them `wanted` is believed.
    """
    recorded = [table.baselines[code] for code in occurring(table.baseline) if table.baselines[code]]
    others = [name for name in recorded if name != wanted]
    if others:
        raise UserError(
            f"The judgments were made against {shortened(others)}, not against {wanted}. "
            f"Run with --baseline {others[0]}, or judge against {wanted} first."
        )
    if not _may_be_itself(table, wanted):
        raise UserError(
            f"The judgments of {wanted} are not of the baseline against itself: two games with the same answers come "
            "out even on average, and alike, and these do not. Name the right baseline with --baseline, or remove that "
            "judgment file."
        )
    return wanted


def _may_be_itself(table: GameTable, baseline: str) -> bool:
    """Whether a baseline's own judgments, which do not name theirs, can be against itself."""
    if baseline not in table.models or "" not in table.baselines:
        return True
    own = select(table, (table.model == table.models.index(baseline)) & (table.verdict >= 0))
    own = select(own, own.baseline == table.baselines.index(""))
    pair = own.judge.astype(np.int64) * len(table.questions) + own.question
    of_pair = np.full((2, int(pair.max(initial=-1)) + 1), UNREADABLE)
    of_pair[own.game, pair] = own.verdict
    both = of_pair[:, (of_pair >= 0).all(axis=0)]
    found, counts = np.unique(_AHEAD[both], axis=1, return_counts=True)
    return may_be_itself({(int(one), int(two)): int(n) for (one, two), n in zip(found.T, counts)})


# ----------------------------------------------------------------------------------------- on disk


class _BattleRow(msgspec.Struct, gc=False):
    model_a: str
    model_b: str
    winner: str
    question_id: str = ""


_WINNER_CODES = {"model_a": A_WINS, "tie": TIE, "model_b": B_WINS, "tie (bothbad)": TIE}


def read_battles(file: Path) -> Battles:
    """Battles of any pairs from a JSONL or Parquet file. Raises UserError.

    Columns: model_a, model_b, winner (model_a, model_b or tie) and, if there, question_id.
    """
    if not file.is_file():
        raise UserError(in_place_of(file) or f"{file} does not exist. Name a JSONL or Parquet file of battles.")
    names, columns = _from_parquet(file) if file.suffix == ".parquet" else _from_jsonl(file)
    itself = columns["model_a"] == columns["model_b"]
    if itself.any():
        many = counted(int(itself.sum()), "battle of a model with itself was", "battles of a model with itself were")
        warnings.warn(f"{file}: {many} left out.", Remark, stacklevel=1)
        columns = {name: values[~itself] for name, values in columns.items()}
    if not len(columns["winner"]):
        raise UserError(f"{file} contains no battle.")
    questions = names["question"]
    if questions in ([], [""]):
        columns["question"], questions = np.arange(len(columns["winner"]), dtype=np.int32), []
    rows = np.ones(len(columns["winner"]), dtype=np.int8)
    model_a, model_b, question, winner = (columns[name] for name in ("model_a", "model_b", "question", "winner"))
    return Battles(names["model"], questions, model_a, model_b, question, winner, rows)


def _from_jsonl(file: Path) -> tuple[dict[str, list[str]], dict[str, IntArray]]:
    models, questions, reader = Codes(), Codes(), Reader(_BattleRow)
    parts: dict[str, list[IntArray]] = {name: [] for name in ("model_a", "model_b", "question", "winner")}
    for rows in reader.blocks(file):
        try:
            winners = [_WINNER_CODES[row.winner] for row in rows]
        except KeyError as error:
            line = reader.line_of(file, lambda row: row.winner not in _WINNER_CODES)
            raise UserError(f"{file}:{line}: winner is {error}, and must be one of {', '.join(WINNERS)}.") from None
        parts["winner"].append(np.array(winners, dtype=np.int8))
        parts["model_a"].append(np.array([models[row.model_a] for row in rows], dtype=np.int32))
        parts["model_b"].append(np.array([models[row.model_b] for row in rows], dtype=np.int32))
        parts["question"].append(np.array([questions[row.question_id] for row in rows], dtype=np.int32))
    columns = {name: np.concatenate(arrays) if arrays else np.array([], np.int32) for name, arrays in parts.items()}
    return {"model": list(models), "question": list(questions)}, columns


def _from_parquet(file: Path) -> tuple[dict[str, list[str]], dict[str, IntArray]]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise UserError(f"{file}: Parquet needs one more package: pip install pyarrow") from None
    try:
        schema = set(parquet.read_schema(file).names)
        missing = {"model_a", "model_b", "winner"} - schema
        if missing:
            raise UserError(f"{file} has no column {', '.join(sorted(missing))}.")
        wanted = ["model_a", "model_b", "winner", *(["question_id"] if "question_id" in schema else [])]
        table = parquet.read_table(file, columns=wanted, read_dictionary=wanted)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(foreign_kind(file) or f"{file} cannot be read as Parquet: {error}.") from None
    return _codes_of_table(file, table)


def _codes_of_table(file: Path, table: Table) -> tuple[dict[str, list[str]], dict[str, IntArray]]:
    models, questions, winners = Codes(), Codes(), Codes()
    columns = {
        "model_a": _codes_of_column(file, table, "model_a", models),
        "model_b": _codes_of_column(file, table, "model_b", models),
        "winner": _codes_of_column(file, table, "winner", winners),
        "question": np.array([], dtype=np.int32),
    }
    unknown = [name for name in winners if name not in _WINNER_CODES]
    if unknown:
        raise UserError(f"{file}: winner is {unknown[0]!r}, and must be one of {', '.join(WINNERS)}.")
    columns["winner"] = np.array([_WINNER_CODES[name] for name in winners], dtype=np.int8)[columns["winner"]]
    if "question_id" in table.column_names:
        columns["question"] = _codes_of_column(file, table, "question_id", questions)
    return {"model": list(models), "question": list(questions)}, columns


def _codes_of_column(file: Path, table: Table, name: str, codes: Codes) -> IntArray:
    parts: list[IntArray] = []
    for chunk in table.column(name).chunks:
        if chunk.null_count:
            raise UserError(f"{file}: the column {name} has empty places. Fill or remove those rows.")
        chunk = chunk if hasattr(chunk, "indices") else chunk.dictionary_encode()
        entries: list[Any] = chunk.dictionary.to_pylist()
        of_entry = np.array(
            [codes[entry if type(entry) is str else str(text_of(entry))] for entry in entries], dtype=np.int32
        )
        parts.append(of_entry[chunk.indices.to_numpy(zero_copy_only=False)])
    return np.concatenate(parts) if parts else np.array([], dtype=np.int32)


def battle_lines(battles: Battles) -> Iterator[bytes]:
    """The battle file of the original, as chunks of bytes: one line for each row."""
    heads = [b'{"question_id":' + msgspec.json.encode(name) for name in battles.questions]
    names = [msgspec.json.encode(name) for name in battles.models]
    cells = cells_of(battles)
    tails = [
        b',"model_a":' + names[a] + b',"model_b":' + names[b] + b',"winner":"' + WINNERS[w].encode() + b'"}\n'
        for a, b, w in (map(int, cell) for cell in zip(cells.model_a, cells.model_b, cells.winner))
    ]
    questions: list[int] = np.repeat(battles.question, battles.rows).tolist()
    ends: list[int] = cells.of_rows(battles).tolist()
    step = 20_000
    for start in range(0, len(ends), step):
        pairs = zip(questions[start : start + step], ends[start : start + step])
        yield b"".join([heads[question] + tails[end] for question, end in pairs])
