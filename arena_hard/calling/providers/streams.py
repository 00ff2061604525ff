"""Streams, asked for or not: server-sent events, put together as the one reply they are."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from arena_hard.calling.providers.failures_beside import failure_in, perhaps_failed, surely_failed
from arena_hard.calling.providers.fields import Fields
from arena_hard.calling.providers.finish_reasons import in_our_words, is_known

_BEGINS = re.compile(r"\s*(?:(?:data|event|id|retry):|:)")
_LINE_ENDS = re.compile(r"\r\n|\n|\r")  # no others: a text may hold U+2028
_END = "[DONE]"
BROKE_OFF = "stream_interrupted"  # the reason of a reply that has no end, or of which a part cannot be read
_DELTAS = ("text", "thinking", "partial_json")  # of Anthropic's blocks
_TEXTS = ("content", "reasoning_content", "reasoning", "text")
_UNREAD: Any = object()  # in the place of a part that cannot be read


def is_stream(text: str) -> bool:
    """Whether a text consists of server-sent events."""
    return _BEGINS.match(text) is not None and "data:" in text


def events_of(text: str) -> tuple[list[Any], bool]:
    """The data of a stream's events, and whether it says that it has ended."""
    found: list[Any] = []
    ended = False
    for event in re.split(r"\r?\n[ \t]*\r?\n|\r\r", text):
        lines = _LINE_ENDS.split(event)
        data = [line.partition("data:")[2].strip() for line in lines if line.startswith("data:")]
        fails = any(re.fullmatch(r"event:\s*error\s*", line) for line in lines)
        ended = ended or _END in data
        whole = "\n".join(data)
        for value in [whole] if _parsed(whole) is not _UNREAD else data:
            found += [{"error": _parsed(value, {"message": value})}] if fails and value else _data(value)
    return found, ended


def _data(value: str) -> list[Any]:
    """The JSON of an event, and words as a message; none where it only keeps the connection."""
    parsed = _parsed(value)
    if isinstance(parsed, str):
        value, parsed = parsed.strip(), _UNREAD
    if parsed is not _UNREAD or value in ("", _END):
        return [] if value == _END or parsed is _UNREAD else [parsed]
    if value[:1] in "{[":
        return [parsed]
    return [{"message": value}] if re.search(r"\w\W+\w", value) else []


def _parsed(data: str, otherwise: Any = _UNREAD) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(data, strict=False)
    return otherwise


def is_parts(found: list[Any]) -> bool:
    """Whether there are parts of a stream among these, in the place of a reply."""
    return any(
        isinstance(part, Mapping)
        and (part.get("type") == "message_start" or any("delta" in choice for choice in _choices(part)))
        for part in found
    )


def reply_of(events: list[Any], ended: bool) -> Any:
    """The reply that the parts of a stream make, the error that one of them tells, or the first that is a reply.

    ended: whether the stream says so; one that does not, and gives no reason, broke off.
    """
    parts = [part for part in map(_unwrapped, events) if isinstance(part, Mapping)]
    answers = [part for part in parts if any(name in part for name in ("choices", "content", "output"))]
    if answers and _is_whole(answers[0]) and not is_parts(parts):  # what stands behind it is no matter
        return answers[0]
    failure = _failure(parts)
    if failure is not None:
        told = [part.get("message") if part.get("type") == "message_start" else part for part in parts]
        counted = [each.get("usage") for each in told if isinstance(each, Mapping)]
        usages = [usage for usage in counted if isinstance(usage, Mapping)]
        return failure | ({"usage": usages[-1]} if usages else {})
    unread = any(event is _UNREAD for event in events)
    if any(part.get("type") == "message_start" for part in parts):
        return _message(parts, unread)
    pieces = list(_pieces(parts))
    if pieces:
        return _completion(parts, pieces, ended, unread)
    if len(answers) > 1:
        return {**answers[0], "choices": [{**_first_choice(answers[0]), "finish_reason": BROKE_OFF}]}
    return next(iter(answers), next((event for event in events if event is not _UNREAD), None))


def _is_whole(part: Mapping[str, Any]) -> bool:
    return "choices" not in part or bool(_first_choice(part).get("finish_reason"))


def _unwrapped(event: Any) -> Any:
    """What a gateway has put into a list or an object of its own."""
    if isinstance(event, list) and len(event) == 1:
        return _unwrapped(event[0])
    if isinstance(event, Mapping) and isinstance(event.get("data"), Mapping) and "choices" not in event:
        return event["data"]
    return event


