"""How the package is built, in numbers: files, floors, imports, the longest file and function.

python tools/house.py            this checkout
python tools/house.py FOLDER     another one
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = "arena_hard"
SCRIPTS = ("utils", "gen_answer", "gen_judgment", "show_result", "qa_browser")


def modules(root: Path) -> dict[str, Path]:
    """The files of the package and the scripts, by their dotted names."""
    found = {name: root / f"{name}.py" for name in SCRIPTS if (root / f"{name}.py").is_file()}
    for file in (root / PACKAGE).rglob("*.py"):
        found[".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")] = file
    return found


def used_by(file: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules among `known` that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in whole]
        else:
            continue
        yield from (name for name in names if name in known)


def longest_chain(edges: Mapping[str, set[str]]) -> list[str]:
    """The longest chain of imports, from the one that uses all to the one that uses none. No cycle is expected."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        return (name, *max((below(used) for used in edges[name]), key=len, default=()))

    return list(max(map(below, edges), key=len, default=()))


def room_of(name: str) -> str:
    """The folder that a module is in, seen from the package; scripts are one room, and so is utils."""
    if not name.startswith(PACKAGE):
        return "utils" if name == "utils" else "scripts"
    parts = name.split(".")
    if parts[1:3] == ["calling", "providers"]:
        return "calling/providers"
    return parts[1] if len(parts) > 1 else PACKAGE


def functions(file: Path) -> Iterator[tuple[int, str]]:
    """The length in lines and the name of each function of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{file.name}:{node.name}"


def report(root: Path) -> Iterator[str]:
    """The figures, a line each."""
    known = modules(root)
    edges = {name: set(used_by(file, known)) - {name} for name, file in known.items()}
    rooms: dict[str, set[str]] = {}
    for name, used in edges.items():
        rooms.setdefault(room_of(name), set()).update(room_of(each) for each in used if room_of(each) != room_of(name))
    package = [name for name in known if name.startswith(PACKAGE)]
    in_one_room = max(sum(room_of(other) == room_of(name) for other in package) for name in package)
    lengths = {name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in known.items()}
    in_package = max(package, key=lengths.__getitem__)
    script = max((name for name in known if name not in package), key=lengths.__getitem__)
    lines, function = max(each for file in known.values() for each in functions(file))
    floors = longest_chain(edges)
    yield f"files: {len(known)}, most in one folder: {in_one_room}"
    yield f"imports between files: {sum(map(len, edges.values()))}"
    yield f"longest chain of files: {len(floors)} ({' → '.join(each.removeprefix(PACKAGE + '.') for each in floors)})"
    chain = longest_chain(rooms)
    yield f"longest chain of rooms: {len(chain)} ({' → '.join(chain)})"
    yield f"longest source file: {in_package}, {lengths[in_package]} lines"
    yield f"longest script: {script}, {lengths[script]} lines"
    yield f"longest function: {function}, {lines} lines"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).resolve().parents[1], metavar="FOLDER")
    print("\n".join(report(parser.parse_args().root)))


if __name__ == "__main__":
    main()
