"""show_result.py as a user runs it, on published data and on bad input."""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arena_hard.data.records import UserError
from arena_hard.showing import flags
from tests.support.pipeline_bench import ROOT, run_script

PUBLISHED = {"gpt-4-0613": (37.9, 354), "gpt-3.5-turbo-0125": (23.3, 329)}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """show_result.py in a folder with data/."""
    return run_script(folder, "show_result.py", *arguments)


def scores(text: str) -> dict[str, float]:
    return {m[1]: float(m[2]) for m in re.finditer(r"^(\S+) +\| score: +([\d.]+)", text, re.M)}


def linked_bench(shared: Path, folder: Path, name: str) -> None:
    """A bench of the shared data under data/, its files linked so that nothing is written beside them."""
    target = folder / "data" / name
    target.mkdir(parents=True)
    for entry in (entry for entry in (shared / name).iterdir() if entry.name != "cache"):  # what results write
        (target / entry.name).symlink_to(entry)


@pytest.fixture
def arena_ta(shared_data: Path, tmp_path: Path) -> Path:
    linked_bench(shared_data, tmp_path, "arena-ta")
    return tmp_path


TA = ("--bench-name", "arena-ta", "--judge-name", "gpt-4o_images", "--baseline", "gpt4_1106_preview")


@pytest.mark.slow
def test_published_scores_of_v01(shared_data: Path, tmp_path: Path) -> None:
    linked_bench(shared_data, tmp_path, "arena-hard-v0.1")
    battles = tmp_path / "data" / "arena_hard_battles.jsonl"
    shutil.copyfile(shared_data / "arena-hard-v0.1" / "battles_8_models.jsonl", battles)
    done = run(tmp_path, "--load-battles")
    assert done.returncode == 0, done.stderr
    for model, (score, tokens) in PUBLISHED.items():
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"{model} "))
        assert f"| score: {score:^5} |" in line and line.endswith(f"average #tokens: {tokens}")
    assert re.search(r"^gpt-4-0314 +\| score: 50.0  \| 95% CI:  \(0.0, 0.0\)  \|", done.stdout, re.M)


def test_published_rows_to_the_hundredth(arena_ta: Path, shared_data: Path) -> None:
    done = run(arena_ta, *TA, "--output")
    assert done.returncode == 0, done.stderr
    (file,) = (arena_ta / "leaderboard").glob("arena_hard_leaderboard_*.csv")
    with open(file, encoding="utf-8", newline="") as stream:
        ours = {row["model"]: row for row in csv.DictReader(stream)}
    with open(shared_data / "arena-ta" / "published_rows.csv", encoding="utf-8", newline="") as stream:
        published = list(csv.DictReader(stream))
    assert len(published) == 5
    for row in published:
        mine = ours[row["model"]]
        assert float(mine["score"]) == pytest.approx(float(row["score"]), abs=0.0101)
        assert mine["avg_tokens"] == row["avg_tokens"]
        # published from a run over 84 models without an anchor: the ends agree only roughly
        assert float(mine["rating_q025"]) == pytest.approx(float(row["rating_q025"]), abs=1.25)
        assert float(mine["rating_q975"]) == pytest.approx(float(row["rating_q975"]), abs=1.25)


@pytest.mark.slow
def test_caches_give_the_same_table_and_notice_changed_inputs(arena_ta: Path) -> None:
    first = run(arena_ta, *TA)
    again = run(arena_ta, *TA, "--load-battles", "--load-bootstrap")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[:6] == first.stdout.splitlines()[:6]
    assert run(arena_ta, *TA, "--load-battles", "--load-bootstrap", "--num-rounds", "50").returncode == 2
    folder = arena_ta / "data" / "arena-ta"
    judgments = folder / "model_judgment"
    shared = judgments.resolve()
    judgments.unlink()
    shutil.copytree(shared, judgments)
    file = next((judgments / "gpt-4o_images").glob("*.jsonl"))
    file.chmod(0o644)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    stale = run(arena_ta, *TA, "--load-battles")
    assert stale.returncode == 2 and "is stale" in stale.stderr and file.name in stale.stderr


