"""The step that asks a second annotator about a share of the prompts, and says how far the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from arena_hard.building.filter_steps import FilterStep
from arena_hard.building.label_stage import LabelStage
from arena_hard.building.label_steps import LabelStep, label
from arena_hard.building.prompts import prompts_in
from arena_hard.building.settings import BuildSettings
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table
from arena_hard.data.name_lists import counted
from arena_hard.data.records import Question, UserError
from arena_hard.money.quotes import quote_lines


def opinion_steps(settings: BuildSettings, steps: Sequence[Step]) -> list[Step]:
    """The second opinion on the last pass of `label_steps`, where one is asked for. Raises UserError."""
    second = settings.labels.second_opinion
    if not second:
        return []
    if not steps:
        raise UserError(
            f"labels: second_opinion is {second}, and passes names no pass whose labels it could be compared with. "
            "Add one, or leave second_opinion out."
        )
    if second == settings.labels.passes[-1].model:
        raise UserError(
            f"labels: second_opinion is {second}, which labels itself. Name another model, or leave the key out."
        )
    *_, first, filtering = steps
    assert isinstance(first, LabelStep) and isinstance(filtering, FilterStep)
    return [OpinionStep(first, filtering)]


class OpinionStep(Step):
    """The labels of the last pass beside those of another model, which has the same criteria and settings."""

    name = "opinion"
    files = ("opinion.agreement.json",)
    has_table = False

    def __init__(self, first: LabelStep, filtering: FilterStep) -> None:
        self.first, self.filtering = first, filtering
        self.needs = (first.name, *first.needs[1:])

    def models(self, settings: BuildSettings) -> list[str]:
        return [str(settings.labels.second_opinion)]

    def is_shared(self, context: Context) -> bool:
        return context.args.shard is not None

    def made_from(self, context: Context) -> dict[str, Any]:
        labels = context.settings.labels
        instrument = self.first.instrument(context, str(labels.second_opinion))
        return {
            "model": labels.second_opinion,
            "instrument": instrument.fingerprint,
            "share": labels.second_opinion_share,
            "seed": context.settings.seed,
            "threshold": self.filtering.thresholds(context).prompt,
        }

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        share = context.settings.labels.second_opinion_share
        yield f"{context.settings.labels.second_opinion} labels {share:.0%} of the prompts of {self.first.name} again"
        if context.is_known(self.first.name, *self.first.needs[1:]):
            stage = self._stage(context, self._drawn(context, context.table(self.first.name)))
        else:
            questions, _ = self.first.questions_to_plan(context)
            if questions is None:
                return
            yield f"at most, if all {counted(len(questions), 'prompt')} that are known today get a label:"
            drawn = [each for each in questions if self._is_drawn(context, each.question_id)]
            stage = self.first.stage(context, drawn, str(context.settings.labels.second_opinion))
        yield from stage.plan_lines()
        if stage.missing:
            yield from quote_lines([stage.quote()], "labels by")

    def _is_drawn(self, context: Context, key: str) -> bool:
        from arena_hard.building.second_opinion import is_drawn

        return is_drawn(key, context.settings.seed, context.settings.labels.second_opinion_share)

    def _drawn(self, context: Context, rows: Table) -> dict[str, list[bool]]:
        """The first annotator's labels of the share, by the prompt's id."""
        table = rows.read(["id", "criteria"])
        pairs = zip(table.column("id").to_pylist(), table.column("criteria").to_pylist())
        return {key: label for key, label in pairs if label is not None and self._is_drawn(context, key)}

    def _stage(self, context: Context, drawn: dict[str, list[bool]]) -> LabelStage:
        questions: list[Question] = prompts_in(context, list(drawn))
        return self.first.stage(context, questions, str(context.settings.labels.second_opinion))

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        import numpy as np

        from arena_hard.building.second_opinion import opinion, opinion_lines

        assert rows is not None
        drawn = self._drawn(context, rows)
        stage = self._stage(context, drawn)
        if not label(context, stage, out):
            return
        second = {key: record.criteria for key, record in stage.kept.items() if record.criteria is not None}
        both = [key for key in drawn if key in second]
        shape = (len(both), len(self.first.criteria))
        labels = [np.array([said[key] for key in both], np.int64).reshape(shape) for said in (drawn, second)]
        threshold = self.filtering.thresholds(context).prompt
        found = opinion(labels[0], labels[1], self.first.criteria.names, threshold, context.settings.seed)
        for line in opinion_lines(found, self.first.settings(context).model, stage.model.name, threshold):
            out.say(line)
        if len(both) < len(drawn):
            out.say(f"{counted(len(drawn) - len(both), 'prompt')} without a label by {stage.model.name}")
        out.facts["opinion"] = msgspec.to_builtins(found)
        out.rows_out = len(both)
        with out.file(self.files[0]) as file:
            file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
