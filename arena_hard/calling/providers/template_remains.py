"""Chat templates that show through: the tokens that should have ended a reply, and turns that a model invents.

What may as well be the answer's own, a dialogue that was asked for or a text about templates, is none.
"""

from __future__ import annotations

import re

_END_TOKENS = (
    r"<\|(?:im_end|im_sep|im_start|eot_id|eom_id|end_of_text|endoftext|end_of_role|end|return|end_of_turn|endofturn|EOT|eos"
    r"|pad|padding|user|assistant|observation|END_OF_TURN_TOKEN|eot|eom|header_start|role_end|hy_\w{1,30})\|>"
    r"|</s>|<end_of_turn>|<eos>|<pad>|<unk>|<｜end▁of▁sentence｜>|<｜Assistant｜>|<｜hy_[^<>\s]{1,30}｜>|<turn\|>"
    r"|<end_of_utterance>|<eo[ah]>|\[\|endofturn\|\]|\[/?INST\]|\[(?:EOS|PAD)\]|\[e~\["
)
_AT_THE_END = re.compile(rf"({_END_TOKENS})\Z", re.IGNORECASE)
_BEGIN_TOKENS = r"<s>|<bos>|<\|(?:begin_of_text|startoftext|bos)\|>|<｜begin▁of▁sentence｜>"
_ONLY_TOKENS = re.compile(rf"(?:[\s\ufeff\u200b]|{_BEGIN_TOKENS}|{_END_TOKENS})*", re.IGNORECASE)
# The model's own turn, which a template has begun already; LEADING says so in front of it.
LEADING = "leading "
_OWN_TURN = re.compile(
    rf"\s*(<(?:(?:\|(?:im_start|start_header_id|header_start|start)\||start_of_turn|\|turn)>\s*(?:assistant|model)\b"
    rf"|\|assistant\|>|｜Assistant｜>|role>\s*ASSISTANT</role>)|\[\|assistant\|\]|\]~b\]ai\b|assistant(?=\s*\n)"
    rf"|{_BEGIN_TOKENS})"
)
# before which such a token belongs to the answer: struck through in HTML, or one of a sequence
_BEGINNINGS = {"</s>": ("<s>",), "<|end|>": ("<|start|>",)} | dict.fromkeys(
    ("[EOS]", "[PAD]"), ("[BOS]", "[SOS]", "[CLS]")
)
END_TOKEN = r"</s>|<\|[\w ]+\|>"  # whatever a template calls it
_ENDS = re.compile(rf"(?:\s*(?:{END_TOKEN}))+\s*\Z")
_TAIL = 80  # characters in which a token at the end is looked for
_HARMONYS = "<|start|>"  # which begins the model's own messages too, as <|end|> ends them
_NEXT_TURN = re.compile(
    r"<(?:(?:\|end\|>\s*<)?\|start\|>\s*(?:user|human|system|developer)\b"
    r"|(?:\|(?:im_start|start_header_id|header_start)\||start_of_turn|\|turn)>\s*(?:user|human|system)\b"
    r"|\|(?:(?:user|system|prompter)\|>(?=\s*\S)|eot_id\|>\s*<\|start_header_id\|>|START_OF_TURN_TOKEN\|>)"
    r"|\|(?:im_end|eot_id|end_of_turn|eot)\|>\s*(?:assistant|user|model)\b|[|｜]hy_User[|｜]>"
    r"|｜User｜>|/s>\s*(?:<s>)?\s*\[INST\]|role>\s*(?:HUMAN|USER|SYSTEM)</role>)"
)
_NEXT_TURN_IN_BRACKETS = re.compile(r"\[\|(?:user|system)\|\]|\]~b\](?:user|system|tool)\b")
# Turns without tokens, on lines of their own, and what begins the reply that a model then gives itself: Mistral's and
# Llama's, those of Alpaca and Vicuna, plain transcripts.
_TURNS = (
    (re.compile(r"\n {0,3}(\[INST\])"), ("[/INST]",)),
    (re.compile(r"\n {0,3}(### (?:Instruction|Human|User):)"), ("\n### Response:", "\n### Assistant:")),
    (re.compile(r"\n[ \t]*\r?\n(Human:|User:)"), ("\nAssistant:",)),
    (re.compile(r"(?<=[.!?\n])\s+(USER:)(?=\s)"), (" ASSISTANT:", "\nASSISTANT:")),
)
# what is in a text that has one of those, after a letter that is found many times faster than a word
_REPLIES = (("[", "[/INST]"), ("#", "### Response:"), ("A", "Assistant:"), ("A", "ASSISTANT:"))
_CUT_OFF = re.compile(r"\n[ \t]*\r?\n(Human:|User:|### (?:Instruction|Human|User):)\s*\Z")
_STRAY_END = re.compile(r"(?:^ {0,3}|(?<=[\w.!?]))(\[/INST\])", re.MULTILINE)
_OF_DIALOGUES = re.compile(
    r"(?:Assistant|Human|User|ASSISTANT|USER):|:\s*\Z|(?i:dialog|conversation|transcript|chat|example|script|prompt|template)"
)


