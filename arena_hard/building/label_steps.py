"""The steps that label prompts: a pass of labels, each with its filter, once or several times.

Prompts without a topic are never drawn, and are not labelled. Rows carry their id from step to step; topics and labels
are joined by it alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from arena_hard.building.criteria import Criteria, load_criteria
from arena_hard.building.filter_steps import FilterStep
from arena_hard.building.label_files import FOLDER, GIVEN, TAG, given_label, none_is_given
from arena_hard.building.label_prompt import Instrument
from arena_hard.building.label_stage import LabelStage
from arena_hard.building.labelling import make_labels
from arena_hard.building.prompts import TEXTS, prompts_in
from arena_hard.building.settings import BuildSettings, PassSettings
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, arrow
from arena_hard.building.thresholds import check_thresholds
from arena_hard.calling.context_check import planned_lines
from arena_hard.data.name_lists import counted
from arena_hard.data.records import Question, UserError
from arena_hard.data.settings import short_hash
from arena_hard.money.quotes import quote_lines

TOPICS = "topics"
WITHOUT_SHARD = "without --shard when all shards are there"
_TEXT_STEPS = (TEXTS, "duplicates", "clean", "read")  # whose tables tell how many prompts there may be at most


def label_steps(settings: BuildSettings) -> list[Step]:
    """The passes, each with its filter. Raises UserError for criteria and thresholds that cannot be used."""
    steps: list[Step] = []
    asked = dict[tuple[Any, ...], int]()
    for number, each in enumerate(settings.labels.passes, 1):
        criteria = load_criteria(Path(each.criteria or settings.labels.criteria))
        if (same := asked.setdefault(_asked_of(each, criteria), number)) != number:
            raise UserError(
                f"labels: passes {same} and {number} have the same model, criteria and settings, so that the second "
                f"would repeat the labels of the first. Leave out pass {same}: one pass has both thresholds."
            )
        check_thresholds(settings, number, len(criteria))
        earlier = [step.name for step in steps if isinstance(step, LabelStep) and step.criteria.names == criteria.names]
        steps += [
            LabelStep(number, criteria),
            FilterStep(number, criteria, earlier if settings.rule == "paper" else ()),
        ]
    return steps


def _asked_of(each: PassSettings, criteria: Criteria) -> tuple[Any, ...]:
    """What makes the labels of a pass; equal for two that would have the same ones."""
    if each.model == GIVEN:
        return GIVEN, criteria.names
    how = each.temperature, each.max_tokens, each.constrained
    return each.model, *criteria.criteria, criteria.reasons, *how


def topic_of_rows(table: Table) -> tuple[list[str], list[int]]:
    """The id and topic of each row."""
    rows = table.read(["id", "topic"])
    return rows.column("id").to_pylist(), rows.column("topic").to_pylist()


# -------------------------------------------------------------------------------------------- labels


class LabelStep(Step):
    """One pass of labels: by a model, or as they come with the conversations."""

    def __init__(self, number: int, criteria: Criteria) -> None:
        self.number, self.criteria = number, criteria
        self.name = f"label{number}"
        self.needs = (TOPICS if number == 1 else f"filter{number - 1}", TEXTS)

    def settings(self, context: Context) -> PassSettings:
        """Those of this pass."""
        return context.settings.labels.passes[self.number - 1]

    def models(self, settings: BuildSettings) -> list[str]:
        name = settings.labels.passes[self.number - 1].model
        return [] if name == GIVEN else [name]

    def instrument(self, context: Context, model: str = "") -> Instrument:
        """What labels; model: another one than the pass's."""
        own = self.settings(context)
        settings = context.models[model or own.model]
        return Instrument(settings, self.criteria, own.temperature, own.max_tokens, own.constrained)

    def stage(self, context: Context, questions: list[Question], model: str = "") -> LabelStage:
        """The labelling of some prompts."""
        return LabelStage(
            self.instrument(context, model),
            context.bench,
            context.folder / FOLDER,
            questions,
            context.settings.labels.attempts,
            context.account,
            context.args.batch,
            context.args.finish_live,
            context.args.shard,
        )

    def is_shared(self, context: Context) -> bool:
        return context.args.shard is not None

    def made_from(self, context: Context) -> dict[str, Any]:
        if self.settings(context).model == GIVEN:
            return {"labels": GIVEN, "criteria": self.criteria.names}
        stage = self.stage(context, [])
        most = stage.attempts
        again = sum(record.criteria is None and record.attempts < most for record in stage.kept.values())
        return {"model": stage.model.name, "instrument": stage.instrument.fingerprint, "asked_again": again}

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        if self.settings(context).model == GIVEN:
            yield f"labels are those in {TAG} of the conversations ({', '.join(self.criteria.names)}); nothing is sent"
            return
        questions, known = self.questions_to_plan(context)
        if questions is None:
            yield "what it costs is known once the conversations are read: --until topics does that, and sends nothing"
            return
        stage = self.stage(context, questions)
        if not known:
            yield f"at most, if all {counted(len(questions), 'prompt')} that are known today come so far:"
        yield from stage.plan_lines()
        if stage.missing:
            yield from quote_lines([stage.quote()], "labels by")
            yield from (f"note: {line}" for line in planned_lines([(stage.model, stage.context_prompts())]))

    def questions_to_plan(self, context: Context) -> tuple[list[Question] | None, bool]:
        """The prompts that this pass labels and whether that is certain, else all that may come so far."""
        if context.is_known(self.needs[0], TEXTS) and context.table(self.needs[0]).file.is_file():
            ids, topics = topic_of_rows(context.table(self.needs[0]))
            return prompts_in(context, [key for key, topic in zip(ids, topics) if topic >= 0]), True
        there = next((step for step in _TEXT_STEPS if context.is_known(step)), None)
        if there is None:
            return None, False
        ids = list(dict.fromkeys(context.table(there).column("id")))
        return prompts_in(context, ids, there), False

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        ids, topics = topic_of_rows(rows)
        wanted = [key for key, topic in zip(ids, topics) if topic >= 0]
        if self.settings(context).model == GIVEN:
            labels = self._given(context, wanted)
            instrument = f"{GIVEN} {short_hash({'criteria': self.criteria.names})}"
        else:
            stage = self.stage(context, prompts_in(context, wanted))
            if not label(context, stage, out):
                return
            labels = {key: record.criteria for key, record in stage.kept.items()}
            instrument = stage.instrument.fingerprint
        out.advance(len(ids))
        out.write(label_table(ids, topics, [labels.get(key) for key in ids], instrument))
        self._tell(out, [labels.get(key) for key in wanted], instrument)

    def _given(self, context: Context, wanted: Sequence[str]) -> dict[str, list[bool] | None]:
        """The labels that came with the conversations, by the prompt's id: of copies, the first that has one."""
        keys, names, found = set(wanted), self.criteria.names, dict[str, list[bool] | None]()
        for part in context.table(TEXTS).parts(["id", TAG]):
            for key, tag in zip(part.column("id").to_pylist(), part.column(TAG).to_pylist()):
                if key in keys and tag and found.get(key) is None:
                    found[key] = given_label(tag, names)
        if not any(found.values()):
            raise none_is_given(names)
        return found

    def _tell(self, out: Output, labels: Sequence[list[bool] | None], instrument: str) -> None:
        """What the labels came to, for people and for the report."""
        known = [label for label in labels if label is not None]
        scores = [sum(label) for label in known]
        histogram = [scores.count(score) for score in range(len(self.criteria) + 1)]
        shares = [sum(column) / len(known) for column in zip(*known)]
        out.facts |= {
            "instrument": instrument,
            "criteria": {each.name: each.text for each in self.criteria.criteria},
            "labelled": len(known),
            "without_label": len(labels) - len(known),
            "histogram": histogram,
            "shares": {name: round(share, 6) for name, share in zip(self.criteria.names, shares)},
        }
        if known:
            said = ", ".join(f"{score}: {number}" for score, number in enumerate(histogram))
            out.say(f"criteria met: {said} of {counted(len(known), 'prompt')}")
            out.say(", ".join(f"{name} {share:.0%}" for name, share in zip(self.criteria.names, shares)))
        if len(known) < len(labels):
            out.say(f"{counted(len(labels) - len(known), 'prompt')} without a label")


