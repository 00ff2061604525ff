"""Which judgments exist, are missing, have changed or lack an answer, and in which order they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena_hard.data.records import UserError, judgment_from_row
from arena_hard.judging import plan
from arena_hard.judging.shown import prompts_of
from arena_hard.judging.stage import Stage, only
from arena_hard.judging.unchanged import has_changed
from arena_hard.money.account import Account
from tests.support.pipeline_bench import Scratch, answer, question, question_id, write_rows
from tests.support.plans import bench, candidate_of, ids, keys, stage


@pytest.fixture
def made(tmp_path: Path) -> Scratch:
    """Three questions with answers by the models m, n and the baseline."""
    made = bench(tmp_path)
    made.put_answers("m", "n", "base")
    return made


def row(number: int, *scores: str | None, **more: Any) -> dict[str, Any]:
    """A judgment of `m` as the original writes it."""
    shown = {"user_prompt": f"base says {number}, m says {number}", "judgment": "j"}
    games = [score and shown | {"score": score} for score in scores or ("A>B", "A>B")]
    return {"question_id": question_id(number), "model": "m", "judge": "judge", "games": games, **more}


def own(planned: Stage, number: int, **more: Any) -> dict[str, Any]:
    """A judgment of `m` that this project has made, with the prompt that is asked today."""
    text = f"Q: Question {number}?\nA: base says {number}\nB: m says {number}"
    made = row(number, settings_hash=planned.shaping_hash(planned.questions[0]), baseline="base")
    made["games"][0]["user_prompt"] = text
    return made | more


def put(made: Scratch, *records: dict[str, Any], model: str = "m") -> None:
    write_rows(made.judgment_file(model), records)


# ------------------------------------------------------------------------------- what is missing


def test_what_has_no_judgment_is_missing_and_what_has_no_answer_is_told_apart(made: Scratch) -> None:
    write_rows(made.answer_file("m"), [answer(1, "m"), answer(2, "m")])
    put(made, row(1))
    (candidate,) = plan.plan_judge(stage(made))
    assert (ids(candidate.missing), ids(candidate.without_answer)) == (keys(2), keys(3))
    assert candidate.tally.before == set()


def test_the_baseline_is_not_judged_against_itself(made: Scratch) -> None:
    planned = plan.plan_judge(stage(made, model_list=["m", "base", "n"]))
    assert [candidate.name for candidate in planned] == ["m", "n"]


def test_a_baseline_is_judged_where_another_category_has_another_one(made: Scratch) -> None:
    made.set_questions([question(1), question(2) | {"category": "d"}, question(3)])
    settings = {"model_list": ["base", "n"], "categories": {"d": {"baseline_model": "n"}}}
    base, other = plan.plan_judge(stage(made, **settings))
    assert (ids(base.missing), ids(other.missing)) == (keys(2), keys(1, 3))


def test_a_model_without_any_answer_is_a_mistake_unless_it_was_judged(made: Scratch) -> None:
    with pytest.raises(UserError, match=r"no answers in .*model_answer/ for nobody"):
        plan.plan_judge(stage(made, model_list=["m", "nobody"]))
    put(made, row(1) | {"model": "nobody"}, model="nobody")
    _, judged = plan.plan_judge(stage(made, model_list=["m", "nobody"]))
    assert (ids(judged.missing), ids(judged.without_answer)) == ([], keys(2, 3))


def test_judgments_against_another_baseline_are_apart(made: Scratch) -> None:
    put(made, row(1, baseline="other"))
    (candidate,) = plan.plan_judge(stage(made))
    assert (candidate.against, candidate.file.parent.name) == ("base", "vs_base")
    assert (candidate.judged, ids(candidate.missing)) == ({}, keys(1, 2, 3))


# ------------------------------------------------------------------------------- what is made again


def test_an_unreadable_judgment_is_counted_and_made_again_where_that_is_asked_for(made: Scratch) -> None:
    put(made, row(1, "A>B", None), row(2, "A>B", "A"), row(3, "A<B", "B=A"))
    (candidate,) = plan.plan_judge(stage(made))
    assert (candidate.unreadable, ids(candidate.missing)) == (2, [])
    (candidate,) = plan.plan_judge(stage(made, "--retry-unreadable"))
    assert ids(candidate.missing) == keys(1, 2)
    assert candidate.tally.before == set(keys(1, 2))


def test_a_rating_may_be_any_label() -> None:
    rated, failed = (judgment_from_row(row(1, *scores)) for scores in (("7",), ("7", None)))
    assert plan.is_readable(rated)
    assert not plan.is_readable(rated, any_label=False)
    assert not plan.is_readable(failed)


def test_judgments_of_other_settings_are_a_mistake_until_a_flag_says_what_to_do(made: Scratch) -> None:
    planned = stage(made)
    put(made, own(planned, 1), own(planned, 2, settings_hash="other"), row(3))
    with pytest.raises(UserError, match=r"1 of 3 records were made with other settings"):
        plan.plan_judge(planned)
    for flag, missing in (("--keep-mixed", []), ("--redo", keys(2))):
        (candidate,) = plan.plan_judge(stage(made, flag, *(["m"] if flag == "--redo" else [])))
        assert ids(candidate.missing) == missing


def test_judgments_of_answers_that_have_changed_are_a_mistake_until_a_flag_says_what_to_do(made: Scratch) -> None:
    planned = stage(made)
    put(made, own(planned, 1), own(planned, 2), row(3))  # the original's prompt is not compared
    assert ids(plan.plan_judge(planned)[0].missing) == []
    write_rows(made.answer_file("m"), [answer(1, "m"), answer(2, "m", "something else"), answer(3, "m", "new")])
    candidate = candidate_of(stage(made, "--keep-mixed"))
    assert [has_changed(planned, candidate, each) for each in planned.questions] == [False, True, False]
    with pytest.raises(UserError, match=r"1 judgment is of answers that have changed"):
        plan.plan_judge(stage(made))
    assert ids(plan.plan_judge(stage(made, "--redo", "m"))[0].missing) == keys(2)


def test_a_redo_where_nothing_has_changed_is_for_all(made: Scratch) -> None:
    planned = stage(made)
    put(made, own(planned, 1), row(2))
    (candidate,) = plan.plan_judge(stage(made, "--redo", "m"))
    assert ids(candidate.missing) == keys(1, 2, 3)
    assert candidate.tally.before == set(keys(1, 2))


# ------------------------------------------------------------------------------- what is asked for


def test_jobs_say_how_many_models_share_their_question(made: Scratch) -> None:
    put(made, row(2))
    planned = stage(made, model_list=["m", "n"])
    outputs = [(candidate, plan.output_of(planned, candidate)) for candidate in plan.plan_judge(planned)]
    jobs = list(plan.jobs_in_order(planned, outputs, width=2))
    shared = {(job.candidate.name, job.question.question_id): job.shared_by for job in jobs}
    one, two, three = keys(1, 2, 3)
    expected = {("m", one): 2, ("n", one): 2, ("n", two): 1, ("m", three): 2, ("n", three): 2}
    assert shared == expected and len(jobs) == 5
    assert {job.label for job in jobs} == {f"{name} {key}" for name, key in expected}


def test_the_output_knows_the_settings_of_what_is_missing_and_what_is_written(made: Scratch) -> None:
    made.set_questions([question(1), question(2) | {"category": "d"}, question(3)])
    put(made, row(3, baseline="base"))
    planned = stage(made, categories={"d": {"system_prompt": "Another judge."}})
    (candidate,) = plan.plan_judge(planned)
    output = plan.output_of(planned, candidate)
    assert [shaping["system_prompt"] for shaping in output.shapings] == [
        planned.settings.system_prompt,
        "Another judge.",
    ]
    assert output.written == {f"m {key}": key for key in keys(3)}
    assert (output.path, output.bill) == (candidate.file, "judge judging m")


def test_a_wave_is_no_more_than_its_questions(made: Scratch) -> None:
    write_rows(made.answer_file("m"), [answer(1, "m"), answer(2, "m")])
    (candidate,) = plan.plan_judge(stage(made))
    wave = only(candidate, set(keys(2, 3)))
    assert (ids(wave.missing), ids(wave.without_answer)) == (keys(2), keys(3))
    assert (wave.tally.settings_hash, wave.tally.records) == (candidate.tally.settings_hash, candidate.file)
    assert ids(candidate.missing) == keys(1, 2)


def test_the_most_that_a_judgment_may_cost(made: Scratch) -> None:
    planned = stage(made, number_of_judgment_attempts=2)
    (candidate,) = plan.plan_judge(planned)
    output = plan.output_of(planned, candidate)
    (job, *_) = plan.jobs_in_order(planned, [(candidate, output)], width=1)
    assert plan.room_for(planned, job) == 0.0  # nobody set a limit
    planned.account = Account(5.0, False, False)
    planned.account.open("judge judging m", planned.judge)
    size = sum(len(message["content"]) for message in prompts_of(planned, candidate, job.question)[0])
    # in each of two games two attempts of 50 tokens at 10 dollars a million; the second sees the first's reply
    game = (size + size + 50) * 1 + 2 * 50 * 10
    assert plan.room_for(planned, job) == pytest.approx(2 * game / 1e6)
