"""YAML files: each value with its text as written in the file, and a mistake with its line.

YAML reads 2024-02-15 as a date, 12:30 as 750 and yes as true. Whether a text or a number is meant is known only where
the value is used (value_types.py), so both are kept until then.
"""

from __future__ import annotations

import codecs
import re
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data.foreign_files import foreign_kind
from arena_hard.data.odd_lines import MERGE_MARK
from arena_hard.data.places import Key
from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.records import UserError

_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_TAG}str", f"{_TAG}merge"
_ONLY_IN_KEYS = (_MERGE, f"{_TAG}value")  # << and = are texts where they stand as values
_SHOWN_TWICE = 5
_HALF = re.compile("[\ud800-\udfff]")  # of a character
_PLAIN = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d*)?([eE][-+]?\d+)?|[-+]?\.\d+([eE][-+]?\d+)?|(?i:true|false|null)|~|")
YES = ("true", "yes", "on")
_NO_FRACTION = re.compile(r"(?<=\d)\.0*$")
_OF_JSON = (bool, int, float, types.NoneType)
_LEADING_ZEROS = re.compile(r"[-+]?0[0-7_]+")  # which YAML reads as octal, and nobody means
_REMEDIES = (  # what YAML complains of, and what people have done there
    ("'\\t'", "Indent with spaces, not tabs."),
    ("that cannot start any token", "Put the value into quotes."),
    ("undefined alias", "Put the value into quotes if its * is meant as text, or name the anchor (&) above it."),
    ("mapping values are not allowed", "Fix the indentation here or above, or put a text with a colon into quotes."),
    ("for the tag", "Put the value into quotes, without a tag; ${NAME} stands for an environment variable."),
    ("unhashable key", "Put a text that begins with { into quotes."),
    ("could not find expected ':'", "Write a space after each colon, here and above."),
    ("expected ',' or", "Put a text with brackets or braces into quotes, or close the bracket."),
    ("special characters", "Fix the line: remove the character, and save the file as UTF-8."),
)


class ConfigNote(UserWarning):
    """Something in a config file or variable that is passed over or decided, and that its owner should know."""


class Written(msgspec.Struct, frozen=True):
    """A value that YAML does not read as a text: as written, and as read; `problem` where it cannot be read."""

    text: str
    value: Any
    problem: str | None = None


def plain(value: Any) -> Any:
    """A value with all in it as YAML reads it. Raises UserError for what it cannot read (a date of month 13)."""
    return _mapped(value, _as_read)


def as_written(value: Any) -> Any:
    """A value with all in it that is no plain number, true, false or null as the text that stands there.

    So 007, 1_000, 12:30:45, 2024-02-15 and yes are texts: whoever reads them knows what they are.
    """
    return _mapped(value, lambda one: _as_read(one) if _PLAIN.fullmatch(one.text) else one.text)


def for_json(value: Any) -> Any:
    """A value with all in it as YAML reads it where JSON knows that type too, else as the text that stands there."""
    return _mapped(value, lambda one: one.text if one.problem or not isinstance(one.value, _OF_JSON) else one.value)


def _as_read(value: Written) -> Any:
    if value.problem:
        raise UserError(value.problem)
    return value.value


def _mapped(value: Any, read: Callable[[Written], Any]) -> Any:
    if isinstance(value, Written):
        return read(value)
    if is_object(value):
        return {str(key): _mapped(each, read) for key, each in value.items()}
    if isinstance(value, set):
        return sorted(map(str, value))  # pyright: ignore[reportUnknownArgumentType] - the keys of !!set
    if is_list(value) or isinstance(value, tuple):
        return [_mapped(each, read) for each in value]  # pyright: ignore[reportUnknownVariableType] - of !!omap
    return value


def load_yaml(file: Path) -> dict[str, Any]:
    """A YAML file that holds keys, its values as YAML reads them. Raises UserError with the line of a mistake."""
    return plain(load_written(file))


def load_written(file: Path) -> dict[str, Any]:
    """A YAML file that holds keys; keys are texts as written (`Key`), values that are no texts are `Written`.

    Documents without content are passed over. Of a key that is there twice the last one counts, with a note where they
    differ. Raises UserError with the line of a mistake.
    """
    import yaml

    text = _text_of(file)
    try:
        loader = _loader(file, text)
        node = _one_document(file, loader)
        if node is not None:
            _note_repeated(file, list(_settled_keys(file, node)))
        values = node and loader.construct_document(node)
    except yaml.YAMLError as error:
        raise UserError(foreign_kind(file) or _said_of_error(file, error, text)) from None
    except RecursionError:
        raise UserError(f"{file} is nested too deeply. Fix the brackets.") from None
    if not is_object(values):
        raise UserError(foreign_kind(file) or _no_mapping(file, node))
    return values


def _one_document(file: Path, loader: Any) -> Any:
    """The one document of a file that says something; None where none does. Raises UserError for a second one."""
    found = None
    while loader.check_node():
        node = loader.get_node()
        if node.id == "scalar" and node.value == "":
            continue
        if found is not None:
            raise UserError(
                f"{file}:{_line(node)}: a second document begins here (---), and only one can count. Remove one of "
                "them, or the line --- where both belong together."
            )
        found = node
    return found


