"""Resampling: what the ratings would be if the same benchmark were drawn again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from arena_hard.rating import ratings
from arena_hard.rating.arrays import FloatArray, IntArray, weight_sums
from arena_hard.rating.battles import Battles, Cells

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

_STEP = 1 << 15  # draws whose codes stay in the processor's cache
_MANY = 1 << 16  # draws; fewer are counted as quickly without a second thread


def row_counts(battles: Battles, cells: Cells, rounds: int, seed: int) -> Iterator[FloatArray]:
    """Counts of cells [k] for each round of the original's bootstrap.

    It draws the rows of the battle file, in which a strong verdict stands `weight` times, with one
    generator for all rounds: the rows' order and the seed determine every count. Where outcomes are expected ones, each
    row of a game has the game's: what is drawn is the game, in proportion to its expected rows.
    """
    generator = np.random.RandomState(seed)
    if battles.game is not None:
        yield from _game_counts(battles, cells, rounds, generator, np.zeros(len(battles), dtype=np.int64))
        return
    of_rows = cells.of_rows(battles)
    counts_of_draws = _counts_of_many if len(of_rows) >= _MANY else _counts_of_few
    yield from counts_of_draws(of_rows, len(cells), rounds, generator)


def _counts_of_few(of_rows: IntArray, size: int, rounds: int, generator: np.random.RandomState) -> Iterator[FloatArray]:
    """How often each code below `size` is drawn [size] in each round, the draws being of rows with codes [n]."""
    for _ in range(rounds):
        drawn = generator.randint(0, len(of_rows), size=len(of_rows))
        yield np.bincount(of_rows[drawn], minlength=size).astype(float)


def _counts_of_many(
    of_rows: IntArray, size: int, rounds: int, generator: np.random.RandomState
) -> Iterator[FloatArray]:
    """The same, count by count, in half the time and on two threads.

    randint takes the lowest bits of the generator's words one after the other, and passes over those of n and more.
    Here all words are looked up at once, those being code `size`, and a round ends with its n-th other one.
    """
    n, bits = len(of_rows), (len(of_rows) - 1).bit_length()
    code_of = np.full(1 << bits, size, dtype=np.min_scalar_type(size))
    code_of[:n] = of_rows
    counts, missing = np.zeros(size), n
    for words in _words(generator, bits, max(size, _STEP)):
        codes = code_of[words]
        found = np.bincount(codes, minlength=size + 1)
        while (drawn := len(codes) - int(found[size])) >= missing:
            end = int(np.flatnonzero(codes < size)[missing - 1]) + 1
            of_round = np.bincount(codes[:end], minlength=size + 1)
            yield counts + of_round[:size]
            rounds -= 1
            if not rounds:
                return
            codes, found, counts, missing = codes[end:], found - of_round, np.zeros(size), n
        counts, missing = counts + found[:size], missing - drawn


def _words(generator: np.random.RandomState, bits: int, step: int) -> Iterator[IntArray]:
    """The lowest bits of the generator's words, for ever, at most `step` at a time."""
    for words in _ahead(lambda: generator.randint(0, 1 << bits, size=max(step, 8 * _STEP))):
        for start in range(0, len(words), step):
            yield words[start : start + step]


def _ahead(work: Callable[[], T]) -> Iterator[T]:
    """The results of some work, again and again, two of them on the way while another is used."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        begun: deque[Future[T]] = deque(pool.submit(work) for _ in range(2))
        while True:
            found = begun.popleft().result()
            begun.append(pool.submit(work))
            yield found


def times_drawn(generator: np.random.RandomState | np.random.Generator, rows: FloatArray) -> IntArray:
    """How often each game [m] is drawn in as many draws as there are rows [m], which may be fractions.

    The draws do not change with the last digit of a fraction, which depends on the machine.
    """
    ends = np.cumsum(rows)
    places: FloatArray = generator.random(round(round(float(ends[-1]), 6))) * ends[-1]
    drawn = np.minimum(np.searchsorted(ends, places, side="right"), len(rows) - 1)
    return np.bincount(drawn, minlength=len(rows))


def _game_counts(
    battles: Battles,
    cells: Cells,
    rounds: int,
    generator: np.random.RandomState | np.random.Generator,
    stratum: IntArray,
) -> Iterator[FloatArray]:
    """Counts of cells [k] for rounds that draw the rows of each stratum [n], a row having its game's outcome."""
    games = battles.games()
    strata = [np.flatnonzero(stratum[games.first] == code) for code in np.unique(stratum)]
    for _ in range(rounds):
        times = np.zeros(len(games.rows))
        for place in strata:
            times[place] = times_drawn(generator, games.rows[place])
        yield weight_sums(cells.of_battle, (times / games.rows)[games.place] * battles.rows, len(cells))


