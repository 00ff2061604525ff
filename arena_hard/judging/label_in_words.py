"""The label in an answer to the question for it, from a server that takes no constraint."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from arena_hard.data.verdicts import standard_label
from arena_hard.judging.verdict_reading import read_verdict

_IN_BRACKETS = re.compile(r"\[\[([^\[\]]+)\]\]")  # as the question has it, whatever the setting file's pattern is
_BARE = re.compile(r"(?<![\w<>=])([AB]\s*(?:<{1,2}|>{1,2}|=)\s*[AB])(?![\w<>=])", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ESCAPED = re.compile(r"\\u(00[23][0-9a-f])", re.IGNORECASE)  # how some servers write > in JSON


class Answer(NamedTuple):
    """What an answer says: a label, or one of the choices, such as a number."""

    label: str | None = None
    choice: str | None = None


def read_answer(text: str, patterns: Sequence[re.Pattern[str]], choices: Mapping[str, str]) -> Answer:
    """The one label or number in an answer; nothing where there are two that differ.

    patterns: the setting file's, which come first; choices: what may be answered, each with its label.
    """
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), html.unescape(text))
    reading = read_verdict(text, (*patterns, _IN_BRACKETS))
    if not reading.missing:
        return Answer(reading.verdict)
    labels = {label for label in map(standard_label, _BARE.findall(text)) if label}
    numbers = set(_NUMBER.findall(text))
    number = numbers.pop() if len(numbers) == 1 else None
    meant = choices.get(number or "")
    if not labels:
        return Answer(choice=number) if meant else Answer()
    return Answer(labels.pop()) if len(labels | {meant or min(labels)}) == 1 else Answer()


def places(patterns: Sequence[re.Pattern[str]]) -> tuple[re.Pattern[str], ...]:
    """The patterns that find the label of an answer in its text."""
    return (*patterns, _IN_BRACKETS, _BARE)
