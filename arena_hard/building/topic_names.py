"""The step that has a model name the topics that were drawn, from their words and the prompts near their centres."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.label_stage import REFUSED
from arena_hard.building.prompts import prompts_in
from arena_hard.building.settings import BuildSettings
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table
from arena_hard.building.topics import PICTURE
from arena_hard.calling.calls import chat_completion
from arena_hard.calling.context import Prompts
from arena_hard.calling.local_server import serving
from arena_hard.calling.manifest import failed_calls, finish_killed
from arena_hard.calling.models import Clock, Models
from arena_hard.calling.origins import origins
from arena_hard.calling.progress import failure_lines
from arena_hard.calling.providers.base import CallError, Message, Reply
from arena_hard.calling.record_run import Group, Job, RecordRun, Row
from arena_hard.calling.run_tally import RunOutput, RunTally
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import file_name
from arena_hard.data.records import Question, UserError
from arena_hard.data.settings import ModelSettings, later_shaping, short_hash
from arena_hard.data.usage import usage_row
from arena_hard.money.quotes import Output as Expected
from arena_hard.money.quotes import quote, quote_lines

NAMES = "names.json"
FOLDER = "names"
EXAMPLES, CHARACTERS = 10, 600  # prompts that the model sees of a topic, and how much of each
MAX_TOKENS = 1024  # a thought may come before the name
_EXPECTED = Expected(12.0, 6.0, 50)
_LONGEST = 60
_TASK = """\
Below are requests that people sent to an assistant; all of them belong to one topic. Give the topic a name of at most \
five words, as it would stand in a table of contents: what the requests have in common, and not what one of them is \
about. Do not carry out the requests. Reply with the name alone, in English.

Words that are frequent in this topic: {words}

{examples}

