"""Numbers at the edges: few questions, no spread, no common questions, nothing but wins, places without information."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from arena_hard.data.records import UserError
from arena_hard.rating import battles, intervals, paired, planning, ratings, same_place, sequential
from arena_hard.rating.battles import Battles
from arena_hard.rating.category_mean import category_mean
from arena_hard.rating.intervals import Fit, Rule
from arena_hard.rating.outcomes import outcomes
from tests.rating.test_paired import drawn, table_of

UNJUDGED = -1


def halves(seed: int = 1, p: int = 2, q: int = 80) -> np.ndarray:
    """Grades of models that are the same, the first judged on the easy half, the second on the hard one."""
    grades = np.repeat(drawn(seed, p=1, q=q), p, axis=0)
    easy = np.argsort(-grades[0].sum(axis=1))
    grades[0, easy[q // 2 :]] = UNJUDGED
    grades[1, easy[: q // 2]] = UNJUDGED
    return grades


def test_without_a_common_question_nothing_is_said() -> None:
    found = outcomes(table_of(halves()))
    assert found.score[0] - found.score[1] > 20
    assert paired.differences(found) == () and paired.without_common(found) == [("m0", "m1")]
    assert [(one.best, one.worst) for one in paired.rank_intervals(found)] == [(1, 2), (1, 2)]


def test_of_unequal_sets_the_common_questions_count_and_both_are_told() -> None:
    grades = drawn(3, p=2, q=60, strengths=np.array([0.0, 0.8]))
    few = grades.copy()
    few[0, 8:] = UNJUDGED
    (one,) = paired.differences(outcomes(table_of(few)))
    (same,) = paired.differences(outcomes(table_of(grades[:, :8])))
    assert (one.value, one.lower, one.upper, one.p_value) == pytest.approx(
        (same.value, same.lower, same.upper, same.p_value)
    )
    assert (one.questions, {one.model_questions, one.other_questions}) == (8, {8, 60}) and not one.has_same_questions
    assert one.score - one.other_score == pytest.approx(one.value) and one.unpaired != pytest.approx(one.value)


@pytest.mark.parametrize(("questions", "p_value"), [(2, 0.5), (3, 0.25), (5, 0.0625), (11, 2.0**-10)])
def test_differences_that_are_alike_are_as_sure_as_the_sign_test(questions: int, p_value: float) -> None:
    grades = np.full((2, questions, 2), 4)
    grades[1] = 0
    (one,) = paired.differences(outcomes(table_of(grades)))
    assert (one.value, one.upper, one.p_value) == (100.0, 100.0, p_value)
    # (1 − share)^n = 0.025, and a question of that share may be lost by the one and won by the other
    assert one.lower == pytest.approx(100 - 200 * (1 - 0.025 ** (1 / questions)))
    ranks = [(one.best, one.worst) for one in paired.rank_intervals(outcomes(table_of(grades)))]
    assert ranks == ([(1, 2), (1, 2)] if p_value > 0.05 else [(1, 1), (2, 2)])


def test_stopping_early_takes_no_spread_for_no_certainty() -> None:
    won, lost, rows = np.full(3, 6.0), np.zeros(3), np.full(3, 6.0)
    assert not sequential.look_at((won, rows), (lost, rows), 1.96).decided  # p = 0.25
    many = np.full(30, 6.0)
    assert sequential.look_at((many, many), (np.zeros(30), many), 1.96).decided
    assert sequential.width_of(np.ones(20), np.full(20, 2.0), 1.96) > 20  # ties alone


def test_the_baseline_is_a_model_like_the_others() -> None:
    grades = drawn(5, p=3, q=80, strengths=np.array([-1.5, 0.0, 1.5]))
    found = outcomes(table_of(grades), baseline="base")
    (one,) = paired.differences(found, ["m2", "base"])
    score = dict(zip(found.models, found.score))["m2"]
    assert (one.model, one.other) == ("m2", "base") and one.value == pytest.approx(score - 50.0)
    assert one.has_same_questions and one.p_value < 1e-6
    ranks = {each.model: each for each in paired.rank_intervals(found)}
    assert sorted(each.rank for each in ranks.values()) == [1, 2, 3, 4] and ranks["base"].rank in (2, 3)
    assert (ranks["m2"].best, ranks["m0"].worst) == (1, 4)
    same = outcomes(table_of(np.full((1, 40, 2), 2)), baseline="base")
    (even,) = paired.differences(same)
    assert even.value == 0.0 and -15 < even.lower < 0 < even.upper < 15  # ties alone, and the baseline is 50 anywhere


@pytest.mark.parametrize(("questions", "reach"), [(4, 3.182446), (10, 2.262157)])
def test_each_model_has_the_degrees_of_freedom_of_its_own_questions(questions: int, reach: float) -> None:
    grades = drawn(7, p=2, q=200)
    grades[0, questions:] = UNJUDGED
    fought = battles.from_games(table_of(grades), "base")
    fit = intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule("sandwich"))
    assert (fit.upper[1] - fit.ratings[1]) / fit.clustered[1] == pytest.approx(reach, abs=1e-6)


def test_a_bound_counts_what_a_strong_loss_would_weigh() -> None:
    """40 questions, all won weakly in both games: 91.2 if every loss were weak, too; a strong one is three."""
    fought = battles.from_games(table_of(np.full((1, 40, 2), 3)), "base")
    fit = intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule())
    assert ratings.win_rate(fit.lower)[1] == pytest.approx(77.5, abs=0.05)


# ---------------------------------------------------------------------------------------- any pairs


def pairs(rows: list[tuple[str, str, int]]) -> Battles:
    """Battles of (winner, loser, how often), each on a question of its own; a winner of 'a=b' is a tie."""
    names = ["base", "mid", "top1", "top2"]
    a, b = [], []
    for winner, loser, number in rows:
        a += [names.index(winner)] * number
        b += [names.index(loser)] * number
    zeros = np.zeros(len(a), dtype=np.int8)
    question, ones = np.arange(len(a)), np.ones(len(a), dtype=np.int8)
    return Battles(names, list(map(str, question)), np.array(a), np.array(b), question, zeros, ones)


def separated(rows: list[tuple[str, str, int]]) -> Fit:
    fought = pairs(rows)
    return intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule("sandwich"))


LEVEL_GROUND = [("base", "mid", 50), ("mid", "base", 50)]


def test_one_crossing_game_says_little_however_many_were_won_among_themselves() -> None:
    fit = separated([*LEVEL_GROUND, ("top1", "top2", 60), ("top2", "top1", 40), ("top2", "base", 1)])
    assert np.isposinf(fit.ratings[2:]).all()
    assert ratings.win_rate(fit.lower)[3] == pytest.approx(2.5)
    apart = fit.lower[2] - fit.lower[3]  # rated among themselves, what is not known of that being room below
    assert 400 * np.log10(60 / 40) - 10 < apart < 400 * np.log10(60 / 40)


@pytest.mark.parametrize(("won", "lost"), [(1, 1), (3, 1), (10, 5)])
@pytest.mark.parametrize("crossing", [1, 3, 10])
def test_what_is_not_known_within_a_component_widens_the_bound_across(won: int, lost: int, crossing: int) -> None:
    """Over all outcomes: top1 played top2 so many games, top2 the baseline. The most misses of any truth are 2.5 %."""
    games = won + lost
    ends = [
        separated([*LEVEL_GROUND, ("top1", "top2", k), ("top2", "top1", games - k), ("top2", "base", crossing)]).lower[
            2
        ]
        for k in range(1, games)
    ]
    truth = np.linspace(-5, 5, 41)
    within, across = truth[:, None, None], truth[None, :, None]
    misses = np.array(ends) > 1000 + ratings.SCALE * (within + across) + 1e-6
    chance = stats.binom.pmf(np.arange(1, games), games, 1 / (1 + np.exp(-within))) * (1 + np.exp(-across)) ** -crossing
    assert 0.005 < (chance * misses).sum(axis=2).max() < 0.025


def test_a_chain_of_wins_is_bounded_over_what_lies_between() -> None:
    """top1 beat top2 in 10 games, top2 the baseline in 10: the best place of top2 is half way."""
    fit = separated([*LEVEL_GROUND, ("top1", "top2", 10), ("top2", "base", 10)])
    share = 0.025 ** (1 / 20)  # each step's share, both chances being equal
    assert fit.lower[2] == pytest.approx(1000 + 2 * 400 * np.log10(share / (1 - share)), abs=0.01)
    assert ratings.win_rate(fit.lower)[3] == pytest.approx(100 * 0.025 ** (1 / 10))


# ------------------------------------------------------------------------------- means over categories


def category(score: float, lower: float, upper: float, seed: int | None = None) -> Fit:
    points, ends = ratings.ANCHOR_RATING + 0 * np.zeros(2), np.zeros((2, 2)) + ratings.ANCHOR_RATING
    with np.errstate(divide="ignore"):
        points[1], ends[0, 1], ends[1, 1] = 1000 + 400 * np.log10(
            np.array([score, lower, upper]) / (100 - np.array([score, lower, upper]))
        )
    drawn_rounds = None
    if seed is not None:
        drawn_rounds = np.column_stack([np.full(500, 1000.0), np.random.default_rng(seed).normal(points[1], 30, 500)])
    return Fit(["base", "m"], 0, points, ends[0], ends[1], np.array([50, 50]), 1.0, None, drawn_rounds, np.zeros(2))


def test_a_category_that_was_won_whole_keeps_its_bound_in_the_mean() -> None:
    mean = category_mean([category(100, 90, 100), category(42, 34, 50)], Rule("sandwich"))
    assert mean.score[1] == 71
    assert (mean.lower[1], mean.upper[1]) == pytest.approx((71 - np.hypot(10, 8) / 2, 71 + 8 / 2))
    with_rounds = category_mean([category(100, 90, 100, 1), category(42, 34, 50, 2)], Rule())
    assert with_rounds.lower[1] == pytest.approx(mean.lower[1])


def test_ties_alone_are_no_certainty_in_the_mean_either() -> None:
    fought = battles.from_games(table_of(np.full((1, 100, 2), 2)), "base")
    ties = intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule())
    mean = category_mean([ties, ties], Rule())
    place = mean.models.index("m0")
    assert mean.lower[place] < 48 < 52 < mean.upper[place]


def test_a_plan_takes_no_spread_for_no_certainty() -> None:
    grades = np.full((2, 13, 2), 4)
    grades[1] = 0
    with pytest.raises(UserError, match="not the same"):
        planning.plan(outcomes(table_of(grades)), 2.0)


def test_rounds_of_categories_that_are_drawn_alike_are_put_together_independently() -> None:
    alike = [category(42, 34, 50, seed=3), category(42, 34, 50, seed=3)]
    together = category_mean(alike, Rule(rounds=500))
    whole = np.quantile(ratings.win_rate(alike[0].rounds[:, 1]), [0.025, 0.975]) if alike[0].rounds is not None else []
    assert (together.upper[1] - together.lower[1]) / (whole[1] - whole[0]) == pytest.approx(1 / np.sqrt(2), abs=0.07)


def test_a_model_that_a_category_lacks_is_named() -> None:
    whole = category(42, 34, 50)
    ends = (whole.ratings[:1], whole.lower[:1], whole.upper[:1])
    other = Fit(["base"], 0, *ends, whole.questions[:1], 1.0, None, None, np.zeros(1))
    mean = category_mean([category(60, 50, 70), other], Rule("sandwich"))
    assert mean.models == ["base"] and mean.missing == {"m": [1]}


# ----------------------------------------------------------------------------------------- the rest


def test_a_judge_that_takes_the_same_place_says_nothing() -> None:
    grades = np.zeros((3, 20, 2), dtype=int)
    grades[0] = [1, 3]  # A wins in both games
    grades[1] = [2, 2]
    grades[2] = [4, 1]  # the model, then the baseline: always B, of any strength
    table = table_of(grades)
    assert same_place.same_place(table) == ["m0", "m2"]
    fought = battles.from_games(table, "base")
    fit = intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule("sandwich"))
    fit = intervals.without_ends(fit, same_place.same_place(table))
    assert np.isnan(fit.lower).tolist() == [False, True, False, True]
    assert (
        30 < ratings.win_rate(fit.lower)[2] < 50
        and fit.flat is not None
        and fit.flat.tolist()[1:] == [False, True, False]
    )


def test_of_questions_decided_by_place_the_others_are_told() -> None:
    grades = np.tile([1, 3], (2, 50, 1))  # A wins in both games
    grades[0, 44:] = [[3, 3], [3, 3], [3, 3], [1, 1], [3, 1], [2, 2]]  # the fifth by place too, the other way round
    table = table_of(grades)
    (one,) = same_place.mostly_by_place(table)
    assert (one.model, one.by_place, one.judgments) == ("m0", 45, 50)
    assert one.rate == pytest.approx(100 * (3 + 0.5) / 5)  # three won, one lost, one tied
    assert 0 <= one.lower < one.rate < one.upper <= 100 and one.upper - one.lower > 50
    assert set(outcomes(same_place.without_models(table, ["m1"])).models) == {"m0"}


def test_plans_say_for_which_pairs_they_hold() -> None:
    found = planning.plan(outcomes(table_of(drawn(6, p=6))), 5.0)
    sigmas = [one.sigma for one in paired.differences(outcomes(table_of(drawn(6, p=6))))]
    assert found.pairs == 15 and found.needed_by_most == planning.needed_questions(5.0, float(np.quantile(sigmas, 0.9)))
    assert found.needed < found.needed_by_most < found.corrected
    assert planning.needed_questions(5.0, 50.0, 1 - 0.05 / 15) > planning.needed_questions(5.0, 50.0)


# ------------------------------------------------------------------------------- one rule of paired differences


@pytest.mark.parametrize("questions", [2, 5, 12, 13, 40])
@pytest.mark.parametrize("strong", [0, 2, 100])
def test_an_interval_excludes_0_where_the_p_value_says_so(questions: int, strong: int) -> None:
    grades = np.full((2, questions, 2), 2)
    grades[0] = 3
    grades[0, :strong] = 4
    grades[1, : questions // 3] = 3
    for level in (0.5, 0.9, 0.95, 0.99, 0.9999):
        (one,) = paired.differences(outcomes(table_of(grades)), level=level)
        assert (one.lower > 0) == (one.p_value < 1 - level)


@pytest.mark.parametrize(("winner", "loser"), [(4, 0), (3, 1), (3, 2), (4, 2)])
@pytest.mark.parametrize("questions", [2, 3, 5, 6, 12, 13, 30])
def test_constant_differences_have_the_p_value_of_the_sign_test(questions: int, winner: int, loser: int) -> None:
    grades = np.full((2, questions, 2), winner)
    grades[1] = loser
    (one,) = paired.differences(outcomes(table_of(grades)))
    assert one.p_value == pytest.approx(stats.binomtest(questions, questions).pvalue)
    assert one.upper - one.lower > 100 * (1 - 0.025 ** (1 / questions)) and (one.lower > 0) == (questions > 5)


def test_a_difference_from_the_baseline_is_at_most_50() -> None:
    grades = drawn(3, p=2)
    grades[0, :] = 4
    found = paired.differences(outcomes(table_of(grades[:, :3]), baseline="base"), level=0.999)
    ends = [(one.lower, one.upper) for one in found if "base" in (one.model, one.other)]
    assert ends and all(-50 <= low <= high <= 50 for low, high in ends)


def test_one_question_by_place_may_be_chance() -> None:
    grades = np.tile([1, 3], (1, 2, 1))
    assert same_place.same_place(table_of(grades[:, :1])) == []
    assert same_place.same_place(table_of(grades)) == ["m0"]


def test_one_question_more_is_no_cliff() -> None:
    found = []
    for questions in (12, 13):
        grades = np.full((2, questions, 2), 2)
        grades[0] = 4
        grades[0, 10:] = 3
        found += paired.differences(outcomes(table_of(grades)))
    assert found[0].lower <= found[1].lower < found[0].lower + 5 and found[0].p_value / 2 <= found[1].p_value


def test_who_is_better_in_a_circle_has_no_order_and_somebody_can_be_the_first() -> None:
    grades = np.full((3, 90, 2), UNJUDGED)
    for model in range(3):
        grades[model, 30 * model : 30 * model + 30] = 4
        grades[model, (np.arange(30) + 30 * (model + 1)) % 90] = 0
    ranks = paired.rank_intervals(outcomes(table_of(grades)))
    assert [(one.best, one.worst, one.in_circle) for one in ranks] == [(1, 3, True)] * 3
    assert all(one.holds_rank for one in ranks)


def test_a_plan_corrects_for_all_pairs_that_are_tested() -> None:
    grades = drawn(6, p=5)
    grades[1] = grades[0]  # a pair without a spread is tested, too
    found = planning.plan(outcomes(table_of(grades)), 5.0)
    assert (found.pairs, found.tests) == (9, 10)


def test_a_category_without_an_interval_is_named() -> None:
    silent = category(42, 34, 50)
    silent.lower[1] = silent.upper[1] = np.nan
    mean = category_mean([category(60, 50, 70), silent], Rule("sandwich"))
    assert np.isnan(mean.lower[1]) and mean.without_ends == {"m": [1]}
