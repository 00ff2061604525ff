"""What is known after judging that was looked at while it went on, and that the looks could end.

An interval as if the number of questions had been fixed is too narrow then, and a difference that was decided early
is too large. What holds is the interval with the boundary of the last look, at all looks together and whatever made
one stop (Jennison & Turnbull 1989, JRSS B 51). The p-value is the one that belongs to it: the least 1 − level at which
it excludes 0. Where the difference itself ended the run, the estimate is the median-unbiased one of the stagewise
ordering: an end at an earlier look is the more extreme (Tsiatis, Rosner & Mehta 1984, Biometrics 40).

What there is now need not be what the last look saw. More questions are one more look, which spends what error is its
own; in the stagewise ordering it takes the place of the look that ended the run (Whitehead 1992, Controlled Clinical
Trials 13, on over- and underrunning). Fewer (an unreadable verdict, a judgment that is gone, one category) have seen
the looks all the same: the widest boundary from their place on is theirs, and the estimate is drawn back as at the
last look.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist

import msgspec
import numpy as np

from arena_hard.data.paths import file_name, manifest_file
from arena_hard.data.records import UserError
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.outcomes import Outcomes
from arena_hard.rating.pair_rule import score_with_ends
from arena_hard.rating.sequential import ALPHA, PLACES, boundaries, tail_of

_FARTHEST = 60.0  # standard errors of all questions, beyond which no drift is looked for
_GRID = 401  # places of the sums that no boundary has ended
_COARSE = 201  # of those that give a p-value to three digits
_LEAST = 1e-10  # error, below which no boundary is looked for
_PLANNED = 0.95  # the level that the looks were planned for, of which ALPHA is the error


class Looked(msgspec.Struct, frozen=True):
    """How judging was looked at: after how many of the questions, and what was to be known.

    decided: the two models of --until-decided; width: the points of --until-width; earlier: other two models of
    runs before.
    """

    questions: int
    judged: tuple[int, ...]
    decided: tuple[str, str] | None = None
    width: float | None = None
    earlier: tuple[tuple[str, str], ...] = ()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All the two models that were to be told apart, each in the order of their names."""
        named = (*self.earlier, *([self.decided] if self.decided else []))
        return list(dict.fromkeys((min(pair), max(pair)) for pair in named))

    @property
    def shares(self) -> list[float]:
        """The shares of the questions."""
        return [number / self.questions for number in self.judged]

    def after(self, earlier: Looked | None) -> Looked:
        """These looks and those of a run before: what was seen stays seen."""
        if earlier is None:
            return self
        judged, questions = tuple(sorted({*earlier.judged, *self.judged})), max(earlier.questions, self.questions)
        decided = self.decided or earlier.decided
        last = (min(decided), max(decided)) if decided else None
        before = tuple(pair for pair in dict.fromkeys([*earlier.pairs, *self.pairs]) if pair != last)
        return Looked(questions, judged, decided, self.width or earlier.width, before)


class _Manifest(msgspec.Struct):
    looks: Looked | None = None


def looked_in(folders: Iterable[Path], models: Sequence[str]) -> dict[str, Looked]:
    """How judging was looked at, by model, as the manifests beside the judgments say it. Raises UserError."""
    found: dict[str, Looked] = {}
    for folder in folders:
        for model in models:
            file = manifest_file(folder / f"{file_name(model)}.jsonl")
            try:
                looks = msgspec.json.decode(file.read_bytes(), type=_Manifest).looks if file.is_file() else None
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise UserError(f"{file} is not readable. Move it away; the records do not need it.") from None
            except OSError as error:
                raise UserError(f"{file} cannot be read: {error.strerror or error}.") from None
            if looks and looks.judged:
                found[model] = looks.after(found.get(model))
    return found


@dataclass(frozen=True)
class AfterLooks:
    """A score, or a difference of two, after some looks, in points.

    questions: how many there are now; last: how many the last look saw; value: as if their number had been fixed;
    lower, upper: the interval that holds at all looks; p_value: the interval's, of a difference; estimate:
    median-unbiased, None where something else than this difference could end the run, and where these judgments cannot
    be those that the looks saw.
    """

    name: str
    questions: int
    looks: int
    last: int
    value: float
    lower: float
    upper: float
    estimate: float | None = None
    p_value: float | None = None
    is_difference: bool = False


def boundary_now(looked: Looked, questions: int, level: float = _PLANNED) -> float:
    """How many standard errors the interval reaches on so many questions that holds at all looks with this level."""
    return _widest(looked, questions, _error_of(level))


def _error_of(level: float) -> float:
    """The error that is spent for a level, ALPHA for the planned one."""
    return ALPHA * (1.0 - level) / (1.0 - _PLANNED)


def _widest(looked: Looked, questions: int, alpha: float, places: int = PLACES) -> float:
    """The widest boundary from the place of so many questions on; more than at the last look are one more look."""
    judged = looked.judged if questions <= looked.judged[-1] else (*looked.judged, questions)
    bounds = _bounds(judged, max(looked.questions, questions), alpha, places)
    return max(bound for number, bound in zip(judged, bounds) if number >= questions)


@lru_cache(maxsize=64)
def _bounds(judged: tuple[int, ...], questions: int, alpha: float = ALPHA, places: int = PLACES) -> list[float]:
    return boundaries([number / questions for number in judged], alpha, places=places)


def scores_after(found: Outcomes, models: Sequence[str], looked: Looked, level: float = _PLANNED) -> list[AfterLooks]:
    """The scores of the models that two questions or more say something of."""
    seen: list[AfterLooks] = []
    for name in models:
        m = found.models.index(name) if name in found.models else -1
        n = int(found.judged[m].sum()) if m >= 0 else 0
        if n < 2:
            continue
        tail = tail_of(boundary_now(looked, n, level))
        value, lower, upper = score_with_ends(found.won[m], found.games[m], found.most, tail)
        seen.append(AfterLooks(name, n, len(looked.judged), looked.judged[-1], value, lower, upper))
    return seen


