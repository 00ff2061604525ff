"""The scripts with --batch, killed at a step: one process that has loaded the SDKs once and forks for each run.

Steps are what a run does to its mailbox's files and what a provider's answer brings; they are counted from 1.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.pipeline_bench import ROOT, Scratch, clean_environment

_QUICK = (0.1, 0.2)  # seconds between two looks at a batch


class BatchRuns:
    """Runs of the scripts, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, bench: Scratch, kill_at: int = 0, script: str = "gen_answer.py") -> subprocess.CompletedProcess[str]:
        """Run a script of a bench to its end, or until it is killed at this step. It must end well or in failures."""
        bench.write()
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        pipe_in.write(json.dumps([str(bench.folder), kill_at, script]) + "\n")
        pipe_in.flush()
        code = int(pipe_out.readline())
        out, err = ((bench.folder / name).read_text() for name in ("stdout", "stderr"))
        assert code in (0, 1, -9), out + err
        return subprocess.CompletedProcess([script], code, out, err)


@contextmanager
def batch_runs() -> Iterator[BatchRuns]:
    """The process that runs them."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, cwd=ROOT, env=clean_environment(), text=True, stdin=pipe, stdout=pipe) as process:
        yield BatchRuns(process)


def _serve() -> None:
    import anthropic  # noqa: F401
    import openai  # noqa: F401

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _play(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _play(folder: str, kill_at: int, script: str) -> None:
    """Become the script. Ends this process."""
    import runpy

    os.chdir(folder)
    for name, stream in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    _count_steps(kill_at)
    sys.argv = [str(ROOT / script), "--batch"]
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit("the script did not end by itself")


def _count_steps(kill_at: int) -> None:
    from arena_hard.calling import batch
    from arena_hard.calling.providers import batches

    batch.Mailbox.__init__.__defaults__ = (False, _QUICK)
    steps = 0

    def tick() -> None:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: Any, name: str, is_async: bool) -> None:
        whole = getattr(owner, name)

        async def later(*args: Any, **kwargs: Any) -> Any:
            found = await whole(*args, **kwargs)
            tick()
            return found

        def now(*args: Any, **kwargs: Any) -> Any:
            found = whole(*args, **kwargs)
            tick()
            return found

        setattr(owner, name, later if is_async else now)

    around(batch, "append_rows", False)
    around(batch.jsonl, "replace", False)
    around(batches.OpenAIBatches, "_check_taken_in", True)
    for kind in (batches.OpenAIBatches, batches.AnthropicBatches):
        for name in ("submit", "results"):
            around(kind, name, True)


if __name__ == "__main__":
    _serve()
