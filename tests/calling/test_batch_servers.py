"""Batches of the scripts against servers: third parties' for OpenAI and Anthropic, one of them behind Azure's paths.

Each is killed between any two steps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.azure_front import KEY, VERSION, AzureFront, azure_before
from tests.support.killed_batches import BatchRuns, batch_runs
from tests.support.pipeline_bench import (
    Scratch,
    answer,
    question,
    question_id,
    rows,
    write_rows,
)
from tests.support.third_party import call, fetch, mock_ai_api

pytestmark = pytest.mark.slow  # third parties' servers, and kills at every step

MESSAGES = "/v1/messages/batches"


@dataclass
class Place:
    """A server of batches: how a model behind it is configured, and where its batches are listed."""

    api_type: str
    model: str
    endpoint: dict[str, str]
    listing: tuple[str, str]

    def batches(self) -> list[Any]:
        root, path = self.listing
        return call(root, f"{path}?limit=1000")["data"]


@pytest.fixture(scope="module")
def front(llmock_root: str) -> Iterator[AzureFront]:
    with azure_before(llmock_root) as made:
        yield made


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    with mock_ai_api() as root, time_passing(root):
        yield root


@contextmanager
def time_passing(root: str) -> Iterator[None]:
    """End the batches of mock-ai-api, which end only when somebody fetches their results: each at its second sight."""
    seen: set[str] = set()
    stopped = threading.Event()

    def look() -> None:
        for batch in call(root, MESSAGES)["data"]:
            if batch["id"] in seen and batch["processing_status"] != "ended":
                fetch(root, f"{MESSAGES}/{batch['id']}/results")
            seen.add(batch["id"])

    def pass_time() -> None:
        while not stopped.wait(0.1):
            look()

    thread = threading.Thread(target=pass_time)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The place that a test is parametrized with."""
    return place_of(request.param, request)


def place_of(name: str, request: pytest.FixtureRequest) -> Place:
    if name == "mock-ai-api":
        mock = request.getfixturevalue("mock")
        return Place("anthropic", "claude-sonnet-4-20250514", {"api_base": mock, "api_key": "k"}, (mock, MESSAGES))
    server = request.getfixturevalue("llmock_root")
    if name == "azure":
        front = request.getfixturevalue("front")
        endpoint = {"api_base": front.root, "api_key": KEY, "api_version": VERSION}
        return Place("azure", "my-deployment", endpoint, (server, "/v1/batches"))
    if name == "anthropic":
        endpoint = {"api_base": f"{server}/anthropic", "api_key": "k"}
        return Place("anthropic", "claude-sonnet-4-6", endpoint, (f"{server}/anthropic", MESSAGES))
    return Place("openai", "gpt-4o", {"api_base": f"{server}/v1", "api_key": "k"}, (server, "/v1/batches"))


def bench(folder: Path, place: Place, turns: int = 1, max_tokens: int = 500, **entry: Any) -> Scratch:
    """Four questions, the last one of so many turns, with the model `m` and the judge at the place."""
    folder.mkdir(exist_ok=True)
    made = Scratch(folder, "")
    made.set_questions([*map(question, range(3)), question(3, "Question 3?", *["And then?"] * (turns - 1))])
    asked = {"model_name": place.model, "api_type": place.api_type, "endpoints": [place.endpoint]}
    made.models = dict.fromkeys(("m", "judge"), asked | {"price": {"input": 2.0, "output": 10.0}} | entry)
    made.answers["max_tokens"] = max_tokens
    return made


@pytest.fixture(scope="module")
def runs() -> Iterator[BatchRuns]:
    with batch_runs() as made:
        yield made


