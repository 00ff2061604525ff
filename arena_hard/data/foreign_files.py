"""What lies in the place of a file: a Git LFS pointer, a web page, an archive; named, with what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

_DOWNLOAD = "Download the file itself"
_UNPACK = "Unpack it first"
_KINDS = (
    ((b"version https://git-lfs",), "is a Git LFS pointer, not the file itself. Run `git lfs pull` in its repository"),
    ((b"/annex/objects/",), "is a git-annex pointer, not the file itself. Run `git annex get` in its repository"),
    ((b"<!doctype", b"<html", b"<head", b"<body"), f"is a web page (HTML), not the file itself. {_DOWNLOAD}"),
    ((b"<?xml", b"<error"), f"is a server's message (XML), not the file itself. {_DOWNLOAD}"),
    (
        (b"404: not found", b"not found", b"entry not found", b"repository not found", b"access denied",
         b"access to ", b"invalid username", b"401: ", b"403: "),
        f"is a server's message, not the file itself. {_DOWNLOAD}",
    ),
    ((b"\x1f\x8b",), f"is compressed (gzip). {_UNPACK}"),
    ((b"pk\x03\x04",), f"is an archive (zip). {_UNPACK}"),
    ((b"\x28\xb5\x2f\xfd",), f"is compressed (zstd). {_UNPACK}"),
    ((b"bzh",), f"is compressed (bzip2). {_UNPACK}"),
    ((b"\xfd7zxz",), f"is compressed (xz). {_UNPACK}"),
    ((b"par1",), "is a Parquet file, not JSONL. Convert it"),
    ((b"\xff\xfe", b"\xfe\xff"), "is in UTF-16. Save it as UTF-8"),
)  # fmt: skip


_MESSAGE = re.compile(rb'\{\s*"(?:errors?|detail|message|msg|status(?:_?code)?|code|title)"\s*:')  # of no record
_NEXT_ROW = re.compile(rb"\}[^\S\n]*\n\s*\{")  # a message is one object; a second one makes it JSONL
_ID = re.compile(rb'"(?:question_id|uid)"\s*:')

_WHOLE = (
    (re.compile(rb"\[\s*(?:\{|\]|$)"), "is one JSON array", "jq -c '.[]'"),
    (re.compile(rb"\{[^\S\r\n]*(?:\r\n|\n)"), "holds JSON objects over several lines each", "jq -c ."),
)


def misfit(file: Path) -> str | None:
    """What a file is that is no JSONL, though the whole may be readable as something else; else None."""
    foreign = foreign_kind(file)
    if foreign:
        return foreign
    start = _start_of(file)
    for beginning, words, remedy in _WHOLE:
        if beginning.match(start):
            return (
                f"{file} {words}, not one record per line. Write each on a line of its own "
                f"(`{remedy} FILE > NEW`, and NEW in the place of FILE), then run again."
            )
    return None


def foreign_kind(file: Path) -> str | None:
    """What a file is that cannot be read, with the remedy, in a sentence; None where nothing is known of it."""
    start = _start_of(file).lower()
    for beginnings, words in _KINDS:
        if start.startswith(beginnings):
            return f"{file} {words}, then run again."
    if _MESSAGE.match(start) and not _ID.search(start) and not _NEXT_ROW.search(start):
        return f"{file} is a server's message (JSON), not the file itself. {_DOWNLOAD}, then run again."
    if b"\0" in start[:2]:
        return f"{file} is in UTF-16. Save it as UTF-8, then run again."
    return None


def _start_of(file: Path) -> bytes:
    """The first bytes of a file without a mark or blanks before them; nothing where it cannot be read."""
    try:
        with open(file, "rb") as stream:
            return stream.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return b""
