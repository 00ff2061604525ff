"""Topics as the report shows them: what the steps know of each, their table, and their map."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.steps import Context
from arena_hard.building.topics import PICTURE
from arena_hard.data.name_lists import counted
from arena_hard.data.record_values import is_list, is_object
from arena_hard.showing.html_tables import Cell, table

MOST_ROWS = 500  # of the table; all topics stand in the files of the steps
MOST = 4000  # topics on the map, the largest
MARGIN = 0.06  # of the map, so that circles at its edge are whole
FEW = 25  # drawn topics, whose names stand on the map
TABS = 60  # circles that the keyboard goes through; of more, those that were drawn
NAME = 28  # characters of a name on the map
WIDTHS, HEIGHT = (700, 850, 1000, 1200), 440  # pixels of the map; it is as wide as the window, and names fit in these
_LETTER, _LINE = 6.6, 14  # pixels of its names
NAMED = ("drawn", "passed")  # kinds whose names are shown where they are few
Choice = tuple[str, float, float]  # of a name: its anchor, and how far it stands right of and below its circle
Box = tuple[float, float, float, float]  # left, right, top, bottom
KINDS = {
    "drawn": "drawn for the benchmark",
    "passed": "good enough, not drawn",
    "below": "mean too low, or no prompt that is good enough",
    "unknown": "without labels",
}


def topic_rows(
    context: Context, manifests: dict[str, Any], questions: Sequence[dict[str, Any]] | None
) -> list[dict[str, Any]]:
    """A row for each topic: size, name, mean score with its error, good prompts, and how many questions it gave.

    The drawn ones first, then by their mean. questions: None where those of these topics are not known, which is not 0;
    so it is with labels and good prompts before the filter has ended.
    """
    known = {row["topic"]: row for row in _listed(context.file(PICTURE), "topics")}
    filters = [name for name in manifests if name.startswith("filter") and manifests[name]]
    scores = {row["topic"]: row for row in _listed(context.file(f"{filters[-1]}.topics.json"))} if filters else {}
    nothing = {"labelled": 0, "left": 0} if filters else dict[str, Any]()
    named = [row for row in questions or () if row.get("cluster_id") is not None]
    drawn = Counter(row["cluster_id"] for row in named)
    names = {row["cluster_id"]: row["cluster"] for row in named}
    rows: list[dict[str, Any]] = []
    for topic in known:
        count = None if questions is None else drawn[topic]
        score = scores.get(topic, nothing)
        rows.append({"topic": topic, **_row(known[topic], score, count, names.get(topic, ""))})
    return sorted(rows, key=lambda row: (not row["drawn"], -(row["mean"] or 0.0), -row["size"], row["topic"]))


def _row(said: dict[str, Any], score: dict[str, Any], drawn: int | None, name: str) -> dict[str, Any]:
    mean, left = score.get("mean"), score.get("left")
    kind = "drawn" if drawn else "passed" if left else "unknown" if mean is None else "below"
    return {
        "name": name or said.get("name") or ", ".join(said.get("keywords", [])[:5]) or f"topic {said['topic']}",
        "size": said["size"],
        "labelled": score.get("labelled"),
        "mean": mean,
        "error": score.get("error"),
        "left": left,
        "place": (said["x"], said["y"]) if "x" in said and "y" in said else None,
        "drawn": drawn,
        "kind": kind,
    }


def _listed(file: Path, key: str = "") -> list[dict[str, Any]]:
    """The objects that a file of a step lists; none where it is not there, or was not finished."""
    try:
        found: object = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError):
        return []
    found = found.get(key) if key and is_object(found) else found
    return [each for each in found if is_object(each)] if is_list(found) else []


def topic_table(rows: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """The table as safe HTML, and what has to be said of it."""
    if not rows:
        return "", ""
    columns = ["Topic", "Prompts", "Labelled", "Mean", "Standard error", "Good prompts", "Questions"]
    lines = [_cells(row) for row in rows[:MOST_ROWS]]
    anchors = [f"topic-{row['topic']}" for row in rows[:MOST_ROWS]]
    cut = f"The first {MOST_ROWS:,} of {len(rows):,} are shown." if len(rows) > MOST_ROWS else ""
    return table(columns, lines, sortable=True, anchors=anchors), cut


def _cells(row: dict[str, Any]) -> list[Cell]:
    def number(value: float | None, form: str) -> Cell:
        return Cell("–") if value is None else Cell(format(value, form), value)

    return [
        Cell(row["name"], row["name"]),
        number(row["size"], ",d"),
        number(row["labelled"], ",d"),
        number(row["mean"], ".2f"),
        number(row["error"], ".2f"),
        number(row["left"], ",d"),
        number(row["drawn"], "d"),
    ]


# ------------------------------------------------------------------------------------------- map


def map_view(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The circles of the map; None where no topic has a place on it."""
    drawn = [row for row in rows if row["place"] is not None]
    if not drawn:
        return None
    shown = sorted(drawn, key=lambda row: -row["size"])[:MOST]
    listed = {row["topic"] for row in rows[:MOST_ROWS]}
    circles = [_circle(row, place, shown[0]["size"]) for row, place in zip(shown, _places(shown))]
    _write_names(circles)
    for one in circles:
        one["tab"] = one["topic"] in listed and (len(circles) <= TABS or one["kind"] == "drawn")
    kinds = {row["kind"] for row in shown}
    return {
        "circles": circles,
        "cut": len(drawn) if len(drawn) > len(shown) else 0,
        "height": HEIGHT,
        "few": sum(row["kind"] in NAMED for row in shown) <= FEW,
        "kinds": [(kind, words) for kind, words in KINDS.items() if kind in kinds],
    }


