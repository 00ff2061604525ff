"""The label in an answer to the question for it, from a server that takes no constraint.

The label in brackets counts wherever it stands, as in the judge's own text. A bare label or a number does only where
it is the answer: where no other words stand beside it, or where it follows words such as "my verdict is".
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from arena_hard.data.verdicts import LABELS, places_of_label, standard_label
from arena_hard.judging.verdict_reading import read_verdict

MEANINGS: dict[str, str] = dict(
    zip(
        LABELS,
        (
            "Assistant A is significantly better",
            "Assistant A is slightly better",
            "both are relatively the same",
            "Assistant B is slightly better",
            "Assistant B is significantly better",
        ),
    )
)
_IN_BRACKETS = re.compile(r"\[\[([^\[\]]+)\]\]")  # as the question has it, whatever the setting file's pattern is
_BARE = re.compile(r"(?<![\w<>=])([AB]\s*(?:<{1,2}|>{1,2}|=)\s*[AB])(?![\w<>=])", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,/%-])(\d)(?:\.0+)?(?![\w/%]|[.,-]\d)")  # 2 and 2.0; not that of 2.5, 2/5 and 2-3
_ESCAPED = re.compile(r"\\u(00[23][0-9a-f])", re.IGNORECASE)  # how some servers write > in JSON
_BACKSLASH = re.compile(r"\\(?=[<>=\[\]])")  # and others in Markdown
_TAG = re.compile(r"<(/?)([a-z][a-z_-]+)>", re.IGNORECASE)
_AROUND = " \t\r\n\"'`*_#$.:;,!(){}"  # what may stand between a label and the start or the end of a reply
# What an answer follows: a noun with a colon or an "is", a verb, a noun by itself. "Answer 2" may be the second one's.
_LED = re.compile(
    r"""\b(?:(?:verdict|answer|choice|decision|selection|judge?ment|conclusion|label|option|number)s?\b
        [^\w.!?;]*(?:[:=\n][^\w.!?;]*|\b(?:is|would\ be|will\ be|should\ be)\b[^\w.!?;]*)
        |(?:choose|chose|pick|select|go\ with|option|number|label)\b[^\w.!?;]*)
        (?:(?:the|my|final|option|number|label|verdict|answer|is)\b[^\w.!?;]*)*\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_LEADS = 60  # characters before an answer in which such words are looked for
_NUMBER_ENDS = re.compile(r"(?![^\S\n]*[\w+])|\s+(?:because|since|as)\b", re.IGNORECASE)  # "2 errors" is no answer
_LABEL_ENDS = re.compile(r"(?!\W*(?:or|nor|and|vs|versus|not)\b)", re.IGNORECASE)
_FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a an the is it its be my i d ll s m would will say so that this think final finally verdict answer option"
        " choice label number no judgment judgement decision conclusion therefore thus hence tie json text boxed choose"
        " chose pick select give go with for me overall ok okay sure here result",
    )
)


class Answer(NamedTuple):
    """What an answer says: a label, or one of the choices, such as a number; place: in the answer, where it is known.

    written: the label or number as it stands there.
    """

    label: str | None = None
    choice: str | None = None
    place: int | None = None
    written: str = ""


def read_answer(
    text: str, patterns: Sequence[re.Pattern[str]], choices: Mapping[str, str], is_cut: bool = False
) -> Answer:
    """The one label or number that an answer gives; nothing where there are two that differ.

    patterns: the setting file's, which come first; choices: what may be answered, each with its label. is_cut: whether
    the answer came to its limit of tokens: then a label in brackets counts that it begins or ends with.
    """
    plain = _plain(text)
    found = _read(plain, (*patterns, _IN_BRACKETS), choices, is_cut)
    return found if plain == text or found.place is None else found._replace(place=_only_place(text, found.written))


def _only_place(text: str, written: str) -> int | None:
    return text.index(written) if text.count(written) == 1 else None


def _plain(text: str) -> str:
    """A text without the signs and tags that programs put in the place of others."""
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), html.unescape(text))
    text = _BACKSLASH.sub("", unicodedata.normalize("NFKC", text))
    return _TAG.sub(lambda tag: f" {tag[2]}: " if tag[2].lower() in _FILLERS and not tag[1] else " ", text)


def _read(text: str, patterns: Sequence[re.Pattern[str]], choices: Mapping[str, str], is_cut: bool) -> Answer:
    reading = read_verdict(text, patterns)
    numbers = [] if is_cut else _numbers(text, choices)
    meant = {choices[number[1]] for number in numbers}
    if reading.missing:
        labels = [] if is_cut else _labels(text)
        meant |= {str(standard_label(label[1])) for label in labels}
        if len(meant) != 1:
            return Answer()
        if labels:
            return Answer(label=meant.pop(), place=labels[0].start(1), written=labels[0][1])
        return Answer(choice=numbers[0][1], place=numbers[0].start(1), written=numbers[0][1])
    label = standard_label(reading.verdict)
    if label is None or meant - {label} or (is_cut and not _is_at_an_end(text, patterns)):
        return Answer()
    place, written = next(each for each in places_of_label(text, patterns) if standard_label(each[1]) == label)
    return Answer(label=reading.verdict, place=place, written=written)


def _is_at_an_end(text: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    found = (match for pattern in patterns for match in pattern.finditer(text) if standard_label(match[1]))
    beside = ((text[: match.start()], text[match.end() :]) for match in found)
    return any(not side.strip(_AROUND) for sides in beside for side in sides)


def _labels(text: str) -> list[re.Match[str]]:
    """The labels without brackets, those first that are the answer; none where none is."""
    found = {match: label for match in _BARE.finditer(text) if (label := standard_label(match[1]))}
    answers = _answers(text, found, _LABEL_ENDS)
    return answers and [*answers, *found]


def _numbers(text: str, choices: Mapping[str, str]) -> list[re.Match[str]]:
    """The numbers that are choices, and answers."""
    found = {match: choices[match[1]] for match in _NUMBER.finditer(text) if match[1] in choices}
    return _answers(text, found, _NUMBER_ENDS)


def _answers(text: str, found: Mapping[re.Match[str], str], ends: re.Pattern[str]) -> list[re.Match[str]]:
    """Those that are all that a text says, or that follow words as an answer does; found: each with its label."""
    alone = {label for label in set(found.values()) if _is_all(text, label)}
    return [match for match, label in found.items() if label in alone or _follows_words(match, ends)]


def _follows_words(match: re.Match[str], ends: re.Pattern[str]) -> bool:
    before = match.string[max(0, match.start() - _LEADS) : match.start()]
    return _LED.search(before) is not None and ends.match(match.string, match.end()) is not None


def _is_all(text: str, label: str) -> bool:
    """Whether nothing else stands in a text than labels, their numbers and what the label means."""
    for said in (_IN_BRACKETS, _BARE, _NUMBER, re.compile(MEANINGS[label], re.IGNORECASE)):
        text = said.sub(" ", text)
    return all(word.lower() in _FILLERS for word in re.findall(r"\w+", text))
