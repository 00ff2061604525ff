"""Battles and bootstrap rounds on disk, each with a note beside it of everything that it depends on.

The original's names stand for its default case; every other case has a file of its own in data/BENCH/cache/.
A file without its note (the original's) is believed; one whose note does not fit is never used in silence.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from arena_hard.data import paths, saved
from arena_hard.data.baselines import judgment_files
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.presets import DEFAULT_BASELINE, DEFAULT_BENCH, DEFAULT_JUDGE
from arena_hard.data.program import program
from arena_hard.data.record_index import Stamp, stamp_of
from arena_hard.data.records import UserError
from arena_hard.data.typed_jsonl import InputFile, Reader, input_file, is_unchanged, name_in
from arena_hard.rating import battle_files
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.battles import Battles, most_rows
from arena_hard.rating.coverage import JudgedQuestions
from arena_hard.rating.question_categories import fingerprints, question_categories

MANY_DRAWS = 100_000_000  # of rows, in all rounds
INFINITE = 1e6  # stands for a rating without an end in the file of rounds, which is plain JSON


class Case(msgspec.Struct, frozen=True):
    """What battles depend on besides the judgments."""

    bench: str = DEFAULT_BENCH
    judges: tuple[str, ...] = (DEFAULT_JUDGE,)
    baseline: str = DEFAULT_BASELINE
    weight: int = 3
    first_game_only: bool = False
    category: str = ""
    soft: bool = False


class Draw(msgspec.Struct, frozen=True):
    """What bootstrap rounds depend on besides the battles."""

    interval: str
    rounds: int
    seed: int


class Note(msgspec.Struct, frozen=True):
    """The note beside a cache: its case, the inputs' fingerprints, and the cache's own.

    judged: beside battles, what was judged; a question without a readable verdict has no battle. most: how many rows a
    question is at most. said: what had to be said of the judgments, in a form that only those who said it know;
    silent: models of which the games say nothing. made_of: beside many rounds, a digest of what they come from. whole:
    beside a category's battles, all cases of the run that has rated each category. told, n_battles: as in Part.
    by_category: whether each category was to be rated that the config names. remarks: what was said of the judgment
    files while they were read.
    """

    case: Case
    inputs: tuple[InputFile, ...]
    itself: InputFile | None = None
    draw: Draw | None = None
    judged: JudgedQuestions | None = None
    most: int | None = None
    said: Any = None
    silent: tuple[str, ...] = ()
    made_of: str = ""
    whole: tuple[Case, ...] = ()
    told: Mapping[str, str] | None = None
    n_battles: int | None = None
    by_category: bool = False
    remarks: tuple[str, ...] = ()


def default_battle_file(bench: Bench) -> Path:
    return bench.data_dir / "arena_hard_battles.jsonl"


def default_round_file(bench: Bench) -> Path:
    return bench.data_dir / "bootstrapping_results.jsonl"


def battle_file(bench: Bench, case: Case) -> Path:
    """Where the battles of a case lie."""
    return default_battle_file(bench) if case == Case() else _own_file(bench, case, "battles")


def round_file(bench: Bench, case: Case, interval: str) -> Path:
    """Where the bootstrap rounds of a case lie."""
    if case == Case() and interval == "rows":
        return default_round_file(bench)
    return _own_file(bench, case, f"rounds-of-{interval}")


def _own_file(bench: Bench, case: Case, kind: str) -> Path:
    parts = [kind, "+".join(case.judges), "vs", case.baseline, f"weight{case.weight}"]
    parts += ["first-game"] * case.first_game_only + ["soft"] * case.soft + [case.category] * bool(case.category)
    return bench.folder / "cache" / f"{paths.short_file_name(parts)}.jsonl"


def note_file(file: Path) -> Path:
    """Where the note of a cache lies."""
    return file.with_name(file.name.removesuffix(".jsonl") + ".meta.json")


def read_note(file: Path) -> Note | None:
    """The note beside a cache; None when there is none or the cache has been replaced since."""
    try:
        note = msgspec.json.decode(note_file(file).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return None
    return note if note.itself is not None and is_unchanged(file, note.itself) else None


# ----------------------------------------------------------------------------------------- loading


def find_battles(bench: Bench, case: Case, of_all: bool = False) -> tuple[Path, Note | None]:
    """The battle file of a case and its note. Raises UserError when there is none or it is stale.

    of_all: whether it is to be one of all categories there are.
    """
    file = battle_file(bench, case)
    if not file.is_file():
        original = default_battle_file(bench)
        if case.soft or not original.is_file():  # which knows no expected outcomes
            raise UserError(f"{file} does not exist. Run once without --load-battles, which writes it.")
        file = original
    note = read_note(file)
    if note is not None:
        check_note(file, note, case, bench, of_all and bool(note.whole))
    return file, note


def battles_of(file: Path, note: Note) -> Battles:
    """The battles of a cache, numbered as in the run that wrote it: seeded draws follow the order of models and
    questions as they were judged, those without a readable verdict among them, which have no battle.

    Where the note does not say how many rows a question may be, each judge is taken to have a readable verdict.
    Raises UserError.
    """
    case, judged = note.case, note.judged
    found = battle_files.read_games(file) if case.soft else battle_files.read_battles(file)
    if judged is not None:
        found = found.coded_by([case.baseline, *judged.known_models()], judged.questions)
    return replace(found, most=note.most or most_rows(case.weight, case.first_game_only, len(case.judges)))


def find_rounds(bench: Bench, case: Case, draw: Draw) -> tuple[Path, Note | None]:
    """The file of rounds of a case and its note. Raises UserError when there is none or it is stale."""
    file = round_file(bench, case, draw.interval)
    if not file.is_file():
        original = default_round_file(bench)
        if case.soft or not original.is_file():
            raise UserError(f"{file} does not exist. Run once without --load-bootstrap, which writes it.")
        file = original
    note = read_note(file)
    if note is not None:
        check_note(file, note, case, bench)
        if note.draw != draw:
            raise UserError(
                f"{file} holds other bootstrap rounds ({_text(note.draw)}; asked for: {_text(draw)}). "
                "Run without --load-bootstrap."
            )
    return file, note


def check_note(file: Path, note: Note, case: Case, bench: Bench, of_all: bool = False) -> None:
    """Raises UserError when a cache was made from something else. of_all: as in `changed_inputs`."""
    for field in Case.__struct_fields__:
        made, wanted = getattr(note.case, field), getattr(case, field)
        if made != wanted:
            raise UserError(
                f"{file} was made with {field.replace('_', ' ')} {_text(made)}, not {_text(wanted)}. "
                "Run without --load-battles, or with the options that it was made with."
            )
    changed = changed_inputs(note, bench, of_all)
    if changed:
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UserError(
            f"{file} is stale: {changed[0]} has changed since it was made{more}. Run without --load-battles."
        )


def _text(value: Draw | tuple[str, ...] | str | int | None) -> str:
    if isinstance(value, Draw):
        return f"{value.interval}, {counted(value.rounds, 'round')}, seed {value.seed}"
    return ", ".join(value) if isinstance(value, tuple) else str(value) or "none"


def changed_inputs(note: Note, bench: Bench, of_all: bool = False) -> list[str]:
    """The judgment files that changed, came or went, and question.jsonl where it tells other categories.

    Empty where the judgments are not here at all. of_all: whether the questions of every category matter.
    """
    files = [file for judge in note.case.judges for file in judgment_files(bench, judge, (note.case.baseline,))]
    now = {name_in(bench.data_dir, file) for file in files}
    known = {known.name: known for known in note.inputs}
    if not now:
        return []
    changed = sorted(
        name for name in now | set(known) if name not in known or not is_unchanged(bench.data_dir / name, known[name])
    )
    is_told = _is_told(note, bench, of_all or not note.case.category)
    return changed + [name_in(bench.data_dir, bench.question_file)] * (not is_told)


def _is_told(note: Note, bench: Bench, of_all: bool) -> bool:
    """Whether question.jsonl still tells the categories that a cache was made by. Raises UserError."""
    if note.told is None:
        return True
    now = fingerprints(question_categories(bench.question_file))
    return now == note.told if of_all else now.get(note.case.category) == note.told.get(note.case.category)


def read_rounds(file: Path, models: Sequence[str]) -> FloatArray:
    """Ratings [rounds, p] of the models from a file of rounds; NaN where a round has none. Raises UserError."""
    reader: Reader[dict[str, float | None]] = Reader(dict[str, float | None])
    rounds = [row for rows in reader.blocks(file) for row in rows]
    if not rounds:
        raise UserError(f"{file} holds no bootstrap round. Run without --load-bootstrap.")
    unknown = [model for model in models if model not in rounds[0]]
    if unknown:
        raise UserError(f"{file} has no rating of {unknown[0]}. Run without --load-bootstrap.")
    values = np.array([[row.get(model) for model in models] for row in rounds], dtype=float)
    return np.where(np.abs(values) >= INFINITE, np.copysign(np.inf, values), values)


def _rounds_made_of(battles: Battles, anchor: int, draw: Draw) -> str:
    """A digest of all that rounds come from, to their last digit; empty where so few are drawn as quickly as found."""
    if battles.n_rows * draw.rounds < MANY_DRAWS:
        return ""
    found = hashlib.blake2b(digest_size=16)
    codes = (battles.model_a, battles.model_b, battles.question, battles.winner, battles.rows, battles.game)
    for column in codes:
        found.update(str(column.dtype).encode() + column.tobytes() if column is not None else b"none")
    rest = repr((battles.models, battles.n_questions, anchor, draw))
    found.update(rest.encode("utf-8", "surrogatepass") + program())
    return found.hexdigest()


def round_lines(models: Sequence[str], rounds: FloatArray) -> Iterable[bytes]:
    """The original's file of rounds: one line for each, {model: rating}; no rating is null."""
    for row in np.clip(rounds, -INFINITE, INFINITE).tolist():
        yield msgspec.json.encode(dict(zip(models, row))) + b"\n"