def _failure(parts: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the parts tell of an error, before an answer has ended well: afterwards nothing is lost; None for none."""
    ends = [at for at, part in enumerate(parts) if _ends_well(part)]
    before = parts[: ends[-1]] if ends else parts
    failed = next(filter(surely_failed, before), None)
    if failed is None and not ends:
        failed = next(filter(perhaps_failed, parts), None)
    return failure_in(failed) if failed is not None else None


def _ends_well(part: Mapping[str, Any]) -> bool:
    """Whether a part says why the answer ended, and that it is whole."""
    told = [Fields(choice).word("finish_reason") for choice in _choices(part)]
    told += [Fields(part.get("delta")).word("stop_reason")] if part.get("type") == "message_delta" else []
    return any(reason and is_known(in_our_words(reason)) for reason in told)


def _choices(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = part.get("choices")
    return [each for each in (choices if isinstance(choices, list) else [choices]) if isinstance(each, Mapping)]


def _first_choice(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(iter(_choices(part)), {})


def _pieces(parts: list[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Of OpenAI's chunks, each choice of the first index and what it adds to the message; nothing of other events."""
    every = [choice for part in parts for choice in _choices(part)]
    first = min((_index(choice) for choice in every), default=0)
    every = [choice for choice in every if _index(choice) == first]
    if any(isinstance(choice.get("delta"), Mapping) and any(choice["delta"].values()) for choice in every):
        for choice in every:
            delta = choice.get("delta")
            yield choice, delta if isinstance(delta, Mapping) else {}
    elif len(every) > 1 and all("text" in choice for choice in every):
        yield from ((choice, {"content": choice["text"]}) for choice in every)
    elif any("delta" in choice for choice in every) or (
        len(every) > 1 and not any(choice.get("finish_reason") for choice in every[:-1])
    ):  # each event repeats the whole so far
        messages = [choice for choice in every if isinstance(choice.get("message"), Mapping)]
        yield from ((choice, {}) for choice in every if choice not in messages[-1:])
        yield from ((choice, choice["message"]) for choice in messages[-1:])


def _index(choice: Mapping[str, Any]) -> int:
    index = str(choice.get("index") or 0)
    return int(index) if index.isdecimal() else 0


def _completion(
    parts: list[Mapping[str, Any]],
    pieces: list[tuple[Mapping[str, Any], Mapping[str, Any]]],
    ended: bool,
    unread: bool,
) -> dict[str, Any]:
    """OpenAI's chunks as one completion."""
    whole: dict[str, Any] = {}
    for part in parts:
        whole |= _given(part)
    choice: dict[str, Any] = {}
    message: dict[str, Any] = {}
    for given, delta in pieces:
        odds = _merged_odds(choice.get("logprobs"), given.get("logprobs"))
        choice |= {key: value for key, value in _given(given).items() if key not in ("delta", "message", "text")}
        choice |= {"logprobs": odds} if odds else {}
        for key, value in _given(delta).items():
            if key in _TEXTS and isinstance(value, (int, float)):
                value = str(value)
            value = [value] if key == "content" and isinstance(value, Mapping) else value
            message[key] = _grown(message.get(key), value) if key != "role" else value
    choice.setdefault("finish_reason", None if ended else BROKE_OFF)
    if unread:
        choice["finish_reason"] = BROKE_OFF
    return whole | {"choices": [choice | {"message": message}]}


def _merged_odds(before: Any, more: Any) -> Any:
    """The probabilities of a choice's tokens with those of another chunk."""
    if not isinstance(before, Mapping) or not isinstance(more, Mapping):
        return more or before
    lists = [each.get("content") for each in (before, more)]
    return {**before, "content": [token for each in lists if isinstance(each, list) for token in each]}


def _grown(before: Any, value: Any) -> Any:
    """A field of a message with what a chunk adds: texts, lists of parts, and both."""
    if before is None or not isinstance(value, (str, list)):
        return value
    if isinstance(before, str) and isinstance(value, str):
        return before + value
    if not isinstance(before, (str, list)):
        return value
    return _merged([*_as_parts(before), *_as_parts(value)])


def _as_parts(value: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


def _merged(parts: list[Any]) -> list[Any]:
    """Parts of one kind that follow each other are one."""
    found: list[Any] = []
    for part in parts:
        last: Any = found[-1] if found else None
        grown = _text_added(last, part) if isinstance(last, Mapping) and isinstance(part, Mapping) else {}
        if grown:
            found[-1] = {**last, **grown}
        else:
            found.append(part)
    return found


def _text_added(last: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a part with those of the next, where both are of one kind."""
    if last.get("type") != part.get("type"):
        return {}
    return {
        key: last[key] + part[key]
        for key in _DELTAS
        if isinstance(part.get(key), str) and isinstance(last.get(key), str)
    }


def _message(parts: list[Mapping[str, Any]], unread: bool) -> dict[str, Any]:
    """Anthropic's events as one message."""
    whole: dict[str, Any] = {}
    blocks: dict[Any, dict[str, Any]] = {}
    for event in parts:
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
            whole |= _given(delta)
            whole |= {"usage": {key: value for usage in usages for key, value in _given(usage).items()}}
    whole.setdefault("stop_reason", BROKE_OFF)
    return whole | {"content": list(blocks.values())} | ({"stop_reason": BROKE_OFF} if unread else {})


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
