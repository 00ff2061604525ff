"""The ways in which servers, logs and libraries write a key, keys for tests, and where a run has left one."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

KEY = 'sk-Zq7/xW9+kLm"2=Vb4TgR8'
IN_BODY = "cred-8H/fk+20=dLw\\Qz31v"  # a credential among the fields of a request
OF_ENVIRONMENT = "hf_Tn6wB3mQ9xKe5RuYc2Lp"
PASSWORD = "pR0xy&w/ord#77"
ALL = (KEY, IN_BODY, OF_ENVIRONMENT, PASSWORD)
ENVIRONMENT = {"HF_TOKEN": OF_ENVIRONMENT, "HTTPS_PROXY": "http://me:pR0xy%26w%2Ford%2377@127.0.0.1:9"}


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


def leaks(folder: Path, printed: str, keys: tuple[str, ...] = ALL) -> list[tuple[str, str]]:
    """Each file of a folder, but for the configs, and each stream that has a key in some form, with the form."""
    left = [file for file in folder.rglob("*") if file.is_file() and "config" not in file.parts]
    texts = {str(file): file.read_text(encoding="utf-8") for file in left} | {"printed": printed}
    return [(name, form) for name, text in texts.items() for key in keys for form in forms_of(key) if form in text]