# ----------------------------------------------------------------------------------------- writing


_left: dict[Path, dict[Path, Stamp]] = {}


def as_left(file: Path) -> dict[Path, Stamp] | None:
    """The stamps of a cache and its note as this process left them; None where it could not, or another run came."""
    return _left.get(file)


def save(file: Path, lines: Iterable[bytes], note: Note) -> str | None:
    """Write a cache and its note (`itself` is found here), unless the same is there.

    Returns why it could not be written, or None.
    """
    _left.pop(file, None)
    stamp, old = stamp_of(file), read_note(file)
    try:
        if stamp and old and old.itself and _made_from(old) == _made_from(note):
            note = msgspec.structs.replace(note, itself=input_file(file.name, stamp, old.itself.sha256))
            with contextlib.suppress(OSError):  # what is there is the same, but for the stamps of files
                of_note = stamp_of(note_file(file)) if note == old else _write_note(file, note)
                _leave({file: stamp, note_file(file): of_note})
            return None
        stamp, digest = _write(file, lines)
        if stamp:
            note = msgspec.structs.replace(note, itself=input_file(file.name, stamp, digest))
            _leave({file: stamp, note_file(file): _write_note(file, note)})
    except OSError as error:
        return f"{file} could not be written ({error.strerror}); the result is not affected."
    return None