def _no_mapping(file: Path, node: Any) -> str:
    """What a file without keys is, with the remedy."""
    if node is None:
        return f"{file} is not a config: it is empty. README.md (Settings) lists the keys that it may hold."
    what = "a list (-) begins here" if node.id == "sequence" else "a text stands here"
    return (
        f"{file}:{_line(node)} is not a config: {what}, where keys with values are expected (name: value, with a space "
        "after the colon)."
    )


def _text_of(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{file} does not exist. Name the right file, or run from the project's folder.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}. Check the path and who may read it.") from None
    try:
        return raw.decode(_encoding_of(raw))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{file}:{line} cannot be read: a character is not in UTF-8. Save the file as UTF-8, then run again."
        ) from None


def _encoding_of(raw: bytes) -> str:
    """UTF-8, or what the first bytes say: a byte-order mark, or a null beside the first letter."""
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(raw) >= 2 and bool(raw[0]) != bool(raw[1]):
        return "utf-16-le" if raw[0] else "utf-16-be"
    return "utf-8-sig"


def _loader(file: Path, text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Keeps the text of what it reads as a number, date, boolean or null, and the lines of keys."""

        def flatten_mapping(self, node: Any) -> None:
            """Resolve merges (<<): of the mappings in a list the earlier one counts. PyYAML's versions differ."""
            merges = [value for key, value in node.value if key.tag == _MERGE]
            lists = [value.value if value.id == "sequence" else [value] for value in merges]
            sources = [source for each in lists for source in reversed(each)]
            if any(source.id != "mapping" for source in sources):
                parent: Any = super()
                parent.flatten_mapping(node)  # says what is wrong
            for source in sources:
                self.flatten_mapping(source)
            pairs = [pair for source in sources for pair in source.value]
            pairs += [pair for pair in node.value if pair[0].tag != _MERGE]
            last = {key.value if key.id == "scalar" else id(key): (key, value) for key, value in pairs}
            node.value = list(last.values()) if merges else pairs

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            parent: Any = super()
            values: dict[Any, Any] = parent.construct_mapping(node, deep)
            lines = {key.value: _line(key) for key, _ in node.value if key.id == "scalar"}
            return {Key(key, lines[key]) if key in lines else key: value for key, value in values.items()}

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            parent: Any = super()
            if node.id == "scalar" and _HALF.search(node.value):
                node.value = _joined(node, file)
            if node.id != "scalar" or node.tag == _TEXT:
                return parent.construct_object(node, deep)
            try:
                octal = node.tag == f"{_TAG}int" and _LEADING_ZEROS.fullmatch(node.value)
                return Written(node.value, int(node.value) if octal else parent.construct_object(node, deep))
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


def _joined(node: Any, file: Path) -> str:
    """A text in which characters are written in two halves, as JSON has them. Raises UserError for a half alone."""
    text = str(node.value)
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        half = f"\\u{ord(_HALF.findall(text)[0]):x}"
        raise UserError(
            f"{file}:{_line(node)}: {half} is half of a character, which no file can hold. Write the whole one."
        ) from None


def _settled_keys(file: Path, root: Any) -> Iterator[tuple[str, Any, Any]]:
    """Make texts of all keys, before merges are resolved; yields (key, first value, next) where values differ.

    Raises UserError where an alias stands within what it names.
    """
    done: set[int] = set()

    def walk(node: Any, around: tuple[int, ...]) -> Iterator[tuple[str, Any, Any]]:
        if id(node) in around:
            raise UserError(f"{file}:{_line(node)}: this value holds itself. Remove the alias (*) from it.")
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
        return _said_alone(node)
    if node.id == "sequence":
        return [_said(item) for item in node.value]
    return {repr(_said(key)): _said(value) for key, value in node.value}


def _said_alone(node: Any) -> tuple[str, Any]:
    """The same of a number, boolean or text: 0 is 0.0, and yes is true. (4.1 is not 4.10, which may be names.)"""
    kind, text = node.tag.removeprefix(_TAG), str(node.value)
    if kind in ("int", "float"):
        return "number", _NO_FRACTION.sub("", text)
    if kind == "bool":
        return kind, text.lower() in YES
    return (kind, "") if kind == "null" else (kind, text)


def _note_repeated(file: Path, repeated: list[tuple[str, Any, Any]]) -> None:
    if not repeated:
        return
    shown = [f"{key!r} (lines {_line(a)} and {_line(b)})" for key, a, b in repeated[:_SHOWN_TWICE]]
    more = f" and {len(repeated) - len(shown)} more" if len(repeated) > len(shown) else ""
    warnings.warn(
        f"{file}: given twice with different values; the last one counts: {', '.join(shown)}{more}.",
        ConfigNote,
        stacklevel=1,
    )


def _line(node: Any) -> int:
    return node.start_mark.line + 1


def _said_of_error(file: Path, error: Any, text: str) -> str:
    for number, each in enumerate(text.splitlines(), 1):
        if mark := MERGE_MARK.match(each):
            return (
                f"{file}:{number}: a mark of a merge conflict ({mark.group()}): Git has left both versions of "
                "some lines here. Keep one of them."
            )
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    line = mark.line + 1 if mark else None if position is None else text.count("\n", 0, position) + 1
    reason = " ".join(str(getattr(error, "problem", None) or error).split())
    remedy = next((words for sign, words in _REMEDIES if sign in reason), "Fix the line; indent with spaces, not tabs.")
    return f"{file}{f':{line}' if line else ''}: not readable as YAML ({reason}). {remedy}"
