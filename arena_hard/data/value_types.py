"""What a config's value becomes where its type is known: a text as written, a number as YAML reads it.

A value that fits no way is left as it is, for msgspec to name.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from arena_hard.data.records import is_list, is_object
from arena_hard.data.yaml_files import Written, plain

_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")
_NONE = ("None", "none")  # what Python says for null, and people write
Inner = Callable[[Any, "type[msgspec.Struct]", str], Any]


def is_null(value: Any, hint: Any) -> bool:
    """Whether a value says nothing: null, or the word None where no text is meant."""
    seen = value.value if isinstance(value, Written) and value.problem is None else value
    return seen is None or (isinstance(value, str) and value in _NONE and str not in kinds_of(hint))


def kinds_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def fitted(value: Any, hint: Any, where: str, inner: Inner) -> Any:
    """A value in the type that is meant; one alone where a list is meant is a list of one.

    inner: reads a mapping that is a struct; it gets the mapping, the struct and where that stands.
    """
    kinds = kinds_of(hint)
    if Any in kinds:
        return plain(value)
    items = _argument(kinds, list, 0)
    if is_list(value):
        if items is None:
            return plain(value)
        return [fitted(each, items, f"{where} {number}", inner) for number, each in enumerate(value, 1)]
    if is_object(value):
        return _fitted_object(value, kinds, items, where, inner)
    if types.NoneType in kinds and is_null(value, hint):
        return None
    if items is not None and not is_null(value, hint) and not any(kind in kinds for kind in (str, int, float, bool)):
        return [fitted(value, items, f"{where} 1", inner)]
    return _fitted_scalar(value, kinds)


def _fitted_object(value: dict[str, Any], kinds: tuple[Any, ...], items: Any, where: str, inner: Inner) -> Any:
    named = _argument(kinds, dict, 1)
    if named is not None:
        return {key: fitted(each, named, f"{where} {key}", inner) for key, each in value.items()}
    struct = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)), None)
    if struct is not None:
        return inner(value, struct, where)
    return plain(value) if items is None else [fitted(value, items, f"{where} 1", inner)]


def _argument(kinds: tuple[Any, ...], container: type, place: int) -> Any:
    """What a container among the types holds; None where there is no such container."""
    return next((get_args(kind)[place] for kind in kinds if get_origin(kind) is container), None)


def _fitted_scalar(value: Any, kinds: tuple[Any, ...]) -> Any:
    if isinstance(value, Written):
        if type(value.value) in kinds and not value.problem:
            return value.value
        if str in kinds and value.text:
            return value.text
        value = plain(value)
    if isinstance(value, str):
        return value if _takes(kinds, value) else _read(value, kinds)
    if isinstance(value, float) and int in kinds and float not in kinds and value.is_integer():
        return int(value)
    if bool in kinds and type(value) is int and value in (0, 1):
        return bool(value)
    return value


def _takes(kinds: tuple[Any, ...], text: str) -> bool:
    return str in kinds or any(text in get_args(kind) for kind in kinds if get_origin(kind) is Literal)


def _read(text: str, kinds: tuple[Any, ...]) -> Any:
    """A text where none is meant: a number or boolean in quotes."""
    if bool in kinds and text.lower() in _YES + _NO:
        return text.lower() in _YES
    if int not in kinds and float not in kinds:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if int in kinds and number.is_integer() else number
