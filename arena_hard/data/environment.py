"""The environment variables that decide how a server is reached: proxies, checked (certificates.py has the others).

A variable that cannot work is named, and only where it is needed: an address on this machine needs none.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import urllib.request
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import msgspec

from arena_hard.data.certificates import check_certificates, check_key_log
from arena_hard.data.records import UserError

PROXY_KINDS = ("http", "https", "socks5", "socks5h")
_MODULES = {"pysocks": "socks"}  # what a package is imported as, where that is not its name


class Proxy(msgspec.Struct, frozen=True):
    """A proxy of the environment. variable: who named it; url: with its user and password."""

    variable: str
    url: str

    @property
    def shown(self) -> str:
        """The variable and its value without user and password."""
        front, at, back = self.url.rpartition("@")
        scheme = front.partition("://")[0] + "://" if "://" in front else ""
        return f"{self.variable}={scheme}…@{back}" if at else f"{self.variable}={self.url}"


def proxy_for(url: str, kinds: Sequence[str] = PROXY_KINDS, socks: str = "socksio") -> Proxy | None:
    """The proxy for requests to this URL; None where they go straight to the server.

    What is on this machine is never asked through a proxy. kinds: those that can be used; socks: the package that those
    called socks need. Raises UserError for a proxy that cannot be used.
    """
    target = urlsplit(url)
    if is_local(target.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    kind = next((kind for kind in (target.scheme, "all") if proxies.get(kind)), None)
    if kind is None or _goes_straight(target, proxies.get("no", "")):
        return None
    proxy = Proxy(_variable(kind), proxies[kind] if "://" in proxies[kind] else f"http://{proxies[kind]}")
    _check(proxy, target, kinds, socks)
    return proxy


def stay_on_this_machine() -> None:
    """Forget proxies and certificates in this process, for libraries that read them to ask this machine itself."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        os.environ.pop(name, None)
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"


def reach_out(url: str) -> None:
    """Check what a library will read to reach this address, and keep its calls to this machine off the proxy.

    Raises UserError for a variable that cannot work.
    """
    check_key_log()
    check_certificates("SSL_CERT_FILE", "SSL_CERT_DIR")
    proxy_for(url)
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, (known, "localhost", "127.0.0.1", "::1")))


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _goes_straight(target: SplitResult, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host, its port, a domain that it is in, or a network."""
    host = target.hostname or ""
    port = target.port or (443 if target.scheme == "https" else 80)
    if any(urllib.request.proxy_bypass(name) for name in (host, f"{host}:{port}", f"[{host}]")):
        return True
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return any(entry.startswith("*.") and host.endswith(entry[1:]) or _in_network(host, entry) for entry in entries)


def _in_network(host: str, entry: str) -> bool:
    """Whether an address lies in a network like 10.0.0.0/8."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _variable(kind: str) -> str:
    """Which variable named the proxy; the small letters win, as everywhere."""
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")
    return next((name for name in names if os.environ.get(name)), f"{kind} proxy of the system")


def _check(proxy: Proxy, target: SplitResult, usable: Sequence[str], socks: str) -> None:
    """Raises UserError for a proxy that no request can go through."""
    escape = f"or add {target.hostname} to NO_PROXY."
    try:
        parts = urlsplit(proxy.url)
        good = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        parts, good = SplitResult("", "", "", "", ""), False
    if not good:
        raise UserError(f"{proxy.shown} is not a proxy address. Write it like http://proxy:3128, {escape}")
    if parts.scheme not in usable:
        kinds = ", ".join(usable)
        raise UserError(f"{proxy.shown}: no proxy of the kind {parts.scheme!r} can be used, only {kinds}; {escape}")
    if parts.scheme.startswith("socks") and importlib.util.find_spec(_MODULES.get(socks, socks)) is None:
        raise UserError(f"{proxy.shown}: this kind of proxy needs a package. Run: pip install {socks}, {escape}")
