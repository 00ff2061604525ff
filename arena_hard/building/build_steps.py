"""The steps from conversations to questions, in their order."""

from __future__ import annotations

from arena_hard.building.cleaning import CleanStep
from arena_hard.building.duplicates import DuplicateStep
from arena_hard.building.embedding import EmbedStep
from arena_hard.building.label_steps import label_steps
from arena_hard.building.languages import LanguageStep
from arena_hard.building.opinion_step import opinion_steps
from arena_hard.building.reading import ReadStep
from arena_hard.building.sampling import QuestionStep, SampleStep
from arena_hard.building.settings import BuildSettings
from arena_hard.building.steps import Step
from arena_hard.building.topic_names import NamesStep
from arena_hard.building.topics import TopicsStep


def build_steps(settings: BuildSettings) -> list[Step]:
    """All steps, as the settings have them."""
    steps: list[Step] = [ReadStep(), CleanStep(), DuplicateStep(), LanguageStep(), EmbedStep(), TopicsStep()]
    labels = label_steps(settings)
    steps += [*labels, *opinion_steps(settings, labels), SampleStep(settings)]
    steps += [NamesStep()] * (settings.topics.names_by is not None)
    return [*steps, QuestionStep(settings, steps)]