@pytest.mark.slow
def test_views_beside_the_table(arena_ta: Path) -> None:
    done = run(
        arena_ta, *TA, "--full-stats", "--ranks", "--plan", "3", "--compare", "Yi-34B-Chat", "gemma-2-9b-it",
        "--interval", "sandwich",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in ("sandwich, clustered by question", "position bias", "gemma-2-9b-it − Yi-34B-Chat", "| rank: 1-1"):
        assert text in done.stdout
    rows = json.loads(run(arena_ta, *TA, "--format", "json").stdout)["parts"][0]["rows"]
    assert {row["model"]: row["score"] for row in rows}["gemma-2-9b-it"] == 61.52


@pytest.mark.slow
def test_blind_checks_stand_beside_the_judge(bench: Path) -> None:
    from arena_hard.browse import blind_check
    from arena_hard.data.paths import Bench
    from arena_hard.rating import blind_agreement

    plan = [blind_agreement.Planned(str(n), "m", "base", 1, "A>B" if n % 2 else "B>>A") for n in range(6)]
    check = blind_check.start(Bench(bench / "data", "b"), "j", "Ada", plan)
    assert "Blind checks" not in run(bench, *CASE, "--full-stats").stdout
    for place, planned in enumerate(plan):
        blind_check.decide(check, place, planned.verdict if place else "A=B")
    done = run(bench, *CASE, "--full-stats")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "Ada" in line)
    assert " 6 " in line and "83" in line  # five of six verdicts are the judge's


@pytest.mark.slow
def test_where_a_model_loses(arena_ta: Path) -> None:
    done = run(arena_ta, *TA, "--breakdown", "--models", "gemma-2-9b-it")
    assert done.returncode == 0, done.stderr
    text = done.stdout.partition("gemma-2-9b-it by cluster\n")[2]
    assert len(re.findall(r"^.+  2  +\d+\.\d  +[-+]\d+\.\d  +\(", text, re.M)) == 10
    assert "Overall 61.5." in text and "None of the 250 clusters can be told apart" in text
    assert "by category" not in done.stdout  # there is but one


@pytest.mark.parametrize("flags_given", [["--models", "m"], ["--breakdown", "--load-battles"]])
def test_breakdowns_need_judgments_and_models_need_breakdowns(flags_given: list[str]) -> None:
    args = flags.add_to(argparse.ArgumentParser()).parse_args(flags_given)
    with pytest.raises(UserError, match="--breakdown"):
        flags.check(args)


# -------------------------------------------------------------------------------------- bad input


def judgment(model: str, question: str, verdicts: list[str | None], **more: str) -> str:
    games = [{"user_prompt": "", "judgment": "", "score": verdict} for verdict in verdicts]
    return json.dumps({"question_id": question, "model": model, "judge": "j", "games": games, **more})


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """data/b with one judge and one model."""
    folder = tmp_path / "data" / "b" / "model_judgment" / "j"
    folder.mkdir(parents=True)
    (tmp_path / "data" / "b" / "question.jsonl").write_text('{"question_id":"1","turns":[{"content":"?"}]}\n')
    rows = [judgment("m", str(n), ["A>B", "A>B"] if n % 2 else ["B>>A", "A=B"]) for n in range(6)]
    (folder / "m.jsonl").write_text("\n".join(rows) + "\n")
    return tmp_path


CASE = ("--bench-name", "b", "--judge-name", "j", "--baseline", "base")


