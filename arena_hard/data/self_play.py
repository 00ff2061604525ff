"""Whether a model's judgments are of the baseline against itself, by how their games came out.

Both games then show the judge the same prompt. So they come out even on average, and alike: where one favours A, the
other tends to favour A, too. Of two different answers the better one changes places, and the games come out opposite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

FEW = 30  # questions; of fewer, how alike the games are says nothing
_TOO_UNEVEN, _TOO_OPPOSITE = 5.0, 2.5  # standard errors; a judge is rarely as indifferent as the second supposes
_EVEN, _ALIKE = 3.0, 4.0

Outcomes = Mapping[tuple[int, int], int]  # (who won game 1, game 2: 1 is A, 0 a tie, -1 B) → questions


def may_be_itself(outcomes: Outcomes) -> bool:
    """Whether nothing speaks against it."""
    if abs(_unevenness(outcomes)) > _TOO_UNEVEN:
        return False
    return sum(outcomes.values()) < FEW or _likeness(outcomes) >= -_TOO_OPPOSITE


def is_plainly_itself(outcomes: Outcomes) -> bool:
    """Whether hardly another model would leave such judgments."""
    enough = sum(outcomes.values()) >= FEW
    return enough and abs(_unevenness(outcomes)) <= _EVEN and _likeness(outcomes) >= _ALIKE


def _unevenness(outcomes: Outcomes) -> float:
    """Questions that the baseline won less those that the model won, in standard errors of chance."""
    ahead = sum(count for (one, two), count in outcomes.items() if one > two)
    behind = sum(count for (one, two), count in outcomes.items() if one < two)
    return (ahead - behind) / math.sqrt(ahead + behind or 1)


def _likeness(outcomes: Outcomes) -> float:
    """The correlation of the two games in its standard errors; 0 where one of them never differs."""
    total = sum(outcomes.values())
    firsts = [(one, count) for (one, _), count in outcomes.items()]
    seconds = [(two, count) for (_, two), count in outcomes.items()]
    middle, other = (sum(value * count for value, count in values) / (total or 1) for values in (firsts, seconds))
    spread, wide = (
        sum((value - mean) ** 2 * count for value, count in values)
        for values, mean in ((firsts, middle), (seconds, other))
    )
    if not spread or not wide:
        return 0.0
    joint = sum((one - middle) * (two - other) * count for (one, two), count in outcomes.items())
    return joint / math.sqrt(spread * wide) * math.sqrt(total)
