"""How quick the browser is, in a real Chromium: opening, every click, memory.

    python benchmarks/make_judgments.py FOLDER       84 models x 500 questions (once)
    python benchmarks/browser.py FOLDER              prints the figures, as a table and as JSON with --json

Needs Chromium and Playwright's Python package. Times are medians and the worst of all clicks, from the
click until the new page is painted, on the machine that runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
# Resolves when the page that follows `act` is painted; the time is taken inside the browser.
CLICK = """([selector, value]) => new Promise((done, fail) => {
  setTimeout(() => fail(new Error("nothing followed " + selector)), 15000);
  const room = document.querySelector("[data-room]"), start = performance.now();
  const watch = new MutationObserver(() => {
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  });
  watch.observe(room, { childList: true });
  const box = document.querySelector(selector);
  if (value === null) box.click();
  else { box.value = value; box.dispatchEvent(new Event("change", { bubbles: true })); }
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data_dir", type=Path, help="the folder with the benchmarks")
    parser.add_argument("--clicks", type=int, default=60, help="how many questions and models to choose")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    figures = measure(args.data_dir, args.clicks)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:48} {value}")


def measure(data_dir: Path, clicks: int) -> dict[str, float]:
    """All figures; times in milliseconds unless the name says seconds, memory in MB."""
    figures: dict[str, float] = {"MB of judgments": size_of(data_dir)}
    with server(data_dir, figures) as (address, process), chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        start = time.monotonic()
        page.goto(address + "?tab=games")
        page.wait_for_selector("#game-1")
        figures["page with its first game, s"] = round(time.monotonic() - start, 2)
        record(figures, "choose a question", [choose(page, "question") for _ in range(clicks)])
        record(figures, "choose a model", [choose(page, "model") for _ in range(clicks)])
        page.goto(address + "?tab=games")
        page.wait_for_selector("#game-1")
        record(figures, "next game", [page.evaluate(CLICK, ["[rel=next]", None]) for _ in range(clicks)])
        record(figures, "filter: the games disagree", [page.evaluate(CLICK, ["#f-show", "disagree"])])
        page.goto(address + "?tab=games")
        page.wait_for_selector("#game-1")
        record(figures, "search all texts of all models", [page.evaluate(CLICK, ["#f-text", "python"])])
        choose(page, "model")
        record(figures, "search all texts of one model", [page.evaluate(CLICK, ["#f-text", "function"])])
        for tab in ("leaderboard", "judge", "compare", "blind"):
            record(figures, f"page {tab}", [page.evaluate(CLICK, [f"nav a[href*='tab={tab}']", None])])
        figures["server's memory, MB (peak)"] = peak_memory(process.pid)
    return figures


def record(figures: dict[str, float], name: str, times: list[float]) -> None:
    """Median and worst of some times."""
    figures[f"{name}, ms"] = round(statistics.median(times), 1)
    if len(times) > 1:
        figures[f"{name}, worst, ms"] = round(max(times), 1)


def choose(page: Any, name: str) -> float:
    """Choose at random in a dropdown; the time in milliseconds until the page is there."""
    values = page.eval_on_selector_all(f"#f-{name} option", "boxes => boxes.map(box => box.value).filter(Boolean)")
    return page.evaluate(CLICK, [f"#f-{name}", random.choice(values)])


def size_of(data_dir: Path) -> float:
    """Megabytes of all judgment files."""
    return round(sum(file.stat().st_size for file in data_dir.glob("*/model_judgment/*/*.jsonl")) / 1e6, 1)


def peak_memory(pid: int) -> float:
    """The most memory that a process has had, in MB (Linux; elsewhere what ps says now)."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1000, 1)
    return round(int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) / 1000, 1)


@contextlib.contextmanager
def server(data_dir: Path, figures: dict[str, float]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """qa_browser.py as a process; notes how long it takes until it answers."""
    port = free_port()
    command = [sys.executable, str(ROOT / "qa_browser.py"), "--data-dir", str(data_dir), "--port", str(port)]
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for(address, process)
        figures["command until the server answers, s"] = round(time.monotonic() - start, 2)
        yield address, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server that was started answers."""
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit("qa_browser.py ended") from None
            time.sleep(0.02)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A Chromium under Playwright."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("Chromium is not installed (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    main()
