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


def refusals(every: int, number: int, gap: float = 0.1) -> LearntPace:
    """A pace after so many requests, every n-th of them refused."""
    pace = LearntPace()
    for index in range(number):
        pace.outcome(index % every != 0, index * gap)
    return pace


def test_a_pace_is_learnt_from_many_refusals_and_not_from_a_few() -> None:
    assert refusals(every=20, number=400).rate is None  # one in twenty
    assert refusals(every=2, number=19).rate is None  # not enough seen
    pace = refusals(every=2, number=60)
    assert pace.rate is not None
    assert pace.rate == pytest.approx(5.0, rel=0.2)  # of ten a second, half were taken
    now = 6.0
    pace.spend(now)
    assert pace.delay(now) == pytest.approx(1 / pace.rate)


def test_a_learnt_pace_grows_again_slowly() -> None:
    pace = refusals(every=2, number=60)
    learnt = pace.rate
    assert learnt is not None
    for second in range(10, 80):
        pace.outcome(True, float(second))
    assert pace.rate is not None
    assert learnt * 1.05 <= pace.rate <= learnt * 1.05**3
