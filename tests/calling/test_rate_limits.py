"""The paces that a gate keeps: what a server announces, and what its refusals teach."""

from __future__ import annotations

import heapq
import random

import pytest

from arena_hard.calling.providers.quotas import Quota
from arena_hard.calling.rate_limits import AnnouncedQuota, LearntPace


class Bucket:
    """A server's token bucket in imagined time."""

    def __init__(self, limit: float, rate: float) -> None:
        self.limit, self.rate, self.level, self.at = limit, rate, limit, 0.0

    def take(self, now: float) -> tuple[bool, Quota]:
        self.level, self.at = min(self.limit, self.level + self.rate * (now - self.at)), now
        taken = self.level >= 1.0
        self.level -= taken
        return taken, Quota(self.limit, float(int(self.level)), round((self.limit - self.level) / self.rate, 3))


def simulate(pace: AnnouncedQuota, bucket: Bucket, seconds: float, rng: random.Random) -> tuple[int, int]:
    """Ask as fast as the pace lets, with replies that overtake each other. Returns (taken, refused)."""
    replies: list[tuple[float, float, float, Quota]] = []
    now, spent, counts = 0.0, 0.0, [0, 0]
    while now < seconds:
        taken, quota = bucket.take(now)
        counts[not taken] += 1
        spent += 1.0
        pace.spend(1.0, now)
        heapq.heappush(replies, (now + rng.uniform(0.05, 2.0), now, spent, quota))
        first = sum(counts) == 1  # it goes alone
        go = now + 0.002
        while replies and (first or replies[0][0] <= go or now + pace.delay(1.0, now) > replies[0][0]):
            now, asked_at, spent_then, told = heapq.heappop(replies)
            pace.update(told, asked_at, spent - spent_then, now)
            first, go = False, now
        now = max(now, go) + pace.delay(1.0, max(now, go))
    return counts[0], counts[1]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("limit", "rate"), [(10, 10.0), (100, 20.0), (500, 8.0)])
def test_an_announced_quota_is_used_up_but_not_overdrawn(limit: float, rate: float, seed: int) -> None:
    taken, refused = simulate(AnnouncedQuota(), Bucket(limit, rate), 60.0, random.Random(seed))
    assert refused == 0
    assert taken >= 0.9 * rate * 60.0


def test_news_of_a_fuller_bucket_is_believed_bit_by_bit() -> None:
    pace = AnnouncedQuota()
    pace.update(Quota(10, 1, 90.0), asked_at=1.0, spent_since=0, now=2.0)  # a tenth each second
    assert pace.delay(1.0, 2.0) > 0
    pace.update(Quota(10, 8, 20.0), asked_at=0.0, spent_since=0, now=2.0)
    assert pace.delay(1.0, 2.0) == 0.0
    pace.spend(1.0, 2.0)
    assert pace.delay(1.0, 2.0) > 0


def test_a_request_larger_than_the_bucket_is_sent_rather_than_held_for_ever() -> None:
    pace = AnnouncedQuota()
    pace.update(Quota(10, 0, 100.0), asked_at=0.0, spent_since=0, now=0.0)
    assert pace.delay(5.0, 0.0) > 0
    assert pace.delay(11.0, 0.0) == 0.0


# ------------------------------------------------------------------------------- learnt from refusals


def asked(pace: LearntPace, server: Bucket | None, requests: int, gap: float) -> float:
    """So many requests one after the other, `gap` apart or as the pace wills; each second one is refused by a server
    without a bucket. Returns the seconds."""
    now = 100.0
    for number in range(1, requests + 1):
        now += max(gap, pace.delay(now))
        pace.spend(now)
        taken = server.take(now)[0] if server else number % 2 == 0
        if taken:
            pace.taken()
        else:
            pace.refused(number, now, teaches=True)
    return now - 100.0


def test_a_pace_is_learnt_and_kept() -> None:
    pace = LearntPace()
    asked(pace, Bucket(1, 5.0), 60, gap=0.1)
    assert pace.rate == pytest.approx(5.0, rel=0.3)
    pace, bucket = LearntPace(), Bucket(1, 5.0)
    assert asked(pace, bucket, 300, gap=0.1) >= 0.8 * 300 / 5.0


def test_a_pace_that_does_not_help_is_given_up() -> None:
    pace, settled = LearntPace(), list[None]()
    pace = LearntPace(lambda: settled.append(None))
    seconds = asked(pace, None, 400, gap=0.1)
    assert settled
    assert seconds <= 1.5 * 400 * 0.1  # where it goes down and down, there is no end


def test_a_few_refusals_are_no_pace() -> None:
    pace = LearntPace()
    for number in range(1, 500):
        pace.spend(number * 0.1)
        if number % 60:
            pace.taken()
        else:
            pace.refused(number, number * 0.1, teaches=True)
    assert pace.rate is None


def test_a_learnt_pace_grows_again() -> None:
    pace = LearntPace()
    asked(pace, Bucket(1, 5.0), 60, gap=0.1)
    learnt = pace.rate or 0.0
    asked(pace, Bucket(1, 1000.0), 200, gap=0.0)
    assert (pace.rate or 0.0) >= 1.2 * learnt


def test_a_learnt_pace_that_holds_nothing_back_stays() -> None:
    pace = LearntPace()
    asked(pace, Bucket(1, 5.0), 60, gap=0.1)
    learnt = pace.rate
    asked(pace, Bucket(1, 1000.0), 200, gap=1.0)
    assert pace.rate == learnt


@pytest.mark.parametrize(
    ("burst", "rate", "share"), [(1, 1.0, 0.95), (1, 2.0, 0.85), (1, 5.0, 0.7), (1, 20.0, 0.66), (10, 40.0, 0.75)]
)
def test_after_waits_of_whole_seconds_a_pace_is_doubled_until_it_is_refused(
    burst: int, rate: float, share: float
) -> None:
    """share: of what the server would take in 20 seconds, that of learning included."""
    pace, server, now, number, taken = LearntPace(), Bucket(burst, rate), 100.0, 0, 0
    while now < 120.0:
        now, number = now + max(0.005, pace.delay(now)), number + 1
        pace.spend(now)
        if server.take(now)[0]:
            pace.taken()
            taken += 1
        else:
            pace.refused(number, now, teaches=True, wait=1.0)
            now += 1.0
    assert taken >= share * 20.0 * rate
