"""Judgments that name no baseline: what shows whom they are against, and what becomes of them where nothing does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arena_hard.browse import game_selection, games_page
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.leaderboard_page import boards_of
from arena_hard.browse.tables import Snapshot
from arena_hard.data import jsonl
from arena_hard.data.baselines import JudgmentFolder, standing
from arena_hard.data.expected import Expected
from arena_hard.data.nameless import origin_of
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.self_play import is_plainly_itself, may_be_itself
from arena_hard.rating.categories import assumed_baseline, cut
from arena_hard.rating.games import read_judgments, select
from tests.support.pipeline_bench import answer, question, question_id, run_script, write_rows

LABEL = {1: "A>B", 0: "A=B", -1: "B>A"}


def games(draw: random.Random, count: int, better: float, of_prompt: float = 0.7) -> list[tuple[int, int]]:
    """(who won game 1, game 2). better: how often the model is plainly better; else the prompt decides, or chance."""
    found: list[tuple[int, int]] = []
    for _ in range(count):
        taste = draw.choice((-1, 0, 1))
        one, two = (taste if draw.random() < of_prompt else draw.choice((-1, 0, 1)) for _ in range(2))
        found.append((-1, 1) if draw.random() < better else (one, two))
    return found


def rows_of(model: str, pairs: Sequence[tuple[int, int]], prompt: str = "", **more: Any) -> list[dict[str, Any]]:
    shown = {"user_prompt": prompt, "judgment": "so"}
    return [
        {
            "question_id": question_id(n),
            "model": model,
            "judge": "j",
            "games": [{**shown, "score": LABEL[each]} for each in pair],
            **more,
        }
        for n, pair in enumerate(pairs, 1)
    ]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Answers of base, other and two models."""
    made = Bench(tmp_path / "data", "b")
    write_rows(made.question_file, [question(n) for n in range(1, 401)])
    for model in ("base", "other", "m", "n"):
        texts = [answer(n, model, f"What {model} has to say to question {n}.") for n in (1, 2)]
        write_rows(made.answer_file(model), texts)
    return made


def put(bench: Bench, model: str, records: Sequence[dict[str, Any]], baseline: str = "") -> None:
    write_rows(bench.judgment_file("j", model, baseline), records)


def with_own_file(bench: Bench) -> None:
    """Judgments without texts against base, its own among them."""
    draw = random.Random(1)
    put(bench, "base", rows_of("base", games(draw, 400, 0)))
    for model, better in (("m", 0.6), ("n", 0.3)):
        put(bench, model, rows_of(model, games(draw, 400, better)))


def with_prompts(bench: Bench, *shown: str) -> None:
    for model in ("m", "n"):
        prompt = " ".join(f"What {name} has to say to question 1." for name in (*shown, model))
        put(bench, model, rows_of(model, [(1, -1)], prompt))


# ---------------------------------------------------------------------------------------- what shows it


@pytest.mark.parametrize("asked", ["base", "other", "stranger"])
def test_prompts_show_whose_answers_were_compared(bench: Bench, asked: str) -> None:
    with_prompts(bench, "base")
    found = origin_of(bench, "j", asked)
    assert (found.baseline, found.why) == ("base", "their prompts show the answers of base")
    assert standing(bench, "j", asked).counts == (asked == "base")


def test_a_model_against_itself_is_shown_twice(bench: Bench) -> None:
    text = "What base has to say to question 1."
    put(bench, "base", rows_of("base", [(1, 1)], f"{text} {text}"))
    assert origin_of(bench, "j", "m").baseline == "base"
    put(bench, "base", rows_of("base", [(1, 1)], text))
    assert origin_of(bench, "j", "base").baseline == ""


@pytest.mark.parametrize("asked", ["other", "m"])
def test_prompts_without_a_baselines_answers_rule_it_out(bench: Bench, asked: str) -> None:
    """The real one's answers are not here; a model judged is against itself only where its answer stands twice."""
    with_prompts(bench, "base")
    bench.answer_file("base").unlink()
    found = origin_of(bench, "j", asked)
    assert (found.baseline, found.is_not) == ("", asked)
    with pytest.raises(UserError, match=f"not against {asked}: their prompts do not show the answers of {asked}"):
        parts(bench, asked)
    assert standing(bench, "j", "base").counts


def test_prompts_that_hold_other_texts_than_the_answers_here_rule_nothing_out(bench: Bench) -> None:
    for model in ("m", "n"):
        put(bench, model, rows_of(model, [(1, -1)], "both answers, as pictures"))
    assert origin_of(bench, "j", "other").is_not == ""


