"""What the lines of judgment files hold for the statistics, and the codes that it is kept as."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from arena_hard.data.verdicts import LABELS, probabilities_in, standard_label
from arena_hard.rating.arrays import FloatArray, IntArray

K = TypeVar("K", bound=Hashable)

UNREADABLE = -1
ABSENT = -2
UNKNOWN = -3
NOT_GIVEN = -1  # no label probabilities
UNUSABLE = -2  # something else in their place


@dataclass(frozen=True)
class ForeignScores:
    """Scores that are no verdict, as other programs may write them: how many, and where the first stands."""

    count: int
    first: object
    file: Path
    line: int


class GameHead(msgspec.Struct, frozen=True, gc=False):
    """What is read of a game; everything else in it is passed over."""

    score: str | float | bool | list[Any] | dict[str, Any] | None = None
    truncated: Any = None


class JudgmentHead(msgspec.Struct, frozen=True, gc=False):
    """What is read of a judgment."""

    model: str | None = None
    games: Sequence[GameHead | None] | None = None
    question_id: str = ""
    uid: str = ""
    baseline: str | None = None
    category: str | None = None


class GameWithProbabilities(GameHead, frozen=True, gc=False):
    """The same with the probabilities of the labels, which only expected outcomes need."""

    label_probabilities: Any = None


class JudgmentWithProbabilities(JudgmentHead, frozen=True, gc=False):
    """A judgment of such games."""

    games: Sequence[GameWithProbabilities | None] | None = None


class Numbers(dict[K, int]):
    """Whatever to integers, in the order in which they are first met."""

    def __missing__(self, key: K) -> int:
        self[key] = number = len(self)
        return number


class Codes(Numbers[str]):
    """Names to integers."""


class VerdictCodes(dict[object, int]):
    """Labels in any spelling to indices of LABELS; what other programs wrote is UNKNOWN."""

    def of(self, game: GameHead | None) -> int:
        """The code of a game; null stands where one failed."""
        if game is None:
            return UNREADABLE
        return self.__missing__(game.score) if isinstance(game.score, (list, dict)) else self[game.score]

    def of_games(self, played: list[Any], position: int) -> list[int]:
        """The codes of the games in one position of all judgments."""
        try:
            return [
                ABSENT if len(games) <= position
                else UNREADABLE if (game := games[position]) is None
                else self[game.score]
                for games in played
            ]  # fmt: skip
        except TypeError:  # a list or an object in the place of a score has no hash
            return [self.of(games[position]) if len(games) > position else ABSENT for games in played]

    def __missing__(self, score: object) -> int:
        known = standard_label(score)
        code = UNREADABLE if score is None else UNKNOWN if known is None else LABELS.index(known)
        if not isinstance(score, (list, dict)):  # which have no hash
            self[score] = code
        return code


class ProbabilityCodes(dict[tuple[float, ...], int]):
    """Label probabilities to integers, in the order in which they are first met."""

    def of(self, game: GameHead | None) -> int:
        """The code of a game's; NOT_GIVEN or UNUSABLE where there are none to be used."""
        given = game.label_probabilities if isinstance(game, GameWithProbabilities) else None
        if given is None:
            return NOT_GIVEN
        try:
            return self[probabilities_in(given)]
        except ValueError:
            return UNUSABLE

    def of_games(self, played: list[Any], position: int) -> list[int]:
        """The codes of the games in one position of all judgments."""
        return [self.of(games[position]) if len(games) > position else NOT_GIVEN for games in played]

    def why_none(self, game: GameHead) -> str:
        """Why a game's cannot be used."""
        try:
            probabilities_in(game.label_probabilities if isinstance(game, GameWithProbabilities) else None)
        except ValueError as error:
            return str(error)
        return ""

    def rows(self, codes: IntArray) -> FloatArray:
        """The probabilities [n, labels] of codes [n]; NaN where there are none."""
        unknown = [np.nan] * len(LABELS)
        return np.array([*self, unknown, unknown])[codes]  # −1 and −2 are the last ones

    def __missing__(self, given: tuple[float, ...]) -> int:
        self[given] = code = len(self)
        return code
