"""The ways in which servers, logs and libraries write a key."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote


def for_pages(key: str) -> str:
    """JSON that may stand in a web page."""
    text = json.dumps(key)[1:-1]
    for sign in "&<>":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


WHOLE: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "json": lambda key: json.dumps(key)[1:-1],
    "json in json": lambda key: json.dumps(json.dumps(key)[1:-1])[1:-1],
    "json, slashes escaped": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "json for pages": for_pages,
    "repr": lambda key: repr(key)[1:-1],
    "repr of bytes": lambda key: repr(key.encode())[2:-1],
    "url": lambda key: quote(key, safe=""),
    "url in url": lambda key: quote(quote(key, safe=""), safe=""),
    "page": html.escape,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "basic": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "basic, for urls": lambda key: base64.urlsafe_b64encode(f":{key}@host".encode()).decode(),
}
SHORTENED: dict[str, Callable[[str], str]] = {
    "both ends": lambda key: f"{key[:5]}…{key[-4:]}",
    "stars": lambda key: f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}",
    "few stars": lambda key: f"{key[:5]}***{key[-4:]}",
    "the end": lambda key: f"****{key[-4:]}",
    "dots": lambda key: f"{key[:10]}...{key[-6:]}",
}


def forms_of(key: str) -> list[str]:
    """A key in all these ways."""
    return list(dict.fromkeys(form(key) for form in (*WHOLE.values(), *SHORTENED.values())))
