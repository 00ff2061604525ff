"""Short campaigns: faults, kills, changed files, foreign servers, echoed keys, bills and limits, many of them at once.

Nothing is lost, doubled or poisoned, no limit is passed and no key gets out. The seed is in the test's name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loopback.faults import NAMES
from tests.support.campaigns import KINDS, Size
from tests.support.fault_campaign import ENDS_A_RUN, run_campaign
from tests.support.pipeline_bench import question, rows

pytestmark = pytest.mark.slow  # runs that are killed

SHORT = Size(questions=60, kills=1, changes=2, tries=2)


@pytest.mark.timeout(300)
def test_nothing_lost_doubled_or_poisoned_of_official_questions(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Those where they are, else some of our own."""
    try:
        folder: Path = request.getfixturevalue("shared_data")
        questions = rows(folder / "arena-hard-v0.1" / "question.jsonl")[::8][: SHORT.questions]
    except pytest.skip.Exception:
        questions = [question(number) for number in range(1, SHORT.questions + 1)]
    found = run_campaign(tmp_path, questions, seed=2, kills=SHORT.kills, changes=SHORT.changes)
    assert found.broken() == [], found.figures()
    happened = {name for name, count in found.stats["faults"].items() if count}
    assert len(happened & set(NAMES)) >= len(NAMES) - len(ENDS_A_RUN) - 2, happened


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "seed"), [("hostile", 8), ("billing", 1), ("limits", 1)])
def test_promises_are_kept(tmp_path: Path, kind: str, seed: int) -> None:
    found = KINDS[kind](tmp_path, seed, SHORT)
    assert found.broken == [], found.figures
