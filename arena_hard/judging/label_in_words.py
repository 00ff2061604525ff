"""The label in an answer to the question for it, from a server that takes no constraint.

A wrong label is far worse than none, so nothing is searched for inside sentences. The label in brackets counts wherever
it stands, as in the judge's own text. A bare label, a number or an option's own words count only where they are the
whole answer, or its last line, with no more before them than words such as "my verdict is".
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from arena_hard.calling.providers.template_remains import without_end
from arena_hard.data.verdicts import LABELS, outcome, places_of_label, standard_label
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
_ESCAPED = re.compile(r"\\u(00[23][0-9a-f])", re.IGNORECASE)  # how some servers write > in JSON
_BACKSLASH = re.compile(r"\\(?=[<>=\[\]])")  # and others in Markdown
_TAG = re.compile(r"<(/?)([a-z][a-z_-]+)>", re.IGNORECASE)
_MARKUP = re.compile(r"```\w*|\\(?:boxed|text|textbf|mathbf)\b|[*`\"“”#(){}\[\]]|(?<!\w)[_'‘’]|[_'‘’](?!\w)")
_FORMULA = re.compile(r"\$([^$\n]*)\$")
_AROUND = " \t\r\n\"'`*_#$.:;,!(){}"  # what may stand between a label and the start or the end of a reply

_NOUN = r"(?:verdict|label|choice|decision|selection|judge?ment|option)"
# What an answer may follow. "The answer is 2" may be what the question asked for, "answer 2" the second assistant's.
_LEAD = re.compile(
    rf"""\s*(?:(?:so|therefore|thus|hence|overall|finally|okay|ok|sure)\b[\s,:]*)?(?:
        (?:here\ is\s+|this\ is\s+)?(?:(?P<my>my)\s+|the\s+)?(?:(?:final|correct|overall)[\s_]+)*
            (?:{_NOUN}|(?P<answer>answer|conclusion|result))\s*
            (?:[:=]|(?P<is>(?:is|would\ be|will\ be)\b)\s*:?)\s*(?:that\s+|the\s+)?
        |i(?:\ would|\ will|['’]d|['’]ll)?\s+(?:choose|pick|select|go\ with)\b\s*:?\s*(?:the\s+)?
        |(?P<it>it(?:\ is|['’]s)|i(?:\ would|['’]d)\ say)\b\s*:?\s*
    )?""",
    re.VERBOSE | re.IGNORECASE,
)
_LABEL = re.compile(r"(?<![\w<>=])([AB]\s*(?:<{1,2}|>{1,2}|=)\s*[AB])(?![\w<>=]|\s*[<>=])", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<named>(?:option|choice|number|label|verdict|no\.)\s*:?\s*)?(\d)(?:\.0+)?(?![\w%/])", re.I)
_MEANING = re.compile(
    "|".join(rf"({each.replace('Assistant ', '(?:Assistant )?')})\b" for each in MEANINGS.values()), re.I
)
_TAGGED = re.compile(rf"(?:final_)?(?:{_NOUN}|answer)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s.,:;!–—-]*")  # the parts of an answer, and its end
_NOT = re.compile(r"\b(?:not|never|neither|nor|cannot|rather than|instead of)\b|n['’]t\b", re.IGNORECASE)
_NOT_BEFORE = re.compile(rf"(?:{_NOT.pattern})\W+(?:\w+\W+){{0,3}}\Z", re.IGNORECASE)
_TAKEN_BACK = re.compile(  # in the sentence of a label in brackets, or behind it
    r"\b(?:wrong|incorrect|mistake\w*|retract\w*|withdr[ae]w\w*|no longer|previous\w*|earlier|initial\w*|originally|"
    r"former\w*|"
    r"too (?:strong|weak)|chang\w+|reconsider\w*|instead|rather|wait|wrote|between|or)\b|~~|\?",
    re.IGNORECASE,
)
_WINNER = re.compile(
    r"\b([AB])(?:['’]s\s+\w+)?\s+(?:wins|won|(?:is|was)\s+(?:\w+\s+){0,2}(?:better|best|superior|stronger|winner))\b",
    re.IGNORECASE,
)
_EXPLAINS = re.compile(r"\s*(?:brief\s+)?(?:explanation|reason(?:ing|s)?|rationale|justification)\b\W*:", re.IGNORECASE)
_CHOOSING = re.compile(rf"\b(?:{_NOUN}|choose|chose|pick|select)", re.IGNORECASE)
_CHOSEN = re.compile(rf"{_CHOOSING.pattern}\w*\b[^.!?\n]{{0,40}}?(?<![\w.,/-])(\d)(?![\w/%]|[.,]\d)", re.IGNORECASE)
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+")


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
    found = None if is_cut else _whole(_bare(plain), choices)
    if found is None:
        found = _in_brackets(plain, (*patterns, _IN_BRACKETS), choices, is_cut)
    if found is None and not is_cut:
        found = _last_line(_bare(plain), choices) or _first_line(_bare(plain), choices)
    found = found or Answer()
    return found if plain == text or found.place is None else found._replace(place=_only_place(text, found.written))


def _only_place(text: str, written: str) -> int | None:
    return text.index(written) if text.count(written) == 1 else None


def _plain(text: str) -> str:
    """A text without the signs and tags that programs put in the place of others."""
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), html.unescape(without_end(text)))
    text = _BACKSLASH.sub("", unicodedata.normalize("NFKC", text))
    return _TAG.sub(lambda tag: f" {tag[2]}: " if _TAGGED.fullmatch(tag[2]) and not tag[1] else " ", text)


def _bare(text: str) -> str:
    """A text with blanks in the place of markup, so that everything stays where it is."""
    text = _MARKUP.sub(lambda match: " " * len(match[0]), text)
    return _FORMULA.sub(lambda match: f" {match[1]} ", text)


class _Part(NamedTuple):
    """A part of an answer: its kind, the label it means, what is written, and where."""

    kind: str
    label: str
    written: str
    place: int


def _whole(text: str, choices: Mapping[str, str]) -> Answer | None:
    """What a text says that is an answer and nothing else: the first of its parts. None for any other text."""
    parts = _parts(text, choices)
    if not parts:
        return None
    if len({part.label for part in parts}) > 1:
        return Answer()
    written = [part for part in parts if part.kind != "meaning"]
    if not written:
        return Answer(label=parts[0].label)
    first = written[0]
    if first.kind == "number":
        return Answer(choice=first.written, place=first.place, written=first.written)
    return Answer(label=first.label, place=first.place, written=first.written)


def _parts(text: str, choices: Mapping[str, str]) -> list[_Part]:
    """The parts of a text that is an answer and nothing else, each of another kind; none of any other text."""
    lead = _LEAD.match(text)
    assert lead is not None  # it may be empty
    is_of_task = bool(lead["answer"] and lead["is"] and not lead["my"]) or bool(lead["it"])
    parts: list[_Part] = []
    at = lead.end()
    while at < len(text):
        part, end = _part(text, at, choices, only_named=is_of_task)
        if part is None or any(part.kind == each.kind for each in parts):
            return []
        parts.append(part)
        between = _BETWEEN.match(text, end)
        at = between.end() if between else end
    return parts


def _part(text: str, at: int, choices: Mapping[str, str], only_named: bool) -> tuple[_Part | None, int]:
    """The part that begins at a place, and its end. only_named: whether a number counts only as "option N"."""
    if label := _LABEL.match(text, at):
        return _Part("label", str(standard_label(label[1])), label[1], label.start(1)), label.end()
    if meaning := _MEANING.match(text, at):
        return _Part("meaning", LABELS[(meaning.lastindex or 1) - 1], meaning[0], at), meaning.end()
    number = _NUMBER.match(text, at)
    if number and number[2] in choices and (number["named"] or not only_named):
        return _Part("number", choices[number[2]], number[2], number.start(2)), number.end()
    return None, at


def _last_line(text: str, choices: Mapping[str, str]) -> Answer | None:
    """What the last line says, with the words that lead to it, where nothing before it says or denies anything."""
    text = text.rstrip()
    at = text.rfind("\n") + 1
    before = text[:at].rstrip()
    lead = _LEAD.match(text, at)
    if before and before[-1] not in ".!?" and not (lead and lead[0].strip()):  # a sentence that it ends
        at = before.rfind("\n") + 1
        at = max([at, *(end.end() for end in _SENTENCE_ENDS.finditer(before, at))])
    found = _whole(text[at:], choices) if before else None
    label = found and (found.label or choices.get(found.choice or ""))
    if found is None or label is None:
        return None
    if _speaks_against(text[:at], label, choices):
        return None
    return found if found.place is None else found._replace(place=at + found.place)


def _first_line(text: str, choices: Mapping[str, str]) -> Answer | None:
    """What the first line says, where nothing but its explanation follows, which says and denies nothing else."""
    line, _, below = text.lstrip().partition("\n")
    found = _whole(line, choices) if _EXPLAINS.match(below) else None
    label = found and (found.label or choices.get(found.choice or ""))
    if found is None or label is None or _speaks_against(below, label, choices):
        return None
    return found._replace(place=None)


def _speaks_against(text: str, label: str, choices: Mapping[str, str]) -> bool:
    """Whether a text beside a label names another, denies one, or calls somebody else the winner."""
    return any(each != label for each in _said_in(text, choices)) or _denies(text) or _has_other_winner(text, label)


def _has_other_winner(text: str, label: str) -> bool:
    """Whether a text says that one of the two is better whom a label does not name first."""
    wins = outcome(label).winner
    return any(winner[1].upper() != wins for winner in _WINNER.finditer(text))


def _said_in(text: str, choices: Mapping[str, str]) -> Iterator[str]:
    """The labels that a text names, and the numbers that it chooses."""
    yield from (str(standard_label(label[1])) for label in _LABEL.finditer(text))
    yield from (LABELS[(meaning.lastindex or 1) - 1] for meaning in _MEANING.finditer(text))
    yield from _chosen_in(text, choices)


def _chosen_in(text: str, choices: Mapping[str, str]) -> Iterator[str]:
    """The labels of the numbers that a text chooses, in a line of its own or after words that do."""
    yield from (choices[number[1]] for number in _CHOSEN.finditer(text) if number[1] in choices)
    yield from (part.label for line in text.splitlines() for part in _parts(line, choices))


def _denies(text: str) -> bool:
    """Whether a sentence says what is not chosen, or begins to."""
    sentences = _SENTENCE_ENDS.split(text)
    return any(_NOT.search(each) and (_CHOOSING.search(each) or _LABEL.search(each)) for each in sentences)


def _in_brackets(
    text: str, patterns: Sequence[re.Pattern[str]], choices: Mapping[str, str], is_cut: bool
) -> Answer | None:
    """The label in brackets; None where there is none, and nothing where there are several, or it is denied."""
    reading = read_verdict(text, patterns)
    if reading.missing:
        return None
    label = standard_label(reading.verdict)
    if label is None or (is_cut and not _is_at_an_end(text, patterns)):
        return Answer()
    place, written = next(each for each in places_of_label(text, patterns) if standard_label(each[1]) == label)
    beside = "\n".join(_bare(_IN_BRACKETS.sub("\n", line)) for line in text.splitlines())
    if not is_cut and (any(each != label for each in _said_in(beside, choices)) or _has_other_winner(beside, label)):
        return Answer()
    if _NOT_BEFORE.search(_bare(text[:place])) or _TAKEN_BACK.search(_from_its_sentence(text, place)):
        return Answer()
    return Answer(label=reading.verdict, place=place, written=written)


def _from_its_sentence(text: str, place: int) -> str:
    """A text from the start of the sentence, or line, in which a place lies, without what is in brackets."""
    starts = [0, *(end.end() for end in re.finditer(r"[.!?]\s+|\n", text[:place]))]
    return _IN_BRACKETS.sub(" ", text[starts[-1] :])


def _is_at_an_end(text: str, patterns: Sequence[re.Pattern[str]]) -> bool:
    found = (match for pattern in patterns for match in pattern.finditer(text) if standard_label(match[1]))
    beside = ((text[: match.start()], text[match.end() :]) for match in found)
    return any(not side.strip(_AROUND) for sides in beside for side in sides)