Name of the topic:"""
_INTRODUCTION = re.compile(r"(?i)^(?:the )?(?:topic(?:'s)?|name)(?: name| of the topic)?(?: is)?\s*:\s*")


class NamedTopic(msgspec.Struct, frozen=True):
    """A topic to name: its number, and what the model is told. key: the hash of all that shapes the name."""

    topic: int
    prompt: str
    key: str

    @property
    def messages(self) -> list[Message]:
        """The request."""
        return [{"role": "user", "content": self.prompt}]


class _Kept(msgspec.Struct, frozen=True):
    question_id: str
    name: str | None


_DECODER = msgspec.json.Decoder(_Kept)


@dataclass
class NameStage:
    """The names of some topics by one model: which exist, what the others cost, and how they are had.

    anew: whether names that could not be had before are asked for again.
    """

    context: Context
    model: ModelSettings
    topics: list[NamedTopic]
    anew: bool = False
    kept: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    failed: Counter[str] = field(default_factory=Counter[str])
    refused: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        file = self.file
        for _, record in jsonl.rows(file, _DECODER.decode) if file.is_file() else ():
            self.kept[record.question_id] = record.name
        failures = failed_calls(file)
        self.failed = Counter(key for key, _ in failures)
        self.refused = {key for key, why in failures if why.startswith(REFUSED)}
        self.context.account.open(self.bill, self.model)

    @property
    def file(self) -> Path:
        """Where the names lie, by the hash of what was asked."""
        return self.context.folder / FOLDER / f"{file_name(self.model.name)}.jsonl"

    @property
    def bill(self) -> str:
        """The name under which its calls are billed."""
        return f"{self.model.name} naming topics"

    @property
    def missing(self) -> list[NamedTopic]:
        """The topics to ask about."""
        given_up = set[str]() if self.anew else {each.key for each in self.given_up}
        return [each for each in self.topics if each.key not in self.kept and each.key not in given_up]

    @property
    def given_up(self) -> list[NamedTopic]:
        """The topics that stay with their words: no name is worth that there be no benchmark.

        That are those whose request was refused by a server that has named another topic, and those that failed in as
        many runs as labels are asked for (labels: attempts).
        """
        without = [each for each in self.topics if each.key not in self.kept]
        refused = self.refused if any(self.kept.values()) else set[str]()
        attempts = self.context.settings.labels.attempts
        return [each for each in without if each.key in refused or self.failed[each.key] >= attempts]

    def prompts(self) -> Iterator[list[Message]]:
        """What will be sent."""
        return (each.messages for each in self.missing)

    def worst(self, prompt: str) -> float:
        """The most dollars that a name may cost."""
        return self.context.account.worst(self.bill, [len(prompt.encode())], MAX_TOKENS)

    def plan_lines(self) -> Iterator[str]:
        """What is there and what is to do, for people."""
        missing, existing = self.missing, sum(each.key in self.kept for each in self.topics)
        yield f"{self.model.name}: {counted(existing, 'name exists', 'names exist')}, {len(missing)} to make"
        if missing:
            worst = sum(self.worst(each.prompt) for each in missing)
            yield from quote_lines([quote(self.model, self.prompts(), MAX_TOKENS, _EXPECTED, worst)], "names by")


class NamesStep(Step):
    """Names for the topics that were drawn; those of the others are their words."""

    name = "names"
    needs = ("sample", "topics", "language")
    files = (NAMES,)
    has_table = False

    def models(self, settings: BuildSettings) -> Sequence[str]:
        return [settings.topics.names_by] if settings.topics.names_by else []

    def made_from(self, context: Context) -> dict[str, Any]:
        model = _model(context)
        return {"model": model.name, "shaping": shaping(model)}

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        if not context.is_known(*self.needs):
            yield from most_lines(context)
            return
        yield from _stage(context).plan_lines()

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        stage = _stage(context)
        if stage.missing:
            with serving(stage.model, context.bench.log_file(stage.model.name)) as served:
                out.lines += failure_lines(asyncio.run(_make(stage, served)))
            stage = NameStage(context, stage.model, stage.topics)
            out.code = int(bool(stage.missing or context.account.not_sent))
            out.stopped = out.code != 0
        if stage.missing:
            out.say("Rerun the same command to retry only those.")
        if given_up := stage.given_up:
            out.say(f"{counted(len(given_up), 'topic')} refused or failed, named by words; --from names asks again")
        found = [{"topic": each.topic, "name": stage.kept.get(each.key)} for each in stage.topics]
        with out.file(NAMES) as file:
            file.write_bytes(json.dumps({"topics": found}, ensure_ascii=False, indent=1).encode() + b"\n")
        named = sum(each["name"] is not None for each in found)
        out.say(f"{named} of {counted(len(found), 'topic')} named by {stage.model.name}; the others by their words")
        out.rows_in, out.rows_out = len(found), named
        if named < len(found):
            out.dropped["named by words"] = len(found) - named


def most_lines(context: Context) -> Iterator[str]:
    """What names cost at most before topics are drawn, as far as it is told how many these are."""
    model, count = _model(context), context.settings.sample.topics
    if count == "all":
        yield "what it costs is known once topics are drawn: --until sample does that"
        return
    stage = NameStage(context, model, [])
    prompt = naming_prompt(["several words"] * 8, ["word " * (CHARACTERS // 5)] * EXAMPLES)
    letters = 3 * len(prompt)  # bytes more, where none of them is ASCII
    worst = count * context.account.worst(stage.bill, [len(prompt) + letters], MAX_TOKENS)
    messages = [NamedTopic(number, prompt, "").messages for number in range(count)]
    yield f"at most, for {counted(count, 'topic')} and requests of {CHARACTERS} characters:"
    yield from quote_lines([quote(model, messages, MAX_TOKENS, _EXPECTED, worst)], "names by")


def _stage(context: Context) -> NameStage:
    anew = getattr(context.args, "start", None) == NamesStep.name
    return NameStage(context, _model(context), to_name(context), anew)


def _model(context: Context) -> ModelSettings:
    name = context.settings.topics.names_by
    assert name is not None  # the step is there only where it is
    return context.models[name]


def shaping(model: ModelSettings) -> dict[str, Any]:
    """The settings that shape a name."""
    keys = ("model_name", "temperature", "max_tokens", "reasoning_effort", "thinking", "extra_body", "api_type")
    return {key: getattr(model, key) for key in keys} | later_shaping(model) | {"task": _TASK}


def to_name(context: Context) -> list[NamedTopic]:
    """The topics that were drawn. Raises UserError."""
    drawn: list[int] = sorted(set(context.table("sample").column("topic")))
    try:
        known: dict[int, dict[str, Any]] = {
            row["topic"]: row for row in msgspec.json.decode(context.file(PICTURE).read_bytes())["topics"]
        }
        wanted = [key for topic in drawn for key in known[topic]["centre_ids"][:EXAMPLES]]
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        raise UserError(f"{context.file(PICTURE)} cannot be read. Run build_bench.py --from topics.") from None
    texts = {each.question_id: "\n".join(each.turns) for each in prompts_in(context, wanted)}
    shaped = shaping(_model(context))
    found: list[NamedTopic] = []
    for topic in drawn:
        examples = [texts[key] for key in known[topic]["centre_ids"][:EXAMPLES]]
        prompt = naming_prompt(known[topic]["keywords"], examples)
        found.append(NamedTopic(topic, prompt, short_hash({**shaped, "prompt": prompt})))
    return found


def naming_prompt(words: Sequence[str], examples: Sequence[str]) -> str:
    """What the model is asked."""
    shown = [
        f"<request {number}>\n{' '.join(text[:CHARACTERS].split())}\n</request {number}>"
        for number, text in enumerate(examples, 1)
    ]
    return _TASK.format(words=", ".join(words), examples="\n".join(shown))


def read_name(reply: Reply) -> str | None:
    """The name in a reply; None where it holds none that could stand in a table, or was cut off."""
    lines = [line.strip() for line in reply.content.splitlines() if line.strip()]
    if not lines or reply.finish_reason == "length":
        return None
    name = _INTRODUCTION.sub("", lines[0].strip("*#`\"'“”„«» ")).strip("*#`\"'“”„«».:, ")
    return name if name and len(name) <= _LONGEST else None


# ---------------------------------------------------------------------------------------------------- run


class _NameJob(Job, kw_only=True):
    named: NamedTopic


async def _make(stage: NameStage, settings: ModelSettings) -> list[tuple[str, str]]:
    """Ask for the missing names. Returns what failed, and why."""
    context, models = stage.context, Models()
    tally = RunTally(stage.file, short_hash(shaping(stage.model)), endpoints=origins(stage.model))
    missing, several = stage.missing, settings.retry_truncated
    labels = {each.key: f"topic {each.topic} {each.key}" for each in missing}
    output = RunOutput(tally, stage.bill, [shaping(stage.model)], several, missing=list(labels.values()))
    questions = {each.key: Question(each.key, (each.prompt,)) for each in missing}
    finish_killed(stage.file, list(questions.values()))
    jobs = [
        _NameJob(output=output, question=questions[each.key], label=labels[each.key], named=each) for each in missing
    ]

    async def get(job: _NameJob, clock: Clock) -> Row:
        try:
            reply = await ask(job.named.messages, clock=clock)
        except CallError as error:
            if error.about_request:
                error.message = f"{REFUSED}{error.message}"
            raise
        job.replies.append(reply)
        row = {"question_id": job.named.key, "model": stage.model.name, "name": read_name(reply),
               "reply": reply.content, "usage": usage_row(reply.usage)}  # fmt: skip
        return lambda: row

    args = argparse.Namespace(batch=context.args.batch, finish_live=context.args.finish_live, redo=[])
    try:
        with RecordRun[_NameJob]("names", [output], models, context.account, context.bench, args) as run:
            opened = run.open_model(settings)
            ask = partial(chat_completion, opened, temperature=0.0, max_tokens=MAX_TOKENS)
            group = Group(opened, jobs, len(jobs), [output], Prompts("names", stage.prompts, MAX_TOKENS))
            await run.make([group], lambda job: stage.worst(job.named.prompt), get, list(questions.values()))
    finally:
        await models.close()
    return run.progress.failures
