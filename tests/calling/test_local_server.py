"""Endpoints with `serve`: a real server process is started, used, and stopped on every way out."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.loopback import Server
from tests.support import own_server
from tests.support.foreign_server import IN_FLIGHT, WHEN, run_with_foreign
from tests.support.pipeline_bench import ROOT, start_script
from tests.support.processes import free_port, is_running, wait_until


@pytest.fixture
def wrapper(tmp_path: Path) -> Path:
    """A command that starts the loopback server as its child, as vLLM starts its workers, and another process apart."""
    script = tmp_path / "server.sh"
    script.write_text(
        f'#!/bin/sh\necho "$$" > {tmp_path}/pid\nsleep 1000 &\necho $! > {tmp_path}/child\n'
        f"(setsid nohup sleep 1000 > {tmp_path}/nohup 2>&1 & echo $! > {tmp_path}/away)\n"
        f"cd {ROOT} && exec tail -f /dev/null | {sys.executable} -m tests.loopback --port $1\n"
    )
    script.chmod(0o755)
    return script


def folder_with(tmp_path: Path, command: str, questions: int = 4) -> Path:
    bench = tmp_path / "data" / "b"
    bench.mkdir(parents=True)
    rows = [f'{{"question_id":"q{n}","category":"c","turns":[{{"content":"say {n}"}}]}}\n' for n in range(questions)]
    (bench / "question.jsonl").write_text("".join(rows))
    (tmp_path / "api.yaml").write_text(f"m:\n  model_name: m\n  serve: {command}\n")
    (tmp_path / "answer.yaml").write_text("bench_name: b\nmodel_list: [m]\nmax_tokens: 50\n")
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    return start_script(folder, "gen_answer.py", "--setting-file", "answer.yaml", "--endpoint-file", "api.yaml")


def all_gone(folder: Path, within: float = 30.0) -> bool:
    pids = [int((folder / name).read_text()) for name in ("pid", "child", "away")]
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not any(map(is_running, pids)), within)
    left = [pid for pid in pids if is_running(pid)]
    for pid in left:  # whatever the test finds, nothing is left behind
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not left


@pytest.mark.slow
def test_a_server_is_started_used_and_stopped_with_its_group(tmp_path: Path, wrapper: Path) -> None:
    folder = folder_with(tmp_path, f"{wrapper} {{port}}")
    out, err = start(folder).communicate(timeout=300)
    assert "4 answers written, 0 failed" in out, out + err
    assert len((folder / "data/b/model_answer/m.jsonl").read_text().splitlines()) == 4
    assert all_gone(folder)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_run_is_stopped(tmp_path: Path, wrapper: Path, how: signal.Signals) -> None:
    with socket.socket() as sock:  # a port at which nothing will ever answer keeps the run waiting
        sock.bind(("127.0.0.1", 0))
        folder = folder_with(tmp_path, f"{wrapper} 0 {{port}}")
        run = start(folder)
        wait_until(lambda: (folder / "child").exists() and bool((folder / "child").read_text().strip()))
        time.sleep(0.5)
        run.send_signal(how)
        run.communicate(timeout=300)
    assert run.returncode == (-9 if how == signal.SIGKILL else 130)
    assert all_gone(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ends", "how"),
    [("exit 3", "(exit code 3)"), ("kill -9 $$", "(signal 9, SIGKILL, often for want of memory)")],
)
def test_a_server_that_dies_shows_how_and_its_last_lines(tmp_path: Path, ends: str, how: str) -> None:
    script = tmp_path / "dies.sh"
    script.write_text(f"#!/bin/sh\necho no such model\n{ends}\n")
    script.chmod(0o755)
    run = start(folder_with(tmp_path, f"{script} {{port}}"))
    _, err = run.communicate(timeout=300)
    assert run.returncode == 2
    assert f"ended before it answered {how}. Its last lines:\n  no such model" in err and "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "log_is_there", "words"),
    [('"foo \'bar {port}"', False, "Close the quotes"), ("foo {port}", True, "logs/m.log: the log of serve")],
)
def test_what_cannot_be_started_is_one_message(tmp_path: Path, command: str, log_is_there: bool, words: str) -> None:
    folder = folder_with(tmp_path, command)
    if log_is_there:
        (folder / "data/b/logs").write_text("not a folder")
    _, err = start(folder).communicate(timeout=300)
    assert err.startswith("error: ") and err.count("\n") == 1 and words in err


@pytest.mark.slow
def test_a_command_that_does_not_exist_is_one_message(tmp_path: Path) -> None:
    run = start(folder_with(tmp_path, "no-such-server --port {port}"))
    _, err = run.communicate(timeout=300)
    assert run.returncode == 2 and "no-such-server" in err and "Traceback" not in err


def with_endpoint(folder: Path, command: str, base: str, key: str | None = None) -> Path:
    (folder / "api.yaml").write_text(
        f"m:\n  model_name: m\n  serve: {command}\n  endpoints:\n    - api_base: {base}\n"
        + (f"      api_key: {key}\n" if key else "")
    )
    return folder


@pytest.mark.slow
def test_a_foreign_server_at_the_address_is_never_asked(tmp_path: Path, wire: Server) -> None:
    """Another server listens there, and the one of `serve` dies at once, as it would for want of its port."""
    folder = with_endpoint(folder_with(tmp_path, "x"), "sh -c 'exit 1'", wire.openai_base)
    out, err = start(folder).communicate(timeout=300)
    assert "another server is already listening" in err and wire.openai_base in err and err.count("\n") == 1, out + err
    assert wire.requests() == []
    assert not (folder / "data/b/model_answer/m.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("when", WHEN)
def test_no_answer_of_another_server_becomes_the_models(tmp_path: Path, when: str) -> None:
    found = run_with_foreign(tmp_path, when, free_port())
    assert found.code == (1 if when == WHEN[2] else 2)
    told = "the server that serve started has ended" if when == WHEN[2] else "another server"
    assert told in found.printed, found.printed  # who asks before the other one is there hears of nobody
    own = 4 if when == WHEN[2] else 0
    assert own - IN_FLIGHT <= len(found.texts) <= own
    assert set(found.texts) <= {own_server.SAYS}
    assert found.asked == 0 or when == WHEN[2]


def keyed_server(*more: str) -> str:
    return shlex.join([sys.executable, own_server.__file__, "{port}", "--key", "secret-of-this-server", *more])


@pytest.mark.slow
def test_the_endpoints_key_is_used_and_what_is_served_is_said(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "x")
    with_endpoint(folder, keyed_server(), "http://127.0.0.1:1/v1", "secret-of-this-server")
    out, err = start(folder).communicate(timeout=300)
    assert "4 answers written, 0 failed" in out, out + err
    assert "the server lists weights-7b, and model_name is m" in out
    assert '"served_models": [\n    "weights-7b"' in (folder / "data/b/model_answer/m.manifest.json").read_text()


@pytest.mark.slow
def test_a_wrong_key_is_told_at_once(tmp_path: Path) -> None:
    out, err = start(folder_with(tmp_path, keyed_server())).communicate(timeout=300)
    assert err.count("\n") == 1 and "refuses the key (status 401)" in err and "api_key" in err


@pytest.mark.slow
def test_a_server_that_dies_during_the_run_shows_its_log_without_its_key(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "x")
    command = keyed_server("--replies", "1", "--killed", "--leave-a-worker")
    with_endpoint(folder, command, "http://127.0.0.1:1/v1", "secret-of-this-server")
    text = (folder / "api.yaml").read_text()
    (folder / "api.yaml").write_text(text + "  attempts: 99\n  backoff: 0.1\n")
    run = start(folder)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 1 and "1 answer written, 3 failed" in out, out + err
    assert "3 × " in out and "the server that serve started has ended (signal 9, SIGKILL" in out
    assert "the server ended during the run (signal 9" in out and "out of memory" in out
    assert "secret-of-this-server" not in out + err
