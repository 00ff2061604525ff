"""A row of a log → what its user said, whatever shape the row has. Rows are told apart one by one, by their keys.

User turns are taken by role, never by position: a system message, or a user who writes twice, shifts positions.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from arena_hard.building.settings import Turns
from arena_hard.data.name_lists import shortened

USERS = {"user", "human", "prompter"}
SEPARATOR = "\x1e"  # between the turns of a prompt: it stands in no text
# the key that a shape is told by, the first that a row has; and its name for people
SHAPES = {
    "conversation_a": "Chatbot Arena",
    "conversation": "LMSYS-Chat-1M or WildChat",
    "conversations": "ShareGPT",
    "messages": "OpenAI messages",
    "turns": "questions of a benchmark",
    "prompt": "prompts",
    "instruction": "instructions",
}
_IDS = ("conversation_hash", "conversation_id", "question_id", "uid", "id")
_NOTHING = msgspec.Raw()
_EMPTY = (b"", b"null", b'""', b"[]")


class Row(msgspec.Struct):
    """The keys of all shapes, their values as they stand: most of a row is what models said, which is passed over."""

    conversation_a: msgspec.Raw = _NOTHING
    conversation_b: msgspec.Raw = _NOTHING
    conversation: msgspec.Raw = _NOTHING
    conversations: msgspec.Raw = _NOTHING
    messages: msgspec.Raw = _NOTHING
    turns: msgspec.Raw = _NOTHING
    prompt: msgspec.Raw = _NOTHING
    instruction: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING
    conversation_hash: msgspec.Raw = _NOTHING
    conversation_id: msgspec.Raw = _NOTHING
    question_id: msgspec.Raw = _NOTHING
    uid: msgspec.Raw = _NOTHING
    id: msgspec.Raw = _NOTHING
    language: msgspec.Raw = _NOTHING
    openai_moderation: msgspec.Raw = _NOTHING
    toxic: msgspec.Raw = _NOTHING
    redacted: msgspec.Raw = _NOTHING
    category_tag: msgspec.Raw = _NOTHING


class _Turn(msgspec.Struct):
    role: msgspec.Raw = _NOTHING
    sender: msgspec.Raw = msgspec.field(default=_NOTHING, name="from")
    content: msgspec.Raw = _NOTHING
    value: msgspec.Raw = _NOTHING
    redacted: msgspec.Raw = _NOTHING
    toxic: msgspec.Raw = _NOTHING


class _Verdict(msgspec.Struct):
    flagged: bool = False


_ROWS = msgspec.json.Decoder(Row)
_TURNS = msgspec.json.Decoder(list[_Turn | None])
_VERDICTS = msgspec.json.Decoder(list[_Verdict])
decode_row = _ROWS.decode


class _NullTurn(Exception):
    """A turn of a conversation is null."""


@dataclass
class Conversation:
    """What a user said, and what the log says of it. key: of the shape; source_id, language: as given, or empty.

    is_broken: a turn is null, so that nobody knows who spoke, and which turn of the user's is the first.
    """

    key: str
    source_id: str
    turns: list[str]
    language: str = ""
    flags: list[str] = field(default_factory=list[str])
    category_tag: str | None = None
    is_broken: bool = False


def conversation_of(row: Row, line: bytes = b"") -> Conversation:
    """The conversation of a row. Raises ValueError, which names the keys, for a row of no known shape.

    line: the row itself, for the message.
    """
    key = next((key for key in SHAPES if bytes(getattr(row, key)) not in _EMPTY), None)
    if key is None:
        key = next((key for key in SHAPES if bytes(getattr(row, key))), None)
        if key is None:
            raise ValueError(_unknown(line))
        return Conversation(key, _source_id(row), [])
    flags: set[str] = set()
    try:
        turns = _turns_of(row, key, flags)
        if not turns and key == "conversation_a" and bytes(row.conversation_b) not in _EMPTY:
            turns = _turns_of(row, "conversation_b", flags)
    except _NullTurn:
        return Conversation(key, _source_id(row), [], is_broken=True)
    return Conversation(
        key, _source_id(row), turns, _text(row.language), sorted(flags | _flags(row)), _json_text(row.category_tag)
    )


def prompt_id(turns: Sequence[str]) -> str:
    """The name of a prompt: 16 hex digits of the hash of its normalised text. Rows are joined by it."""
    text = SEPARATOR.join(map(normalised, turns))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_id(said: Conversation) -> str:
    """A name for a row that has none: 16 hex digits of the hash of what it says, wherever it stands."""
    content = [said.turns, said.language, said.flags, said.category_tag]
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]


def normalised(text: str) -> str:
    """A text with one blank for each run of white space, and each letter written in one way."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).split())


def kept(turns: list[str], which: Turns) -> list[str]:
    """The user turns that make the prompt."""
    return turns if which == "all" else turns[:1]


