"""Which answers exist, which are asked for, and what they may cost at most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arena_hard.answering.plan import most_it_may_cost, prompts_to_send
from arena_hard.answering.requests import answer_shaping_settings
from arena_hard.calling.manifest import manifest_file
from arena_hard.data.records import UserError, question_from_row
from arena_hard.data.settings import AnswerSettings
from arena_hard.money.account import Account
from tests.support.pipeline_bench import answer, question, write_rows
from tests.support.plans import bench, ids, keys, plan_answers, put_made_answers, settings_of

TODAY = answer_shaping_settings(
    settings_of("m"), AnswerSettings(bench_name="bench", model_list=["m"], max_tokens=100, temperature=0.0)
)
OTHER = TODAY | {"temperature": 0.9}


def test_what_has_no_answer_is_missing(tmp_path: Path) -> None:
    made = bench(tmp_path, 4)
    put_made_answers(made, {2: None, 3: TODAY})
    plan = plan_answers(made)
    assert (plan.existing, ids(plan.missing)) == (2, keys(1, 4))
    assert plan.label(plan.missing[0]) == f"m {keys(1)[0]}"
    assert plan.output.written == {f"m {key}": key for key in keys(2, 3)}
    assert plan.output.tally.before == set()


def test_answers_of_other_settings_are_a_mistake_until_a_flag_says_what_to_do(tmp_path: Path) -> None:
    made = bench(tmp_path)
    put_made_answers(made, {1: OTHER, 2: TODAY, 3: None})
    with pytest.raises(UserError, match=r"1 of 3 records were made with other settings"):
        plan_answers(made)
    assert ids(plan_answers(made, "--keep-mixed").missing) == []
    redone = plan_answers(made, "--redo", "m")
    assert ids(redone.missing) == keys(1)  # and not those of today's settings, nor the original's
    assert redone.output.tally.before == set(keys(1))


def test_a_redo_where_all_was_made_like_today_is_for_all(tmp_path: Path) -> None:
    made = bench(tmp_path)
    put_made_answers(made, {1: TODAY, 2: None})
    assert ids(plan_answers(made, "--redo", "m").missing) == keys(1, 2, 3)


def test_only_what_failed_and_was_not_written_since(tmp_path: Path) -> None:
    made = bench(tmp_path, 4)
    put_made_answers(made, {1: TODAY, 2: TODAY})
    runs = [
        {"ended": "yesterday", "failed": {keys(2)[0]: "500", keys(4)[0]: "500"}},
        {"ended": None, "failed": {keys(3)[0]: "killed"}},
    ]
    manifest_file(made.answer_file()).write_text(json.dumps({"settings": {}, "runs": runs}))
    assert ids(plan_answers(made, "--only-failed").missing) == keys(4)


@pytest.mark.parametrize(("turns", "settings", "keeps"), [(1, {}, False), (2, {}, True), (1, {"num_choices": 2}, True)])
def test_replies_are_kept_where_an_answer_takes_several_calls(
    tmp_path: Path, turns: int, settings: dict[str, Any], keeps: bool
) -> None:
    made = bench(tmp_path)
    made.set_questions([question(1), question(2, *["And?"] * turns)])
    assert plan_answers(made, **settings).output.keeps_replies is keeps


def test_the_most_that_an_answer_may_cost_holds_all_turns_and_choices() -> None:
    account = Account(5.0, False, False)
    model = settings_of("m", system_prompt="x" * 40)
    account.open("m", model)
    settings = AnswerSettings(bench_name="b", model_list=["m"], max_tokens=50, num_choices=2)
    one = question_from_row(question(1, "y" * 60))
    # a byte is a token at most: 100 in at 1 dollar a million, 50 out at 10, twice
    assert most_it_may_cost(account, model, settings, one) == pytest.approx(2 * (100 * 1 + 50 * 10) / 1e6)
    two = question_from_row(question(1, "y" * 60, "z"))
    assert most_it_may_cost(account, model, settings, two) > 2 * most_it_may_cost(account, model, settings, one)


def test_the_longest_prompt_of_each_missing_answer_is_measured(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.set_questions([question(1), question(2, "One?", "Two?")])
    write_rows(made.answer_file(), [answer(1, "m")])
    planned, settings = plan_answers(made), AnswerSettings(bench_name="bench", max_tokens=100)
    found = prompts_to_send(planned, settings)
    assert found and [[message["content"] for message in prompt] for prompt in found.each()] == [["One?", "Two?"]]
    assert (found.unit, found.max_tokens, found.shortens) == ("answers", 100, None)
    planned.settings = settings_of("m", tokenizer="gpt-4")  # which makes room by itself
    assert prompts_to_send(planned, settings) is None
