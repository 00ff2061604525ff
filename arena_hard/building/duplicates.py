"""The third step: of exact and near copies one stays, and what is in an excluded bench goes."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena_hard.building import near_copies
from arena_hard.building.conversations import SEPARATOR, kept
from arena_hard.building.id_order import in_order_of_ids
from arena_hard.building.label_files import TAG, carries_label
from arena_hard.building.languages import UNKNOWN, code_of
from arena_hard.building.near_copies import Sketches, comparable
from arena_hard.building.parallel import in_order
from arena_hard.building.reading import batches, texts_of
from arena_hard.building.runner import fingerprint
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, arrow
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted, suggestion
from arena_hard.data.paths import Bench, benches
from arena_hard.data.records import Question, UserError, question_from_row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

OFFICIAL = ("arena-hard-v0.1", "arena-hard-v2.0")
EXACT, NEAR = "exact copies", "near copies"
METHOD = 5  # raised when other pairs would be found, or others of a pair would stay


class DuplicateStep(Step):
    """Drop copies, count in n_seen how often each prompt that stays was seen."""

    name = "duplicates"
    needs = ("clean",)

    def made_from(self, context: Context) -> dict[str, Any]:
        settings = context.settings.duplicates
        excluded = [{"bench": name, **fingerprint(file)} for name, file in excluded_files(context)]
        return {"similarity": settings.similarity, "exclude": excluded, "method": METHOD}

    def check(self, context: Context) -> None:
        excluded_files(context)

    def plan(self, context: Context, rows: int | None) -> list[str]:
        named = [
            f"{name} ({counted(len(_questions(name, file)), 'question')})" for name, file in excluded_files(context)
        ]
        return [f"left out with their near copies: {', '.join(named)}"] if named else []

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        Deduplication(context, rows, out).run()


class Deduplication:
    """One run of the step: of the texts, those of excluded benches come first, then one for each id.

    Neither what stays nor its order owes anything to the order of the rows: a log that is shuffled gives the same
    benchmark.
    """

    def __init__(self, context: Context, rows: Table, out: Output) -> None:
        import numpy as np

        self.context, self.rows, self.out = context, rows, out
        self.bound = context.settings.duplicates.similarity
        self.names: list[str] = []
        self.excluded: list[str] = []
        for name, file in excluded_files(context):
            questions = _questions(name, file)
            self.names += [name] * len(questions)
            turns = [kept(list(question.turns), context.settings.clean.turns) for question in questions]
            self.excluded += [comparable(SEPARATOR.join(each)) for each in turns]
        ids = np.array([int(key, 16) for key in rows.column("id")], np.uint64)
        _, self.text_of, self.seen = np.unique(ids, return_inverse=True, return_counts=True)
        self.first = _first_rows(rows, self.text_of, self.seen)
        out.progress.reset(total=2 * rows.count)

    def run(self) -> None:
        """Find the copies and write what stays."""
        import numpy as np

        fixed = len(self.excluded)
        sketched = self._sketches()
        buckets = near_copies.buckets_of(sketched.bands)
        texts = dict(enumerate(self.excluded)) | self._texts(buckets.texts[buckets.texts >= fixed] - fixed)
        # texts are numbered in the order of their ids; which of two stays is told by how often it came, then by its id
        ranked = np.argsort(-self.seen, kind="stable") + fixed
        order = np.concatenate([np.arange(fixed), ranked])
        of = np.arange(len(order))
        for text, other in near_copies.find_copies(sketched, buckets, order, texts, self.bound, fixed):
            of[text] = other
        for left in in_order_of_ids(self._left(of, fixed), len(self.first), self.context.folder):
            self.out.write(left)

    def _sketches(self) -> Sketches:
        """Of all texts; each is worked on where its first row is."""
        import numpy as np

        count = len(self.first)
        own = near_copies.sketches(self.excluded, self.bound)
        signatures = np.empty((len(self.excluded) + count, own.signatures.shape[1]), np.uint16)
        bands = np.empty((len(signatures), own.bands.shape[1]), np.uint64)
        signatures[: len(self.excluded)], bands[: len(self.excluded)] = own
        is_first = np.zeros(len(self.text_of), bool)
        is_first[self.first] = True
        at = 0
        for rows, found in in_order(
            functools.partial(_sketches_of, self.bound), self._firsts(is_first), self.context.processes
        ):
            places = self.text_of[at : at + rows][is_first[at : at + rows]] + len(self.excluded)
            signatures[places], bands[places] = found
            at += rows
            self.out.advance(rows)
        return Sketches(signatures, bands)

    def _firsts(self, is_first: npt.NDArray[np.bool_]) -> Any:
        at = 0
        for batch in batches(self.rows, ["turns"]):
            wanted = is_first[at : at + batch.num_rows]
            yield batch.num_rows, batch.filter(arrow().array(wanted))
            at += batch.num_rows

    def _texts(self, wanted: npt.NDArray[np.int64]) -> dict[int, str]:
        """The comparable texts of those that may be copies, by their numbers."""
        import numpy as np

        rows = np.sort(self.first[wanted])
        texts: dict[int, str] = {}
        at = 0
        for part in self.rows.parts(["turns"]):
            here = rows[(rows >= at) & (rows < at + part.num_rows)]
            compared = map(comparable, _joined(part.take(arrow().array(here - at))))
            numbers = self.text_of[here] + len(self.excluded)
            texts.update(zip(numbers.tolist(), compared))
            at += part.num_rows
        return texts

    def _left(self, of: npt.NDArray[np.int64], fixed: int) -> Iterator[pa.Table]:
        """The rows that stay; the others are counted."""
        import numpy as np

        tags, languages = self._handed_on(of, fixed), self._languages()
        seen = np.zeros(len(of), np.int64)
        np.add.at(seen, of[fixed:], self.seen)
        at = 0
        for part in self.rows.parts():
            here = self.text_of[at : at + part.num_rows] + fixed
            is_first = self.first[here - fixed] == np.arange(at, at + part.num_rows)
            stays = is_first & (of[here] == here)
            why = np.where(of[here] < fixed, 2, np.where(is_first, 1, 0))
            for code, reason in enumerate((EXACT, NEAR)):
                self._drop(part, ~stays & (why == code), reason)
            for name in dict.fromkeys(self.names):
                named = np.array([other < fixed and self.names[other] == name for other in of[here].tolist()])
                self._drop(part, named, f"in {name}")
            told = _with(_with(part, at, TAG, tags), at, "language", languages)
            left = told.filter(arrow().array(stays))
            yield left.append_column("n_seen", arrow().array(seen[here][stays], arrow().int32()))
            at += part.num_rows
            self.out.advance(part.num_rows)

    def _handed_on(self, of: npt.NDArray[np.int64], fixed: int) -> dict[int, str]:
        """The category_tag of a copy, by the row that stays and carries no label: of exact copies before near ones."""
        import numpy as np

        parts = (part.column(TAG).to_pylist() for part in self.rows.parts([TAG]))
        # of several, what the tags hold decides, and not where they stand
        marks = np.array([_mark(tag) for tags in parts for tag in tags], np.uint64)
        labelled = marks > 0
        rows = np.flatnonzero(labelled)
        texts = self.text_of[rows] + fixed
        stays = of[texts]
        rows, texts, stays = rows[stays >= fixed], texts[stays >= fixed], stays[stays >= fixed]
        ranked = np.lexsort((marks[rows], texts, texts != stays, stays))
        owners, places = np.unique(stays[ranked], return_index=True)
        takers, givers = self.first[owners - fixed], rows[ranked][places]
        given = dict(zip(givers[~labelled[takers]].tolist(), takers[~labelled[takers]].tolist()))
        tags, at = dict[int, str](), 0
        for part in self.rows.parts([TAG]) if given else ():
            here = [row for row in given if at <= row < at + part.num_rows]
            there = part.column(TAG).to_pylist() if here else []
            tags.update((given[row], there[row - at]) for row in here)
            at += part.num_rows
        return tags

    def _languages(self) -> dict[int, str]:
        """The language that exact copies are said to be in, by the row that stays; none where they disagree."""
        said: dict[int, set[str]] = {}
        at = 0
        for part in self.rows.parts(["language"]):
            here = self.text_of[at : at + part.num_rows]
            is_copied = self.seen[here] > 1
            names = part.filter(arrow().array(is_copied)).column("language").to_pylist()
            for text, code in zip(here[is_copied].tolist(), map(code_of, names)):
                if code != UNKNOWN:
                    said.setdefault(text, set()).add(code)
            at += part.num_rows
        return {int(self.first[text]): codes.pop() if len(codes) == 1 else "" for text, codes in said.items()}

    def _drop(self, part: pa.Table, dropped: npt.NDArray[np.bool_], reason: str) -> None:
        count = int(dropped.sum())
        if count:
            shown = part.filter(arrow().array(dropped)).slice(0, 5)
            self.out.drop(reason, list(zip(shown.column("id").to_pylist(), texts_of(shown))), count)


def _mark(tag: str | None) -> int:
    """A number that tells a tag with a label from others; 0 where there is no label."""
    return 1 + int.from_bytes(hashlib.sha256(tag.encode()).digest()[:7], "big") if tag and carries_label(tag) else 0


def _with(part: pa.Table, at: int, column: str, values: dict[int, str]) -> pa.Table:
    """A part, which begins at a row, with the values of a column that rows of it are handed."""
    here = {row - at: value for row, value in values.items() if at <= row < at + part.num_rows}
    if not here:
        return part
    place = part.schema.get_field_index(column)
    field = part.schema.field(place)
    own = part.column(column).to_pylist()
    return part.set_column(
        place, field, arrow().array([here.get(row, each) for row, each in enumerate(own)], field.type)
    )


def _first_rows(rows: Table, text_of: npt.NDArray[np.int64], seen: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The row of each text that stays before its exact copies: of those without surplus blanks, by what is in them.

    Of copies that are the same in all but their file, by the name of that.
    """
    import numpy as np

    length = np.zeros(len(text_of), np.int64)
    content, file = np.zeros((2, len(text_of)), np.uint64)
    at = 0
    for part in rows.parts():
        copied = np.flatnonzero(seen[text_of[at : at + part.num_rows]] > 1)
        found = part.take(copied).to_pylist()
        length[at + copied] = [sum(map(len, row["turns"])) for row in found]
        file[at + copied] = [_number({"source": row.pop("source")}) for row in found]
        content[at + copied] = list(map(_number, found))
        at += part.num_rows
    order = np.lexsort((file, content, length, text_of))
    return order[np.searchsorted(text_of[order], np.arange(len(seen)))]


