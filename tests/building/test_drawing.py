"""The draw: topics and prompts by a seed, a twin that shares nothing, and what is said of too few topics."""

from __future__ import annotations

import random

import pytest

from arena_hard.building.drawing import UNLABELLED, Draw, draw, draw_lines, twin_lines

SIZES = [1, 2, 3, 4, 5, 6, 7, 8] * 5
PROMPTS = [(f"{topic:02d}-{number}", topic) for topic, size in enumerate(SIZES) for number in range(size)]
MEANS = {topic: (topic * 7 % 40) / 8 for topic in range(40)}


def drawn(**changed: object) -> Draw:
    usual: dict[str, object] = {"topics": 10, "each": 2, "order": "random", "seed": 1}
    prompts = changed.pop("prompts", PROMPTS)
    return draw(prompts, MEANS, **(usual | changed))  # pyright: ignore[reportArgumentType]


def test_the_same_number_of_prompts_of_each_topic() -> None:
    found = drawn()
    assert len(found.main) == 10
    for topic, keys in found.main.items():
        assert len(set(keys)) == 2
        assert all(key.startswith(f"{topic:02d}-") for key in keys)
    assert (found.eligible, found.short) == (35, 5)
    assert found.rest == len(PROMPTS) - 20


def test_neither_the_order_of_rows_nor_a_number_as_another_type_changes_anything() -> None:
    shuffled = random.Random(2).sample(PROMPTS, len(PROMPTS))
    assert drawn(prompts=shuffled) == drawn()


def test_another_seed_draws_others_and_a_larger_draw_holds_the_smaller() -> None:
    assert set(drawn(seed=2).main) != set(drawn().main)
    larger = drawn(topics=20).main
    assert {topic: larger[topic] for topic in drawn().main} == drawn().main
    more = drawn(topics="all", each=3).main
    assert all(more[topic][:2] == keys for topic, keys in drawn(topics="all").main.items() if topic in more)


def test_the_best_topics_come_first_where_that_is_asked_for() -> None:
    found = list(drawn(order="best").main)
    enough = [topic for topic, size in enumerate(SIZES) if size >= 2]
    assert [MEANS[topic] for topic in found] == sorted((MEANS[topic] for topic in enough), reverse=True)[:10]
    nan = draw([("a", 1), ("b", 2)], {1: float("nan"), 2: 0.5}, 2, 1, "best", 1)
    assert list(nan.main) == [2, 1]


def test_prompts_without_a_topic_are_never_drawn() -> None:
    outliers = [(f"x{number}", -1) for number in range(100)]
    assert drawn(prompts=[*PROMPTS, *outliers], topics="all") == drawn(topics="all")


def test_the_twin_has_the_same_topics_and_no_prompt_of_the_bench() -> None:
    found = drawn(topics="all")
    main = {key for keys in found.main.values() for key in keys}
    twin = {key for keys in found.twin.values() for key in keys}
    assert not main & twin
    assert set(found.twin) == {topic for topic, size in enumerate(SIZES) if size >= 4}
    assert found.without_twin == len(found.main) - len(found.twin) == 10
    assert "10 topics of the benchmark had too few prompts left" in twin_lines(found, 2)[0]
    assert drawn().main == drawn().main  # a twin changes nothing of the bench: it is drawn from what is left


@pytest.mark.parametrize("passes, words", [([1], "lower thresholds"), ([], "more conversations")])
def test_fewer_topics_than_asked_for_is_a_line_with_what_there_is_and_the_remedy(passes: list[int], words: str) -> None:
    found = drawn(topics=250)
    lines = draw_lines(found, 250, 2, passes)
    assert lines[0] == "35 topics × 2 prompts = 70 questions"
    assert lines[1].startswith("250 topics were asked for, and 35 have 2 good prompts or more; 5 topics with fewer. ")
    assert words in lines[1]
    assert lines[1].endswith("sample: topics: 35.")
    assert draw_lines(drawn(), 10, 2, passes)[1:] == ([] if passes else [UNLABELLED])
