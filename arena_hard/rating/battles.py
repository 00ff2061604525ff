"""Judgments → battles: the rows of the fit, kept as codes and counted instead of repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.records import UserError
from arena_hard.data.self_play import may_be_itself
from arena_hard.data.verdicts import LABELS, outcome
from arena_hard.rating.arrays import FloatArray, IntArray, distinct, occurring, weight_sums
from arena_hard.rating.game_codes import UNREADABLE
from arena_hard.rating.game_rows import rows_of
from arena_hard.rating.games import GameTable, select

WINNERS = ("model_a", "tie", "model_b")
A_WINS, TIE, B_WINS = range(3)
_AHEAD = np.array([{"A": 1, None: 0, "B": -1}[outcome(label).winner] for label in LABELS])


@dataclass(frozen=True)
class Battles:
    """Battles in the order of the files; codes index `models` and `questions`.

    model_a, model_b, question: int arrays [n]; winner: [n] index into WINNERS;
    rows: [n] how many rows of the original's battle file a battle is (the weight of a strong verdict);
    game: [n] rising number of the game that a battle is a part of, where games have expected outcomes: fractional
    rows won, tied and lost (game_rows.py); None where each battle is a game with whole rows;
    most: how many rows all battles of two models on one question may be; None where only those that are there tell it.
    Where battles come without questions, `questions` is empty and each battle is a question of its own.
    """

    models: list[str]
    questions: list[str]
    model_a: IntArray
    model_b: IntArray
    question: IntArray
    winner: IntArray
    rows: IntArray | FloatArray
    most: int | None = None
    game: IntArray | None = None

    def __len__(self) -> int:
        return len(self.winner)

    @property
    def whole_rows(self) -> IntArray:
        """The rows, where each battle is a game."""
        return self.rows.astype(np.int64, copy=False)

    @property
    def n_rows(self) -> float:
        """How many rows the original's battle file has for these battles; the expected number, if that is all."""
        return float(self.rows.sum()) if self.game is not None else int(self.rows.sum())

    @property
    def n_games(self) -> int:
        """How many games the battles are parts of."""
        return len(self) if self.game is None else len(distinct(self.game))

    @property
    def n_questions(self) -> int:
        return len(self.questions) or len(self)

    def most_rows(self) -> int:
        """How many rows all battles of two models on one question may be."""
        if self.most is not None or not self.questions:
            return self.most or 1
        one, other = np.minimum(self.model_a, self.model_b), np.maximum(self.model_a, self.model_b)
        pair = one.astype(np.int64) * len(self.models) + other
        met, of_battle = np.unique(pair * self.n_questions + self.question, return_inverse=True)
        return int(weight_sums(of_battle, self.rows, len(met)).max())

    def games(self) -> Games:
        """The games that the battles are parts of."""
        won, rows = 1.0 - self.winner / 2.0, self.rows.astype(float)
        if self.game is None:
            return Games(np.arange(len(self)), np.arange(len(self)), won, rows)
        _, first, place = np.unique(self.game, return_index=True, return_inverse=True)
        every = weight_sums(place, rows, len(first))
        return Games(place, first, weight_sums(place, won * rows, len(first)) / every, every)

    def coded_by(self, models: Sequence[str], questions: Sequence[str]) -> Battles:
        """The same battles with codes into these lists, which may name more; as they are where one is not listed."""
        if not (set(self.models) <= set(models) and set(self.questions) <= set(questions)):
            return self
        model, question = _places(self.models, models), _places(self.questions, questions)
        codes = {"model_a": model[self.model_a], "model_b": model[self.model_b]}
        if self.questions:
            codes["question"] = question[self.question]
        return replace(self, models=list(models), questions=list(questions) if self.questions else [], **codes)

    def fought(self) -> set[str]:
        """The models that have a battle."""
        return {self.models[code] for codes in (self.model_a, self.model_b) for code in occurring(codes)}


def _places(names: Sequence[str], known: Sequence[str]) -> IntArray:
    place = {name: code for code, name in enumerate(known)}
    return np.array([place[name] for name in names], dtype=np.int32)


class Games(NamedTuple):
    """Games with the outcomes of their battles put together.

    place: [n] the game of each battle; of each game, arrays [m], first: the place of its first battle; won: the share
    of its rows that model_a won; rows: all of them.
    """

    place: IntArray
    first: IntArray
    won: FloatArray
    rows: FloatArray


@dataclass(frozen=True)
class Cells:
    """The different battles there are: cell c is won by `winner[c]` between model_a[c] and model_b[c].

    of_battle: [n] the cell of each battle; all other arrays [k].
    """

    n_models: int
    model_a: IntArray
    model_b: IntArray
    winner: IntArray
    of_battle: IntArray

    def __len__(self) -> int:
        return len(self.winner)

    def counts(self, battles: Battles) -> FloatArray:
        """Rows in each cell [k]."""
        if battles.game is None and battles.rows.max(initial=0) == 1:  # half the time, and no copy of the rows
            return np.bincount(self.of_battle, minlength=len(self)).astype(float)
        return weight_sums(self.of_battle, battles.rows, len(self))

    def of_rows(self, battles: Battles) -> IntArray:
        """The cell of each row in the order of the original's battle file [n_rows]."""
        return np.repeat(self.of_battle, battles.whole_rows)


