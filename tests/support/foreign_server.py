"""A server that takes the address of the one that a run starts with `serve:`, at whichever moment that is."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support import own_server
from tests.support.pipeline_bench import Scratch, rows
from tests.support.processes import wait_until
from tests.support.threaded_server import serving

SAYS = "from another server"
IN_FLIGHT = 2  # so many good replies may come too late to be told from the other server's
WHEN = ("before it starts", "while it loads", "when it has died")


@dataclass
class Foreign:
    """Lists the models that are asked for, takes every key and says one thing; `asked` counts completions."""

    asked: int = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})
        body = json.loads(await request.read())
        self.asked += 1
        message = {"role": "assistant", "content": SAYS}
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": message}
        return web.json_response({"model": body["model"], "choices": [choice]})


@dataclass
class Taken:
    """What came of a run whose server's address another one took."""

    code: int
    printed: str
    asked: int
    texts: list[str] = field(default_factory=list)


def run_with_foreign(folder: Path, when: str, port: int, questions: int = 12, replies: int = 4) -> Taken:
    """gen_answer.py with `serve:` at a port; its own server answers `replies` questions where it comes to answer."""
    made = Scratch(folder, f"http://127.0.0.1:{port}/v1", questions=questions)
    note, foreign = folder / "note", Foreign()
    command = [sys.executable, own_server.__file__, str(port), "--note", str(note), "--replies", str(replies)]
    command += ["--load", "1" if when == "while it loads" else "0"]
    made.models["m"] |= {"serve": shlex.join(command), "parallel": IN_FLIGHT, "attempts": 3, "backoff": 0.3}
    with contextlib.ExitStack() as stack:
        if when == "before it starts":
            stack.enter_context(serving(foreign, port=port))
        process = stack.enter_context(made.start("gen_answer.py"))
        if when != "before it starts":
            wait_until(note.exists)
        if when == "when it has died":
            wait_until(lambda: len(rows(made.answer_file())) > 0)
        if when != "before it starts":
            stack.enter_context(_as_soon_as_free(foreign, port))
        out, err = process.communicate(timeout=300)
    texts = [row["choices"][0]["turns"][0]["content"] for row in rows(made.answer_file())]
    return Taken(process.returncode, out + err, foreign.asked, texts)


@contextlib.contextmanager
def _as_soon_as_free(foreign: Foreign, port: int, seconds: float = 30.0) -> Iterator[None]:
    end = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(serving(foreign, port=port))
                break
            except OSError:
                assert time.monotonic() < end, "the port was never free"
                time.sleep(0.005)
        yield
