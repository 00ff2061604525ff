"""YAML files: each value with its text as written in the file, and a mistake with its line.

YAML reads 2024-02-15 as a date, 0123 as 83 and yes as true. Whether a text or a number is meant is known only where
the value is used (value_types.py), so both are kept until then.
"""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena_hard.data.foreign_files import foreign_kind
from arena_hard.data.records import UserError, is_list, is_object

_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_TAG}str", f"{_TAG}merge"
_ONLY_IN_KEYS = (_MERGE, f"{_TAG}value")  # << and = are texts where they stand as values
_SHOWN_TWICE = 5


class ConfigNote(UserWarning):
    """Something in a config file that is passed over or decided, and that its owner should know."""


@dataclass(frozen=True)
class Written:
    """A value that YAML does not read as a text: as written, and as read; `problem` where it cannot be read."""

    text: str
    value: Any
    problem: str | None = None


def plain(value: Any) -> Any:
    """A value with all in it as YAML reads it. Raises UserError for what it cannot read (a date of month 13)."""
    if isinstance(value, Written):
        if value.problem:
            raise UserError(value.problem)
        return value.value
    if is_object(value):
        return {key: plain(each) for key, each in value.items()}
    if is_list(value) or isinstance(value, tuple):
        return [plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType] - of a pair, in !!omap
    return value


def load_yaml(file: Path) -> dict[str, Any]:
    """A YAML file that holds keys, its values as YAML reads them. Raises UserError with the line of a mistake."""
    return plain(load_written(file))


def load_written(file: Path) -> dict[str, Any]:
    """A YAML file that holds keys; keys are texts as written, values that are no texts are `Written`.

    Of a key that is there twice the last one counts, with a note where they differ. Raises UserError with the line of
    a mistake.
    """
    import yaml

    text = _text_of(file)
    try:
        loader = _loader(file, text)
        node = loader.get_single_node()
        if node is not None:
            _note_repeated(file, list(_settled_keys(file, node)))
        values = node and loader.construct_document(node)
    except yaml.YAMLError as error:
        said = f"{_yaml_place(file, error, text)} Mend the line; indent with spaces, not tabs."
        raise UserError(foreign_kind(file) or said) from None
    except RecursionError:
        raise UserError(f"{file} is nested too deeply. Mend the brackets.") from None
    if not is_object(values):
        said = f"{file} is not a config: it should hold keys with values (name: value)."
        raise UserError(foreign_kind(file) or said)
    return values


def _text_of(file: Path) -> str:
    try:
        raw = file.read_bytes()
        utf_16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return raw.decode("utf-16" if utf_16 else "utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{file} does not exist. Name the right file, or run from the project's folder.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from None


def _loader(file: Path, text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Keeps the text of what it reads as a number, date, boolean or null."""

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            parent: Any = super()
            if node.id != "scalar" or node.tag == _TEXT:
                return parent.construct_object(node, deep)
            try:
                return Written(node.value, parent.construct_object(node, deep))
            except (ValueError, KeyError, AttributeError, OverflowError) as error:
                kind = node.tag.removeprefix(_TAG)
                reason = str(error) if isinstance(error, ValueError) else f"{node.value!r} is no {kind}"
                place = f"{file}:{_line(node)}"
                return Written(
                    node.value, None, f"{place}: {reason}. Put the value into quotes if it is meant as text."
                )

    # YAML 1.1 wants a dot in front of an exponent; YAML 1.2 and everybody who writes 1e-1 do not
    number = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+\Z")
    loader: Any = Loader
    loader.add_implicit_resolver(f"{_TAG}float", number, list("-+.0123456789"))
    return loader(text)


def _settled_keys(file: Path, root: Any) -> Iterator[tuple[str, Any, Any]]:
    """Make texts of all keys, before merges are resolved; yields (key, first value, next) where values differ.

    Raises UserError where an alias stands within what it names.
    """
    done: set[int] = set()

    def walk(node: Any, around: tuple[int, ...]) -> Iterator[tuple[str, Any, Any]]:
        if id(node) in around:
            raise UserError(f"{file}:{_line(node)}: this value holds itself. Take the alias (*) out of it.")
        if id(node) in done:
            return
        done.add(id(node))
        if node.id == "scalar":
            if node.tag in _ONLY_IN_KEYS:
                node.tag = _TEXT
            return
        inner = (*around, id(node))
        if node.id == "sequence":
            for item in node.value:
                yield from walk(item, inner)
            return
        seen: dict[str, tuple[Any, Any]] = {}
        for key, value in node.value:
            yield from walk(value, inner)
            if key.id != "scalar":
                yield from walk(key, inner)
            elif key.tag != _MERGE:
                key.tag = _TEXT
                if key.value in seen and _said(seen[key.value][1]) != _said(value):
                    yield key.value, seen[key.value][0], key
                seen[key.value] = key, value

    yield from walk(root, ())


def _said(node: Any) -> Any:
    """What a node says, for comparing: not in which order, nor what a later key says otherwise."""
    if node.id == "scalar":
        return node.tag, node.value
    if node.id == "sequence":
        return [_said(item) for item in node.value]
    return {repr(_said(key)): _said(value) for key, value in node.value}


def _note_repeated(file: Path, repeated: list[tuple[str, Any, Any]]) -> None:
    if not repeated:
        return
    shown = [f"{key!r} (lines {_line(a)} and {_line(b)})" for key, a, b in repeated[:_SHOWN_TWICE]]
    more = f" and {len(repeated) - len(shown)} more" if len(repeated) > len(shown) else ""
    warnings.warn(
        f"{file}: there twice with different values, and the last one counts: {', '.join(shown)}{more}.",
        ConfigNote,
        stacklevel=1,
    )


def _line(node: Any) -> int:
    return node.start_mark.line + 1


def _yaml_place(file: Path, error: Any, text: str) -> str:
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    line = mark.line + 1 if mark else None if position is None else text.count("\n", 0, position) + 1
    reason = " ".join(str(getattr(error, "problem", None) or error).split())
    return f"{file}:{line}: not readable as YAML ({reason})." if line else f"{file}: not readable as YAML ({reason})."
