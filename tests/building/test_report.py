"""The report of a benchmark: what it says of steps, topics, questions and judgments, and what it hides."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.browse_bench import judgment_row
from tests.support.pipeline_bench import ROOT, run_script, write_rows
from tests.support.report_bench import HOSTILE, LONG, write_report_bench

pytestmark = pytest.mark.slow  # scripts
CRITERIA = ROOT / "config" / "criteria" / "arena-hard.yaml"


def plain(page: str) -> str:
    """The words of a page, without tags, blanks made one."""
    body = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def rows_of(bench: Path) -> list[dict[str, Any]]:
    """The questions of a bench."""
    return [json.loads(line) for line in (bench / "question.jsonl").read_text(encoding="utf-8").splitlines()]


def report(folder: Path, *arguments: str) -> str:
    """The page that --report writes."""
    done = run_script(folder, "build_bench.py", "--setting-file", "build.yaml", "--report", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    file = folder / "data" / "made" / "report.html"
    assert done.stdout.splitlines()[0] == f"Report: {file.as_uri()}"
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("report")
    write_report_bench(made, CRITERIA)
    (made / "ranking.csv").write_text(
        "model,score\nstrong,70\nmiddle,55\nbase,50\nweak,20\nother,5\n", encoding="utf-8"
    )
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return report(folder, "--correlate", "ranking.csv")


def test_the_funnel_counts_and_shows_what_was_dropped(page: str) -> None:
    words = plain(page)
    assert "made: 6 questions from 1500 conversations" in words
    assert "1,200 left of 1,500, in 1.5 s 280 too short" in words
    assert "120 left of 1,000" in words and "880 prompt score below 6" in words
    assert HOSTILE in words and LONG in words
    assert "20 personal data (email) e3 write to [email]" in words


def test_no_text_can_become_markup_and_nothing_is_loaded(page: str) -> None:
    assert page.count("<script>") == page.count("</script>") == 1  # the sorting of tables
    assert "<img" not in page and HOSTILE not in page
    assert re.findall(r'(?:src|href)="(?!#)', page) == [] and "@import" not in page and "url(" not in page


def test_scores_topics_and_questions(page: str) -> None:
    words = plain(page)
    assert "990 prompts have a label, 10 have none that can be read" in words
    assert "A prompt goes on with 6 or more." in words
    assert len(re.findall(r'<tr class="passes">', page)) == 2  # scores 6 and 7
    assert (
        len(re.findall(r'id="topic-\d+"', page)) == 40 and len(re.findall(r"<circle class=\"[a-z]+\" cx", page)) >= 40
    )
    links, rows = set(re.findall(r'href="#(topic-\d+)"', page)), set(re.findall(r'id="(topic-\d+)"', page))
    assert links == rows
    assert "word1, other1, third 25 25 6.40 0.20 8 2" in words
    assert "creativity: not met" in words and "seen 3 times" in words
    assert page.count('<pre class="text" dir="auto">') == 7 and page.count("<bdi>Question") == 6  # also right to left
    assert "3 topics could be drawn, where 50 were asked for." in words


def test_what_judgments_say(page: str) -> None:
    words = plain(page)
    assert "Judged by judy against base" in words
    assert "1 of 6 questions is dead: all 3 models came out alike on it: q3 (Question 3" in words
    assert "1 of 5 questions rather ranks them the other way round" in words  # q5, which ranks them upside down
    assert re.search(r"Separability: \d+\.\d% \(95% interval \d+\.\d to \d+\.\d%\)", words)
    assert "models in common 4" in words and "Spearman 1.000" in words and "Against ranking" in words
    assert "on each, some models differ" not in words
    assert "Few questions with a readable verdict, so the intervals say little: middle 6, strong 6, weak 6." in words
    assert "does not list" not in words and "common to all" not in words
    rows = words[words.index("State") :]
    assert rows.index("turned round") < rows.index("dead")  # what says nothing comes last


def test_what_was_made_before_a_step_was_done_anew_gives_no_number(tmp_path: Path) -> None:
    """With other thresholds and --until filter1, the draw and the questions are still those of the filter before."""
    write_report_bench(tmp_path, CRITERIA)
    assert "3 topics × 2 prompts" in plain(report(tmp_path))
    filtered = tmp_path / "data" / "made" / "building" / "filter1.manifest.json"
    filtered.write_text(filtered.read_text().replace('"f1"', '"other"').replace('"out": 120', '"out": 8'))
    words = plain(report(tmp_path))
    assert "8 left of 1,000" in words and "3 topics × 2 prompts" not in words
    assert "Draw not done again since a step before it was" in words and "Labels 1,000 left of 1,000" in words
    assert "The 6 questions below and their judgments are of an earlier run" in words
    assert "word1, other1, third 25 25 6.40 0.20 8 –" in words and "creativity: not met" not in words
    assert "topics that passed 10" in words

    filtered.write_text(
        filtered.read_text().replace('"made_from": {}', '"made_from": {"before": {"label1": {"x": 1}}}')
    )
    words = plain(report(tmp_path))
    assert "topics 40" in words and "topics that passed" not in words
    assert "word1, other1, third 25 – – – – –" in words


def test_questions_of_an_earlier_draw_count_in_nothing(tmp_path: Path) -> None:
    """Two of six are not in the benchmark any more; and of those that are, one model was judged on three alone."""
    write_report_bench(tmp_path, CRITERIA)
    bench = tmp_path / "data" / "made"
    write_rows(bench / "question.jsonl", [row for row in rows_of(bench) if row["question_id"] not in ("q2", "q3")])
    weak = bench / "model_judgment" / "judy" / "weak.jsonl"
    weak.write_text("".join(line for line in weak.read_text().splitlines(True) if '"q5"' not in line))
    words = plain(report(tmp_path))
    assert "Judged questions that question.jsonl does not list, which are not counted here: 2." in words
    assert "Judged 3 of 4 questions: weak." in words and "(3 are common to all)" in words
    assert "None of 4 questions is dead" in words and "q3" not in words[words.index("Does it work?", 400) :]
    assert "strong 83.3 " in words

    write_rows(bench / "question.jsonl", [{**rows_of(bench)[0], "question_id": "other"}])
    words = plain(report(tmp_path))
    assert "judy has judged none of these questions against base, but 6 others that question.jsonl does not" in words
    assert "Judged by judy" not in words and "Separability" not in words


def test_a_judge_that_guesses_is_said_before_its_numbers(tmp_path: Path) -> None:
    write_report_bench(tmp_path, CRITERIA)
    folder = tmp_path / "data" / "made" / "model_judgment" / "judy"
    (folder / "weak.jsonl").unlink()
    for model in ("strong", "middle"):  # the first answer wins each game
        write_rows(
            folder / f"{model}.jsonl", [judgment_row(model, f"q{n}", ("A>B", "A>B"), baseline="base") for n in range(6)]
        )
    words = plain(report(tmp_path))
    assert words.index("Fewer than 50 judgments do not show") < words.index("Model Win rate %")
    assert "6 of 6 questions are dead: both models came out alike on each: q0 (" in words
    assert "The judge preferred the same position in all games" in words and "middle 50.0 n/a" in words
    assert "Separability takes 3 models with a score and an interval at least; 1 is here" in words


def test_before_judgments_and_before_steps(tmp_path: Path) -> None:
    write_report_bench(tmp_path, CRITERIA, judged=False)
    assert "No judgments of made are there yet." in plain(report(tmp_path))
    for file in (tmp_path / "data" / "made" / "building").iterdir():
        file.unlink()
    done = run_script(tmp_path, "build_bench.py", "--setting-file", "build.yaml", "--report")
    assert done.returncode == 2 and "holds no finished step" in done.stderr


def test_a_ranking_of_other_models_is_said_on_the_page(folder: Path) -> None:
    (folder / "foreign.csv").write_text("model,score\nx,1\ny,2\nz,3\n", encoding="utf-8")
    assert "have 0 models in common; at least three are needed" in plain(report(folder, "--correlate", "foreign.csv"))
    done = run_script(folder, "build_bench.py", "--setting-file", "build.yaml", "--correlate", "foreign.csv")
    assert done.returncode == 2 and "--correlate only applies to --report" in done.stderr
