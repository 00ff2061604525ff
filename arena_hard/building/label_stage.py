"""Prompts → labels by one instrument: which exist, which are missing, what they cost, and how they are had."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from arena_hard.building.label_files import Kept, LabelRecord, label_file, load_labels, other_instruments
from arena_hard.building.label_prompt import NO, YES, Instrument
from arena_hard.building.label_reading import Reading, read_label
from arena_hard.calling.calls import chat_completion, finish_reason_of, total_usage
from arena_hard.calling.context import Prompts
from arena_hard.calling.local_server import serving
from arena_hard.calling.manifest import earlier_notes, failed_calls, finish_killed
from arena_hard.calling.models import Clock, Model, Models
from arena_hard.calling.origins import origins
from arena_hard.calling.progress import Progress, failure_lines
from arena_hard.calling.providers.base import CallError, Message, Reply
from arena_hard.calling.record_run import Group, Job, RecordRun, Row, RunOutput
from arena_hard.calling.run_tally import RunTally, remark_lines
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question
from arena_hard.data.settings import ModelSettings
from arena_hard.money.account import Account
from arena_hard.money.quotes import Quote, output_of, quote

REFUSED = "refused: "  # begins the reason of a call that failed for what was asked
_REASONS = 5  # that are shown, of why labels could not be read
_MOST_COUNTED = 20_000  # prompts whose tokens are counted for a quote


@dataclass(kw_only=True)
class LabelJob(Job):
    """One label to get. attempt: which it is, counted over all runs; last: whether it is not tried again if refused."""

    attempt: int
    last: bool = False


@dataclass
class LabelStage:
    """One instrument's part of a run. questions: the prompts, whose ids are theirs; attempts: the most for each."""

    instrument: Instrument
    bench: Bench
    folder: Path
    questions: list[Question]
    attempts: int
    account: Account
    batch: bool = False
    finish_live: bool = False
    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])
    refusals: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self.kept = load_labels(self.file, self.instrument.fingerprint, self.instrument.criteria.names)
        self.refusals = Counter(key for key, why in failed_calls(self.file) if why.startswith(REFUSED))
        self.account.open(self.bill, self.model)

    @property
    def model(self) -> ModelSettings:
        """The annotator."""
        return self.instrument.model

    @property
    def file(self) -> Path:
        """Where its labels are."""
        return label_file(self.folder, self.model.name, self.instrument.fingerprint)

    @property
    def bill(self) -> str:
        """The name under which its calls are billed."""
        return f"{self.model.name} labelling by {self.instrument.criteria.name or 'its criteria'}"

    def attempt_at(self, question: Question) -> int:
        """Which attempt the next one at a prompt is."""
        record = self.kept.get(question.question_id)
        return record.attempts + 1 if record else 1

    def is_last_at(self, question: Question) -> bool:
        """Whether, if the next attempt is refused as well, a prompt stays without a label."""
        return self.attempt_at(question) + self.refusals[question.question_id] >= self.attempts

    def is_missing(self, question: Question) -> bool:
        """Whether a prompt has no label, and may be asked about (again)."""
        record = self.kept.get(question.question_id)
        return record is None or (record.criteria is None and record.attempts < self.attempts)

    @property
    def missing(self) -> list[Question]:
        """The prompts to ask about."""
        return [question for question in self.questions if self.is_missing(question)]

    @property
    def unreadable(self) -> list[Kept]:
        """The records of these prompts that hold no label."""
        found = (self.kept.get(question.question_id) for question in self.questions)
        return [record for record in found if record and record.criteria is None]

    def plan_lines(self) -> Iterator[str]:
        """What is there and what is to do, for people."""
        criteria, missing = self.instrument.criteria, self.missing
        existing = sum(question.question_id in self.kept for question in self.questions)
        again = sum(question.question_id in self.kept for question in missing)
        yield (
            f"{self.model.name} by {counted(len(criteria), 'criterion', 'criteria')} of {criteria.name or 'the file'} "
            f"(instrument {self.instrument.fingerprint}): {existing} labels exist, {len(missing)} to make"
        )
        if unreadable := len(self.unreadable):
            rest = f"; {again} are asked for again" if again else f"; labels: attempts: {self.attempts + 1} asks again"
            yield f"{counted(unreadable, 'label')} of them could not be read{rest}"
        if others := other_instruments(self.file):
            yield f"note: labels by {counted(len(others), 'other instrument')} are kept beside these and do not count."
        for note in earlier_notes(self.file, origins(self.model), existing):
            yield f"note: {note}"

    def prompts(self, every: int = 1) -> Iterator[list[Message]]:
        """The first request of each missing label, or of every n-th."""
        return (self.instrument.messages(question.turns) for question in self.missing[::every])

    def context_prompts(self) -> Prompts:
        """What will be sent, for the look at the model's context."""
        return Prompts("labels", self.prompts, self.instrument.max_tokens, beside=self.instrument.tokens_of_question)

    def quote(self) -> Quote:
        """What the missing labels would cost. Of very many, the expectation is of some; the bound is of all."""
        missing = self.missing
        seen = output_of([record.usage.completion_tokens for record in self.kept.values() if record.usage])
        worst = sum(map(self.most_it_may_cost, missing))
        every = -(-len(missing) // _MOST_COUNTED) or 1
        found = quote(self.model, self.prompts(every), self.instrument.max_tokens, seen, worst)
        return found if every == 1 else _scaled(found, len(missing))

    def most_it_may_cost(self, question: Question) -> float:
        """Dollars for a label if each of its requests is answered at full length."""
        instrument = self.instrument
        size = sum(len(message["content"].encode()) for message in instrument.messages(question.turns))
        size += len(instrument.question.encode()) if instrument.asks_again else 0
        return self.account.worst(self.bill, [size], instrument.most_tokens, 1 + instrument.asks_again)


def _scaled(found: Quote, requests: int) -> Quote:
    """A quote of some requests for more of their kind; the most that they may cost is that of all already."""
    times = requests / found.requests

    def larger(ends: tuple[float, float]) -> tuple[float, float]:
        return ends[0] * times, ends[1] * times

    return replace(
        found,
        requests=requests,
        input_tokens=round(found.input_tokens * times),
        output_tokens=larger(found.output_tokens),
        live=found.live and larger(found.live),
        batch=found.batch and larger(found.batch),
        seconds=larger(found.seconds),
    )


def label_of(stage: LabelStage, key: str, attempt: int) -> str:
    """How a record is called in progress, failures and kept replies: an attempt never finds the replies of another."""
    return f"{stage.model.name} {key}" + (f" attempt {attempt}" if attempt > 1 else "")


# --------------------------------------------------------------------------------------------- run


def make_labels(stage: LabelStage) -> int:
    """Make the missing labels; the model's own server runs for just this time. Returns the exit code."""
    if not stage.missing:
        finish_killed(stage.file, stage.questions)
        return 0
    with serving(stage.model, stage.bench.log_file(stage.model.name)) as served:
        code = asyncio.run(_make(stage, served))
    stage.kept = load_labels(stage.file, stage.instrument.fingerprint, stage.instrument.criteria.names)
    return code


async def _make(stage: LabelStage, model: ModelSettings) -> int:
    models, output, ways = Models(), _output(stage), LabelWays()
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
            opened = run.open_model(model)
            group = Group(opened, _jobs(stage, output, missing), len(missing), [output], stage.context_prompts())
            await run.make([group], lambda job: stage.most_it_may_cost(job.question), get, stage.questions)
    finally:
        await models.close()
    return _report(stage, run.progress, ways, output.tally)


def _output(stage: LabelStage) -> RunOutput:
    before = {question.question_id for question in stage.missing} & stage.kept.keys()
    tally = RunTally(stage.file, stage.instrument.fingerprint, endpoints=origins(stage.model), before=before)
    written = {label_of(stage, key, record.attempts): key for key, record in stage.kept.items()}
    several = stage.instrument.asks_again or stage.model.retry_truncated
    return RunOutput(tally, stage.bill, [stage.instrument.shaping], keeps_replies=several, written=written)


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


def _report(stage: LabelStage, progress: Progress, ways: LabelWays, tally: RunTally) -> int:
    """Say how the run ended. Returns the exit code."""
    print(f"{counted(progress.done, 'label')} written, {len(progress.failures)} failed.")
    for line in ways.lines():
        print(line)
    for line in remark_lines([(stage.model.name, tally)], "labels", of_replies=True):
        print(line)
    if progress.failures:
        print("\n".join(failure_lines(progress.failures)))
        print("Failed requests were not saved; rerun the same command to retry only those.")
    if any(reason.startswith(REFUSED) for reason in tally.failed.values()):
        print(
            f"A prompt that is refused in {counted(stage.attempts, 'run')} is left without a label (labels: attempts)."
        )
    return int(bool(progress.failures or stage.account.not_sent))