def _leave(stamps: dict[Path, Stamp | None]) -> None:
    """Note how a cache and its note were left, if they are still so."""
    if all(stamp and stamp == stamp_of(file) for file, stamp in stamps.items()):
        _left[next(iter(stamps))] = {file: stamp for file, stamp in stamps.items() if stamp}


def _write_note(file: Path, note: Note) -> Stamp | None:
    return _write(note_file(file), [msgspec.json.encode(note)])[0]


def _write(file: Path, chunks: Iterable[bytes]) -> tuple[Stamp | None, str]:
    """Write a file. Returns its stamp, None where another run's is there by now, and its SHA-256. Raises OSError."""
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for chunk in chunks:
            digest.update(chunk)
            yield chunk

    inode, stamp = saved.write(file, hashed()), stamp_of(file)
    return stamp if stamp and stamp.inode == inode else None, digest.hexdigest()


def _made_from(note: Note) -> tuple[list[tuple[str, str]], Note]:
    contents = [(one.name, one.sha256) for one in note.inputs]  # a file that was only touched is the same
    return contents, msgspec.structs.replace(note, inputs=(), itself=None)


class RoundFile:
    """The rounds of a case as the last run has left them: taken where they would come out the same, else written."""

    def __init__(self, bench: Bench, case: Case, draw: Draw, battles: Battles, anchor: int) -> None:
        self.file = round_file(bench, case, draw.interval)
        self.case, self.draw, self.battles, self.anchor = case, draw, battles, anchor

    @functools.cached_property
    def _made_of(self) -> str:
        return _rounds_made_of(self.battles, self.anchor, self.draw)

    def known(self) -> FloatArray | None:
        """The rounds [rounds, p] of the file; None where it holds others, or is not as it was written."""
        note = read_note(self.file)
        if note is None or note.itself is None or not note.made_of or note.made_of != self._made_of:
            return None
        try:
            is_whole = hashlib.sha256(self.file.read_bytes()).hexdigest() == note.itself.sha256
            return read_rounds(self.file, self.battles.models) if is_whole else None
        except (OSError, UserError):
            return None

    def save(
        self, rounds: FloatArray, inputs: Sequence[InputFile], told: Mapping[str, str] | None = None
    ) -> str | None:
        """Write the rounds for the next run, --load-bootstrap and other tools, as `save` does. told: as in Note."""
        note = Note(self.case, tuple(inputs), draw=self.draw, made_of=self._made_of, told=told)
        return save(self.file, round_lines(self.battles.models, rounds), note)
