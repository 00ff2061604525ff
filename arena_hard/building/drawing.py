"""Which prompts become questions: topics are drawn, and the same small number of prompts of each.

Who comes first is told by a hash of the seed and the name, so that a draw depends on nothing else: a larger one of the
same seed holds the smaller, and no order of rows matters.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from arena_hard.data.name_lists import counted


@dataclass(frozen=True)
class Draw:
    """Topics in the order in which they were drawn, each with its prompts; twin: the second sample of the same topics.

    eligible: topics with enough prompts; short: topics with good prompts, but too few; without_twin: topics that were
    drawn and have too few prompts left for the twin.
    """

    main: dict[int, list[str]]
    twin: dict[int, list[str]]
    eligible: int
    short: int
    without_twin: int
    rest: int


def draw(
    prompts: Iterable[tuple[str, int]],
    means: Mapping[int, float],
    topics: int | Literal["all"],
    each: int,
    order: Literal["random", "best"],
    seed: int,
) -> Draw:
    """Draw from (id, topic) of the prompts that are good enough; those of no topic (below 0) are left out.

    means: the mean score of each topic, for the order `best`; of topics without one, those come last.
    """
    members: dict[int, list[str]] = defaultdict(list)
    for key, topic in prompts:
        if topic >= 0:
            members[topic].append(key)
    enough = [topic for topic in members if len(members[topic]) >= each]
    enough.sort(key=lambda topic: _rank(seed, f"topic {topic}"))
    if order == "best":
        enough.sort(key=lambda topic: -_number(means.get(topic)))
    drawn = enough if topics == "all" else enough[:topics]
    ranked = {topic: sorted(members[topic], key=lambda key: _rank(seed, key)) for topic in drawn}
    twins = {topic: keys[each : 2 * each] for topic, keys in ranked.items() if len(keys) >= 2 * each}
    total = sum(map(len, members.values()))
    return Draw(
        {topic: keys[:each] for topic, keys in ranked.items()},
        twins,
        len(enough),
        len(members) - len(enough),
        len(drawn) - len(twins),
        total - each * len(drawn),
    )


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()


def _number(mean: float | None) -> float:
    return -math.inf if mean is None or math.isnan(mean) else mean


UNLABELLED = (
    "note: labels: passes names no pass, so nothing is labelled: the questions are of any prompts of a topic, good or "
    "not, and have no scores."
)


def draw_lines(found: Draw, topics: int | Literal["all"], each: int, passes: Sequence[object]) -> list[str]:
    """What came of a draw, for people; with the remedy where there are fewer topics than were asked for."""
    drawn = len(found.main)
    lines = [f"{counted(drawn, 'topic')} × {counted(each, 'prompt')} = {counted(drawn * each, 'question')}"]
    if topics != "all" and drawn < topics:
        few = f"; {counted(found.short, 'topic')} with fewer" * bool(found.short)
        remedy = "more conversations, lower thresholds" if passes else "more conversations"
        lines.append(
            f"{topics} topics were asked for, and {found.eligible} have {counted(each, 'good prompt')} or more{few}. "
            f"Remedy: {remedy}, a smaller topics: min_size, or sample: topics: {found.eligible}."
        )
    return lines if passes else [*lines, UNLABELLED]


def twin_lines(found: Draw, each: int) -> list[str]:
    """What came of the second sample."""
    drawn = len(found.twin)
    lines = [f"twin: {counted(drawn, 'topic')} × {counted(each, 'prompt')} = {counted(drawn * each, 'question')}"]
    if found.without_twin:
        lines[0] += f"; {counted(found.without_twin, 'topic')} of the benchmark had too few prompts left"
    return lines
