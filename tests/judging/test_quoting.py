"""What missing judgments would cost: the range holds what a run comes to, after a sample and before one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.prompt_tokens import PromptCounter
from arena_hard.data.records import Game, Judgment, judgment_row
from arena_hard.data.usage import Usage
from arena_hard.judging.quoting import games_of, quote_of
from arena_hard.judging.shown import prompts_of
from arena_hard.judging.stage import Stage
from arena_hard.money.quotes import Quote
from tests.support.pipeline_bench import write_rows
from tests.support.plans import bench, candidate_of, judge_settings, stage

QUESTIONS = 6
COUNTER = PromptCounter("judge")


def planned(folder: Path, *arguments: str, **more: Any) -> Stage:
    folder.mkdir(exist_ok=True)
    made = bench(folder, QUESTIONS)
    made.put_answers("m", "base", count=QUESTIONS)
    return stage(made, *arguments, **more)


def judged(of: Stage, number: int, hash_: str, **game: Any) -> Quote:
    """The quote after so many judgments, each game of which took its first prompt three times, and 40 output tokens."""
    candidate = candidate_of(of)
    rows = []
    for question in of.questions[:number]:
        games = [_game(prompt, game) for prompt in prompts_of(of, candidate, question)]
        rows.append(
            judgment_row(Judgment(question.question_id, "m", "judge", tuple(games), "base", settings_hash=hash_))
        )
    if rows:
        write_rows(of.bench.judgment_file("judge", "m"), rows)
    return quote_of(of, candidate_of(of), games_of(of))


def _game(prompt: list[dict[str, str]], values: dict[str, Any]) -> Game:
    usage = Usage(3 * COUNTER.count(prompt), 40)
    return Game(**({"verdict": "A>B", "judgment": "x", "user_prompt": prompt[-1]["content"], "usage": usage} | values))


def first_prompts(of: Stage, start: int = 0) -> int:
    """Tokens of the first prompts of the questions from one on, as we count them."""
    candidate = candidate_of(of)
    questions = of.questions[start:]
    return sum(COUNTER.count(prompt) for question in questions for prompt in prompts_of(of, candidate, question))


@pytest.mark.parametrize("verdict", ["text", "constrained"])
def test_after_a_sample_all_requests_of_a_game_are_quoted(tmp_path: Path, verdict: str) -> None:
    of = planned(tmp_path, verdict=verdict)
    by = {"verdict_by": "constrained"} if verdict == "constrained" else {}
    found = judged(of, 3, of.shaping_hash(of.questions[0]), **by)
    tokens = 3 * first_prompts(of, 3)
    assert found.input_tokens == (pytest.approx(tokens), pytest.approx(tokens))
    assert found.output_tokens == (pytest.approx(240), pytest.approx(240))
    cost = (tokens + 240 * 10) / 1e6
    assert found.live == (pytest.approx(cost), pytest.approx(cost))
    assert found.seen == 6
    assert found.requests[0] <= 6 * (2 if by else 1) <= found.requests[1]


def test_before_a_sample_the_range_ends_with_all_that_may_be_asked(tmp_path: Path) -> None:
    of = planned(tmp_path, verdict="constrained", number_of_judgment_attempts=2)
    found, tokens, games = judged(of, 0, ""), first_prompts(of), 2 * QUESTIONS
    assert found.requests == (games, 3 * games)
    assert (found.input_tokens[0], found.output_tokens[0]) == (tokens, 0)
    assert found.input_tokens[1] > 3 * tokens + games * 50  # the second attempt shows the first text
    assert found.output_tokens[1] == games * (2 * 50 + 256)
    assert found.live and found.most and found.live[1] < found.most
    always = judged(planned(tmp_path / "b", verdict="constrained", verdict_always=True), 0, "")
    assert always.requests[0] == 2 * games and always.input_tokens[0] > 2 * tokens


def test_a_sample_of_other_settings_leaves_room_for_the_label(tmp_path: Path) -> None:
    of = planned(tmp_path, "--keep-mixed", verdict="constrained")
    found = judged(of, 3, "other settings", verdict=None)
    tokens = first_prompts(of, 3)
    assert found.input_tokens[0] == pytest.approx(3 * tokens)
    assert found.input_tokens[1] > 6 * tokens and found.requests[1] >= 18
    same = judged(planned(tmp_path / "b", "--keep-mixed"), 3, "other settings")
    assert same.input_tokens[0] == same.input_tokens[1]


def test_games_that_are_played_again_took_all_attempts(tmp_path: Path) -> None:
    of = planned(tmp_path, "--keep-mixed", "--retry-unreadable", verdict="constrained")
    found = judged(of, QUESTIONS, "other settings", verdict=None)
    attempts = judge_settings().number_of_judgment_attempts
    games, tokens = 2 * QUESTIONS, first_prompts(of)
    assert found.requests == (games, games * (attempts + 1))
    assert found.input_tokens[0] <= tokens
    assert found.input_tokens[1] > 4 * tokens  # three times as before, and the question for the label
    assert found.output_tokens[1] == games * (40 + 256)


def test_one_record_says_little_of_the_others(tmp_path: Path) -> None:
    of = planned(tmp_path, pairwise=False)
    low, high = judged(of, 1, of.shaping_hash(of.questions[0])).output_tokens
    assert low < 5 * 40 / 2 and high > 2 * 5 * 40
