"""Providers of one's own: adapters in a file of the user's or in an installed package (docs/own-provider.md).

What they do wrong ends as a message that names the place in their code, and what they let through is taken out of
messages and replies here, as it is for the adapters of this project.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import inspect
import json
import re
import sys
import traceback
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.calling.providers.base import (
    Adapter,
    CallError,
    Connection,
    Dialect,
    Reply,
    Request,
    host_of,
    without_secrets,
)
from arena_hard.calling.providers.http import http_error
from arena_hard.calling.providers.own_reply import is_readable, sound_error, sound_reply
from arena_hard.data import secrets
from arena_hard.data.name_lists import suggestion
from arena_hard.data.records import UserError

GROUP = "arena_hard.providers"  # of entry points
_METHODS = ("open", "body", "send", "close")
_HELP = "An adapter has open, body, send and close: docs/own-provider.md."
# what HTTP libraries derive their errors of the network from
_NETWORK_BASES = {"ClientError", "HTTPError", "TransportError", "RequestException"}
# of an option, whose names nobody here knows: more than secret_sources takes for the name of a key
_SECRET_NAME = re.compile(r"(?i)key|secret|token|passw|credential")


def is_file(api_type: str) -> bool:
    """Whether an api_type names a file and the adapter in it, as in my_provider.py:MyAdapter."""
    return api_type.rpartition(":")[0].endswith(".py")


def entry_points() -> dict[str, Any]:
    """The api_types of installed packages."""
    return {each.name: each for each in metadata.entry_points(group=GROUP)}


def located(api_type: str, folder: Path) -> str:
    """The api_type with the path of its file: beside the endpoint file, or else from where the script runs."""
    file, _, name = api_type.rpartition(":")
    beside = folder / file
    return f"{beside}:{name}" if beside.is_file() else api_type


def check_file(api_type: str, where: str) -> None:
    """Raises UserError, which begins with `where`, for a file that is not there."""
    file = api_type.rpartition(":")[0]
    if is_file(api_type) and not Path(file).is_file():
        raise UserError(
            f"{where}{file} is neither beside the endpoint file nor in {Path.cwd()}. Fix the path in api_type."
        )


@functools.cache
def adapter(api_type: str) -> Adapter:
    """The adapter, made once. Raises UserError for a provider that cannot be loaded or is not complete."""
    if is_file(api_type):
        file, _, name = api_type.rpartition(":")
        module = _module(Path(file))
        if not hasattr(module, name):
            own = {each for each, value in vars(module).items() if inspect.isclass(value)}
            raise UserError(f"{file} has no {name!r}. {suggestion(name, own) if own else 'It has no class at all.'}")
        found, where = getattr(module, name), file
    else:
        point = entry_points()[api_type]
        found, where = _guarded(point.load, point.value), f"api_type {api_type} ({point.value})"
    name = getattr(found, "__name__", type(found).__name__)
    missing = [each for each in _METHODS if not callable(getattr(found, each, None))]
    if missing:
        raise UserError(f"{where}: {name} has no method {' and no '.join(missing)}. {_HELP}")
    for each in ("send", "close"):
        if not inspect.iscoroutinefunction(getattr(found, each)):
            raise UserError(f"{where}: {name}.{each} must be `async def`. {_HELP}")
    return _Own(_guarded(found, where) if inspect.isclass(found) else found, where)


def _module(file: Path) -> Any:
    """The user's file as a module. Raises UserError."""
    spec = importlib.util.spec_from_file_location(f"arena_hard_own_{file.stem}", file)
    assert spec and spec.loader  # its name ends with .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    loader, folder = spec.loader, str(file.resolve().parent)
    sys.path.insert(0, folder)  # what lies beside the file may be imported, first of all while it is loaded
    try:
        _guarded(lambda: loader.exec_module(module), str(file))
    finally:
        sys.path.remove(folder)
        sys.path.append(folder)
    return module


def _guarded(call: Any, where: str) -> Any:
    """What the user's code returns when it is loaded. Raises UserError for whatever it raises."""
    try:
        return call()
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"{_place(error, where)}: {_words(error)}. {_advice(error, where)}") from None


def _advice(error: BaseException, where: str) -> str:
    """What to do about an error while the user's code is loaded."""
    if isinstance(error, ImportError) and "relative import" in str(error):
        return "Write it without the dot: what lies beside the file is found by its name."
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return "Fix the provider."
    beside = f", or put {error.name}.py beside {Path(where).name}" if where.endswith(".py") else ""
    return f"Run: pip install {error.name}{beside}"


def _place(error: BaseException, where: str) -> str:
    """FILE:LINE of the user's code where an error arose, as near as can be known."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    file = where.partition(" ")[0]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _same(frame.filename, file)]
    return f"{file}:{frames[-1].lineno}" if frames else where


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _words(error: BaseException) -> str:
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # of its own __str__
        text = ""
    return f"{type(error).__name__}: {text}".rstrip(" :.")


class _Client(msgspec.Struct, frozen=True):
    """The provider's client, and the address that messages name."""

    client: Any
    base_url: str | None


