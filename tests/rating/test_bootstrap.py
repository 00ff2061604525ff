"""The bootstrap: the original's draws row by row, infinite rounds, coverage of the three intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arena_hard.rating import battle_files, bootstrap, intervals, ratings
from arena_hard.rating import battles as battle
from arena_hard.rating.battles import Battles
from arena_hard.rating.intervals import Rule


def simulated(rng: np.random.Generator, questions: int = 200, strength: float = -0.4) -> Battles:
    """One model against a baseline; the two games of a question share its luck, strong verdicts count thrice."""
    luck = strength + 1.0 * rng.normal(size=questions)
    seen = np.column_stack([luck, luck]) + 0.8 * rng.normal(size=(questions, 2))
    winner = np.where(np.abs(seen) < 0.1, 1, np.where(seen > 0, 2, 0)).astype(np.int8).ravel()
    rows = np.where(np.abs(seen) > 1.2, 3, 1).ravel()
    question = np.repeat(np.arange(questions), 2)
    zeros = np.zeros(2 * questions, dtype=np.int32)
    return Battles(["base", "m"], [str(q) for q in range(questions)], zeros, zeros + 1, question, winner, rows)


def test_counts_are_the_originals_draws_over_repeated_rows() -> None:
    battles = simulated(np.random.default_rng(1), 30)
    cells = battle.cells_of(battles)
    rows = [cell for cell, times in zip(cells.of_battle.tolist(), battles.rows.tolist()) for _ in range(times)]
    state = np.random.RandomState(42)
    for counts in bootstrap.row_counts(battles, cells, 3, seed=42):
        drawn = state.choice(len(rows), size=len(rows), replace=True)  # what DataFrame.sample does
        by_hand = [sum(rows[place] == cell for place in drawn) for cell in range(len(cells))]
        assert counts.tolist() == by_hand


@pytest.mark.parametrize("step", [1, 5, 64, 10_000])
@pytest.mark.parametrize("n", [1, 2, 3, 127, 128, 129, 1000])
def test_many_rows_are_drawn_as_few_are(n: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the range of draws is a power of two or just not, and where rounds end within what is looked up at once."""
    monkeypatch.setattr(bootstrap, "_STEP", step)
    of_rows = np.random.default_rng(n).integers(0, 6, n)
    many = bootstrap._counts_of_many(of_rows, 6, 5, np.random.RandomState(42))
    few = bootstrap._counts_of_few(of_rows, 6, 5, np.random.RandomState(42))
    assert np.array(list(many)).tolist() == np.array(list(few)).tolist()


def test_more_kinds_of_rows_than_are_looked_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_STEP", "_MANY"):
        monkeypatch.setattr(bootstrap, name, 16)
    zeros = np.zeros(300, dtype=np.int32)
    names, models = [str(place) for place in range(300)], np.arange(300, dtype=np.int32) + 1
    battles = Battles(["base", *names], names, zeros, models, zeros, zeros.astype(np.int8), zeros + 1)
    cells, state = battle.cells_of(battles), np.random.RandomState(1)
    counts = list(bootstrap.row_counts(battles, cells, 3, seed=1))
    assert len(counts) == 3
    for found in counts:
        assert found.tolist() == np.bincount(state.randint(0, 300, 300), minlength=300).tolist()


def test_drawn_questions_keep_their_games_together() -> None:
    battles = simulated(np.random.default_rng(2), 40)
    cells = battle.cells_of(battles)
    for counts in bootstrap.question_counts(battles, cells, 5, seed=1):
        assert counts.sum() > 0
    one = Battles(battles.models, battles.questions, *(getattr(battles, name)[:2] for name in
                  ("model_a", "model_b", "question", "winner", "rows")))  # fmt: skip
    alone = battle.cells_of(one)
    (counts,) = bootstrap.question_counts(one, alone, 1, seed=1)
    assert counts.tolist() == alone.counts(one).tolist()


def test_quantiles_are_pandas_ones_and_never_nan_for_infinite_rounds() -> None:
    values = np.random.default_rng(3).normal(size=(101, 2))
    for share in (0.025, 0.4, 0.975):
        np.testing.assert_allclose(bootstrap.quantiles(values, share), np.quantile(values, share, axis=0))
    rounds = np.array([[-np.inf], [-np.inf], [5.0], [np.inf]])
    assert bootstrap.quantiles(rounds, 0.1)[0] == -np.inf and bootstrap.quantiles(rounds, 0.9)[0] == np.inf
    assert bootstrap.quantiles(np.array([[np.nan], [3.0]]), 0.5)[0] == 3.0
    assert not np.isnan(bootstrap.quantiles(np.array([[-np.inf], [np.inf]]), 0.3)).any()