def _places(rows: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """The places of the topics as shares of the map's width and height, without its margin."""
    columns: list[list[float]] = []
    for values in zip(*(row["place"] for row in rows)):
        low, high = min(values), max(values)
        columns.append([MARGIN + (1 - 2 * MARGIN) * ((x - low) / (high - low) if high > low else 0.5) for x in values])
    return list(zip(*columns))


def _circle(row: dict[str, Any], place: Sequence[float], largest: int) -> dict[str, Any]:
    """A circle with its name, which is written towards the middle."""
    x, y = place
    mean = "" if row["mean"] is None else f", mean {row['mean']:.2f}"
    drawn = f", {row['drawn']} drawn" if row["drawn"] else ""
    return {
        "topic": row["topic"],
        "kind": row["kind"],
        "words": f"{row['name']}: {counted(row['size'], 'prompt')}{mean}{drawn}",
        "short": _short(row["name"]),
        "x": round(100 * x, 2),
        "y": round(100 * y, 2),
        "r": round(4 + 14 * math.sqrt(row["size"] / largest), 1),
        "anchor": "start" if x < 0.4 else "end" if x > 0.6 else "middle",
    }


def _short(name: str) -> str:
    """A name for the map: as many of its keywords as there is room for."""
    if len(name) <= NAME:
        return name
    words = name[: NAME + 1].rpartition(",")[0]
    return words or name[: NAME - 1] + "…"


def _write_names(circles: Sequence[dict[str, Any]]) -> None:
    """Each name goes below its circle, or where it lies across fewest circles and names that are shown."""
    shown = [one for one in circles if one["kind"] in NAMED]
    taken = [[_square(one, width) for one in circles] for width in WIDTHS]
    for one in sorted(circles, key=lambda each: (each["kind"] not in NAMED, each["y"])):
        choices = _choices(one)
        crowded = len(shown) <= FEW and one["kind"] in NAMED
        costs = [_cost(one, choice, taken if crowded else [[] for _ in WIDTHS]) for choice in choices]
        chosen = choices[costs.index(min(costs))]
        one["anchor"], one["dx"], one["dy"] = chosen
        if crowded:
            for width, boxes in zip(WIDTHS, taken):
                boxes.append(_box(one, chosen, width))


def _choices(one: dict[str, Any]) -> list[Choice]:
    """Where a name may stand: below, above, right, left, and a line further away."""
    out, own = one["r"] + 4, one["anchor"]
    down = one["r"] + _LINE
    beside = [("start", out, 4.0), ("end", -out, 4.0)]
    return [(own, 0.0, down), (own, 0.0, -out), *beside, (own, 0.0, down + _LINE), (own, 0.0, -out - _LINE)]


def _cost(one: dict[str, Any], choice: Choice, taken: Sequence[Sequence[Box]]) -> int:
    """What a name would lie across, over all widths; beyond the edge is worse than anything."""
    cost = 0
    for width, boxes in zip(WIDTHS, taken):
        box = _box(one, choice, width)
        beyond = box[0] < 0 or box[1] > width or box[2] < 0 or box[3] > HEIGHT
        cost += 1000 * beyond + sum(_meet(box, each) for each in boxes)
    return cost


def _square(one: dict[str, Any], width: int) -> Box:
    """Where a circle lies."""
    x, y, r = width * one["x"] / 100, HEIGHT * one["y"] / 100, one["r"]
    return x - r, x + r, y - r, y + r


def _box(one: dict[str, Any], choice: Choice, width: int) -> Box:
    """Where a name lies on a map of some width: left, right, top, bottom in pixels."""
    anchor, right, down = choice
    long, x = _LETTER * len(one["short"]), width * one["x"] / 100 + right
    left = x - {"start": 0.0, "middle": long / 2, "end": long}[anchor]
    base = HEIGHT * one["y"] / 100 + down
    return left, left + long, base - _LINE, base + 3


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
