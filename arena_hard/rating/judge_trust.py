"""Whether a judge's verdicts can be trusted: one answer, and the two facts that decide it.

Both facts come from playing each question twice with the answers' places swapped: how far the judge prefers a place,
and how far it agrees with itself. They say nothing of whether people would agree with it.

Thresholds, the only ones of their kind in the project:

- κ of the two games: up to 0.2 is slight agreement, above 0.6 substantial (Landis and Koch, Biometrics 33, 1977).
- preference for a place: on MT-bench GPT-4 preferred the first answer in 30.0% of the cases and the second in 5.0%, and
  agreed with people as often as people with each other; GPT-3.5 50.0% and 1.2% (Zheng et al. 2023, table 2).
  What GPT-4 had is the most for "yes", what GPT-3.5 had is too much.
"""

from __future__ import annotations

from dataclasses import dataclass

from arena_hard.rating import judge_stats
from arena_hard.rating.arrays import occurring
from arena_hard.rating.games import GameTable, select
from arena_hard.rating.judge_stats import Agreement

FEWEST = 50  # judgments (of a model on a question) with both games, below which κ is known to no better than ±0.3
FEW = 10  # below which not even a suspicion is told
SLIGHT, SUBSTANTIAL = 0.2, 0.6
GREAT_BIAS, TOO_GREAT_BIAS = 25.0, 49.0
ANSWERS = ("yes", "with care", "no", "not known")


@dataclass(frozen=True)
class Trust:
    """answer: one of ANSWERS; bias, agreement: the two facts in words, to follow the judge's name.

    suspected: the judgments are too few for an answer, and by as many as there are it would be "no".
    """

    judge: str
    answer: str
    bias: str
    agreement: str
    suspected: bool = False


def trust(games: GameTable) -> list[Trust]:
    """The answer for each judge of some games. Without scipy, since each leaderboard asks."""
    return [_trust(select(games, games.judge == code), games.judges[code]) for code in occurring(games.judge)]


def _trust(games: GameTable, judge: str) -> Trust:
    both = judge_stats.pairs_of_games(games)
    found = judge_stats.agreement(both[:, 0], both[:, 1])
    bias = judge_stats.preference(games)
    if bias is None:
        unseen = "cannot be checked for position bias (that needs both games of two questions)"
        return Trust(judge, "not known", unseen, _agreement_words(found))
    value, error = float(bias.value[0]), float(bias.error[0])
    plain = answer(value, found.kappa)
    said = plain if found.units >= FEWEST else "not known"
    suspected = FEW <= found.units < FEWEST and plain == "no"
    return Trust(judge, said, _bias_words(value, error), _agreement_words(found), suspected)


def answer(bias: float, kappa: float | None) -> str:
    """One of ANSWERS for a preference for a place, in points, and an agreement."""
    if abs(bias) >= TOO_GREAT_BIAS or (kappa is not None and kappa <= SLIGHT):
        return "no"
    if kappa is None:  # the same verdict of each game everywhere: nothing to agree about
        return "not known"
    return "yes" if abs(bias) < GREAT_BIAS and kappa > SUBSTANTIAL else "with care"


def _bias_words(bias: float, error: float) -> str:
    """How far a place is preferred, if that is more than chance (two standard errors)."""
    if abs(bias) <= 2.0 * error:
        return f"shows no clear position bias ({bias:+.1f} points for the first answer, where 0 is fair)"
    return f"prefers the answer shown {'first' if bias > 0 else 'second'} by {abs(bias):.1f} points, where 0 is fair"


def _agreement_words(found: Agreement) -> str:
    if found.same_sign is None:
        return "has no judgment with a verdict in both games"
    kappa = "κ not defined" if found.kappa is None else f"κ {round(found.kappa, 2) + 0.0:.2f}"
    share = f"{100 * found.same_sign:.0f}%"
    return f"names the same winner in both games of {share} of its judgments ({kappa}, where 0 is guessing)"