def _turns_of(row: Row, key: str, flags: set[str]) -> list[str]:
    """The user turns that say something."""
    raw = _parsed(getattr(row, key), key)
    if key == "instruction":
        parts = [_content(raw, flags), _content(row.input, flags)]
        return ["\n\n".join(part for part in parts if part.strip())]
    if not bytes(raw).startswith(b"["):
        said = [_content(raw, flags)]
    else:
        said = _said_in(raw, key, flags)
    return [text for text in said if text.strip()]


def _said_in(raw: msgspec.Raw, key: str, flags: set[str]) -> list[str]:
    """What users say in a list of turns; turns without a role are theirs."""
    try:
        turns = _TURNS.decode(raw)
    except msgspec.ValidationError:
        texts = msgspec.json.decode(raw)
        if None in texts:
            raise _NullTurn from None
        if key in ("turns", "prompt") and all(isinstance(text, str) for text in texts):
            return texts
        raise ValueError(f"{key} must be a list of turns, each with role and content") from None
    said: list[str] = []
    for turn in turns:
        if turn is None:
            raise _NullTurn
        role = bytes(turn.role) or bytes(turn.sender)
        if role not in _EMPTY and _text(msgspec.Raw(role)).lower() not in USERS:
            continue
        if role in _EMPTY and key not in ("turns", "prompt"):
            raise ValueError(f"a turn of {key} says neither role nor from, so that nobody knows who speaks")
        said.append(_content(turn.content if bytes(turn.content) else turn.value, flags))
        flags |= _flags(turn)
    return said


def _parsed(raw: msgspec.Raw, key: str) -> msgspec.Raw:
    """A value; where it is JSON within a text, as some sets have it, that JSON."""
    if not bytes(raw).startswith(b'"'):
        return raw
    text = msgspec.json.decode(raw).lstrip()
    inner = text.encode("utf-8", "replace")
    if key in ("prompt", "instruction") or not text.startswith("["):
        return raw
    try:
        return msgspec.json.decode(inner, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise ValueError(f"{key} is a text that begins like JSON and is none ({error})") from None


def _content(raw: msgspec.Raw, flags: set[str]) -> str:
    """The text of a turn: itself, or the texts of its parts. Parts that are no text are images or other attachments."""
    data = bytes(raw)
    if data in _EMPTY:
        return ""
    value: Any = msgspec.json.decode(raw)
    if isinstance(value, str):
        return _clean(value)
    parts = value if isinstance(value, list) else [value]
    texts = [text for part in parts if isinstance(text := part.get("text") if isinstance(part, dict) else part, str)]
    flags |= {_attached(part) for part in parts if part and not isinstance(part, str) and not _is_text(part)}
    return _clean("\n".join(texts))


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _attached(part: Any) -> str:
    """What a part is that is no text: an image, where it does not say that it is something else."""
    kind = part.get("type") if isinstance(part, dict) else None
    return "attachment" if isinstance(kind, str) and "image" not in kind else "image"


def _clean(text: str) -> str:
    """A text that UTF-8 can hold: halves of characters, which some logs have, become question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _flags(row: Row | _Turn) -> set[str]:
    """What the log says against a row: moderated, or with names that were made unreadable."""
    found = {"redacted"} if bytes(row.redacted) == b"true" else set[str]()
    if bytes(row.toxic) == b"true" or (isinstance(row, Row) and _is_flagged(row.openai_moderation)):
        found.add("moderation")
    return found


def _is_flagged(raw: msgspec.Raw) -> bool:
    if b"true" not in bytes(raw):
        return False
    try:
        return any(verdict.flagged for verdict in _VERDICTS.decode(_parsed(raw, "openai_moderation")))
    except (msgspec.DecodeError, ValueError):
        return False


def _source_id(row: Row) -> str:
    return next((text for key in _IDS if (text := _text(getattr(row, key)))), "")


def _text(raw: msgspec.Raw) -> str:
    """A text or number as a text; empty for anything else."""
    data = bytes(raw)
    if data in _EMPTY or data[:1] in (b"[", b"{"):
        return ""
    return _clean(msgspec.json.decode(raw)) if data[:1] == b'"' else data.decode()


def _json_text(raw: msgspec.Raw) -> str | None:
    """A value as the text of its JSON."""
    data = bytes(raw)
    if data in _EMPTY:
        return None
    return _clean(msgspec.json.decode(raw)) if data[:1] == b'"' else data.decode()


def _unknown(line: bytes) -> str:
    known = ", ".join(SHAPES)
    try:
        keys = shortened(sorted(msgspec.json.decode(line)), 12) or "none"
    except (msgspec.DecodeError, TypeError):
        keys = "none"
    return f"no conversation: one of the keys {known} is expected, and there are {keys}"