@pytest.mark.slow
def test_a_report_has_breakdowns_and_wrong_names_are_said(bench: Path) -> None:
    questions = [{"question_id": str(n), "cluster": "ab"[n % 2], "turns": [{"content": "?"}]} for n in range(6)]
    (bench / "data/b/question.jsonl").write_text("\n".join(map(json.dumps, questions)) + "\n")
    page = run(bench, *CASE, "--format", "html").stdout
    assert page.count('class="deviation"') == 2 and "m by cluster" in page and "by category" not in page
    for arguments, words in ((["clusters"], "Did you mean 'cluster'?"), (["--models", "base"], "is the baseline")):
        refused = run(bench, *CASE, "--breakdown", *arguments)
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr
    assert "in one cluster" not in run(bench, *CASE, "--breakdown").stdout


def test_hand_computed_score(bench: Path) -> None:
    # three questions with a win and a loss, three with a strong win (3) and a tie: (3 + 9 + 1.5) / (6 + 12)
    assert scores(run(bench, *CASE).stdout)["m"] == 75.0


@pytest.mark.slow
def test_judgments_against_another_baseline_are_never_relabelled(bench: Path) -> None:
    file = bench / "data/b/model_judgment/j/m.jsonl"
    other = judgment("m", "9", ["A>B", "A>B"], baseline="other") + "\n"
    file.write_text(file.read_text() + other)
    done = run(bench, *CASE)
    assert scores(done.stdout)["m"] == 75.0 and "not counted: other 2" in done.stdout
    assert "nothing in them reveals it: base is assumed" in done.stdout
    file.write_text(other)
    done = run(bench, *CASE)
    assert done.returncode == 2 and "--baseline other" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        (None, ("--num-rounds", "0"), "--num-rounds"),
        (None, ("--level", "1.5"), "--level"),
        (None, ("--load-bootstrap",), "--load-battles"),
        (None, ("--judge-name", "k"), "Judges with judgments: j"),
        (None, ("--battles", "none.jsonl"), "none.jsonl"),
        ('{"question_id": "9", \n' + "{}\n", (), "m.jsonl:7"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    bench: Path, change: str | None, arguments: tuple[str, ...], words: str
) -> None:
    if change:
        with open(bench / "data" / "b" / "model_judgment" / "j" / "m.jsonl", "a") as stream:
            stream.write(change)
    done = run(bench, *CASE, *arguments)
    assert done.returncode == 2, done.stdout
    assert words in done.stderr and done.stderr.startswith("error: ") and "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_empty_judge_folder_says_what_to_run(bench: Path) -> None:
    (bench / "data" / "b" / "model_judgment" / "j" / "m.jsonl").unlink()
    done = run(bench, *CASE)
    assert done.returncode == 2 and "gen_judgment.py" in done.stderr


@pytest.mark.slow
def test_a_model_that_wins_everything_gets_a_bound_and_a_note(bench: Path) -> None:
    file = bench / "data" / "b" / "model_judgment" / "j" / "w.jsonl"
    file.write_text("".join(judgment("w", str(n), ["B>A", "A>>B"]) + "\n" for n in range(6)))
    done = run(bench, *CASE)
    assert scores(done.stdout)["w"] == 100.0
    assert "binomial bound for 6 questions" in done.stdout and "nan" not in done.stdout.lower()


@pytest.mark.slow
def test_verdicts_in_the_spelling_of_v2_are_read(bench: Path) -> None:
    folder = bench / "data" / "b" / "model_judgment" / "j"
    rows = [judgment("m", str(n), ["B<A", "B<A"] if n % 2 else ["A<<B", "A=B"]) for n in range(6)]
    before = scores(run(bench, *CASE).stdout)
    (folder / "m.jsonl").write_text("\n".join(rows) + "\n")
    assert scores(run(bench, *CASE).stdout) == before


def test_the_plain_path_imports_nothing_heavy(bench: Path) -> None:
    code = (
        "import sys, show_result\n"
        f"sys.argv = ['show_result.py', *{list(CASE)!r}]\n"
        "assert show_result.main() == 0\n"
        "heavy = {'pandas', 'sklearn', 'scipy', 'openai', 'anthropic', 'gradio'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=bench, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
