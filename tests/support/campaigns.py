"""Campaigns: all kinds of trouble, many at once, drawn from a seed. What single tests miss is found where they meet.

tests/calling/test_campaign.py runs short ones, benchmarks/campaign.py longer ones.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import own_server
from tests.support.billing_server import Billing, bench, billing_server, quoted_at_most
from tests.support.fault_campaign import run_campaign
from tests.support.foreign_server import IN_FLIGHT, WHEN, run_with_foreign
from tests.support.hostile_campaign import run_hostile
from tests.support.imagined_servers import Server, seconds_for
from tests.support.pipeline_bench import question
from tests.support.processes import free_port
from tests.support.server_limits import Both, Limit, Places, Tokens, Windows

NEAR, MOSTLY = 1.5, 0.9  # times the ideal, and the share of servers with which a run is done within it
NEARLY_ALL = 0.95  # the share within so many times the ideal and what learning costs
FARTHEST = 2.0  # with any server; a bucket that holds few tokens is met latest
MOST_REFUSED = 1.75  # for each request that is taken, however many wait


@dataclass(frozen=True)
class Size:
    """How much of everything. tries: how many cases of a kind that has small ones."""

    questions: int
    kills: int
    changes: int
    tries: int


@dataclass
class Found:
    """What a campaign came to, in a line for people, and the promises that were broken."""

    figures: str
    broken: list[str] = field(default_factory=list)


def faults(folder: Path, seed: int, size: Size) -> Found:
    """Every fault of the loopback server; the runs are killed, and others change their files."""
    questions = [question(number) for number in range(1, size.questions + 1)]
    found = run_campaign(folder, questions, seed, size.kills, size.changes)
    return Found(found.figures(), found.broken())


def hostile(folder: Path, seed: int, size: Size) -> Found:
    """Echoed keys, bills, a limit of cost, two limits of the server, kills and changed files."""
    found = run_hostile(folder, max(12, size.questions // 6), seed, size.kills, size.changes)
    return Found(found.figures(), found.broken())


def foreign(folder: Path, seed: int, size: Size) -> Found:
    """Another server takes the address of the one that `serve:` starts."""
    rng = random.Random(seed)
    asked, broken = 0, list[str]()
    for when in WHEN:
        made = folder / when
        made.mkdir()
        replies = rng.randint(1, 10)
        found = run_with_foreign(made, when, free_port(), replies=replies)
        asked += found.asked
        wrong = len(found.texts) - found.texts.count(own_server.SAYS)
        broken += [f"{wrong} answers of another server, {when}"] if wrong else []
        broken += [f"no word of another server, {when}"] if "another" not in found.printed else []
        own, had = replies if when == WHEN[2] else 0, found.texts.count(own_server.SAYS)
        broken += [f"{own - had} answers lost, {when}"] if not own - IN_FLIGHT <= had <= own else []
    return Found(f"{len(WHEN)} runs, of {asked} answers by another server none was taken", broken)


def billing(folder: Path, seed: int, size: Size) -> Found:
    """A limit of cost, and a quote's upper end, against servers that bill all."""
    rng = random.Random(seed)
    worst, broken = 0.0, list[str]()
    for number in range(size.tries):
        script = rng.choice(("gen_answer.py", "gen_judgment.py"))
        server, limit, entry = _some_billing(rng), round(rng.uniform(0.1, 0.5), 3), _some_entry(rng)
        made = folder / str(number)
        made.mkdir()
        with billing_server(server):
            bench(made, server, script, **entry).run(script, "--max-cost", f"{limit}")
        worst = max(worst, server.dollars / limit)
        case = f"{script} {'-'.join(server.ways)} +{server.hidden}, {entry}"
        broken += [f"${server.dollars:.4f} billed under {limit}: {case}"] if server.dollars > limit else []
        broken += ["nothing was asked: " + case] if not server.requests else []
        broken += _quote_passed(folder / f"{number} quoted", rng, script, entry)
    return Found(f"{size.tries} servers, at most {worst:.3f} of the limit billed", broken)


def _some_billing(rng: random.Random) -> Billing:
    ways = rng.choices(("well", "empty", "cut", "500", "hang up", "silent", "429", "hang"), k=rng.randint(1, 6))
    hidden = rng.choice((0, 0, 40, 700, 3000))
    return Billing(("well", *ways) if hidden else tuple(ways), hidden=hidden, words=rng.randint(10, 100))


