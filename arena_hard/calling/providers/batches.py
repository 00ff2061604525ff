"""The providers' batch interfaces: submit, look, fetch the results, and find a batch that was accepted unnoted."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from arena_hard.calling.providers.addresses import shown
from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import CallError, Kind, Reply, Unforeseen, without_secrets
from arena_hard.calling.providers.decoding import decoded, unpacked
from arena_hard.calling.providers.error_bodies import inner_of, message_of, names_of
from arena_hard.calling.providers.fields import Fields
from arena_hard.calling.providers.http import call_error, status_error
from arena_hard.calling.providers.lessons import teach
from arena_hard.calling.providers.openai_chat import AZURE_SEED, is_azure, read_completion
from arena_hard.data.records import UserError

T = TypeVar("T")
Line = tuple[str, dict[str, Any]]  # custom_id, body
Outcome = Reply | CallError
MARK = "arena_hard"
# Codes of a batch that OpenAI or Azure took nothing of: its queue is full of tokens, or no batch may be so large.
TOO_MUCH: dict[str, Kind] = {"token_limit_exceeded": "rate limit", "too_many_tasks": "final"}


@dataclass(frozen=True)
class Limits:
    """The most that one batch may hold; somewhat below what the providers take."""

    requests: int
    size: int


@dataclass(frozen=True)
class Status:
    """Where a batch is: whether it has ended, and how the provider says it."""

    ended: bool
    word: str


class TooMuch(CallError):
    """The provider took nothing of a batch: smaller ones may be taken, or with kind 'rate limit' the same later."""


class Batches(Protocol):
    """One small adapter for each batch interface. Like those for calls it never sleeps or retries."""

    limits: Limits

    async def submit(self, lines: list[Line], marker: str) -> str:
        """The provider's id of a new batch. Raises CallError; after one of kind 'rate limit' there is no batch."""
        ...

    async def find(self, marker: str, count: int, known: set[str]) -> str | None:
        """The id of the batch with this marker, if the provider has taken it. Raises CallError."""
        ...

    async def status(self, batch_id: str) -> Status:
        """Where a batch is. Raises CallError."""
        ...

    async def results(self, batch_id: str, bodies: dict[str, dict[str, Any]]) -> dict[str, Outcome]:
        """What came of each custom_id; a line that is missing was not worked on. Raises CallError."""
        ...


class OpenAIBatches:
    """Files and batches of OpenAI, of servers that speak it, and of Azure."""

    limits = Limits(50_000, 100_000_000)

    def __init__(self, client: Any) -> None:
        import openai

        self._sdk, self._client = openai, client
        self._azure = is_azure(client)
        self._url = "/chat/completions" if self._azure else "/v1/chat/completions"
        self._files: dict[str, str] = {}  # by marker: what is uploaded and not in a batch yet

    async def submit(self, lines: list[Line], marker: str) -> str:
        """Upload the lines, then create the batch with the marker in its metadata."""
        with self._errors():
            if marker not in self._files:
                content = (f"{marker}.jsonl", io.BytesIO(self._content(lines)))
                self._files[marker] = (await self._client.files.create(file=content, purpose="batch")).id
            if self._azure:
                await self._check_taken_in(self._files[marker])
            batch = await self._client.batches.create(
                input_file_id=self._files[marker],
                endpoint=self._url,
                completion_window="24h",
                metadata={MARK: marker},
            )
        return batch.id

    def _content(self, lines: list[Line]) -> bytes:
        rows = [
            {
                "custom_id": key,
                "method": "POST",
                "url": self._url,
                "body": {"seed": AZURE_SEED} | body if self._azure else body,
            }
            for key, body in lines
        ]
        return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)

    async def _check_taken_in(self, file_id: str) -> None:
        """Azure refuses a batch while its file is pending. Raises CallError of kind 'rate limit' for that."""
        status = (await self._client.files.retrieve(file_id)).status
        if status not in ("processed", "error"):
            raise CallError("rate limit", f"the uploaded requests are not taken in yet ({status})")

    async def find(self, marker: str, count: int, known: set[str]) -> str | None:
        """By the metadata of the batches of this key."""
        with self._errors():
            async for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(MARK) == marker:
                    return batch.id
        return None

    async def status(self, batch_id: str) -> Status:
        """As the provider calls it."""
        with self._errors():
            batch = await self._client.batches.retrieve(batch_id)
        return Status(batch.status in ("completed", "failed", "expired", "cancelled"), batch.status)

    async def results(self, batch_id: str, bodies: dict[str, dict[str, Any]]) -> dict[str, Outcome]:
        """The lines of the output file and of the error file."""
        with self._errors():
            batch = await self._client.batches.retrieve(batch_id)
            files = filter(None, (batch.error_file_id, batch.output_file_id))
            contents = [(await self._client.files.content(file)).content for file in files]
        outcomes: dict[str, Outcome] = {}
        for row in (row for content in contents for row in _rows(content)):
            key = str(row.get("custom_id"))
            outcomes[key] = _read(_outcome, row, bodies.get(key, {}))
        if batch.status == "failed" and not outcomes:
            raise _failure(batch)
        return outcomes

    def _errors(self) -> AbstractContextManager[None]:
        return _call_errors(self._sdk, self._client)


