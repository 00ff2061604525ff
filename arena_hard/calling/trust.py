"""Which endpoints may be asked for much at once: those whose key and model are known to be right before anything is.

A server that lists the model for our key, and refuses to list anything for a key that it does not know, has told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from arena_hard.calling.models import Endpoint
from arena_hard.calling.providers.addresses import refuses_strangers
from arena_hard.calling.providers.base import NO_KEY


async def trust(endpoints: Iterable[Endpoint]) -> None:
    """Open the gates of those wider; each server is asked once, all side by side."""
    by_server: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.lists_model and endpoint.connection.api_key != NO_KEY:
            by_server.setdefault(endpoint.listing, []).append(endpoint)
    asked = (refuses_strangers(group[0].client, listing) for listing, group in by_server.items())
    for knows_us, group in zip(await asyncio.gather(*asked), by_server.values()):
        for endpoint in group if knows_us else ():
            endpoint.gate.trust()
