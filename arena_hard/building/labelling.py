"""The missing labels of a stage: asked for, written as they come, and reported."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from arena_hard.building.label_files import LabelRecord
from arena_hard.building.label_prompt import NO, YES, Instrument
from arena_hard.building.label_reading import Reading, read_label
from arena_hard.building.label_stage import REFUSED, LabelStage
from arena_hard.calling.calls import chat_completion, finish_reason_of, total_usage
from arena_hard.calling.local_server import serving
from arena_hard.calling.manifest import finish_killed
from arena_hard.calling.models import Clock, Model, Models
from arena_hard.calling.origins import origins
from arena_hard.calling.progress import failure_lines, kept_line
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.calling.record_run import Group, Job, RecordRun, Row
from arena_hard.calling.run_tally import RunOutput, RunTally, remark_lines
from arena_hard.data.name_lists import counted
from arena_hard.data.records import Question, UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.data.writer import is_being_written

_REASONS = 5  # that are shown, of why labels could not be read


class LabelJob(Job, kw_only=True):
    """One label to get. attempt: which it is, counted over all runs; last: whether it is not tried again if refused."""

    attempt: int
    last: bool = False


def label_of(stage: LabelStage, key: str, attempt: int) -> str:
    """How a record is called in progress, failures and kept replies: an attempt never finds the replies of another."""
    return f"{stage.model.name} {key}" + (f" attempt {attempt}" if attempt > 1 else "")


def make_labels(stage: LabelStage) -> int:
    """Make the missing labels; the model's own server runs for just this time. Returns the exit code."""
    if not stage.missing:
        finish_killed(stage.file, stage.questions)
        return 0
    check_alone(stage)
    with serving(stage.model, stage.bench.log_file(stage.model.name)) as served:
        run = LabelRun(tally_of(stage))
        asyncio.run(ask_for_labels(stage, served, run))
        code = report(stage, [(stage.model.name, run)])
    stage.load()
    return code


def check_alone(stage: LabelStage) -> None:
    """Runs over other shards of as many prompts may go on beside this one; others pay for the same labels.

    Raises UserError.
    """
    count = f"-of-{stage.shard.count}.jsonl" if stage.shard else stage.file.name
    for file in stage.files:
        if file != stage.file and not file.name.endswith(count) and is_being_written(file):
            raise UserError(f"{file} is being written by another run, over some of these prompts. Wait for it to end.")


async def ask_for_labels(stage: LabelStage, model: ModelSettings, had: LabelRun) -> None:
    """Ask for all missing labels. had: is filled, also where the run is stopped. Raises UserError."""
    models, output, ways = Models(), _output(stage, had.tally), had.ways
    args = argparse.Namespace(batch=stage.batch, finish_live=stage.finish_live, redo=[])
    missing = stage.missing

    async def get(job: LabelJob, clock: Clock) -> Row:
        try:
            record = await get_label(opened, stage.instrument, job, clock)
        except CallError as error:
            record = refused(stage, job, error, understood=bool(ways.ways))
        ways.add(record, job.replies)
        return record.row

    try:
        with RecordRun[LabelJob]("labels", [output], models, stage.account, stage.bench, args) as run:
            run.is_shown = had.is_shown
            opened = run.open_model(model)
            group = Group(opened, _jobs(stage, output, missing), len(missing), [output], stage.context_prompts())
            try:
                await run.make([group], lambda job: stage.most_it_may_cost(job.question), get, stage.questions)
            finally:
                had.done, had.failures, had.idle_notes = run.progress.done, run.progress.failures, run.idle_notes
                had.unfinished = run.progress.unfinished
    finally:
        await models.close()


def tally_of(stage: LabelStage) -> RunTally:
    """The tally of a run over what is missing."""
    before = {question.question_id for question in stage.missing} & stage.kept.keys()
    return RunTally(stage.file, stage.instrument.fingerprint, endpoints=origins(stage.model), before=before)


def _output(stage: LabelStage, tally: RunTally) -> RunOutput:
    written = {label_of(stage, key, record.attempts): key for key, record in stage.kept.items()}
    several = stage.instrument.asks_again or stage.model.retry_truncated
    return RunOutput(
        tally,
        stage.bill,
        [stage.instrument.shaping],
        keeps_replies=several,
        written=written,
        missing=[label_of(stage, each.question_id, stage.attempt_at(each)) for each in stage.missing],
        part=str(stage.shard or ""),
        beside=[file for file in stage.files if file != stage.file],
    )


def _jobs(stage: LabelStage, output: RunOutput, missing: Sequence[Question]) -> Iterator[LabelJob]:
    for question in missing:
        attempt, last = stage.attempt_at(question), stage.is_last_at(question)
        label = label_of(stage, question.question_id, attempt)
        yield LabelJob(output=output, question=question, label=label, attempt=attempt, last=last)


