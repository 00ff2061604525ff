"""A run of a stage: records are asked for side by side, written as they come, counted, and put in order.

What answers and judgments have in common. The stage brings the jobs and says how one record is had; everything that
keeps what was paid for (kept replies, batches, manifests, the order of the file) is here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec

from arena_hard.calling import made_anew
from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.calls import chat_completion, width
from arena_hard.calling.context import Prompts
from arena_hard.calling.context_check import ContextChecks
from arena_hard.calling.job_queue import run_exchanges
from arena_hard.calling.kept_replies import KeptReplies, unfinished_file
from arena_hard.calling.manifest import begin_run, end_run, withdraw_run
from arena_hard.calling.models import Clock, Model, Models
from arena_hard.calling.open_batches import notes_of_open
from arena_hard.calling.posting import folder_of, mailbox_of
from arena_hard.calling.probe import Probed, asking
from arena_hard.calling.progress import Progress
from arena_hard.calling.providers.base import CallError, Message, Reply
from arena_hard.calling.providers.recorded import recording_row
from arena_hard.calling.run_tally import RunOutput, RunTally
from arena_hard.calling.spending import Budget, CountingPurse, NoRoom
from arena_hard.data import jsonl
from arena_hard.data.bench_files import put_in_order
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question, UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.data.writer import RecordWriter


class Job(msgspec.Struct, kw_only=True):
    """One record to get. worst: the most dollars that it may cost; replies: what it is made of, as `get` puts it in."""

    output: RunOutput
    question: Question
    label: str
    worst: float = 0.0
    replies: list[Reply] = []


Row = Callable[[], dict[str, Any]]  # the line of a record that was had, made by the thread that writes it
J = TypeVar("J", bound=Job)
_UNDER_WAY = 0.02  # seconds in which the first requests have gone out
_CANCELS, _WRITE_SECONDS = 4, 5.0  # how often, and for how long, a run that is stopped waits for what is being written


class Group(msgspec.Struct, Generic[J], frozen=True):
    """Jobs for one model, which is asked for as many records at once as it can take.

    count: how many jobs there are; outputs: the files that their records are for; prompts: what will be sent.
    """

    model: Model
    jobs: Iterable[J]
    count: int
    outputs: Sequence[RunOutput]
    prompts: Prompts | None = None


class RecordRun(Generic[J]):
    """A run over some record files, open while the context lasts.

    unit: what the records are called; args: the flags of selection.add_selection. Raises UserError on entry where a
    file cannot be written.
    """

    def __init__(
        self,
        unit: str,
        outputs: Sequence[RunOutput],
        models: Models,
        account: Budget,
        bench: Bench,
        args: argparse.Namespace,
    ) -> None:
        self.unit, self.outputs = unit, outputs
        self.models, self.account, self.bench, self.args = models, account, bench, args
        self.progress: Progress
        self.is_shown = True  # whether the progress is, else somebody else tells it, and of idle endpoints too
        self.idle_notes: list[str] = []
        self._begun: dict[str, J] = {}  # records that may have replies which are kept, by label
        self._made = set[str]()  # the records that were written, where mailboxes are to know of them
        self._numbers: dict[str, int] = {}  # of the questions in the benchmark, by which people know them
        self._contexts = ContextChecks()
        self._writer = RecordWriter(_say)

    def __enter__(self) -> RecordRun[J]:
        self._writer.__enter__()
        try:
            for output in self.outputs:
                self._open(output)
                begin_run(output.tally, output.shapings)
                _say_what_goes_on(output.tally)
        except BaseException:
            self._writer.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def _open(self, output: RunOutput) -> None:
        """Open a record file for writing, and say so when its end had to be repaired. Raises UserError."""
        torn = self._writer.open(output.path, output.tally.before)
        if torn:
            kept = jsonl.torn_file(output.path)
            where = f"{output.path}: an incomplete last line of {torn} bytes"
            print(f"{where}, left by an interrupted run, was moved to {kept.name}.")

    def open_model(self, model: ModelSettings) -> Model:
        """A model ready to be called; with the config key `record`, its replies are recorded. Raises UserError."""
        opened = self.models.open(model)
        for note in (note for endpoint in opened.endpoints for note in endpoint.connection.notes):
            print(f"note: {note}", file=sys.stderr)
        if model.record:
            file = Path(model.record)
            self._writer.open(file)

            async def record(messages: list[Message], reply: Reply) -> None:
                await self._writer.write(file, lambda: recording_row(model.model_name, messages, reply))

            opened.record = record
        return opened

    async def make(
        self,
        groups: Sequence[Group[J]],
        worst: Callable[[J], float],
        get: Callable[[J, Clock], Awaitable[Row]],
        questions: list[Question],
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Get all records, then put the files in the order of the questions.

        worst: the most that a job may cost, in dollars; get: one record, raises CallError; meanwhile: what a thread
        does while the first replies are waited for. What fails is in `progress.failures`. Raises UserError.
        """
        self.progress = Progress(sum(group.count for group in groups), self.unit, self.models, self.is_shown)
        self._numbers = {question.question_id: number for number, question in enumerate(questions, 1)}
        await self._begin(groups)

        async def work(job: J) -> None:
            job.worst = worst(job)
            with contextlib.suppress(NoRoom):
                async with self.account.room(job.output.bill, job.label, job.worst) as purse:
                    if purse:
                        await self._ask(job, get, purse)

        try:
            with self._posting(groups) as mailboxes:
                async with self.progress.shown():
                    if meanwhile:
                        loop = asyncio.get_running_loop()
                        loop.call_later(_UNDER_WAY, loop.run_in_executor, None, meanwhile)
                    side_by_side = [(group.jobs, width(group.model)) for group in groups]
                    await run_exchanges(side_by_side, work, mailboxes)
        finally:
            for output in self.outputs:
                end_run(output.tally)
            self.idle_notes = self.models.idle_notes([reason for _, reason in self.progress.failures])
            for note in self.idle_notes if self.is_shown else []:
                _note(note)
        for output in self.outputs:
            self._writer.finish(output.path)
            put_in_order(output.path, questions)
            if output.kept:
                output.kept.tidy()
        await self._count_kept(get)

    async def _begin(self, groups: Sequence[Group[J]]) -> None:
        """What comes before the first record."""
        for output in self.outputs:
            self._open_kept(output)
        try:
            bound = self.models.bound_by_system()
        except UserError:
            self._withdraw()
            raise
        for note in self.models.unsaid([bound]):
            _note(note)
        for note in await self._contexts.begin((g.model, g.prompts, [o.path for o in g.outputs]) for g in groups):
            _note(note)
        for group in groups:
            await self._probe(group.model.settings, group.outputs)

    def _withdraw(self) -> None:
        """Nothing was asked: the run, and a --redo that it was to begin, has not begun."""
        for output in self.outputs:
            withdraw_run(output.tally)

    async def _ask(self, job: J, get: Callable[[J, Clock], Awaitable[Row]], purse: CountingPurse) -> None:
        """Get one record and write it, or note why it could not be had."""
        output = job.output
        number = self._numbers.get(job.question.question_id)
        clock = self.progress.begin(job.label, job.label.replace(job.question.question_id, f"question {number}"))
        clock.kept, clock.purse, clock.record = output.kept, purse, output.record(job.label)
        if output.kept or self.args.batch:
            self._begun[job.label] = job
        job.replies = []
        try:
            row = await get(job, clock)
        except (Waiting, NoRoom):
            self.progress.later(job.label)
            raise
        except CallError as error:
            output.tally.failed[job.question.question_id] = error.message
            self.progress.fail(job.label, error.message)
            _note(await self._contexts.learn(error, output.path))
            return
        finally:
            output.tally.saw(job.replies)
            output.tally.paid(*purse.take_counts())
        writing = self._writer.writing(output.path, row)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:  # the run is stopped, and the record on its way to the disk: it counts
            for _ in range(_CANCELS):
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([writing], timeout=_WRITE_SECONDS)
            if writing.done() and not writing.cancelled() and not writing.exception():
                self._count(job)
            raise
        self._count(job)

    def _count(self, job: J) -> None:
        """A record is on disk."""
        output = job.output
        if output.kept:
            output.kept.record_written(job.label)
        output.tally.count(job.question.question_id, job.replies)
        self._made |= {output.record(job.label)} if self.args.batch else set()
        self._begun.pop(job.label, None)
        job.replies = []  # the jobs of a run stay in memory, texts would too
        self.progress.finish(job.label)

    async def _probe(self, model: ModelSettings, outputs: Sequence[RunOutput]) -> None:
        """With `probe: true`, ask a model the probe's questions, once in a run, and say when its answers are others."""
        if not (model.probe and outputs):
            return
        if model.name not in self.models.probes:
            with contextlib.suppress(NoRoom):
                async with self.account.room(outputs[0].bill, f"{model.name} probe", 0.0) as purse:
                    if purse:
                        asked = self.models.open(asking(model))
                        ask = partial(chat_completion, asked, clock=Clock("probe", purse=purse))
                        self.models.probes[model.name] = await Probed.of(asked.settings, ask)
                        outputs[0].tally.paid(*purse.take_counts())
        for tally in (output.tally for output in outputs):
            tally.probe = self.models.probes.get(model.name)
            note = tally.probe and tally.probe.note(model.name, tally.earlier.probe)
            if note:
                _say(f"note: {tally.records}: {note}")

    def _open_kept(self, output: RunOutput) -> None:
        """The replies of records that were not finished, kept beside the record file; they have been paid for."""
        if not output.keeps_replies:
            return
        redo = output.tally.redo
        anew = set(redo.ids).difference(redo.done) if redo else set[str]()
        labels = {label for label, key in output.written.items() if key in anew}
        output.kept = KeptReplies(
            unfinished_file(output.path),
            self._writer,
            written=output.written.keys() - labels,
            redo=redo.name if redo else "",
            anew=labels,
            all_anew=bool(output.tally.redo_name),
            beside=[unfinished_file(file) for file in output.beside],
        )

    @contextlib.contextmanager
    def _posting(self, groups: Sequence[Group[J]]) -> Iterator[list[Mailbox]]:
        """With --batch, a mailbox for each model; it is put away when all records are written. Raises UserError."""
        against, parts = ([getattr(output, name) for output in self.outputs] for name in ("against", "part"))
        with contextlib.ExitStack() as stack:
            boxes: list[Mailbox] = []
            for group in groups:
                folder = folder_of(self.bench, self.unit, group.model.settings.name, against, parts)
                to_make = {output.record(label) for output in group.outputs for label in output.missing}
                if not self.args.batch:
                    for note in self.models.unsaid(notes_of_open(folder, to_make)):
                        _note(note)
                    continue
                try:
                    box = stack.enter_context(mailbox_of(group.model, folder, to_make, _say, self.args.finish_live))
                    made_anew.begin(box, folder, made_anew.records_of(group.outputs))
                except UserError:
                    self._withdraw()
                    raise
                stack.callback(lambda folder=folder: made_anew.end(folder, self._made))
                group.model.mailbox = box
                boxes.append(box)
            yield boxes
            if not (self.progress.failures or self.account.not_sent):
                for group, box in zip(groups, boxes):
                    box.archive(self._records(group))

    @staticmethod
    def _records(group: Group[J]) -> set[str]:
        """What a group's records are called in its mailbox, those that are there and those to be made."""
        labels = ((output, {*output.written, *output.missing}) for output in group.outputs)
        return {output.record(label) for output, those in labels for label in those}

    async def _count_kept(self, get: Callable[[J, Clock], Awaitable[Row]]) -> None:
        """Of records that were begun and not finished, count the replies that the next run goes on from.

        Each is made again of what is there, for only so all of its calls are seen, whichever one it ended at.
        """
        for label, job in self._begun.items():
            clock, job.replies = Clock(label, kept=job.output.kept, looks=True), []
            with contextlib.suppress(Waiting, CallError):
                await get(job, clock)
            if clock.found:
                self.progress.unfinished[label] = clock.found


def _say_what_goes_on(tally: RunTally) -> None:
    if tally.goes_on and tally.redo:
        there = counted(len(tally.redo.ids), "record already exists", "records already exist")
        print(f"{tally.records}: resuming the interrupted --redo; {len(tally.redo.done)} of {there}.")


def _note(text: str | None) -> None:
    if text:
        _say(f"note: {text}")


def _say(text: str) -> None:
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
