"""Prompts → labels by one instrument: which exist, which are missing, and what these cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from arena_hard.building.label_files import (
    Kept,
    Shard,
    add_better,
    files_of,
    label_file,
    load_labels,
    other_instruments,
)
from arena_hard.building.label_prompt import Instrument
from arena_hard.calling.context import Prompts
from arena_hard.calling.manifest import earlier_notes, failed_calls
from arena_hard.calling.origins import origins
from arena_hard.calling.prompt_tokens import PromptCounter
from arena_hard.calling.providers.base import Message
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question
from arena_hard.data.settings import ModelSettings
from arena_hard.money.account import Account
from arena_hard.money.quotes import AS_COUNTED, Quote, output_of, quote, scaled

REFUSED = "refused: "  # begins the reason of a call that failed for what was asked
_MOST_COUNTED = 20_000  # prompts whose tokens are counted for a quote
_MOST_SEEN = 1000  # labels whose prompts are, for what they took


@dataclass
class LabelStage:
    """One instrument's part of a run. questions: the prompts, whose ids are theirs; attempts: the most for each.

    shard: the part of the prompts that is labelled; had: records that are elsewhere; kept: all that count.
    """

    instrument: Instrument
    bench: Bench
    folder: Path
    questions: list[Question]
    attempts: int
    account: Account
    batch: bool = False
    finish_live: bool = False
    shard: Shard | None = None
    had: dict[str, Kept] = field(default_factory=dict[str, Kept])
    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])
    refusals: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        if self.shard:
            self.questions = [each for each in self.questions if self.shard.holds(each.question_id)]
        failed = (call for file in dict.fromkeys([*self.files, self.file]) for call in failed_calls(file))
        self.refusals = Counter(key for key, why in failed if why.startswith(REFUSED))
        self.account.open(self.bill, self.model)
        self.load()

    def load(self) -> None:
        """Read the labels that are there. Raises UserError with the line."""
        self.kept = load_labels(self.files, self.instrument.fingerprint, self.instrument.criteria.names)
        add_better(self.kept, self.had)

    @property
    def model(self) -> ModelSettings:
        """The annotator."""
        return self.instrument.model

    @property
    def file(self) -> Path:
        """Where its labels go."""
        return label_file(self.folder, self.model.name, self.instrument.fingerprint, self.shard)

    @property
    def files(self) -> list[Path]:
        """Where labels of its instrument are."""
        return files_of(self.folder, self.model.name, self.instrument.fingerprint)

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
        part = f", {self.shard}" if self.shard else ""
        yield (
            f"{self.model.name} by {counted(len(criteria), 'criterion', 'criteria')} of {criteria.name or 'the file'} "
            f"(instrument {self.instrument.fingerprint}){part}: {existing} labels exist, {len(missing)} to make"
        )
        if unreadable := len(self.unreadable):
            rest = f"; {again} are asked for again" if again else f"; labels: attempts: {self.attempts + 1} asks again"
            yield f"{counted(unreadable, 'label')} of them could not be read{rest}"
        if others := other_instruments(self.folder, self.files):
            yield f"note: labels by {counted(len(others), 'other instrument')} are kept beside these and do not count."
        for note in earlier_notes(self.file, origins(self.model), existing):
            yield f"note: {note}"

    def shard_line(self) -> str:
        """How far a shard is, for people."""
        found = (self.kept.get(question.question_id) for question in self.questions)
        there = sum(record is not None and record.criteria is not None for record in found)
        return f"{self.shard}: {there} of {counted(len(self.questions), 'label')}"

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
        ratios = list(self._inputs_seen())
        inputs = output_of(ratios) if ratios else AS_COUNTED
        again = self.instrument.tokens_of_question * (not seen.seen)
        worst = sum(map(self.most_it_may_cost, missing))
        every = -(-len(missing) // _MOST_COUNTED) or 1
        most = self.instrument.max_tokens
        found = quote(self.model, self.prompts(every), most, seen, worst, inputs, further=again)
        return found if every == 1 else scaled(found, len(missing))

    def _inputs_seen(self) -> Iterator[float]:
        """The input tokens of labels for one of their first prompts as we count it; of a part of very many."""
        counter = PromptCounter(self.model.model_name)
        known = {question.question_id: question for question in self.questions}
        kept = ((known.get(key), record.usage) for key, record in self.kept.items())
        pairs = ((question, usage) for question, usage in kept if question and usage)
        for question, usage in islice(pairs, _MOST_SEEN):
            yield usage.prompt_tokens / counter.count(self.instrument.messages(question.turns))

    def most_it_may_cost(self, question: Question) -> float:
        """Dollars for a label if each of its requests is answered at full length."""
        instrument = self.instrument
        size = sum(len(message["content"].encode()) for message in instrument.messages(question.turns))
        size += len(instrument.question.encode()) if instrument.asks_again else 0
        return self.account.worst(self.bill, [size], instrument.most_tokens, 1 + instrument.asks_again)
