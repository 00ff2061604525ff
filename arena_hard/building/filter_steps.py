"""The step after a pass of labels that drops the poor prompts, by their own score and the mean of their topic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from arena_hard.building.criteria import Criteria
from arena_hard.building.prompts import TEXTS, examples_of
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, arrow
from arena_hard.building.thresholds import Thresholds, thresholds_of
from arena_hard.data.name_lists import counted

MEAN_OVER = "all prompts of a topic that have a label"
MEAN_OVER_LEFT = "the prompts of a topic that have a label and that the filter before has left"
_SCORES = ["id", "topic", "prompt_score"]


class FilterStep(Step):
    """The thresholds after a pass. Its table says what the topics came to; FILTER.topics.json has all of them.

    earlier: passes by the same criteria whose labels count in a topic's mean where this pass has none, as they do by
    the paper's rule: its mean is over all prompts of a topic, and what an earlier filter has left are the good ones.
    """

    def __init__(self, number: int, criteria: Criteria, earlier: Sequence[str] = ()) -> None:
        self.number, self.criteria, self.earlier = number, criteria, tuple(earlier)
        self.name = f"filter{number}"
        self.needs = (f"label{number}", TEXTS, *earlier)
        self.files = (f"filter{number}.topics.json",)

    def thresholds(self, context: Context) -> Thresholds:
        """Those of the pass, else those of the rule."""
        return thresholds_of(context.settings, self.number)

    def made_from(self, context: Context) -> dict[str, Any]:
        means = {"mean_over": self.mean_over} if self.number > 1 else {}
        return {"thresholds": self.thresholds(context)._asdict(), **means}

    @property
    def mean_over(self) -> str:
        """Over which prompts a topic's mean is, for people."""
        if self.number == 1:
            return MEAN_OVER
        return f"{MEAN_OVER}, each by the last pass that labelled it" if self.earlier else MEAN_OVER_LEFT

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        found = self.thresholds(context)
        yield f"prompts that meet at least {found.prompt:g}, in topics with a mean of at least {found.topic:g} criteria"
        if self.number > 1:
            yield f"the mean is over {self.mean_over}"

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        import numpy as np

        from arena_hard.building import filters

        assert rows is not None
        table: Any = rows.read()
        thresholds = self.thresholds(context)
        own = _scores_in(table)
        _, topic, score = own
        earlier = (_scores_in(context.table(name).read(_SCORES)) for name in self.earlier)
        scores = filters.topic_scores(*filters.scores_of_passes([*earlier, own]))
        why = filters.why_dropped(topic, score, scores, thresholds)
        for code, reason in filters.REASONS.items():
            dropped = np.flatnonzero(why == code)
            if len(dropped):
                ids = table.column("id").take(dropped[:5]).to_pylist()
                out.drop(reason.format(**thresholds._asdict()), examples_of(context, ids), len(dropped))
        left = np.flatnonzero(why == 0)
        out.advance(len(topic))
        out.write(_with_topics(table.take(left), scores))
        with out.file(self.files[0]) as file:
            file.write_bytes(msgspec.json.format(msgspec.json.encode(list(_topic_rows(scores, topic[left]))), indent=1))
        self._tell(out, scores, topic[left], thresholds)

    def _tell(self, out: Output, scores: Any, kept: Any, thresholds: Thresholds) -> None:
        topics, partly = len(set(kept.tolist())), int((scores.unlabelled > 0).sum())
        without = int(scores.unlabelled.sum())
        out.facts |= {
            "thresholds": thresholds._asdict(),
            "mean_over": self.mean_over,
            "topics": len(scores.topic),
            "topics_kept": topics,
            "topics_with_unlabelled": partly,
        }
        out.say(f"{topics} of {counted(len(scores.topic), 'topic')} left")
        if without:
            told = f"{counted(without, 'prompt')} without a label in {counted(partly, 'topic')}"
            out.say(f"{told}: the means of these are over the others")


def _scores_in(table: Any) -> tuple[list[str], Any, Any]:
    """Id, topic and score of the rows of a pass."""
    from arena_hard.building.filters import NO_LABEL

    score = table.column("prompt_score").fill_null(NO_LABEL).to_numpy()
    return table.column("id").to_pylist(), table.column("topic").to_numpy(), score


def _with_topics(table: Any, scores: Any) -> Any:
    """The rows with what is known of their topics."""
    found, place = arrow(), scores.of(table.column("topic").to_numpy())
    for name, values in (("topic_mean", scores.mean), ("topic_error", scores.error)):
        table = table.append_column(name, found.array(values[place], found.float64(), from_pandas=True))
    for name, values in (("topic_labelled", scores.labelled), ("topic_unlabelled", scores.unlabelled)):
        table = table.append_column(name, found.array(values[place], found.int32()))
    return table


def _topic_rows(scores: Any, kept: Any) -> Iterator[dict[str, Any]]:
    """What each topic came to; null where nothing is known."""
    left = dict[int, int]()
    for topic in kept.tolist():
        left[topic] = left.get(topic, 0) + 1
    columns = (scores.topic, scores.labelled, scores.unlabelled, scores.mean, scores.error)
    for topic, labelled, unlabelled, mean, error in zip(*(column.tolist() for column in columns)):
        yield {
            "topic": topic,
            "labelled": labelled,
            "unlabelled": unlabelled,
            "mean": None if mean != mean else round(mean, 6),
            "error": None if error != error else round(error, 6),
            "left": left.get(topic, 0),
        }
