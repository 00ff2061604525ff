"""The map of topics: names that are shown lie across no circle and no other name, at any width of the map."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from arena_hard.building import topic_view
from arena_hard.building.topic_view import map_view


def row(topic: int, place: tuple[float, float], kind: str = "below") -> dict[str, Any]:
    drawn = 2 if kind == "drawn" else 0
    named = {"topic": topic, "name": "circuit, resistor, voltage", "kind": kind, "drawn": drawn, "place": place}
    return {**named, "size": 20, "mean": 5.0}


def covered(circles: list[dict[str, Any]], width: int) -> int:
    """How often a name that is shown lies across a circle or another name."""
    shown = [one for one in circles if one["kind"] == "drawn"]
    names = [topic_view._box(one, (one["anchor"], one["dx"], one["dy"]), width) for one in shown]
    others = [topic_view._square(one, width) for one in circles]
    pairs = [*itertools.product(names, others), *itertools.combinations(names, 2)]
    return sum(topic_view._meet(*pair) for pair in pairs)


@pytest.mark.parametrize("width", topic_view.WIDTHS)
def test_a_name_goes_beside_its_circle_where_there_are_others_above_and_below(width: int) -> None:
    around = [row(number, (0.5, 0.5 + shift)) for number, shift in enumerate((-0.09, 0.09), 2)]
    corners = [row(4, (0.0, 0.0)), row(5, (1.0, 1.0))]
    found = map_view([row(0, (0.5, 0.5), "drawn"), row(1, (0.1, 0.5), "drawn"), *around, *corners])
    assert found is not None
    assert covered(found["circles"], width) == 0


def test_a_name_at_the_edge_stays_on_the_map() -> None:
    found = map_view([row(number, (number % 3 / 2, number // 3 / 2), "drawn") for number in range(9)])
    assert found is not None
    for one, width in itertools.product(found["circles"], topic_view.WIDTHS):
        left, right, top, bottom = topic_view._box(one, (one["anchor"], one["dx"], one["dy"]), width)
        assert 0 <= left < right <= width and 0 <= top < bottom <= topic_view.HEIGHT
