"""Reading a verdict from the judge's text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from arena_hard.data.verdicts import labels_in


class Reading(NamedTuple):
    """What was read in a judge's text; `missing` tells that it held no label that counts."""

    verdict: str | None
    missing: bool


def read_verdict(text: str, patterns: Sequence[re.Pattern[str]], any_label: bool = False) -> Reading:
    """The one verdict in a judge's text, by the first pattern that finds any, as the judge first wrote it.

    Different verdicts are ambiguous: none, and asking again would not help. What is no verdict ([[A]],
    [[A>>>B]]) is passed over, except with `any_label`, for a judge that rates instead of comparing.
    """
    labels = labels_in(text, patterns, any_label)
    return Reading(labels[0] if len(labels) == 1 else None, missing=not labels)