def label(context: Context, stage: LabelStage, out: Output) -> bool:
    """Make the missing labels. Returns whether the step goes on; after a shard alone it does not, and this is said."""
    out.code = _labels_by_workers(context, stage) if context.args.backend == "dask" else make_labels(stage)
    out.stopped = out.code != 0 or stage.shard is not None
    if stage.shard:
        out.say(f"{stage.shard_line()}; run the same command {'again' if out.code else WITHOUT_SHARD}")
    return stage.shard is None


def _labels_by_workers(context: Context, stage: LabelStage) -> int:
    """Make the missing labels on a cluster, where the model can be asked from there. Returns the exit code."""
    from arena_hard.building.label_cluster import label_on_cluster, stays_here

    why = stays_here(stage.model, stage.batch)
    if stage.missing and not why:
        return label_on_cluster(stage, context.args.address, context.processes)
    if stage.missing:
        print(f"note: {stage.model.name} is asked from this machine, for {why}.", file=sys.stderr)
    return make_labels(stage)


def label_table(ids: Sequence[str], topics: Sequence[int], labels: Sequence[list[bool] | None], instrument: str) -> Any:
    """The rows of a pass: a label or null for each prompt."""
    found = arrow()
    columns = {
        "id": found.array(ids, found.string()),
        "topic": found.array(topics, found.int32()),
        "criteria": found.array(labels, found.list_(found.bool_())),
        "prompt_score": found.array([None if label is None else sum(label) for label in labels], found.int16()),
        "instrument": found.array([instrument] * len(ids), found.string()),
    }
    return found.table(columns)
