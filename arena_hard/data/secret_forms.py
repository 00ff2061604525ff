"""How a key may stand in a text: plain, escaped, in base64, shortened; and which pieces of it to look for first."""

from __future__ import annotations

import base64
import functools
import html
import json
import re
import string
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 8  # a shorter text is no secret: it stands in ordinary words
_SURE = 16  # of this length no text is an ordinary word
_CUT = 8  # the least that a shortened key shows of its beginning where nothing stands for the rest of it
_TAIL = 4  # the least that it shows of its end alone
_MOST_SHOWN = 12
# What people write where a server wants no key, and what documentation writes in its place.
_PLACEHOLDER = re.compile(
    r"(?i)(?:sk|pk|key|token|api|bearer|abc|xyz|test|dummy|fake|foo|bar|not?|none|null|empty|your|my|example|sample|"
    r"placeholder|change|local|host|any|needed|required|necessary|used|here|me|something|secret|pass|word|admin|user|"
    r"lm|studio|v?llm|ollama|llama|cpp|sglang|tgi|server|openai|0?123(?:4(?:5(?:6(?:7(?:89?0?)?)?)?)?)?|[x*<>_. -])+"
)
_LONGEST_PLACEHOLDER = 48
# What all keys of a provider begin with, so that it tells nothing of one.
_COMMON_START = re.compile(
    r"(?:sk|pk|rk|key|token|gsk|xai|hf|ghp|gho|github_pat|glpat|r8|nvapi|pplx|fw|csk|tgp|AIza(?:Sy)?|AKIA|ASIA|ya29|"
    r"eyJ[\w-]+\.|bedrock-api-key|ABSK)(?:[-_.]*(?:proj|svcacct|admin|None|ant|api\d\d|or|v\d|live|test|short-term))*[-_.]*"
)
_HIDDEN = {"*": 1, "…": 1, "•": 1, "●": 1, "·": 1, ".": 2, "x": 3, "X": 3, "#": 3, "-": 3, "_": 3}  # at least so many
_FAR = 200  # characters that are looked at to both sides, for a text may hold nothing but such signs
_IN_BASE64 = frozenset(string.ascii_letters + string.digits + "+/=-_")
_WORD_ENDS = frozenset(" \t\r\n\"'\\,;<>&)]}")


def is_placeholder(text: str) -> bool:
    """Whether a text is what people write where a server wants no key."""
    return len(text) <= _LONGEST_PLACEHOLDER and _PLACEHOLDER.fullmatch(text) is not None


def is_secret(text: str) -> bool:
    """Whether a key is one: no placeholder, and nothing that stands in ordinary texts."""
    if len(text) < SHORTEST or len(set(text)) < 4 or is_placeholder(text):
        return False
    if len(text) >= _SURE:
        return True
    letters = any(sign.isalpha() for sign in text)
    others = any(not sign.isalpha() and sign not in "-_. " for sign in text)
    return (letters and others) or re.search(r"[a-z][A-Z]", text) is not None


def whole_runs(key: str) -> list[str]:
    """One piece for each way in which the whole key may be written, in a text and in the JSON of that text."""
    run = _longest_run(key[_common(key) :])
    cores = _within_base64(key.encode("utf-8", "surrogatepass"))
    in_json = {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms_of(key)}
    return [*([run] if run else in_json.union(forms_of(key))), *(_longest_run(core) or core for core in cores)]


def cut_runs(key: str) -> list[str]:
    """A piece for each way in which a key is shortened."""
    return [_shown_start(key)[-6:], key[-_TAIL:]]


def without(text: str, key: str, mask: str) -> str:
    """A text with a mask in place of a key, however it is written."""
    for form in forms_of(key):
        text = text.replace(form, mask)
    for core in _coded_forms(key):
        text = _replaced(text, core, functools.partial(_around_base64, length=len(core)), mask)
    text = _replaced(text, _shown_start(key), functools.partial(_from_its_start, key=key), mask)
    return _replaced(text, key[-_TAIL:], functools.partial(_to_its_end, key=key), mask)


@functools.lru_cache(maxsize=256)
def forms_of(key: str) -> tuple[str, ...]:
    """The whole key as JSON, Python, URLs and web pages write it, and one within another; the longest first."""
    once = {way(key) for way in _WAYS} | {key}
    return tuple(sorted(once | {way(form) for way in _WAYS for form in once}, key=len, reverse=True))


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


_WAYS: tuple[Callable[[str], str], ...] = (
    _json,
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: _json(text).replace("/", "\\/"),
    lambda text: "".join(f"\\u{ord(sign):04x}" if sign in "<>&" else sign for sign in _json(text)),
    lambda text: repr(text)[1:-1],
    lambda text: repr(text.encode("utf-8", "surrogatepass"))[2:-1],
    lambda text: quote(text, safe="", errors="surrogatepass"),
    lambda text: quote(text, errors="surrogatepass"),
    lambda text: re.sub("%..", lambda byte: byte[0].lower(), quote(text, safe="", errors="surrogatepass")),
    lambda text: quote_plus(text, errors="surrogatepass"),
    html.escape,
)


