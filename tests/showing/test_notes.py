"""Long lists: cut in what is printed, whole in JSON and HTML."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from arena_hard.data.name_lists import SHOWN, first_lines, shortened
from arena_hard.rating.intervals import Fit, Rule
from arena_hard.showing.footnotes import fit_notes
from arena_hard.showing.notes import Items, Note, Text, as_data, from_data, printed, whole, with_minus
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, run_script, write_rows

NAMES = [f"model-{number:02}" for number in range(84)]


def test_numbers_on_pages_have_a_true_minus_and_names_keep_their_hyphens() -> None:
    kept = "gpt-4-0314 and m--5 on 2024-07-31, --num-rounds 100, 3-5"
    assert with_minus(kept) == kept
    assert with_minus("-3 (-8.8, 10.4), κ -0.03 [-inf, -1]") == "−3 (−8.8, 10.4), κ −0.03 [−inf, −1]"


def test_notes_that_were_kept_come_back_with_their_lists() -> None:
    notes: list[Text] = ["plain", Note(["of ", Items([Note(["a: ", Items(NAMES)]), "b"], "; ", 4), "."])]
    kept = msgspec.json.decode(msgspec.json.encode(as_data(notes)))
    assert kept == as_data(notes) and from_data(kept) == notes
    assert list(map(printed, from_data(kept))) == list(map(printed, notes))
    assert from_data({"a": 1}) == from_data(None) == []


def test_a_list_is_cut_where_that_makes_it_shorter() -> None:
    assert shortened(NAMES[:SHOWN]) == ", ".join(NAMES[:SHOWN])
    assert shortened(NAMES[: SHOWN + 1]) == ", ".join(NAMES[: SHOWN + 1])
    assert shortened(NAMES, 2) == "model-00, model-01 and 82 more"
    assert first_lines(["a", "b", "c", "d"], "models", 2) == ["a", "b", "  … and 2 more models"]
    assert first_lines(["a", "b", "c"], "models", 2) == ["a", "b", "c"]


def test_lists_within_lists() -> None:
    groups = [Note([f"{number}: ", Items(NAMES[:4], shown=2)]) for number in range(5)]
    note = Note(["Judged ", Items(groups, "; ", 1), "."])
    assert printed(note) == "Judged 0: model-00, model-01 and 2 more and 4 more."
    assert whole(note).count("model-03") == 5
    assert printed("plain") == whole("plain") == "plain"


def test_a_model_without_a_score_gets_the_right_reason() -> None:
    """With style control one may have verdicts, and lack answers."""
    unknown = np.array([1000.0, np.nan, np.nan])
    fit = Fit(["base", "m", "n"], 0, unknown, unknown, unknown, np.array([0, 0, 0]), np.nan, None, None, unknown)
    said = [whole(note) for note in fit_notes(fit, Rule(kind="rows"), {"base", "m"})]
    assert len(said) == 2 and said[0] == "n has no readable verdict: no score."
    assert said[1].startswith("m has no battle for style control (answers or token counts are missing")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """84 models: model N has N + 1 unreadable games; each is judged on another part of the questions; no answers."""
    questions = [{"question_id": f"q{n:03}", "category": "c", "turns": [{"content": "?"}]} for n in range(100)]
    write_rows(tmp_path / "data" / "b" / "question.jsonl", questions)
    for number, name in enumerate(NAMES):
        judged: list[dict[str, Any]] = []
        for place, question in enumerate(questions[: 86 + number % 10]):
            verdict = None if place <= number else "A>B"
            games = [{"score": verdict, "judgment": "x"}, {"score": "A=B", "judgment": "x"}]
            judged.append({"question_id": question["question_id"], "model": name, "baseline": "base", "games": games})
        write_rows(tmp_path / "data" / "b" / "model_judgment" / "j" / f"{name}.jsonl", judged + judged[:1])
    return tmp_path


def result(folder: Path, form: str) -> str:
    flags = ("--bench-name", "b", "--judge-name", "j", "--baseline", "base", "--interval", "sandwich")
    done = run_script(folder, "show_result.py", *flags, "--format", form)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_printed_notes_name_the_worst_few_and_json_and_html_all(many: Path) -> None:
    noted = json.loads(result(many, "json"))
    notes = noted["parts"][0]["notes"] + noted["notes"]
    page = result(many, "html")
    for form in ("table", "markdown"):
        text = result(many, form)
        lines = text.splitlines()[text[: text.index("Judged ")].count("\n") :]
        assert max(map(len, lines)) < 700
        (unreadable,) = [line for line in lines if "without a readable verdict" in line]
        assert "model-83 84, model-82 83" in unreadable and "and 76 more" in unreadable
    for start in ("Games without a readable", "No answers with a token count", "Judgments replaced", "Judged "):
        (note,) = [note for note in notes if note.startswith(start)]
        assert all(name in note for name in NAMES)
        assert note in page.replace("&#x27;", "'")
    judged = next(note for note in notes if note.startswith("Judged "))
    assert re.match(r"Judged 86 of 100 questions[^:]*: model-00, model-10", judged)  # the fewest first


@pytest.mark.slow
def test_models_that_won_nothing_share_one_note(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "b" / "question.jsonl", [{"question_id": "q", "turns": [{"content": "?"}]}])
    for name in NAMES[:30]:
        games = [{"score": "A>B"}, {"score": "B>A"}]
        row = {"question_id": "q", "model": name, "baseline": "base", "games": games}
        write_rows(tmp_path / "data" / "b" / "model_judgment" / "j" / f"{name}.jsonl", [row])
    (line,) = [line for line in result(tmp_path, "table").splitlines() if "won nothing" in line]
    assert line.startswith("model-00, model-01") and "and 22 more won nothing" in line


@pytest.mark.slow
def test_only_in_one_of_two_benchmarks(tmp_path: Path) -> None:
    for name, models in (("ours", NAMES[:40]), ("theirs", NAMES[:3] + NAMES[43:])):
        lines = ["model,score,rating_q025,rating_q975", *(f"{m},{50 + i},40,60" for i, m in enumerate(models))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    done = run_script(tmp_path, "show_result.py", "--correlate", "theirs.csv", "--bench", "ours=ours.csv")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Only in ours")]
    assert "(37)" in line and line.endswith("and 29 more")
    done = run_script(
        tmp_path, "show_result.py", "--correlate", "theirs.csv", "--bench", "ours=ours.csv", "--format", "json"
    )
    (comparison,) = json.loads(done.stdout)
    assert comparison["matched"]["only_source"] == NAMES[3:40]


@pytest.mark.slow
def test_a_run_over_many_models_names_the_worst_few(scratch: Scratch, wire: Server) -> None:
    names = NAMES[:20]
    scratch.put_answers("base")
    for place, name in enumerate(names):
        scratch.put_answers(name, count=2 if place else 1)
    done = scratch.run("gen_judgment.py", "--models", *names)
    assert done.returncode == 1
    lacking = [line for line in done.stdout.splitlines() if "could not be judged" in line]
    assert lacking[0].startswith("  model-00: 2 questions") and len(lacking) == SHOWN
    assert f"… and {len(names) - SHOWN} more models" in done.stdout
    done = scratch.run("gen_judgment.py", "--models", *(f"unknown-{number}" for number in range(30)))
    assert done.returncode == 2 and "and 22 more" in done.stderr
