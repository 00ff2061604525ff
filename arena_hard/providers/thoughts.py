"""Reasoning text that a server leaves inside the answer."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


def split_thought(text: str) -> tuple[str, str | None]:
    """(answer, thought) of a text that may begin with <think>…</think>.

    Some chat templates put <think> into the prompt, so that only </think> is seen; a thought that was
    cut off before its end leaves an empty answer.
    """
    start = text.lstrip()
    if start.startswith(_OPEN):
        thought, closed, answer = start[len(_OPEN) :].partition(_CLOSE)
        return (answer.lstrip("\n"), thought.strip()) if closed else ("", thought.strip())
    if _CLOSE in text and _OPEN not in text:
        thought, _, answer = text.partition(_CLOSE)
        return answer.lstrip("\n"), thought.strip()
    return text, None
