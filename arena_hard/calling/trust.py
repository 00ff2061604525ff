"""Which endpoints may be asked for much at once: those whose key and model are known to be right before anything is.

A server that lists the model for our key, and refuses to list anything for a key that it does not know, has told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from arena_hard.calling.models import Endpoint
from arena_hard.calling.providers.addresses import refuses_strangers
from arena_hard.calling.providers.base import NO_KEY


async def trust(endpoints: Iterable[Endpoint]) -> None:
    """Open the gates of those wider; a server is asked once, whichever keys there are for it, all side by side."""
    listed = [each for each in endpoints if each.lists_model and each.connection.api_key != NO_KEY]
    asked = (
        each.looks.once(("stranger", each.listing), partial(refuses_strangers, each.client, each.listing))
        for each in listed
    )
    for endpoint, knows_us in zip(listed, await asyncio.gather(*asked)):
        if knows_us:
            endpoint.gate.trust()
