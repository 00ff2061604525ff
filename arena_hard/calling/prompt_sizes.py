"""How our count of a prompt's tokens compares with the server's: learnt from what it has answered, script by script.

Prompts are mostly counted with another vocabulary than the model's. For texts in Latin letters the two differ little;
in other scripts ours may count four times as many.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

import msgspec

from arena_hard.calling.prompt_tokens import PromptCounter
from arena_hard.calling.providers.base import Message

LATIN = "latin"
_LEAST = {LATIN: 0.8}  # of our count, that any model's vocabulary counts
_LEAST_OF_OTHERS = 0.12
_MOST = 8.0
_FITS, _NEVER_CUT_TO = 0.75, 0.45  # of a length: prompts that certainly fit, and what no server cuts one to
_LOOKED_AT = 400  # characters of a prompt
_LATIN_ENDS, _CJK_BEGINS = 0x280, 0x2E80
_BLOCK = 128  # characters: about what a script has
_OTHER = 0.2  # share of another script's characters from which on a prompt is in it
_KEPT = 4  # prompts of each script: the latest


def script_of(messages: Sequence[Message]) -> str:
    """The script that tells how many tokens a prompt has: `LATIN`, or the name of a block of characters."""
    found: Counter[str] = Counter()
    for message in messages:
        text = message["content"]
        share = max(1, len(messages) * len(text) // _LOOKED_AT)
        looked_at = text[::share]
        if looked_at.isascii():  # as most are
            found[LATIN] += len(looked_at)
        else:
            found.update(map(_block_of, looked_at))
    total, latin = found.total(), found.pop(LATIN, 0)
    return found.most_common(1)[0][0] if total - latin > _OTHER * total else LATIN


def _block_of(character: str) -> str:
    code = ord(character)
    return LATIN if code < _LATIN_ENDS else "cjk" if code >= _CJK_BEGINS else str(code // _BLOCK)


class _Taken(msgspec.Struct):
    """A prompt that was answered, with the server's count and ours (0: not yet counted)."""

    messages: Sequence[Message]
    tokens: int
    ours: int = 0


class PromptSizes(msgspec.Struct):
    """What a model's servers have counted."""

    _taken: dict[str, deque[_Taken]] = {}

    def note(self, messages: Sequence[Message], tokens: int) -> None:
        """A prompt was answered, in which the server has counted so many tokens."""
        taken = self._taken.setdefault(script_of(messages), deque(maxlen=_KEPT))
        if tokens > 0 and not any(each.messages == messages for each in taken):  # a batch's come again and again
            taken.append(_Taken(messages, tokens))

    def ratio(self, messages: Sequence[Message], counter: PromptCounter, cuts_at: int | None) -> float | None:
        """The most tokens for one of ours in prompts of the same script; None where none was answered.

        cuts_at: the length at which the server cuts prompts without a word, if it does: those that it may have cut tell
        nothing. So does a count that no vocabulary comes to. Slow: call it off the event loop.
        """
        script = script_of(messages)
        found: list[float] = []
        for each in list(self._taken.get(script, ())):
            each.ours = each.ours or max(1, counter.count(each.messages))
            is_whole = cuts_at is None or each.ours <= _FITS * cuts_at or each.tokens <= _NEVER_CUT_TO * cuts_at
            if is_whole and least_ratio(script) <= each.tokens / each.ours <= _MOST:
                found.append(each.tokens / each.ours)
        return max(found, default=None)


def least_ratio(script: str) -> float:
    """The fewest tokens that a model may count where we count one."""
    return _LEAST.get(script, _LEAST_OF_OTHERS)
