"""What the judge is shown of a question: whose answers, in which order, and what all its prompts begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena_hard.data.records import UserError
from arena_hard.judging import shown
from arena_hard.judging.prompts import opening_messages, user_prompt
from tests.support.pipeline_bench import Scratch, answer, question, write_rows
from tests.support.plans import bench, candidate_of, stage


@pytest.fixture
def made(tmp_path: Path) -> Scratch:
    """Three questions, the second of two turns, with answers by the model and the baseline."""
    made = bench(tmp_path)
    made.set_questions([question(1), question(2, "One?", "Two?"), question(3)])
    for name in ("m", "base"):
        turns = (f"{name} one", f"{name} two")
        write_rows(made.answer_file(name), [answer(1, name), answer(2, name, *turns), answer(3, name)])
    return made


def reference(made: Scratch, name: str, *numbers: int) -> None:
    records = [answer(number, name) for number in numbers]
    write_rows(made.bench / "reference_answer" / f"{name}.jsonl", records)


def test_the_baseline_stands_first_in_the_first_game_and_second_in_the_second(made: Scratch) -> None:
    planned = stage(made)
    candidate = candidate_of(planned)
    first, second = shown.prompts_of(planned, candidate, planned.questions[0])
    assert user_prompt(first) == "Q: Question 1?\nA: base says 1\nB: m says 1"
    assert user_prompt(second) == "Q: Question 1?\nA: m says 1\nB: base says 1"
    assert first[0] == second[0] == {"role": "system", "content": planned.settings.system_prompt}


def test_an_answer_is_shown_with_all_its_turns(made: Scratch) -> None:
    planned = stage(made)
    candidate = candidate_of(planned)
    pair, references = shown.shown_texts(planned, candidate, planned.questions[1])
    assert (pair, references) == ([["base one", "base two"], ["m one", "m two"]], [])


def test_a_judge_that_rates_sees_the_answer_alone_and_once(made: Scratch) -> None:
    rating = {"baseline": False, "pairwise": False, "prompt_template": ["{question_1}|{answer_1}"]}
    planned = stage(made, **rating)
    candidate = candidate_of(planned)
    (only,) = shown.prompts_of(planned, candidate, planned.questions[2])
    assert user_prompt(only) == "Question 3?|m says 3"
    assert planned.shown.baselines == {}


def test_references_are_shown_in_the_order_of_the_config(made: Scratch) -> None:
    for name in ("r2", "r1"):
        reference(made, name, 1, 3)
    planned = stage(made, reference=True, ref_model=["r2", "r1"])
    candidate = candidate_of(planned)
    assert shown.shown_texts(planned, candidate, planned.questions[0])[1] == [["r2 says 1"], ["r1 says 1"]]


@pytest.mark.parametrize("short", ["m", "base", "nobody"])
def test_what_cannot_be_shown(made: Scratch, short: str) -> None:
    """One answer is missing, and one has a turn less than its question."""
    if short != "nobody":
        write_rows(made.answer_file(short), [answer(1, short), answer(2, short, "one")])
    planned = stage(made)
    candidate = candidate_of(planned)
    can = [shown.can_be_shown(planned, candidate, question) for question in planned.questions]
    assert can == [True, short == "nobody", short == "nobody"]


def test_a_question_without_its_reference_cannot_be_shown(made: Scratch) -> None:
    reference(made, "r", 1)
    planned = stage(made, reference=True, ref_model=["r"])
    candidate = candidate_of(planned)
    assert [shown.can_be_shown(planned, candidate, each) for each in planned.questions] == [True, False, False]


def test_each_category_has_the_baseline_of_its_own(made: Scratch) -> None:
    made.put_answers("other")
    made.set_questions([question(1), question(2) | {"category": "d"}])
    planned = stage(made, categories={"d": {"baseline_model": "other"}})
    assert set(planned.shown.baselines) == {"base", "other"}
    candidate = candidate_of(planned)
    firsts = [shown.shown_texts(planned, candidate, each)[0][0] for each in planned.questions[:1]]
    assert firsts == [["base says 1"]]
    assert shown.shown_for(planned.shown, planned.settings, planned.questions[1]) == [planned.shown.baselines["other"]]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"baseline_model": "nobody"}, r"nobody\.jsonl holds no answers of the baseline nobody"),
        ({"reference": True, "ref_model": ["r"]}, r"r\.jsonl holds no reference answers"),
    ],
)
def test_a_baseline_or_reference_without_any_answer_is_a_mistake(
    made: Scratch, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        stage(made, **settings)


# ---------------------------------------------------------------------------------- what is shared


@pytest.mark.parametrize("swapped", [False, True])
def test_what_the_prompts_of_all_models_begin_with(made: Scratch, swapped: bool) -> None:
    planned = stage(made, judge={"api_type": "anthropic"})
    candidate = candidate_of(planned)
    one = planned.questions[0]
    pair, references = shown.shown_texts(planned, candidate, one)
    order = pair[::-1] if swapped else pair
    prompt = user_prompt(opening_messages(planned.settings, one, order, references))
    length = shown.shared_with_others(planned, candidate, one, order, references, prompt)
    assert prompt[:length] == ("Q: Question 1?\nA: " if swapped else "Q: Question 1?\nA: base says 1\nB: ")


def test_nothing_is_marked_as_shared_where_no_cache_asks_for_it(made: Scratch) -> None:
    planned = stage(made)
    candidate = candidate_of(planned)
    one = planned.questions[0]
    pair, references = shown.shown_texts(planned, candidate, one)
    prompt = user_prompt(opening_messages(planned.settings, one, pair, references))
    assert shown.shared_with_others(planned, candidate, one, pair, references, prompt) == 0


def test_answers_that_are_alike_share_no_more_than_what_stands_before_the_models_own(made: Scratch) -> None:
    for name in ("m", "base"):
        write_rows(made.answer_file(name), [answer(1, name, "the same")])
    planned = stage(made, judge={"api_type": "anthropic"})
    candidate = candidate_of(planned)
    one = planned.questions[0]
    pair, references = shown.shown_texts(planned, candidate, one)
    prompt = user_prompt(opening_messages(planned.settings, one, pair, references))
    length = shown.shared_with_others(planned, candidate, one, pair, references, prompt)
    assert prompt[:length] == "Q: Question 1?\nA: "
