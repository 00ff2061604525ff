"""Which games a view leaves, and what is said of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from arena_hard.browse import game_selection, game_words, games_page, tables
from arena_hard.browse.address import View, href, parse
from arena_hard.browse.commands import Commands
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.site import Site
from arena_hard.data.paths import Bench
from arena_hard.data.settings import JudgeSettings
from arena_hard.rating.games import read_judgments, select
from arena_hard.showing import caveats
from arena_hard.showing.notes import printed
from tests.support.browse_bench import VERDICTS, answer_row, judgment_row, write_bench
from tests.support.pipeline_bench import write_rows

SEEN = View(tab="games", judge="judy")


def left(index: BenchIndex, view: View) -> set[tuple[str, str]]:
    """(model, question) of the games that a view leaves."""
    chosen = game_selection.select(index, view, None)
    names = [index.models[code] for code in chosen.models]
    return set(zip(names, [index.question_ids[code] for code in chosen.questions]))


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (SEEN.but(show="disagree"), {("alpha", "q-code"), ("beta", "q-plan")}),
        (SEEN.but(show="unreadable"), {("alpha", "q-plan")}),
        (SEEN.but(show="cutoff"), {("alpha", "q-poem")}),
        (SEEN.but(show="missing"), {("alpha", "q-time"), ("beta", "q-time")}),
        (SEEN.but(show="won"), {("alpha", "q-sum"), ("alpha", "q-plan"), ("beta", "q-plan")}),
        (SEEN.but(show="lost"), {("beta", "q-sum"), ("beta", "q-code"), ("beta", "q-poem")}),
        (SEEN.but(show="even"), {("alpha", "q-code"), ("alpha", "q-poem")}),
        (SEEN.but(category="math", model="beta"), {("beta", "q-sum"), ("beta", "q-time")}),
        (SEEN.but(cluster="poems"), {("alpha", "q-poem"), ("beta", "q-poem")}),
        (SEEN.but(first="A>B", second="B>A"), {("beta", "q-code"), ("beta", "q-poem")}),
        (SEEN.but(second="unreadable"), {("alpha", "q-plan")}),
        (SEEN.but(text="ROME"), {("alpha", "q-plan"), ("beta", "q-plan")}),
        (SEEN.but(text="beta says turn 2"), {("beta", "q-code")}),
        (SEEN.but(text="base says turn 1 of q-poem"), {("alpha", "q-poem"), ("beta", "q-poem")}),
        (SEEN.but(text="words about alpha on q-sum"), {("alpha", "q-sum")}),
        (SEEN.but(text="nobody wrote this"), set()),
        (SEEN.but(model="base"), {("base", f"q-{name}") for name in ("sum", "code", "poem", "plan", "time")}),
    ],
)
def test_filters(index: BenchIndex, view: View, expected: set[tuple[str, str]]) -> None:
    assert left(index, view) == expected


@pytest.mark.parametrize("words", ['say "hi"', "line\nbreak", "naïve café", "ÜBER", "a\\b", "{}[]/", "日本"])
def test_search_finds_text_however_the_file_escapes_it(tmp_path: Path, words: str) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    row = judgment_row("alpha", "q-sum", ("A>B", "B>A"))
    row["games"][1]["judgment"] = f"before {words} after"
    write_rows(bench.judgment_file("judy", "alpha"), [row, judgment_row("alpha", "q-poem", ("A>B", "B>A"))])
    index = BenchIndex(bench)
    index.refresh()
    assert left(index, SEEN.but(text=words.lower())) == {("alpha", "q-sum")}


def words_of(index: BenchIndex, model: str, question: str, settings: JudgeSettings | None = None) -> dict[str, Any]:
    """What the page of a game says of what is missing."""
    _, context = games_page.build(index, SEEN.but(model=model, question=question), settings)
    return context


def test_what_is_missing_is_said_by_its_cause(index: BenchIndex) -> None:
    unjudged = words_of(index, "alpha", "q-time")["unjudged"]
    assert unjudged[1:] == ["python gen_judgment.py --models alpha"] and "yet. This asks" in unjudged[0]
    lacking = words_of(index, "beta", "q-time")  # its answer is missing, too
    assert (
        lacking["unjudged"][0] == "judy has not judged beta on this question yet, and cannot: beta has no answer to it."
    )
    assert lacking["unjudged"][1].splitlines() == [
        "python gen_answer.py --models beta",
        "python gen_judgment.py --models beta",
    ]
    assert "model_answer/beta.jsonl has no line for it. python gen_answer" in lacking["pair"].model.missing
    assert lacking["pair"].baseline.model == "base"  # as the others name it, not the original's
    assert words_of(index, "base", "q-sum")["unjudged"] == ["base is the baseline, which is not judged against itself."]


@pytest.mark.parametrize(
    ("text", "finish", "why"),
    [
        ("[[A>B]] or rather [[B>A]]", "stop", "It holds labels that differ: A>B and B>A. This judges it again:"),
        ("", "stop", "No text is recorded for this game: the judge wrote nothing."),
        (" ", "length", "No text is recorded for this game: it was cut off at max_tokens before"),
        ("no idea", "stop", "It holds no label. This judges it again:"),
        ("I first write my own ans", "length", "It was cut off at max_tokens before it came to a label. Raise"),
        ("[[B>A]]", "stop", "It holds B>A, but was read by another pattern."),
    ],
)
def test_an_unreadable_verdict_is_said_by_its_cause(tmp_path: Path, text: str, finish: str, why: str) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    row = judgment_row("alpha", "q-sum", ("A>B", None), baseline="base")
    row["games"][1] |= {"judgment": text, "finish_reason": finish}
    write_rows(bench.judgment_file("judy", "alpha"), [row])
    index = BenchIndex(bench)
    index.refresh()
    found = words_of(index, "alpha", "q-sum")
    assert found["boards"][1].why.startswith(why) and found["boards"][0].why == ""
    assert found["boards"][1].again == "python gen_judgment.py --models alpha --retry-unreadable"
    assert found["summary"] == "Only game 1 counts: game 2 has no verdict that could be read."


def test_games_on_shortened_answers_say_so_and_are_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    plain, cut = (judgment_row("alpha", question, ("A>B", "B>A"), baseline="base") for question in ("q-poem", "q-sum"))
    for game in cut["games"]:
        game["truncated"] = {"kept": 0.5, "left_out": 1234}
    write_rows(bench.judgment_file("judy", "alpha"), [plain, cut])
    index = BenchIndex(bench)
    index.refresh()
    said = [[board.shortened for board in words_of(index, "alpha", key)["boards"]] for key in ("q-poem", "q-sum")]
    assert said[0] == ["", ""]
    assert all("1,234 characters of both together were left out" in each for each in said[1])
    for table in (tables.game_table(index, ["judy"], None), read_judgments(bench, ["judy"]).table):
        (note,) = caveats.shortened_notes(select(table, table.model == table.models.index("alpha")))
        assert printed(note).endswith("(truncate: answers), 2 of 4: alpha 2.")


@pytest.mark.parametrize(
    ("games", "why", "again"),
    [
        ([0], "its record ends before game 2", "--question-ids ids.txt --redo alpha"),
        ([0, None], "its place in the record is empty", "--models alpha --retry-unreadable"),
        ([], "its record ends before game 2", "--models alpha --retry-unreadable"),
    ],
)
def test_a_missing_game_comes_with_the_command_that_plays_it(
    tmp_path: Path, games: list[int | None], why: str, again: str
) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    row = judgment_row("alpha", "q-sum", ("A>B", "B>A"), baseline="base")
    row["games"] = [None if place is None else row["games"][place] for place in games]
    write_rows(bench.judgment_file("judy", "alpha"), [row])
    index = BenchIndex(bench)
    index.refresh()
    board = words_of(index, "alpha", "q-sum")["boards"][1]
    assert board.why == f"There is no such game in the judgment: {why}. This judges the question again:"
    assert board.again.endswith(again)


def test_an_empty_answer_and_a_missing_file_are_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    write_rows(bench.answer_file("alpha"), [answer_row("alpha", "q-sum", [" "])])
    bench.answer_file("base").unlink()
    config = JudgeSettings(bench_name="small", judge_model="judy", prompt_template=["{question_1}"])
    site = Site(tmp_path, config, config_file=Path("my judge.yaml"))
    html = site.show("?tab=games&model=alpha&question=q-sum")
    flags = f"--data-dir {tmp_path} --models alpha"
    assert "The answer of alpha is empty: its record holds no text" in html
    assert f"python gen_answer.py {flags} --question-ids ids.txt --redo alpha" in html
    assert "there is no file small/model_answer/base.jsonl. python gen_answer.py" in html
    unjudged = site.show("?tab=games&model=alpha&question=q-time")
    assert escape(f"python gen_judgment.py --setting-file 'my judge.yaml' {flags}") in unjudged


def test_commands_name_what_is_not_the_scripts_own() -> None:
    assert Commands().judge("--models", "a b") == "python gen_judgment.py --models 'a b'"
    assert Commands(Path("data"), Path("config/judge_config.yaml")).answer() == "python gen_answer.py"


def test_the_link_of_a_model_leads_to_a_game_that_was_judged(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    write_rows(bench.judgment_file("judy", "alpha"), [judgment_row("alpha", "q-plan", ("A>B", "B>A"))])
    index = BenchIndex(bench)
    index.refresh()
    assert words_of(index, "alpha", "")["pair"].question_id == "q-plan"


def test_an_answer_that_the_original_wrote_for_a_failed_call_is_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    write_rows(bench.answer_file("alpha"), [answer_row("alpha", "q-sum", ["$ERROR$"])])
    index = BenchIndex(bench)
    index.refresh()
    side = words_of(index, "alpha", "q-sum")["pair"].model
    assert side.answer is None and "has $ERROR$ in the place of an answer" in side.missing


def test_an_empty_file_makes_no_model(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    for file in (bench.answer_file("ghost"), bench.judgment_file("judy", "ghost")):
        file.touch()
    index = BenchIndex(bench)
    index.refresh()
    assert sum("ghost.jsonl is empty" in note for note in index.notes) == 2
    write_rows(bench.judgment_file("a-judge", "alpha"), [])  # a judge without any judgment is none
    index.refresh()
    assert (index.models, index.judges) == (["alpha", "base", "beta"], ["judy"])
    site = Site(tmp_path)
    assert all("<table" in site.show(f"?tab={tab}") for tab in ("leaderboard", "judge", "compare"))


def test_what_the_judge_was_sent_is_not_searched(index: BenchIndex) -> None:
    assert left(index, SEEN.but(text="prompt of game")) == set()


def test_game_1_has_the_baseline_as_a_and_game_2_the_model(index: BenchIndex) -> None:
    pair = game_selection.load(index, "judy", index.models.index("alpha"), 0, None)
    for number, names in ((1, ["base", "alpha"]), (2, ["alpha", "base"])):
        sides = pair.sides(number)
        assert [side.model for side in sides] == names
        assert [side.answer.turns[0].content.split()[0] for side in sides if side.answer] == names


def test_verdicts_in_words_name_the_winner_in_every_position(index: BenchIndex) -> None:
    strong = {"A>>B": "much", "B>>A": "much"}
    for model, questions in VERDICTS.items():
        for question, labels in questions.items():
            code = index.question_ids.index(question)
            pair = game_selection.load(index, "judy", index.models.index(model), code, None)
            for number, label in enumerate(labels, 1):
                words, kind = game_words.verdict_words(pair.codes[number - 1], pair, number)
                if label is None:
                    assert (words, kind) == ("no verdict could be read", "unreadable")
                elif label == "A=B":
                    assert (words, kind) == ("a tie", "tie")
                else:
                    by_place = {"A": ["base", model], "B": [model, "base"]}
                    winner = by_place[label[0]][number - 1]
                    assert words == f"{winner} is {strong.get(label, 'slightly')} better"
                    assert kind == ("baseline" if winner == "base" else "model")


def test_games_that_follow_the_position_are_called_so(index: BenchIndex) -> None:
    alpha = index.models.index("alpha")
    pair = game_selection.load(index, "judy", alpha, index.question_ids.index("q-code"), None)
    assert game_words.agreement_words(pair) == "The two games disagree: whichever answer was shown first won."
    pair = game_selection.load(index, "judy", alpha, index.question_ids.index("q-sum"), None)
    assert game_words.agreement_words(pair) == "The two games agree."


def test_the_baseline_is_the_judgments_own_then_the_original_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    write_rows(bench.judgment_file("other", "alpha"), [judgment_row("alpha", "q-sum", ("A>B", "B>A"))])
    index = BenchIndex(bench)
    index.refresh()
    alpha = index.models.index("alpha")
    assert game_selection.baseline_name(index, "judy", alpha, 0, None) == "base"
    assert game_selection.baseline_name(index, "other", alpha, 0, None) == "gpt-4-0314"
    pair = game_selection.load(index, "other", alpha, 0, None)
    assert pair.baseline.answer is None
    assert "gpt-4-0314" in pair.baseline.missing


def test_steps_go_through_all_games_and_end(index: BenchIndex) -> None:
    view, seen = SEEN, []
    while True:
        chosen = game_selection.select(index, view, None)
        seen.append((index.models[chosen.models[chosen.place]], index.question_ids[chosen.questions[chosen.place]]))
        following = games_page.neighbours(index, view, chosen)["next"]
        if following is None:
            break
        view = parse(href(following))
    assert len(seen) == len(set(seen)) == 10


def test_addresses_survive_and_foreign_keys_are_dropped() -> None:
    view = View(tab="games", model="maker/a b&c=d", text="ünïcode ?#", first="A>>B")
    assert parse(href(view)) == view
    assert parse("?tab=games&__theme=dark&model=" + "x" * 401) == View(tab="games")
