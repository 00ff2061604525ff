"""The direction of the imports, and what --help may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline_bench import ROOT, clean_environment

SCRIPTS = ("gen_answer", "gen_judgment", "show_result", "qa_browser")
THERE = [script for script in SCRIPTS if (ROOT / f"{script}.py").is_file()]
HEAVY = {"openai", "anthropic", "gradio", "pandas", "sklearn", "scipy", "plotly", "tiktoken"}


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it; names imported from a package count as modules."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules() -> dict[str, Path]:
    found = {}
    for file in (ROOT / "arena_hard").rglob("*.py"):
        found[".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = file
    return found


def test_the_package_knows_neither_utils_nor_scripts() -> None:
    wrong = [(name, used) for name, file in modules().items() for used in imports(file)
             if used.split(".")[0] in {"utils", "tests", *SCRIPTS}]  # fmt: skip
    assert wrong == []


def test_a_script_imports_no_script() -> None:
    for script in (*THERE, "utils"):
        assert not set(SCRIPTS) & {used.split(".")[0] for used in imports(ROOT / f"{script}.py")}


def test_there_is_no_cycle() -> None:
    known = modules()
    edges = {name: {used for used in imports(file) if used in known} - {name} for name, file in known.items()}
    while edges:
        free = {name for name, used in edges.items() if not used & edges.keys()}
        assert free, f"a cycle among {sorted(edges)}"
        edges = {name: used for name, used in edges.items() if name not in free}


def test_the_shapes_of_records_depend_on_nothing_of_ours() -> None:
    assert not [used for used in imports(ROOT / "arena_hard/records.py") if used.startswith("arena_hard")]


@pytest.mark.parametrize("script", THERE)
def test_help_shows_examples_and_loads_nothing_heavy(script: str, tmp_path: Path) -> None:
    code = (
        f"import runpy, sys\nsys.path.insert(0, {str(ROOT)!r})\nsys.argv = ['{script}.py', '--help']\n"
        f"try:\n    runpy.run_path({str(ROOT / script)!r} + '.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        f"print(sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"python {script}.py" in done.stdout
    assert done.stderr.strip() == "[]"
