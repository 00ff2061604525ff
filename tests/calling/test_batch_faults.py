"""Batches where the way to the server is shut: a certificate, an address, a key that is refused all at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.calling.providers.batch_answers import Unread, check_whole, counts_in, object_in, page_in
from arena_hard.data.records import UserError
from tests.support.batch_server import batch_server
from tests.support.mailboxes import Provider, contents, mailbox, play
from tests.support.odd_bodies import anthropic, batched, openai
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


WELL = {
    "openai": b'{"id": "batch-0", "status": "completed", "output_file_id": "batch-0", "request_counts": null}',
    "anthropic": b'{"id": "batch-0", "processing_status": "ended", "request_counts": {"succeeded": 1}}',
}
PAGE = (200, b"<html><title>Log in</title></html>")
ODD = [PAGE, (200, b""), (200, b"{}"), (404, b'{"error": {"message": "No such File"}}'), (400, b"{}")]


@pytest.mark.parametrize("looks", [0, 1, 2])  # the batch is asked for, then again for its counts, then its results
@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_what_cannot_be_read_at_first_is_fetched_again(looks: int, api_type: str, tmp_path: Path) -> None:
    body, well = (openai() if api_type == "openai" else anthropic()), (200, WELL[api_type])
    for number, odd in enumerate(ODD if looks == 2 else ODD[2:4]):
        found, paid = batched(tmp_path / str(number), body, api_type, [well] * looks + [odd] * 2)
        assert isinstance(found, Reply) and found.content == "fine", odd
        assert paid == 1, odd


@pytest.mark.parametrize(
    ("counts", "is_whole"),
    [
        ({"total": 3, "completed": 2, "failed": 1}, False),  # a file that was cut
        ({"total": 2, "completed": 2, "failed": 0}, True),  # one that counts a failed request as completed
        ({"total": 3, "completed": 1, "failed": 2}, True),  # failures that are listed nowhere cost nothing
        ({"total": 0, "completed": 0, "failed": 0}, True),  # one that counts nothing
        (None, True),
    ],
)
def test_what_a_batch_counts_says_whether_all_came(counts: dict[str, int] | None, is_whole: bool) -> None:
    outcomes: dict[str, Reply | CallError] = {"a": Reply("fine"), "b": CallError("final", "no")}
    told = counts_in({"request_counts": counts}, "completed", "failed")
    if is_whole:
        check_whole(outcomes, 1, told, [])
    with pytest.raises(Unread, match="none of the requests|lines for 0 of the . completed") as short:
        check_whole({}, 0, told, [b""])
    assert "what came is an empty body" in short.value.message
    if not is_whole:
        with pytest.raises(Unread, match="lines for 1 of the 2 completed requests"):
            check_whole(outcomes, 1, told, [])


class Lossy(Provider):
    """A provider that has lost the reply to 'a', and says that it was completed."""

    async def results(self, batch_id: str, bodies: dict[str, Any]) -> dict[str, Reply | CallError]:
        outcomes = await super().results(batch_id, bodies)
        lost = {key for key, body in bodies.items() if body["messages"][0]["content"] == "a"}
        if lost and len(self.taken) < 3:
            raise Unread("its results are short.", {key: outcomes[key] for key in outcomes.keys() - lost})
        return outcomes


def test_a_reply_that_is_gone_is_asked_for_anew_only_when_its_batch_is_given_up(tmp_path: Path) -> None:
    provider, texts = Lossy(), ["a", "b", "c", "d"]  # in lots of three
    file = ""
    for _ in range(2):
        with mailbox(tmp_path, provider) as box:
            play(box, texts)
            with pytest.raises(UserError, match="its results are short. It stays open") as stopped:
                asyncio.run(box.exchange())
            found = play(box, texts)
            assert {text: reply.content for text, reply in found.items() if isinstance(reply, Reply)} == {
                text: f"re: {text}" for text in "bcd"
            }
            file = str(stopped.value).partition("remove '")[2].partition("': then")[0]
        assert provider.requests == 4
    Path(file).unlink()
    with mailbox(tmp_path, provider) as box:
        assert not box.busy
        play(box, texts)
        asyncio.run(box.exchange())
        assert contents(play(box, texts)) == {text: f"re: {text}" for text in texts}
    assert provider.requests == 5


@pytest.mark.parametrize("message", ["404: no such batch", "410: gone"])
def test_a_batch_that_is_refused_stays_open(message: str, tmp_path: Path) -> None:
    provider = ShutOff()
    provider.error = CallError("final", message, endpoint_wide=True, wrong_address=True)
    with mailbox(tmp_path, provider) as box:
        play(box, ["a"])
        with pytest.raises(UserError, match=f"{message}. It stays open"):
            asyncio.run(box.exchange())
    assert provider.requests == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html><title>Log in</title></html>", 'a web page ("Log in"), not JSON'),
        (b"", "an empty body, not JSON"),
        (b"Welcome", "'Welcome', not JSON"),
        (b'{"object": "list"}', """no 'id': {"object": "list"}"""),
    ],
)
def test_what_came_in_place_of_a_batch_is_told(content: bytes, said: str) -> None:
    with pytest.raises(CallError) as raised:
        object_in(content, "id")
    assert said in raised.value.message and raised.value.kind == "transient"


def test_a_list_that_is_none_does_not_say_that_a_batch_is_not_there() -> None:
    with pytest.raises(CallError, match="no list of batches: {}"):
        page_in(b"{}")


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
