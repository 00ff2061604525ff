"""Answers that are too long for a judge's context, shortened alike (`truncate: answers`).

Of both answers the same share is kept, its first and its last half, in both games, so that neither looks more complete
than the other. What decides is the server's refusal. Our own count of tokens may be far from the server's: it decides
only as far as the server's counts of other prompts bear it out, or where the server would leave out a part of a prompt
without a word. A refusal without a count is followed in small steps.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import msgspec

from arena_hard.calling.batch import Waiting
from arena_hard.calling.context import Context, reply_tokens
from arena_hard.calling.context_check import known
from arena_hard.calling.models import Model
from arena_hard.calling.prompt_sizes import LATIN, least_ratio, script_of
from arena_hard.calling.prompt_tokens import PromptCounter
from arena_hard.calling.providers.base import CallError, Message
from arena_hard.data.records import Game
from arena_hard.judging.label_question import tokens_beside_prompt
from arena_hard.judging.plan import JudgmentJob
from arena_hard.judging.prompts import opening_messages
from arena_hard.judging.shown import Texts, abridged, left_out
from arena_hard.judging.stage import Stage

LEAST_SHARE = 0.05  # of the answers; with less of them nothing can be judged
_AT_MOST = (0.95, 0.9, 0.8, 0.65, 0.5)  # of the share before, after each refusal, so that it changes something
_AT_LEAST = (0.75, 0.6, 0.5, 0.0)  # and where our count may be far from the server's
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
    refusals = 0
    while True:
        shown = abridged(pair, share)
        try:
            games = await _games(stage, job, shown, play)
        except CallError as error:
            if not error.too_long:
                raise
            refusals += 1
            sent = opening_messages(stage.settings, job.question, shown, references)
            parts = await _shares_that_fit(model, stage, sent, shown, error, refusals)
            smaller = _enough([share * part for part in parts])
            if smaller < LEAST_SHARE:
                raise
            share = _rounded(smaller)
            continue
        more = await _first_share(model, stage, job, texts) if share < 1.0 and not refusals else share
        if more * _AT_MOST[0] <= share:
            break
        share = more  # it was a guess, and its reply has told better
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
    """What to keep of the answers at first: all, but where a server would not refuse them, or certainly would."""
    context = known(model)
    if context is None or not context.counts:
        return 1.0
    pair, references = texts
    prompt = opening_messages(stage.settings, job.question, pair, references)
    rooms = [context.length - beside for beside in _besides(model, stage)]
    if sum(len(message["content"].encode("utf-8", "replace")) for message in prompt) <= rooms[0]:
        return 1.0
    ours, ratio = await _counted(model, prompt, context)
    tokens = ours * (ratio or (1.0 if context.is_silent else least_ratio(script_of(prompt))))
    shares = [1.0 if tokens <= room else _rounded(_share(prompt, pair, tokens, room)) for room in rooms]
    return max(LEAST_SHARE, _enough(shares))


async def _shares_that_fit(
    model: Model, stage: Stage, sent: list[Message], shown: Texts, error: CallError, refusals: int
) -> list[float]:
    """What to keep of the answers that a refused prompt has shown, for each of the rooms beside it.

    refusals: how many there were of this judgment's prompts, this one included.
    """
    told, context = error.too_long, known(model)
    length = told.limit if told and told.limit else context.length if context else None
    if length is None:
        return [_BLIND_STEP]
    least, most = (steps[min(refusals, len(steps)) - 1] for steps in (_AT_LEAST, _AT_MOST))
    if told and told.prompt:
        tokens, least = float(told.prompt), 0.0
    else:
        ours, ratio = await _counted(model, sent, context)
        tokens = ours * (ratio or 1.0)
        least = least if ratio is None and script_of(sent) != LATIN else 0.0
    shares = [_share(sent, shown, tokens, length - beside) for beside in _besides(model, stage)]
    return [max(least, min(most, share)) for share in shares]


def _besides(model: Model, stage: Stage) -> tuple[int, int]:
    """The tokens that a prompt should leave, for a question for the label too, and those that it has to leave."""
    reply = reply_tokens(model.settings, stage.settings.max_tokens)
    return tokens_beside_prompt(stage.settings, reply), reply


def _enough(shares: list[float]) -> float:
    """The first share with which something is left to judge: the question for the label may never be asked."""
    return next((share for share in shares if share >= LEAST_SHARE), shares[-1])


async def _counted(model: Model, prompt: list[Message], context: Context | None) -> tuple[int, float | None]:
    """Our count of a prompt's tokens, and how many the server counts for one of ours, where it has told."""
    counter = PromptCounter(model.settings.model_name)
    cuts_at = context.length if context and context.is_silent else None

    def count() -> tuple[int, float | None]:
        return counter.count(prompt), model.sizes.ratio(prompt, counter, cuts_at)

    return await asyncio.to_thread(count)


def _share(prompt: list[Message], shown: Texts, tokens: float, room: int) -> float:
    """The share of the answers with which a prompt of so many tokens would have no more than `room`."""
    characters = sum(len(message["content"]) for message in prompt)
    spare = max(0, tokens - room) * characters / max(1, tokens) * _SPARE + _MARKERS
    return 1.0 - spare / max(1, sum(len(text) for texts in shown for text in texts))


def _rounded(share: float) -> float:
    return math.floor(share * 1000) / 1000