@contextlib.contextmanager
def _call_errors(sdk: Any, client: Any) -> Iterator[None]:
    """What an SDK raises as a CallError."""
    try:
        yield
    except (sdk.APIError, ValueError) as error:
        found = call_error(sdk, error, client, {"messages": [{"role": ""}]})
        too_large = getattr(error, "status_code", None) == 413
        if found.wrong_address:
            request = getattr(error, "request", None)
            found.message += f" (asked was {shown(str(request.url))})" if request else ""
        kind = "final" if too_large else TOO_MUCH.get(str(getattr(error, "code", None)))
        raise TooMuch(kind, found.message) if kind else found from None


def _failure(batch: Any) -> CallError:
    """Why a batch failed as a whole."""
    errors = batch.errors.data if batch.errors and batch.errors.data else []
    reason = "; ".join(str(error.message) for error in errors[:3]) or "no reason given"
    for error in errors:
        if error.code in TOO_MUCH:
            return TooMuch(TOO_MUCH[error.code], without_secrets(reason))
    return CallError("final", f"the batch failed: {without_secrets(reason)}")


def _rows(content: bytes) -> list[dict[str, Any]]:
    """The lines of a file of results. One that cannot be read brought nothing, and its request is asked again."""
    rows = []
    for line in filter(bytes.strip, unpacked(content).splitlines()):
        with contextlib.suppress(CallError):
            rows.append(decoded(line))
    return [row for row in rows if isinstance(row, dict)]


def _read(read: Callable[[Any, dict[str, Any]], Outcome], told: Any, body: dict[str, Any]) -> Outcome:
    """What one line says; whatever is wrong with it costs no other line."""
    try:
        return read(told, body)
    except CallError as error:
        return error
    except Exception as error:
        return Unforeseen(error)


async def understood(ask: Callable[[], Awaitable[T]]) -> T:
    """What a batch interface tells. Raises CallError; an answer of another shape passes, and the batch stays there."""
    try:
        return await ask()
    except (CallError, UserError):
        raise
    except Exception as error:
        words = without_secrets(f"{type(error).__name__}: {error}")
        raise CallError("transient", f"the server's answer is not understood ({words})") from None


def _outcome(row: dict[str, Any], body: dict[str, Any]) -> Outcome:
    """What a line of an output or error file says."""
    if row.get("error"):
        passing = names_of(inner_of(row)) & {"batch_expired", "batch_cancelled"}
        return CallError("transient" if passing else "final", without_secrets(message_of(row)), not_taken=True)
    response = Fields(row.get("response"))
    status = response.count("status_code")
    if status != 200:
        return _refusal(status or 500, response.raw("body"), body)
    answer = response.raw("body")
    return read_completion(decoded(answer.encode()) if isinstance(answer, str) else answer, body)