@pytest.mark.parametrize("asked", ["base", "m", "stranger"])
def test_without_texts_the_baselines_own_judgments_show_it(bench: Bench, asked: str) -> None:
    with_own_file(bench)
    assert origin_of(bench, "j", asked).baseline == "base"


def test_a_model_whose_games_are_real_ones_is_not_the_baseline(bench: Bench) -> None:
    with_own_file(bench)
    bench.judgment_file("j", "base").unlink()
    found = origin_of(bench, "j", "m")
    assert (found.baseline, found.is_not) == ("", "m")
    assert not standing(bench, "j", "m").counts and standing(bench, "j", "base").counts


def test_two_that_look_alike_show_nothing(bench: Bench) -> None:
    with_own_file(bench)
    put(bench, "other", rows_of("other", games(random.Random(3), 400, 0)))
    assert origin_of(bench, "j", "m").baseline == ""


@pytest.mark.parametrize("seed", range(5))
def test_games_of_the_baseline_with_itself_come_out_alike(seed: int) -> None:
    draw = random.Random(seed)
    own = Counter(games(draw, 500, 0))
    assert may_be_itself(own) and is_plainly_itself(own)
    assert may_be_itself(Counter(games(draw, 500, 0, of_prompt=0.3)))
    even = Counter([(1, -1), (-1, 1)] * 200 + games(draw, 100, 0))  # as strong, but different
    assert not may_be_itself(even)
    assert not is_plainly_itself(Counter(games(draw, 20, 0))) and may_be_itself({}) and may_be_itself({(0, 0): 9})


def test_real_folders(shared_data: Path) -> None:
    ko, ta = Bench(shared_data, "ko-arena"), Bench(shared_data, "arena-ta")
    if not (ko.folder.is_dir() and ta.folder.is_dir()):
        pytest.skip("the folders ko-arena and arena-ta are not among the shared data")
    assert origin_of(ko, "ensemble", "gpt-4-0314").baseline == "claude-3.7-sonnet"
    for model in ("Qwen2-7B-Instruct", "Yi-34B-Chat", "gemma-2-9b-it"):
        assert origin_of(ta, "gpt-4o_images", model).is_not == model
    assert standing(ta, "gpt-4o_images", "gpt4_1106_preview").counts


def with_twin(bench: Bench) -> None:
    """Judgments against base without its own, but with those of a model that says the same."""
    with_own_file(bench)
    bench.judgment_file("j", "base").unlink()
    write_rows(bench.answer_file("twin"), [answer(n, "twin", f"What base has to say to question {n}.") for n in (1, 2)])
    put(bench, "twin", rows_of("twin", games(random.Random(1), 400, 0)))


@pytest.mark.parametrize(("asked", "shown"), [("base", "base"), ("twin", "twin"), ("stranger", "base"), ("m", "base")])
def test_of_two_that_say_the_same_the_one_asked_for_or_not_judged_is_the_baseline(
    bench: Bench, asked: str, shown: str
) -> None:
    with_twin(bench)
    found = origin_of(bench, "j", asked)
    assert found.baseline == shown and "judgments of twin are plainly" in found.why
    assert ("its answers are those of base" in found.why) == (shown == "base")


def test_both_of_two_that_say_the_same_may_have_been_judged(bench: Bench) -> None:
    with_twin(bench)
    put(bench, "base", rows_of("base", games(random.Random(2), 400, 0)))
    for asked, shown in (("twin", "twin"), ("base", "base"), ("stranger", "base")):
        assert origin_of(bench, "j", asked).baseline == shown


@pytest.mark.parametrize(
    ("asked", "counts"), [("base", True), ("stranger", True), ("other", False), ("m", False), ("vs", False)]
)
def test_a_name_weighs_more_than_games_unless_answers_speak_against_it(bench: Bench, asked: str, counts: bool) -> None:
    with_own_file(bench)
    put(bench, "n", rows_of("n", [(1, -1)]), "vs")
    assert standing(bench, "j", asked).counts == counts
    assert standing(bench, "j", asked, is_named=False).counts == (asked == "base")
    bench.answer_file("base").unlink()  # so that they say nothing
    assert standing(bench, "j", "other").counts and not standing(bench, "j", "m").counts


# ------------------------------------------------------------------------------------------- what is judged


def test_judgments_of_a_model_that_says_what_the_baseline_says_are_not_made_again(bench: Bench) -> None:
    with_twin(bench)
    assert {file_for(bench, model, "base") for model in ("m", "n", "twin")} == {"m.jsonl", "n.jsonl", "twin.jsonl"}
    with pytest.warns(jsonl.Remark, match="not against other: .*plainly.*, move their files there"):
        assert file_for(bench, "m", "other") == "vs_other/m.jsonl"


