"""What the pages Leaderboard, Judge, Compare and Blind check say, and the exported files."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from arena_hard import __version__
from arena_hard.browse import blind_check, blind_page, compare_page, judge_page, leaderboard_page, tables
from arena_hard.browse import export as export_module
from arena_hard.browse.address import View, parse
from arena_hard.browse.export import export
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.numbers import signed
from arena_hard.browse.site import Site
from arena_hard.data.paths import Bench, manifest_file
from arena_hard.data.records import UserError
from arena_hard.rating import blind_agreement
from arena_hard.rating.games import GameTable, read_judgments
from tests.support.browse_bench import judgment_row, write_bench
from tests.support.pipeline_bench import run_script, write_rows

SEEN = View(bench="small", judge="judy")


def test_the_table_of_games_is_the_one_that_the_results_are_computed_from(index: BenchIndex) -> None:
    own = tables.game_table(index, ["judy"], None)
    read = read_judgments(index.bench, ["judy"]).table

    def named(table: GameTable) -> list[tuple[str, str, str, int, int]]:
        return [
            (table.questions[q], table.models[m], table.baselines[b], int(g), int(v))
            for q, m, b, g, v in zip(table.question, table.model, table.baseline, table.game, table.verdict)
        ]

    assert named(own) == named(read)


def test_the_leaderboard_is_the_weighted_win_rate(index: BenchIndex) -> None:
    (board,) = leaderboard_page.boards_of(tables.Snapshot(index, "judy", None), "rows")
    scores = {row.model: row.score for row in board.rows}
    # alpha: win, win; loss, win; tie, tie; strong win (3 rows), none: 1+1+0+1+.5+.5+3 of 9 rows
    assert scores["alpha"] == pytest.approx(100 * 7 / 9, abs=0.005)
    # beta: two strong losses (6 rows), four slight losses; loss and strong win (1 + 3 rows): 3 of 14
    assert scores["beta"] == pytest.approx(100 * 3 / 14, abs=0.005)
    assert scores["base"] == 50
    alpha = board.rows[0]
    assert (alpha.model, alpha.judged, alpha.unreadable, alpha.tokens) == ("alpha", 4, 1, pytest.approx(60 / 5))


def test_what_was_not_judged_is_said_on_every_page_that_counts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    rows = [judgment_row("beta", name, ("A>B", "A>B"), baseline="base") for name in ("q-sum", "q-time")]
    write_rows(bench.judgment_file("judy", "beta"), rows)
    site = Site(tmp_path)
    words = re.compile(r"Judged (2 of 5 questions[^:]*: beta; 4 of 5 questions[^:]*: alpha)\.")
    for tab in ("leaderboard", "judge"):
        html = site.show(f"?tab={tab}")
        assert words.search(html) and "(1 are common to all)" in html
    assert "4 of 5" in site.show("?tab=judge&model=alpha") and "beta" not in judge_notes(site, "alpha")
    assert "Of the 1 question (of the benchmark's 5) that both were judged on, " in site.show("?tab=compare")
    export(site, tmp_path / "out")
    assert words.search((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    rows = [judgment_row(model, "q-time", ("A>B", "A>B"), baseline="base") for model in ("alpha", "beta")]
    for row in rows:
        names = ["q-sum", "q-code", "q-poem", "q-plan", "q-time"]
        write_rows(bench.judgment_file("judy", row["model"]), [row | {"question_id": name} for name in names])
    for tab in ("leaderboard", "judge", "compare"):
        html = site.show(f"?tab={tab}")
        assert " of 5" not in html and "Judged" not in html and "of the bench" not in html


def test_a_judge_that_is_not_to_be_trusted_is_named_on_every_page_of_results(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    tabs = ("leaderboard", "breakdown", "compare")
    site = Site(tmp_path)
    assert not any("Do not trust" in site.show(f"?tab={tab}") for tab in tabs)  # of a few games nothing is known
    first, second = ("A>B", "A>B"), ("B>A", "B>A")  # of each place as often: no position bias, and κ is below 0
    names = [f"q{number}" for number in range(60)]
    questions = [{"question_id": q, "category": q[-1], "turns": [{"content": q}]} for q in names]
    write_rows(bench.question_file, questions)
    for model in ("alpha", "beta"):
        rows = [judgment_row(model, q, first if i % 2 else second, baseline="base") for i, q in enumerate(names)]
        rows[0] |= judgment_row(model, "q0", ("B>A", "A>B"))
        write_rows(bench.judgment_file("judy", model), rows)
    shown = re.compile(r'<span class="warn">Do not trust these results:</span> the judge judy .*κ −0\.\d\d')
    for tab in tabs:
        assert shown.search(site.show(f"?tab={tab}")), tab
    html = site.show("?tab=judge")
    assert "<dd>κ −0." in html and not re.search(r">[^<]*[ (]-\d", html)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tab=breakdown&model=gone", "gone has no judgments by judy; another model is shown."),
        ("tab=breakdown&model=base", "base is the baseline, at 50 by definition; another model is shown."),
        ("tab=compare&model=alpha&other=gone", "gone has no judgments by judy; another model is shown."),
        ("tab=judge&model=gone", "gone has no judgments by judy; all models are shown."),
        ("tab=games&model=gone", "gone has no judgments by judy; other games are shown."),
        ("judge=gone", "There are no judgments by gone; those of judy are shown."),
        ("bench=gone&model=alpha", "There is no benchmark gone; small is shown."),
        ("tab=nope", "There is no page nope; Leaderboard is shown."),
        ("rule=nope", "There are no intervals nope; honest (clustered by question) ones are shown."),
        ("tab=games&question=nope", "There is no question nope; another one is shown."),
        ("tab=games&show=nope", "There is no filter nope; games are shown without it."),
        ("tab=games&first=nope", "There is no filter nope; games are shown without it."),
        ("tab=compare&model=beta&other=beta", "beta cannot be compared with itself; another model is shown."),
        ("tab=games&show=cutoff&first=none&second=A%3DB&question=q-sum", ""),
        ("tab=compare&model=base&other=beta", ""),
        ("tab=breakdown&model=beta&judge=judy", ""),
    ],
)
def test_a_page_says_when_it_shows_something_else_than_was_asked_for(tmp_path: Path, address: str, words: str) -> None:
    write_bench(tmp_path / "small")
    html = Site(tmp_path).show(f"?{address}")
    assert words in html and (words or not re.search(r"(is|are) shown\.</p>", html))


def judge_notes(site: Site, model: str) -> str:
    key = tables.Snapshot(site.index("small"), "judy", None)
    return "".join(judge_page.coverage_notes(key, model))


def test_categories_with_baselines_of_their_own_are_held_against_their_own_questions(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    pairs = (("alpha", "q-sum", "base"), ("alpha", "q-time", "base"), ("alpha", "q-poem", "gamma"))
    rows = [judgment_row(model, name, ("A>B", "B>A"), baseline=baseline) for model, name, baseline in pairs]
    write_rows(bench.judgment_file("judy", "alpha"), rows)
    write_rows(bench.judgment_file("judy", "beta"), [judgment_row("beta", "q-sum", ("A>B", "B>A"), baseline="base")])
    index = BenchIndex(bench)
    index.refresh()
    boards = leaderboard_page.boards_of(tables.Snapshot(index, "judy", None), "rows")
    notes = {board.baseline: " ".join(board.notes) for board in boards}
    # math has two questions and belongs to base, writing has two and belongs to gamma, code has one and to nobody yet
    assert [board.questions for board in boards] == [3, 3]
    assert re.search(r"1 of 3 questions[^:]*: beta; 2 of 3 questions[^:]*: alpha", notes["base"])
    assert re.search(r"0 of 3 questions: beta; 1 of 3 questions[^:]*: alpha", notes["gamma"])


def test_a_model_that_won_everything_has_an_interval(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    write_rows(
        bench.judgment_file("judy", "alpha"), [judgment_row("alpha", "q-sum", ("B>>A", "A>>B"), baseline="base")]
    )
    html = Site(tmp_path).show("?tab=leaderboard")
    assert "100.0" in html
    assert "nan" not in html.lower().replace("banana", "")


@pytest.mark.slow
def test_what_holds_although_judging_was_monitored_is_on_the_pages_as_in_the_terminal(tmp_path: Path) -> None:
    """Of this lead an interval as if the number of questions had been fixed excludes 0, and the valid one does not."""
    bench = Bench(tmp_path / "data", "b")
    for model, good, step in (("alpha", 7, 3), ("gamma", 4, 7)):
        won = [(n * step) % 10 < good for n in range(60)]
        verdicts = [("B>A", "A>B") if one else ("A>B", "B>A") for one in won]
        rows = [judgment_row(model, f"q{n}", each, baseline="beta") for n, each in enumerate(verdicts)]
        write_rows(bench.judgment_file("judy", model), rows)
        looks = {"looks": {"questions": 120, "judged": [19, 39, 59], "decided": ["alpha", "gamma"]}}
        manifest_file(bench.judgment_file("judy", model)).write_text(json.dumps(looks))
    flags = ("--bench-name", "b", "--judge-name", "judy", "--baseline", "beta", "--compare", "alpha", "gamma")
    printed = run_script(tmp_path, "show_result.py", *flags).stdout
    valid, fixed = re.findall(r"^alpha − gamma .*?\((\S+), (\S+)\)", printed, re.M)
    assert valid[0].startswith("-") and fixed[0].startswith("+")
    site = Site(tmp_path / "data")
    board, compared = site.show("?judge=judy"), site.show("?judge=judy&tab=compare&model=alpha&other=gamma")
    assert f"({valid[0]}, {valid[1]})" in board and "95 of 100" not in board and "interval lies" not in board
    assert "The two cannot be told apart" in compared and "load-battles" not in board + compared
    assert f"95% interval at all looks {valid[0].replace('-', '−')} to {valid[1]}" in compared


def test_judgments_against_two_baselines_get_two_boards(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    write_rows(bench.judgment_file("judy", "beta"), [judgment_row("beta", "q-sum", ("A>B", "B>A"), baseline="gamma")])
    html = Site(tmp_path).show("")
    assert "Against base<" in html and "Against gamma<" in html


def test_each_cell_of_the_judges_table_counts_the_games_that_its_link_shows(index: BenchIndex) -> None:
    from arena_hard.browse import game_selection

    cells = judge_page.cells_of(index, SEEN, "")
    counted = sum(cell.games for row in cells for cell in row)
    assert counted == 7
    for row in cells:
        for cell in row:
            assert len(game_selection.select(index, cell.view, None)) == cell.games


def test_cells_are_told_apart() -> None:
    labels = ["A>>B", "A>B", "A=B", "B>A", "B>>A"]
    kinds = {(a, b): judge_page.kind_of(i, j) for i, a in enumerate(labels) for j, b in enumerate(labels)}
    assert kinds["A>B", "B>>A"] == kinds["A=B", "A=B"] == kinds["B>A", "A>B"] == "agree"
    assert kinds["A>B", "A>>B"] == kinds["B>A", "B>>A"] == "position"
    assert kinds["A=B", "A>B"] == "half"


def test_compare_finds_where_two_models_differ_most(index: BenchIndex) -> None:
    _, context = compare_page.build(index, SEEN.but(tab="compare", model="alpha", other="beta"), None)
    gaps = {row.question: row.gap for row in context["rows"]}
    # points: alpha 75, 50, 50, 100; beta 0, 25, 25, (25 + 100) / 2
    assert gaps == {"q-sum": 75.0, "q-code": 25.0, "q-poem": 25.0, "q-plan": 37.5}
    assert [row.question for row in context["rows"]][:2] == ["q-sum", "q-plan"]
    assert [row.numbers for row in context["rows"]][:2] == [("+75", "75", "0"), ("+37.5", "100", "62.5")]
    result = context["result"]
    assert result.value == pytest.approx(100 * 7 / 9 - 100 * 3 / 14)
    assert (result.better, result.equal, result.worse) == (4, 0, 0)
    _, turned = compare_page.build(index, SEEN.but(tab="compare", model="beta", other="alpha"), None)
    assert turned["result"].value == pytest.approx(-result.value)
    assert turned["result"].ends == pytest.approx((-result.ends[1], -result.ends[0]))


# ----------------------------------------------------------------------------------- blind check


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("model=alpha&question=q-sum&text=Rome", "model=alpha&question=q-plan&text=Rome"),
        ("at=beta&question=q-sum&first=B>>A", "at=alpha&question=q-plan&first=B%3E%3EA"),
        ("model=alpha&question=q-sum&text=2 %2B 2", "model=alpha&question=q-sum&text=2+%2B+2"),
        ("question=q-time&show=missing", "question=q-time&show=missing"),
        ("model=alpha&text=nowhere&question=q-sum", "model=alpha&question=q-sum&text=nowhere"),
        ("model=alpha&question=nope", "model=alpha&question=q-sum"),
    ],
)
def test_the_address_of_a_page_is_that_of_the_game_that_it_shows(tmp_path: Path, asked: str, shown: str) -> None:
    write_bench(tmp_path / "small")
    html = Site(tmp_path).show(f"?tab=games&{asked}")
    own = unescape(html.partition('data-address="')[2].partition('"')[0])
    assert own == f"?tab=games&bench=small&judge=judy&{shown}"
    assert "nope" in asked or Site(tmp_path).show(own) == html


def test_of_a_model_that_the_judge_says_nothing_of_no_points_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    names = ("q-sum", "q-code", "q-poem")
    rows = [judgment_row("alpha", name, ("A>B", "A>B"), baseline="base") for name in names]
    write_rows(bench.judgment_file("judy", "alpha"), rows)
    html = Site(tmp_path).show("?tab=compare")
    assert "Which is better is not known" in html and "points of win rate" not in html
    assert "alpha is better on" in html


def test_a_blind_check_goes_on_where_it_stopped(index: BenchIndex) -> None:
    check = blind_page.opened(index, "judy", "Ann", None)
    assert len({(p.question_id, p.model) for p in check.plan}) == len(check.plan) == 8
    blind_check.decide(check, 0, "A>B")
    blind_check.decide(check, 1, blind_agreement.SKIP)
    blind_check.decide(check, 0, "B>A")
    again = blind_page.opened(index, "judy", "Ann", None)
    assert again.plan == check.plan
    assert again.decisions == {0: "B>A", 1: blind_agreement.SKIP}
    assert again.next_place == 2
    assert blind_page.opened(index, "judy", "Bob", None).decisions == {}


def test_decisions_of_the_earlier_layout_are_marked_until_they_are_made_again(tmp_path: Path) -> None:
    write_bench(tmp_path / "small")
    site = Site(tmp_path)
    site.show("?tab=blind&name=Ann")
    for place in range(8):
        site.decide("small", "judy", "Ann", place, "A>B")
    file = blind_agreement.check_file(Bench(tmp_path, "small"), "judy", "Ann")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["version"] for row in rows} == {__version__}
    assert "earlier layout" not in site.show("?tab=blind&name=Ann")
    write_rows(file, [rows[0], *(row if i > 2 else without_version(row) for i, row in enumerate(rows[1:]))])
    html = site.show("?tab=blind&name=Ann")
    assert "3 of these decisions were made in the earlier layout" in html and html.count("</code> earlier layout") == 3
    assert "3 of them in the earlier layout" in site.show("?tab=blind")
    for place in range(3):
        site.decide("small", "judy", "Ann", place, "B>A")
    assert "earlier layout" not in site.show("?tab=blind&name=Ann")


def without_version(row: dict[str, object]) -> dict[str, object]:
    """A decision as versions up to 0.6.0 wrote it."""
    return {key: value for key, value in row.items() if key != "version"}


def test_games_are_drawn_evenly_over_models_and_verdicts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    questions = [f"q{i}" for i in range(200)]
    write_rows(bench.question_file, [{"question_id": q, "turns": [{"content": q}]} for q in questions])
    rows = [judgment_row("m", q, ("A>>B", "A>>B") if i < 20 else ("B>A", "B>A")) for i, q in enumerate(questions)]
    write_rows(bench.judgment_file("judy", "m"), rows)
    index = BenchIndex(bench)
    index.refresh()
    plan = blind_check.draw(index, "judy", {(0, code): "base" for code in range(200)}, seed=1)
    verdicts = [planned.verdict for planned in plan]
    assert len(plan) == blind_check.GAMES
    assert verdicts.count("A>>B") == 20 and verdicts.count("B>A") == 30
    assert plan == blind_check.draw(index, "judy", {(0, code): "base" for code in range(200)}, seed=1)


@pytest.mark.slow
def test_agreement_is_full_with_the_judges_own_verdicts_and_none_with_chance(index: BenchIndex) -> None:
    check = blind_page.opened(index, "judy", "Ann", None)
    for place, planned in enumerate(check.plan):
        blind_check.decide(check, place, planned.verdict)
    found = blind_agreement.agreement([check])
    assert (found.games, found.kappa, found.same_verdict) == (8, 1.0, 1.0)
    generator = np.random.default_rng(0)
    plan = [
        blind_agreement.Planned(f"q{i}", "m", "b", 1, label)
        for i, label in enumerate(generator.choice(blind_check.LABELS, 4000))
    ]
    chance = blind_agreement.Check(
        Path(), "x", "judy", plan, dict(enumerate(generator.choice(blind_check.LABELS, 4000).tolist()))
    )
    found = blind_agreement.agreement([chance])
    assert found.kappa == pytest.approx(0.0, abs=0.06)
    assert None not in (found.lower, found.kappa, found.upper)
    assert (found.lower or 1) < (found.kappa or 0) < (found.upper or -1)


def test_a_name_that_is_no_file_name_and_a_wrong_label_are_refused(index: BenchIndex) -> None:
    with pytest.raises(UserError):
        blind_page.opened(index, "judy", "../../x", None)
    check = blind_page.opened(index, "judy", "Ann", None)
    for place, label in ((0, "A"), (99, "A>B"), (0, "B<A")):
        with pytest.raises(UserError):
            blind_check.decide(check, place, label)
    assert list(index.bench.folder.parent.glob("x*")) == []


def test_a_blind_check_says_beforehand_what_it_lacks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    bench.answer_file("alpha").unlink()
    some = Site(tmp_path).show("?tab=blind")
    assert "4 of 8 judgments are left out: answers of alpha are missing in small/model_answer/." in some
    assert f"python gen_answer.py --data-dir {tmp_path} --models alpha<" in some and "Your name" in some
    bench.answer_file("base").unlink()
    for query in ("?tab=blind", "?tab=blind&name=Ann"):
        none = Site(tmp_path).show(query)
        assert none.count("No game can be shown: answers of ") == 1 and "Your name" not in none
        assert "--models alpha base" in none or "--models base alpha" in none
    write_rows(bench.judgment_file("judy", "alpha"), [judgment_row("alpha", "q-sum", (None, None))])
    bench.judgment_file("judy", "beta").unlink()
    assert "No verdict of judy could be read" in Site(tmp_path).show("?tab=blind")


def test_an_empty_name_for_a_blind_check_is_said(tmp_path: Path) -> None:
    write_bench(tmp_path / "small")
    assert "The name is empty" in Site(tmp_path).show("?tab=blind&name=%20")
    assert "The name is empty" not in Site(tmp_path).show("?tab=blind")


def test_no_name_of_a_model_is_on_the_blind_page(tmp_path: Path) -> None:
    write_bench(tmp_path / "small")
    html = Site(tmp_path).show("?tab=blind&name=Ann")
    assert "Which answer is better?" in html
    words = re.sub(r"(alpha|beta|base) says turn", "", html)
    assert not re.search(r"\b(alpha|beta|base)\b", words)


def test_a_file_of_decisions_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_bench(tmp_path / "small")
    file = blind_agreement.check_file(Bench(tmp_path, "small"), "judy", "Ann")
    write_rows(file, [{"name": "Ann", "judge": "judy", "plan": []}])
    file.write_text(file.read_text() + "{broken\n")
    html = Site(tmp_path).show("?tab=blind")
    assert "This page cannot be shown" in html
    assert f"{file}:2" in html


# ---------------------------------------------------------------------------------------- export


def test_differences_have_a_true_minus_and_no_sign_at_zero() -> None:
    shown = [signed(value, digits) for value, digits in ((-8.84, 1), (10.44, 1), (-0.04, 1), (0.0, 0), (-62.5, 0))]
    assert shown == ["−8.8", "+10.4", "0.0", "0", "−62"]


def test_the_numbers_are_those_of_the_terminal(tmp_path: Path) -> None:
    """Scores with a hundredth of .x5, which one rounding takes up and two take elsewhere."""
    bench = Bench(tmp_path, "small")
    questions = [f"q{i}" for i in range(37)]
    write_rows(bench.question_file, [{"question_id": q, "turns": [{"content": q}]} for q in questions])
    for number in range(12):
        rows = [
            judgment_row(f"m{number}", q, ("B>A", "A>B") if (i * 7 + number) % 37 < 3 * number else ("A=B", "A>B"))
            for i, q in enumerate(questions)
        ]
        write_rows(bench.judgment_file("judy", f"m{number}"), [{**row, "baseline": "base"} for row in rows])
    done = run_script(tmp_path.parent, "show_result.py", "--data-dir", str(tmp_path), "--bench-name", "small",
                      "--judge-name", "judy", "--baseline", "base", "--interval", "sandwich")  # fmt: skip
    printed = re.findall(r"^(\S+) +\| score: +([\d.]+) +\| 95% CI: +\(([-+\d.]+), ([-+\d.]+)\)", done.stdout, re.M)
    html = Site(tmp_path).show("?tab=leaderboard")
    shown = re.findall(
        r'scope="row">(?:<a[^>]*>)?(\w+).*?<b>([\d.]+)</b>.*?(?:hint">\(([−+\d.]+), ([−+\d.]+)\)|>–<)', html, re.S
    )
    assert len(printed) == 13 == len(shown), done.stderr
    for one, other in zip(printed, shown):
        assert one[:2] == other[:2]
        assert one[0] == "base" or [float(end) for end in one[2:]] == [
            float(end.replace("−", "-")) for end in other[2:]
        ]


def test_every_link_of_an_export_leads_to_a_file(tmp_path: Path) -> None:
    write_bench(tmp_path / "data" / "small")
    folder = tmp_path / "out"
    number = export(Site(tmp_path / "data"), folder)
    pages = list(folder.glob("*.html"))
    assert number == len(pages) == 3 + 1 + 1 + 6 + 3 + 8  # breakdowns of two models, and the first again
    for page in pages:
        html = page.read_text(encoding="utf-8")
        for target in re.findall(r'(?:href|src|option value)="([^"#]+\.(?:html|css|js))', html):
            assert (folder / target).is_file(), (page.name, target)
        assert 'href="?' not in html


def test_a_breakdown_names_its_groups_and_leads_to_their_games(tmp_path: Path) -> None:
    write_bench(tmp_path / "data" / "small")
    site, folder = Site(tmp_path / "data"), tmp_path / "out"
    html = site.show("?tab=breakdown&model=beta")
    assert "Where does beta win and lose?" in html
    assert html.index("By category") < html.index("By cluster")
    assert "tab=games&amp;bench=small&amp;judge=judy&amp;model=beta&amp;cluster=sums" in html
    assert "category=writing" in html and "with 1 to 2 questions each they never can be" in html
    names = re.findall(
        r'<th scope="row" class="words"><a[^>]*>(\w+)<', site.show("?tab=breakdown&model=beta&sort=name")
    )
    assert names == ["code", "math", "writing", "plans", "poems", "python", "sums"]
    assert 'class="count"><b>1</b> of 1<' in site.show("?tab=games&model=beta&cluster=plans")
    export(site, folder)
    page = (folder / "breakdown-2.html").read_text(encoding="utf-8")
    assert 'href="games.html#model=beta&amp;cluster=sums"' in page
    assert 'data-category="math" data-cluster="sums"' in (folder / "games.html").read_text(encoding="utf-8")


def test_a_breakdown_of_what_is_not_known_says_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    questions = [{"question_id": name, "turns": [{"content": "?"}]} for name in ("q-sum", "q-code")]
    write_rows(bench.question_file, questions)
    site = Site(tmp_path)
    assert "There is nothing to compare" in site.show("?tab=breakdown&model=beta")
    rows = [judgment_row("beta", name, ("A>B", "A>B"), baseline="base") for name in ("q-sum", "q-code", "q-poem")]
    write_rows(bench.judgment_file("judy", "beta"), rows)
    assert "chose the same position" in site.show("?tab=breakdown&model=beta")
    bench.judgment_file("judy", "beta").unlink()
    bench.judgment_file("judy", "alpha").unlink()
    assert "Nothing has been judged yet" in site.show("?tab=breakdown")


def test_an_export_does_not_write_into_a_folder_with_other_things(tmp_path: Path) -> None:
    write_bench(tmp_path / "data" / "small")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        export(Site(tmp_path / "data"), tmp_path / "out")


# ------------------------------------------------------------------------------------- real data


def test_real_judgments_give_the_published_scores(shared_data: Path) -> None:
    index = BenchIndex(Bench(shared_data, "arena-ta"))
    index.refresh()
    (board,) = leaderboard_page.boards_of(tables.Snapshot(index, "gpt-4o_images", None), "rows")
    scores = {row.model: row for row in board.rows}
    with open(shared_data / "arena-ta" / "published_rows.csv", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            assert scores[row["model"]].score == pytest.approx(float(row["score"]), abs=0.006)
            assert int(scores[row["model"]].tokens or 0) == int(float(row["avg_tokens"]))


@pytest.mark.parametrize("tab", ["leaderboard", "games", "judge", "compare", "blind"])
@pytest.mark.parametrize("state", ["no bench", "questions", "answers", "no readable verdict"])
def test_empty_states_say_what_to_do(tmp_path: Path, tab: str, state: str) -> None:
    bench = Bench(tmp_path, "small")
    if state != "no bench":
        write_bench(bench.folder)
        for file in bench.judgment_folder("judy").glob("*"):
            file.unlink()
    if state == "questions":
        for file in bench.answer_folder.glob("*"):
            file.unlink()
    if state == "no readable verdict":
        write_rows(bench.judgment_file("judy", "alpha"), [judgment_row("alpha", "q-sum", (None, None))])
    html = Site(tmp_path).show(f"?tab={tab}")
    words = ("bash run.sh demo", "python gen_judgment.py", "No verdict could be read", "No readable verdict", "empty")
    assert any(word in html for word in (*words, "Your name", "not defined")), html
    assert parse(f"?tab={tab}").tab == tab


def test_the_exported_list_of_games_is_also_there_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For readers without scripts, who cannot fold or filter it."""
    monkeypatch.setattr(export_module, "ROWS", 3)
    write_bench(tmp_path / "data" / "small")
    count = export_module.export(Site(tmp_path / "data"), tmp_path / "out")
    pages = {file.name: file.read_text("utf-8") for file in (tmp_path / "out").glob("*.html")}
    assert count == len(pages)
    links = {name: re.findall(r'href="(game-\d+-\d+\.html)"', html) for name, html in pages.items() if "list" in name}
    assert max(map(len, links.values())) == 3 and len(links) > 1
    assert sorted(sum(links.values(), [])) == sorted(re.findall(r'href="(game-\d+-\d+\.html)"', pages["games.html"]))
    assert all(f'href="{name}"' in pages["games.html"] for name in links)
    assert "Other pairs" in pages["compare.html"] and "<noscript>" in pages["breakdown.html"]
