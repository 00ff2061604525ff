"""build_bench.py as a user runs it: the plan, what is up to date, a run that is killed, and mistakes."""

from __future__ import annotations

import gzip
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from arena_hard.building.runner import fingerprint
from arena_hard.building.settings import load_build_settings
from arena_hard.data.records import UserError
from arena_hard.data.writer import alone_in
from benchmarks.build_bench import make
from tests.support.log_bench import conversation, log, write_log
from tests.support.pipeline_bench import ROOT, clean_environment, run_script
from tests.support.processes import is_running, wait_until

pytestmark = pytest.mark.slow
STEPS = ("read", "clean", "duplicates", "language")


def build(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not (folder / "config").exists():
        copy_config(folder)
    return run_script(folder, "build_bench.py", *arguments, "--until", "language")


def copy_config(folder: Path) -> None:
    """The settings, and the criteria and models that they name."""
    shutil.copytree(ROOT / "config" / "criteria", folder / "config" / "criteria")
    for name in ("build_bench_config.yaml", "api_config.yaml"):
        shutil.copy(ROOT / "config" / name, folder / "config")


def states(out: str) -> dict[str, str]:
    """What the lines of the steps say of them."""
    return dict(re.findall(r"^(\w+) +(to do|up to date|\d+ → \d+)", out, re.MULTILINE))


def test_only_what_has_changed_is_done_again(tmp_path: Path) -> None:
    write_log(
        tmp_path / "log.jsonl",
        [*log(), conversation("hi"), {"prompt": "Erkläre mir bitte, warum der Himmel blau ist."}],
    )
    planned = build(tmp_path, "log.jsonl", "--bench", "mine", "--plan")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert states(planned.stdout) == dict.fromkeys(STEPS, "to do")
    assert "log.jsonl: JSONL, LMSYS-Chat-1M or WildChat (conversation, 33) and prompts (prompt, 1)" in planned.stdout
    assert not (tmp_path / "data").exists()

    done = build(tmp_path, "log.jsonl", "--bench", "mine")
    assert done.returncode == 0, done.stderr
    assert states(done.stdout) == dict(zip(STEPS, ("34 → 34", "34 → 33", "33 → 33", "33 → 32")))
    assert "(1 too short)" in done.stdout
    assert "(1 in German)" in done.stdout
    assert states(build(tmp_path, "log.jsonl", "--bench", "mine").stdout) == dict.fromkeys(STEPS, "up to date")

    table = tmp_path / "data" / "mine" / "building" / "clean.parquet"
    table.write_bytes(bytes(len(whole := table.read_bytes())))  # damage leaves a file its size
    mended = states(build(tmp_path, "log.jsonl", "--bench", "mine").stdout)
    assert mended == dict(zip(STEPS, ("up to date", "34 → 33", "up to date", "up to date")))
    assert table.read_bytes() == whole

    config = tmp_path / "config" / "build_bench_config.yaml"
    config.write_text(config.read_text().replace("languages: [en]", "languages: [de, English]"))
    again = states(build(tmp_path, "log.jsonl", "--bench", "mine").stdout)
    assert again == dict(zip(STEPS, ("up to date", "up to date", "up to date", "33 → 33")))

    write_log(tmp_path / "log.jsonl", log())
    assert set(states(build(tmp_path, "log.jsonl", "--bench", "mine", "--plan").stdout).values()) == {"to do"}
    anew = states(build(tmp_path, "log.jsonl", "--bench", "mine", "--from", "duplicates").stdout)
    assert [anew[step] for step in STEPS] == ["32 → 32"] * 4


@pytest.mark.parametrize(
    "content, arguments, words",
    [
        (b"", (), "log.jsonl is empty"),
        (b'{"prompt": "a"}\n{"prompt"\n', (), r"log.jsonl:2: "),
        (b'{"prompt": "a"}\n{"text": "b"}\n', (), r"log.jsonl:2: no conversation"),
        (gzip.compress(b'{"prompt": "a"}\n' * 99, mtime=0)[:-9], (), "log.jsonl is cut off"),
        (
            b'{"prompt": "Warum ist der Himmel am Abend oft rot und mittags blau?"}\n',
            (),
            r"language no conversation is left",
        ),
        (b'{"prompt": "hello"}\n', (), r"clean no conversation is left: 1 → 0 \(1 too short\)"),
        (b'{"prompt": "a"}\n', ("--from", "lanuage"), "Did you mean 'language'"),
        (b'{"prompt": "a"}\n', ("--processes", "0"), "must be at least 1"),
        (b'{"prompt": "a"}\n', ("--exclude", "arena-hard-v0.1"), "no bench or file of questions arena-hard-v0.1"),
        (b'{"prompt": "a"}\n', ("data",), "data is a folder"),
        (b'{"prompt": "a"}\n', ("none.jsonl",), "none.jsonl does not exist"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(
    content: bytes, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "log.jsonl").write_bytes(content)
    done = build(tmp_path, "log.jsonl", *arguments)
    assert done.returncode == 2
    assert re.fullmatch(rf"error: .*{words}.*\n", done.stderr), done.stderr


@pytest.mark.parametrize(
    "line, words",
    [
        ("clean: {min_charcters: 5}", r"Did you mean 'min_characters'"),
        ("clean: {min_characters: 50, max_characters: 40}", r"min_characters: 50 is more than max_characters"),
        ("duplicates: {similarity: 80}", r"similarity: 80 is not between 0.5 and 1"),
        ("rule: papers", r"rule is 'papers' and must be paper or readme or blog"),
        ("sample: {topics: 0}", r"topics is 0 and must be a whole number of at least 1"),
        ("seed: -1", r":3: seed is -1 and must be a whole number of at least 0 and at most 4294967294"),
        ("topics: {min_size: 1}", r":3: topics: min_size is 1 and must be a whole number of at least 2"),
        ("topics: {neighbours: 1}", r":3: topics: neighbours is 1 and must be a whole number of at least 2"),
        ("topics: {similarity_floor: 1.5}", r"floor is 1.5 and must be a number of at least 0 and at most 1\."),
        ("labels: {second_opinion_share: 2}", r"share is 2 and must be a number above 0 and at most 1\."),
        ("embedding: {kind: endpoint}", r":3: embedding: kind endpoint needs model: an entry of the endpoint file"),
        ("embedding: {kind: file}", r":3: embedding: kind file needs file: the .npy or .parquet"),
    ],
)
def test_mistakes_in_the_config_are_named(line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "build.yaml"
    file.write_text(f"bench_name: mine\ninput: log.jsonl\n{line}\n")
    with pytest.raises(UserError, match=rf"build.yaml.*{words}"):
        load_build_settings(file)


@pytest.mark.parametrize(
    "line, words",
    [("rule: papers", ":3: rule is 'papers' "), ("languages: [klingon]", ".*'klingon' is no language")],
)
def test_a_mistake_in_the_config_ends_a_run(line: str, words: str, tmp_path: Path) -> None:
    write_log(tmp_path / "log.jsonl", log())
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "build_bench_config.yaml").write_text(f"bench_name: mine\ninput: log.jsonl\n{line}\n")
    done = build(tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(rf"error: config/build_bench_config.yaml{words}.*\n", done.stderr), done.stderr


def test_a_run_that_is_killed_goes_on_and_leaves_the_same(tmp_path: Path) -> None:
    """Twice: within the first step, and within a later one; its processes end with it."""
    make(tmp_path / "log.jsonl", 8000)
    copy_config(tmp_path)
    whole, killed = (tmp_path / "data" / name / "building" for name in ("whole", "killed"))
    kill_when(tmp_path, killed / ".read.parquet.tmp")
    assert not (killed / "read.manifest.json").exists()
    kill_when(tmp_path, killed / "read.manifest.json")
    assert not (killed / "language.manifest.json").exists()
    for bench, processes in (("whole", "1"), ("killed", "2")):
        done = build(tmp_path, "log.jsonl", "--bench", bench, "--processes", processes)
        assert done.returncode == 0, done.stderr
    for step in STEPS:
        assert fingerprint(whole / f"{step}.parquet") == fingerprint(killed / f"{step}.parquet"), step
    assert not list(killed.glob(".*.tmp"))
    with alone_in(whole):
        second = build(tmp_path, "log.jsonl", "--bench", "whole")
        assert second.returncode == 2 and "whole/building is being worked on by another run. Wait" in second.stderr
        assert build(tmp_path, "log.jsonl", "--bench", "whole", "--plan").returncode == 0


def kill_when(folder: Path, file: Path) -> None:
    """Start a run with several processes, and kill it as soon as a file is there."""
    command = [sys.executable, str(ROOT / "build_bench.py"), "log.jsonl", "--bench", "killed", "--processes", "2"]
    run = subprocess.Popen(command, cwd=folder, env=clean_environment(), stdout=subprocess.DEVNULL)
    wait_until(lambda: file.exists() or run.poll() is not None)
    found = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    wait_until(lambda: not any(is_running(int(child)) for child in found))