def file_for(bench: Bench, model: str, baseline: str) -> str:
    folder = JudgmentFolder(bench, "j", {})
    return folder.file_for(model, baseline, "", False).relative_to(bench.judgment_folder("j")).as_posix()


def test_new_judgments_never_lie_beside_nameless_ones_of_another_baseline(bench: Bench) -> None:
    with_own_file(bench)
    assert file_for(bench, "m", "base") == "m.jsonl" and file_for(bench, "new", "base") == "new.jsonl"
    with pytest.warns(jsonl.Remark, match="not against other: the judgments of base are plainly"):
        assert file_for(bench, "m", "other") == "vs_other/m.jsonl"


def test_where_nothing_speaks_against_it_what_is_there_is_not_judged_again(bench: Bench) -> None:
    with_own_file(bench)
    bench.judgment_file("j", "base").unlink()
    for model in ("m", "new"):
        with pytest.warns(jsonl.Remark, match="nothing reveals it: base is assumed.*vs_NAME/"):
            assert file_for(bench, model, "base") == f"{model}.jsonl"
    with pytest.warns(jsonl.Remark, match="not against m: the judgments of m are not"):
        assert file_for(bench, "new", "m") == "vs_m/new.jsonl"
    put(bench, "new", rows_of("new", [(1, -1)], baseline="base"))
    with pytest.warns(jsonl.Remark, match="base is assumed"):
        assert file_for(bench, "m", "base") == "m.jsonl"
    with pytest.warns(jsonl.Remark, match="nothing shows that they are against other"):
        assert file_for(bench, "m", "other") == "vs_other/m.jsonl"
    put(bench, "late", rows_of("late", [(1, -1)], baseline="base"), "base")
    with pytest.warns(jsonl.Remark, match="nothing shows that they are against base"):
        assert file_for(bench, "m", "base") == "vs_base/m.jsonl"


def test_judgments_of_a_published_bench_are_against_its_baseline(bench: Bench) -> None:
    published = Bench(bench.data_dir, "arena-hard-v0.1")
    put(published, "m", rows_of("m", [(1, -1)]))
    assert file_for(published, "m", "gpt-4-0314") == "m.jsonl"
    with pytest.warns(jsonl.Remark):
        assert file_for(published, "m", "base") == "vs_base/m.jsonl"


def test_the_baselines_own_judgments_alone_stand_in_nobodys_way(bench: Bench) -> None:
    put(bench, "base", rows_of("base", [(1, 1)]))
    assert file_for(bench, "m", "base") == "m.jsonl"


# ------------------------------------------------------------------------------------------ what is rated


def parts(bench: Bench, baseline: str | None) -> Any:
    (found,) = cut(read_judgments(bench, ["j"], [baseline] if baseline else []).table, Expected(bench), baseline, None)
    return found


@pytest.mark.parametrize(("asked", "said"), [("base", ""), (None, "it is base, because the judgments of base")])
def test_what_the_folder_shows_is_rated(bench: Bench, asked: str | None, said: str) -> None:
    with_own_file(bench)
    found = parts(bench, asked)
    assert found.baseline == "base" and ([note for note in found.notes if said in note] == found.notes)
    assert bool(found.notes) == bool(said)
    with pytest.raises(UserError, match="not against other.*Run with --baseline base"):
        parts(bench, "other")


@pytest.mark.slow
def test_where_nothing_shows_it_the_baseline_is_said_to_be_assumed(bench: Bench) -> None:
    with_own_file(bench)
    bench.judgment_file("j", "base").unlink()
    assert parts(bench, "stranger").notes == [
        "The judgments do not name their baseline, and nothing in them reveals it: stranger is assumed."
    ]
    with pytest.raises(UserError, match="not against m: the judgments of m are not of the baseline against itself"):
        parts(bench, "m")
    done = run_script(bench.data_dir.parent, "show_result.py", "--bench-name", "b", "--judge-name", "j")
    assert done.returncode == 0 and "nothing in them reveals it: gpt-4-0314 is assumed" in done.stdout


def test_a_baseline_that_was_named_is_rated_though_another_looks_like_it(bench: Bench) -> None:
    with_twin(bench)
    assert (parts(bench, "base").notes, len(parts(bench, "base").games)) == ([], 2 * 3 * 400)
    assert "it is base, because the judgments of twin are" in parts(bench, None).notes[0]
    assert "stranger is taken, as asked, although the judgments of twin" in parts(bench, "stranger").notes[0]
    with pytest.raises(UserError, match=r"not against other: .*move their files to .*/j/vs_other/\."):
        parts(bench, "other")
    folder = bench.judgment_folder("j", "other")
    folder.mkdir()
    for file in bench.judgment_folder("j").glob("*.jsonl"):
        file.rename(folder / file.name)
    assert set(parts(bench, "other").games.models) == {"m", "n", "twin"}