def _refusal(status: int, answer: Any, body: dict[str, Any]) -> CallError:
    text = without_secrets(message_of(answer or "no reason given"))
    error = status_error(status, {}, answer, text)
    if body:
        teach(error, status, answer, text, body)
    return error


class AnthropicBatches:
    """Anthropic's message batches. They carry no metadata: the marker is the beginning of each custom_id."""

    limits = Limits(10_000, 100_000_000)

    def __init__(self, client: Any) -> None:
        import anthropic

        self._sdk, self._client = anthropic, client

    async def submit(self, lines: list[Line], marker: str) -> str:
        """One call with all requests in it."""
        requests = [{"custom_id": f"{marker}-{key}", "params": body} for key, body in lines]
        batch = await self._call("POST", "/v1/messages/batches", {"requests": requests})
        return msgspec.json.decode(batch)["id"]

    async def find(self, marker: str, count: int, known: set[str]) -> str | None:
        """By the custom_ids in the results of the batches that are nobody's; one not ended is waited for."""
        for batch in await self._list():
            counts = batch.get("request_counts") or {}
            if batch["id"] in known or sum(counts.values()) != count:
                continue
            if batch["processing_status"] != "ended":
                raise CallError("transient", f"batch {batch['id']} may be this one; its results will tell")
            first = (await self._lines(batch["id"]))[:1]
            if first and str(first[0].get("custom_id", "")).startswith(f"{marker}-"):
                return batch["id"]
        return None

    async def status(self, batch_id: str) -> Status:
        """As the provider calls it."""
        batch = msgspec.json.decode(await self._call("GET", f"/v1/messages/batches/{batch_id}"))
        return Status(batch["processing_status"] == "ended", batch["processing_status"])

    async def results(self, batch_id: str, bodies: dict[str, dict[str, Any]]) -> dict[str, Outcome]:
        """The lines of the results, under the keys that they were submitted with."""
        outcomes: dict[str, Outcome] = {}
        for row in await self._lines(batch_id):
            key = str(row.get("custom_id")).partition("-")[2]
            outcomes[key] = _read(self._outcome, row.get("result") or {}, bodies.get(key, {}))
        return outcomes

    def _outcome(self, result: dict[str, Any], body: dict[str, Any]) -> Outcome:
        kind = result.get("type")
        if kind == "succeeded":
            return read_message(result.get("message"), body)
        if kind in ("expired", "canceled"):
            return CallError("transient", f"the request {kind}", not_taken=True)
        told = result.get("error") or {}
        refused = names_of(inner_of(told)) & {"invalid_request_error", "not_found_error", "request_too_large"}
        return _refusal(400 if refused else 500, told, body)

    async def _list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = msgspec.json.decode(await self._call("GET", f"/v1/messages/batches?limit=100{after}"))
            found += page["data"]
            if not page.get("has_more") or not page["data"]:
                return found
            after = f"&after_id={page['data'][-1]['id']}"

    async def _lines(self, batch_id: str) -> list[dict[str, Any]]:
        content = await self._call("GET", f"/v1/messages/batches/{batch_id}/results")
        return _rows(content)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        import httpx2

        with _call_errors(self._sdk, self._client):
            if method == "POST":
                response = await self._client.post(path, body=body, cast_to=httpx2.Response)
            else:
                response = await self._client.get(path, cast_to=httpx2.Response)
        return response.content


def unstreamed(body: dict[str, Any]) -> dict[str, Any]:
    """A request's body for a batch, where nothing is streamed."""
    return {key: value for key, value in body.items() if key not in ("stream", "stream_options")}


def batches_of(api_type: str, client: Any) -> Batches | None:
    """The batch interface of an api_type, or None where it has none that is spoken here."""
    if api_type in ("openai", "azure", "groq", "together"):
        return OpenAIBatches(client)
    return AnthropicBatches(client) if api_type == "anthropic" else None
