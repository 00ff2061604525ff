"""Reading a verdict from the judge's text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from arena_hard.data.verdicts import LABELS, standard_label


class Reading(NamedTuple):
    """What was read in a judge's text; `missing` tells that it held no label that counts."""

    verdict: str | None
    missing: bool


def read_verdict(text: str, patterns: Sequence[re.Pattern[str]], any_label: bool = False) -> Reading:
    """The one verdict in a judge's text, by the first pattern that finds any, as the judge first wrote it.

    Different verdicts are ambiguous: none, and asking again would not help. What is no verdict ([[A]],
    [[A>>>B]]) is passed over, except with `any_label`, for a judge that rates instead of comparing.
    """
    for pattern in patterns:
        labels = [match.strip() for match in pattern.findall(text)]
        said = {standard_label(label) or label: label for label in reversed(labels)}  # A>B and B<A are one
        counted = [label for meaning, label in said.items() if meaning in LABELS or (any_label and label)]
        if counted:
            return Reading(counted[0] if len(counted) == 1 else None, missing=False)
    return Reading(None, missing=True)
