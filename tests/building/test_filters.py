"""Thresholds of prompts and topics: means over all that have a label, decimals, and rules by name."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest

from arena_hard.building import label_steps
from arena_hard.building.criteria import Criteria, Criterion
from arena_hard.building.filter_steps import FilterStep
from arena_hard.building.filters import NO_LABEL, NO_TOPIC, REASONS, scores_of_passes, topic_scores, why_dropped
from arena_hard.building.settings import BuildSettings, LabelSettings, PassSettings, Rule
from arena_hard.building.thresholds import Thresholds, check_thresholds, thresholds_of
from arena_hard.data.records import UserError


def settings(rule: Rule, *passes: PassSettings) -> BuildSettings:
    return BuildSettings("b", rule=rule, labels=LabelSettings(passes=list(passes)))


def left(topics: list[int], scores: list[int], prompt: float, topic: float) -> list[int]:
    """The places of the prompts that go on."""
    topic_of, score_of = np.array(topics, np.int32), np.array(scores, np.int64)
    why = why_dropped(topic_of, score_of, topic_scores(topic_of, score_of), Thresholds(prompt, topic))
    return np.flatnonzero(why == 0).tolist()


def test_means_and_errors_are_those_of_plain_arithmetic() -> None:
    rng = random.Random(5)
    topics = [rng.choice([-1, 0, 3, 4, 90, 91]) for _ in range(400)]
    scores = [rng.choice([-1, 0, 1, 2, 3, 4, 5, 6, 7]) for _ in range(400)]
    found = topic_scores(np.array(topics), np.array(scores))
    assert found.topic.tolist() == sorted(set(topics) - {-1})
    for place, topic in enumerate(found.topic.tolist()):
        inside = [score for score, its in zip(scores, topics) if its == topic]
        known = [score for score in inside if score >= 0]
        assert (found.labelled[place], found.unlabelled[place]) == (len(known), inside.count(-1))
        assert found.mean[place] == pytest.approx(statistics.mean(known))
        assert found.error[place] == pytest.approx(statistics.stdev(known) / len(known) ** 0.5)


def test_a_failed_label_lowers_no_mean_and_passes_no_filter() -> None:
    """The original counts it as a prompt that meets nothing."""
    topics, scores = [1, 1, 1, 1], [6, 6, NO_LABEL, NO_LABEL]
    assert left(topics, scores, 6, 5) == [0, 1]
    assert topic_scores(np.array(topics), np.array(scores)).mean.tolist() == [6.0]
    assert left([1, 1], [NO_LABEL, NO_LABEL], 0, 0) == []


def test_poor_prompts_count_for_their_topic() -> None:
    """The mean is over all labelled prompts of a topic, not over those that pass."""
    assert left([1, 1, 1, 2, 2], [7, 7, 0, 6, 5], 6, 5) == [3]


def test_what_has_no_topic_is_never_eligible_and_is_no_topic_of_its_own() -> None:
    assert left([NO_TOPIC, NO_TOPIC, 3], [7, 7, 7], 6, 5) == [2]
    assert topic_scores(np.array([NO_TOPIC, NO_TOPIC]), np.array([7, 7])).topic.tolist() == []


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint8])
def test_a_topic_is_one_whatever_kind_of_number_it_is(kind: type) -> None:
    """The original averages 0 and "0" apart, so that a half of a cluster passes."""
    topic = np.concatenate([np.zeros(3, kind), np.zeros(3, np.int64)])
    score = np.array([2, 3, 2, 6, 7, 6])
    assert topic_scores(topic, score).mean.tolist() == [26 / 6]


@pytest.mark.parametrize(("threshold", "kept"), [(5, True), (5.3, True), (5.5, False), (5.31, False)])
def test_thresholds_have_decimals(threshold: float, kept: bool) -> None:
    scores = [5] * 7 + [6] * 3  # 5.3
    assert (left([1] * 10, scores, 0, threshold) != []) is kept


def test_each_reason_is_told_apart() -> None:
    topic, score = np.array([-1, 1, 1, 2, 1]), np.array([7, -1, 7, 3, 5])
    why = why_dropped(topic, score, topic_scores(topic, score), Thresholds(6, 5.5))
    assert [REASONS.get(int(code), "left") for code in why] == [
        "without a topic",
        "without a label",
        "left",
        "topic mean below {topic:g}",
        "prompt score below {prompt:g}",
    ]


def test_rules_have_the_thresholds_of_their_sources() -> None:
    one = PassSettings("m")
    assert thresholds_of(settings("paper", one), 1) == (6, 5)
    assert thresholds_of(settings("blog", one), 1) == (0, 6)
    two = settings("readme", one, one)
    assert [thresholds_of(two, number) for number in (1, 2)] == [(5, 3), (6, 6)]
    own = settings("paper", PassSettings("m", topic_threshold=4.5))
    assert thresholds_of(own, 1) == (6, 4.5)


def test_thresholds_beyond_the_criteria_are_a_mistake() -> None:
    check_thresholds(settings("paper", PassSettings("m")), 1, 7)
    with pytest.raises(UserError, match="prompt_threshold is 6 in pass 1, and there are 5 criteria.*Write prompt_thr"):
        check_thresholds(settings("paper", PassSettings("m")), 1, 5)
    check_thresholds(settings("paper", PassSettings("m", prompt_threshold=4, topic_threshold=3.5)), 1, 5)


def test_what_an_earlier_pass_has_dropped_counts_in_the_mean_of_the_paper() -> None:
    """Of what the first filter has left, no mean is below its threshold, so that the mean would drop nothing."""
    first = (["a", "b", "c", "d", "e"], np.array([1, 1, 1, 2, -1]), np.array([7, 5, 0, 5, NO_LABEL]))
    second = (["a", "b", "d"], np.array([1, 1, 2]), np.array([6, NO_LABEL, 6]))
    topic, score = scores_of_passes([first, second])
    scores = topic_scores(topic, score)
    assert scores.topic.tolist() == [1, 2] and scores.mean.tolist() == [11 / 3, 6]
    assert why_dropped(*second[1:], scores, Thresholds(6, 5)).tolist()[::2] == [3, 0]
    left_alone = topic_scores(*scores_of_passes([second]))
    assert left_alone.mean.tolist() == [6, 6]


@pytest.mark.parametrize(
    ("rule", "names", "earlier"),
    [("paper", "ab", ("label1",)), ("readme", "ab", ()), ("blog", "ab", ()), ("paper", "cd", ())],
)
def test_which_passes_count_in_a_mean(
    rule: Rule, names: str, earlier: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"x": Criteria([Criterion(name, "t") for name in "ab"]), "y": Criteria([Criterion(n, "t") for n in names])}
    monkeypatch.setattr(label_steps, "load_criteria", lambda file: files[str(file)])
    passes = [PassSettings(f"model of {file}", file, prompt_threshold=1, topic_threshold=1) for file in "xy"]
    one, two = [step for step in label_steps.label_steps(settings(rule, *passes)) if isinstance(step, FilterStep)]
    assert (one.earlier, two.earlier) == ((), earlier)
    assert two.needs == ("label2", "language", *earlier)
    assert ("last pass" in two.mean_over, "has left" in two.mean_over) == (bool(earlier), not earlier)
