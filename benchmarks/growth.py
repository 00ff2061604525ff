"""How long planning, going on, results and the browser take where much is there, beside one plain pass over the files.

    python benchmarks/growth.py FOLDER [--models 50] [--questions 20000] [--judges 2] [--scripts FOLDER]

FOLDER is made by benchmarks/make_growth.py when it is not there (14 GB for 2 million judgments). Each line is a process
of its own, from its start to the first request that a server on this machine sees (then it is stopped), to its end, or
to the first page with a game in a real Chromium, if there is one; memory is the peak of that process. The pass reads
the records and decodes each line as JSON, in one thread. `--scripts` measures those of another checkout. Ratios are of
seconds by the clock and of CPU to the pass's seconds of CPU; the latter suffer less from a busy machine.
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

    def to_end(self, what: str, script: str, *more: str, names: list[str] | None = None) -> None:
        """From the start to the end. names: the models that are listed."""
        self.server.holds = False
        start = time.perf_counter()
        process = self._start(script, names or [], more)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        failed = f" (exit code {process.returncode})" if process.returncode else ""
        self.say(what + failed, time.perf_counter() - start, usage)

    def to_first_game(self, what: str) -> None:
        """From the start of the browser until a game is seen; not where there is no Chromium."""
        from benchmarks import browser

        with contextlib.suppress(ImportError, SystemExit), browser.chromium() as chromium:
            page = chromium.new_page()
            port = browser.free_port()
            start = time.perf_counter()
            process = self._start("qa_browser.py", [], ("--port", str(port)))
            try:
                browser.wait_for(f"http://127.0.0.1:{port}/", process)
                page.goto(f"http://127.0.0.1:{port}/?tab=games")
                page.wait_for_selector("#game-1", timeout=600_000)
                seconds = time.perf_counter() - start
                page.wait_for_function("!document.querySelector('[data-reading]')", timeout=600_000)
            finally:
                process.send_signal(signal.SIGINT)
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0
            self.say(what, seconds, usage)

    def _start(self, script: str, names: list[str], more: tuple[str, ...]) -> subprocess.Popen[bytes]:
        listed = ["--models", *names] if names else []
        command = [sys.executable, str(self.scripts / script), *listed, *more]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=self.folder, stdout=quiet, stderr=quiet)

    def say(self, what: str, seconds: float, usage: resource.struct_rusage) -> None:
        """Print a line."""
        memory = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        cpu = usage.ru_utime + usage.ru_stime
        ratios = f"{seconds / self.passed:>10.4f}{cpu / self.passed:>10.4f}"
        print(f"{what:<48}{seconds:>9.2f}{cpu:>9.2f}{ratios}{memory:>9.0f}", flush=True)

    def over(self, what: str, files: list[Path]) -> None:
        """Measure a pass over some files, to which the lines below are compared."""
        self.passed = one_pass(files)
        size = sum(file.stat().st_size for file in files)
        print(f"{what}, {size / 1e9:.2f} GB; one plain pass over them takes {self.passed:.1f} s of CPU")
        print(f"{'':<48}{'seconds':>9}{'CPU s':>9}{'s/pass':>10}{'CPU/pass':>10}{'peak MB':>9}")


def measure_all(measure: Measure, bench: Path) -> None:
    """Print all lines."""
    judged = sorted((bench / "model_judgment").rglob("*.jsonl"))
    answers = sorted((bench / "model_answer").glob("*.jsonl"))
    one_judge = sorted((bench / "model_judgment" / make_growth.JUDGES[0]).glob("*.jsonl"))
    measure.over(f"{len(judged)} files of judgments", judged)
    measure_planning(measure, bench)
    measure.over(f"{len(one_judge)} files of judgments of one judge, and the answers", one_judge + answers)
    measure_results(measure, bench, one_judge[-1])
    measure.over("All judgments and answers", judged + answers)
    every = make_growth.JUDGES[: measure.judges]
    shutil.rmtree(bench / "cache")
    measure.to_end("result of all judges, nothing known", "show_result.py", "--judge-name", *every)
    time.sleep(SETTLED)
    measure.to_end("result of all judges, up to date", "show_result.py", "--judge-name", *every)
    measure.to_first_game("the browser's first game, all known")
    shutil.rmtree(bench / "cache" / "index")
    measure.to_first_game("the browser's first game, nothing known")


def measure_results(measure: Measure, bench: Path, last: Path) -> None:
    """Print the lines of results by one judge. last: the judgments of a model that comes later."""
    judge = ("--judge-name", make_growth.JUDGES[0])
    shutil.rmtree(bench / "cache", ignore_errors=True)
    measure.to_end("result of one judge, nothing known", "show_result.py", *judge)
    measure.to_end("result of one judge, up to date", "show_result.py", *judge)
    measure.to_end("its judgments known, another level", "show_result.py", *judge, "--level", "0.9")
    measure.to_end("its judgments known, another seed", "show_result.py", *judge, "--seed", "1")
    last.rename(bench / "aside")
    measure.to_end("result without one model", "show_result.py", *judge)
    (bench / "aside").rename(last)
    time.sleep(SETTLED)
    measure.to_end("result with one more model", "show_result.py", *judge)


def measure_planning(measure: Measure, bench: Path) -> None:
    """Print the lines of planning, going on and finishing."""
    names = make_growth.names_of(measure.models)
    shutil.rmtree(bench / "cache", ignore_errors=True)
    measure.to_first_request("judge one more model, nothing known", "gen_judgment.py")
    measure.to_first_request("judge one more model", "gen_judgment.py")
    measure.to_first_request("judge one more model, named alone", "gen_judgment.py", listed=False)
    measure.to_end("everything judged, to the end", "gen_judgment.py", names=names)
    with kept(bench, measure.judges):
        measure.to_end("go on with the last 50 judgments, to the end", "gen_judgment.py", names=[*names, ALMOST])
        time.sleep(SETTLED)
        measure.to_end("everything judged, the first time after that", "gen_judgment.py", names=[*names, ALMOST])
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
