"""The scripts against a server that does all at once, killed, and their files changed by others.

It has two limits, bills all that it received, fails after the work, cuts and empties replies, and says every key that
it was sent in all forms. Each run has its --max-cost.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.billing_server import PRICE, Billing
from tests.support.disturbed_runs import Disturbed, wrong_ids
from tests.support.echo_server import Echoing
from tests.support.key_forms import ENVIRONMENT, IN_BODY, KEY, OF_ENVIRONMENT, PASSWORD, leaks
from tests.support.limited_server import Limited
from tests.support.pipeline_bench import Scratch, question, rows
from tests.support.processes import wait_until
from tests.support.server_limits import Both, Places, Tokens
from tests.support.threaded_server import serving

PARALLEL = 8
WAYS = ("well", "well", "well", "empty", "cut", "500", "hang up", "silent", "429", "hang")


@dataclass
class Hostile:
    """What came of it. limit: of each run, in dollars; bills: what each was billed."""

    runs: Disturbed
    billing: Billing
    limited: Limited
    limit: float
    bills: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def broken(self) -> list[str]:
        """The promises that it did not keep."""
        passed = [f"${dollars:.4f} billed under --max-cost {self.limit:.4f}" for dollars in self._passed()]
        return [*self.runs.broken(), *self.wrong, *passed]

    def _passed(self) -> list[float]:
        return [dollars for dollars in self.bills if dollars > self.limit]

    def figures(self) -> str:
        """In a line for people."""
        refused = self.limited.requests - self.billing.requests
        return (
            f"{self.runs.runs} runs under ${self.limit:.2f} each, at most ${max(self.bills):.2f} billed, "
            f"{self.billing.requests:,} requests taken, {refused:,} refused, {self.runs.lost} replies lost by kills"
        )


def run_hostile(folder: Path, questions: int, seed: int, kills: int, changes: int, runs: int = 4) -> Hostile:
    """Answer and judge so many questions in some `runs` runs each, as far as the limit of cost is concerned."""
    rng = random.Random(seed)
    ways = tuple(rng.choices(WAYS, k=17))  # not one for each place in the line
    billing = Billing(("well", *ways), hidden=rng.choice((0, 300, 3000)), words=rng.randint(20, 100))
    limit = Both(Places(rng.randint(2, PARALLEL)), Tokens(rng.uniform(40, 80), rng.randint(1, 10)))
    limited = Limited(limit, seconds=0.05, tells=rng.choice(("nothing", "exactly")), inner=billing)
    with serving(Echoing(limited, (IN_BODY, OF_ENVIRONMENT, PASSWORD))) as root:
        scratch = Scratch(folder, f"{root}/v1")
        scratch.set_questions([question(number) for number in range(1, questions + 1)])
        scratch.put_answers("base", count=questions)
        scratch.judging["number_of_judgment_attempts"] = 1
        for entry in scratch.models.values():
            entry["endpoints"][0]["api_key"] = KEY
            entry |= {"price": PRICE, "max_tokens": 100, "timeout": 0.5, "attempts": 3, "parallel": PARALLEL}
            entry |= {"extra_body": {"metadata": {"token": IN_BODY}}}
        most = 0.012 + billing.price[0] * billing.hidden  # dollars for each request
        runs_ = Disturbed(scratch, seed, kills, changes, lambda: billing.replies, environment=ENVIRONMENT)
        found = Hostile(runs_, billing, limited, 3 * questions * most / runs)
        runs_.arguments = ("--max-cost", f"{found.limit}")
        runs_.after_each = lambda: found.bills.append(_quiet(billing).dollars - sum(found.bills))
        for script, file, each in (
            ("gen_answer.py", scratch.answer_file(), 1),
            ("gen_judgment.py", scratch.judgment_file(), 2),
        ):
            runs_.until_done(script, file, questions, each)
            ids = [row["question_id"] for row in rows(scratch.bench / "question.jsonl")]
            found.wrong += wrong_ids(file.parent.name, [row["question_id"] for row in rows(file)], ids)
    found.wrong += [f"a key in {where}" for where, _ in leaks(folder, "".join(runs_.outputs))]
    return found


def _quiet(billing: Billing) -> Billing:
    """The server, once it has read all that a killed run has sent."""
    seen = -1

    def is_quiet() -> bool:
        nonlocal seen
        before, seen = seen, billing.requests
        time.sleep(0.05)
        return before == seen

    wait_until(is_quiet)
    return billing