def _number(row: dict[str, Any]) -> int:
    """A number by which rows that are alike but for how they are written stand in an order of their own."""
    return int.from_bytes(hashlib.sha256(json.dumps(row).encode()).digest()[:8], "big")


def _sketches_of(bound: float, piece: tuple[int, pa.Table]) -> tuple[int, Sketches]:
    count, table = piece
    return count, near_copies.sketches(list(map(comparable, _joined(table))), bound)


def _joined(table: pa.Table) -> list[str]:
    return [SEPARATOR.join(turns) for turns in table.column("turns").to_pylist()]


# ------------------------------------------------------------------------------------- excluded benches


def excluded_files(context: Context) -> list[tuple[str, Path]]:
    """The benches whose questions are left out, and their files. Raises UserError for one that is not there."""
    named = context.settings.duplicates.exclude
    data_dir = context.bench.data_dir
    if named is None:
        there = set(benches(data_dir)) - {context.bench.name}
        return [(name, Bench(data_dir, name).question_file) for name in OFFICIAL if name in there]
    return [_excluded(context, name) for name in dict.fromkeys(named)]


def _excluded(context: Context, name: str) -> tuple[str, Path]:
    file = Path(name)
    if file.is_dir():
        file = file / "question.jsonl"
    if file.is_file():
        return file.parent.name if file.name == "question.jsonl" and file.parent.name else file.name, file
    if name == context.bench.name:
        raise UserError(f"exclude: {name} is the benchmark that is to be made. Leave it out.")
    known = set(benches(context.bench.data_dir)) - {context.bench.name}
    if name not in known:
        there = f"{suggestion(name, known)}" if known else f"{context.bench.data_dir}/ holds none."
        raise UserError(f"exclude: there is no bench or file of questions {name}. {there}")
    return name, Bench(context.bench.data_dir, name).question_file


@functools.cache
def _questions(name: str, file: Path) -> list[Question]:
    return list(jsonl.read(file, question_from_row, complete=True))
