"""One game: what was had before the question for the label stays, whatever becomes of that question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.providers.base import CallError, Reply, TooLong, Unforeseen
from arena_hard.data.records import Game
from arena_hard.data.usage import Usage
from arena_hard.judging.game import play
from arena_hard.judging.plan import JudgmentJob, output_of
from arena_hard.judging.shown import shown_texts
from tests.support.plans import bench, candidate_of, stage


def played(folder: Path, text: str, error: CallError) -> tuple[Game, JudgmentJob]:
    """The game of a judge that says this, and whose server answers the question for the label with an error."""
    made = bench(folder)
    made.put_answers("m", "base")
    planned = stage(made, verdict="constrained", verdict_always=True, number_of_judgment_attempts=1)
    candidate = candidate_of(planned)
    question = planned.questions[0]
    job = JudgmentJob(output=output_of(planned, candidate), question=question, label="x", candidate=candidate)

    async def ask(*_: Any, choices: list[str] | None = None, **__: Any) -> Reply:
        if choices:
            raise error
        return Reply(text, usage=Usage(10, 5))

    return asyncio.run(play(ask, planned, job, *shown_texts(planned, candidate, question))), job


def about_request() -> CallError:
    error = CallError("final", "400: no", usage=Usage(20, 1))
    error.about_request = True
    return error


@pytest.mark.parametrize(
    ("text", "verdict", "by"), [("I think [[A>B]]", "A>B", "text"), ("[[A>B]] or [[B>A]]", None, None)]
)
def test_a_question_that_is_refused_leaves_what_was_paid_for(
    tmp_path: Path, text: str, verdict: str | None, by: str | None
) -> None:
    game, job = played(tmp_path, text, about_request())
    assert (game.verdict, game.verdict_by, game.judgment) == (verdict, by, text)
    assert game.usage == Usage(30, 6)
    assert job.unanswered == ["400: no"]


def too_long() -> CallError:
    error = about_request()
    error.too_long = TooLong(1000, 900)
    return error


def asked_twice(folder: Path, error: CallError, **more: Any) -> tuple[Game, JudgmentJob]:
    """The game of a judge whose first text holds no verdict, and whose server refuses the second attempt."""
    made = bench(folder)
    made.put_answers("m", "base")
    planned = stage(made, **more)
    candidate = candidate_of(planned)
    question = planned.questions[0]
    job = JudgmentJob(output=output_of(planned, candidate), question=question, label="x", candidate=candidate)

    async def ask(messages: list[Any], choices: list[str] | None = None, **_: Any) -> Reply:
        if choices:
            assert [each["content"] for each in messages if each["role"] == "assistant"] == ["Hm."]
            return Reply(choices[2], usage=Usage(7, 1), form="grammar")
        if any(each["role"] == "assistant" for each in messages):
            raise error
        return Reply("Hm.", usage=Usage(10, 5))

    return asyncio.run(play(ask, planned, job, *shown_texts(planned, candidate, question))), job


@pytest.mark.parametrize("error", [too_long, about_request])
@pytest.mark.parametrize("verdict", ["constrained", "logprobs"])
def test_where_a_further_attempt_is_refused_the_label_is_asked_for(
    tmp_path: Path, verdict: str, error: Callable[[], CallError]
) -> None:
    game, job = asked_twice(tmp_path, error(), verdict=verdict)
    assert (game.verdict, game.verdict_by, game.judgment) == ("A=B", "constrained", "Hm.\n[[A=B]]")
    assert game.usage == Usage(37, 7)
    assert (job.untried, job.unanswered) == (["400: no"], [])


def test_without_such_a_question_it_fails_and_the_refusal_says_which_it_was(tmp_path: Path) -> None:
    with pytest.raises(CallError) as failed:
        asked_twice(tmp_path, too_long())
    assert failed.value.too_long == TooLong(1000, 900, is_later=True)


def test_a_server_that_cannot_be_reached_for_a_further_attempt_is_not_asked_for_the_label(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="connection failed"):
        asked_twice(tmp_path, CallError("final", "connection failed"), verdict="constrained")


def test_what_may_come_in_another_run_fails_the_record(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="connection failed"):
        played(tmp_path, "I think [[A>B]]", CallError("final", "connection failed (after 8 tries)"))


@pytest.mark.parametrize(
    ("made", "is_about_it"),
    [
        (lambda: CallError("final", "400: too long"), True),
        (lambda: CallError("transient", "the reply contains no text", finish_reason="stop"), True),
        (lambda: CallError("final", "401: wrong key", endpoint_wide=True), False),
        (lambda: CallError("final", "404: no such path", wrong_address=True), False),
        (lambda: CallError("transient", "connection failed"), False),
        (lambda: CallError("rate limit", "429"), False),
        (lambda: Unforeseen(KeyError("x")), False),
    ],
)
def test_errors_of_the_request_are_told_from_those_of_the_server(
    made: Callable[[], CallError], is_about_it: bool
) -> None:
    assert made().refuses_request() is is_about_it
