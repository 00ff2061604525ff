"""--max-cost against a server that bills all that it received: the limit holds whatever comes back."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.billing_server import Billing, bench, billing_server, quoted_at_most
from tests.support.pipeline_bench import question

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("billing", "entry"),
    [
        (Billing(("empty",)), {}),
        (Billing(("empty", "well")), {}),
        (Billing(hidden=3000), {}),
        (Billing(("500", "well")), {}),
        (Billing(("hang", "well", "well", "well")), {}),
        (Billing(("well", "hang up")), {}),
        (Billing(("silent",)), {}),
        (Billing(("429", "well")), {}),
        (Billing(("page", "well")), {}),
        (Billing(("refused", "well")), {}),
        (Billing(("cut",)), {"retry_truncated": True}),
        (Billing(("cut", "empty", "500", "well"), hidden=500), {"retry_truncated": True}),
        (Billing(("cut",), beyond=40), {}),
        (Billing(cached=3000, thought=40), {}),
    ],
    ids=lambda each: (
        f"{'-'.join(each.ways)}+{each.hidden}+{each.beyond}+{each.cached}" if isinstance(each, Billing) else None
    ),
)
@pytest.mark.parametrize("script", ["gen_answer.py", "gen_judgment.py"])
def test_the_limit_holds(tmp_path: Path, script: str, billing: Billing, entry: dict[str, Any]) -> None:
    billing = dataclasses.replace(billing)
    with billing_server(billing):
        done = bench(tmp_path, billing, script, **entry).run(script, "--max-cost", "0.2")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 1 and "stopped before exceeding it" in done.stdout, done.stdout
    assert 0.02 < billing.dollars <= 0.2
    assert billing.requests > 1


def test_those_who_wait_for_a_slot_ask_again_when_the_first_reply_was_dearer_than_thought(tmp_path: Path) -> None:
    """Ten times what a stranger is expected to take: what the first reply shows holds for all that were not sent."""
    with billing_server(Billing(("cut",), beyond=100_000, seconds=0.2)) as billing:
        done = bench(tmp_path, billing, parallel=64).run("gen_answer.py", "--max-cost", "60")
    assert done.returncode == 1 and "stopped before exceeding it" in done.stdout, done.stdout
    assert 1 <= billing.requests <= 16  # four go at once before a reply, and more where a busy machine is late with it


@pytest.mark.parametrize("more", [{"number_of_judgment_attempts": 3}, {"verdict": "constrained"}])
def test_further_attempts_ask_for_room_too(tmp_path: Path, more: dict[str, Any]) -> None:
    with billing_server(Billing(text="no verdict", words=100)) as billing:
        made = bench(tmp_path, billing, "gen_judgment.py")
        made.judging |= more
        done = made.run("gen_judgment.py", "--max-cost", "0.15")
    assert 0.05 < billing.dollars <= 0.15, done.stdout


@pytest.mark.parametrize(
    ("ways", "script"),
    [
        (("empty", "cut", "well"), "gen_answer.py"),
        (("empty", "well"), "gen_judgment.py"),
        (("cut", "empty"), "gen_judgment.py"),
        (("well",), "gen_judgment.py"),
    ],
)
def test_the_upper_end_of_a_quote_is_not_passed(tmp_path: Path, script: str, ways: tuple[str, ...]) -> None:
    with billing_server(Billing(ways, text="no verdict", words=100)) as billing:
        made = bench(tmp_path, billing, script, retry_truncated=True)
        made.judging["number_of_judgment_attempts"] = 2
        quoted = made.run(script, "--quote").stdout
        made.run(script)
    assert billing.requests > 30
    assert billing.dollars <= quoted_at_most(quoted)


def test_a_limit_far_away_changes_nothing(tmp_path: Path) -> None:
    with billing_server(Billing()) as billing:
        done = bench(tmp_path, billing).run("gen_answer.py", "--max-cost", "500")
    assert done.returncode == 0 and billing.requests == 30
    assert "30 requests" in done.stdout


def test_what_was_had_before_the_limit_is_kept(tmp_path: Path) -> None:
    with billing_server(Billing(("cut", "well"))) as billing:
        made = bench(tmp_path, billing, retry_truncated=True, parallel=1)
        made.run("gen_answer.py", "--max-cost", "0.1")
        first = len(made.answered_ids())
        assert made.run("gen_answer.py", "--max-cost", "10").returncode == 0
    assert 0 < first < 30 and len(made.answered_ids()) == 30
    assert len({str(body) for body in billing.bodies}) == billing.requests  # nothing was asked for twice


@pytest.mark.parametrize(("script", "unit"), [("gen_answer.py", "answers"), ("gen_judgment.py", "judgments")])
def test_what_is_kept_of_records_that_the_limit_broke_off_is_said(tmp_path: Path, script: str, unit: str) -> None:
    """All but the first request fail after the work, so that records cost more than was set aside for them."""
    with billing_server(Billing(("well", *["500"] * 20))) as billing:
        made = bench(tmp_path, billing, script, parallel=1, questions=4, attempts=8)
        if script == "gen_answer.py":
            made.set_questions([question(number, "Turn 1?", "Turn 2?") for number in range(1, 5)])
        done = made.run(script, "--max-cost", "0.05")
        assert done.returncode == 1 and f"0 {unit} written, 0 failed." in done.stdout, done.stdout
        assert f"1 reply of 1 unfinished {unit[:-1]} was received and is kept; the same command goes" in done.stdout
        assert re.search(r"\d records? w\w+ not asked for and \d records? w\w+ begun and not finished", done.stdout)
        billing.ways = ("well",)
        assert made.run(script, "--max-cost", "1").returncode == 0
    assert billing.replies == 8