async def get_label(model: Model, instrument: Instrument, job: LabelJob, clock: Clock) -> LabelRecord:
    """The record of one prompt: asked, and asked for the decisions alone where none can be read. Raises CallError."""
    names = instrument.criteria.names
    ask = partial(chat_completion, model, temperature=instrument.temperature, clock=clock)
    decisions = {"choices": (YES, NO), "fields": names}
    messages = instrument.messages(job.question.turns)
    reply = await ask(messages, max_tokens=instrument.max_tokens, **(decisions if instrument.at_once else {}))
    job.replies.append(reply)
    reading, by = read_label(reply, names), _way(reply, "words" if instrument.at_once else "text")
    if reading.label is None and instrument.asks_again:
        try:
            room = instrument.room(reply)
            again = await ask(instrument.once_more(messages, reply), max_tokens=room, **decisions)
        except CallError as error:
            if not error.about_request:  # the server may answer the same question in the next run
                raise
            reading = Reading(None, f"{reading.why}; the question for the decisions alone: {error.message}")
        else:
            job.replies.append(again)
            said = read_label(again, names)
            reading, by = (said, _way(again, "words")) if said.label else (Reading(None, reading.why), by)
    return LabelRecord(
        question_id=job.question.question_id,
        instrument=instrument.fingerprint,
        criteria=None if reading.label is None else list(reading.label),
        model=model.settings.name,
        labelled_by=None if reading.label is None else by,
        unreadable=reading.why or None,
        attempts=job.attempt,
        reply="\n".join(each.content for each in job.replies),
        thought="\n".join(each.thought for each in job.replies if each.thought) or None,
        usage=total_usage(job.replies),
        served_model=job.replies[-1].served_model,
        finish_reason=finish_reason_of(job.replies),
    )


def refused(stage: LabelStage, job: LabelJob, error: CallError, *, understood: bool) -> LabelRecord:
    """The record, without a label, of a prompt that was refused as often as is asked. Raises any other error.

    understood: whether the server gave a label in this run; one that never did may be set up wrongly, which says
    nothing of the prompt.
    """
    if not error.about_request:
        raise error
    error.message = f"{REFUSED}{error.message}"
    understood = understood or any(record.criteria is not None for record in stage.kept.values())
    if not (job.last and understood):
        raise error
    return LabelRecord(
        question_id=job.question.question_id,
        instrument=stage.instrument.fingerprint,
        criteria=None,
        model=stage.model.name,
        labelled_by=None,
        unreadable=error.message,
        attempts=max(job.attempt, stage.attempts),
        reply="",
        usage=error.usage,
        served_model=None,
        finish_reason=error.finish_reason or "refused",
    )


def _way(reply: Reply, otherwise: str) -> str:
    return "constrained" if reply.form else otherwise


# ------------------------------------------------------------------------------------------ report


@dataclass
class LabelWays:
    """How the labels of a run were had, and why some could not be read."""

    ways: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, record: LabelRecord, replies: Sequence[Reply]) -> None:
        """A record was had that these replies make."""
        self.forms.update(reply.form for reply in replies if reply.form)
        if record.criteria is None:
            self.unread[record.unreadable or ""] += 1
        else:
            self.ways[record.labelled_by or ""] += 1

    def add_all(self, others: LabelWays) -> None:
        """Add those of another run."""
        self.ways += others.ways
        self.forms += others.forms
        self.unread += others.unread

    def lines(self) -> Iterator[str]:
        """For people, after the run."""
        forms = f" ({', '.join(sorted(self.forms))})" if self.forms else ""
        said = [
            f"{self.ways['text']} in the annotator's text" * bool(self.ways["text"]),
            f"{self.ways['constrained']} with a constraint{forms}" * bool(self.ways["constrained"]),
            f"{self.ways['words']} asked for in words" * bool(self.ways["words"]),
        ]
        if any(said):
            yield f"labels: {', '.join(filter(None, said))}."
        if self.unread:
            yield f"{counted(self.unread.total(), 'label')} could not be read (null, no score):"
        for reason, count in self.unread.most_common(_REASONS):
            yield f"  {count} × {reason}"
        if len(self.unread) > _REASONS:
            yield f"  and {counted(len(self.unread) - _REASONS, 'other reason')}"


@dataclass
class LabelRun:
    """What a run over missing labels came to: how many were written, what failed, and the tally of its file.

    unfinished: how many replies are kept of labels that were not finished, by what the progress calls them;
    is_shown: whether its progress is, and its idle_notes of endpoints that answered nothing, or no more.
    """

    tally: RunTally
    ways: LabelWays = field(default_factory=LabelWays)
    done: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    is_shown: bool = True
    idle_notes: list[str] = field(default_factory=list[str])
    unfinished: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def ended(self) -> tuple[int, int]:
        """How many labels there are by now, and how many calls failed."""
        return self.ways.ways.total() + self.ways.unread.total(), len(self.tally.failed)


def report(stage: LabelStage, runs: Sequence[tuple[str, LabelRun]]) -> int:
    """Say how some runs ended, given with their names. Returns the exit code."""
    failures = [failure for _, run in runs for failure in run.failures]
    ways = LabelWays()
    for _, run in runs:
        ways.add_all(run.ways)
    print(f"{counted(sum(run.done for _, run in runs), 'label')} written, {len(failures)} failed.")
    for line in ways.lines():
        print(line)
    for line in remark_lines([(name, run.tally) for name, run in runs], "labels", of_replies=True):
        print(line)
    for line in kept_line({label: count for _, run in runs for label, count in run.unfinished.items()}, "labels"):
        print(line)
    for note in dict.fromkeys(note for _, run in runs if not run.is_shown for note in run.idle_notes):
        print(f"note: {note}")
    if failures:
        print("\n".join(failure_lines(failures)))
        print("Failed requests were not saved; rerun the same command to retry only those.")
    if any(reason.startswith(REFUSED) for _, run in runs for reason in run.tally.failed.values()):
        print(
            f"A prompt that is refused in {counted(stage.attempts, 'run')} is left without a label (labels: attempts)."
        )
    return int(bool(failures or stage.account.not_sent))
