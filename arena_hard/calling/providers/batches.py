"""The providers' batch interfaces: submit, look, fetch the results, and find a batch that was accepted unnoted."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import CallError, without_secrets
from arena_hard.calling.providers.batch_answers import (
    Outcome,
    Unread,
    call_errors,
    check_whole,
    counts_in,
    failure,
    object_in,
    page_in,
    read_line,
    refusal,
    rows_of,
    what_came,
)
from arena_hard.calling.providers.decoding import decoded
from arena_hard.calling.providers.error_bodies import inner_of, message_of, names_of
from arena_hard.calling.providers.fields import Fields
from arena_hard.calling.providers.openai_chat import AZURE_SEED, is_azure, read_completion

Line = tuple[str, dict[str, Any]]  # custom_id, body
MARK = "arena_hard"
_ENDED = ("completed", "failed", "expired", "cancelled")


class Limits(msgspec.Struct, frozen=True):
    """The most that one batch may hold; somewhat below what the providers take."""

    requests: int
    size: int


class Status(msgspec.Struct, frozen=True):
    """Where a batch is: whether it has ended, and how the provider says it."""

    ended: bool
    word: str


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
        """What came of each custom_id; a line that is missing was not worked on.

        Raises CallError: Failed for a batch that was refused as a whole, TooMuch where nothing of it was taken, Unread
        where lines are missing that the batch itself counts; after all others nothing is known of it.
        """
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
        files, batches = self._client.files.with_raw_response, self._client.batches.with_raw_response
        with self._errors(submits=True):
            if marker not in self._files:
                content = (f"{marker}.jsonl", io.BytesIO(self._content(lines)))
                uploaded = (await files.create(file=content, purpose="batch")).content
                self._files[marker] = str(object_in(uploaded, "id")["id"])
            if self._azure:
                await self._check_taken_in(self._files[marker])
            created = await batches.create(
                input_file_id=self._files[marker],
                endpoint=self._url,
                completion_window="24h",
                metadata={MARK: marker},
            )
        return str(object_in(created.content, "id")["id"])

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
        file = (await self._client.files.with_raw_response.retrieve(file_id)).content
        status = object_in(file, "status")["status"]
        if status not in ("processed", "error"):
            raise CallError("rate limit", f"the uploaded requests are not taken in yet ({status})")

    async def find(self, marker: str, count: int, known: set[str]) -> str | None:
        """By the metadata of the batches of this key."""
        after: dict[str, str] = {}
        while True:
            with self._errors():
                listed = await self._client.batches.with_raw_response.list(limit=100, **after)
            page = page_in(listed.content)
            for batch in page.batches:
                if Fields(batch).inner("metadata").raw(MARK) == marker:
                    return batch["id"]
            if page.is_last:
                return None
            after = {"after": page.batches[-1]["id"]}

    async def status(self, batch_id: str) -> Status:
        """As the provider calls it."""
        status = str((await self._batch(batch_id))["status"])
        return Status(status in _ENDED, status)

    async def results(self, batch_id: str, bodies: dict[str, dict[str, Any]]) -> dict[str, Outcome]:
        """The lines of the output file and of the error file."""
        batch = await self._batch(batch_id)
        if batch["status"] not in _ENDED:
            raise CallError("transient", f"the batch had ended and is {batch['status']} now")
        failed = await self._lines(batch.get("error_file_id"))
        done = await self._lines(batch.get("output_file_id"))
        outcomes, completed = self._read(failed, bodies), self._read(done, bodies)
        if batch["status"] == "failed" and not (outcomes or completed):
            raise failure(Fields(batch.get("errors")).raw("data") or [])
        counts = counts_in(batch, "completed", "failed")
        if counts or batch["status"] == "completed":
            check_whole(outcomes | completed, len(completed), counts, [*failed, *done])
        return outcomes | completed

    @staticmethod
    def _read(contents: list[bytes], bodies: dict[str, dict[str, Any]]) -> dict[str, Outcome]:
        rows = ((str(row.get("custom_id")), row) for content in contents for row in rows_of(content))
        return {key: read_line(_outcome, row, bodies[key]) for key, row in rows if key in bodies}

    async def _batch(self, batch_id: str) -> dict[str, Any]:
        with self._errors():
            batch = await self._client.batches.with_raw_response.retrieve(batch_id)
        return object_in(batch.content, "status")

    async def _lines(self, file_id: str | None) -> list[bytes]:
        """The content of a file of results; none where the batch has no such file."""
        if not file_id:
            return []
        with self._errors():
            return [(await self._client.files.content(file_id)).content]

    def _errors(self, submits: bool = False) -> AbstractContextManager[None]:
        return call_errors(self._sdk, self._client, submits)


def _outcome(row: dict[str, Any], body: dict[str, Any]) -> Outcome:
    """What a line of an output or error file says."""
    if row.get("error"):
        passing = names_of(inner_of(row)) & {"batch_expired", "batch_cancelled"}
        return CallError("transient" if passing else "final", without_secrets(message_of(row)), not_taken=True)
    response = Fields(row.get("response"))
    status = response.count("status_code")
    if status != 200:
        return refusal(status or 500, response.raw("body"), body)
    answer = response.raw("body")
    return read_completion(decoded(answer.encode()) if isinstance(answer, str) else answer, body)


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
        return str(object_in(batch, "id")["id"])

    async def find(self, marker: str, count: int, known: set[str]) -> str | None:
        """By the custom_ids in the results of the batches that are nobody's; one not ended is waited for."""
        for batch in await self._list():
            counts = batch.get("request_counts") or {}
            if batch["id"] in known or sum(counts.values()) != count or batch.get("archived_at"):
                continue
            if batch["processing_status"] != "ended":
                raise CallError("transient", f"batch {batch['id']} may be this one; its results will tell")
            lines = await self._lines(batch["id"])
            rows = rows_of(lines)
            if not rows:
                came = what_came(lines.decode(errors="replace"))
                raise Unread(f"batch {batch['id']} may be this one, and its results cannot be read: {came} came", {})
            if str(rows[0].get("custom_id", "")).startswith(f"{marker}-"):
                return batch["id"]
        return None

    async def status(self, batch_id: str) -> Status:
        """As the provider calls it."""
        status = str((await self._batch(batch_id))["processing_status"])
        return Status(status == "ended", status)

    async def results(self, batch_id: str, bodies: dict[str, dict[str, Any]]) -> dict[str, Outcome]:
        """The lines of the results, under the keys that they were submitted with."""
        counts = counts_in(await self._batch(batch_id), "succeeded", "errored", "canceled", "expired")
        lines = await self._lines(batch_id)
        outcomes: dict[str, Outcome] = {}
        succeeded = set[str]()
        for row in rows_of(lines):
            key, result = str(row.get("custom_id")).partition("-")[2], row.get("result") or {}
            if key in bodies:
                outcomes[key] = read_line(self._outcome, result, bodies[key])
                succeeded |= {key} if Fields(result).raw("type") == "succeeded" else set()
        check_whole(outcomes, len(succeeded), counts, [lines])
        return outcomes

    async def _batch(self, batch_id: str) -> dict[str, Any]:
        return object_in(await self._call("GET", f"/v1/messages/batches/{batch_id}"), "processing_status")

    def _outcome(self, result: dict[str, Any], body: dict[str, Any]) -> Outcome:
        kind = result.get("type")
        if kind == "succeeded":
            return read_message(result.get("message"), body)
        if kind in ("expired", "canceled"):
            return CallError("transient", f"the request {kind}", not_taken=True)
        told = result.get("error") or {}
        refused = names_of(inner_of(told)) & {"invalid_request_error", "not_found_error", "request_too_large"}
        return refusal(400 if refused else 500, told, body)

    async def _list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = page_in(await self._call("GET", f"/v1/messages/batches?limit=100{after}"))
            found += page.batches
            if page.is_last:
                return found
            after = f"&after_id={page.batches[-1]['id']}"

    async def _lines(self, batch_id: str) -> bytes:
        return await self._call("GET", f"/v1/messages/batches/{batch_id}/results")

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        import httpx2

        with call_errors(self._sdk, self._client, submits=method == "POST"):
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
