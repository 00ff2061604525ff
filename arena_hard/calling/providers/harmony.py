"""The channels of the harmony format, as they are and as a server leaves them that takes special tokens out."""

from __future__ import annotations

import re

from arena_hard.calling.providers.thought_tags import Code

_FINAL = re.compile(r"(?:<\|end\|>\s*)?(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*final\b[^\n]{0,80}?<\|message\|>")
_FIRST = re.compile(r"\s*(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*\w+")
_TAGS = re.compile(
    r"<\|start\|>\s*assistant|<\|channel\|>\s*\w+(?:[^\n<]{0,80}(?=<\|))?|<\|constrain\|>\s*\w+|<\|(?:message|end|call)\|>"
)
# a message of the model's after its first final one; the role of another ends the reply
_FURTHER = re.compile(
    r"(?:<\|end\|>\s*)?<\|start\|>\s*assistant\s*(?:<\|channel\|>\s*(\w+)[^\n]{0,80}?)?<\|message\|>"
    r"|(?:<\|end\|>\s*)?<\|start\|>\s*(?!assistant)\w"
)
_LAST_TAG = re.compile(r"<\|(?:return|end)\|>\s*\Z")
_BARE = re.compile(r"\s*analysis(?=[^\sa-z])(.*?)assistantfinal(.*)", re.DOTALL)


def split_channels(text: str, code: Code, has_own_field: bool) -> tuple[str, str] | None:
    """(answer, thought): the answer is what the final channel holds; without one all is a thought. None: no channels.

    has_own_field: the server sent the thought apart, so only a text that begins with a channel has any.
    """
    bare = _BARE.fullmatch(text)
    if bare:
        return bare[2].lstrip("\r\n"), bare[1].strip()
    first = _FIRST.match(text)
    if not first and (has_own_field or "<|channel|>" not in text):
        return None
    final = next((each for each in _FINAL.finditer(text) if not code.holds(*each.span())), None)
    if final:
        answer, later = _messages(code, final.end())
        thoughts = [_TAGS.sub("\n", text[: final.start()]).strip(), *later]
        return _LAST_TAG.sub("", answer), "\n\n".join(filter(None, thoughts))
    return None if has_own_field or not first else ("", _TAGS.sub("\n", text).strip())


def _messages(code: Code, start: int) -> tuple[str, list[str]]:
    """(answer, thoughts) of what a first final channel begins: other final ones belong to the answer too."""
    text, is_final = code.text, True
    answers: list[str] = []
    thoughts: list[str] = []
    for further in _FURTHER.finditer(text, start):
        if code.holds(*further.span()):
            continue
        (answers if is_final else thoughts).append(text[start : further.start()].strip())
        start, is_final = further.end(), further[1] in (None, "final")
        if not further[0].endswith("<|message|>"):
            return "\n\n".join(filter(None, answers)) + text[further.start() :], list(filter(None, thoughts))
    if not answers:
        return text[start:], []
    (answers if is_final else thoughts).append(_LAST_TAG.sub("", text[start:]).strip())
    return "\n\n".join(filter(None, answers)), list(filter(None, thoughts))
