"""Make the README's pictures of the browser from the demo: docs/browser-PAGE.png, one of each page.

    bash run.sh demo
    python tools/screenshots.py             light, 1280 pixels wide
    python tools/screenshots.py --dark --width 390 --folder /tmp/pictures

Needs Chromium and Playwright's Python package. The demo is copied first, so that nothing in data/ changes.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "leaderboard": "?tab=leaderboard",
    "breakdown": "?tab=breakdown&model=demo-verbose",
    "games": "?tab=games&show=disagree",
    "judge": "?tab=judge",
    "compare": "?tab=compare",
    "blind": "?tab=blind&name=reader",
}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where to (default: docs/)")
    parser.add_argument("--width", type=int, default=1280, help="of the window, in pixels")
    parser.add_argument("--dark", action="store_true", help="the dark look")
    args = parser.parse_args()
    if not (ROOT / "data" / "demo" / "model_judgment").is_dir():
        raise SystemExit("There are no judgments of the demo yet. Run: bash run.sh demo")
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        shutil.copytree(ROOT / "data" / "demo", Path(data) / "demo")
        with server(Path(data)) as address:
            take(address, args.folder, args.width, "dark" if args.dark else "light")


def take(address: str, folder: Path, width: int, scheme: Literal["light", "dark"]) -> None:
    """One picture of each page."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("Chromium is not installed (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": 860}, color_scheme=scheme)
        for name, query in PAGES.items():
            page.goto(address + query)
            page.wait_for_selector(".ah main section")
            page.wait_for_timeout(300)
            page.screenshot(path=folder / f"browser-{name}.png")
            print(folder / f"browser-{name}.png")
        browser.close()


@contextlib.contextmanager
def server(data_dir: Path) -> Iterator[str]:
    """qa_browser.py over a data folder; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "qa_browser.py"), "--data-dir", str(data_dir), "--port", str(port)]
    process = subprocess.Popen(command, cwd=data_dir, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address, timeout=5).close()
                break
            time.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


if __name__ == "__main__":
    main()
