"""The server's own doors for tests: statistics, requests seen, settings, scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from .wires import json_response

if TYPE_CHECKING:
    from .server import Loopback


async def control(server: Loopback, request: web.BaseRequest) -> web.Response:
    """GET stats, requests?last=N; POST config (a JSON object), script (a JSON list), reset."""
    name = request.path.removeprefix("/_control/")
    raw = await request.content.read()
    try:
        given = json.loads(raw) if raw else None
        if request.method == "GET" and name == "stats":
            return json_response(200, server.stats.as_dict() | {"script_left": len(server.script)})
        if request.method == "GET" and name == "requests":
            return json_response(200, server.stats.last(int(request.query.get("last", "20"))))
        if request.method == "POST" and name == "config":
            server.configure(server.settings.changed(given or {}))
        elif request.method == "POST" and name == "script":
            server.script.extend(given or [])
        elif request.method == "POST" and name == "reset":
            server.reset()
        else:
            return json_response(404, {"error": f"no control {request.method} {name}"})
    except (ValueError, TypeError, KeyError) as wrong:
        return json_response(400, {"error": str(wrong)})
    return json_response(200, {})
