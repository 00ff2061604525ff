"""Every script in terminals that hold less than UTF-8: nothing stops, and what is on disk does not depend on it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arena_hard.data.paths import file_name
from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, clean_environment, rows

BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # ASCII for names and texts alike
# one of each kind: no letters but ASCII's, one byte a letter, two bytes a letter, a locale that says nothing
TERMINALS = [*({"PYTHONIOENCODING": name} for name in ("ascii", "cp1252", "gbk")), BARE]
SCRIPTS = ("gen_answer.py", "gen_judgment.py", "show_result.py", "qa_browser.py")
NAME = "модель–1"  # no terminal here has all of it


def run(folder: Path, env: dict[str, str], script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(ROOT / script), *arguments]
    done = subprocess.run(command, cwd=folder, env=clean_environment(env), capture_output=True, timeout=300)
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    return done


def name_of(env: dict[str, str]) -> str:
    return " ".join(env.values())


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("env", TERMINALS, ids=name_of)
def test_help(script: str, env: dict[str, str], tmp_path: Path) -> None:
    done = run(tmp_path, env, script, "--help")
    assert done.returncode == 0
    assert script.encode() in done.stdout


@pytest.mark.slow
def test_signs_that_change_what_a_line_says_are_spelled(tmp_path: Path) -> None:
    shown = run(tmp_path, {"PYTHONIOENCODING": "ascii"}, "show_result.py", "--help").stdout.decode("ascii")
    assert "Judgments -> battles -> ratings" in shown and "?" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("env", TERMINALS, ids=name_of)
def test_the_demo_from_end_to_end(env: dict[str, str], tmp_path: Path) -> None:
    for part in ("config", "data"):
        shutil.copytree(ROOT / part, tmp_path / part)
    bench = tmp_path / "data" / "demo"
    for made in ("model_answer", "model_judgment"):
        shutil.rmtree(bench / made, ignore_errors=True)
    endpoints = ("--endpoint-file", "config/demo/api_config.yaml")
    rated = ("--bench-name", "demo", "--judge-name", "demo-judge", "--baseline", "demo-baseline")
    for script, *arguments in (
        ("gen_answer.py", "--setting-file", "config/demo/gen_answer_config.yaml", *endpoints, "--quote"),
        ("gen_answer.py", "--setting-file", "config/demo/gen_answer_config.yaml", *endpoints),
        ("gen_judgment.py", "--setting-file", "config/demo/judge_config.yaml", *endpoints),
        ("show_result.py", *rated, "--full-stats", "--ranks"),
        ("show_result.py", *rated, "--costs"),
        ("qa_browser.py", "--config-file", "config/demo/judge_config.yaml", "--export", "site"),
    ):
        done = run(tmp_path, env, script, *arguments)
        assert done.returncode == 0, (script, done.stdout, done.stderr)
    assert '<meta charset="utf-8">' in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("env", TERMINALS, ids=name_of)
def test_names_and_replies_that_a_terminal_cannot_show(env: dict[str, str], scratch: Scratch, wire: Server) -> None:
    """Among them a provider's own words for a call that failed, and the replies of those that did not."""
    scratch.models[NAME] = scratch.models["m"] | {"model_name": NAME, "parallel": "auto"}
    scratch.answers["model_list"] = [NAME]
    wire.script([{"fault": "400", "message": "отказ → −1"}])
    scratch.write()
    done = run(scratch.folder, env, "gen_answer.py")
    assert done.returncode == 1, done.stderr
    assert b"400: " in done.stdout and b"1 failed" in done.stdout
    assert [row["model_id"] for row in rows(scratch.answer_file(file_name(NAME)))] == [NAME] * 2
    assert scratch.answer_file(file_name(NAME)).read_bytes().decode("utf-8")
    assert json.loads(scratch.answer_file(file_name(NAME)).with_suffix(".manifest.json").read_bytes().decode("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["json", "html"])
def test_documents_are_utf_8_in_any_locale(kind: str, scratch: Scratch) -> None:
    scratch.judging["model_list"] = scratch.answers["model_list"] = [NAME]
    scratch.models[NAME] = scratch.models["m"]
    scratch.put_answers("base")
    scratch.write()
    assert run(scratch.folder, {}, "gen_answer.py").returncode == 0
    assert run(scratch.folder, {}, "gen_judgment.py").returncode == 0
    shown = ("--bench-name", "bench", "--judge-name", "judge", "--baseline", "base", "--format", kind)
    plain, bare = (run(scratch.folder, env, "show_result.py", *shown) for env in ({"PYTHONUTF8": "1"}, BARE))
    assert NAME in bare.stdout.decode("utf-8")
    assert len(plain.stdout) == len(bare.stdout)


@pytest.mark.slow
def test_streams_that_are_closed(scratch: Scratch) -> None:
    scratch.write()
    command = f"{sys.executable} {ROOT / 'gen_answer.py'} >&- 2>&-"
    assert subprocess.run(command, shell=True, cwd=scratch.folder, env=clean_environment(), timeout=300).returncode == 0
    assert len(rows(scratch.answer_file())) == 3


@pytest.mark.slow
def test_a_name_that_the_locale_has_no_letters_for_is_named_with_the_remedy(scratch: Scratch) -> None:
    scratch.write()
    done = run(scratch.folder, BARE, "gen_answer.py", "--models", NAME)
    assert done.returncode == 2
    assert b"PYTHONUTF8=1" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--baseline", "--judge-name"])
def test_a_baseline_or_judge_that_the_locale_has_no_letters_for(flag: str, scratch: Scratch) -> None:
    scratch.put_answers("m", "base")
    scratch.write()
    assert run(scratch.folder, {}, "gen_judgment.py").returncode == 0
    named = {"--bench-name": "bench", "--judge-name": "judge", "--baseline": "base"} | {flag: "bäse é"}
    done = run(scratch.folder, BARE, "show_result.py", *(word for pair in named.items() for word in pair))
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"PYTHONUTF8=1" in done.stderr or b"b%C3%A4se %C3%A9 does not exist" in done.stderr


@pytest.mark.slow
def test_no_file_is_opened_in_the_encoding_of_the_locale(scratch: Scratch) -> None:
    scratch.put_answers("base")
    scratch.write()
    env = {"PYTHONWARNDEFAULTENCODING": "1", "PYTHONWARNINGS": "always::EncodingWarning"}
    rated = ("--bench-name", "bench", "--judge-name", "judge", "--baseline", "base")
    for script, *arguments in (
        ("gen_answer.py",),
        ("gen_judgment.py",),
        ("show_result.py", *rated, "--output", "--full-stats"),
        ("qa_browser.py", "--export", "site"),
    ):
        done = run(scratch.folder, env, script, *arguments)
        assert done.returncode == 0, done.stderr
        ours = [line for line in done.stderr.decode().splitlines() if "EncodingWarning" in line and str(ROOT) in line]
        assert ours == []
