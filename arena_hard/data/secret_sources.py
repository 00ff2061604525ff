"""Where keys come from: the names under which configs, the environment and files of credentials hold them."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from arena_hard.data import secrets
from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.secret_forms import is_secret
from arena_hard.data.variables import names_variable, with_environment
from arena_hard.data.yaml_files import Written

_NAMES = re.compile(
    r"(?i)secret|passw|passphrase|credential|authorization|cookie|signature"
    r"|(?:api|access|private|subscription|auth|account|master|client|functions)[-_]?key"
    r"|(?:access|auth|bearer|session|refresh|security|api|id)[-_]?token|(?:^|[-_.])(?:key|token|auth|pat|sig|code|pwd)$"
)
_NO_NAMES = re.compile(
    r"(?i)(?:file|path|dir|url|uri|type|count|limit|region|profile|endpoint|expiry|expires_?(?:in|at)?)$|cache[-_]key$"
    r"|(?:bos|eos|pad|unk|sep|cls|mask|think|stop|start|end|image|special|prefix|suffix)[-_]token$|^(?:old)?pwd$|^google_application_credentials$"
)
_SCHEME = re.compile(r"(?i)(bearer|basic|token|api-?key|key)\s+(\S.*)")
_ASSIGNED = re.compile(r"(?:(?<![\w-])--?([\w-]+)(?:=|\s+)|\b(\w+)=)(\"[^\"]*\"|'[^']*'|[^\s\"']+)")
_ENVIRONMENT = "environment "


def is_secret_name(name: str) -> bool:
    """Whether a config key, a header, an option or a variable of this name holds a key."""
    return bool(_NAMES.search(name)) and not _NO_NAMES.search(name)


def know_environment() -> None:
    """The keys that the environment holds, and the passwords in its addresses."""
    for name, value in os.environ.items():
        if "://" in value:
            _know_address(value, _ENVIRONMENT + name)
        elif is_secret_name(name) and is_secret(value):  # a word such as true would be hidden in messages
            _know(value, _ENVIRONMENT + name)


def know_config(values: Any, place: str = "", secret: bool = False) -> None:
    """The keys in a config: texts under names of keys, in addresses, and on command lines; ${NAME} is filled in.

    place: where in the config the values stand; secret: whether they stand under the name of a key.
    """
    if is_object(values):
        for name, value in values.items():
            know_config(value, f"{place}.{name}".strip("."), is_secret_name(name))
    elif is_list(values):
        for number, value in enumerate(values):
            know_config(value, f"{place}.{number}", secret)
    elif isinstance(values, str | Written):
        _know_text(with_environment(values if isinstance(values, str) else values.text), place, secret)


def know_file(file: Path) -> None:
    """The keys in a JSON file of credentials; one that cannot be read has none to show."""
    try:
        know_config(msgspec.json.decode(file.read_bytes()))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return


def know_login(text: str) -> None:
    """A user and password, as USER:PASSWORD."""
    know_all([text, text.partition(":")[2]])


def know_all(texts: Iterable[str | None]) -> None:
    """Keys that are in use."""
    for text in texts:
        secrets.know(text)


def _know_text(text: str, place: str, secret: bool) -> None:
    if names_variable(text):
        return  # one that is not set
    if "://" in text and " " not in text.strip():
        _know_address(text, place)
    elif secret:
        _know(text, place)
    elif " " in text and place.endswith("serve"):
        for option, variable, value in _ASSIGNED.findall(text):
            know_config({option or variable: value.strip("\"'")}, place)


def _know(text: str, place: str) -> None:
    """A key, and what of it stands for it alone: without the scheme of a header, the password behind a user's name."""
    if _is_path(text):
        return
    secrets.know(text, place)
    scheme = _SCHEME.fullmatch(text.strip())
    if not scheme:
        return
    secrets.know(scheme[2])
    try:
        login = base64.b64decode(scheme[2], validate=True).decode() if scheme[1].lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return
    know_login(login)


def _is_path(text: str) -> bool:
    """Whether a file of keys is named, not a key given."""
    try:
        place = Path(text).expanduser()
        return text[:1] in ("/", "~", ".") and (bool(place.suffix) or place.exists())
    except (OSError, RuntimeError, ValueError):
        return False


def _know_address(text: str, place: str) -> None:
    """The password in an address, and the keys among its parameters."""
    try:
        parts = urlsplit(text.strip())
        login = parts.password or parts.username or ""
    except ValueError:
        return
    secrets.know(unquote(login), f"{place} (password)")
    for name, value in parse_qsl(parts.query):
        if is_secret_name(name):
            secrets.know(value, f"{place} ({name})")
