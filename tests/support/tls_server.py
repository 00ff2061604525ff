"""Certificates made on the spot, and servers that speak TLS with them."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import shutil
import socket
import ssl
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.batch_server import batch_server

HERE = "127.0.0.1"


class Authority:
    """An authority that nobody knows. file: its certificate; leaf: the one it issued last."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.folder = Path(tempfile.mkdtemp(prefix="authority"))
        weakref.finalize(self, shutil.rmtree, self.folder)
        self.file = self.folder / "authority.pem"
        self._ca.cert_pem.write_to_path(str(self.file))
        self.leaf = ""

    def serving(self, name: str, since: datetime.timedelta | None = None) -> ssl.SSLContext:
        """A server's context with a certificate for this name, valid for a day from `since` on, or for long."""
        times: dict[str, Any] = {}
        if since is not None:
            start = datetime.datetime.now(datetime.timezone.utc) + since
            times = {"not_before": start, "not_after": start + datetime.timedelta(days=1)}
        certificate = self._ca.issue_cert(name, **times)
        self.leaf = certificate.cert_chain_pems[0].bytes().decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    @property
    def self_signed_file(self) -> Path:
        """The certificate of `self_signed`."""
        return self.folder / "self.pem"

    def self_signed(self) -> ssl.SSLContext:
        """A server's context as `openssl req -x509` makes it: the certificate vouches for itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HERE)])
        now = datetime.datetime.now(datetime.timezone.utc)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HERE))])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(names, critical=False)
            .sign(key, hashes.SHA256())
        )
        self.self_signed_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / "self.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.self_signed_file, self.folder / "self.key")
        return context


def reply_of(body: dict[str, Any]) -> dict[str, Any]:
    """A reply that is read as one of OpenAI and as one of Anthropic."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fine"}}
    return {
        "model": "m",
        "choices": [choice],
        "content": [{"type": "text", "text": "fine"}],
        "stop_reason": "end_turn",
    }


@contextmanager
def served(context: ssl.SSLContext) -> Iterator[str]:
    """The base of a server in a thread of its own that answers every call, live and in batches."""
    with batch_server(reply_of, context) as server:
        yield f"{server.address}/v1"


@contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[str]:
    """The base of a server that says with a TLS alert why it refuses, as OpenSSL does over a blocking socket."""
    listener = socket.create_server((HERE, 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
                stream.recv(1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"https://{HERE}:{listener.getsockname()[1]}/v1"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
