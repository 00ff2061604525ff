"""Environment variables that stand in config files, in the ways in which people write them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from arena_hard.data.records import UserError

# anywhere in a text: ${NAME}, ${env:NAME}, and with what counts where it is not set: ${NAME:-default}
_WITHIN = re.compile(r"\$\{\s*(?:env[:.])?([A-Za-z_]\w*)\s*(?::-([^}]*))?\}")
# in place of a whole value, as LiteLLM, shells, Python, Windows and templates have them
_NO_NAME = re.compile(r"\$\{[\w.:-]*\}")
_WHOLE = re.compile(
    r"""\s*(?: \$(?:env:)?(?P<shell>[A-Za-z_]\w*) | (?:os\.environ|env)[/:](?P<path>\w+)
        | (?:os\.)?(?:getenv|environ(?:\.get)?)[(\[]\s*["'](?P<python>\w+)["']\s*[)\]]
        | %(?P<windows>\w+)% | \{\{\s*(?:env\.)?(?P<template>\w+)\s*\}\} )\s*""",
    re.VERBOSE,
)


def fill_from_environment(text: str | None, where: str) -> str | None:
    """The text with each ${NAME} replaced by that environment variable. Raises UserError for one that is not set.

    A whole value may be $NAME, os.environ/NAME, os.environ["NAME"], env:NAME, %NAME% or {{ NAME }} as well.
    """

    def value(match: re.Match[str]) -> str:
        known = _value(match)
        if known is None:
            name = _name(match)
            raise UserError(f"{where}: the environment variable {name} is not set. Run: export {name}=...")
        return known

    filled = None if text is None else _replaced(text, value)
    wrong = _NO_NAME.search(text or "") if filled == text else None
    if wrong:
        raise UserError(f"{where}: {wrong.group()} names no environment variable. Write it like ${{MY_VARIABLE}}.")
    return filled


def with_environment(text: str) -> str:
    """The text with each variable replaced that is set."""

    def value(match: re.Match[str]) -> str:
        known = _value(match)
        return match.group() if known is None else known

    return _replaced(text, value)


def names_variable(text: str) -> bool:
    """Whether a text has an environment variable in it."""
    return bool(_WHOLE.fullmatch(text) or _WITHIN.search(text))


def _replaced(text: str, value: Callable[[re.Match[str]], str]) -> str:
    whole = _WHOLE.fullmatch(text)
    return value(whole) if whole else _WITHIN.sub(value, text)


def _name(match: re.Match[str]) -> str:
    return match.group(1) if match.re is _WITHIN else next(filter(None, match.groups()))


def _value(match: re.Match[str]) -> str | None:
    """What a variable holds, or what is to count instead; an empty one is not set."""
    return os.environ.get(_name(match)) or (match.group(2) if match.re is _WITHIN else None)
