"""TLS: whom an endpoint trusts, and what is wrong where no encrypted connection comes about."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import httpx2

from arena_hard.data.environment import check_certificates, check_trusted
from arena_hard.data.records import UserError

Verify = bool | str
LOOK_SECONDS = 5.0

# OpenSSL's numbers for what it found wrong with a certificate
_TOO_EARLY, _TOO_LATE, _SELF_SIGNED, _SELF_SIGNED_ROOT, _UNKNOWN, _UNKNOWN_LEAF = 9, 10, 18, 19, 20, 21
_OTHER_HOST, _OTHER_ADDRESS = 62, 64
_IF_YOU_TRUST_IT = (
    "If you trust it, write verify: FILE into the endpoint, with its certificate or its authority's, or verify: false"
)
_CERTIFICATE_FAULTS = {
    _TOO_EARLY: "the server's certificate is not valid yet. Is the clock of this machine right?",
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
        variable = check_certificates("SSL_CERT_FILE", "SSL_CERT_DIR")
        try:
            return httpx2.create_ssl_context()
        except (OSError, ssl.SSLError) as error:
            raise UserError(f"{variable or 'the certificates of this machine'}: not readable ({error}).") from None
    if verify is False:
        return httpx2.create_ssl_context(verify=False)
    try:
        check_trusted(Path(verify))
    except UserError as error:
        raise UserError(f"verify: {verify}: {error}.") from None
    is_folder = Path(verify).is_dir()
    context = ssl.create_default_context(cafile=None if is_folder else verify, capath=verify if is_folder else None)
    # who names a certificate trusts just that one, whoever signed it and however it was made
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def fault(error: BaseException, verify: Verify) -> Unusable | None:
    """What TLS has to do with this error, if it is one that stays; None for all others."""
    found = _within(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        return Unusable(f"{_certificate_fault(found)}.{_trusted_instead(found, verify)}")
    reason = str(getattr(found, "reason", None) or "")
    if any(word in reason for word in _NOT_TLS):
        return Unusable("the server does not speak TLS on this port. Write http:// instead of https:// in api_base.")
    if any(word in reason for word in _WANTS_CERTIFICATE):
        return Unusable(f"the server wants a certificate of the client ({reason}), which is not supported here.")
    if any(word in reason for word in _NO_AGREEMENT):
        return Unusable(f"the server and this machine agree on no version or cipher of TLS ({reason}).")
    return None


def _within(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error that an error came from: the innermost, for aiohttp's own are called TLS errors too."""
    found = None
    while error is not None:
        found = error if isinstance(error, ssl.SSLError) else found
        error = error.__cause__ or error.__context__
    return found


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
        return (
            f"the server's certificate is for another host ({error.verify_message.rstrip('.')}). Write api_base with a "
            "name that the certificate holds; verify: false in the endpoint asks all the same"
        )
    words = error.verify_message or error.strerror or str(error)
    return _CERTIFICATE_FAULTS.get(
        error.verify_code, f"the server's certificate is refused: {words}. {_IF_YOU_TRUST_IT}"
    )


def _trusted_instead(error: ssl.SSLCertVerificationError, verify: Verify) -> str:
    """Where the list of those who are trusted is not the usual one, which it is and who wrote it."""
    if error.verify_code not in (_SELF_SIGNED, _SELF_SIGNED_ROOT, _UNKNOWN, _UNKNOWN_LEAF):
        return ""
    if isinstance(verify, str):
        return f" Trusted is only what {verify} holds (verify)."
    variable = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), None)
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
