"""`truncate: answers`: both answers lose the same share, in both games, and only where the judge has no room."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.models import Model, Models
from arena_hard.calling.providers.base import CallError, TooLong
from arena_hard.data.known_records import judged_row
from arena_hard.data.records import Game, Judgment
from arena_hard.data.settings import EndpointSettings
from arena_hard.judging.plan import JudgmentJob, output_of
from arena_hard.judging.prompts import opening_messages, user_prompt
from arena_hard.judging.shortening import LEAST_SHARE, games_in_room
from arena_hard.judging.shown import Texts, abridged, shown_texts
from arena_hard.judging.stage import Candidate, Known, Stage
from arena_hard.judging.unchanged import has_changed
from tests.support.pipeline_bench import answer, write_rows
from tests.support.plans import bench, candidate_of, stage

LONG = "a word or two " * 700  # 9,800 characters
TAMIL = "தமிழ் மொழி உலகின் மிகப் பழமையான மொழிகளில் ஒன்றாகும். "
GREEK = "Η ελληνική γλώσσα είναι μία από τις αρχαιότερες του κόσμου. "


@pytest.fixture
def planned(tmp_path: Path) -> Stage:
    """A bench with long answers to the first question, and a config that shortens them."""
    return long_stage(tmp_path, truncate="answers")


def long_stage(folder: Path, text: str = LONG, **more: Any) -> Stage:
    made = bench(folder)
    for name in ("m", "base"):
        write_rows(made.answer_file(name), [answer(1, name, f"{name}: {text}"), answer(2, name), answer(3, name)])
    entry = {"endpoints": [EndpointSettings("http://127.0.0.1:9/v1", "k")]} | more.pop("entry", {})
    return stage(made, judge=entry, **more)


class Judge:
    """A judge that takes so many tokens beside max_tokens, and says so or not.

    tells: None for the limit alone. characters: of a token.
    """

    def __init__(self, planned: Stage, takes: int, tells: bool | None = True, characters: int = 4) -> None:
        self.planned, self.takes, self.tells, self.characters = planned, takes, tells, characters
        self.candidate: Candidate = candidate_of(planned)
        self.job = JudgmentJob(output=output_of(planned, self.candidate), question=planned.questions[0], label="x",
                               candidate=self.candidate)  # fmt: skip
        self.refused = 0
        self.shown: list[Texts] = []
        self.model: Model | None = None  # that learns from what is taken

    async def play(self, order: Texts) -> Game:
        messages = opening_messages(self.planned.settings, self.job.question, order, [])
        tokens = sum(len(message["content"]) for message in messages) // self.characters
        if self.model:
            self.model.sizes.note(messages, min(tokens, self.takes))
        if tokens > self.takes:
            self.refused += 1
            error = CallError("final", "too long")
            limit = self.takes + self.planned.settings.max_tokens
            error.too_long = TooLong(limit, tokens if self.tells else None) if self.tells is not False else TooLong()
            raise error
        self.shown.append(order)
        return Game("A>B", "j", user_prompt(messages))

    def games(self, engine: str | None = None) -> list[Game]:
        """engine: of a server whose counts of tokens are learnt."""

        async def run() -> list[Game]:
            models = Models()
            texts = shown_texts(self.planned, self.candidate, self.job.question)
            model = models.open(self.planned.judge)
            if engine is not None:
                self.model, model.endpoints[0].engine = model, engine
            try:
                return await games_in_room(model, self.planned, self.job, texts, self.play)
            finally:
                await models.close()

        return asyncio.run(run())


def test_of_each_text_the_same_share_is_kept_at_both_ends() -> None:
    short, text = "x" * 400, "".join(chr(0x4E00 + n) for n in range(1000))
    ((whole,), (cut,)) = abridged([[short], [text]], 0.501)
    assert whole == short
    assert cut == f"{text[:251]}\n\n[… 499 characters left out …]\n\n{text[-250:]}"
    assert abridged([[text]], 1.0) == [[text]]


def test_with_room_nothing_is_shortened(planned: Stage) -> None:
    judge = Judge(planned, takes=6000)
    games = judge.games()
    assert [game.truncated for game in games] == [None, None]
    assert (judge.refused, judge.job.output.tally.shortened) == (0, 0)


@pytest.mark.parametrize(("takes", "tells", "refusals"), [(3000, True, 1), (500, True, 2), (3000, False, 2)])
def test_a_refusal_shortens_both_answers_alike_in_both_games(
    planned: Stage, takes: int, tells: bool, refusals: int
) -> None:
    judge = Judge(planned, takes, tells)
    first, second = judge.games()
    assert first.truncated == second.truncated and first.truncated
    assert judge.shown[1] == judge.shown[0][::-1]
    (one,), (two,) = judge.shown[0]
    assert abs(len(one) - len(two)) < 10  # the answers differ by their names alone
    assert 1 <= judge.refused <= refusals
    assert len(first.user_prompt) // 4 > (0.85 if tells else 0.6) * takes - 100  # no more is left out than is needed
    told = [
        int(number.replace(",", "")) for number in re.findall(r"\[… ([\d,]+) characters left out", first.user_prompt)
    ]
    assert first.truncated["left_out"] == sum(told) > 0
    assert judge.job.output.tally.remarks("judgments") == [
        "1 judgment was made of shortened answers (truncate: answers)."
    ]


def test_a_shortened_judgment_is_known_again(planned: Stage) -> None:
    judge = Judge(planned, 3000)
    question, hash_ = judge.job.question, planned.shaping_hash(judge.job.question)
    made = Judgment(question.question_id, "m", "judge", tuple(judge.games()), "base", settings_hash=hash_)
    key, judged, (prompt,) = judged_row(made)
    judge.candidate.known = Known({key: judged}, lambda: {key: prompt}, b"")
    assert not has_changed(planned, judge.candidate, question)
    file = planned.bench.answer_file("m")
    write_rows(file, [answer(1, "m", f"m: Another {LONG}"), answer(2, "m"), answer(3, "m")])
    planned.shown.by_file.clear()  # as the next run finds them
    other = candidate_of(planned)
    other.known = judge.candidate.known
    assert has_changed(planned, other, question)


def test_without_the_key_a_refusal_stays_one(tmp_path: Path) -> None:
    judge = Judge(long_stage(tmp_path), 3000)
    with pytest.raises(CallError):
        judge.games()
    assert judge.refused == 1


def test_where_the_answers_are_not_what_is_too_long_the_refusal_stays(planned: Stage) -> None:
    judge = Judge(planned, 10)
    with pytest.raises(CallError):
        judge.games()


def test_a_stated_length_is_kept_before_anything_is_sent(tmp_path: Path) -> None:
    entry = {"context_length": 1500}
    judge = Judge(long_stage(tmp_path, truncate="answers", entry=entry), takes=100_000)
    assert all(game.truncated and game.truncated["kept"] < 0.5 for game in judge.games())
    assert judge.refused == 0


@pytest.mark.parametrize("text", [pytest.param(TAMIL, id="tamil"), pytest.param(GREEK, id="greek")])
def test_our_count_of_another_script_is_not_taken_for_the_servers(tmp_path: Path, text: str) -> None:
    """It is a multiple of theirs: a refusal without a count is followed in small steps."""
    judge = Judge(long_stage(tmp_path, text * 90, truncate="answers"), takes=90 * len(text) * 4 // 5, tells=None,
                  characters=2)  # fmt: skip
    games = judge.games()
    assert all(game.truncated and 0.6 < game.truncated["kept"] < 0.85 for game in games)


@pytest.mark.parametrize("engine", ["", "library"])
def test_what_takes_half_of_a_stated_length_is_not_cut(tmp_path: Path, engine: str) -> None:
    """Our count is beyond the length. One that cuts without a word, as Ollama does, is asked with less at first."""
    tokens = 2 * 90 * len(TAMIL) // 4
    config = long_stage(tmp_path, TAMIL * 90, truncate="answers", entry={"context_length": 5 * tokens // 2})
    judge = Judge(config, takes=100_000, characters=4)
    assert [game.truncated for game in judge.games(engine)] == [None, None]
    assert len(judge.shown) == (4 if engine else 2)


def test_for_a_question_that_may_never_be_asked_no_answer_is_given_up(tmp_path: Path) -> None:
    """Beside the question for the label, 4,900 tokens of prompt have no room in 500; beside 64 of a text they have."""
    tight = {"truncate": "answers", "verdict": "constrained", "max_tokens": 64}
    refused = Judge(long_stage(tmp_path, **tight), takes=436)
    assert all(game.truncated and game.truncated["kept"] >= LEAST_SHARE for game in refused.games())
    (tmp_path / "b").mkdir()
    counted = Judge(long_stage(tmp_path / "b", entry={"context_length": 560}, **tight), takes=560 - 64)
    assert all(game.truncated and game.truncated["kept"] > LEAST_SHARE for game in counted.games())
    assert counted.refused == 0


def test_with_room_the_question_is_counted(tmp_path: Path) -> None:
    made = long_stage(tmp_path, truncate="answers", verdict="constrained", max_tokens=64)
    judge = Judge(made, takes=3000 - 64)
    (game, _) = judge.games()
    assert len(game.user_prompt) // 4 < 3000 - 2 * 64 - 150


def test_the_key_is_in_the_hash_and_without_it_the_hash_is_the_old_one(tmp_path: Path) -> None:
    plain, cut = (long_stage(tmp_path / name, **more) for name, more in (("a", {}), ("b", {"truncate": "answers"}))
                  if not (tmp_path / name).mkdir())  # fmt: skip
    question = plain.questions[0]
    assert "truncate" not in plain.shaping(question)
    assert cut.shaping(question) == plain.shaping(question) | {"truncate": "answers"}
