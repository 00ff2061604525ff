"""A verdict from every call: the question for the label alone, and how its answer and the judge's text are read.

The judge reasons as always. Where its text holds no verdict after all attempts, or in each game with `verdict_always`,
the label is asked for in one more turn, which the server lets be nothing else. With `verdict: logprobs` the labels are
asked for by their numbers, so that each is one token, whose probability servers tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from arena_hard.calling.providers.base import RAISE, CallError, Message, Reply
from arena_hard.calling.providers.constraints import chosen
from arena_hard.data.settings import JudgeSettings
from arena_hard.data.verdicts import LABELS, places_of_label, standard_label
from arena_hard.judging.label_in_words import MEANINGS, Answer, read_answer
from arena_hard.judging.label_probabilities import Odds, odds, odds_of_label
from arena_hard.judging.verdict_reading import Reading

ROOM = 256  # tokens for a label and what a server wraps around it, however few a text may have; thoughts need more
QUOTED = 2000  # characters of the end of each of the judge's own texts: enough to name a label by
_QUOTED_TOKENS, _QUESTION_TOKENS = QUOTED // 4, 150
_CUT = "[…] "
_OFF = "turn the judge's thinking off (extra_body in its entry)"
_BY_LABEL = "Now give your final verdict. Answer with one of these labels and nothing else:"
_BY_NUMBER = "Now give your final verdict. Answer with the number of one of these and nothing else:"
_NUMBERS = {str(number): label for number, label in enumerate(LABELS, 1)}


class Said(NamedTuple):
    """A game's verdict, its text, how it was had (Game.verdict_by), and the probabilities where they are known."""

    verdict: str | None
    text: str
    by: str | None = None
    odds: Odds | None = None

    @property
    def probabilities(self) -> dict[str, float] | None:
        """Of the five labels."""
        return self.odds and self.odds.probabilities

    @property
    def unknown(self) -> float | None:
        """The part of them that was shared out."""
        return self.odds and round(self.odds.unknown, 6)


class LabelQuestion(msgspec.Struct, frozen=True):
    """The turn that asks for the label.

    choices: what may be answered, each with its label; room: tokens for it; is_wide: whether max_tokens bounds them.
    """

    messages: list[Message]
    choices: dict[str, str]
    room: int
    is_wide: bool = False

    def answered(self, settings: JudgeSettings, before: Said, reply: Reply) -> Said:
        """The verdict after the answer to it; where this holds none, that of the text before stays."""
        said = self._read(settings, reply)
        if said.choice:
            return self._by_choice(said, before, reply)
        text = f"{before.text}\n{reply.content}"
        if said.label is None:
            return before._replace(text=text)
        known = reply.tokens and said.place is not None
        found = odds_of_label(reply.tokens or (), reply.content, said.place or 0, said.written) if known else None
        return Said(said.label, text, "words", found)

    def unanswered(self, error: CallError) -> str:
        """Why no answer came. Of a judge that thinks only now, max_tokens is not what was too little."""
        if self.is_wide or error.finish_reason is None:
            return error.message
        off = f"{_OFF}, since the question has {self.room} tokens whatever max_tokens is"
        return error.message.replace(f"{RAISE}, or ", "").replace(RAISE, off)

    def _read(self, settings: JudgeSettings, reply: Reply) -> Answer:
        """What it says; a number at the limit of tokens may have been the beginning of anything."""
        is_cut = reply.finish_reason == "length"
        choice = None if is_cut and not reply.form else chosen(reply.content, list(self.choices))
        if choice is None:
            return read_answer(reply.content, settings.patterns, self.choices, is_cut)
        place = reply.content.rfind(choice)
        return Answer(choice=choice, place=place if place >= 0 else None, written=choice)

    def _by_choice(self, said: Answer, before: Said, reply: Reply) -> Said:
        choice = said.written
        label = self.choices[choice]
        found = None
        if reply.tokens and said.place is not None:
            found = odds(reply.tokens, reply.content, said.place, self.choices, choice)
        if found is not None:  # a sampler with penalties or a temperature may have written another than the likeliest
            label = max(found.probabilities, key=lambda each: (found.probabilities[each], each == label))
        return Said(label, f"{before.text}\n[[{label}]]", "constrained" if reply.form else "words", found)


def in_text(settings: JudgeSettings, replies: Sequence[Reply], reading: Reading) -> Said:
    """What the judge's own text says."""
    text = "\n".join(reply.content for reply in replies)
    if settings.verdict == "text" or reading.verdict is None:
        return Said(reading.verdict, text)
    return Said(reading.verdict, text, "text", _odds_in_text(settings.patterns, replies, reading.verdict))


def _odds_in_text(patterns: Sequence[re.Pattern[str]], replies: Sequence[Reply], verdict: str) -> Odds | None:
    """Where the judge has first written its verdict: later it repeats itself."""
    for reply in replies:
        for place, written in places_of_label(reply.content, patterns):
            if standard_label(written) == standard_label(verdict):
                return odds_of_label(reply.tokens, reply.content, place, written) if reply.tokens else None
    return None


def is_to_be_asked(settings: JudgeSettings, said: Said) -> bool:
    """Whether the label is asked for after this text."""
    return settings.verdict != "text" and (said.verdict is None or settings.verdict_always)


def label_question(settings: JudgeSettings, messages: list[Message], replies: Sequence[Reply]) -> LabelQuestion:
    """The question for the label, after the last of these replies; messages: what that one answered.

    Of long texts of the judge's only the end is quoted: with all of them, a text that has filled max_tokens would leave
    a context no room for the question.
    """
    choices = _NUMBERS if settings.verdict == "logprobs" else {f"[[{label}]]": label for label in LABELS}
    thinks = any(map(_thinks, replies))
    room = max(ROOM, settings.max_tokens) if thinks else ROOM
    said = [*messages, {"role": "assistant", "content": replies[-1].content}]
    asked = [{**each, "content": _end(each["content"])} if each["role"] == "assistant" else each for each in said]
    return LabelQuestion([*asked, question_for_label(settings)], choices, room, thinks)


def _end(text: str) -> str:
    return text if len(text) <= QUOTED else f"{_CUT}{text[-QUOTED:]}"


def tokens_beside_prompt(settings: JudgeSettings, reply: int) -> int:
    """About how many tokens a context needs beside the prompt: for the reply, or what the question for the label takes.

    reply: the most that a reply may have.
    """
    if settings.verdict == "text":
        return reply
    quoted = settings.number_of_judgment_attempts * min(reply, _QUOTED_TOKENS)
    return max(reply, quoted + _QUESTION_TOKENS + ROOM)


def question_for_label(settings: JudgeSettings) -> Message:
    """What the judge is asked."""
    if settings.verdict == "logprobs":
        lines = [_BY_NUMBER, *(f"{number}. {MEANINGS[label]}: [[{label}]]" for number, label in _NUMBERS.items())]
    else:
        lines = [_BY_LABEL, *(f"[[{label}]]: {meaning}" for label, meaning in MEANINGS.items())]
    return {"role": "user", "content": "\n".join(lines)}


def _thinks(reply: Reply) -> bool:
    return bool(reply.thought or reply.usage and reply.usage.reasoning_tokens)


def asking_notes(settings: JudgeSettings) -> list[str]:
    """What a plan says of the question."""
    if settings.verdict == "text":
        return []
    when = "in each game" if settings.verdict_always else "where a judge's text holds no verdict"
    return [f"verdict: {settings.verdict}: {when}, the label alone is asked for in one more request."]
