"""How a gate opens again after a refusal: what goes is in proportion to what was taken."""

from __future__ import annotations

import pytest

from arena_hard.calling.opening import DOUBLING_SECONDS, Reopening


def sent_at_once(opening: Reopening, now: float, most: int = 1000) -> int:
    """How many of those who wait go at this time."""
    for number in range(most):
        if opening.delay(now) > 0:
            return number
        opening.sent(now)
    return most


def refused(opening: Reopening, numbers: range) -> None:
    """A burst of refusals, of which the first is heeded."""
    for number in numbers:
        opening.refused(number, heeded=number == numbers[0])


def test_nothing_is_held_back_before_a_refusal() -> None:
    assert sent_at_once(Reopening(), 0.0) == 1000


@pytest.mark.parametrize("taken", [0, 1, 10, 150])
def test_after_a_refusal_twice_as_many_go_as_were_taken(taken: int) -> None:
    opening = Reopening()
    assert sent_at_once(opening, 0.0, 200) == 200
    refused(opening, range(taken + 1, 201))
    assert sent_at_once(opening, 1.0) == 2 * max(taken, 1)


def test_while_none_is_refused_twice_as_many_go_every_moment() -> None:
    opening = Reopening()
    sent_at_once(opening, 0.0, 200)
    refused(opening, range(2, 201))
    assert [sent_at_once(opening, 1.0 + step * DOUBLING_SECONDS) for step in range(4)] == [2, 2, 4, 8]
    assert 0 < opening.delay(1.0 + 3 * DOUBLING_SECONDS) <= DOUBLING_SECONDS + 1e-9


def test_a_window_that_is_over_does_not_count_for_the_next() -> None:
    opening = Reopening()
    sent_at_once(opening, 0.0, 100)
    refused(opening, range(61, 101))
    for number in range(101, 111):  # one at a time, until the next window opens
        opening.sent(number / 10)
        opening.refused(number, heeded=True)
    assert sent_at_once(opening, 12.0) == 2 * 60


def test_where_one_is_taken_at_a_time_all_refusals_together_are_few() -> None:
    opening = Reopening()
    number = sent_at_once(opening, 0.0, 400)
    refused(opening, range(201, number + 1))  # 200 were taken; from now on one each second
    refusals = 0
    for second in range(1, 101):
        sent = sent_at_once(opening, float(second), 400)
        refused(opening, range(number + 2, number + sent + 1))
        number, refusals = number + sent, refusals + sent - 1
    assert refusals <= 2 * 200 + 200 + 100 + 100 + 2 * 100
