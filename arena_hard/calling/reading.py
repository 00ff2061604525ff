"""A reply as it came → an answer: no reply that broke off, no thought in it, and what is remarkable noted."""

from __future__ import annotations

import functools
import re

from msgspec.structs import replace

from arena_hard.calling.providers.base import (
    RAISE,
    CallError,
    Kind,
    Note,
    Reply,
    Unforeseen,
    printable,
    whole_characters,
)
from arena_hard.calling.providers.finish_reasons import in_our_words, is_known, tells_failure
from arena_hard.calling.providers.template_remains import holds_only_tokens, template_remains
from arena_hard.calling.providers.thought_tags import may_hold_a_thought
from arena_hard.calling.providers.thoughts import is_never_closed, split_thought, suspected_thought, without_repetition
from arena_hard.data import secrets
from arena_hard.data.settings import ModelSettings

_TEXTS, _WORDS = ("content", "thought"), ("finish_reason", "served_model", "fingerprint")  # of a reply


def read_reply(reply: Reply, model: ModelSettings) -> Reply:
    """What an adapter brought, ready for a record; the same whichever adapter, live or by batch.

    Raises CallError for a reply that broke off (transient, with what it cost), or that holds no answer.
    """
    if reply.vectors is not None:
        return reply
    try:
        return _read(reply, model)
    except CallError:
        raise
    except Exception as error:
        raise Unforeseen(error, reply.usage) from None


def _read(reply: Reply, model: ModelSettings) -> Reply:
    reply = _as_written(reply)
    finish = in_our_words(reply.finish_reason or None)
    if tells_failure(finish):
        raise CallError("transient", f"the reply broke off (finish_reason {finish})", usage=reply.usage)
    answer, thought, suspected = _told_apart(reply, model)
    if holds_only_tokens(answer):
        raise _no_answer(reply, finish, thought is not None)
    whole = "\n\n".join(part for part in (reply.thought, thought) if part) or None
    notes = (*dict.fromkeys(reply.notes), *_notes(answer, finish, suspected))
    if (answer, finish, whole, notes) == (reply.content, reply.finish_reason, reply.thought, reply.notes):
        return reply
    return replace(reply, content=answer, finish_reason=finish, thought=whole, notes=notes)


def _as_written(reply: Reply) -> Reply:
    """With texts that can be written. A server may send back keys: masked here, a record is the same when it is played.

    The words that messages repeat are made printable.
    """
    texts = {name: getattr(reply, name) for name in _TEXTS + _WORDS}
    masked = {name: text and whole_characters(secrets.mask(text)) for name, text in texts.items()}
    masked |= {name: masked[name] and printable(masked[name]) for name in _WORDS}
    return reply if masked == texts else replace(reply, **masked)


def _told_apart(reply: Reply, model: ModelSettings) -> tuple[str, str | None, str | None]:
    """(answer, thought in the text, what may be a thought in the answer) of a reply."""
    text, pattern, end_token = reply.content, model.think_pattern, model.end_think_token
    if not pattern and not end_token and not may_hold_a_thought(text):
        return text, None, None
    text = without_repetition(text, reply.thought)
    answer, thought = split_thought(text, bool(reply.thought), end_token, _compiled(pattern) if pattern else None)
    has_thought = bool(reply.thought) or thought is not None
    suspected = suspected_thought(answer, has_thought)
    if suspected is None and not has_thought and end_token:
        suspected = f"no {end_token}"
    return answer, thought, suspected


def _no_answer(reply: Reply, finish: str, tagged: bool) -> CallError:
    """The error for a reply without an answer: what it was cut by decides whether to ask again.

    tagged: whether its text holds a thought.
    """
    kind: Kind = "transient"
    message = f"the reply contains no text (finish_reason {finish})"
    if finish == "content_filter":
        kind, message = "final", "the provider's content filter blocked the answer"
    elif finish == "length":
        kind, message = "final", f"the reply was cut at max_tokens before an answer began; {RAISE}"
        if tagged or reply.thought:
            message = f"the reply was cut at max_tokens before an answer began: only a thought came; {RAISE}"
    elif tagged:  # what has no end now will have none the next time
        kind = "final" if is_never_closed(reply.content) else "transient"
        message = f"only a thought came, and no answer (finish_reason {finish}); {RAISE}"
    elif reply.thought:
        message = (
            f"only a thought came, in a field of its own, and no answer (finish_reason {finish}); {RAISE}, or "
            "turn off the server's reasoning parser if it takes answers for thoughts"
        )
    if tagged and finish != "content_filter":
        message += ", or set end_think_token to the text that ends the model's thoughts"
    return CallError(kind, message, finish_reason=finish, usage=reply.usage)


def _notes(answer: str, finish: str, suspected: str | None) -> list[Note]:
    found: list[Note] = [] if is_known(finish) else [("finish", finish)]
    if "\ufffd" in answer.rstrip("\ufffd"):  # at the end it is half a character, which was cut
        found.append(("field", "content: \ufffd for what is no UTF-8"))
    if suspected:
        found.append(("thought", suspected))
    return found + [("template", each) for each in template_remains(answer)]


@functools.lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)
