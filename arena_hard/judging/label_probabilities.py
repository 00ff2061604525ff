"""The probabilities of the five labels, read from those of the tokens at the place of the verdict.

A label may be one token or several: `[[`, `A`, `>`, `B`, `]]`. The walk goes along the tokens that were written, and
looks at the alternatives that the server lists for each. Those that lead to no label are left out at each step, as
constrained decoding does. One that completes a label adds to it the product of all steps up to there. One that only
begins a label (`B` in the place of `A`) was not followed, so that nobody knows which of B>A and B>>A it would have
become: its mass is shared out among those, in the proportion of what is known of them, evenly where nothing is. The
five sum to 1. Blanks say nothing: what differs in them alone is the same step.
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
_MEANINGS = {each: str(standard_label(each)) for spellings in _SPELLINGS for each in spellings}
_BEFORE = " \t\r\n\"'`*:"  # what may stand before a label and says nothing
_MOST_MISSING = 0.5  # beyond it the alternatives that the server lists say too little


class Odds(NamedTuple):
    """The probabilities of the labels, and the part of them that was shared out or may belong to others."""

    probabilities: dict[str, float]
    unknown: float


class _Texts(NamedTuple):
    """What stands for labels at a place: the likely texts, and all that count where none of those fits."""

    likely: Mapping[str, str]
    every: Mapping[str, str]

    def after(self, head: str) -> _Texts:
        """The same with what stands before a label in its first token."""
        likely, every = ({head + text: label for text, label in texts.items()} for texts in self)
        return _Texts(likely, every)

    def label_at(self, path: str) -> str | None:
        """The label that a path has come to; 12 is not 1."""
        for text, label in self.every.items():
            if path.startswith(text) and not path[len(text) : len(text) + 1].isdigit():
                return label
        return None

    def begun_by(self, path: str) -> set[str]:
        """The labels that a path may become."""
        found = ({label for text, label in texts.items() if text.startswith(path)} for texts in self)
        return next(filter(None, found), set())


def odds_of_label(tokens: Sequence[Token], text: str, place: int, written: str) -> Odds | None:
    """At the place in a reply's text where a label is written, in any of its spellings.

    A>B is written by a judge that would also say B>A and by one that would say A<B: whole labels are read in every
    spelling. What is only begun counts for those that go with the written one, if it begins one of them.
    """
    label = "".join(written.split())
    spellings = next((each for each in _SPELLINGS if label in each), None)
    if spellings is None:
        return None
    return _read(tokens, text, place, written, _Texts({each: _MEANINGS[each] for each in spellings}, _MEANINGS))


def odds(tokens: Sequence[Token], text: str, place: int, labels: Mapping[str, str], written: str) -> Odds | None:
    """The same for any texts that stand for labels, such as the numbers 1 to 5.

    labels: what each text means; written: the one at the place. None where the tokens do not tell.
    """
    return _read(tokens, text, place, written, _Texts(labels, labels))


def _read(tokens: Sequence[Token], text: str, place: int, written: str, texts: _Texts) -> Odds | None:
    found = _start(tokens, text, place, written)
    return None if found is None else _walk(tokens[found[0] :], texts.after(_led_on("", found[1])))


def _start(tokens: Sequence[Token], text: str, place: int, written: str) -> tuple[int, str] | None:
    """The token that the label or its brackets begin in, and all that stands before the label from there on.

    Tokens of thoughts are not in the text, and what is no part of a label is not among the tokens: the place is found
    by how often the label comes from there on.
    """
    whole = "".join(token.text for token in tokens)
    at = len(whole)
    for _ in range(text.count(written, place)):
        at = whole.rfind(written, 0, at)
        if at < 0:
            return None
    begin = len(whole[:at].rstrip("["))
    end = 0
    for number, token in enumerate(tokens):
        start, end = end, end + len(token.text)
        if begin < end:
            return number, whole[start:at]
    return None


def _walk(tokens: Sequence[Token], texts: _Texts) -> Odds | None:
    """Along the tokens from the one that the label or its brackets begin in."""
    known: dict[str, float] = dict.fromkeys(LABELS, 0.0)
    begun: list[tuple[set[str], float]] = []
    path, reached, missing = "", 1.0, 0.0
    for token in tokens:
        own, *others = _steps(token, path, texts)
        possible = texts.begun_by(path)
        others = [step for step in others if step.is_complete or step.labels != possible]  # such a one excludes none
        unlisted = token.least * len(possible.difference(own.labels, *(step.labels for step in others)))
        whole = sum(step.mass for step in (own, *others)) + unlisted
        if not own.labels or whole <= 0:
            return None
        missing += reached * unlisted / whole
        for step in (own, *others):
            if step.is_complete:
                known[next(iter(step.labels))] += reached * step.mass / whole
            elif step is not own:
                begun.append((step.labels, reached * step.mass / whole))
        if own.is_complete:
            return _together(known, begun, missing)
        path, reached = own.path, reached * own.mass / whole
    return None


class _Step(NamedTuple):
    """A token that leads on to labels, or to one."""

    path: str
    mass: float
    labels: set[str]
    is_complete: bool


def _steps(token: Token, path: str, texts: _Texts) -> list[_Step]:
    """The token itself, and those of its alternatives that lead to a label. What differs in blanks alone is one."""
    masses = {_led_on(path, token.text): math.exp(token.logprob)}
    for text, logprob in token.others:
        after = _led_on(path, text)
        masses[after] = masses.get(after, 0.0) + math.exp(logprob)
    own, *others = (_step(after, mass, texts) for after, mass in masses.items())
    return [own, *(step for step in others if step.labels and step.path != path)]


def _step(path: str, mass: float, texts: _Texts) -> _Step:
    label = texts.label_at(path)
    return _Step(path, mass, {label} if label else texts.begun_by(path), label is not None)


def _led_on(path: str, text: str) -> str:
    """The path after one more token, without blanks, and without what says nothing before a label."""
    return path + "".join((text if path else text.lstrip(_BEFORE)).split())


def _together(known: dict[str, float], begun: list[tuple[set[str], float]], missing: float) -> Odds | None:
    shared = sum(mass for labels, mass in begun if len(labels) > 1)
    whole = sum(known.values()) + sum(mass for _, mass in begun)
    if whole <= 0 or missing > _MOST_MISSING * (whole + missing):
        return None
    masses = dict(known)
    for labels, mass in begun:
        certain = sum(known[label] for label in labels)
        for label in labels:
            masses[label] += mass * (known[label] / certain if certain else 1 / len(labels))
    total = sum(masses.values())
    return Odds({label: mass / total for label, mass in masses.items()}, (shared + missing) / (whole + missing))
