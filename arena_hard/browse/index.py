"""Where every record of a bench lies in its file: byte offsets and verdicts, no texts.

A judgment of 2.6 kB becomes some 40 bytes. Files are read again only when they changed, so that judgments which are
being written appear with the next page; what is large is read while pages are shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from arena_hard.browse.commands import Commands
from arena_hard.browse.judged import Judged
from arena_hard.browse.question_file import QuestionFile
from arena_hard.browse.reading import Facts, Reading, Scan, Scans, Wanted, answer_facts, game_kind
from arena_hard.browse.record_file import (
    UNREADABLE,
    JudgmentHead,
    RecordFile,
    each_once,
    first_in,
    part_of,
    read_record,
    renumbered,
)
from arena_hard.data.baselines import Origin, Standing, standing
from arena_hard.data.bench_files import answer_if_any
from arena_hard.data.columns import Places
from arena_hard.data.lengths import AnswerRow
from arena_hard.data.owners import owners
from arena_hard.data.paths import Bench, JudgmentSet, by_name
from arena_hard.data.record_folder import look_into
from arena_hard.data.record_index import stamp_of
from arena_hard.data.records import Answer, Judgment, Question, judgment_from_row
from arena_hard.rating.arrays import BoolArray, IntArray
from arena_hard.rating.game_codes import UNKNOWN
from arena_hard.rating.game_records import GameKind, codes_of
from arena_hard.rating.same_records import Overruled
from arena_hard.showing.footnotes import overruled_notes
from arena_hard.showing.notes import whole

K = TypeVar("K")
_NO_PLACES: tuple[Places, IntArray] = Places([]), np.zeros(0, dtype=np.int32)


@dataclass
class BenchIndex:
    """The index of one bench. `refresh` brings it up to date; everything else only reads.

    A judge is one set of judgments: those against a further baseline are a judge of their own (sets: by label).
    """

    bench: Bench
    questions: list[Question | None] = field(default_factory=list)
    question_ids: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    judged: dict[str, Judged] = field(default_factory=dict)
    baselines: list[str] = field(default_factory=list)
    answers: dict[str, RecordFile] = field(default_factory=dict)
    judgments: dict[tuple[str, str], list[RecordFile]] = field(default_factory=dict)
    sets: dict[str, JudgmentSet] = field(default_factory=dict)
    version: int = 0
    commands: Commands = Commands()

    def __post_init__(self) -> None:
        self._standing: dict[tuple[str, str, str], Standing] = {}
        self._most_named: dict[str, dict[str, str]] = {}
        self._codes: dict[str, int] = {}
        self._baseline_codes: dict[str, int] = {}
        self._question_file = QuestionFile(self.bench.question_file)
        self._model_codes: dict[str, int] = {}
        self._judgment_files: dict[tuple[str, str], RecordFile] = {}
        self._folder_notes: dict[str, list[str]] = {}
        self._overruled: list[Overruled] = []
        self._owner_notes: list[str] = []
        self._lock = threading.Lock()
        self._scans = Scans(self.bench)
        self._of_places = _NO_PLACES

    # ------------------------------------------------------------------------------- building

    def refresh(self, in_background: bool = False) -> bool:
        """Read what changed since the last time. Returns whether anything did.

        in_background: what is large is read while pages are shown, and is there with a later call (`reading`).
        """
        with self._lock:
            changed = self._refresh_questions()
            changed |= self._refresh_files(self._files_of_answers(), self._files_of_judgments(), in_background)
            if changed:
                self._assemble()
                self.version += 1
            return changed

    def _refresh_questions(self) -> bool:
        """Number the questions as a new index would: those of the file in its order, then others that records name."""
        if not self._question_file.refresh():
            return False
        names, known = self.question_ids, self._question_file.known
        self._codes, self._of_places = {name: code for code, name in enumerate(known)}, _NO_PLACES
        for file in self._files():
            codes, first = np.unique(file.question, return_index=True)
            for code in codes[np.argsort(first)].tolist():
                self._codes.setdefault(names[code], len(self._codes))
        self.question_ids = list(self._codes)
        self.questions = [known.get(name) for name in self.question_ids]
        now = np.array([self._codes.get(name, -1) for name in names], dtype=np.int32)
        self.answers = renumbered(self.answers, now)
        self._judgment_files = renumbered(self._judgment_files, now)
        return True

    def _files_of_answers(self) -> dict[str, Path]:
        found = look_into(self.bench.answer_folder, self.bench.judged_names())
        self._folder_notes = {"answers": found.notes}
        return by_name(found.files)

    def _files_of_judgments(self) -> dict[tuple[str, str], Path]:
        self.sets = {each.label: each for each in self.bench.judgment_sets()}
        files: dict[tuple[str, str], Path] = {}
        for label, each in self.sets.items():
            found = look_into(each.folder)
            self._folder_notes[label] = found.notes
            files |= {(label, name): path for name, path in by_name(found.files).items()}
        return files

    def _refresh_files(
        self, answers: dict[str, Path], judgments: dict[tuple[str, str], Path], in_background: bool
    ) -> bool:
        """Bring what is known in line with the files on disk. Returns whether anything changed."""
        stamps = {path: stamp for path in (*answers.values(), *judgments.values()) if (stamp := stamp_of(path))}
        known = {file.path: file.stamp for file in self._files()}
        judged = set(judgments.values())
        new = [Wanted(path, stamp, path in judged) for path, stamp in stamps.items() if known.get(path) != stamp]
        size = sum(stamp.size for stamp in stamps.values())
        scans = {scan.path: scan for scan in self._scans.of(new, in_background, size)}
        before = (self.answers.keys(), self._judgment_files.keys())
        self.answers = self._with(scans, answers, self.answers, answer_facts)
        self._judgment_files = self._with(scans, judgments, self._judgment_files, self._judgment_facts)
        return bool(scans) or before != (self.answers.keys(), self._judgment_files.keys())

    def _with(
        self, scans: dict[Path, Scan], paths: dict[K, Path], known: dict[K, RecordFile], facts: Callable[[Any], Facts]
    ) -> dict[K, RecordFile]:
        """The files that are known by now, in the order of their paths. facts: of each kind of record."""
        found: dict[K, RecordFile] = {}
        for key, path in paths.items():
            if path in scans:
                found[key] = self._record_file(scans[path], facts)
            elif key in known:
                found[key] = known[key]
        return found

    def _record_file(self, scan: Scan, facts_of: Callable[[Any], Facts]) -> RecordFile:
        records = scan.records
        question = self._codes_of(records.places)
        place = np.frombuffer(b"".join(records.marks), dtype=np.int64).reshape(-1, 2)
        facts = np.array([facts_of(kind) for kind in records.kinds], dtype=np.int32).reshape(-1, 5)
        fact = facts[codes_of(records.codes)]
        return RecordFile(scan.path, scan.stamp, question, place[:, 0], place[:, 1], fact, scan.problems, scan.notes)

    def _codes_of(self, places: Places) -> IntArray:
        """[n] codes of the questions of a file's records; most files have the same."""
        if self._of_places[0] is not places:
            self._of_places = places, np.array([self._code(key) for key in places.ids], dtype=np.int32)
        return self._of_places[1]

    def _code(self, question_id: str) -> int:
        code = self._codes.get(question_id)
        if code is None:
            code = self._codes[question_id] = len(self.question_ids)
            self.question_ids.append(question_id)
            self.questions.append(None)
        return code

    def _judgment_facts(self, kind: GameKind) -> Facts:
        model = self._model_codes.setdefault(kind.model, len(self._model_codes))
        verdicts = [UNREADABLE if code == UNKNOWN else code for code in (kind.first, kind.second)]
        return verdicts[0], verdicts[1], self._baseline_code(kind.baseline), model, int(kind.shortened)

    def _baseline_code(self, name: str) -> int:
        if not name:
            return -1
        code = self._baseline_codes.setdefault(name, len(self.baselines))
        if code == len(self.baselines):
            self.baselines.append(name)
        return code

    def _assemble(self) -> None:
        """The matrices over all models that have answers or judgments."""
        self._gather_judgments()
        self.models = sorted({*self.answering, *(model for _, model in self.judgments)}, key=str.lower)
        place = {model: code for code, model in enumerate(self.models)}
        shape = (len(self.models), len(self.question_ids))
        judged: dict[str, Judged] = {}
        for (judge, model), files in sorted(self.judgments.items()):
            table = judged.get(judge) or Judged.empty(shape)
            judged[judge] = table
            for number in reversed(range(len(files))):  # the first one counts most
                table.fill(place[model], number, files[number])
        self.judged = judged
        self._standing.clear()
        self._most_named.clear()

    def _gather_judgments(self) -> None:
        """The judgments by judge and model: a model's may be in several files, and one file may hold several's."""
        parts: dict[tuple[str, str], list[RecordFile]] = {}
        self._owner_notes = []
        for (label, name), file in self._judgment_files.items():
            for model, part in self._parts_by_model(name, file):
                parts.setdefault((label, model), []).append(part)
        self.judgments, self._overruled = {}, []
        told = {key: files for key, files in parts.items() if any(len(each.question) for each in files)}
        for key, files in told.items():  # an empty file makes no model, and no judge
            self.judgments[key], overruled = each_once(files, key[1])
            self._overruled += overruled

    def _parts_by_model(self, name: str, file: RecordFile) -> Iterator[tuple[str, RecordFile]]:
        """A file's rows by the model that they are of."""
        names, models = list(self._model_codes), file.facts[:, 3]
        if len(models) and (models == models[0]).all() and names[models[0]] == name:
            yield name, file
            return
        rows = {names[code]: models == code for code in np.unique(models).tolist()}
        questions = {own: set(file.question[mask].tolist()) for own, mask in rows.items()}
        whose = owners(self.bench, file.path, questions)
        self._owner_notes += whose.notes
        for model in dict.fromkeys(whose.of.values()):
            masks = [mask for own, mask in rows.items() if whose.of[own] == model]
            yield model, part_of(file, np.any(masks, axis=0))
        if not rows:
            yield name, file

    # -------------------------------------------------------------------------------- reading

    @property
    def reading(self) -> Reading | None:
        """How far it is, while files are read that are not in the index yet."""
        return self._scans.reading

    @property
    def judges(self) -> list[str]:
        """Names of the judges that have judged anything, with the baseline where it is a further one."""
        return list(self.judged)

    @property
    def answering(self) -> list[str]:
        """The models that have answered anything."""
        return [model for model, file in self.answers.items() if len(file.question)]

    @property
    def problems(self) -> list[str]:
        """Lines that could not be read, with file and number."""
        return self._question_file.problems + [problem for file in self._files() for problem in file.problems]

    @property
    def notes(self) -> list[str]:
        """What is odd in and beside the files, though everything in them could be read."""
        beside = [note for notes in self._folder_notes.values() for note in notes]
        within = self._question_file.notes + [note for file in self._files() for note in file.notes] + self._owner_notes
        empty = [str(file.path) for file in self._files() if not file.length.size]
        beside += [f"{file} is empty: it holds no record." for file in empty if file not in "\n".join(beside)]
        return beside + within + [whole(note) for note in overruled_notes(self._overruled)]

    def _files(self) -> list[RecordFile]:
        return [*self.answers.values(), *self._judgment_files.values()]

    def question_code(self, question_id: str) -> int | None:
        """The code of a question, None when no record names it."""
        return self._codes.get(question_id)

    def standing(self, judge: str, baseline: str, category: str) -> Standing:
        """How a judge's judgments that name no baseline stand to this one."""
        case = (judge, baseline, category)
        if case not in self._standing:
            table = self.judged.get(judge)
            is_named = table is None or not ((table.row >= 0) & (table.baseline < 0)).any()
            self._standing[case] = (
                Standing(True, True, Origin(baseline))  # of none anything can be said
                if is_named
                else standing(self.bench, self.sets[judge].judge, baseline, category)
            )
        return self._standing[case]

    def most_named(self, judge: str, category: str) -> str:
        """The baseline that most of a judge's judgments name, of a category or else of all; empty where none does."""
        if judge not in self._most_named:
            categories = [question.category if question else "" for question in self.questions]
            self._most_named[judge] = self.judged[judge].most_named(categories, self.baselines)
        named = self._most_named[judge]
        return named.get(category, named.get("", ""))

    def models_of(self, judge: str) -> list[int]:
        """Codes of the models that a judge has judged; all models when there is no such judge."""
        table = self.judged.get(judge)
        return list(range(len(self.models))) if table is None else np.flatnonzero((table.row >= 0).any(1)).tolist()

    def answer(self, model: str, question: int) -> Answer | None:
        """A model's answer, read from its file: of several the last; None when there is none. Raises Changed."""
        file = self.answers.get(model)
        if file is None:
            return None
        rows = np.flatnonzero(file.question == question)[::-1]
        found = (read_record(file, int(row), self.is_answer, answer_if_any) for row in rows)
        return next((answer for answer in found if answer is not None), None)

    def judgment(self, judge: str, model: int, question: int) -> Judgment | None:
        """A judgment, read from its file; None when there is none. Raises Changed."""
        table = self.judged.get(judge)
        row = -1 if table is None else int(table.row[model, question])
        if table is None or row < 0:
            return None
        file = self.judgments[judge, self.models[model]][int(table.file[model, question])]
        return read_record(file, row, self.is_judgment, judgment_from_row)

    def is_answer(self, file: RecordFile, row: int, line: bytes) -> bool:
        """Whether a line is an answer to the question that a row is of."""
        head = first_in(line, msgspec.json.Decoder(AnswerRow).decode)
        return head is not None and (head.question_id or head.uid) == self.question_ids[file.question[row]]

    def is_judgment(self, file: RecordFile, row: int, line: bytes) -> bool:
        """Whether a line is the judgment that a row is of: question, model, baseline and verdicts."""
        head = first_in(line, msgspec.json.Decoder(JudgmentHead).decode)
        first, second, baseline, model, shortened = file.facts[row].tolist()
        names = list(self._model_codes)[model], self.baselines[baseline] if baseline >= 0 else ""
        known = GameKind(*names, "", first, second, bool(shortened))
        key = self.question_ids[file.question[row]]
        return head is not None and (head.question_id or head.uid, game_kind(head)) == (key, known)

    def answered(self, model: str) -> BoolArray:
        """[question] whether the model has an answer."""
        return self._of_answers(model, lambda file: np.ones(len(file.question), dtype=bool))

    def cut_off(self, model: str) -> BoolArray:
        """[question] whether the model's answer ended because max_tokens was reached."""
        return self._of_answers(model, lambda file: file.facts[:, 1] > 0)

    def _of_answers(self, model: str, values: Callable[[RecordFile], BoolArray]) -> BoolArray:
        result = np.zeros(len(self.question_ids), dtype=bool)
        file = self.answers.get(model)
        if file is not None:
            result[file.question] = values(file)
        return result
