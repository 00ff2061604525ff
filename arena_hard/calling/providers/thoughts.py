"""Thoughts that a server leaves inside the answer, told apart by the tags that models write around them.

Answers speak of these tags too. What stands in code, between quotes or in the middle of a sentence stays the answer's.
"""

from __future__ import annotations

import bisect
import itertools
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class _Spelling:
    """The tags around a thought; `around`: those that some models put around the answer after it."""

    opening: re.Pattern[str]
    closing: re.Pattern[str]
    around: tuple[str, str] | None = None


def _spelling(opening: str, closing: str, around: tuple[str, str] | None = None) -> _Spelling:
    first, last = (re.compile(re.escape(tag), re.IGNORECASE) for tag in (opening, closing))
    return _Spelling(first, last, around)


_SPELLINGS = (
    _spelling("<think>", "</think>"),
    _spelling("<thinking>", "</thinking>"),
    _spelling("<thought>", "</thought>"),  # Gemini behind its OpenAI interface
    _spelling("<seed:think>", "</seed:think>"),
    _spelling("[THINK]", "[/THINK]"),
    _spelling("◁think▷", "◁/think▷"),
    _spelling("<|begin_of_thought|>", "<|end_of_thought|>", ("<|begin_of_solution|>", "<|end_of_solution|>")),
    _spelling("<|START_THINKING|>", "<|END_THINKING|>", ("<|START_RESPONSE|>", "<|END_RESPONSE|>")),
)
_BARE_FINAL = "assistantfinal"
_SIGNS = ("<", "[", "◁", _BARE_FINAL)  # one of them is in every text that has a tag; found fast
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_ENDS_A_LINE = re.compile(r"[ \t]*\r?\n")
_MOST_QUOTED = 20  # tags that are looked at; a model that repeats itself writes thousands
_SENTENCE_END = tuple(".!?…。！？:;)]}\"'”’»*`$|")
_OPENING_QUOTE = tuple("`\"'“„«‘([{")
_MARKUP = tuple("#*$\\|[{-")

# the channels of the harmony format, as they are and as a server leaves them that takes special tokens out
_FINAL_CHANNEL = re.compile(
    r"(?:<\|end\|>\s*)?(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*final\b[^\n]{0,80}?<\|message\|>"
)
_FIRST_CHANNEL = re.compile(r"\s*(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*\w+")
_CHANNEL_TAGS = re.compile(
    r"<\|start\|>\s*assistant|<\|channel\|>\s*\w+(?:[^\n<]{0,80}(?=<\|))?|<\|constrain\|>\s*\w+|<\|(?:message|end|call)\|>"
)
_LAST_TAG = re.compile(r"<\|(?:return|end)\|>\s*\Z")
_BARE_CHANNELS = re.compile(r"\s*analysis(?=[^\sa-z])(.*?)assistantfinal(.*)", re.DOTALL)

_LIKE_AN_OPENING = re.compile(
    r"\s*(<\|?[\w:-]{0,20}(?:think|thought|reason|reflect|scratchpad|analysis|monologue|deliberat)[\w:-]{0,20}\|?>"
    r"|\[(?:THINK|THINKING|REASONING)\]|<\|?channel\|?>|<unused\d+>|(?-i:analysis(?=[A-Z])))",
    re.IGNORECASE,
)
_LIKE_A_CLOSING = re.compile(
    r"[<◁\[](?:/(?:\w+:)?(?:[Tt]hink(?:ing)?|THINK|[Tt]houghts?|[Rr]easoning|[Rr]eflection)[>▷\]]"
    r"|\|(?:end_of_thought|END_THINKING|channel)\|>)"
)


