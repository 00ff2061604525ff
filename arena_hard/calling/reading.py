"""A reply as it came → an answer: no reply that broke off, no thought in it, and what is remarkable noted."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

from arena_hard.calling.providers.base import CallError, Note, Reply
from arena_hard.calling.providers.finish_reasons import in_our_words, is_known, tells_failure
from arena_hard.calling.providers.http import empty_reply
from arena_hard.calling.providers.template_remains import template_remains
from arena_hard.calling.providers.thoughts import split_thought, suspected_thought
from arena_hard.data.settings import ModelSettings


def read_reply(reply: Reply, model: ModelSettings) -> Reply:
    """What an adapter brought, ready for a record; the same whichever adapter, live or by batch.

    Raises CallError for a reply that broke off (transient, with what it cost), or that holds no answer.
    """
    finish = in_our_words(reply.finish_reason)
    if tells_failure(finish):
        raise CallError("transient", f"the reply broke off (finish_reason {finish})", usage=reply.usage)
    pattern = _compiled(model.think_pattern) if model.think_pattern else None
    answer, thought = split_thought(reply.content, bool(reply.thought), model.end_think_token, pattern)
    if not answer.strip():
        raise empty_reply(finish, reply.usage)
    whole = "\n\n".join(part for part in (reply.thought, thought) if part) or None
    notes = [*dict.fromkeys(reply.notes), *_notes(answer, finish, whole, model)]
    return replace(reply, content=answer, finish_reason=finish, thought=whole, notes=tuple(notes))


def _notes(answer: str, finish: str, thought: str | None, model: ModelSettings) -> list[Note]:
    found: list[Note] = [] if is_known(finish) else [("finish", finish)]
    suspected = suspected_thought(answer, has_thought=thought is not None)
    if suspected is None and thought is None and model.end_think_token:
        suspected = f"no {model.end_think_token}"
    if suspected:
        found.append(("thought", suspected))
    return found + [("template", each) for each in template_remains(answer)]


@functools.lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)