def test_unanchored_rounds_have_the_mean_1000() -> None:
    rounds = 1000 + np.random.default_rng(4).normal(size=(6, 3))
    np.testing.assert_allclose(bootstrap.unanchored(rounds).mean(axis=1), 1000)


def fit(battles: Battles, rule: Rule) -> intervals.Fit:
    return intervals.fit_with_intervals(battles, battle.cells_of(battles), 0, rule)


def coverage(kind: str, runs: int, seed: int, rounds: int = 200) -> float:
    """How often the nominal 95 % interval holds the truth, over simulated data sets."""
    rng = np.random.default_rng(seed)
    truth = fit(simulated(rng, 400_000), Rule("sandwich")).ratings[1]
    covered = 0
    for _ in range(runs):
        found = fit(simulated(rng), Rule(kind, rounds=rounds, seed=int(rng.integers(2**31))))
        covered += bool(found.lower[1] <= truth <= found.upper[1])
    return covered / runs


@pytest.mark.slow
def test_the_sandwich_holds_its_level() -> None:
    assert 0.93 <= coverage("sandwich", 2500, seed=12) <= 0.96


@pytest.mark.slow
def test_questions_hold_their_level_where_rows_fall_short() -> None:
    assert 0.925 <= coverage("questions", 400, seed=12) <= 0.97  # 400 runs are known to one point
    assert coverage("rows", 400, seed=12) < 0.85


@pytest.mark.parametrize("kind", intervals.KINDS)
def test_a_model_that_wins_all_gets_the_binomial_bound(kind: str) -> None:
    battles = simulated(np.random.default_rng(5), 50)
    battles.winner[:] = 2
    found = fit(battles, Rule(kind))
    assert found.ratings[1] == np.inf and found.upper[1] == np.inf
    # the share of questions that may be lost, each at its largest weight: both games strongly
    unseen, rows = 1 - 0.025 ** (1 / 50), battles.rows.sum() / 50
    least = (1 - unseen) * rows / ((1 - unseen) * rows + unseen * battles.most_rows())
    assert battles.most_rows() == 6 and ratings.win_rate(found.lower)[1] == pytest.approx(100 * least)


@pytest.mark.parametrize("kind", ["questions", "sandwich"])
def test_a_single_question_says_nothing_about_the_spread(kind: str) -> None:
    battles = simulated(np.random.default_rng(5), 1)
    battles.winner[:] = [0, 2]
    found = fit(battles, Rule(kind))
    assert np.isfinite(found.ratings[1]) and found.lower[1] == -np.inf and found.upper[1] == np.inf


@pytest.mark.slow
def test_golden_intervals_on_real_battles(shared_data: Path) -> None:
    """gpt-4-0613 on eight models' real battles: the rule of rows, and the clustered one, which is wider."""
    battles = battle_files.read_battles(shared_data / "arena-hard-v0.1" / "battles_8_models.jsonl")
    anchor, model = battles.models.index("gpt-4-0314"), battles.models.index("gpt-4-0613")
    golden = {"rows": (37.90, 35.22, 40.08), "sandwich": (37.90, 34.01, 41.95)}
    cells = battle.cells_of(battles)
    fits = {kind: intervals.fit_with_intervals(battles, cells, anchor, Rule(kind)) for kind in golden}
    for kind, expected in golden.items():
        found = fits[kind]
        values = [ratings.win_rate(ends)[model] for ends in (found.ratings, found.lower, found.upper)]
        assert values == pytest.approx(expected, abs=0.006)
    by_sklearn = ratings.sklearn_ratings(cells, cells.counts(battles), anchor)
    assert abs(by_sklearn[model] - fits["sandwich"].ratings[model]) < 1e-3


@pytest.mark.slow
def test_rounds_agree_with_a_fit_of_repeated_rows() -> None:
    """Round by round against logistic regression on every drawn row, as the original fits them."""
    from sklearn.linear_model import LogisticRegression

    battles = simulated(np.random.default_rng(7), 60)
    cells = battle.cells_of(battles)
    point = ratings.fit(cells, cells.counts(battles), 0)
    found = bootstrap.rounds_of_ratings(cells, bootstrap.row_counts(battles, cells, 5, 42), 0, point)
    winners, state = np.repeat(battles.winner, battles.whole_rows), np.random.RandomState(42)
    for rated in found:
        drawn = winners[state.randint(0, len(winners), size=len(winners))]
        won = np.concatenate([drawn >= 1, drawn == 2]).astype(int)  # a tie: once won, once lost
        design = np.full((len(won), 1), np.log(10))
        model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(design, won)
        assert rated[1] - 1000 == pytest.approx(400 * model.coef_[0, 0], abs=1e-2)