def split_thought(
    text: str, has_own_field: bool = False, end_token: str | None = None, pattern: re.Pattern[str] | None = None
) -> tuple[str, str | None]:
    """(answer, thought) of a text; nothing but the tags is lost.

    has_own_field: the server sent the thought apart, so only a whole thought at the beginning is one.
    end_token, pattern: the config's own; what stands before the token, and what the pattern finds (its first group
    where it has one), is the thought.
    A thought that was cut off before its end leaves an empty answer.
    """
    found = list(pattern.finditer(text)) if pattern else []
    if found:
        thoughts = [each[1] if each.re.groups and each[1] is not None else each[0] for each in found]
        return _without(text, [each.span() for each in found]), _joined(thoughts)
    if end_token and end_token in text:
        thought, _, answer = text.partition(end_token)
        return answer.lstrip("\r\n"), _without_opening(thought)
    if not _may_hold_one(text):
        return text, None
    return _channels(text, has_own_field) or _tagged(text, has_own_field)


def suspected_thought(answer: str, has_thought: bool) -> str | None:
    """What looks like a thought that is still in an answer: its tag. None where nothing does.

    has_thought: a thought was found, so that a closing tag alone is most likely spoken of.
    """
    if not _may_hold_one(answer):
        return None
    opening = _LIKE_AN_OPENING.match(answer)
    if opening:
        return opening[1]
    code = _Code(answer)
    for closing in () if has_thought else _LIKE_A_CLOSING.finditer(answer):
        if not code.holds(closing) and not answer.endswith(_OPENING_QUOTE, 0, closing.start()):
            return closing[0]
    return _BARE_FINAL if _BARE_FINAL in answer and not has_thought else None


def _may_hold_one(text: str) -> bool:
    return any(sign in text for sign in _SIGNS) or text.lstrip().startswith("analysis")


# ------------------------------------------------------------------------------------------ channels


def _channels(text: str, has_own_field: bool) -> tuple[str, str | None] | None:
    """The answer is what the final channel holds; a text of other channels alone is a thought. None: no channels."""
    bare = _BARE_CHANNELS.fullmatch(text)
    if bare:
        return bare[2].lstrip("\r\n"), bare[1].strip()
    first = _FIRST_CHANNEL.match(text)
    if not first and (has_own_field or "<|channel|>" not in text):
        return None
    code = _Code(text)
    final = next((each for each in _FINAL_CHANNEL.finditer(text) if not code.holds(each)), None)
    if final:
        thought = _CHANNEL_TAGS.sub("\n", text[: final.start()])
        return _LAST_TAG.sub("", text[final.end() :]), _joined([thought])
    return None if has_own_field or not first else ("", _joined([_CHANNEL_TAGS.sub("\n", text)]))


# ---------------------------------------------------------------------------------------------- tags


def _tagged(text: str, has_own_field: bool) -> tuple[str, str | None]:
    code = _Code(text)
    for spelling in _SPELLINGS:
        if spelling.opening.match(text, _after_blanks(text, 0)):
            return _opened(code, spelling, has_own_field)
    if has_own_field:
        return text, None
    return next(filter(None, (_unopened(code, spelling) for spelling in _SPELLINGS)), (text, None))


def _opened(code: _Code, spelling: _Spelling, has_own_field: bool) -> tuple[str, str | None]:
    """A text that begins with one thought or more."""
    text, at = code.text, 0
    thoughts: list[str] = []
    while opening := spelling.opening.match(text, _after_blanks(text, at)):
        closings = list(itertools.islice(spelling.closing.finditer(text, opening.end()), _MOST_QUOTED))
        if not closings and has_own_field:
            return (text[at:].lstrip("\r\n"), _joined(thoughts)) if thoughts else (text, None)
        if not closings:
            return "", _joined([*thoughts, text[opening.end() :]])
        # the first closing tag that the thought does not merely quote
        closing = next((each for each in closings if not code.holds(each, opening.end())), closings[0])
        thoughts.append(text[opening.end() : closing.start()])
        at = closing.end()
    rest, later = (text[at:], []) if has_own_field else _later(text[at:], spelling)
    return _unwrapped(rest.lstrip("\r\n"), spelling), _joined([*thoughts, *later])


