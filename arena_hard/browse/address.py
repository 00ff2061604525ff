"""The state of a page and its query string: a link shows the same thing to a colleague."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from urllib.parse import parse_qsl, urlencode

MOST_CHARACTERS = 400  # of one value; longer ones are no address that a page ever wrote

SHOWN = {
    "": "every game",
    "disagree": "the two games disagree",
    "unreadable": "a verdict is unreadable",
    "cutoff": "an answer is cut off",
    "missing": "not judged yet",
    "won": "the model won",
    "lost": "the baseline won",
    "even": "neither won",
}


@dataclass(frozen=True)
class View:
    """What is looked at. Every value comes from outside: it is compared with what is known, never
    used as a path. `model` and `question` choose, `at` is the model shown while all are chosen."""

    tab: str = "leaderboard"
    bench: str = ""
    judge: str = ""
    model: str = ""
    other: str = ""
    at: str = ""
    question: str = ""
    category: str = ""
    cluster: str = ""
    first: str = ""
    second: str = ""
    show: str = ""
    text: str = ""
    format: str = ""
    rule: str = ""
    sort: str = ""
    name: str = ""

    def but(self, **changes: str) -> View:
        """The same view with some values changed."""
        return replace(self, **changes)


NAMES = tuple(f.name for f in fields(View))


def parse(query: str) -> View:
    """A view from a query string ('?tab=games&…'); what is unknown or too long is passed over."""
    pairs = parse_qsl(query.lstrip("?")[:20_000])
    known = {key: value for key, value in pairs if key in NAMES and len(value) <= MOST_CHARACTERS}
    return View(**known)


def href(view: View) -> str:
    """The query string of a view: what is not at its default, in a fixed order."""
    pairs = [(name, getattr(view, name)) for name in NAMES]
    return "?" + urlencode([(name, value) for name, value in pairs if value])
