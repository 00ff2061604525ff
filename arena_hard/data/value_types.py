"""What a config's value becomes where its type is known: a text as written, a number as YAML reads it.

A value that fits no way is left as it is, for msgspec to name.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from arena_hard.data.places import Place
from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.yaml_files import YES, Written, as_written, for_json, plain

_NO = ("false", "no", "off")
_NONE = ("None", "none")  # what Python says for null, and people write
_SCALARS = (str, int, float, bool)
# a value of any type, of which only what is plainly a number, boolean or null is one: for own providers
LARGEST = sys.float_info.max  # neither infinite nor no number
AsWritten = Annotated[Any, msgspec.Meta(extra={"read": "as written"})]
Inner = Callable[["type[msgspec.Struct]", Place], Any]


def is_null(value: Any, hint: Any) -> bool:
    """Whether a value says nothing: null, the word None where no text is meant, an empty text where it means none."""
    seen = value.value if isinstance(value, Written) and value.problem is None else value
    kinds = kinds_of(hint)
    items = argument(kinds, list, 0)
    if _is_filled_text(kinds_of(items)) and _holds_nothing(value, is_text=str in map(bare, kinds)):
        return True
    if isinstance(value, str) and _is_filled_text(kinds):
        return not value.strip() and types.NoneType in kinds
    return seen is None or (isinstance(value, str) and value in _NONE and str not in map(bare, kinds))


def _is_of_yaml(value: Any) -> bool:
    """Whether YAML reads null here."""
    return isinstance(value, Written) and value.value is None and value.problem is None


def _holds_nothing(value: Any, is_text: bool) -> bool:
    """Whether nothing stands where a list is meant, or a text: nulls alone, an empty mapping; blanks are no list."""
    if isinstance(value, str):
        return not is_text and not value.strip()
    return value == {} or is_list(value) and bool(value) and all(map(_is_of_yaml, value))


def _is_filled_text(kinds: tuple[Any, ...]) -> bool:
    """Whether a text is meant that says something."""
    return any(limits_of(kind) for kind in kinds if bare(kind) is str)


def kinds_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def bare(kind: Any) -> Any:
    """A type without its limits."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def limits_of(kind: Any) -> msgspec.Meta | None:
    """The limits of a type, where it has some."""
    return next((each for each in get_args(kind) if isinstance(each, msgspec.Meta)), None)


def argument(kinds: tuple[Any, ...], container: type, place: int) -> Any:
    """What a container among the types holds; None where there is no such container."""
    return next((get_args(kind)[place] for kind in kinds if get_origin(kind) is container), None)


def fitted(value: Any, hint: Any, where: Place, inner: Inner) -> Any:
    """A value in the type that is meant; one alone where a list is meant is a list of one.

    inner: reads a mapping that is a struct; it gets the struct and where the mapping stands.
    """
    kinds = kinds_of(hint)
    if any(bare(kind) is Any for kind in kinds):
        return as_written(value) if AsWritten in kinds else for_json(value)
    items = argument(kinds, list, 0)
    value = plain(value) if isinstance(value, set) else value
    if is_list(value):
        if items is None:
            return as_written(value)
        nulls = {number for number, each in enumerate(value) if _is_of_yaml(each) and _is_filled_text(kinds_of(items))}
        return [
            None if number in nulls else fitted(each, items, where.item(number + 1), inner)
            for number, each in enumerate(value)
        ]
    if is_object(value):
        return _fitted_object(value, kinds, items, where, inner)
    if types.NoneType in kinds and is_null(value, hint):
        return None
    types_alone = tuple(map(bare, kinds))
    if items is not None and not is_null(value, hint) and not any(each in types_alone for each in _SCALARS):
        return [fitted(value, items, where.item(1), inner)]
    blank = isinstance(value, str) and not value.strip() and _is_filled_text(kinds)
    return "" if blank else _fitted_scalar(value, types_alone)


def _fitted_object(value: dict[str, Any], kinds: tuple[Any, ...], items: Any, where: Place, inner: Inner) -> Any:
    named = argument(kinds, dict, 1)
    if named is not None:
        return {str(key): fitted(each, named, where.at(key), inner) for key, each in value.items()}
    struct = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)), None)
    if struct is not None:
        return inner(struct, where)
    return plain(value) if items is None else [fitted(value, items, where.item(1), inner)]


def _fitted_scalar(value: Any, kinds: tuple[Any, ...]) -> Any:
    if isinstance(value, Written):
        if type(value.value) in kinds and not value.problem:
            return value.value
        if str in kinds and value.text:
            return value.text
        value = value.text if value.problem else value.value
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
    if bool in kinds and text.lower() in YES + _NO:
        return text.lower() in YES
    if int not in kinds and float not in kinds:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if int in kinds and number.is_integer() else number
