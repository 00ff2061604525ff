"""Expected outcomes: how probabilities are read, what a game comes to, and what must not be said of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena_hard.data.paths import Bench
from arena_hard.data.verdicts import LABELS, probabilities_in
from arena_hard.rating import battle_files, battles, intervals, same_place
from arena_hard.rating.game_rows import rows_of
from arena_hard.rating.games import Judgments, read_judgments
from arena_hard.rating.intervals import Rule
from arena_hard.rating.outcomes import outcomes
from arena_hard.showing import caveats
from arena_hard.showing.notes import whole
from tests.support.pipeline_bench import run_script

HALF = {"A>>B": 0.5, "B>A": 0.5}


def write(folder: Path, games: list[list[dict[str, Any]]], model: str = "m") -> Judgments:
    """The judgments of a model, a question for each list of games."""
    file = Bench(folder / "data", "b").folder / "model_judgment" / "j" / f"{model}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"question_id": f"q{q}", "model": model, "baseline": "base", "games": own} for q, own in enumerate(games)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_judgments(Bench(folder / "data", "b"), ["j"], with_probabilities=True)


def game(score: str | None, given: Any = None) -> dict[str, Any]:
    return {"score": score, "judgment": "text", "label_probabilities": given}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"A>>B": 1}, (1, 0, 0, 0, 0)),
        ({"[[B>>A]]": 0.25, "A<B": "0.75"}, (0, 0, 0, 0.75, 0.25)),
        ({"A>B": 0.333, "A=B": 0.333, "B>A": 0.333, "B>>A": None}, (0, 1 / 3, 1 / 3, 1 / 3, 0)),
        ({"A=B": 1.0, "A>B": -1e-17}, (0, 0, 1, 0, 0)),
    ],
)
def test_spellings_and_rounding_are_read(given: Any, read: tuple[float, ...]) -> None:
    assert probabilities_in(given) == pytest.approx(read, abs=1e-12)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"A>B": -0.2, "A=B": 1.2}, "A>B is -0.2"),
        ({"A>B": 0.4}, "the sum is 0.4, not 1"),
        ({"A>>>B": 1.0}, "'A>>>B' is no label"),
        ({"A>B": "high"}, "A>B is 'high'"),
        ({"A>B": True}, "A>B is True"),
        ({"A>B": float("nan"), "A=B": 1.0}, "A>B is "),
        ({"A>B": float("inf"), "A=B": 1.0}, "A>B is "),
        ({"A>B": 10**400}, f"A>B is 1{39 * '0'}, not"),
        ({}, "the sum is 0, not 1"),
        ("A>B", "not an object"),
        ([0.2] * 5, "not an object"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line_and_the_label_counts(tmp_path: Path, given: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        probabilities_in(given)
    found = write(tmp_path, [[game("A=B"), game("A=B", HALF)], [game("B>>A", given), game(None, given)]])
    assert rows_of(found.table).tolist() == [[0, 1, 0], [0.5, 0, 1.5], [0, 0, 3], [0, 0, 0]]
    (note,) = caveats.no_probabilities_notes(found.no_probabilities)
    assert "counts: 2, the first in " in note and f"m.jsonl:2 ({words}"[:20] in note


def test_weight_and_winner_of_a_label_stay_together(tmp_path: Path) -> None:
    """Half A>>B and half B>A: three rows half the time, one row the other half; game 2 is seen from the other side."""
    found = write(tmp_path, [[game("A>>B", HALF), game("A>>B", HALF)], [game(None, HALF), game("B>A")]]).table
    assert rows_of(found).tolist() == [[1.5, 0, 0.5], [0.5, 0, 1.5], [0, 0, 0], [1, 0, 0]]
    fought = battles.from_games(found, "base")
    assert (fought.n_rows, len(fought), len(fought.games().rows)) == (5.0, 5, 3)
    fit = intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule("sandwich"))
    assert fit.ratings[1] == pytest.approx(1000 + 400 * np.log10(2 / 3))
    assert outcomes(found).score == pytest.approx(40.0) and outcomes(found).is_expected


def test_games_on_disk_come_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    drawn = [[game("A>B", dict(zip(LABELS, rng.dirichlet(np.ones(5))))) for _ in range(2)] for _ in range(20)]
    fought = battles.from_games(write(tmp_path, drawn).table, "base")
    file = tmp_path / "games.jsonl"
    file.write_bytes(b"".join(battle_files.game_lines(fought)))
    loaded = battle_files.read_games(file)
    for column in ("model_a", "model_b", "question", "winner", "rows", "game"):
        assert getattr(loaded, column).tolist() == getattr(fought, column).tolist()


def test_a_sure_judge_of_few_questions_leaves_room_for_others(tmp_path: Path) -> None:
    """0.98 on each of ten questions says hardly more of an eleventh than ten games won."""
    sure = {label: 0.99 if label == "B>A" else 0.0025 for label in LABELS}
    table = write(tmp_path, [[game("B>A", sure)] for _ in range(10)]).table
    for kind in intervals.KINDS:
        fought = battles.from_games(table, "base")
        fit = intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, Rule(kind))
        hard = battles.from_games(read_judgments(Bench(tmp_path / "data", "b"), ["j"]).table, "base")
        of_labels = intervals.fit_with_intervals(hard, battles.cells_of(hard), 0, Rule(kind))
        assert fit.lower[1] == pytest.approx(of_labels.lower[1], abs=20)
        assert fit.upper[1] > fit.ratings[1] > of_labels.lower[1]


def test_positions_that_are_not_certain_say_something_of_a_model(tmp_path: Path) -> None:
    first = {"A>B": 0.9, "B>A": 0.1}
    assert same_place.same_place(write(tmp_path, [[game("A>B"), game("A>B")]] * 5).table) == ["m"]
    assert same_place.same_place(write(tmp_path, [[game("A>B"), game("A>B", first)]] * 5).table) == []


def test_the_line_says_how_many_games_have_probabilities(tmp_path: Path) -> None:
    table = write(tmp_path, [[game("A>B", HALF), game("A=B")], [game(None, HALF), game("B>A", HALF)]]).table
    assert "2 of 3 games with probabilities; the others count" in whole(caveats.soft_notes(table, False)[0])
    assert "1 of 1 games with probabilities." in whole(caveats.soft_notes(table, True)[0])
    none = write(tmp_path, [[game("A>B"), game("A=B")]]).table
    assert "0 of 2 games with probabilities; all count by their label" in whole(caveats.soft_notes(none, False)[0])


@pytest.mark.slow
def test_the_script_counts_expected_outcomes_and_its_cache_knows_it(tmp_path: Path) -> None:
    write(tmp_path, [[game("A>>B", HALF), game("B>A", {"B>A": 1.0})] for _ in range(12)])
    case = ("show_result.py", "--bench-name", "b", "--judge-name", "j", "--baseline", "base")
    refused = run_script(tmp_path, *case, "--soft", "--load-battles")
    assert refused.returncode == 2 and "Run once without --load-battles" in refused.stderr
    hard, soft = run_script(tmp_path, *case), run_script(tmp_path, *case, "--soft", "--output")
    assert "| score:  0.0  |" in hard.stdout and "| score: 16.7  |" in soft.stdout
    assert "soft: expected outcomes in place of labels, 24 of 24 games with probabilities." in soft.stdout
    assert [each.name for each in (tmp_path / "leaderboard").glob("*_soft.csv")]
    again = run_script(tmp_path, *case, "--soft", "--load-battles", "--load-bootstrap")
    assert again.stdout == soft.stdout