def _some_entry(rng: random.Random) -> dict[str, Any]:
    return {
        "give_up_after": 2,
        "parallel": rng.randint(1, 8),
        "attempts": rng.randint(1, 4),
        "retry_truncated": rng.random() < 0.5,
    }


def _quote_passed(folder: Path, rng: random.Random, script: str, entry: dict[str, Any]) -> list[str]:
    """Whether more was billed than the upper end of a quote, for what a quote speaks of."""
    folder.mkdir()
    ways = tuple(rng.choices(("well", "empty", "cut", "429"), k=rng.randint(1, 4)))
    with billing_server(Billing(ways, text="no verdict", words=100)) as server:
        made = bench(folder, server, script, questions=10, **entry)
        made.judging["number_of_judgment_attempts"] = rng.randint(1, 3)
        most = quoted_at_most(made.run(script, "--quote").stdout)
        made.run(script)
    return [f"${server.dollars:.4f} billed, at most {most} quoted: {ways}"] if server.dollars > most else []


def limits(folder: Path, seed: int, size: Size) -> Found:
    """Servers with places, a rate or both, in imagined time: how long all takes, over the least that these allow."""
    rng = random.Random(seed)
    number, tries = 400, 10 * size.tries
    ratios, learnt, broken = list[float](), list[float](), list[str]()
    for _ in range(tries):
        server, parallel = _some_server(rng), rng.choice((8, 40, 64, 200, "auto"))
        least = ideal_seconds(server, number, 512 if parallel == "auto" else parallel)
        seconds = seconds_for(number, server, parallel=parallel)
        ratios.append(seconds / least)
        learnt.append(seconds / (least + learning_seconds(server)))
        case = f"{server.limit}, {server.seconds:g} s, parallel {parallel}"
        broken += [f"{ratios[-1]:.2f} times the ideal: {case}"] if ratios[-1] > FARTHEST else []
        broken += [f"{server.refused} refused: {case}"] if server.refused > MOST_REFUSED * number else []
        broken += [f"{server.taken} of {number} taken: {case}"] if server.taken != number else []
    near, nearly = (sum(ratio <= NEAR for ratio in each) / tries for each in (ratios, learnt))
    broken += [f"only {near:.0%} within {NEAR} of the ideal"] if near < MOSTLY else []
    broken += [f"only {nearly:.0%} within {NEAR} of it and of what learning costs"] if nearly < NEARLY_ALL else []
    median = statistics.median(ratios)
    figures = (
        f"{tries} servers in {median:.2f} of the ideal (median), {near:.0%} within {NEAR}, at most {max(ratios):.2f}"
    )
    return Found(figures, broken)


def _some_server(rng: random.Random) -> Server:
    places, seconds = Places(rng.randint(4, 40)), rng.choice((0.05, 0.5, 2.0))
    pace = rng.uniform(1.0, 20.0)
    rate = rng.choice((Tokens(pace, rng.choice((1, 10, 60))), Windows(math.ceil(10 * pace), 10.0)))
    limit: Limit = rng.choice((places, rate, Both(places, rate)))
    return Server(limit, seconds, tells=rng.choice((None, float, lambda wait: float(max(1, math.ceil(wait))))))


def ideal_seconds(server: Server, number: int, parallel: int) -> float:
    """The least that a server's limits allow to who knows them, and the second that a refusal may ask for."""
    least = math.ceil(number / parallel) * server.seconds
    for limit in _limits_of(server):
        if isinstance(limit, Places):
            least = max(least, math.ceil(number / min(limit.places, parallel)) * server.seconds)
        elif isinstance(limit, Tokens):
            least = max(least, (number - limit.burst) / limit.rate + server.seconds)
        elif isinstance(limit, Windows):
            least = max(least, (math.ceil(number / limit.number) - 1) * limit.seconds + server.seconds)
    return least + 1.0


def learning_seconds(server: Server) -> float:
    """What who does not know a server's limits cannot but lose beside that, where nothing is sent before it may be.

    That there are places, or a window, is known from one refusal, which `ideal_seconds` counts. Of a bucket the first
    one tells that it is empty, and only another that one asks faster than it fills.
    """
    waits = [1.0 / limit.rate for limit in _limits_of(server) if isinstance(limit, Tokens)]
    return sum(server.tells(wait) for wait in waits) if server.tells else 0.0


def _limits_of(server: Server) -> list[Limit]:
    return [server.limit.places, server.limit.rate] if isinstance(server.limit, Both) else [server.limit]


Kind = Callable[[Path, int, Size], Found]
KINDS: dict[str, Kind] = {each.__name__: each for each in (faults, hostile, foreign, billing, limits)}