def test_a_further_baseline_hides_nothing(bench: Bench) -> None:
    """Those without a name count as before, whatever was judged since, here or in a folder of its own."""
    with_own_file(bench)
    draw = random.Random(5)
    put(bench, "n", rows_of("n", games(draw, 400, 0.5), baseline="other"), "other")
    put(bench, "new", rows_of("new", games(draw, 400, 0.5), baseline="other"))  # as older versions left it
    put(bench, "late", rows_of("late", games(draw, 400, 0.5), baseline="base"), "base")
    assert set(parts(bench, "base").games.models) == {"base", "m", "n", "late"}
    with pytest.warns(jsonl.Remark, match="judgments that do not name their baseline are not counted"):
        assert set(parts(bench, "other").games.models) == {"n", "new"}


NAMED = {"all": (100, 0, 0), "some": (1, 99, 0), "one odd": (99, 0, 1), "one odd beside nameless": (0, 99, 1)}


@pytest.mark.parametrize("case", NAMED)
@pytest.mark.parametrize("odd", ["odd", "gpt-4-0314"])
def test_without_a_flag_what_most_records_name_is_rated(bench: Bench, case: str, odd: str) -> None:
    named, nameless, others = NAMED[case]
    pairs = games(random.Random(2), 100, 0.5)
    every = rows_of("m", pairs)
    for row, name in zip(every, ["base"] * named + [""] * nameless + [odd] * others):
        row |= {"baseline": name} if name else {}
    put(bench, "m", every)
    if not named:  # the nameless ones are shown to be against base
        put(bench, "base", rows_of("base", games(random.Random(1), 400, 0)))
    found = parts(bench, None)
    assert found.baseline == assumed_baseline(Expected(bench), ["j"]) == "base" and len(found.notes) == 1
    rated = select(found.games, found.games.model == found.games.models.index("m"))
    assert len(rated) == 2 * (100 - others)


def test_the_usual_baseline_comes_first_where_many_games_are_against_it(bench: Bench) -> None:
    put(bench, "m", rows_of("m", [(1, -1)] * 20, baseline="base"))
    put(bench, "n", rows_of("n", [(1, -1)] * 10, baseline="gpt-4-0314"))
    assert (parts(bench, None).baseline, parts(bench, None).notes) == ("gpt-4-0314", [])


def test_an_odd_record_does_not_put_categories_together(bench: Bench) -> None:
    """Where each category has a baseline of its own by the records' names."""
    every = rows_of("m", [(1, -1)] * 40)
    for n, row in enumerate(every):
        row |= {"category": "x" if n < 20 else "y", "baseline": "odd" if n == 7 else "base" if n < 20 else "other"}
    put(bench, "m", every)
    found = cut(read_judgments(bench, ["j"]).table, Expected(bench), None, None)
    assert [(each.category, each.baseline, len(each.games)) for each in found] == [
        ("x", "base", 38),
        ("y", "other", 40),
    ]


def test_a_file_without_a_record_is_said(bench: Bench) -> None:
    put(bench, "m", rows_of("m", [(1, -1)]))
    put(bench, "n", [])
    with pytest.warns(jsonl.Remark, match=r"Without any judgment.*/n\.jsonl\.$"):
        read_judgments(bench, ["j"])


def test_the_browser_takes_and_says_the_same(bench: Bench) -> None:
    with_own_file(bench)
    index = BenchIndex(bench)
    index.refresh()
    (board,) = boards_of(Snapshot(index, "j", None), "rows")
    assert board.baseline == "base" and "it is base, because" in board.notes[0]
    pair = game_selection.load(index, "j", index.models.index("m"), 0, None)
    assert games_page.nameless(index, "j", pair, None) in board.notes[0]
    bench.judgment_file("j", "base").unlink()
    index.refresh()
    (board,) = boards_of(Snapshot(index, "j", None), "rows")
    assert board.baseline == "gpt-4-0314" and "gpt-4-0314 is assumed, as the default of the original" in board.notes[0]
    pair = game_selection.load(index, "j", index.models.index("m"), 0, None)
    assert games_page.nameless(index, "j", pair, None) in board.notes[0]
    put(bench, "m", rows_of("m", [(1, -1)]), "other")
    index.refresh()
    (board,) = boards_of(Snapshot(index, "j against other", None), "rows")
    assert "it is other, whose folder they are in" in board.notes[0]
