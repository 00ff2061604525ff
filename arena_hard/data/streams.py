"""stdout and stderr of any terminal: what its encoding cannot hold is spelled otherwise, and no key is shown."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TextIO

from arena_hard.data import secrets

_HANDLER = "arena_hard.spelled"
# Signs whose loss would change what a line says; whatever else an encoding lacks is shown as "?".
_SPELLED = {
    "−": "-",
    "–": "-",
    "—": "-",
    "±": "+-",
    "×": "x",
    "·": "-",
    "→": "->",
    "…": "...",
    "²": "^2",
    "▲": "^",
    "▼": "v",
    "α": "alpha",
    "δ": "delta",
    "κ": "kappa",
    "τ": "tau",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "\u00a0": " ",
    "\u202f": " ",
}


def prepare() -> None:
    """Let both streams take every text. A stream that was closed before the start takes what is sent to it, too."""
    codecs.register_error(_HANDLER, _spelled)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # it also holds the stream's number, which a record file would get otherwise
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)
        _show_no_keys(getattr(sys, name))


def _show_no_keys(stream: TextIO) -> None:
    """Mask what is written from now on. The stream stays the same: its file number, its encoding, its buffer."""
    write = stream.write

    def masked(text: str) -> int:
        return write(secrets.mask(text))

    setattr(stream, "write", masked)  # noqa: B010 - of this one stream, not of its class


def give_up_output() -> None:
    """Nothing more goes to stdout: what it could not take would fail once more when Python ends."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def print_document(text: str) -> None:
    """Print JSON or HTML: UTF-8 in a file or pipe, as both are by definition, whatever the locale is."""
    text = secrets.mask(text)  # the buffer knows nothing of keys
    sys.stdout.flush()
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        print(text)
        return
    sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def locale_remedy(message: str) -> str:
    """A sentence to add where a message speaks of names that the locale has no letters for; else nothing."""
    encoding = sys.getfilesystemencoding()
    try:
        message.encode(encoding)
    except UnicodeEncodeError:
        if encoding != "utf-8":
            return f" File names and arguments are read as {encoding} here: export PYTHONUTF8=1 makes them UTF-8."
    return ""


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """The error handler: what to write for the characters that the encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(_SPELLED.get(sign, "?") for sign in lost), error.end
