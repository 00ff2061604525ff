"""Chat templates that show through: the tokens that should have ended a reply, and turns that a model invents."""

from __future__ import annotations

import re

_END_TOKENS = (
    r"<\|(?:im_end|eot_id|eom_id|end_of_text|endoftext|end|return|end_of_turn|endofturn|EOT|eos|user|END_OF_TURN_TOKEN)\|>"
    r"|</s>|<end_of_turn>|<eos>|<｜end▁of▁sentence｜>|\[\|endofturn\|\]|\[/?INST\]"
)
_AT_THE_END = re.compile(rf"({_END_TOKENS})\Z", re.IGNORECASE)
_NEXT_TURN = re.compile(
    r"(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|start\|>)\s*(?:user|human|system)\b"
    r"|<\|(?:user|system)\|>(?=\s*\S)|<｜User｜>|</s>\s*(?:<s>)?\s*\[INST\]|<\|eot_id\|>\s*<\|start_header_id\|>|<\|START_OF_TURN_TOKEN\|>"
)
_TAIL = 80  # characters in which a token at the end is looked for


def template_remains(text: str) -> list[str]:
    """The remains in an answer, each kind once; empty for most."""
    found = []
    turn = _NEXT_TURN.search(text) if "<" in text else None
    if turn and not _is_quoted(text, turn):
        found.append(turn[0])
    end = _AT_THE_END.search(text.rstrip()[-_TAIL:])
    if end and not (end[1] == "</s>" and "<s>" in text):  # text that is struck through in HTML
        found.append(end[1])
    return found


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    """Whether an answer speaks of the token, in code or in quotes."""
    before, after = text[: tag.start()], text[tag.end() :]
    return before.count("```") % 2 == 1 or before.endswith(("`", '"', "'")) or "`" in after.partition("\n")[0]
