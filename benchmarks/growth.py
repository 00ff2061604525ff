"""How long planning, going on and finishing take where much is there already, beside one plain pass over the files.

    python benchmarks/growth.py FOLDER [--models 50] [--questions 20000] [--judges 2] [--scripts FOLDER]

FOLDER is made by benchmarks/make_growth.py when it is not there (14 GB for 2 million judgments). Each line is a process
of its own, from its start to the first request that a server on this machine sees (then it is stopped) or to its end;
memory is the peak of that process. The pass reads the records and decodes each line as JSON, in one thread. `--scripts`
measures those of another checkout. Ratios are of seconds of CPU, which suffer less from a busy machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import make_growth  # noqa: E402
from benchmarks.make_growth import ALMOST, BENCH, NEW  # noqa: E402

SETTLED = 3.0  # seconds after which a file is known by its time


class FirstRequest(ThreadingHTTPServer):
    """A server that answers at once, and notes when it was first asked; with `holds` it never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = threading.Event()
        self.at = 0.0
        self.holds = True

    @property
    def address(self) -> str:
        """For an endpoint of the OpenAI protocol."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, FirstRequest)
        if not server.asked.is_set():
            server.at = time.perf_counter()
            server.asked.set()
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if server.holds:
            time.sleep(600)
        message = {"role": "assistant", "content": "My final verdict is: [[A>B]]"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        self._send(200, {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})

    def do_GET(self) -> None:
        self._send(404, {"error": {"message": "nothing here"}})

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _send(self, status: int, said: object) -> None:
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def first_request() -> Generator[FirstRequest]:
    """Such a server while the body runs."""
    server = FirstRequest()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    make_growth.add_sizes(parser)
    parser.add_argument("--scripts", type=Path, default=ROOT, metavar="FOLDER", help="checkout whose scripts to run")
    args = parser.parse_args()
    folder, bench = args.folder.resolve(), args.folder.resolve() / "data" / BENCH
    if not bench.is_dir():
        make_growth.make(folder, args.models, args.questions, args.judges, args.seed)
        time.sleep(SETTLED)
    with first_request() as server:
        make_growth.write_configs(folder, make_growth.names_of(args.models), args.judges, server.address)
        measure_all(Measure(args.scripts.resolve(), folder, server, args.models, args.judges), bench)
    return 0


class Measure:
    """Measures a script in the folder of a bench."""

    def __init__(self, scripts: Path, folder: Path, server: FirstRequest, models: int, judges: int) -> None:
        self.scripts, self.folder, self.server = scripts, folder, server
        self.models, self.judges = models, judges
        self.passed = 1.0

    def to_first_request(self, what: str, script: str, *more: str, listed: bool = True) -> None:
        """From the start to the first request. listed: with all models on the list."""
        self.server.asked.clear()
        self.server.holds = True
        start = time.perf_counter()
        process = self._start(script, [NEW] if not listed else [*make_growth.names_of(self.models), NEW], more)
        seconds = self.server.at - start if self.server.asked.wait(1200) else float("nan")
        process.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.say(what, seconds, usage)

    def to_end(self, what: str, script: str, names: list[str]) -> None:
        """From the start to the end."""
        self.server.holds = False
        start = time.perf_counter()
        process = self._start(script, names, ())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        failed = f" (exit code {process.returncode})" if process.returncode else ""
        self.say(what + failed, time.perf_counter() - start, usage)

    def _start(self, script: str, names: list[str], more: tuple[str, ...]) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(self.scripts / script), "--models", *names, *more]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=self.folder, stdout=quiet, stderr=quiet)

    def say(self, what: str, seconds: float, usage: resource.struct_rusage) -> None:
        """Print a line."""
        memory = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        cpu = usage.ru_utime + usage.ru_stime
        print(f"{what:<48}{seconds:>9.2f}{cpu:>9.2f}{cpu / self.passed:>10.4f}{memory:>9.0f}", flush=True)


def measure_all(measure: Measure, bench: Path) -> None:
    """Print all lines."""
    names = make_growth.names_of(measure.models)
    judged = sorted((bench / "model_judgment").rglob("*.jsonl"))
    size = sum(file.stat().st_size for file in judged)
    measure.passed = seconds = one_pass(judged)
    print(
        f"{len(judged)} files of judgments, {size / 1e9:.2f} GB; one plain pass over them takes {seconds:.1f} s of CPU"
    )
    print(f"{'':<48}{'seconds':>9}{'CPU s':>9}{'/ pass':>10}{'peak MB':>9}")
    shutil.rmtree(bench / "cache", ignore_errors=True)
    measure.to_first_request("judge one more model, nothing known", "gen_judgment.py")
    measure.to_first_request("judge one more model", "gen_judgment.py")
    measure.to_first_request("judge one more model, named alone", "gen_judgment.py", listed=False)
    measure.to_end("everything judged, to the end", "gen_judgment.py", names)
    with kept(bench, measure.judges):
        measure.to_end("go on with the last 50 judgments, to the end", "gen_judgment.py", [*names, ALMOST])
        time.sleep(SETTLED)
        measure.to_end("everything judged, the first time after that", "gen_judgment.py", [*names, ALMOST])
    shutil.rmtree(bench / "cache" / "index" / "model_answer", ignore_errors=True)
    (bench / "model_answer" / f"{NEW}.jsonl").rename(bench / f"{NEW}.aside")
    try:
        measure.to_first_request("answers of one more model, nothing known", "gen_answer.py")
        measure.to_first_request("answers of one more model", "gen_answer.py")
    finally:
        (bench / f"{NEW}.aside").rename(bench / "model_answer" / f"{NEW}.jsonl")


@contextlib.contextmanager
def kept(bench: Path, judges: int) -> Generator[None]:
    """The judgments of `almost` as they are, before and after."""
    files = [bench / "model_judgment" / judge / f"{ALMOST}.jsonl" for judge in make_growth.JUDGES[:judges]]
    for file in files:
        shutil.copyfile(file, bench / f"{file.parent.name}.aside")
    try:
        yield
    finally:
        for file in files:
            (bench / f"{file.parent.name}.aside").replace(file)
            file.with_name(f"{ALMOST}.manifest.json").unlink(missing_ok=True)


def one_pass(files: list[Path]) -> float:
    """Seconds of CPU to read some files and decode each line."""
    start = time.process_time()
    for file in files:
        with open(file, "rb") as stream:
            for line in stream:
                msgspec.json.decode(line)
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
