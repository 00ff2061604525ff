"""Certificates that a config or an environment variable names, checked before anything is asked.

OpenSSL finds those of a folder by links that are named after hashes; here all of its certificates are read.
"""

from __future__ import annotations

import os
import re
import ssl
import warnings
from pathlib import Path

from arena_hard.data.records import UserError
from arena_hard.data.yaml_files import ConfigNote

_BLOCK = re.compile(
    rb"-----BEGIN (?P<kind>(?:X509 |TRUSTED )?CERTIFICATE)-----[A-Za-z0-9+/=\s]+-----END (?P=kind)-----"
)
_DER = b"\x30\x82"  # how a certificate in binary begins
_LARGEST = 16_000_000  # bytes of a file with certificates; the others of a folder are none


def check_certificates(*variables: str) -> str | None:
    """The first of these variables that is set, naming what there is to trust. Raises UserError where it cannot be.

    What ends in _FILE names a file, in _DIR folders; the others may name either.
    """
    variable = next((name for name in variables if os.environ.get(name)), None)
    if variable is not None:
        certificates_of(variable)
    return variable


def certificates_of(variable: str) -> str:
    """The certificates that a variable names, one PEM after the other. Raises UserError."""
    kinds = (
        ("file",) if variable.endswith("_FILE") else ("folder",) if variable.endswith("_DIR") else ("file", "folder")
    )
    named = os.environ[variable]
    places = [Path(named)]
    if variable.endswith("_DIR"):
        folders = [Path(each) for each in named.split(os.pathsep) if each]
        places = [folder for folder in folders if folder.is_dir()] or folders
    try:
        return "".join(certificates_in(place, kinds) for place in places)
    except UserError as error:
        raise UserError(f"{variable}={named}: {error}, or run: unset {variable}") from None


def certificates_in(place: Path, kinds: tuple[str, ...] = ("file", "folder")) -> str:
    """The certificates of a file or folder, one PEM after the other. Raises UserError with the reason and a remedy."""
    kind = "folder" if place.is_dir() else "file"
    if place.exists() and kind not in kinds:
        raise UserError(f"that is a {kind}. Name the {kinds[0]} with the certificates to trust")
    if not place.exists():
        raise UserError(f"there is no such {kinds[0]}. Name the {kinds[0]} with the certificates to trust")
    try:
        files = (
            sorted({each.resolve() for each in place.iterdir() if _may_hold_some(each)}) if place.is_dir() else [place]
        )
        blocks = [block for file in files for block in _blocks(file, alone=file == place)]
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror}). Fix its permissions") from None
    if not blocks:
        what = "folder" if place.is_dir() else "file"
        raise UserError(f"that {what} holds no certificate (-----BEGIN CERTIFICATE-----). Name one that does")
    return "".join(dict.fromkeys(blocks))


def _may_hold_some(file: Path) -> bool:
    return file.is_file() and file.stat().st_size <= _LARGEST


def _blocks(file: Path, alone: bool) -> list[str]:
    """The certificates of a file as PEM, without those that OpenSSL cannot read. Of a folder some may be private."""
    try:
        raw = file.read_bytes()
    except OSError:
        if alone:
            raise
        return []
    found = [match.group().decode() + "\n" for match in _BLOCK.finditer(raw)]
    if raw.startswith(_DER):
        found = [ssl.DER_cert_to_PEM_cert(raw)]
    return found if not found or _are_readable(found) else [block for block in found if _are_readable([block])]


def _are_readable(blocks: list[str]) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="".join(blocks))
    except ssl.SSLError:
        return False
    return True


def check_key_log() -> None:
    """Forget SSLKEYLOGFILE where it cannot be written to, with a note: it only shows what TLS hides.

    Python would refuse every connection, and some libraries their import.
    """
    file = os.environ.get("SSLKEYLOGFILE")
    if not file:
        return
    try:
        with open(file, "ab"):
            return
    except OSError as error:
        del os.environ["SSLKEYLOGFILE"]
        warnings.warn(
            f"SSLKEYLOGFILE={file} cannot be written to ({error.strerror}), so no keys of TLS are logged.",
            ConfigNote,
            stacklevel=1,
        )
