"""Vectors of texts through the one call: in the order of the texts, retried like any call, and never half of them."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Any

import pytest
from aiohttp import web

from arena_hard.calling.embeddings import vectors_of
from arena_hard.calling.models import Clock, Models
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.small_server import KEY, Answer, error

TEXTS = ["first", "second", "third"]
VECTORS = [[0.5, -1.0], [0.0, 2.0], [3.0, 0.25]]


def rows(vectors: list[Any]) -> list[dict[str, Any]]:
    return [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]


def answered(data: Any) -> tuple[int, dict[str, str], Any]:
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return 200, {}, {"object": "list", "model": "served", "data": data, "usage": usage}


def ask(answer: Answer, **settings: Any) -> tuple[Reply | CallError, list[dict[str, Any]]]:
    """What comes of the three texts, and the bodies that arrived."""
    bodies: list[dict[str, Any]] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        assert request.path == "/v1/embeddings"
        bodies.append(await request.json())
        status, headers, body = answer(bodies[-1], len(bodies))
        return web.json_response(body, status=status, headers=headers)

    async def run() -> Reply | CallError:
        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint = EndpointSettings(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", KEY)
        models = Models()
        values = {"name": "m", "model_name": "small", "backoff": 0.01, "timeout": 20.0} | settings
        try:
            model = models.open(ModelSettings(endpoints=[endpoint], **values), embeds=True)
            return await vectors_of(model, TEXTS, Clock("texts"))
        except CallError as problem:
            return problem
        finally:
            await models.close()
            await runner.cleanup()

    return asyncio.run(asyncio.wait_for(run(), 60)), bodies


def test_vectors_come_in_the_order_of_the_texts_whatever_that_of_the_reply() -> None:
    reply, bodies = ask(lambda body, number: answered(rows(VECTORS)[::-1]), extra_body={"dimensions": 2})
    assert isinstance(reply, Reply) and reply.vectors is not None
    assert list(reply.vectors) == VECTORS
    assert reply.usage is not None and (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 0)
    assert reply.served_model == "served"
    assert bodies == [{"model": "small", "input": TEXTS, "encoding_format": "float", "dimensions": 2}]


def test_vectors_in_base64_are_read_too() -> None:
    packed = [base64.b64encode(struct.pack("<2f", *vector)).decode() for vector in VECTORS]
    reply, _ = ask(lambda body, number: answered(rows(packed)))
    assert isinstance(reply, Reply) and list(reply.vectors or ()) == VECTORS


@pytest.mark.parametrize(
    "wrong",
    [
        rows(VECTORS[:2]),
        [*rows(VECTORS[:2]), {"index": 1, "embedding": [1.0, 2.0]}],
        rows([*VECTORS[:2], [1.0, 2.0, 3.0]]),
        rows([*VECTORS[:2], []]),
        rows([*VECTORS[:2], "no base64!"]),
        rows([*VECTORS[:2], [None, 1.0]]),
        None,
    ],
    ids=["one missing", "one twice", "another length", "empty", "no base64", "null", "none"],
)
def test_what_is_no_vector_for_each_text_is_asked_for_again_and_never_taken(wrong: Any) -> None:
    reply, bodies = ask(lambda body, number: answered(rows(VECTORS) if number == 3 else wrong))
    assert isinstance(reply, Reply) and list(reply.vectors or ()) == VECTORS
    assert len(bodies) == 3
    failed, bodies = ask(lambda body, number: answered(wrong), attempts=2)
    assert isinstance(failed, CallError) and "vectors" in failed.message and len(bodies) == 2


def test_limits_and_refusals_are_those_of_every_call_and_keys_are_masked() -> None:
    busy = error(429, "slow down", {"retry-after-ms": "10"})
    reply, bodies = ask(lambda body, number: answered(rows(VECTORS)) if number == 2 else busy)
    assert isinstance(reply, Reply) and len(bodies) == 2
    failed, bodies = ask(lambda body, number: error(401, f"Incorrect API key provided: {KEY}"))
    assert isinstance(failed, CallError) and failed.endpoint_wide and len(bodies) == 1
    assert KEY not in failed.message
    long, _ = ask(lambda body, number: error(400, "input is too long: maximum context length is 512 tokens"))
    assert isinstance(long, CallError) and long.about_request


def test_a_provider_without_embeddings_says_so() -> None:
    with pytest.raises(UserError, match="api_type anthropic has no embeddings"):
        Models().open(ModelSettings(name="m", model_name="m", api_type="anthropic"), embeds=True)


def test_a_server_that_knows_no_form_of_numbers_is_asked_without() -> None:
    refusal = error(400, "Unsupported parameter: encoding_format")
    reply, bodies = ask(lambda body, number: refusal if "encoding_format" in body else answered(rows(VECTORS)))
    assert isinstance(reply, Reply) and list(reply.vectors or ()) == VECTORS
    assert bodies[1:] == [{"model": "small", "input": TEXTS}]
