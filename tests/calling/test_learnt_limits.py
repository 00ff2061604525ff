"""What a line makes of servers that tell nothing of their limits, in imagined time: near the least that these allow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.campaigns import MOST_REFUSED, NEAR, ideal_seconds
from tests.support.imagined_servers import Server, seconds_for
from tests.support.server_limits import Both, Limit, Places, Tokens, Whatever, Windows


def first_quick(*values: Any) -> list[Any]:
    """The values of a parameter, all but the first with the mark of what is slow."""
    return [values[0], *(pytest.param(value, marks=pytest.mark.slow) for value in values[1:])]


PARALLELS = first_quick(40, 8, 64, 200, "auto")


def whole(wait: float) -> float:
    """Retry-After in seconds."""
    return float(max(1, math.ceil(wait)))


@pytest.mark.parametrize("parallel", PARALLELS)
@pytest.mark.parametrize(("places", "seconds"), [(8, 0.5), (40, 0.5), (40, 2.0), (40, 20.0)])
@pytest.mark.parametrize("status", first_quick(429, 503))
def test_so_many_places(places: int, seconds: float, status: int, parallel: Any) -> None:
    server = Server(Places(places), seconds, status=status)
    most = min(places, 512 if parallel == "auto" else parallel)
    assert seconds_for(400, server, parallel=parallel) <= 1.5 * 400 / most * seconds
    first = 128 if parallel == "auto" else parallel  # at once, before anything is known
    assert server.refused <= max(0, first - most) + 50


@pytest.mark.parametrize("parallel", PARALLELS)
@pytest.mark.parametrize("told", first_quick(None, whole, float))
@pytest.mark.parametrize(("rate", "burst"), [(1, 1), (2, 60), (5, 1), (10, 10)])
@pytest.mark.parametrize("seconds", first_quick(0.5, 0.05))
def test_so_many_a_second(rate: float, burst: float, told: Callable[[float], float] | None, seconds: float,
                          parallel: Any) -> None:  # fmt: skip
    server = Server(Tokens(rate, burst), seconds, tells=told)
    number = 400 if rate > 2 else 200
    assert seconds_for(number, server, parallel=parallel) <= 1.5 * (number - burst) / rate + 1.0
    assert server.refused <= 2 * (200 if parallel == "auto" else parallel) + 200


@pytest.mark.parametrize("parallel", PARALLELS)
@pytest.mark.parametrize("seconds", first_quick(0.5, 0.05, 2.0))
def test_a_fast_bucket_that_tells_whole_seconds(seconds: float, parallel: Any) -> None:
    """Each refusal costs a second, in which it takes forty."""
    server, most = Server(Tokens(40, 10), seconds, tells=whole), 512 if parallel == "auto" else parallel
    least = max((400 - 10) / 40 + seconds, 400 / most * seconds)
    first_look = seconds if parallel == "auto" else 0.0
    assert seconds_for(400, server, parallel=parallel) <= 1.5 * least + 2.0 + first_look


@pytest.mark.parametrize("parallel", PARALLELS)
@pytest.mark.parametrize("told", first_quick(None, whole))
@pytest.mark.parametrize(("number", "window"), [(20, 2.0), (60, 60.0), (300, 60.0)])
def test_so_many_in_each_window(number: int, window: float, told: Callable[[float], float] | None,
                                parallel: Any) -> None:  # fmt: skip
    server = Server(Windows(number, window), 0.5, tells=told)
    assert seconds_for(5 * number, server, parallel=parallel) <= 1.5 * max(4 * window, 5 * number / 8 * 0.5)


@pytest.mark.parametrize("rate", [15, 20])
def test_auto_goes_on_growing_when_it_was_the_pace_that_was_refused(rate: float) -> None:
    """More than `auto` begins with are needed in flight for such a rate."""
    server = Server(Both(Places(200), Tokens(rate, 1)), 2.0)
    assert seconds_for(1500, server, parallel="auto") <= 1.5 * 1500 / rate


@pytest.mark.parametrize(
    ("limit", "seconds", "tells", "parallel"),
    [
        (Places(2), 0.05, whole, 40),  # a burst that leaves few, and a second for each refusal
        (Places(40), 0.05, whole, 64),  # one more that is tried costs more than all replies
        (Places(100), 5.0, None, "auto"),
        (Tokens(3.76, 1), 0.5, float, 200),  # two at once are taken, only not right behind each other
        (Tokens(18.96, 1), 0.05, whole, 200),  # what is taken after whole seconds is far below the pace
        (Both(Places(23), Tokens(16.08, 1)), 2.0, whole, "auto"),
        (Windows(230, 10.0), 5.0, float, "auto"),  # more is wanted at once than the first replies let it find
        (Windows(43, 10.0), 5.0, None, 200),  # a pace that holds nothing back says nothing
    ],
)
def test_servers_that_are_hard_to_learn_take_little_longer_than_they_must(
    limit: Limit, seconds: float, tells: Callable[[float], float] | None, parallel: Any
) -> None:
    server = Server(limit, seconds, tells=tells)
    least = ideal_seconds(server, 400, 512 if parallel == "auto" else parallel)
    assert seconds_for(400, server, parallel=parallel) <= NEAR * least


@pytest.mark.parametrize("parallel", [4, 64])
@pytest.mark.parametrize("every", [2, 3, 10])
def test_a_server_that_refuses_whatever_the_pace(every: int, parallel: int) -> None:
    server = Server(Whatever(every, 0.02), 0.005, tells=float)
    assert seconds_for(400, server, parallel=parallel) <= 400 * (0.02 + 2 * 0.01)


@pytest.mark.parametrize("limit", [Places(8), Tokens(100, 1)])
def test_a_limit_that_goes_away_is_forgotten(limit: Limit) -> None:
    server = Server(limit, 0.5)
    seconds_for(100, server, parallel=64)
    lifted = Server(_Lifted(limit, 100), 0.5)
    assert seconds_for(2000, lifted, parallel=64) <= 1.5 * (100 / 16 + 1900 / 64 * 0.5) + 10.0


class _Lifted:
    """A limit for the first so many requests that are taken."""

    def __init__(self, limit: Limit, until: int) -> None:
        self.limit, self.left = limit, until

    def refuses(self, in_work: int, number: int) -> float | None:
        wait = self.limit.refuses(in_work, number) if self.left > 0 else None
        self.left -= wait is None
        return wait


def test_two_endpoints_share_a_line() -> None:
    refusing, good = Server(Whatever(1), 0.1), Server(Places(1000), 0.1)
    assert seconds_for(400, refusing, good, parallel=8) <= 1.5 * 400 / 8 * 0.1
    assert good.taken == 400 and refusing.requests <= 20
    later = Server(Whatever(1, 30.0), 0.1, tells=float)
    good = Server(Places(1000), 0.1)
    assert seconds_for(400, later, good, parallel=8) <= 1.5 * 400 / 8 * 0.1
    assert later.requests <= 4


def test_two_limited_endpoints_are_used_together() -> None:
    few, many = Server(Places(10), 1.0), Server(Places(30), 1.0)
    assert seconds_for(400, few, many, parallel=64) <= 1.5 * 400 / 40


def test_after_one_endpoint_is_given_up_the_other_goes_on() -> None:
    refusing, good = Server(Whatever(1), 0.1), Server(Tokens(2, 1), 0.1)
    seconds_for(200, refusing, good, parallel=8, give_up_after=20.0)
    assert good.taken == 200
    assert refusing.requests <= 20


@pytest.mark.parametrize(
    ("limit", "seconds", "tells", "parallel"),
    [
        (Tokens(0.516, 1), 5.0, None, 64),  # one token at a time, by replies that are long under way
        (Both(Places(1), Tokens(1.21, 10)), 0.05, float, 200),  # a pace that was of no use, then places
        (Tokens(29.1, 10), 5.0, float, "auto"),
        (Both(Places(26), Tokens(2.46, 1)), 2.0, float, 200),
        (Both(Places(40), Windows(18, 1.0)), 5.0, None, 200),
    ],
)
def test_however_many_wait_few_are_refused_for_each_that_is_taken(
    limit: Limit, seconds: float, tells: Callable[[float], float] | None, parallel: Any
) -> None:
    server = Server(limit, seconds, tells=tells)
    seconds_for(400, server, parallel=parallel)
    assert server.taken == 400
    assert server.refused <= MOST_REFUSED * 400
