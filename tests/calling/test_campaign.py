"""Many questions, every fault at once, killed three times: everything arrives, once, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.loopback.faults import NAMES
from tests.support.fault_campaign import ENDS_A_RUN, IN_WORK, run_campaign
from tests.support.pipeline_bench import question, rows

pytestmark = pytest.mark.slow  # runs that are killed

SYNTHETIC = 200


@pytest.fixture
def questions(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The official questions where they are, else some of our own."""
    try:
        folder: Path = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        return [question(number) for number in range(1, SYNTHETIC + 1)]
    return rows(folder / "arena-hard-v0.1" / "question.jsonl")


@pytest.mark.timeout(300)
def test_nothing_lost_doubled_or_poisoned(tmp_path: Path, questions: list[dict[str, Any]]) -> None:
    found = run_campaign(tmp_path, questions, seed=11, kills=3)
    assert [row["question_id"] for row in found.answers] == found.ids
    assert [row["question_id"] for row in found.judgments] == found.ids
    assert found.poisoned == []
    assert all(len(row["games"]) == 2 for row in found.judgments)
    happened = {name for name, count in found.stats["faults"].items() if count}
    assert len(questions) < 500 or happened >= set(NAMES) - set(ENDS_A_RUN) and happened & set(ENDS_A_RUN)
    assert found.stats["requests"] >= 4 * len(questions)
    assert found.stats["requests"] <= 1.2 * found.necessary
    assert found.lost <= 3 * IN_WORK + 3 * 2 * IN_WORK  # no more than what was in work
    assert not any("Traceback" in output for output in found.outputs)
