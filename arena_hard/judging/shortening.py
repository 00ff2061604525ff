"""Answers that are too long for a judge's context, shortened alike (`truncate: answers`).

Of both answers the same share is kept, its first and its last half, in both games, so that neither looks more complete
than the other. What decides is the server's refusal; our own count of tokens does only where the config states the
length, or the server would leave out a part of the prompt without a word.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import msgspec

from arena_hard.calling.batch import Waiting
from arena_hard.calling.context import reply_tokens
from arena_hard.calling.context_check import known
from arena_hard.calling.models import Model
from arena_hard.calling.prompt_tokens import PromptCounter
from arena_hard.calling.providers.base import CallError, Message
from arena_hard.data.records import Game
from arena_hard.judging.label_question import tokens_beside_prompt
from arena_hard.judging.plan import JudgmentJob
from arena_hard.judging.prompts import opening_messages
from arena_hard.judging.shown import Texts, abridged, left_out
from arena_hard.judging.stage import Stage

LEAST_SHARE = 0.05  # of the answers; with less of them nothing can be judged
_STEP = 0.95  # of the share before, at most, so that each refusal changes something
_BLIND_STEP = 0.75  # where nobody says how much is taken
_SPARE = 1.02  # what is left out beyond what is needed, since tokens are not spread evenly
_MARKERS = 200  # characters of the words that say so


async def games_in_room(
    model: Model,
    stage: Stage,
    job: JudgmentJob,
    texts: tuple[Texts, Texts],
    play: Callable[[Texts], Awaitable[Game]],
) -> list[Game]:
    """The games of a judgment, with both answers shortened as far as the judge's context asks for.

    texts: the answers in the order of the first game, and the references; play: one game with the answers in its
    order. Raises what `play` raises.
    """
    pair, references = texts
    if stage.settings.truncate == "error":
        return await _games(stage, job, pair, play)
    share = await _first_share(model, stage, job, texts)
    while True:
        shown = abridged(pair, share)
        try:
            games = await _games(stage, job, shown, play)
            break
        except CallError as error:
            if not error.too_long:
                raise
            sent = opening_messages(stage.settings, job.question, shown, references)
            smaller = _enough([share * part for part in await _shares_that_fit(model, stage, sent, shown, error)])
            if smaller < LEAST_SHARE:
                raise
            share = _rounded(smaller)
    if shown == pair:
        return games
    job.output.tally.shortened += 1
    cut = {"kept": share, "left_out": left_out(pair, share)}
    return [msgspec.structs.replace(game, truncated=cut) for game in games]


async def _games(stage: Stage, job: JudgmentJob, pair: Texts, play: Callable[[Texts], Awaitable[Game]]) -> list[Game]:
    """Both games, or the only one."""
    job.unanswered, job.untried = [], []  # they may have been played before
    games: list[Game] = []
    waiting: Waiting | None = None
    for order in [pair, pair[::-1]] if stage.settings.pairwise else [pair]:
        try:
            games.append(await play(order))
        except Waiting as later:
            waiting = later  # both games go into the same batch
    if waiting:
        raise waiting
    return games


async def _first_share(model: Model, stage: Stage, job: JudgmentJob, texts: tuple[Texts, Texts]) -> float:
    """What to keep of the answers at first: all, but where our own count is all that tells."""
    context = known(model)
    if context is None or not context.counts:
        return 1.0
    pair, references = texts
    prompt = opening_messages(stage.settings, job.question, pair, references)
    rooms = [context.length - beside for beside in _besides(model, stage)]
    if sum(len(message["content"].encode("utf-8", "replace")) for message in prompt) <= rooms[0]:
        return 1.0
    tokens = await _counted(model, prompt)
    shares = [1.0 if tokens <= room else _rounded(_share(prompt, pair, tokens, room)) for room in rooms]
    return max(LEAST_SHARE, _enough(shares))


async def _shares_that_fit(
    model: Model, stage: Stage, sent: list[Message], shown: Texts, error: CallError
) -> list[float]:
    """What to keep of the answers that a refused prompt has shown, for each of the rooms beside it."""
    told, context = error.too_long, known(model)
    length = told.limit if told and told.limit else context.length if context else None
    if length is None:
        return [_BLIND_STEP]
    tokens = told.prompt if told and told.prompt else await _counted(model, sent)
    return [min(_STEP, _share(sent, shown, tokens, length - beside)) for beside in _besides(model, stage)]


def _besides(model: Model, stage: Stage) -> tuple[int, int]:
    """The tokens that a prompt should leave, for a question for the label too, and those that it has to leave."""
    reply = reply_tokens(model.settings, stage.settings.max_tokens)
    return tokens_beside_prompt(stage.settings, reply), reply


def _enough(shares: list[float]) -> float:
    """The first share with which something is left to judge: the question for the label may never be asked."""
    return next((share for share in shares if share >= LEAST_SHARE), shares[-1])


async def _counted(model: Model, prompt: list[Message]) -> int:
    return await asyncio.to_thread(PromptCounter(model.settings.model_name).count, prompt)


def _share(prompt: list[Message], shown: Texts, tokens: int, room: int) -> float:
    """The share of the answers with which a prompt of so many tokens would have no more than `room`."""
    characters = sum(len(message["content"]) for message in prompt)
    spare = max(0, tokens - room) * characters / max(1, tokens) * _SPARE + _MARKERS
    return 1.0 - spare / max(1, sum(len(text) for texts in shown for text in texts))


def _rounded(share: float) -> float:
    return math.floor(share * 1000) / 1000
