"""Battles on disk: the original's file, any pairs from elsewhere, and games with expected outcomes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from arena_hard.data.foreign_files import foreign_kind
from arena_hard.data.jsonl import Remark
from arena_hard.data.name_lists import counted
from arena_hard.data.record_folder import in_place_of
from arena_hard.data.record_values import text_of
from arena_hard.data.records import UserError
from arena_hard.data.typed_jsonl import Reader
from arena_hard.rating.arrays import FloatArray, IntArray
from arena_hard.rating.battles import A_WINS, B_WINS, TIE, WINNERS, Battles, cells_of, of_rows
from arena_hard.rating.game_codes import Codes

if TYPE_CHECKING:
    from pyarrow import Table


class _BattleRow(msgspec.Struct, gc=False):
    model_a: str
    model_b: str
    winner: str
    question_id: str = ""


_LINES = 5000  # of battles, which stay in the processor's cache until they are written
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
        parts.append(of_entry.take(chunk.indices.to_numpy(zero_copy_only=False)))
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
    questions: list[int] = np.repeat(battles.question, battles.whole_rows).tolist()
    ends: list[int] = cells.of_rows(battles).tolist()
    for start in range(0, len(ends), _LINES):
        parts = [b""] * (2 * len(ends[start : start + _LINES]))
        parts[::2] = [heads[question] for question in questions[start : start + _LINES]]
        parts[1::2] = [tails[end] for end in ends[start : start + _LINES]]
        yield b"".join(parts)


# --------------------------------------------------------------------- games with expected outcomes


class _RowsOfGame(msgspec.Struct, gc=False):
    model_a: float
    tie: float
    model_b: float


class _Game(msgspec.Struct, gc=False):
    question_id: str
    model_a: str
    model_b: str
    rows: _RowsOfGame


def game_lines(battles: Battles) -> Iterator[bytes]:
    """Battles with expected outcomes, as chunks of bytes: one line for each game, with its rows by WINNERS.

    A line has `rows` in the place of `winner`, so that nobody who reads battles takes it for one row.
    """
    games = battles.games()
    rows = np.zeros((len(games.rows), len(WINNERS)))
    rows[games.place, battles.winner] = battles.rows
    heads = [battles.question[games.first], battles.model_a[games.first], battles.model_b[games.first]]
    codes: list[tuple[int, int, int]] = np.column_stack(heads).tolist()
    shares: list[list[float]] = rows.tolist()
    for (question, model_a, model_b), row in zip(codes, shares):
        a, b = battles.models[model_a], battles.models[model_b]
        yield msgspec.json.encode(_Game(battles.questions[question], a, b, _RowsOfGame(*row))) + b"\n"


def read_games(file: Path) -> Battles:
    """The battles of such a file. Raises UserError."""
    models, questions, reader = Codes(), Codes(), Reader(_Game)
    codes: list[tuple[int, int, int]] = []
    rows: list[tuple[float, float, float]] = []
    for games in reader.blocks(file):
        codes += [(models[game.model_a], models[game.model_b], questions[game.question_id]) for game in games]
        rows += [(game.rows.model_a, game.rows.tie, game.rows.model_b) for game in games]
    if not rows:
        raise UserError(f"{file} contains no game. Run without --load-battles, which writes it.")
    columns: list[IntArray] = list(np.array(codes, dtype=np.int32).T)
    found: FloatArray = np.array(rows)
    return of_rows(list(models), list(questions), *columns, rows=found, most=None)
