"""Batches where the way to the server is shut: a certificate, an address, a key that is refused all at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.providers.base import CallError, Reply
from tests.support.batch_server import batch_server
from tests.support.mailboxes import Provider, contents, mailbox, play
from tests.support.odd_bodies import batched
from tests.support.pipeline_bench import Scratch, rows
from tests.support.tls_server import HERE, Authority, reply_of, served


class ShutOff(Provider):
    """A provider whose batch has ended, and to whom there is no way while its results are wanted."""

    error: CallError | None = None

    async def results(self, batch_id: str, bodies: dict[str, Any]) -> dict[str, Reply | CallError]:
        if self.error:
            raise self.error
        return await super().results(batch_id, bodies)


@pytest.mark.parametrize("message", ["the server's certificate has expired", "401: no such key"])
def test_replies_that_are_paid_for_wait_until_there_is_a_way_to_them(message: str, tmp_path: Path) -> None:
    provider = ShutOff()
    provider.error = CallError("final", message, endpoint_wide=True)
    with mailbox(tmp_path, provider) as box:
        play(box, ["a", "b"])
        with pytest.raises(CallError, match=message):
            asyncio.run(box.exchange())
    provider.error = None
    with mailbox(tmp_path, provider) as box:
        asyncio.run(box.exchange())
        assert contents(play(box, ["a", "b"])) == {"a": "re: a", "b": "re: b"}
    assert provider.requests == 2


class Odd(Provider):
    """A provider whose first answer to each question is of another shape."""

    def __init__(self) -> None:
        super().__init__()
        self.odd = [KeyError("processing_status"), TypeError("'NoneType' object is not subscriptable")]

    async def status(self, batch_id: str) -> Any:
        if len(self.odd) == 2:
            raise self.odd.pop()
        return await super().status(batch_id)

    async def results(self, batch_id: str, bodies: dict[str, Any]) -> dict[str, Reply | CallError]:
        if self.odd:
            raise self.odd.pop()
        return await super().results(batch_id, bodies)


def test_an_answer_of_another_shape_loses_no_batch(tmp_path: Path) -> None:
    provider = Odd()
    with mailbox(tmp_path, provider) as box:
        play(box, ["a", "b"])
        asyncio.run(box.exchange())
        assert contents(play(box, ["a", "b"])) == {"a": "re: a", "b": "re: b"}
    assert provider.odd == [] and provider.requests == 2


def test_a_line_of_another_shape_is_one_failed_call(tmp_path: Path) -> None:
    line = 'null}, "result": ["errored"], "more": {"a": 1'
    error, _ = batched(tmp_path, line, "anthropic")
    assert isinstance(error, CallError) and "AttributeError" in error.message


@pytest.mark.slow
@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_batches_over_tls(api_type: str, scratch: Scratch) -> None:
    authority = Authority()
    with served(authority.serving(HERE)) as base:
        endpoint: dict[str, Any] = {"api_base": base, "api_key": "sk-secret-0123456789"}
        scratch.models["m"] |= {"endpoints": [endpoint], "api_type": api_type}
        refused = scratch.run("gen_answer.py", "--batch")
        assert refused.returncode == 2 and "not trusted here" in refused.stderr
        for verify in (False, str(authority.file)):
            scratch.answer_file().unlink(missing_ok=True)
            endpoint["verify"] = verify
            done = scratch.run("gen_answer.py", "--batch")
            assert done.returncode == 0, done.stdout + done.stderr
            assert len(rows(scratch.answer_file())) == 3


@pytest.mark.slow
def test_an_address_without_batches_is_named(scratch: Scratch) -> None:
    with batch_server(reply_of) as server:
        server.knows = "/v1/"
        scratch.models["m"]["endpoints"][0]["api_base"] = server.address
        done = scratch.run("gen_answer.py", "--batch")
    assert done.returncode == 2
    assert f"(asked was {server.address}/files)" in done.stderr
