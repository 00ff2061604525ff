"""All that is measured side by side, in one command; docs/benchmarks.md is what it wrote last.

    python benchmarks/all.py                          everything (half an hour on two idle cores; 3 GB in a folder)
    python benchmarks/all.py --only calls style       some of it; the sections of the others stay as they were
    python benchmarks/all.py --full                   growth with two million judgments (14 GB more, an hour)

Beside this project stand the original's way, bare aiohttp and the bare SDK, inspect_ai, evalica, scikit-learn and a
plain pass of a JSON decoder. inspect_ai and evalica are installed into an environment of their own (.venv-benchmarks);
without an index to install them from they are left out, and the page says so. What is made to be measured stays in
--folder, so that the next run is quicker.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
OTHERS = ROOT / ".venv-benchmarks"
PACKAGES = ("inspect_ai", "openai", "evalica")


@dataclass(frozen=True)
class Part:
    """One section: a script of benchmarks/ with its arguments. says: what is compared, and in which way."""

    name: str
    title: str
    says: str
    arguments: tuple[str, ...] = ()
    script: str = ""

    def command(self) -> list[str]:
        """As it is run, from the project's folder."""
        return [sys.executable, f"benchmarks/{self.script or self.name}.py", *self.arguments]


def parts(folder: Path, others: Path | None, full: bool) -> list[Part]:
    """All sections, in the order of the page. others: a Python for which inspect_ai and evalica are installed."""
    inspect = ("--inspect", str(others)) if others else ()
    evalica = ("--evalica", str(others)) if others else ()
    size = () if full else ("--models", "20", "--questions", "2000")
    return [
        Part(
            "calls",
            "Calls",
            "`gen_answer.py` from start to end, over the least that parallel requests allow: 1.00 is ideal.",
            inspect,
        ),
        Part(
            "where",
            "Where the time of a request goes",
            "`gen_answer.py` as above, 64 in flight at 50 ms: its CPU by module, what happens once included.",
        ),
        Part(
            "limits",
            "Servers with limits",
            "Over the least time that a server's limit allows, which nobody told: 1.00 is ideal. In real time.",
        ),
        Part(
            "results",
            "Results",
            "84 models × 500 questions, judged twice: `show_result.py` over one plain pass of a JSON decoder, and the "
            "original's method on a part.",
            (str(folder / "judgments"),),
        ),
        Part("style", "Style control", "100 bootstrap rounds, beside a fit of scikit-learn for each round."),
        Part(
            "battles",
            "Ten million battles",
            "From Parquet to the table with intervals clustered by question, over evalica's point fit alone.",
            (str(folder / "battles"), *evalica),
        ),
        Part(
            "growth",
            "Work that grows",
            "Planning, finishing, results and the browser where much is there, over one plain pass over the files.",
            (str(folder / ("growth-full" if full else "growth")), *size),
        ),
        Part(
            "browser",
            "The browser",
            "`qa_browser.py` on the 84 models, in a real Chromium.",
            (str(folder / "judgments"),),
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [part.name for part in parts(Path(), None, False)]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--full", action="store_true", help="growth with two million judgments")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks", help="what is made (%(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="what is written (%(default)s)")
    parser.add_argument("--without-others", action="store_true", help="install neither inspect_ai nor evalica")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    others = None if args.without_others else other_python()
    known, failed = sections_of(args.page), False
    for part in parts(args.folder.resolve(), others, args.full):
        if part.name in args.only:
            known[part.name], worked = measured(part, args.folder)
            failed |= not worked
        args.page.write_text(page(known, others))
    return int(failed)


def other_python() -> Path | None:
    """The Python of the environment for inspect_ai and evalica; None where they cannot be installed."""
    python = OTHERS / "bin" / "python"
    stamp = OTHERS / ".installed"
    if stamp.is_file():
        return python
    print(f"installing {', '.join(PACKAGES)} into {OTHERS.name} (once)", flush=True)
    for command in (
        [sys.executable, "-m", "venv", str(OTHERS)],
        [str(python), "-m", "pip", "install", "-q", *PACKAGES],
    ):
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
            print("they cannot be installed here, and are left out", flush=True)
            return None
    stamp.touch()
    return python


def measured(part: Part, folder: Path) -> tuple[str, bool]:
    """A section, and whether its command ended well. What it prints is shown as it comes."""
    shown = shlex.join(["python", *part.command()[1:]])
    for long, short in ((str(folder.resolve()), "FOLDER"), (str(OTHERS), OTHERS.name)):
        shown = shown.replace(long, short)
    print(f"== {shown}", flush=True)
    began = time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(part.command(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip().replace(str(folder.resolve()), "FOLDER"))
    end = "" if process.returncode == 0 else f"\nIt ended with exit code {process.returncode}."
    took = f"{time.monotonic() - began:.0f} s, {datetime.date.today()}, {machine()}, commit {commit()}"
    body = "\n".join(lines)
    return f"## {part.title}\n\n{part.says}\n\n```\n$ {shown}\n{body}\n```\n\n{took}.{end}\n", not process.returncode


def sections_of(file: Path) -> dict[str, str]:
    """The sections of a page that is there, by name."""
    text = file.read_text() if file.is_file() else ""
    titles = {part.title: part.name for part in parts(Path(), None, False)}
    found = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {titles[title]: each for each in found if (title := each.partition("\n")[0][3:]) in titles}


def page(known: dict[str, str], others: Path | None) -> str:
    """The whole page."""
    return "\n".join(_page_parts(known, others))


def _page_parts(known: dict[str, str], others: Path | None) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield (
        "Made by `python benchmarks/all.py`, which measures everything again on your machine. Seconds belong to the "
        "machine that is named below each; ratios to what stands beside them say more.\n"
    )
    if others is None:
        yield "inspect_ai and evalica could not be installed where this was measured, and are left out.\n"
    for part in parts(Path(), None, False):
        if part.name in known:
            yield known[part.name].rstrip() + "\n"


def machine() -> str:
    """The processor, its cores, the system and the Python, in a few words."""
    return ", ".join(
        [_processor(), f"{os.cpu_count()} cores", platform.system(), f"Python {platform.python_version()}"]
    )


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", file.read_text() if file.is_file() else "", re.MULTILINE)
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def commit() -> str:
    """The commit that is checked out, in short, with a + where files differ from it."""
    return _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else "")


def _git(*arguments: str) -> str:
    command: Sequence[str] = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown" * (done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
