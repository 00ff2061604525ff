"""The least that a prompt and its topic have to meet: by the three published rules, or as the config says."""

from __future__ import annotations

from typing import NamedTuple

from arena_hard.building.settings import BuildSettings
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError


class Thresholds(NamedTuple):
    """The least that goes on: criteria that a prompt meets, and their mean over its topic."""

    prompt: float
    topic: float


# of the last pass: the paper's, those of the original's README, and those that the first report (the blog) tells
RULES = {"paper": Thresholds(6, 5), "readme": Thresholds(6, 6), "blog": Thresholds(0, 6)}
EARLIER = Thresholds(5, 3)  # of a cheap pass before it, as the README has them


def thresholds_of(settings: BuildSettings, number: int) -> Thresholds:
    """The thresholds of a pass, numbered from 1: its own, else those of the rule."""
    passes = settings.labels.passes
    own, usual = passes[number - 1], RULES[settings.rule] if number == len(passes) else EARLIER
    return Thresholds(
        usual.prompt if own.prompt_threshold is None else own.prompt_threshold,
        usual.topic if own.topic_threshold is None else own.topic_threshold,
    )


def check_thresholds(settings: BuildSettings, number: int, criteria: int) -> None:
    """Raises UserError for thresholds that nothing can reach. criteria: how many there are."""
    for name, value in zip(("prompt_threshold", "topic_threshold"), thresholds_of(settings, number)):
        if value > criteria:
            there = counted(criteria, "criterion", "criteria")
            raise UserError(
                f"labels: {name} is {value:g} in pass {number}, and there are {there}, so that nothing could pass. "
                f"Write {name}: {max(0, criteria - 1)} or the like into the pass."
            )
