"""Expected outcomes again, one game and one label at a time, for tests/rating/test_expected_differential.py."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.support import slow_statistics as slow
from tests.support.slow_statistics import Rows


@dataclass(frozen=True)
class Seen:
    """A game with a verdict; chances: of the labels as shown, {label: 1.0} for one that is certain."""

    model: int
    question: int
    game: int
    chances: Mapping[str, float]

    def rows(self, weight: float) -> Rows:
        """The rows that the model is expected to have won, and all."""
        won = total = 0.0
        letter = "B" if self.game == 0 else "A"
        for label, chance in self.chances.items():
            copies = chance * (weight if ">>" in label else 1.0)
            total += copies
            won += copies / 2 if label == "A=B" else copies * (label[0] == letter)
        return won, total


def by_question(games: Iterable[Seen], model: int, weight: float) -> dict[int, Rows]:
    """A model's expected rows on each question."""
    found: dict[int, Rows] = {}
    for game in games:
        if game.model == model:
            won, rows = game.rows(weight)
            old = found.get(game.question, (0.0, 0.0))
            found[game.question] = old[0] + won, old[1] + rows
    return found


def with_room(
    ends: tuple[float, float], questions: Mapping[int, Rows], most: float, level: float
) -> tuple[float, float]:
    """An interval of win rates that leaves room for unseen questions, as far as the worst and the best were from it."""
    value, shares = slow.score(questions), [won / rows for won, rows in questions.values()]
    unseen, rows = slow.unseen(len(questions), level), slow.mean_rows(questions)
    down = unseen * min(shares) / (value / 100)
    up = unseen * (1 - max(shares)) / (1 - value / 100)
    low, high = slow.with_unseen(value, rows, most, down)[0], slow.with_unseen(value, rows, most, up)[1]
    return min(ends[0], low), max(ends[1], high)


def rounds(games: Sequence[Seen], models: Sequence[int], kind: str, weight: float, number: int) -> list[list[float]]:
    """Win rates of the models in rounds that draw games by their rows, or whole questions."""
    generator = np.random.RandomState(42)
    rows = [game.rows(weight) for game in games]
    total = sum(each for _, each in rows)
    asked = sorted({game.question for game in games})
    found: list[list[float]] = []
    for _ in range(number):
        if kind == "rows":
            times = [0.0] * len(games)
            for point in generator.random_sample(round(round(total, 6))):
                game = _game_at(point * total, rows)
                times[game] += 1.0 / rows[game][1]
        else:
            picks = [asked[k] for k in generator.randint(0, len(asked), size=len(asked))]
            times = [float(picks.count(game.question)) for game in games]
        found.append([_win_rate(games, rows, times, model) for model in models])
    return found


def _game_at(point: float, rows: Sequence[Rows]) -> int:
    """In which game a point lies, if they lie one after the other, each as long as its rows."""
    for place, (_, each) in enumerate(rows):
        if point < each:
            return place
        point -= each
    return len(rows) - 1


def _win_rate(games: Sequence[Seen], rows: Sequence[Rows], times: Sequence[float], model: int) -> float:
    own = [(count * won, count * each) for game, (won, each), count in zip(games, rows, times) if game.model == model]
    total = sum(each for _, each in own)
    return 100.0 * sum(won for won, _ in own) / total if total else math.nan


def error_by_rows(games: Iterable[Seen], model: int, weight: float, score: float) -> float:
    """The standard error of a win rate (0 to 1) if all rows were independent, each with its game's outcome."""
    rows = [game.rows(weight) for game in games if game.model == model]
    return math.sqrt(sum((won - score * each) ** 2 / each for won, each in rows)) / sum(each for _, each in rows)


def error_by_questions(questions: Mapping[int, Rows], score: float) -> float:
    """The same with the rows of a question together."""
    n, total = len(questions), sum(rows for _, rows in questions.values())
    squares = sum((won - score * rows) ** 2 for won, rows in questions.values())
    return math.sqrt(squares * (n / (n - 1) if n > 1 else 1.0)) / total