@functools.lru_cache(maxsize=256)
def _coded_forms(key: str) -> tuple[str, ...]:
    cores = list(_within_base64(key.encode("utf-8", "surrogatepass")))
    cores += [core.replace("+", "-").replace("/", "_") for core in cores]
    return tuple(dict.fromkeys(form for core in cores for form in forms_of(core)))


# --------------------------------------------------------------------------------- shortened keys

Reach = Callable[[str, int], tuple[int, int] | None]


def _replaced(text: str, piece: str, reach: Reach, mask: str) -> str:
    """A text with a mask for each occurrence of a piece, with what `reach` says belongs to it; None leaves it there."""
    parts: list[str] = []
    last, at = 0, text.find(piece)
    while at >= 0:
        span = reach(text, at)
        if span is not None:
            parts += [text[last : max(last, span[0])], mask]
            last = span[1]
        at = text.find(piece, max(last, at + 1))
    return "".join(parts) + text[last:]


def _around_base64(text: str, at: int, length: int) -> tuple[int, int]:
    """The base64 that holds a key, with what stands beside it: a user's name, the scheme of a header."""
    start, end = at, at + length
    while start > max(0, at - _FAR) and text[start - 1] in _IN_BASE64:
        start -= 1
    while end < min(len(text), at + length + _FAR) and text[end] in _IN_BASE64:
        end += 1
    return start, end


def _from_its_start(text: str, at: int, key: str) -> tuple[int, int] | None:
    """A key that is shown from its beginning on, up to what hides the rest, or cut off where it can be no other."""
    end = at
    while end - at < len(key) and text.startswith(key[end - at], end):
        end += 1
    shown = end - at
    hidden = _hidden_after(text, end)
    if hidden:
        return at, hidden + _shown_end(text, hidden, key)
    if not 0 < _head(key) <= shown:
        return None
    while end < min(len(text), at + len(key) + _FAR) and text[end] not in _WORD_ENDS:
        end += 1
    return at, end


def _to_its_end(text: str, at: int, key: str) -> tuple[int, int] | None:
    """A key whose end is shown behind what hides the rest, with what is shown of its beginning."""
    end = at + _TAIL
    if text[end : end + 1].isalnum():
        return None
    while at > 0 and key.endswith(text[at - 1 : end]) and text[at - 1] not in _HIDDEN:
        at -= 1
    start = at
    while start > max(0, at - _FAR) and text[start - 1] in _HIDDEN:
        start -= 1
    if not _hides(text[start:at]):
        return None
    return start - _shown_before(text, start, key), end


def _hidden_after(text: str, at: int) -> int:
    """Where what stands for the hidden part of a key ends; 0 where nothing does."""
    end = at
    while end < min(len(text), at + _FAR) and text[end] in _HIDDEN:
        end += 1
    return end if _hides(text[at:end]) else 0


def _hides(signs: str) -> bool:
    return any(signs.count(sign) >= _HIDDEN[sign] for sign in set(signs))


def _shown_end(text: str, at: int, key: str) -> int:
    """How many characters of a key's end stand at a place."""
    return next((length for length in range(_MOST_SHOWN, 1, -1) if text.startswith(key[-length:], at)), 0)


def _shown_before(text: str, at: int, key: str) -> int:
    """How many characters of a key's beginning stand before a place."""
    return next((length for length in range(2 * _MOST_SHOWN, 0, -1) if text.endswith(key[:length], 0, at)), 0)


def _shown_start(key: str) -> str:
    """The shortest beginning of a key that tells of this one, where it is followed by what stands for the rest."""
    common = _common(key)
    return key[: common + 3] if common else key[:_CUT]


@functools.lru_cache(maxsize=256)
def _head(key: str) -> int:
    """How much of a key's beginning cannot be an ordinary word; 0 where all of it may be."""
    start = _common(key)
    for length in range(start + _CUT, len(key)):
        told = key[start:length]
        if re.search(r"[0-9]", told) and re.search(r"[A-Za-z]", told) or re.search(r"[a-z][A-Z]", told):
            return length
    return 0


@functools.lru_cache(maxsize=256)
def _common(key: str) -> int:
    found = _COMMON_START.match(key)
    return found.end() if found and found.end() <= len(key) - SHORTEST and not key[found.end() - 1].isalpha() else 0


def _longest_run(text: str) -> str:
    """Letters and digits that are the same in every way of writing; '' where too few stand together."""
    runs = [run for run in re.findall(r"[A-Za-z0-9]+", text) if len(run) > 4 or (len(run) > 3 and not run.isalpha())]
    return max(runs, key=lambda run: (not run.isalpha(), len(run)), default="")


def _within_base64(raw: bytes) -> Iterator[str]:
    """What base64 makes of these bytes within others: three texts, by where they begin."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first, last = (0, 2, 3)[before], len(coded) - ((before + len(raw)) % 3 > 0)
        yield coded[first:last]  # the characters that depend on nothing but the key
