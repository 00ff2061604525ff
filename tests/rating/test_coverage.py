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
from arena_hard.showing import footnotes
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
    found = coverage(known, questions, ["whole", "few"])
    assert found is not None and found.counts() == {"whole": 20, "few": 1} and found.strays == 1
    order = [each.question_id for each in in_sample_order(questions)]
    assert [order[place] for place in np.flatnonzero(found.judged[0, 1])] == [ids[4]]
    assert coverage(known, [], ["few"]) is None


def test_groups_are_sorted_and_a_gap_makes_no_sample() -> None:
    masks = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]], dtype=bool)
    found = Coverage(["j"], list("abcde"), masks[None], 0)
    assert found.groups(0) == {(0, False): ["d"], (2, False): ["b"], (2, True): ["a", "e"]}
    assert found.shared() == 1  # only those that were judged at all
    assert Coverage(["j"], ["a", "e"], masks[None, [0, 4]], 0).shared() is None
    assert footnotes.coverage_notes(Coverage(["j"], ["c"], masks[None, [2]], 0)) == []