@pytest.mark.parametrize("place", ["openai", "anthropic"], indirect=True)
def test_answers_come_by_batch_turn_by_turn(tmp_path: Path, runs: BatchRuns, place: Place) -> None:
    asking, before = bench(tmp_path, place, turns=2), len(place.batches())
    assert runs.run(asking).returncode == 0
    written = rows(asking.answer_file())
    assert [len(row["choices"][0]["turns"]) for row in written] == [1, 1, 1, 2]
    assert all(row["usage"]["completion_tokens"] for row in written)
    assert len(place.batches()) - before == 2  # the second turn is a batch of one
    assert not (asking.bench / "batch" / "answers by m").exists()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("place", "turns", "each"),  # the last two differ from the first in little
    [("openai", 2, 2), ("anthropic", 1, 1), ("azure", 1, 3), ("mock-ai-api", 1, 3)],
    indirect=["place"],
)
def test_a_kill_at_any_step_loses_nothing_and_pays_nothing_twice(
    tmp_path: Path, runs: BatchRuns, place: Place, turns: int, each: int
) -> None:
    killed = 0
    for step in range(1, 40, each):
        asking = bench(tmp_path / str(step), place, turns)
        before = len(place.batches())
        code = runs.run(asking, kill_at=step).returncode
        killed += code == -9
        if code == -9:
            assert runs.run(asking).returncode == 0
        written = rows(asking.answer_file())
        assert [row["question_id"] for row in written] == [question_id(n) for n in range(4)], step
        assert all(row["usage"]["batched"] and row["choices"][0]["turns"][0]["content"] for row in written), step
        assert len(place.batches()) - before == turns, step
        if code == 0:
            break
    assert killed >= 7 * turns // each  # four steps on disk, and one on it and two on the wire for each batch


@pytest.mark.parametrize("place", ["azure"], indirect=True)
def test_azure_takes_a_batch_once_its_file_is_taken_in(
    tmp_path: Path, runs: BatchRuns, place: Place, front: AzureFront
) -> None:
    front.pending, front.refused = 0, []
    asking = bench(tmp_path, place)
    done = runs.run(asking)
    assert done.returncode == 0 and len(rows(asking.answer_file())) == 4
    assert front.pending >= 2 and "not taken in yet (pending)" in done.stderr
    assert front.refused == []


@pytest.mark.parametrize("place", ["azure"], indirect=True)
def test_a_full_queue_makes_smaller_batches(tmp_path: Path, runs: BatchRuns, place: Place, front: AzureFront) -> None:
    front.queue, front.refused, before = 2, [], len(place.batches())
    front.failed.clear()
    asking = bench(tmp_path, place)
    try:
        done = runs.run(asking)
    finally:
        front.queue = None
    assert done.returncode == 0 and len(rows(asking.answer_file())) == 4
    assert len(front.failed) == 1 and len(place.batches()) - before == 2
    assert "the next batch holds at most 2 requests" in done.stderr


@pytest.mark.parametrize("place", ["anthropic"], indirect=True)
def test_what_was_cut_gets_more_room_in_the_next_batch(tmp_path: Path, runs: BatchRuns, place: Place) -> None:
    asking, before = bench(tmp_path, place, max_tokens=11, retry_truncated=True), len(place.batches())
    done = runs.run(asking)
    made = place.batches()
    counts = sorted(batch["request_counts"]["succeeded"] for batch in made[: len(made) - before])
    assert counts == [3, 4]  # llmock's replies have 10, 11, 12 and 14 tokens
    written = rows(asking.answer_file())
    assert [row["usage"]["completion_tokens"] for row in written] == [10, 22, 24, 28]
    assert all("finish_reason" not in row or row["finish_reason"] != "length" for row in written)
    assert "84 output tokens" in done.stdout


@pytest.mark.parametrize("place", ["openai"], indirect=True)
def test_both_games_share_a_batch_and_second_attempts_are_the_next(
    tmp_path: Path, runs: BatchRuns, place: Place
) -> None:
    asking = bench(tmp_path, place)
    for name in ("m", "base"):
        write_rows(asking.answer_file(name), [answer(number, name) for number in range(3)])
    asking.judge_as_shipped()
    asking.judging["number_of_judgment_attempts"] = 2
    before = len(place.batches())
    done = runs.run(asking, script="gen_judgment.py")
    assert done.returncode == 1  # the fourth question has no answer
    made = place.batches()
    counts = sorted(batch["request_counts"]["total"] for batch in made[: len(made) - before])
    assert counts == [6, 6]  # llmock's judge never names a verdict, so each game is asked once more
    written = rows(asking.judgment_file())
    assert [[game["score"] for game in row["games"]] for row in written] == [[None, None]] * 3
