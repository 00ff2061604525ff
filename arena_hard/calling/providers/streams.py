"""Streams, asked for or not: server-sent events, put together as the one reply they are."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

_BEGINS = re.compile(r"\s*(?:(?:data|event|id|retry):|:)")
_END = "[DONE]"
BROKE_OFF = "stream_interrupted"  # the reason of a reply that has no end
_DELTAS = ("text", "thinking")  # of Anthropic's blocks


def is_stream(text: str) -> bool:
    """Whether a text consists of server-sent events."""
    return _BEGINS.match(text) is not None and "data:" in text


def events_of(text: str) -> tuple[list[Any], bool]:
    """The data of a stream's events, and whether it says that it has ended. What cannot be read is passed over."""
    found: list[Any] = []
    ended = False
    for event in re.split(r"\r?\n[ \t]*\r?\n|\r\r", text):
        lines = [line.partition("data:")[2].strip() for line in event.splitlines() if line.startswith("data:")]
        ended = ended or _END in lines
        for data in ["\n".join(lines)] if _is_json("\n".join(lines)) else lines:
            with contextlib.suppress(ValueError):
                found.append(json.loads(data, strict=False))
    return found, ended


def _is_json(data: str) -> bool:
    with contextlib.suppress(ValueError):
        json.loads(data, strict=False)
        return True
    return False


def joined(events: list[Any], ended: bool) -> dict[str, Any] | None:
    """The reply that the parts of a stream make; None where they are none.

    ended: whether the stream says so; one that does not, and gives no reason, broke off.
    """
    if any(event.get("type") == "message_start" for event in events):
        return _message(events)
    choices = [_choice(event) for event in events]
    if not any("delta" in choice for choice in choices):
        return None
    return _completion(events, choices, ended)


def _choice(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = event.get("choices")
    for each in choices if isinstance(choices, list) else []:
        if isinstance(each, Mapping) and each.get("index") in (0, None):
            return each
    return {}


def _completion(events: list[Any], choices: list[Mapping[str, Any]], ended: bool) -> dict[str, Any]:
    """OpenAI's chunks as one completion."""
    whole: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    message: dict[str, Any] = {}
    for event, part in zip(events, choices):
        whole |= _given(event)
        choice |= _given(part)
        delta = part.get("delta")
        for key, value in _given(delta if isinstance(delta, Mapping) else {}).items():
            grows = isinstance(value, (str, list)) and type(message.get(key)) is type(value) and key != "role"
            message[key] = message[key] + value if grows else value
    if not ended:
        choice.setdefault("finish_reason", BROKE_OFF)
    return whole | {"choices": [choice | {"message": message}]}


def _message(events: list[Any]) -> dict[str, Any]:
    """Anthropic's events as one message."""
    whole: dict[str, Any] = {}
    blocks: dict[Any, dict[str, Any]] = {}
    for event in events:
        delta = event.get("delta")
        delta = delta if isinstance(delta, Mapping) else {}
        if event.get("type") == "message_start" and isinstance(event.get("message"), Mapping):
            whole |= _given(event["message"])
        elif event.get("type") == "content_block_start" and isinstance(event.get("content_block"), Mapping):
            blocks[str(event.get("index"))] = dict(event["content_block"])
        elif event.get("type") == "content_block_delta":
            block = blocks.setdefault(str(event.get("index")), {})
            block |= {key: f"{block.get(key) or ''}{delta[key]}" for key in _DELTAS if isinstance(delta.get(key), str)}
        else:
            usages = [each for each in (whole.get("usage"), event.get("usage")) if isinstance(each, Mapping)]
            whole |= _given(delta) | ({"error": event["error"]} if event.get("error") else {})
            whole |= {"usage": {key: value for usage in usages for key, value in _given(usage).items()}}
    whole.setdefault("stop_reason", BROKE_OFF)
    return whole | {"content": list(blocks.values())}


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
