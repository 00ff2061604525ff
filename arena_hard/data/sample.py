"""Samples of questions: stratified by cluster, seeded, and nested, so that they can be bought in slices."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from arena_hard.data.records import Question, UserError

SEED = 42


def in_sample_order(questions: Sequence[Question], seed: int = SEED) -> list[Question]:
    """All questions in an order of which each beginning is a stratified sample.

    Systematic sampling: question i of a stratum with n questions, shuffled, stands at (i + u) / n with one
    uniform u for each stratum; so the first part of the order takes its share of every stratum. The
    order does not depend on that of the file.
    """
    strata: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in sorted(questions, key=lambda each: each.question_id):
        strata[question.category, question.cluster or ""].append(question)
    places: list[tuple[float, str, Question]] = []
    for name, members in sorted(strata.items()):
        rng = random.Random(f"{seed}/{name[0]}/{name[1]}")
        rng.shuffle(members)
        offset = rng.random()
        places += [((i + offset) / len(members), q.question_id, q) for i, q in enumerate(members)]
    return [question for _, _, question in sorted(places, key=lambda place: place[:2])]


def sample(questions: Sequence[Question], count: int, seed: int = SEED) -> list[Question]:
    """A sample of so many questions, in the order of the file; a larger one contains the smaller.

    Raises UserError for a count below 1.
    """
    if count < 1:
        raise UserError(f"--sample {count}: must be at least 1.")
    chosen = {question.question_id for question in in_sample_order(questions, seed)[:count]}
    return [question for question in questions if question.question_id in chosen]
