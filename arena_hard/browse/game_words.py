"""What is said of one judgment and its two games: who won, and why something is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from arena_hard.browse import game_selection
from arena_hard.browse.commands import Commands
from arena_hard.browse.game_selection import Pair
from arena_hard.browse.record_file import NO_GAME, UNREADABLE
from arena_hard.data.lengths import CUT_OFF
from arena_hard.data.records import Game
from arena_hard.data.verdicts import LABELS, labels_in, outcome


def verdict_words(code: int, pair: Pair, number: int) -> tuple[str, str]:
    """(words, kind) of a game's verdict; kind is model, baseline, tie, unreadable or none."""
    if code == NO_GAME:
        return "no judgment", "none"
    if code == UNREADABLE:
        return "no verdict could be read", "unreadable"
    won = outcome(LABELS[code])
    if won.winner is None:
        return "a tie", "tie"
    side = pair.sides(number)[0 if won.winner == "A" else 1]
    return f"{side.model} is {'much' if won.strong else 'slightly'} better", side.role


def agreement_words(pair: Pair) -> str:
    """What the two games say together."""
    first, second = (np.array([code]) for code in pair.codes)
    if min(pair.codes) < 0:
        return _missing_words(pair.codes)
    if game_selection.disagree(first, second)[0]:
        winners = [outcome(LABELS[code]).winner for code in pair.codes]
        if winners[0] is not None and winners[0] == winners[1]:
            place = "first" if winners[0] == "A" else "second"
            return f"The two games disagree: whichever answer was shown {place} won."
        return "The two games disagree."
    return "The two games agree." if pair.codes[0] == 4 - pair.codes[1] else "The two games agree on the winner."


def _missing_words(codes: tuple[int, int]) -> str:
    """Which of the two games has no verdict, and why."""
    reasons = {NO_GAME: "was not played", UNREADABLE: "has no verdict that could be read"}
    if codes == (NO_GAME, NO_GAME):
        return ""
    if max(codes) < 0:
        return "Neither game has a verdict that could be read."
    readable = 1 if codes[0] >= 0 else 2
    return f"Only game {readable} counts: game {3 - readable} {reasons[min(codes)]}."


def unjudged_words(judge: str, pair: Pair, commands: Commands) -> list[str]:
    """Why there is no judgment, and the commands that make it."""
    model, against = pair.model, pair.baseline
    if pair.judgment or not judge:
        return []
    if model.model == against.model:
        return [f"{model.model} is the baseline, which is not judged against itself."]
    command = commands.judge("--models", model.model)
    lacking = list(dict.fromkeys(side.model for side in (model, against) if side.answer is None))
    if lacking:
        who = f"{' and '.join(lacking)} {'has' if len(lacking) == 1 else 'have'}"
        words = f"{judge} has not judged {model.model} on this question yet, and cannot: {who} no answer to it."
        return [words, f"{commands.answer('--models', *lacking)}\n{command}"]
    return [f"{judge} has not judged {model.model} on this question yet. This asks for what is missing:", command]


def lacking(pair: Pair, number: int, patterns: tuple[Any, ...], commands: Commands) -> tuple[str, str]:
    """(why a judged game has no verdict or no text, the command that makes it anew); empty where nothing is missing."""
    game, code = pair.game(number), pair.codes[number - 1]
    if pair.judgment is None:
        return "", ""
    model = pair.model.model
    retry = commands.judge("--models", model, "--retry-unreadable")
    if code == NO_GAME or game is None:
        place = len(pair.judgment.games) >= number
        why = "its place in the record is empty" if place else f"its record ends before game {number}"
        unread = place or UNREADABLE in pair.codes or not pair.judgment.games  # else the record passes for a whole one
        again = retry if unread else commands.judge_again(model, pair.question_id)
        return f"There is no such game in the judgment: {why}. This judges the question again:", again
    if code == UNREADABLE:
        return f"{why_unreadable(game, patterns)} This judges it again:", retry
    if not game.judgment.strip():
        return "No text is recorded for this game: its record holds the verdict alone.", ""
    return "", ""


def shortened_words(game: Game | None) -> str:
    """That the judge saw less of the answers than a reader does; empty where it saw all."""
    if game is None or not game.truncated:
        return ""
    count = game.truncated.get("left_out")
    of_both = f": {count:,.0f} characters of both together were left out in the middle" if count else ""
    return f"The judge saw shortened answers{of_both}. What it was sent, below, shows where."


def why_unreadable(game: Game | None, patterns: tuple[Any, ...]) -> str:
    """Why a game has no verdict although it was played."""
    text = game.judgment.strip() if game else ""
    labels = labels_in(text, patterns)
    it = "It" if text else "No text is recorded for this game: it"
    if len(labels) > 1:
        return f"It holds labels that differ: {' and '.join(labels)}."
    if labels:
        return f"It holds {labels[0]}, but was read by another pattern."
    if game and game.finish_reason in CUT_OFF:
        return f"{it} was cut off at max_tokens before it came to a label. Raise max_tokens in the judge's config."
    return "It holds no label." if text else "No text is recorded for this game: the judge wrote nothing."
