"""How games came out that name no baseline, from which data/nameless.py tells whose they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from arena_hard.data.verdicts import LABELS, outcome
from arena_hard.rating.games import GameTable

_WON = {"A": 1, None: 0, "B": -1}  # as data/self_play.py counts


def outcomes_of_nameless(table: GameTable, judge: str) -> Mapping[str, dict[tuple[int, int], int]]:
    """By model, how many judgments of a judge that name no baseline came out in each way, (first game, second).

    1 where A won, 0 for a tie, −1 where B won; judgments without a readable verdict in both games are left out.
    """
    nameless = np.array([not name for name in table.baselines], dtype=bool)[table.baseline]
    counts = nameless & (table.judge == table.judges.index(judge)) & (table.verdict >= 0)
    first = np.flatnonzero(counts[:-1] & counts[1:] & (table.game[:-1] == 0) & (table.game[1:] == 1))
    same = (table.model[first] == table.model[first + 1]) & (table.question[first] == table.question[first + 1])
    first = first[same]
    won = np.array([_WON[outcome(label).winner] for label in LABELS])[table.verdict]
    ways = (table.model[first] * 3 + won[first] + 1) * 3 + won[first + 1] + 1
    found: dict[str, dict[tuple[int, int], int]] = {}
    for way, count in enumerate(np.bincount(ways, minlength=9 * len(table.models)).tolist()):
        if count:
            model, one, two = way // 9, way // 3 % 3 - 1, way % 3 - 1
            found.setdefault(table.models[model], {})[one, two] = count
    return found
