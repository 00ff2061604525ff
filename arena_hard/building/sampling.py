"""The last steps: the draw, and question.jsonl with its datasheet."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.bench import Chosen, datasheet, names_of_topics, question_row, twin_words
from arena_hard.building.drawing import UNLABELLED, draw, draw_lines, twin_lines
from arena_hard.building.settings import BuildSettings
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, arrow
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError

_SHEET = "datasheet.md"
_SEAL = b"<!-- SHA-256 of question.jsonl: %b, of this text: %b -->\n"
MAIN, TWIN = "main", "twin"
_MADE = "questions.made"  # hashes of all that was ever written, which tell what somebody has changed since


def good_step(settings: BuildSettings) -> str:
    """The step that leaves the prompts to draw from: the last filter, or the topics where nothing is labelled."""
    passes = len(settings.labels.passes)
    return f"filter{passes}" if passes else "topics"


class SampleStep(Step):
    """Draw topics, and prompts of each."""

    name = "sample"

    def __init__(self, settings: BuildSettings) -> None:
        self.needs = (good_step(settings),)

    def made_from(self, context: Context) -> dict[str, Any]:
        return {"sample": msgspec.to_builtins(context.settings.sample), "seed": context.settings.seed}

    def plan(self, context: Context, rows: int | None) -> list[str]:
        sample = context.settings.sample
        topics = "all topics" if sample.topics == "all" else counted(sample.topics, "topic")
        which = {"random": "at random", "best": "the best first"}[sample.order]
        said = f"{topics} {which}, {counted(sample.prompts, 'prompt')} of each{', with a twin' * sample.twin}"
        return [said] if context.settings.labels.passes else [said, UNLABELLED]

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        sample, passes = context.settings.sample, context.settings.labels.passes
        columns = ["id", "topic", *(["topic_mean"] if passes else [])]
        table = rows.read(columns)
        keys, topics = table.column("id").to_pylist(), table.column("topic").to_pylist()
        means = dict(zip(topics, table.column("topic_mean").to_pylist())) if passes else {}
        found = draw(zip(keys, topics), means, sample.topics, sample.prompts, sample.order, context.settings.seed)
        parts = [(MAIN, found.main)] + [(TWIN, found.twin)] * sample.twin
        drawn = [(key, topic, part) for part, each in parts for topic, keys in each.items() for key in keys]
        out.advance(len(keys))
        if not found.main:
            raise UserError(_no_topic(context, found.short, sample.prompts))
        if sample.twin and not found.twin:
            raise UserError(_no_twin(context, sample.prompts))
        names = ("id", "topic", "part")
        schema = arrow().schema([("id", arrow().string()), ("topic", arrow().int32()), ("part", arrow().string())])
        out.write(arrow().table(dict(zip(names, map(list, zip(*drawn)))), schema=schema))
        for line in draw_lines(found, sample.topics, sample.prompts, passes):
            out.say(line)
        for line in twin_lines(found, sample.prompts) if sample.twin else ():
            out.say(line)
        out.facts |= {"eligible_topics": found.eligible, "short_topics": found.short, "not_drawn": found.rest}


def _no_topic(context: Context, short: int, each: int) -> str:
    few = f" ({counted(short, 'topic')} with fewer)" * bool(short)
    return (
        f"No topic has {counted(each, 'good prompt')}{few}, so that nothing can be drawn. Remedy in "
        f"{context.args.setting_file}: lower thresholds, a smaller topics: min_size, a smaller sample: prompts; or "
        "more conversations."
    )


def _no_twin(context: Context, each: int) -> str:
    return (
        f"No topic that was drawn has {2 * each} good prompts, so that no twin can be drawn. Leave out --twin "
        f"(sample: twin in {context.args.setting_file}), or lower thresholds, sample: prompts or topics: min_size."
    )


class QuestionStep(Step):
    """Write question.jsonl, of the bench and of its twin, and the datasheet.

    The twin of an earlier draw, which may share prompts with the new bench, does not stay where nobody asks for one.
    """

    name = "questions"
    has_table = False
    files = (_MADE,)

    def __init__(self, settings: BuildSettings, steps: Sequence[Step]) -> None:
        self.before = [step.name for step in steps]
        named = ("names",) if "names" in self.before else ()
        self.needs = ("sample", *dict.fromkeys((good_step(settings), "topics", "language")), *named)

    def made_from(self, context: Context) -> dict[str, Any]:
        return {"bench": context.bench.name}

    def is_there(self, context: Context) -> bool:
        is_written = all(bench.question_file.is_file() for bench in self._benches(context))
        return is_written and self._old_twin(context) is None

    def check(self, context: Context) -> None:
        for bench in self._benches(context):
            if bench.question_file.exists() and not is_ours(context, bench.question_file):
                raise UserError(
                    f"{bench.question_file} was not made by build_bench.py, or was changed since, and would be "
                    "overwritten. Move it away, or give the new benchmark another name with --bench."
                )

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        if was_changed(context):
            yield f"note: {context.bench.question_file} was changed since it was made, or is not of build_bench.py"

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        if old := self._old_twin(context):
            for file in (old, old.with_name(_SHEET)):
                if file.is_file() and is_ours(context, file):
                    out.say(f"{file} is of an earlier draw, and no twin is asked for: it is now {put_away(file).name}.")
        chosen = list(_chosen(context, self.before))
        for part, bench in zip((MAIN, TWIN), self._benches(context)):
            mine = [each for each in chosen if each.part == part]
            bench.folder.mkdir(parents=True, exist_ok=True)
            lines = b"".join(jsonl.encode(question_row(each, bench.name)) for each in mine)
            file = bench.folder / _SHEET
            keeps_sheet = file.exists() and not is_ours(context, file)
            write_ours(context, bench.question_file, lines)
            sheet = datasheet(context, self.before, mine, bench.name, twin=part == TWIN)
            if not keeps_sheet:
                write_ours(context, file, sealed(sheet.encode(), lines))
            else:
                out.say(f"{file} was changed by somebody and stays as it is.")
            out.say(f"{bench.question_file}: {counted(len(mine), 'question')}")
        out.rows_in = out.rows_out = len(chosen)

    def _benches(self, context: Context) -> list[Bench]:
        return [context.bench, *[twin_of(context.bench)] * context.settings.sample.twin]

    def _old_twin(self, context: Context) -> Path | None:
        """The questions of a twin that an earlier draw has left, where none is drawn."""
        file = twin_of(context.bench).question_file
        is_old = not context.settings.sample.twin and file.is_file() and is_ours(context, file)
        return file if is_old else None


def twin_of(bench: Bench) -> Bench:
    """The bench with the second sample."""
    return Bench(bench.data_dir, f"{bench.name}-{TWIN}")


def put_away(file: Path) -> Path:
    """Give a file another name, which none has. Returns it. Raises UserError."""
    names = (file.with_suffix(f".old{number or ''}{file.suffix}") for number in itertools.count())
    new = next(name for name in names if not name.exists())
    with jsonl.written(new):
        return file.rename(new)


def _chosen(context: Context, steps: Sequence[str]) -> Iterator[Chosen]:
    """What is known of each prompt that was drawn, in the order of the draw."""
    drawn = context.table("sample").read().to_pylist()
    wanted = {row["id"] for row in drawn}
    good = rows_with(context.table(good_step(context.settings)), wanted)
    texts = rows_with(context.table("language"), wanted)
    names = names_of_topics(context, {row["topic"] for row in drawn})
    for row in drawn:
        yield Chosen(row["part"], row["topic"], names[row["topic"]], {**texts[row["id"]], **good[row["id"]]})


def rows_with(table: Table, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """The rows with these ids, by their id. Raises UserError where one is missing."""
    found: dict[str, dict[str, Any]] = {}
    at = arrow().array(sorted(wanted), arrow().string())
    for part in table.parts():
        rows = part.filter(arrow().compute.is_in(part.column("id"), value_set=at)).to_pylist()
        found.update((row["id"], row) for row in rows)
    if missing := sorted(wanted - found.keys()):
        raise UserError(
            f"{table.file} has no row of the prompt {missing[0]}. Run build_bench.py --from {table.file.stem}."
        )
    return found


def was_changed(context: Context) -> bool:
    """Whether the questions that are there are not those that were made."""
    file = context.bench.question_file
    return file.is_file() and not is_ours(context, file)


def is_ours(context: Context, file: Path) -> bool:
    """Whether a file is as build_bench.py has written it, as this bench or as its twin."""
    made, sheet = context.file(_MADE), file.with_name(_SHEET)
    known = made.read_text(encoding="ascii").split() if made.exists() else []
    is_twin = file.parent == twin_of(context.bench).folder
    if sheet.is_file() and (twin_words(context.bench.name).encode() in sheet.read_bytes()) == is_twin:
        known += _sealed_in(sheet)
    return _digest(file.read_bytes()) in known


def sealed(sheet: bytes, questions: bytes) -> bytes:
    """A datasheet with the hashes of the questions and its own, which tell what is ours without the folder of steps."""
    return sheet + _SEAL % (_digest(questions).encode(), _digest(sheet).encode())


def _sealed_in(file: Path) -> list[str]:
    """The hashes of the questions that a datasheet describes, and its own where nobody has changed it."""
    sheet = file.read_bytes() if file.is_file() else b""
    before, mark, seal = sheet.rpartition(_SEAL.partition(b"%")[0])
    hashes = re.findall(r"\b[0-9a-f]{64}\b", seal.decode("ascii", "replace")) if mark else []
    return [*hashes[:1], *([_digest(sheet)] if hashes[1:] == [_digest(before)] else [])]


def write_ours(context: Context, file: Path, data: bytes) -> None:
    """Write a file whole, and keep its hash before, so that a killed run does not take it for somebody else's."""
    made = context.file(_MADE)
    digest = _digest(data)
    known = made.read_text(encoding="ascii").split() if made.exists() else []
    jsonl.replace(made, [f"{each}\n".encode() for each in dict.fromkeys([*known, digest])])
    jsonl.replace(file, [data])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
