"""What a server may not take, told by nothing but failures: a form of constraint, or probabilities.

Most servers name the parameter that they refuse, or ignore it. Others answer it with an error of their own, a web page
or nothing at all. What has never once been answered well at an endpoint is left out when its tries are used up, and
asked for again where the request failed without it too. Where it helped, a later request asks for it once more: it may
have been the server that was out of order, and has come back. What a server says of itself (503) raises no doubt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

import msgspec

from arena_hard.calling.providers.base import CallError, Dialect
from arena_hard.calling.providers.constraints import asked_for
from arena_hard.calling.providers.lessons import is_of_size_or_content
from arena_hard.calling.providers.token_odds import FEW

LOGPROBS_HOLD = "logprobs hold"  # a request for them was answered
_REFUSED = re.compile(r"(?:400|422|501)\b")
_OUT_OF_ORDER = re.compile(r"(?:503|504|529)\b")


class Doubts(msgspec.Struct):
    """Those of one call: what was asked for in vain and where, what was left out for it, and the forms given up.

    refused: what of it the server did refuse, if without a word.
    """

    tries: dict[str, list[Dialect]] = {}
    left_out: list[tuple[Dialect, str]] = []
    refused: set[str] = set()
    forms: list[tuple[Dialect, str]] = []
    last: str | None = None

    def lesson(
        self, error: CallError, body: Mapping[str, Any], spoken: Set[str], dialect: Dialect, attempts: int
    ) -> str | None:
        """What to leave out from now on, if anything, after a failure that gives no better reason.

        spoken: the dialect of the body; dialect: what was learnt by now, by other calls too.
        """
        is_refusal = _REFUSED.match(error.message) is not None
        if not _says_nothing(error, is_refusal):
            return None
        self.last = what = _unproven(body, spoken, dialect, is_refusal)
        if what is None or what in dialect:
            return what
        self.tries.setdefault(what, []).append(dialect)
        if is_refusal:
            self.refused.add(what)
        elif len(self.tries[what]) < attempts and _once_more(what) not in dialect:
            return None
        self._leave_out(what)
        return what

    def learnt(self, dialect: Dialect, lesson: str) -> None:
        """A refusal taught this."""
        self.forms.append((dialect, lesson))

    def helped(self) -> None:
        """An answer came."""
        for dialect, what in self.left_out:
            if what in self.refused or _once_more(what) in dialect:
                dialect.add(_sure(what))
            elif _sure(what) not in dialect:
                dialect.discard(what)
                dialect.add(_once_more(what))

    def withdrawn(self) -> None:
        """None did: what was left out was not the reason."""
        for dialect, what in self.left_out:
            if _sure(what) not in dialect:
                dialect.discard(what)

    def _leave_out(self, what: str) -> None:
        for dialect in self.tries[what]:
            dialect.add(what)
            self.left_out.append((dialect, what))
        if what.endswith("logprobs"):  # without any form the request has failed: no form was the reason
            for dialect, lesson in [*self.forms, *self.left_out]:
                if not lesson.endswith("logprobs"):
                    dialect.discard(lesson)
        else:
            self.forms += [(dialect, what) for dialect in self.tries[what]]


def _sure(what: str) -> str:
    return f"{what}, for sure"


def _once_more(what: str) -> str:
    return f"{what}, asked once more"


def _says_nothing(error: CallError, is_refusal: bool) -> bool:
    """Whether an error may be about anything in the request; not one of the line, of its size or of its words."""
    if error.endpoint_wide or error.too_long or error.unheard or error.finish_reason is not None:
        return False
    if error.busy or _OUT_OF_ORDER.match(error.message):
        return False
    if is_refusal:
        return not is_of_size_or_content(error.message)
    return error.kind == "transient"


def _unproven(body: Mapping[str, Any], spoken: Set[str], dialect: Set[str], is_refusal: bool) -> str | None:
    """What a body asks for that has not been answered well before: its form, else the probabilities."""
    asked = asked_for(body)
    if asked:
        return None if f"{asked[0]} holds" in dialect else f"no {asked[0]}"
    if not body.get("logprobs") or LOGPROBS_HOLD in dialect or "no logprobs" in spoken:
        return None
    fewer = is_refusal and (body.get("top_logprobs") or 0) > FEW and "few logprobs" not in spoken
    return "few logprobs" if fewer else "no logprobs"
