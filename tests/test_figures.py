"""docs/figures.md: what it quotes stands in the documents, and its commands name what there is."""

from __future__ import annotations

import ast
import functools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from arena_hard.rating.arrays import IntArray
from arena_hard.rating.battles import Battles
from benchmarks.intervals import drawn
from tests.support.pipeline_bench import ROOT

LINES = [line for line in (ROOT / "docs/figures.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
CELLS = [re.split(r"(?<!\\)\|", line.strip("|")) for line in LINES]
ROWS = [[cell.strip().replace("\\|", "|") for cell in cells] for cells in CELLS if cells[0].strip() != "Quoted"]
# whose flags a script has beside its own
SHARED = {
    "show_result.py": ["utils.py", "arena_hard/showing/flags.py"],
    "gen_answer.py": ["utils.py", "arena_hard/calling/selection.py"],
    "gen_judgment.py": ["utils.py", "arena_hard/calling/selection.py", "arena_hard/judging/flags.py"],
}


def commands() -> list[str]:
    """The commands of all rows; flags alone are those of the command before."""
    found: list[str] = []
    for span in (span for row in ROWS for span in re.findall(r"`([^`]+)`", row[1])):
        if span.startswith(("python ", "bash ")):
            found.append(span)
        elif span.startswith("--"):
            found.append(f"{found[-1]} {span}")
    return found


COMMANDS = commands()


def words_of(text: str) -> str:
    """The text with single blanks."""
    return " ".join(text.split())


@functools.cache
def documents() -> str:
    """README.md and docs, as one text; not what commands have written themselves."""
    written = [file for file in (ROOT / "docs").glob("*.md") if file.name not in ("figures.md", "benchmarks.md")]
    files = [ROOT / "README.md", *written]
    return words_of("\n".join(file.read_text(encoding="utf-8") for file in files))


def script_of(words: list[str]) -> str:
    """The file that a command runs, from the project's folder."""
    return words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]


@functools.cache
def flags_of(script: str) -> set[str]:
    """The flags that a script's parsers know."""
    found = set[str]()
    for name in [script, *SHARED.get(script, [])]:
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                found |= {str(each.value) for each in node.args if isinstance(each, ast.Constant)}
    return {flag for flag in found if flag.startswith("--")}


def test_every_row_is_whole_and_has_a_command_or_that_of_a_row_before() -> None:
    assert ROWS and COMMANDS
    for row in ROWS:
        assert len(row) == 4 and all(row), row
        assert "`" in row[1] or row[1].startswith("the same"), row


def test_a_printed_figure_is_filled_in() -> None:
    """A name like COV_ROWS in place of a number is one that somebody meant to measure."""
    open_places = [row for row in ROWS if re.search(r"\b[A-Z]{2,}_[A-Z]+\b|TODO|XXX|\?\?", row[3])]
    assert open_places == []


def test_what_is_quoted_stands_in_the_documents() -> None:
    assert [row[0] for row in ROWS if words_of(row[0]) not in documents()] == []


def test_every_benchmark_that_the_readme_names_has_a_row() -> None:
    """But for those that print whether a promise is kept."""
    named = set(re.findall(r"benchmarks/\w+\.py", documents())) - {"benchmarks/limits.py", "benchmarks/all.py"}
    assert named <= {script_of(shlex.split(command)) for command in COMMANDS}


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_a_command_names_a_file_and_flags_that_there_are(command: str) -> None:
    words = shlex.split(command)
    script = script_of(words)
    assert (ROOT / script).is_file()
    if script == "run.sh":
        assert f"  {words[2]}) shift;" in (ROOT / script).read_text(encoding="utf-8")
        return
    assert {word for word in words if word.startswith("--")} <= flags_of(script)


def test_tests_that_are_named_are_there() -> None:
    named = set(re.findall(r"\btests/[\w/]+\.py", "\n".join(LINES)))
    assert named and all(Path(ROOT, name).is_file() for name in named)


def test_a_drawn_question_has_all_its_battles_and_is_one_of_its_own() -> None:
    """Battles of the questions 0 and 2 alone, in an order that is not theirs."""
    question: IntArray = np.array([2, 0, 2, 0, 0])
    rows: IntArray = np.array([21, 1, 22, 2, 3])
    same: IntArray = np.zeros(5, dtype=int)
    fought = Battles(["b", "m"], ["x", "y", "z"], same, same + 1, question, same, rows)
    found = drawn(fought, 40, np.random.default_rng(1))
    kinds = {tuple(found.rows[found.question == number]) for number in range(40)}
    assert kinds == {(1, 2, 3), (21, 22)} and found.n_questions == 40