def question_counts(battles: Battles, cells: Cells, rounds: int, seed: int) -> Iterator[FloatArray]:
    """Counts of cells [k] for rounds that draw whole questions, with all their games and rows."""
    generator = np.random.RandomState(seed)
    there = np.flatnonzero(np.bincount(battles.question, minlength=battles.n_questions))
    for _ in range(rounds):
        drawn = there[generator.randint(0, len(there), size=len(there))]
        times = np.bincount(drawn, minlength=battles.n_questions)
        yield weight_sums(cells.of_battle, times[battles.question] * battles.rows, len(cells))


def model_counts(battles: Battles, cells: Cells, rounds: int, seed: int) -> Iterator[FloatArray]:
    """Counts of cells [k] for rounds that draw the rows of each model for themselves, as v2.0 does.

    Each model has as many rows in every round; battles are those of a star, so that each row is one model's.
    """
    generator = np.random.default_rng(seed)
    if battles.game is not None:
        stratum = np.maximum(battles.model_a, battles.model_b)
        yield from _game_counts(battles, cells, rounds, generator, stratum)
        return
    model = np.maximum(cells.model_a, cells.model_b)  # the baseline is the first of the models
    counts = cells.counts(battles)
    places = [np.flatnonzero(model == code) for code in np.unique(model)]
    for _ in range(rounds):
        drawn = np.zeros(len(cells))
        for place in places:
            total = counts[place].sum()
            drawn[place] = generator.multinomial(int(total), counts[place] / total)
        yield drawn


def rounds_of_ratings(cells: Cells, counts: Iterable[FloatArray], anchor: int, point: FloatArray) -> FloatArray:
    """Ratings [rounds, p] of each round's counts; `point` [p] is where Newton's method starts."""
    if ratings.is_star(cells, anchor):
        drawn = np.array(list(counts))
        to_wins, to_games = ratings.star_sums(cells, anchor)
        return ratings.star_ratings(drawn @ to_wins, drawn @ to_games, anchor)
    return np.array([ratings.fit(cells, drawn, anchor, start=point) for drawn in counts])


def unanchored(rounds: FloatArray) -> FloatArray:
    """Rounds [rounds, p] as the original left them for any baseline but gpt-4-0314: mean 1000, nothing pinned.

    A fit without a penalty that starts at zero keeps the mean at zero.
    """
    finite = np.where(np.isfinite(rounds), rounds, np.nan)
    return rounds - np.nanmean(finite, axis=1, keepdims=True) + ratings.ANCHOR_RATING


def quantiles(rounds: FloatArray, share: float) -> FloatArray:
    """The quantile [p] of each column of rounds [rounds, p], linear between neighbours as in pandas.

    Rounds may be ±inf (everything won or lost in that round); NaN (no game in it) is left out.
    """
    return np.array([_quantile(column[~np.isnan(column)], share) for column in rounds.T])


def _quantile(values: FloatArray, share: float) -> float:
    if len(values) == 0:
        return float("nan")
    values = np.sort(values)
    place = share * (len(values) - 1)
    low = int(place)
    below, above = values[low], values[min(low + 1, len(values) - 1)]
    part = place - low
    if part == 0.0 or below == above:
        return float(below)
    if np.isinf(below) and np.isinf(above):
        return float(below if part < 0.5 else above)
    return float((1.0 - part) * below + part * above)
