"""TLS: whom an endpoint trusts, and what is wrong where no encrypted connection comes about."""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2

from arena_hard.data.certificates import certificates_in, certificates_of, check_certificates
from arena_hard.data.records import UserError

Verify = bool | str
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # that name whom to trust
LOOK_SECONDS = 5.0
WAIT_SECONDS = 1.0  # in which a server that wants no request hangs up

SPEAKS_TLS = "the server speaks TLS on this port. Write https:// instead of http:// in api_base."
_CLIENT_CERTIFICATE = "the server wants a certificate of the client ({}), which is not supported here."
MAY_WANT_CERTIFICATE = (
    "; the server hangs up as soon as TLS is set up, as those do that want a certificate of the client, which is not "
    "supported here"
)
# OpenSSL's numbers for what it found wrong with a certificate
_TOO_EARLY, _TOO_LATE, _SELF_SIGNED, _SELF_SIGNED_ROOT, _UNKNOWN, _UNKNOWN_LEAF = 9, 10, 18, 19, 20, 21
_OTHER_HOST, _OTHER_ADDRESS = 62, 64
_IF_YOU_TRUST_IT = (
    "If you trust it, write verify: FILE into the endpoint, with its certificate or its authority's, or verify: false"
)
_CERTIFICATE_FAULTS = {
    _TOO_EARLY: "the server's certificate is not valid yet. Set the clock of this machine right, or have it renewed",
    _TOO_LATE: "the server's certificate has expired. Have it renewed, or write verify: false to ask all the same",
    _SELF_SIGNED: f"the server's certificate is self-signed. {_IF_YOU_TRUST_IT}",
    _SELF_SIGNED_ROOT: f"the server's certificate comes from an authority of its own (self-signed). {_IF_YOU_TRUST_IT}",
    _UNKNOWN: f"the server's certificate comes from an authority that is not trusted here. {_IF_YOU_TRUST_IT}",
    _UNKNOWN_LEAF: f"the server's certificate comes from an authority that is not trusted here. {_IF_YOU_TRUST_IT}",
}
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
)
# words within OpenSSL's reasons for a handshake that two sides will never finish
_NO_AGREEMENT = (
    "HANDSHAKE_FAILURE",
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "NO_SHARED",
    "NO_PROTOCOLS",
    "TOO_SMALL",
    "TOO_WEAK",
    "LEGACY_RENEGOTIATION",
    "UNRECOGNIZED_NAME",
    "INSUFFICIENT_SECURITY",
)
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE_UNKNOWN", "ALERT_UNKNOWN_CA")


class Unusable(httpx2.ConnectError):
    """No connection, and none will come about by asking again: the message says what to change."""


def context_for(verify: Verify) -> ssl.SSLContext:
    """What an endpoint trusts: the machine's authorities, only those of a file or folder, or with False anybody.

    Raises UserError that names the key or the environment variable at fault.
    """
    if verify is True:
        return _usual_context()
    if verify is False:
        return httpx2.create_ssl_context(verify=False)
    context = ssl.create_default_context(cadata=_named(verify))
    # who names a certificate trusts just that one, whoever signed it and however it was made
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _usual_context() -> ssl.SSLContext:
    variable = check_certificates(*VARIABLES)
    try:
        context = httpx2.create_ssl_context()
        if variable == "SSL_CERT_DIR":
            context.load_verify_locations(cadata=certificates_of(variable))
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"{variable or 'the certificates of this machine'}: not readable ({error}).") from None
    return context


