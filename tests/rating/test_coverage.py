"""Which questions each model was judged on, by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from arena_hard.data.paths import Bench
from arena_hard.data.records import question_from_row
from arena_hard.data.sample import in_sample_order
from arena_hard.rating.coverage import Coverage, JudgedQuestions, coverage, judged_in
from arena_hard.rating.games import read_judgments
from arena_hard.showing import footnotes, unequal_sets
from arena_hard.showing.notes import whole
from tests.support.pipeline_bench import question, write_rows


def test_the_mask_by_hand_and_through_json(tmp_path: Path) -> None:
    questions = [question_from_row(question(n) | {"cluster": f"cluster {n % 4}"}) for n in range(20)]
    ids = [each.question_id for each in questions]
    bench = Bench(tmp_path, "b")
    for model, keys in (("whole", ids), ("few", [ids[4], "stray"])):
        games = [{"score": "A>B"}, {"score": "A=B"}]
        records = [{"question_id": key, "model": model, "games": games} for key in keys]
        write_rows(bench.judgment_file("j", model), records)
    known = judged_in(read_judgments(bench, ["j"]).table)
    assert msgspec.json.decode(msgspec.json.encode(known), type=JudgedQuestions) == known
    found = coverage(known, known, questions, ["whole", "few"])
    assert found is not None and found.counts() == {"whole": 20, "few": 1} and found.strays == 1
    order = [each.question_id for each in in_sample_order(questions)]
    assert [order[place] for place in np.flatnonzero(found.judged[0, 1])] == [ids[4]]
    assert coverage(known, known, [], ["few"]) is None


def test_groups_are_sorted_and_a_gap_makes_no_sample() -> None:
    masks = np.zeros((6, 20), dtype=bool)
    for row, questions in enumerate([range(5), [0, 2, 4, 6, 8], range(20), [], range(5), [0]]):
        masks[row, questions] = True
    found = Coverage(["j"], list("abcdef"), masks[None], 0, masks)
    assert found.groups(0) == {(0, False): ["d"], (1, False): ["f"], (5, False): ["b"], (5, True): ["a", "e"]}
    assert found.shared() == 1  # only those that were judged at all
    assert Coverage(["j"], ["a", "e"], masks[None, [0, 4]], 0, masks[[0, 4]]).shared() is None
    assert unequal_sets.coverage_notes(Coverage(["j"], ["c"], masks[None, [2]], 0, masks[[2]])) == []


def test_scores_rest_on_what_could_be_read() -> None:
    every = np.ones((1, 3, 40), dtype=bool)
    readable = every[0].copy()
    readable[1, :20], readable[2, 0] = False, False
    found = Coverage(["j"], list("abc"), every, 0, readable)
    assert (found.half_read(), found.shared()) == ({20: ["b"]}, 20)
    notes = [whole(note) for note in unequal_sets.coverage_notes(found)]
    assert notes[0] == "A readable verdict on 20 of 40 questions: b." and "(20 are common to all)" in notes[1]
    few = Coverage(["j"], list("ac"), every[:, [0, 2]], 0, readable[[0, 2]])
    assert unequal_sets.coverage_notes(few) == []  # a question in forty, which is counted elsewhere


def test_a_judge_without_a_readable_verdict_dominates_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "b")
    for judge, model, scores in (("j", "a", "AAAA"), ("j", "b", "AA"), ("k", "a", "----"), ("k", "b", "----")):
        rows = [
            {"question_id": str(n), "model": model, "games": [{"score": "A>B" if one == "A" else None}] * 2}
            for n, one in enumerate(scores)
        ]
        write_rows(bench.judgment_file(judge, model), rows)
    table = read_judgments(bench, ["j", "k"]).table
    silent = "k has no readable verdict in any of its 16 games, so no score rests on it."
    assert unequal_sets.judges_notes(table) == [silent]
    assert unequal_sets.judges_notes(read_judgments(bench, ["k"]).table) == []
    write_rows(bench.judgment_file("k", "a"), [{"question_id": "0", "model": "a", "games": [{"score": "A=B"}] * 2}])
    notes = [whole(note) for note in unequal_sets.judges_notes(read_judgments(bench, ["j", "k"]).table)]
    assert len(notes) == 1 and notes[0].startswith("The judges have not judged the same games of: a, b.")


def test_second_games_are_not_counted_where_only_the_first_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "b")
    rows = [{"question_id": str(n), "model": "m", "games": [{"score": "A>B"}, {"score": None}]} for n in range(3)]
    write_rows(bench.judgment_file("j", "m"), rows)
    table = read_judgments(bench, ["j"]).table
    assert "not counted (3 of 6): m 3." in whole(footnotes.table_notes(table)[0])
    assert footnotes.table_notes(table, True) == ["j gave the same verdict, A>B, in all of its 3 games."]
