"""One game of a judgment: what the judge is asked, until it has given a verdict or will give none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from arena_hard.calling.calls import finish_reason_of, total_usage
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.data.records import Game, Usage
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
    messages = opening = opening_messages(settings, question, answers, references)
    shared = 0
    if job.shared_by > 1:  # for a model alone, to write to a cache costs more than to read without it
        shared = shared_with_others(stage, job.candidate, question, answers, references, first_user_prompt(opening))
    ask = partial(ask, temperature=settings.temperature, shared=shared, logprobs=settings.verdict == "logprobs")
    replies: list[Reply] = []
    reading = Reading(None, missing=True)
    for _ in range(settings.number_of_judgment_attempts):
        messages = asked_again(messages, replies[-1].content) if replies else messages
        replies.append(await ask(messages, max_tokens=settings.max_tokens))
        job.replies.append(replies[-1])
        text = "\n".join(reply.content for reply in replies)
        reading = read_verdict(text, settings.patterns, any_label=not settings.baseline)
        if not reading.missing:
            break
    said = in_text(settings, replies, reading)
    lost: Usage | None = None
    if is_to_be_asked(settings, said):
        asked = label_question(settings, messages, replies)
        try:
            replies.append(await ask(asked.messages, max_tokens=asked.room, choices=list(asked.choices)))
            job.replies.append(replies[-1])
            said = asked.answered(settings, said, replies[-1])
        except CallError as error:
            if not error.about_request:  # the server may answer the same question in the next run
                raise
            job.unanswered.append(error.message)  # what was had before is paid for, and stays
            lost = error.usage
    return Game(
        verdict=said.verdict,
        judgment=said.text,
        user_prompt=user_prompt(opening),
        usage=_together(total_usage(replies), lost),
        served_model=replies[-1].served_model,
        finish_reason=finish_reason_of(replies),
        thought="\n".join(reply.thought for reply in replies if reply.thought) or None,
        verdict_by=said.by,
        label_probabilities=said.probabilities,
        label_probabilities_unknown=said.unknown,
    )


def _together(usage: Usage | None, lost: Usage | None) -> Usage | None:
    """The tokens of a game, with those of a question that brought no answer."""
    return usage + lost if usage and lost else usage
