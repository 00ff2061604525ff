"""Where a server may send a request on to: no key, and no prompt, goes to another server than the config names.

A POST is followed on the same server, where the redirection keeps it one (307, 308). All other redirections of a POST
are a mistake in the address, and said to be one; a GET goes on to another server without what it has of ours.
"""

from __future__ import annotations

import httpx2

from arena_hard.calling.providers.addresses import shown, understood
from arena_hard.calling.providers.tls import Unusable

_KEEPS_POST = (307, 308)
_FOR_ANYBODY = {"host", "accept", "accept-encoding", "accept-language", "connection", "user-agent"}  # headers of a GET
_SEEN, _LEFT = "arena_hard.seen", "arena_hard.left"  # of a request and those that follow it: the URLs, and whether away


class Moved(Unusable):
    """A redirection that is not followed; to ask again would bring the same."""


async def look(response: httpx2.Response) -> None:
    """Decide about a redirection before the client follows it. Raises Moved."""
    if not response.has_redirect_location:
        return
    request, status = response.request, response.status_code
    target = _target(response)
    if target is None:
        raise Moved(f"{status}: redirected to what is no address of a server. Check api_base.", request=request)
    seen = request.extensions.setdefault(_SEEN, {request.url})
    if target in seen:
        raise Moved(f"{status}: redirected in a circle, to {shown(str(target))}. Check api_base.", request=request)
    seen.add(target)
    away = not _is_same_server(request.url, target)
    if request.method in ("GET", "HEAD"):
        request.extensions[_LEFT] = away or request.extensions.get(_LEFT, False)
    elif away or status not in _KEEPS_POST:
        raise Moved(f"{status}: {_remedy(target, away)}", request=request)


async def leave_behind(request: httpx2.Request) -> None:
    """Take from a request that was sent on to another server what only the first one was to see."""
    if request.extensions.get(_LEFT):
        for name in [name for name in request.headers if name.lower() not in _FOR_ANYBODY]:
            del request.headers[name]


def _target(response: httpx2.Response) -> httpx2.URL | None:
    try:
        target = response.request.url.join(response.headers["location"])
    except httpx2.InvalidURL:
        return None
    return target if target.scheme in ("http", "https") and target.host else None


def _is_same_server(here: httpx2.URL, there: httpx2.URL) -> bool:
    """Whether it is the same, or its encrypted door."""
    if here.origin == there.origin:
        return True
    ports = here.origin.port, there.origin.port
    return here.host == there.host and (here.scheme, there.scheme) == ("http", "https") and ports == (80, 443)


def _remedy(target: httpx2.URL, away: bool) -> str:
    """What to write instead; a page to log in at is no address of an API."""
    address = shown(str(target))
    base = shown(understood(str(target.copy_with(query=None))).base)
    nothing = ", another server, to which no key is sent" if away else ""
    if base == address:
        return f"redirected to {address}{nothing}. Check api_base."
    return f"redirected to {address}{nothing}. If that is right, write api_base: {base}"