def differences_after(found: Outcomes, looked: Mapping[str, Looked], level: float = _PLANNED) -> list[AfterLooks]:
    """The differences of the models of --until-decided, where two questions or more say something of both."""
    pairs = dict.fromkeys(pair for looks in looked.values() for pair in looks.pairs)
    states = [state_of(looked, pair) for pair in pairs]
    seen = [difference_after(found, pair, state, level) for pair, state in zip(pairs, states)]
    return [one for one in seen if one]


def state_of(looked: Mapping[str, Looked], pair: tuple[str, str]) -> Looked:
    """The looks at both models of a pair, or at those who were judged with them where they have none of their own."""
    own = [looked[name] for name in pair if name in looked]
    state, *others = own or [looks for looks in looked.values() if pair in looks.pairs]
    for other in others:
        state = state.after(other)
    return state


def difference_after(
    found: Outcomes, pair: tuple[str, str], looked: Looked, level: float = _PLANNED
) -> AfterLooks | None:
    """The difference of two models after these looks; None without two questions that both were judged on."""
    if not set(pair) <= set(found.models):
        return None
    n = int((found.judged[found.models.index(pair[0])] & found.judged[found.models.index(pair[1])]).sum())
    if n < 2:
        return None
    from arena_hard.rating.paired import differences

    nominal = 2.0 * NormalDist().cdf(boundary_now(looked, n, level)) - 1.0
    (one,) = differences(found, pair, nominal)
    z = math.copysign(_as_normal(one.p_value), one.value)
    p_value = _p_of(looked, n, abs(z))
    is_sure = one.lower > 0.0 or one.upper < 0.0  # for which the boundary was computed to more digits
    p_value = min(p_value, math.nextafter(1.0 - level, 0.0)) if is_sure else max(p_value, 1.0 - level)
    is_seen = looked.width is None and not found.is_expected  # else what was looked at was not this difference
    is_own = is_seen and looked.pairs == [(min(pair), max(pair))]
    estimate = one.value * _share_kept(looked, n, z) if is_own else None
    if estimate is not None and not one.lower <= estimate <= one.upper:
        estimate = None  # these judgments would have ended the run at an earlier look: they have changed since
    return AfterLooks(
        name=f"{one.model} − {one.other}",
        questions=n,
        looks=len(looked.judged),
        last=looked.judged[-1],
        value=one.value,
        lower=one.lower,
        upper=one.upper,
        estimate=estimate,
        p_value=p_value,
        is_difference=True,
    )


def _p_of(looked: Looked, questions: int, z: float) -> float:
    """The least 1 − level at which the boundary on so many questions is below z."""
    from scipy.optimize import brentq

    def beyond(log_alpha: float) -> float:
        return _widest(looked, questions, math.exp(log_alpha), _COARSE) - z

    most = _error_of(0.0)
    ends = math.log(_LEAST), math.log(most)
    if beyond(ends[1]) >= 0.0:
        return 1.0
    alpha = math.exp(brentq(beyond, *ends, xtol=1e-3)) if beyond(ends[0]) > 0.0 else _LEAST
    return alpha / most


def _share_kept(looked: Looked, questions: int, z: float) -> float:
    """What the median-unbiased difference is of the plain one, z standard errors, after the looks."""
    ended = (*looked.judged[:-1], max(questions, looked.judged[-1]))
    shares = [number / max(looked.questions, questions) for number in ended]
    return (
        _drift(shares, _bounds(ended, max(looked.questions, questions)), z) / (z / math.sqrt(shares[-1])) if z else 1.0
    )


def _as_normal(p_value: float) -> float:
    """The normal deviate, 0 or above, with this two-sided p-value."""
    from scipy.special import ndtri

    return abs(float(ndtri(max(p_value, 1e-300) / 2.0)))


def _drift(shares: Sequence[float], bounds: Sequence[float], z: float) -> float:
    """The drift, in standard errors of all questions, with which more is as probable as less than what was seen."""
    from scipy.optimize import brentq

    return float(brentq(lambda drift: chance_of_more(shares, bounds, z, drift) - 0.5, -_FARTHEST, _FARTHEST, xtol=1e-6))


def chance_of_more(shares: Sequence[float], bounds: Sequence[float], z: float, drift: float) -> float:
    """The probability of an end that speaks more for the first than z at the last of the looks, with this drift.

    The sums move as a Brownian motion with a drift; the density of those that no boundary has ended is carried from
    look to look on a grid (Armitage, McPherson & Rowe 1969, JRSS A 132).
    """
    from scipy.special import ndtr

    grid: FloatArray = np.zeros(1)
    mass: FloatArray = np.ones(1)
    chance, before = 0.0, 0.0
    for place, (share, bound) in enumerate(zip(shares, bounds)):
        step, moved = math.sqrt(share - before), grid + drift * (share - before)
        is_last = place == len(shares) - 1
        edge = (z if is_last else bound) * math.sqrt(share)
        chance += float(mass @ (1.0 - ndtr((edge - moved) / step)))
        if is_last:
            break
        following = np.linspace(-edge, edge, _GRID)
        density = np.exp(-0.5 * ((following[:, None] - moved) / step) ** 2) @ mass / (step * math.sqrt(2.0 * math.pi))
        weights = np.full(_GRID, float(following[1] - following[0]))
        weights[[0, -1]] /= 2.0
        grid, mass, before = following, density * weights, share
    return chance
