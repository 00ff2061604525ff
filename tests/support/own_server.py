"""A small server that `serve` starts: it may be keyed, slow to load, and mortal. It imports nothing of the project.

python own_server.py PORT [--key KEY] [--load SECONDS] [--replies NUMBER] [--killed] [--leave-a-worker] [--note FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

SAYS = "from the server of this run"
_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3)"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--key", help="the only one that it takes")
    parser.add_argument("--load", type=float, default=0.0, help="seconds before it listens")
    parser.add_argument("--replies", type=int, default=sys.maxsize, help="it dies after so many")
    parser.add_argument("--killed", action="store_true", help="by a signal, as for want of memory")
    parser.add_argument("--leave-a-worker", action="store_true", help="one that outlives it")
    parser.add_argument("--note", type=Path, help="a file to write its port to before it listens")
    return parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    """Lists one model and says one thing."""

    told: argparse.Namespace
    replies = 0

    def do_GET(self) -> None:
        self._answer({"object": "list", "data": [{"id": "weights-7b", "object": "model"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SAYS}}
        if self._answer({"id": "1", "object": "chat.completion", "model": "weights-7b", "choices": [choice]}):
            Handler.replies += 1
        if Handler.replies >= self.told.replies:
            if self.told.leave_a_worker:
                subprocess.Popen([sys.executable, "-c", _DEAF])
            print("out of memory, key", self.told.key, flush=True)
            if self.told.killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise SystemExit

    def _answer(self, body: dict[str, Any]) -> bool:
        """Send it to who has the key; whether they had it."""
        known = self.told.key is None or self.headers["authorization"] == f"Bearer {self.told.key}"
        text = json.dumps(body if known else {"error": {"message": "who are you?"}}).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        return known

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


if __name__ == "__main__":
    Handler.told = arguments()
    if Handler.told.note:
        Handler.told.note.write_text(str(Handler.told.port))
    time.sleep(Handler.told.load)
    HTTPServer(("127.0.0.1", Handler.told.port), Handler).serve_forever()
