"""Judge diagnostics: small cases by hand, coefficients against the libraries, real judgments."""

from pathlib import Path

import numpy as np
import pytest

from arena_hard.data.paths import Bench
from arena_hard.data.verdicts import LABELS
from arena_hard.rating import judge_stats
from arena_hard.rating.games import GameTable, read_judgments, select


def games(*rows: tuple[str, str, int, int, str | None]) -> GameTable:
    """A table from (judge, model, question, game, label)."""
    judges, models = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    questions = sorted({row[2] for row in rows})
    zeros = np.zeros(len(rows), dtype=np.int32)
    return GameTable(
        questions=[str(question) for question in questions],
        models=models,
        judges=judges,
        baselines=["base"],
        categories=[""],
        question=np.array([questions.index(row[2]) for row in rows], dtype=np.int32),
        model=np.array([models.index(row[1]) for row in rows], dtype=np.int32),
        judge=np.array([judges.index(row[0]) for row in rows], dtype=np.int32),
        baseline=zeros,
        category=zeros,
        game=np.array([row[3] for row in rows], dtype=np.int8),
        verdict=np.array([-1 if row[4] is None else LABELS.index(row[4]) for row in rows], dtype=np.int8),
    )


HAND = games(
    ("j", "m", 1, 0, "B>>A"),  # a strong win, and in game 2 a slight one
    ("j", "m", 1, 1, "A>B"),
    ("j", "m", 2, 0, "A>B"),  # first position in both games
    ("j", "m", 2, 1, "A>B"),
    ("j", "m", 3, 0, "A=B"),
    ("j", "m", 3, 1, None),
)


def random_games(seed: int = 1, judges: int = 1) -> GameTable:
    rng = np.random.default_rng(seed)
    labels = [*LABELS, None]
    return games(
        *(
            (f"j{judge}", f"m{model}", question, game, labels[rng.choice(6, p=[0.2, 0.3, 0.1, 0.2, 0.15, 0.05])])
            for judge in range(judges)
            for model in range(3)
            for question in range(40)
            for game in (0, 1)
        )
    )


def test_counts_by_hand() -> None:
    assert judge_stats.model_counts(HAND) == (
        judge_stats.ModelCounts("m", 6, strong_wins=1, slight_wins=2, ties=1, slight_losses=1, strong_losses=0,
                                nulls=1, one_sided=1, same_position=1),
    )  # fmt: skip


def test_report_by_hand() -> None:
    (report,) = judge_stats.judge_reports(HAND)
    assert (report.games, report.nulls, report.ties, report.strong) == (6, 1, 1, 1)
    assert report.table.sum() == 2 and report.table[4, 3] == 1 and report.table[1, 3] == 1
    assert report.consistency.same_sign == 0.5 and report.consistency.same_grade == 0.0
    # First place wins 0, 1, ½ in game 1 and 1, 1 in game 2.
    assert report.position_bias is not None and report.position_bias.value == pytest.approx(50.0)
    # Influences 100·(−½/3), 100·(½/3), 0: error² = 2·(100/6)² · 3/2.
    assert report.position_bias.error == pytest.approx(100 / 6 * 3**0.5)


def test_swapping_positions_turns_the_bias_around() -> None:
    table = random_games()
    mirrored = games(
        *(
            ("j", table.models[m], int(table.questions[q]), 1 - int(g), None if v < 0 else LABELS[4 - v])
            for m, q, g, v in zip(table.model, table.question, table.game, table.verdict)
        )
    )
    plain = judge_stats.position_bias(table)
    # Games exchanged and labels exchanged: the same grades, shown in the other places.
    assert np.bincount(judge_stats.grades(table) + 1).tolist() == np.bincount(judge_stats.grades(mirrored) + 1).tolist()
    turned = judge_stats.position_bias(mirrored)
    assert plain is not None and turned is not None
    assert turned.value == pytest.approx(-plain.value) and turned.error == pytest.approx(plain.error)


def test_coefficients_equal_the_libraries() -> None:
    krippendorff = pytest.importorskip("krippendorff")
    from sklearn.metrics import cohen_kappa_score

    both = judge_stats.pairs_of_games(random_games())
    read = both[(both >= 0).all(axis=1)]
    found = judge_stats.agreement(both[:, 0], both[:, 1])
    assert found.units == len(read) < len(both)
    assert found.kappa == pytest.approx(cohen_kappa_score(read[:, 0], read[:, 1], weights="quadratic"))
    assert found.alpha == pytest.approx(krippendorff.alpha(read.T.astype(float), level_of_measurement="ordinal"))


def test_alpha_of_several_judges_equals_the_library() -> None:
    krippendorff = pytest.importorskip("krippendorff")
    table = random_games(seed=3, judges=3)
    found = judge_stats.ensemble_agreement(table)
    assert [(pair.judge, pair.other) for pair in found.pairs] == [("j0", "j1"), ("j0", "j2"), ("j1", "j2")]
    ratings = judge_stats.grades(table).reshape(3, -1).astype(float)
    ratings[ratings < 0] = np.nan
    assert found.alpha == pytest.approx(krippendorff.alpha(ratings, level_of_measurement="ordinal"))
    assert found.pairs[0].agreement.alpha == pytest.approx(
        krippendorff.alpha(ratings[:2], level_of_measurement="ordinal")
    )


def test_a_judge_that_never_differs_has_no_kappa() -> None:
    table = games(*(("j", "m", question, game, ("A>B", "B>A")[game]) for question in (1, 2) for game in (0, 1)))
    (report,) = judge_stats.judge_reports(table)
    assert report.consistency.kappa is None and report.consistency.alpha is None
    assert report.consistency.same_grade == 1.0 and report.position_bias is not None
    assert report.position_bias.value == 0.0


def test_without_second_games_there_is_no_bias() -> None:
    first = select(HAND, HAND.game == 0)
    (report,) = judge_stats.judge_reports(first)
    assert report.position_bias is None and report.consistency.units == 0
    assert report.consistency.same_sign is None and report.consistency.kappa is None


def test_what_the_weight_does_by_hand() -> None:
    table = games(
        ("j", "bold", 1, 0, "B>>A"), ("j", "bold", 2, 0, "A>B"),
        ("j", "calm", 1, 0, "B>A"), ("j", "calm", 2, 0, "A=B"),
        ("j", "mute", 1, 0, None),
    )  # fmt: skip
    effect = judge_stats.effect_of_weight(table)
    assert effect.changes == (
        judge_stats.ScoreChange("bold", 75.0, 50.0, rank=1, other_rank=2),
        judge_stats.ScoreChange("calm", 75.0, 75.0, rank=1, other_rank=1),
    )
    assert (effect.mean_change, effect.largest_change, effect.largest_rank_change) == (12.5, 25.0, 1)
    assert judge_stats.effect_of_first_game(table).largest_change == 0.0
    assert judge_stats.effect_of_first_game(HAND).changes[0].other_score == pytest.approx(100 * 3.5 / 5)


def test_scores_of_real_judgments(shared_data: Path) -> None:
    table = read_judgments(Bench(shared_data, "arena-ta"), ["gpt-4o_images"]).table
    scores = dict(zip(table.models, judge_stats.weighted_scores(table)))
    assert scores["Qwen2-7B-Instruct"] == pytest.approx(39.40, abs=0.005)
    assert scores["gemma-2-9b-it"] == pytest.approx(61.52, abs=0.005)
    assert sum(row.games for row in judge_stats.model_counts(table)) == len(table)
