"""Where the CPU of gen_answer.py goes, by module, in microseconds for each of 2,000 requests.

    python benchmarks/where.py [--latency 0.05] [--parallel 64] [--requests 2000] [--runs 5]

The script runs as it is, looked at every few milliseconds of its CPU, `--runs` times: the innermost frame that belongs
to a package or to a module of this project has the time since the last look, also for what the standard library does
for it. What happens once (imports, the vocabulary for counting tokens) is shared among the requests.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

STEP = 0.001  # seconds of CPU between two looks; the system may take more
SHOWN = 24
_WAITING = re.compile(r"/(threading|selectors|queue|concurrent/futures/thread)\.py$")
_STANDARD = sysconfig.get_paths()["stdlib"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    seen: defaultdict[str, float] = defaultdict(float)
    for _ in range(args.runs):
        for name, seconds in looked_at(args.latency, args.parallel, args.requests).items():
            seen[name] += seconds
    total, requests = sum(seen.values()), args.runs * args.requests
    print(f"{'module':<44}{'µs a request':>13}{'share':>8}")
    ordered = sorted(seen.items(), key=lambda each: -each[1])
    rest = [seconds for _, seconds in ordered[SHOWN:]]
    for name, seconds in [*ordered[:SHOWN], (f"{len(rest)} others", sum(rest))]:
        print(f"{name:<44}{1e6 * seconds / requests:>13.0f}{seconds / total:>8.1%}")
    print(f"{'all':<44}{1e6 * total / requests:>13.0f}")
    return 0


def looked_at(latency: float, parallel: int, count: int) -> dict[str, float]:
    """Seconds of CPU of each module."""
    from benchmarks.calls import serving, write_bench

    with tempfile.TemporaryDirectory() as folder, serving(latency) as server:
        write_bench(Path(folder), server.openai_base, parallel, count, 1)
        found = Path(folder) / "seen.json"
        command = [sys.executable, __file__, "--child", str(found), str(ROOT / "gen_answer.py")]
        command += ["--setting-file", "answer.yaml", "--endpoint-file", "api.yaml"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        return json.loads(found.read_text())


def child(found: Path, command: list[str]) -> None:
    """Run a script in this process, and leave the seconds of CPU of each module."""
    seen: dict[str, float] = {"python": time.process_time()}
    last = time.process_time()

    def look(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.process_time()
        name = module_at_work(frame)
        seen[name] = seen.get(name, 0.0) + last - before

    sys.argv = command
    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, STEP, STEP)
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        found.write_text(json.dumps(seen))


def module_at_work(frame: FrameType | None) -> str:
    """The module that has the time: of another thread where the main one waits."""
    if frame and _WAITING.search(frame.f_code.co_filename):
        others = (each for key, each in sys._current_frames().items() if key != threading.get_ident())
        frame = next((each for each in others if not _WAITING.search(each.f_code.co_filename)), frame)
    names: list[str | None] = []
    while frame:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return "imports"
        names.append(name_of(frame.f_code.co_filename))
        frame = frame.f_back
    return next(filter(None, names), "python")


def name_of(file: str) -> str | None:
    """How a file is called here; None for one of the standard library, which works for whom it was called by."""
    if match := re.search(r"/(arena_hard/.+)\.py$", file):
        return match[1].replace("/", ".")
    if match := re.search(r"/site-packages/(\w+)", file):
        return match[1]
    if file == __file__:
        return "(this measurement)"
    if "/asyncio/" in file or file.endswith("/selectors.py"):
        return "asyncio"
    return None if file.startswith((_STANDARD, "<")) else Path(file).stem


if __name__ == "__main__":
    sys.exit(child(Path(sys.argv[2]), sys.argv[3:]) if sys.argv[1:2] == ["--child"] else main())
