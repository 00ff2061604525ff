"""Samples of questions: a share of each cluster, nested, the same on every machine."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from arena_hard.data.records import Question, UserError
from arena_hard.data.sample import in_sample_order, sample


def bench(sizes: list[int]) -> list[Question]:
    return [
        Question(f"q{cluster:03}-{i}", ("?",), "hard", f"cluster {cluster}")
        for cluster, size in enumerate(sizes)
        for i in range(size)
    ]


def test_a_larger_sample_contains_the_smaller_one() -> None:
    questions = bench([2] * 40 + [7, 30])
    ids = [{q.question_id for q in sample(questions, n)} for n in range(1, len(questions) + 1)]
    assert all(len(small) == n for n, small in enumerate(ids, 1))
    assert all(small < large for small, large in zip(ids, ids[1:]))


def test_each_cluster_gets_its_share_to_within_one_question() -> None:
    sizes = [2] * 50 + [10, 40, 100]
    questions = bench(sizes)
    for count in (25, 50, 100, 125):
        taken = Counter(q.cluster for q in sample(questions, count))
        for cluster, size in enumerate(sizes):
            share = size * count / len(questions)
            # the systematic grid is within one of t·n; t itself wanders by the offsets of the clusters
            assert abs(taken[f"cluster {cluster}"] - share) <= 1 + 0.05 * size


def test_half_of_clusters_of_two_is_one_question_of_each() -> None:
    taken = Counter(q.cluster for q in sample(bench([2] * 250), 250))
    assert set(taken.values()) == {1} and len(taken) == 250


def test_the_sample_depends_on_the_seed_and_not_on_the_file() -> None:
    questions = bench([3] * 30)
    shuffled = random.Random(0).sample(questions, len(questions))
    names = [q.question_id for q in in_sample_order(questions)]
    assert names == [q.question_id for q in in_sample_order(shuffled)]
    assert names != [q.question_id for q in in_sample_order(questions, seed=1)]
    assert names[:4] == NAMES


NAMES = ["q001-2", "q018-0", "q029-2", "q019-1"]  # as on every machine and Python


def test_the_sample_stands_in_the_order_of_the_file() -> None:
    questions = bench([3] * 30)[::-1]
    places = [questions.index(q) for q in sample(questions, 20)]
    assert places == sorted(places)


def test_more_than_there_are_is_all_and_less_than_one_is_a_mistake() -> None:
    assert len(sample(bench([2, 2]), 100)) == 4
    with pytest.raises(UserError, match="at least 1"):
        sample(bench([2]), 0)