@functools.cache
def as_file(certificates: str) -> str:
    """A file with these certificates, for libraries that take nothing else; there until Python ends."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(certificates)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


def trusted_file(verify: Verify, *variables: str) -> str | bool:
    """What an endpoint trusts in the terms of requests and its like; True: what the library itself brings along.

    variables: those that such a library reads, before the others. Raises UserError as `context_for` does.
    """
    if verify is False:
        return False
    if verify is not True:
        return as_file(_named(verify))
    variable = check_certificates(*variables, *VARIABLES)
    return as_file(certificates_of(variable)) if variable else True


def _named(verify: str) -> str:
    try:
        return certificates_in(Path(verify))
    except UserError as error:
        raise UserError(f"verify: {verify}: {error}.") from None


def fault(error: BaseException, verify: Verify, key: str = "api_base", *variables: str) -> Unusable | None:
    """What TLS has to do with this error, if it is one that stays; None for all others.

    key: what names the server; variables: what is read of certificates before the usual ones.
    """
    other = next((each for each in _chain(error) if type(each).__name__ == "CertificateError"), None)
    if other is not None:  # urllib3 looks at the host's name itself
        return Unusable(f"{_other_host(str(other), key)}.")
    found = _within(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        return Unusable(f"{_certificate_fault(found, key)}.{_trusted_instead(found, verify, (*variables, *VARIABLES))}")
    reason = str(getattr(found, "reason", None) or "")
    if any(word in reason for word in _NOT_TLS):
        return Unusable(f"the server does not speak TLS on this port. Write http:// instead of https:// in {key}.")
    if any(word in reason for word in _WANTS_CERTIFICATE):
        return Unusable(_CLIENT_CERTIFICATE.format(reason))
    if any(word in reason for word in _NO_AGREEMENT):
        return Unusable(f"the server and this machine agree on no version or cipher of TLS ({reason}).")
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _within(error: BaseException) -> ssl.SSLError | None:
    """The TLS error that an error came from: the innermost, for aiohttp's own are called TLS errors too."""
    return next((each for each in reversed([*_chain(error)]) if isinstance(each, ssl.SSLError)), None)


def reason_of(error: BaseException) -> str:
    """Why there is no connection, in the system's words, where a library has wrapped them; empty where it has none."""
    told = (each for each in reversed([*_chain(error)]) if isinstance(each, OSError) and each.errno and each.strerror)
    return next((str(each.strerror) for each in told), "")


def _other_host(words: str, key: str) -> str:
    return (
        f"the server's certificate is for another host ({words.rstrip('.')}). Write {key} with a name that the "
        "certificate holds; verify: false in the endpoint asks all the same"
    )


def _certificate_fault(error: ssl.SSLCertVerificationError, key: str) -> str:
    if error.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
        return _other_host(error.verify_message, key)
    words = error.verify_message or error.strerror or str(error)
    return _CERTIFICATE_FAULTS.get(
        error.verify_code, f"the server's certificate is refused: {words}. {_IF_YOU_TRUST_IT}"
    )


def _trusted_instead(error: ssl.SSLCertVerificationError, verify: Verify, variables: Sequence[str]) -> str:
    """Where the list of those who are trusted is not the usual one, which it is and who wrote it."""
    if error.verify_code not in (_SELF_SIGNED, _SELF_SIGNED_ROOT, _UNKNOWN, _UNKNOWN_LEAF):
        return ""
    if isinstance(verify, str):
        return f" Trusted is only what {verify} holds (verify)."
    variable = next((name for name in variables if os.environ.get(name)), None)
    return f" Trusted is only what {os.environ[variable]} holds ({variable})." if variable else ""


async def speaks_tls(host: str, port: int) -> bool:
    """Whether a port that did not answer in plain HTTP would have answered in TLS."""
    context = context_for(False)
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=context, server_hostname=host), LOOK_SECONDS
        )
    except ssl.SSLError as error:
        return "ALERT" in str(error.reason)  # a refusal, but in TLS
    except (OSError, asyncio.TimeoutError, ValueError):
        return False
    writer.close()
    return True


async def refusal_after_handshake(host: str, port: int, context: ssl.SSLContext) -> Unusable | str | None:
    """Why a server hangs up after a handshake that went well, where it wants a certificate of the client, or may.

    In TLS 1.3 it says so when the request is on its way already, and whoever writes sees a broken pipe; some hang up
    without a word. None where it waits for a request, as others do.
    """
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=context, server_hostname=host), LOOK_SECONDS
        )
        try:
            came = await asyncio.wait_for(reader.read(1), WAIT_SECONDS)
        finally:
            writer.close()
    except (OSError, asyncio.TimeoutError, ValueError) as error:
        reason = str(getattr(_within(error), "reason", None) or "")
        is_told = any(word in reason for word in _WANTS_CERTIFICATE)
        return Unusable(_CLIENT_CERTIFICATE.format(reason)) if is_told else None
    return None if came else MAY_WANT_CERTIFICATE