def template_remains(text: str) -> list[str]:
    """The remains in an answer, each kind once; empty for most."""
    turn = _next_turn(text)
    own = _OWN_TURN.match(text)
    own = None if own and own[1] == "<s>" and "</s>" in text else own  # struck through, in HTML
    found = [LEADING + " ".join(own[1].split())] if own else []
    found += [turn[0]] if turn else []
    for part in (text[: turn[1]], text) if turn else (text,):
        tail = part.rstrip()[-_TAIL:]
        end = _AT_THE_END.search(tail) if tail.endswith((">", "]", "[")) else None
        if end and end[1] not in found and not any(begin in text for begin in _BEGINNINGS.get(end[1], ())):
            found.append(end[1])
    return found


def without_end(text: str) -> str:
    """A text without the tokens that end a turn, which some servers leave at its end."""
    return _ENDS.sub("", text)


def holds_only_tokens(text: str) -> bool:
    """Whether nothing but the tokens of a template came, and blanks."""
    return _ONLY_TOKENS.fullmatch(text) is not None


def stop_for(remains: str) -> str | None:
    """The text for `stop` that ends a reply before these remains: their first token, or the line that they begin.

    None where it would end the reply before it begins.
    """
    if remains.startswith(LEADING):
        return None
    if _HARMONYS in remains or remains == "USER:":
        return remains
    token = re.match(r"<[^<>]*>|\[[^\[\]]*[\[\]]|\]~b\]", remains)
    return token[0] if token else f"\n{remains}"


def _next_turn(text: str) -> tuple[str, int] | None:
    """What begins another turn, and where."""
    turn = _NEXT_TURN.search(text) if "<" in text else None
    if turn is None and ("[|" in text or "]~b]" in text):
        turn = _NEXT_TURN_IN_BRACKETS.search(text)
    if turn and not _is_quoted(text, turn):
        return " ".join(turn[0].split()), turn.start()
    if (
        "[" in text
        and "[/INST]" in text
        or "#" in text
        and "### Response:" in text
        or "Assistant:" in text
        or "ASSISTANT:" in text
    ):
        turn = _turn_in_words(text) or _stray_end(text)
    else:
        turn = _CUT_OFF.search(text, max(0, len(text) - _TAIL))
    return (turn[1], turn.start()) if turn and _may_begin(text, turn) else None


def _turn_in_words(text: str) -> re.Match[str] | None:
    """The words that begin another turn, which goes on to a reply."""
    for pattern, replies in _TURNS:
        turn = pattern.search(text)
        if turn and max(map(text.rfind, replies)) > turn.start():
            return turn
    return None


def _stray_end(text: str) -> re.Match[str] | None:
    """The token that ends a turn which did not begin here."""
    return _STRAY_END.search(text) if "[/INST]" in text and "[INST]" not in text else None


def _may_begin(text: str, turn: re.Match[str]) -> bool:
    """Whether these words begin a turn here: after an answer, and one that neither is nor announces a dialogue."""
    if turn[1].startswith("["):
        return not _is_quoted(text, turn)
    is_plain = not turn[1].startswith("#")
    is_talk = is_plain and _OF_DIALOGUES.search(text, 0, turn.start())
    return bool(text[: turn.start()].strip()) and not is_talk and not _is_quoted(text, turn)


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    """Whether an answer speaks of the token, in code or in quotes."""
    before, after = text[: tag.start()], text[tag.end() :]
    return before.count("```") % 2 == 1 or before.endswith(("`", '"', "'")) or "`" in after.partition("\n")[0]
