"""The probabilities of the five labels, read from those of the tokens at the place of the verdict.

A label may be one token or several: `[[`, `A`, `>`, `B`, `]]`. The walk goes along the tokens that were written, and
looks at the alternatives that the server lists for each. Those that lead to no label are left out at each step, as
constrained decoding does. One that completes a label adds to it the product of all steps up to there. One that only
begins a label (`B` in the place of `A`) was not followed, so that nobody knows which of B>A and B>>A it would have
become: its mass is shared out among those, evenly, or in the proportion of what is known where that is something of
each. Where the server lists no alternatives at all, what a token leaves is shared out in the same way. A tokenizer
cuts a text in one way: beside a `>>`, a `>` has the letter after it. The five sum to 1. Blanks say nothing: what
differs in them alone is the same step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

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
_SIGNS = ("<", ">")
_ROUNDING = 1e-9
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

    def complete_in(self, path: str) -> str | None:
        """The text that a path has come to; 12 is not 1."""
        found = (text for text in self.every if path.startswith(text))
        return next((text for text in found if not path[len(text) : len(text) + 1].isdigit()), None)

    def begun_by(self, path: str) -> set[str]:
        """The texts that a path may become."""
        found = ({text for text in texts if text.startswith(path)} for texts in self)
        return next(filter(None, found), set())

    def meant_by(self, texts: set[str]) -> set[str]:
        """Their labels."""
        return {self.every[text] for text in texts}


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
    found = _Found()
    path, reached = "", 1.0
    for token in tokens:
        own, *others = _steps(token, path, texts)
        possible = texts.meant_by(texts.begun_by(path))
        left = possible.difference(own.labels, *(step.labels for step in others))
        alone = _mass_beside(token) if left else 0.0
        unlisted = 0.0 if alone else token.least * len(left)
        whole = sum(step.mass for step in (own, *others)) + unlisted + alone
        is_unread = token.least >= 1.0 and own.labels != possible
        if not own.labels or whole <= 0 or is_unread:
            return None
        share = reached / whole
        found.missing += unlisted * share
        if alone:
            found.take_unseen(left, alone * share)
        for step in others:
            found.take(step, step.mass * share, is_other_cut=step.labels == own.labels == possible)
        if own.is_complete:
            found.take(own, own.mass * share)
            return found.together()
        path, reached = own.path, own.mass * share
    return None


def _mass_beside(token: Token) -> float:
    """What is left beside a token of which the server gave no alternative: nobody knows which other label has it."""
    left = 1.0 - math.exp(token.logprob)
    return left if not token.others and left > _ROUNDING and math.isclose(token.least, left) else 0.0


class _Step(NamedTuple):
    """A token that leads on to labels, or to one; texts: in which spelling of each."""

    path: str
    mass: float
    texts: set[str]
    labels: set[str]
    is_complete: bool


def _steps(token: Token, path: str, texts: _Texts) -> list[_Step]:
    """The token itself, and those of its alternatives that lead to a label. What differs in blanks alone is one."""
    masses = {_led_on(path, token.text): math.exp(token.logprob)}
    for text, logprob in token.others:
        after = _led_on(path, text)
        masses[after] = masses.get(after, 0.0) + math.exp(logprob)
    own, *others = (_step(after, mass, texts) for after, mass in masses.items())
    others = [step for step in others if step.labels and step.path != path]
    return [own, *(_without_doubled_sign(step, [own, *others], texts) for step in others)]


def _step(path: str, mass: float, texts: _Texts) -> _Step:
    complete = texts.complete_in(path)
    found = {complete} if complete else texts.begun_by(path)
    return _Step(path, mass, found, texts.meant_by(found), complete is not None)


def _without_doubled_sign(step: _Step, steps: Sequence[_Step], texts: _Texts) -> _Step:
    """A step that ends with > where another has >>, which tokenizers do not cut in two: the letter is next."""
    doubled = step.path + step.path[-1:]
    if step.is_complete or doubled[-1:] not in _SIGNS or not any(each.path.startswith(doubled) for each in steps):
        return step
    left = {text for text in step.texts if not text.startswith(doubled)}
    return step._replace(texts=left, labels=texts.meant_by(left))


def _led_on(path: str, text: str) -> str:
    """The path after one more token, without blanks, and without what says nothing before a label."""
    return path + "".join((text if path else text.lstrip(_BEFORE)).split())


class _Found(msgspec.Struct):
    """What a walk finds: the mass of each label, that of what may become several, and what tells nothing of labels.

    other_cuts: mass of what leads to all labels as the written token does, such as `[` in the place of `[[`; missing:
    the most that what is not listed may have; unseen: mass of labels of which the server told nothing.
    """

    known: dict[str, float] = msgspec.field(default_factory=lambda: dict.fromkeys(LABELS, 0.0))
    begun: list[tuple[set[str], float]] = []
    other_cuts: float = 0.0
    missing: float = 0.0
    unseen: float = 0.0

    def take(self, step: _Step, mass: float, is_other_cut: bool = False) -> None:
        """A step of so much mass."""
        if is_other_cut:
            self.other_cuts += mass
        elif len(step.labels) == 1:
            self.known[next(iter(step.labels))] += mass
        else:
            self.begun.append((step.labels, mass))

    def take_unseen(self, labels: set[str], mass: float) -> None:
        """Mass of some of these labels."""
        self.begun.append((labels, mass))
        self.unseen += mass

    def together(self) -> Odds | None:
        """The labels' probabilities; what leads to all of them changes none."""
        told = sum(self.known.values()) + sum(mass for _, mass in self.begun)
        whole = told + self.other_cuts
        if told <= 0 or self.missing + self.unseen > _MOST_MISSING * (whole + self.missing):
            return None
        masses = dict(self.known)
        for labels, mass in self.begun:
            known = {label: self.known[label] for label in labels}
            shares = known if all(known.values()) else dict.fromkeys(labels, 1.0)
            for label, share in shares.items():
                masses[label] += mass * share / sum(shares.values())
        shared = sum(mass for _, mass in self.begun) + self.other_cuts
        unknown = (shared + self.missing) / (whole + self.missing)
        return Odds({label: mass / told for label, mass in masses.items()}, unknown)
