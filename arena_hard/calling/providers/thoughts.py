"""Reasoning text that a server leaves inside the answer."""

from __future__ import annotations

import re

_OPEN, _CLOSE = "<think>", "</think>"
_ENDS_ITS_LINE = re.compile(r"</think>[ \t]*(?=\r?\n)|(?m:^)[ \t]*</think>\s*\Z")


def split_thought(text: str, has_own_field: bool = False) -> tuple[str, str | None]:
    """(answer, thought) of a text that may begin with <think>…</think>; nothing but the tags is lost.

    has_own_field: the server sent the thought apart, so what else looks like one is the answer's.
    A thought that was cut off before its end leaves an empty answer.
    """
    start = text.lstrip()
    if start.startswith(_OPEN):
        thought, closed, answer = start[len(_OPEN) :].partition(_CLOSE)
        if closed:
            return answer.lstrip("\r\n"), thought.strip()
        return (text, None) if has_own_field else ("", thought.strip())
    # Some chat templates put <think> into the prompt, so that only </think> is seen. An answer that
    # speaks of the tag has it within a line, or more than once.
    if has_own_field or _OPEN in text or text.count(_CLOSE) != 1:
        return text, None
    end = _ENDS_ITS_LINE.search(text)
    return (text[end.end() :].lstrip("\r\n"), text[: end.start()].strip()) if end else (text, None)