class _Own:
    """The user's adapter as the call loop wants it: every failure a CallError, every reply one that can be read."""

    def __init__(self, adapter: Adapter, where: str) -> None:
        self._adapter, self._where = adapter, where
        self._has_worked = False

    def open(self, connection: Connection) -> _Client:
        """The provider's client. Raises UserError."""
        _know_keys_of(connection)
        try:
            client = _guarded(lambda: self._adapter.open(connection), self._where)
        except UserError as error:
            raise UserError(without_secrets(str(error))) from None
        return _Client(client, connection.base_url)

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """The provider's body, which has to be JSON. Raises CallError."""
        try:
            body = self._adapter.body(request, dialect)
            json.dumps(body)
        except (Exception, SystemExit) as error:
            raise CallError("final", f"{_place(error, self._where)}: {_words(error)}", endpoint_wide=True) from None
        if not isinstance(body, dict):
            raise CallError("final", f"{self._where}: body returned no dict. {_HELP}", endpoint_wide=True)
        return body

    async def send(self, client: _Client, body: dict[str, Any]) -> Reply:
        """The provider's reply. Raises CallError."""
        try:
            reply = await self._adapter.send(client.client, body)
        except CallError as error:
            raise sound_error(error) from None
        except asyncio.CancelledError as error:
            if _is_given_up():
                raise
            raise self._failure(error, client) from None
        except (Exception, SystemExit) as error:
            raise self._failure(error, client) from None
        if not is_readable(reply):
            text = f"{self._where}: send returned no Reply with a text. {_HELP}"
            raise CallError("final", text, endpoint_wide=not self._has_worked)
        self._has_worked = True
        return sound_reply(reply)

    async def close(self, client: _Client) -> None:
        """Close the provider's client."""
        with contextlib.suppress(Exception, SystemExit):  # at the end of a run a failure takes nothing from it
            await self._adapter.close(client.client)

    def _failure(self, error: BaseException, client: _Client) -> CallError:
        """What the provider did not turn into a CallError itself: the network's faults pass, others are its own."""
        refused = _refusal(error)
        if refused:
            refused.message = without_secrets(_of_another_host(error, client.base_url) + refused.message)
            return refused
        from arena_hard.calling.providers.tls import Unusable

        if isinstance(error, Unusable):  # no connection comes about by asking again
            return CallError("final", without_secrets(str(error)), endpoint_wide=True)
        text = without_secrets(_words(error))
        if _is_of_the_network(error):
            return CallError("transient", f"connection failed: {text}", unheard=True)
        # a mistake that shows with the first calls would be paid for with all others
        return CallError("final", f"{_place(error, self._where)}: {text}", endpoint_wide=not self._has_worked)


def _is_given_up() -> bool:
    """Whether the call loop ends the call, or the provider cancelled something of its own."""
    task = asyncio.current_task()
    return task is None or not hasattr(task, "cancelling") or task.cancelling() > 0  # known since Python 3.11


def _is_of_the_network(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.filename is None  # else it is about a file
    named = {base.__name__ for base in type(error).__mro__}
    return isinstance(error, asyncio.TimeoutError) or bool(_NETWORK_BASES & named)


def _refusal(error: BaseException) -> CallError | None:
    """What `raise_for_status` of an HTTP library says, by the status; None for other errors."""
    response = _of(error, "response")
    status = _of(response, "status_code") or _of(error, "status")
    if not isinstance(status, int):
        return None
    words = (_of(response, "text"), _of(error, "message"), _words(error))
    body: Any = next(text for text in words if isinstance(text, str) and text)
    with contextlib.suppress(ValueError):
        body = json.loads(body)
    headers = _of(response, "headers") or _of(error, "headers")
    return http_error(status, headers if isinstance(headers, Mapping) else {}, body)


def _of_another_host(error: BaseException, base_url: str | None) -> str:
    """The host that refused, where it is not the one that messages name: a server of tokens, say."""
    url = str(_of(_of(error, "response"), "url") or _of(_of(error, "request_info"), "real_url") or "")
    return f"{host_of(url)}: " if "://" in url and host_of(url) != host_of(base_url or "") else ""


def _of(value: Any, name: str) -> Any:
    """An attribute, or None: some are read from a stream, and raise where it has ended."""
    with contextlib.suppress(Exception):
        return getattr(value, name, None)
    return None


def _know_keys_of(connection: Connection) -> None:
    """Make known what may be secret of a connection's options; addresses are not."""
    for name, value in connection.options.items():
        if _SECRET_NAME.search(name) and isinstance(value, str) and "://" not in value:
            secrets.know(value)
