"""The probabilities of the five labels, read from those of the tokens at the place of the verdict.

A label may be one token or several: `[[`, `A`, `>`, `B`, `]]`. The walk goes along the tokens that were written, and
looks at the alternatives that the server lists for each. Those that lead to no label are left out at each step, as
constrained decoding does. One that completes a label adds to it the product of all steps up to there. One that only
begins a label (`B` in the place of `A`) was not followed, so that nobody knows which of B>A and B>>A it would have
become: its mass is shared out among those, in the proportion of what is known of them, evenly where nothing is. The
five sum to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from arena_hard.calling.providers.base import Token
from arena_hard.data.verdicts import LABELS, standard_label

# v2.0 and some judges write the same verdicts with the same letter always first
_SPELLINGS = (
    LABELS,
    ("A>>B", "A>B", "A=B", "A<B", "A<<B"),
    ("B>>A", "B>A", "B=A", "B<A", "B<<A"),
)
_MOST_MISSING = 0.5  # beyond it the alternatives that the server lists say too little


class Odds(NamedTuple):
    """The probabilities of the labels, and the part of them that was shared out or may belong to others."""

    probabilities: dict[str, float]
    unknown: float


def odds_of_label(tokens: Sequence[Token], text: str, place: int, written: str) -> Odds | None:
    """At the place in a reply's text where a label is written, in any of its spellings."""
    spellings = next((each for each in _SPELLINGS if written in each), None)
    if spellings is None:
        return None
    return odds(tokens, text, place, {each: str(standard_label(each)) for each in spellings}, written)


def odds(tokens: Sequence[Token], text: str, place: int, labels: Mapping[str, str], written: str) -> Odds | None:
    """The same for any texts that stand for labels, such as the numbers 1 to 5.

    labels: what each text means; written: the one at the place. None where the tokens do not tell.
    """
    found = _start(tokens, text, place, written)
    return None if found is None else _walk(tokens[found[0] :], found[1], labels)


def _start(tokens: Sequence[Token], text: str, place: int, written: str) -> tuple[int, str] | None:
    """The token that the label begins in, and what stands before it in there.

    Tokens of thoughts are not in the text, and what is no part of a label is not among the tokens: the place is found
    by how often the label comes from there on.
    """
    whole = "".join(token.text for token in tokens)
    at = len(whole)
    for _ in range(text.count(written, place)):
        at = whole.rfind(written, 0, at)
        if at < 0:
            return None
    begin = 0
    for number, token in enumerate(tokens):
        if begin <= at < begin + len(token.text):
            return number, token.text[: at - begin]
        begin += len(token.text)
    return None


def _walk(tokens: Sequence[Token], head: str, labels: Mapping[str, str]) -> Odds | None:
    """Along the tokens from the one that the label begins in; head: what stands before it there."""
    texts = {head + text: label for text, label in labels.items()}
    known: dict[str, float] = dict.fromkeys(LABELS, 0.0)
    begun: list[tuple[set[str], float]] = []
    path, reached, missing = "", 1.0, 0.0
    for token in tokens:
        steps = _steps(token, path, "" if path else head, texts)
        possible = {label for text, label in texts.items() if text.startswith(path)}
        unlisted = token.least * len(possible - {label for step in steps for label in step.labels})
        whole = sum(step.mass for step in steps) + unlisted
        if not steps or not steps[0].is_own or whole <= 0:
            return None
        missing += reached * unlisted / whole
        for step in steps:
            if step.is_complete:
                known[next(iter(step.labels))] += reached * step.mass / whole
            elif not step.is_own:
                begun.append((step.labels, reached * step.mass / whole))
        if steps[0].is_complete:
            return _together(known, begun, missing)
        path, reached = steps[0].path, reached * steps[0].mass / whole
    return None


class _Step(NamedTuple):
    """A token that leads on to labels, or to one. is_own: it is the one that was written."""

    path: str
    mass: float
    labels: set[str]
    is_complete: bool
    is_own: bool


def _steps(token: Token, path: str, head: str, texts: Mapping[str, str]) -> list[_Step]:
    """Those of a token's alternatives that lead to a label, the token itself first."""
    steps: list[_Step] = []
    for number, (text, logprob) in enumerate(((token.text, token.logprob), *token.others)):
        after = path + (text if path or head else text.lstrip())  # a blank before the label says nothing
        label = _label_at(after, texts)
        labels = {label} if label else {texts[each] for each in texts if after and each.startswith(after)}
        if labels:
            steps.append(_Step(after, math.exp(logprob), labels, label is not None, number == 0))
    return steps


def _label_at(path: str, texts: Mapping[str, str]) -> str | None:
    """The label that a path has come to; 12 is not 1."""
    for text, label in texts.items():
        if path.startswith(text) and not path[len(text) : len(text) + 1].isdigit():
            return label
    return None


def _together(known: dict[str, float], begun: list[tuple[set[str], float]], missing: float) -> Odds | None:
    shared = sum(mass for _, mass in begun)
    whole = sum(known.values()) + shared
    if whole <= 0 or missing > _MOST_MISSING * (whole + missing):
        return None
    masses = dict(known)
    for labels, mass in begun:
        certain = sum(known[label] for label in labels)
        for label in labels:
            masses[label] += mass * (known[label] / certain if certain else 1 / len(labels))
    total = sum(masses.values())
    return Odds({label: mass / total for label, mass in masses.items()}, (shared + missing) / (whole + missing))
