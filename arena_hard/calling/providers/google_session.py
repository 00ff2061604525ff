"""How Google's token servers are reached: with the proxy and the certificates that a model's own server has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from arena_hard.calling.providers import tls
from arena_hard.calling.providers.base import CallError, without_secrets
from arena_hard.data.environment import Proxy, proxy_for

TOKEN_SERVER = "https://oauth2.googleapis.com/token"  # where the credentials name no other
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # what requests reads


@dataclass(frozen=True)
class TokenServer:
    """The server that credentials name, and what its connections need."""

    address: str
    verify: tls.Verify
    trusted: str | bool
    proxy: Proxy | None

    def session(self) -> Any:
        """A session of requests, which reads no variable itself."""
        import requests

        session = requests.Session()
        session.trust_env = False
        session.max_redirects = 0  # what it sends is for the server that the credentials name alone
        session.verify = self.trusted
        session.proxies = {"https": self.proxy.url} if self.proxy else {}
        return session

    def failure(self, error: Exception) -> CallError:
        """Why no token came, and what may help."""
        import requests
        from google.auth import exceptions

        said = without_secrets(str(error.args[0] if error.args else error)).rstrip(". ")
        unusable = tls.fault(error, self.verify, "token_uri in the credentials", *_CERTIFICATES)
        reason = unusable or tls.reason_of(error)
        host = urlsplit(self.address).netloc.rpartition("@")[2]
        if isinstance(error, (exceptions.GoogleAuthError, OSError)):
            passing = isinstance(error, (exceptions.TransportError, OSError)) or getattr(error, "retryable", False)
            way = f" (through the proxy of {self.proxy.variable})" if reason and self.proxy else ""
            said = f"{reason or said}{way}"
        else:
            passing = True
            said = f"its reply holds none ({type(error).__name__}: {said}). Is token_uri in the credentials right?"
        is_moved = any(isinstance(each, requests.TooManyRedirects) for each in error.args)
        if is_moved:
            said = "it redirects, which is not followed. Is token_uri in the credentials right?"
        passing = passing and unusable is None and not is_moved
        kind = "transient" if passing else "final"
        text = f"no access token of Google from {host}: {said}"
        return CallError(kind, text, endpoint_wide=not passing, not_taken=True)


def token_server(credentials: Any, verify: tls.Verify) -> TokenServer:
    """The server of some credentials. Raises UserError for a proxy or certificates that cannot be used."""
    address = str(getattr(credentials, "_token_uri", None) or TOKEN_SERVER)
    is_plain = address.startswith("http:")
    trusted = True if is_plain else tls.trusted_file(verify, *_CERTIFICATES)
    return TokenServer(address, verify, trusted, None if is_plain else proxy_for(address, socks="pysocks"))
