"""Which prompts go on, by thresholds of a prompt's score and of its topic's mean.

A score is the number of criteria that a prompt meets. A topic's mean is over all its prompts that have a label, be
they good or bad, and thresholds may have decimals. A prompt without a label, or without a topic, does not go on, and
lowers no mean. After several passes, the rule decides whether those count that an earlier pass has dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from arena_hard.building.thresholds import Thresholds
from arena_hard.rating.arrays import FloatArray, IntArray

NO_LABEL, NO_TOPIC = -1, -1  # in the place of a score, of a topic
NOT_IN_A_TOPIC, NOT_LABELLED, POOR_TOPIC, POOR_PROMPT = range(1, 5)
REASONS = {
    NOT_IN_A_TOPIC: "without a topic",
    NOT_LABELLED: "without a label",
    POOR_TOPIC: "topic mean below {topic:g}",
    POOR_PROMPT: "prompt score below {prompt:g}",
}


@dataclass(frozen=True)
class TopicScores:
    """What the labels say of each topic, in the order of `topic`.

    mean: NaN where no prompt has a label; error: the standard error of the mean, NaN with fewer than two labels.
    """

    topic: IntArray
    labelled: IntArray
    unlabelled: IntArray
    mean: FloatArray
    error: FloatArray

    def of(self, topics: IntArray) -> IntArray:
        """The place of each of these topics, all of which have to be there."""
        return np.searchsorted(self.topic, topics)


def topic_scores(topic: IntArray, score: IntArray) -> TopicScores:
    """The scores by topic. topic, score: of each prompt; NO_TOPIC and NO_LABEL where it has none."""
    inside = topic != NO_TOPIC
    names, place = np.unique(topic[inside], return_inverse=True)
    values = score[inside].astype(np.int64)
    has = values != NO_LABEL
    count = np.bincount(place[has], minlength=len(names))
    total = np.bincount(place[has], values[has], len(names))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        apart = (values[has] - mean[place[has]]) ** 2
        error = np.sqrt(np.bincount(place[has], apart, len(names)) / (count - 1) / count)
    return TopicScores(
        names, count, np.bincount(place[~has], minlength=len(names)), mean, np.where(count > 1, error, np.nan)
    )


def scores_of_passes(passes: Iterable[tuple[list[str], IntArray, IntArray]]) -> tuple[IntArray, IntArray]:
    """Topic and score of each prompt by the last pass that has labelled it. passes: ids, topics and scores of each."""
    found = dict[str, tuple[int, int]]()
    for ids, topics, scores in passes:
        for key, topic, score in zip(ids, topics.tolist(), scores.tolist()):
            if score != NO_LABEL or key not in found:
                found[key] = topic, score
    both = np.array(list(found.values()), np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def why_dropped(topic: IntArray, score: IntArray, scores: TopicScores, thresholds: Thresholds) -> IntArray:
    """Why each prompt does not go on, by the codes of REASONS; 0 for those that do."""
    inside = topic != NO_TOPIC
    mean = np.full(len(topic), np.nan)
    mean[inside] = scores.mean[scores.of(topic[inside])]
    return np.select(
        [~inside, score == NO_LABEL, ~(mean >= thresholds.topic), score < thresholds.prompt],
        [NOT_IN_A_TOPIC, NOT_LABELLED, POOR_TOPIC, POOR_PROMPT],
        0,
    )
