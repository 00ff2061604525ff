"""The progress line as a terminal of 80 columns shows it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from arena_hard.calling import progress
from arena_hard.calling.models import Models
from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, clean_environment, question

pytestmark = pytest.mark.slow  # a terminal, and servers that make it wait


def lines_on_a_terminal(scratch: Scratch, columns: int) -> list[str]:
    """Every state of the line while gen_answer.py runs on a terminal of so many columns."""
    scratch.write()
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, str(ROOT / "gen_answer.py")]
    environment = clean_environment({"TERM": "xterm"})
    with subprocess.Popen(command, cwd=scratch.folder, env=environment, stdout=subprocess.DEVNULL, stderr=its):
        os.close(its)
        written = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not more:
                break
            written += more
    os.close(ours)
    return [line.strip() for line in re.split(r"[\r\n]+", written.decode()) if line.strip()]


@pytest.fixture
def asking(scratch: Scratch) -> Scratch:
    scratch.set_questions([question(number) for number in range(1, 61)])
    return scratch


def test_what_is_waited_for_is_seen_on_80_columns(asking: Scratch, wire: Server) -> None:
    asking.models["m"]["parallel"] = "auto"
    wire.configure(latency=0.05)
    wire.script([*[None] * 40, {"fault": "429", "retry_after": 3}])
    lines = lines_on_a_terminal(asking, 80)
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"waiting [123] s on 429 from 127\.0\.0\.1:\d+; 8 →", line) for line in lines), lines
    assert re.match(r"100% 60/60 \[", lines[-1])


def test_failures_come_first_and_what_is_nothing_is_not_said(asking: Scratch, wire: Server) -> None:
    wire.configure(latency=0.2)
    wire.script([*[None] * 8, "400"])
    lines = lines_on_a_terminal(asking, 80)
    assert any(re.search(r"/s, 1 failed; \d in flight\]", line) for line in lines), lines
    assert not any("0 failed" in line or "0 in flight" in line for line in lines)


def test_in_a_pipe_there_is_no_bar(asking: Scratch, wire: Server) -> None:
    done = asking.run("gen_answer.py")
    assert "60 answers written, 0 failed." in done.stdout and done.stderr == ""


def test_a_log_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LATE_SECONDS", 0.0)

    async def work() -> None:
        shown = progress.Progress(4, "answers", Models())
        async with shown.shown():
            shown.begin("m 0f3a", "m question 7")
            shown.finish("m 0f3a")
            shown.fail("m 77", "refused")
            shown.begin("m 0f3b", "m question 8")
            await asyncio.sleep(0)

    asyncio.run(work())
    said = capsys.readouterr().err
    assert "answers: 2 of 4 after 0 min, about 0 min left; 1 failed; m question 8 takes 0 s\n" in said


def test_a_wide_terminal_has_a_bar(asking: Scratch, wire: Server) -> None:
    wire.configure(latency=0.05)
    assert any(re.match(r"answers +\d+% .*[█▏▎▍▌▋▊▉]", line) for line in lines_on_a_terminal(asking, 140))
