"""One game of a judgment: what the judge is asked, until it has given a verdict or will give none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from arena_hard.calling.calls import finish_reason_of, total_usage
from arena_hard.calling.providers.base import CallError, Message, Reply
from arena_hard.data.records import Game
from arena_hard.data.settings import JudgeSettings
from arena_hard.data.usage import Usage
from arena_hard.judging.label_question import in_text, is_to_be_asked, label_question
from arena_hard.judging.plan import JudgmentJob
from arena_hard.judging.prompts import asked_again, first_user_prompt, opening_messages, user_prompt
from arena_hard.judging.shown import Texts, shared_with_others
from arena_hard.judging.stage import Stage
from arena_hard.judging.verdict_reading import Reading, read_verdict

Ask = Callable[..., Awaitable[Reply]]  # chat_completion without the model and the clock


async def play(ask: Ask, stage: Stage, job: JudgmentJob, answers: Texts, references: Texts) -> Game:
    """One game: ask, ask again where no verdict came, and for the label alone at last. Raises CallError.

    ask: the one call to the judge, for this record.
    """
    question, settings = job.question, stage.settings
    opening = opening_messages(settings, question, answers, references)
    shared = 0
    if job.shared_by > 1:  # for a model alone, to write to a cache costs more than to read without it
        shared = shared_with_others(stage, job.candidate, question, answers, references, first_user_prompt(opening))
    ask = partial(ask, temperature=settings.temperature, shared=shared, logprobs=settings.verdict == "logprobs")
    had = await _texts(ask, stage, job, opening)
    replies, lost = had.replies, had.lost
    said = in_text(settings, replies, had.reading)
    if is_to_be_asked(settings, said):
        asked = label_question(settings, had.messages, replies)
        try:
            replies.append(await ask(asked.messages, max_tokens=asked.room, choices=list(asked.choices)))
            job.replies.append(replies[-1])
            said = asked.answered(settings, said, replies[-1])
        except CallError as error:
            if not error.about_request:  # the server may answer the same question in the next run
                raise
            job.unanswered.append(asked.unanswered(error))  # what was had before is paid for, and stays
            lost = _together(error.usage, lost)
    return Game(
        verdict=said.verdict,
        judgment=said.text,
        user_prompt=user_prompt(opening),
        usage=(usage := total_usage(replies)) and _together(usage, lost),
        served_model=replies[-1].served_model,
        finish_reason=finish_reason_of(replies),
        thought="\n".join(reply.thought for reply in replies if reply.thought) or None,
        verdict_by=said.by,
        label_probabilities=said.probabilities,
        label_probabilities_unknown=said.unknown,
    )


class _Texts(msgspec.Struct):
    """What the judge wrote by itself, and what its last text answered; lost: tokens of an attempt that brought none."""

    messages: list[Message]
    replies: list[Reply] = []
    reading: Reading = Reading(None, missing=True)
    lost: Usage | None = None


async def _texts(ask: Ask, stage: Stage, job: JudgmentJob, opening: list[Message]) -> _Texts:
    """The judge's texts, until one holds a verdict. Raises CallError."""
    settings, had = stage.settings, _Texts(opening)
    for _ in range(settings.number_of_judgment_attempts):
        messages = asked_again(had.messages, had.replies[-1].content) if had.replies else opening
        try:
            had.replies.append(await ask(messages, max_tokens=settings.max_tokens))
        except CallError as error:
            if not _is_for_the_question(settings, had, error):
                raise
            job.untried.append(error.message)
            had.lost = error.usage
            break
        had.messages = messages
        job.replies.append(had.replies[-1])
        text = "\n".join(reply.content for reply in had.replies)
        had.reading = read_verdict(text, settings.patterns, any_label=not settings.baseline)
        if not had.reading.missing:
            break
    return had


def _is_for_the_question(settings: JudgeSettings, had: _Texts, error: CallError) -> bool:
    """Whether the label is asked for at once: a further attempt was refused, and the question may well be answered."""
    if had.replies and error.too_long:
        error.too_long = error.too_long._replace(is_later=True)
    return bool(had.replies) and error.about_request and settings.verdict != "text"


def _together(usage: Usage | None, lost: Usage | None) -> Usage | None:
    """The tokens of both, as far as they are known."""
    return usage + lost if usage and lost else usage or lost