def _later(rest: str, spelling: _Spelling) -> tuple[str, list[str]]:
    """Further thoughts within an answer: each from the beginning of a line to its closing tag, and not in code."""
    code, end = _Code(rest), 0
    spans: list[tuple[int, int]] = []
    for opening in spelling.opening.finditer(rest):
        closing = spelling.closing.search(rest, opening.end())
        if closing is None:
            break
        begins_line = not rest[rest.rfind("\n", 0, opening.start()) + 1 : opening.start()].strip()
        if begins_line and opening.start() >= end and not code.holds(opening):
            end = closing.end()
            spans.append((opening.start(), end))
    thoughts = [spelling.opening.sub("", spelling.closing.sub("", rest[slice(*span)]), count=1) for span in spans]
    return _without(rest, spans), thoughts


def _unopened(code: _Code, spelling: _Spelling) -> tuple[str, str | None] | None:
    """Some chat templates put the opening tag into the prompt, so that only the closing one is seen."""
    text = code.text
    closings = list(itertools.islice(spelling.closing.finditer(text), _MOST_QUOTED))
    closings = [each for each in closings if not code.holds(each)]
    if len(closings) != 1 or any(not code.holds(each) for each in spelling.opening.finditer(text)):
        return None
    before, after = text[: closings[0].start()], text[closings[0].end() :]
    if not _ends_a_thought(before, after):
        return None
    return _unwrapped(after.lstrip(" \t").lstrip("\r\n"), spelling), before.strip()


def _unwrapped(answer: str, spelling: _Spelling) -> str:
    """The answer without the tags that some models put around it after a thought."""
    if spelling.around is None or not answer.lstrip().startswith(spelling.around[0]):
        return answer
    return answer.lstrip().removeprefix(spelling.around[0]).strip().removesuffix(spelling.around[1]).rstrip()


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _ends_a_thought(before: str, after: str) -> bool:
    """Whether a closing tag ends a thought here, or a sentence speaks of it."""
    line = before.rpartition("\n")[2]
    begins_line = not line.strip()
    if _ENDS_A_LINE.match(after) or not after.strip():
        return bool(_ENDS_A_LINE.match(after)) or begins_line
    ends_sentence = line.rstrip().endswith(_SENTENCE_END)
    attached = line == line.rstrip()
    if after[0].isspace():
        return (begins_line or attached and ends_sentence) and _begins_an_answer(after.lstrip(), glued=False)
    return (begins_line or attached or ends_sentence) and _begins_an_answer(after, glued=True)


def _begins_an_answer(after: str, glued: bool) -> bool:
    """Whether this begins a text of its own; what follows a space and goes on in small letters is a sentence's rest."""
    if after.startswith(_MARKUP) or after.startswith("<") and not after.startswith("</"):
        return True
    return after[0].isalnum() and (glued or not after[0].islower())


class _Code:
    """Where a text holds code."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._fences = [fence.start() for fence in _FENCE.finditer(text)]

    def holds(self, tag: re.Match[str], since: int = 0) -> bool:
        """Whether a tag stands in a block of code, which has as many ends as beginnings, or in code within a line.

        since: where the part of the text begins that counts.
        """
        first, here = bisect.bisect_left(self._fences, since), bisect.bisect_left(self._fences, tag.start())
        if (here - first) % 2 and (len(self._fences) - here) % 2:
            return True
        begin, end = self.text.rfind("\n", since, tag.start()) + 1, self.text.find("\n", tag.end())
        before = self.text.count("`", max(begin, since), tag.start())
        return before % 2 == 1 and self.text.find("`", tag.end(), len(self.text) if end < 0 else end) >= 0


def _without_opening(thought: str) -> str:
    start = thought.strip()
    opening = next((found for spelling in _SPELLINGS if (found := spelling.opening.match(start))), None)
    return start[opening.end() :].strip() if opening else start


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text without these parts, which are in order."""
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts)).lstrip("\r\n")


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(filter(None, (each.strip() for each in thoughts)))