def cells_of(battles: Battles) -> Cells:
    """Equal battles put together, in linear time."""
    p = len(battles.models)
    code = (battles.model_a.astype(np.int64) * p + battles.model_b) * len(WINNERS) + battles.winner
    there = np.flatnonzero(np.bincount(code, minlength=p * p * len(WINNERS)))
    place = np.empty(p * p * len(WINNERS), dtype=np.int32)
    place[there] = np.arange(len(there), dtype=np.int32)
    pair, winner = np.divmod(there, len(WINNERS))
    model_a, model_b = np.divmod(pair, p)
    return Cells(p, model_a, model_b, winner, place.take(code))


# --------------------------------------------------------------------------------------- from games


def from_games(table: GameTable, baseline: str, weight: int = 3, first_game_only: bool = False) -> Battles:
    """The battles of a table whose games were all played against one baseline.

    A strong verdict counts as `weight` rows, an uncertain one as several battles, each with the rows that are
    expected of it. Models without a readable verdict stay in the list.
    """
    there = occurring(table.model)
    models = [baseline, *(table.models[code] for code in there)]
    place = np.zeros(len(table.models), dtype=np.int32)
    place[there] = np.arange(1, len(models))
    used = table.verdict >= 0
    if first_game_only:
        used &= table.game == 0
    return of_rows(
        models=models,
        questions=table.questions,
        model_a=np.zeros(int(used.sum()), dtype=np.int32),
        model_b=place[table.model[used]],
        question=table.question[used],
        rows=rows_of(table, weight)[used],
        most=most_rows(weight, first_game_only, len(occurring(table.judge[used]))),
    )


def of_rows(
    models: list[str],
    questions: list[str],
    model_a: IntArray,
    model_b: IntArray,
    question: IntArray,
    rows: FloatArray,
    most: int | None,
) -> Battles:
    """The battles of games [m] with rows [m, 3] for each of WINNERS, at least one of them above 0."""
    game, winner = np.nonzero(rows)
    found = rows[game, winner]
    certain = len(game) == len(rows) and bool((found == np.rint(found)).all())
    return Battles(
        models=models,
        questions=questions,
        model_a=model_a[game],
        model_b=model_b[game],
        question=question[game],
        winner=winner.astype(np.int8),
        rows=found.astype(np.int64) if certain else found,
        most=most,
        game=None if certain else game,
    )


def most_rows(weight: int, first_game_only: bool, judges: int) -> int:
    """How many rows of battles a question is at most: strong verdicts of all judges (one at least) in each game."""
    return weight * (1 if first_game_only else 2) * max(1, judges)


def readable_battles(table: GameTable, baseline: str, judge: str, weight: int, first_game_only: bool) -> Battles:
    """The battles of `from_games`, by a judge of this name. Raises UserError where there is none."""
    if not len(table):
        raise UserError(
            f"{judge} has judged nothing but the baseline {baseline} itself, which says nothing. Judge other models "
            "with gen_judgment.py, or name the right baseline with --baseline."
        )
    fought = from_games(table, baseline, weight, first_game_only)
    if not len(fought):
        raise UserError(
            f"No verdict of {judge} could be read in any of {counted(len(table), 'game')}. Look at the judge's "
            "texts with qa_browser.py."
        )
    return fought


def baseline_of(table: GameTable, wanted: str) -> str:
    """The baseline of a table's games, checked against the records. Raises UserError.

    Records of the original do not say whom the model was compared with: for them `wanted` is believed.
    """
    recorded = [table.baselines[code] for code in occurring(table.baseline) if table.baselines[code]]
    others = [name for name in recorded if name != wanted]
    if others:
        raise UserError(
            f"The judgments were made against {shortened(others)}, not against {wanted}. "
            f"Run with --baseline {others[0]}, or judge against {wanted} first."
        )
    if not _may_be_itself(table, wanted):
        raise UserError(
            f"The judgments of {wanted} are not of the baseline against itself: two games with the same answers come "
            "out even on average, and alike, and these do not. Name the right baseline with --baseline, or remove that "
            "judgment file."
        )
    return wanted


def _may_be_itself(table: GameTable, baseline: str) -> bool:
    """Whether a baseline's own judgments, which do not name theirs, can be against itself."""
    if baseline not in table.models or "" not in table.baselines:
        return True
    own = select(table, (table.model == table.models.index(baseline)) & (table.verdict >= 0))
    own = select(own, own.baseline == table.baselines.index(""))
    pair = own.judge.astype(np.int64) * len(table.questions) + own.question
    of_pair = np.full((2, int(pair.max(initial=-1)) + 1), UNREADABLE)
    of_pair[own.game, pair] = own.verdict
    both = of_pair[:, (of_pair >= 0).all(axis=0)]
    found, counts = np.unique(_AHEAD[both], axis=1, return_counts=True)
    return may_be_itself({(int(one), int(two)): int(n) for (one, two), n in zip(found.T, counts)})
