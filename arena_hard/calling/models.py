"""A model ready to be called: its endpoints, their clients and gates, and the clock of a record."""

from __future__ import annotations

import contextlib
import functools
import gc
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.context import Context
from arena_hard.calling.form_probes import FormProbes, Turns
from arena_hard.calling.gate import Gate
from arena_hard.calling.kept_replies import KeptReplies
from arena_hard.calling.listeners import watch_over
from arena_hard.calling.looks import Looks, server_and_key
from arena_hard.calling.probe import Probed
from arena_hard.calling.prompt_sizes import PromptSizes
from arena_hard.calling.providers import addresses
from arena_hard.calling.providers.base import (
    Adapter,
    CallError,
    Connection,
    Dialect,
    Message,
    Reply,
    Request,
    host_of,
    without_secrets,
)
from arena_hard.calling.providers.registry import adapter_of, connections, embedding_adapter_of
from arena_hard.calling.spending import Purse, Unwatched
from arena_hard.calling.waiting_line import Line
from arena_hard.data.certificates import check_key_log
from arena_hard.data.name_lists import counted
from arena_hard.data.open_files import most_open, needed_for, room_for_connections
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings

T = TypeVar("T")


class Endpoint(msgspec.Struct):
    """One server for a model: its client, its gate, and what it taught about how to be asked."""

    adapter: Adapter
    connection: Connection
    client: Any
    gate: Gate
    dialect: Dialect = set()
    failed_in_a_row: int = 0
    looks: Looks = msgspec.field(default_factory=Looks)
    context: Context | None = None
    forms: FormProbes = msgspec.field(default_factory=FormProbes)
    engine: str = ""  # who runs the server, as its list of models tells
    lists_model: bool = False  # whether that list was seen, with the model in it

    def check_owner(self) -> None:
        """Whether a reply came from the server that the run has started, where it has. Raises CallError."""
        watch = watch_over(self.connection.base_url)
        if watch and (other := watch.stranger()):
            text = f"the server that serve started has ended, and another one ({other}) answers there"
            raise CallError("final", text, endpoint_wide=True)

    @property
    def host(self) -> str:
        """How the endpoint is called in messages."""
        base = getattr(self.client, "base_url", None) or self.connection.base_url
        return host_of(str(base)) if base else self.connection.api_type

    def ended(self) -> str:
        """How an endpoint ended that takes no more, or took nothing."""
        gate = self.gate
        why = gate.failure.rstrip(". ")
        if not gate.answered:
            return f"answered none of {counted(gate.failures, 'request')} ({why})"
        asked = f"answered {counted(gate.answered, 'request')}, failed at {gate.failures}"
        return f"{asked}, and was asked no more ({why})"

    @property
    def listing(self) -> str:
        """Where a server lists its models in the OpenAI protocol."""
        return f"{str(self.client.base_url).rstrip('/')}/models"

    async def once(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """What the server tells whoever has this key; of the first endpoint of the run that asks for it."""
        return await self.looks.once((what, *server_and_key(self.connection)), ask)

    async def explain(self, error: CallError) -> None:
        """Say what is behind an error: that the run's own server has ended, or which address would be right.

        For the latter the server is looked at, at the first such error.
        """
        watch = watch_over(self.connection.base_url)
        if watch and error.kind == "transient" and watch.is_gone():
            error.kind, error.endpoint_wide = "final", True
            error.message = (
                f"the server that serve started has ended ({watch.ended()}), so the rest was not sent. "
                "The same command starts it again and goes on"
            )
            return
        if not (error.wrong_address and hasattr(self.client, "get")):  # only the SDKs' clients can look around
            return
        advice = await self.once("address", lambda: addresses.advice(self.client, self.connection.api_type))
        error.message = f"{error.message.rstrip('. ')}. {advice.text}"
        if advice.found:
            error.kind, error.endpoint_wide = "final", True


class Model(msgspec.Struct, dict=True):
    """A model ready to be called: its settings, its adapter and its endpoints, and the line before these."""

    settings: ModelSettings
    adapter: Adapter
    endpoints: list[Endpoint]
    record: Callable[[list[Message], Reply], Awaitable[None]] | None = None
    backing_off: int = 0
    mailbox: Mailbox | None = None
    recorded: set[str] = set()  # replies of the mailbox, which come again and again
    turns: Turns = msgspec.field(default_factory=Turns)
    sizes: PromptSizes = msgspec.field(default_factory=PromptSizes)

    @functools.cached_property
    def line(self) -> Line:
        """Who waits for a slot at any of the endpoints."""
        return Line(endpoint.gate for endpoint in self.endpoints)

    def endpoint_behind(self, gate: Gate) -> Endpoint:
        """The endpoint that a gate stands before."""
        return next(endpoint for endpoint in self.endpoints if endpoint.gate is gate)

    def learn_size(self, request: Request, reply: Reply) -> None:
        """A prompt was answered, in which the server may have counted the tokens."""
        if reply.usage:
            self.sizes.note(request.messages, reply.usage.prompt_tokens)

    def idle_notes(self, failed: Collection[str] = ()) -> list[str]:
        """Endpoints that gave no reply, or none any more, as with a key that was withdrawn.

        Where others did their part that costs nobody a record. failed: why records could not be had, which is said
        anyway.
        """
        out = [endpoint for endpoint in self.endpoints if endpoint.gate.is_out]
        others = "" if len(out) == len(self.endpoints) else "; other endpoints did its part"
        untold = (each for each in out if others or not any(each.gate.failure in reason for reason in failed))
        return [f"{self.settings.name}: {self._title(each)} {each.ended()}{others}." for each in untold]

    def _title(self, endpoint: Endpoint) -> str:
        """An endpoint's host, with its place in the entry where several are there, each with a key of its own."""
        hosts = [each.host for each in self.endpoints]
        if hosts.count(endpoint.host) == 1:
            return endpoint.host
        return f"{endpoint.host} (endpoint {self.endpoints.index(endpoint) + 1} of {len(hosts)})"


class Models:
    """Opens models so that endpoints with the same server, key and model share a client and its limits."""

    def __init__(self) -> None:
        self._endpoints: dict[tuple[Any, ...], Endpoint] = {}
        self.opened: list[Model] = []
        self.probes: dict[str, Probed] = {}  # by the name of the entry
        self._looks = Looks()
        self._noted = set[str]()

    def open(self, model: ModelSettings, embeds: bool = False) -> Model:
        """A model ready to be called. Raises UserError for a missing key or address.

        embeds: it is asked for vectors of texts, in place of replies.
        """
        check_key_log()
        with _kept_for_good():
            adapter = embedding_adapter_of(model) if embeds else adapter_of(model)
            endpoints = [self._endpoint(adapter, connection, model) for connection in connections(model)]
        self.opened.append(Model(model, adapter, endpoints))
        return self.opened[-1]

    def _endpoint(self, adapter: Adapter, connection: Connection, model: ModelSettings) -> Endpoint:
        key = (*server_and_key(connection), model.model_name)
        give_up_after = min(model.give_up_after, model.deadline)  # no record waits longer than its deadline
        bounds = (model.parallel, model.requests_per_minute, model.tokens_per_minute, give_up_after)
        if key in self._endpoints:
            self._endpoints[key].gate.tighten(*bounds)
        else:
            gate = Gate(*bounds)
            try:
                client = adapter.open(connection)
            except UserError as error:
                raise UserError(f"{model.line_of()}{model.name}: {error}") from None
            except Exception as error:
                reason = without_secrets(f"{type(error).__name__}: {error}")
                raise UserError(f"{model.line_of()}{model.name}: the endpoint cannot be used: {reason}.") from None
            self._endpoints[key] = Endpoint(adapter, connection, client, gate, looks=self._looks)
        return self._endpoints[key]

    @property
    def endpoints(self) -> list[Endpoint]:
        """Every endpoint, once."""
        return list(self._endpoints.values())

    def bound_by_system(self) -> str | None:
        """Have no more requests in flight than the system allows connections. Returns a note where these are fewer.

        Raises UserError where they do not suffice for one request to each endpoint.
        """
        widths = [endpoint.gate.width for endpoint in self.endpoints]
        wanted = sum(width.ceiling for width in widths)
        room = room_for_connections(wanted)
        if room >= wanted:
            return None
        allowed = f"this program may have {most_open():.0f} files and connections open"
        if room < len(widths):
            least = needed_for(len(widths))
            raise UserError(f"{allowed[0].upper()}{allowed[1:]}, too few for this run. Allow more: ulimit -n {least}")
        for width in widths:
            width.cap(max(1, width.ceiling * room // wanted))
        most = sum(width.ceiling for width in widths)
        return f"{most} of {wanted} requests go at once, for {allowed}. To allow more: ulimit -n {needed_for(wanted)}"

    def idle_notes(self, failed: Collection[str] = ()) -> list[str]:
        """Those of all models."""
        return self.unsaid(note for model in self.opened for note in model.idle_notes(failed))

    def unsaid(self, notes: Iterable[str | None]) -> list[str]:
        """Those of some notes that were not said before, each once: the waves of a run come with the same again."""
        new = [note for note in dict.fromkeys(notes) if note and note not in self._noted]
        self._noted.update(new)
        return new

    async def close(self) -> None:
        """Give all connections back."""
        for endpoint in self.endpoints:
            await endpoint.adapter.close(endpoint.client)


@contextlib.contextmanager
def _kept_for_good() -> Iterator[None]:
    """For importing an SDK: its thousands of classes stay, and are not gone through for garbage at every turn."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Clock(msgspec.Struct):
    """The time that one record takes, from its first request on (waiting for a slot before it is free).

    name: what people call the record; record: what no other of the same model is called; asked: how often it has asked
    the same; kept: replies that outlive the run, for records of several calls; purse: what its requests are paid from;
    looks: whether nothing is sent, and what is not there is waited for; found: how many replies were there.
    """

    label: str = ""
    name: str = ""
    record: str = ""
    started: float | None = None
    asked: dict[str, int] = {}
    kept: KeptReplies | None = None
    purse: Purse = msgspec.field(default_factory=Unwatched)
    looks: bool = False
    found: int = 0

    def had(self, kept: Mailbox | KeptReplies | None, key: str) -> Reply:
        """A reply that was had before. Raises Waiting where it was not."""
        if not (reply := kept and kept.find(key)):
            raise Waiting
        self.found += 1
        return reply

    def start(self) -> None:
        """The first request goes out."""
        if self.started is None:
            self.started = time.monotonic()

    def age(self) -> float:
        """Seconds since the first request; 0 before it."""
        return 0.0 if self.started is None else time.monotonic() - self.started
