"""Addresses as people paste them, and what is said of a server that does not know the one it was asked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from aiohttp import web

from arena_hard.calling.origins import origins
from arena_hard.calling.providers.addresses import understood
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.calling.providers.registry import connections
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch
from tests.support.small_server import outcomes

PAGE = "<!doctype html><html><head><title>Sign\n in</title></head><body>model</body></html>"
MODELS = {"object": "list", "data": [{"id": "m"}]}
ANSWER = {"model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "fine"}}]}
MESSAGE = {"content": [{"type": "text", "text": "fine"}], "stop_reason": "end_turn"}


class Routes:
    """A server that knows some paths, and what it was asked."""

    def __init__(self, paths: dict[str, Any], otherwise: tuple[int, str, str] | None = None) -> None:
        self.paths = paths
        self.otherwise = otherwise or OTHERWISE[0]
        self.asked: list[str] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        await request.read()
        self.asked.append(f"{request.method} {request.path}")
        found: Any = self.paths.get(self.asked[-1])
        if callable(found):
            return cast("Callable[[], web.Response]", found)()
        if found is not None:
            return web.json_response(found)
        if found is not None:
            return found()
        status, body, kind = self.otherwise
        return web.Response(status=status, text=body, content_type=kind)

    def ask(self, base: str, prompts: int = 1, **settings: Any) -> list[Reply | CallError]:
        async def run() -> list[Reply | CallError]:
            runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            address = f"127.0.0.1:{runner.addresses[0][1]}"
            try:
                return await outcomes(address, prompts, False, {"bases": [base], **settings})
            finally:
                await runner.cleanup()

        return asyncio.run(asyncio.wait_for(run(), 60))


OPENAI = {"GET /v1/models": MODELS, "POST /v1/chat/completions": ANSWER}
ANTHROPIC = {"GET /anthropic/v1/models": MODELS, "POST /anthropic/v1/messages": MESSAGE}
OTHERWISE = [
    (404, '{"detail": "Not Found"}', "application/json"),
    (404, "404 page not found", "text/plain"),
    (404, '{"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}', "application/json"),
    (404, "", "text/plain"),
    (404, PAGE, "text/html"),
    (405, PAGE, "text/html"),
    (405, '{"detail": "Method Not Allowed"}', "application/json"),
    (200, PAGE, "text/html"),
    (200, '{"error": "Unexpected endpoint or method. (POST /chat/completions)"}', "application/json"),
]


@pytest.mark.parametrize("otherwise", OTHERWISE)
@pytest.mark.parametrize("wrong", ["", "/api", "/v1/api/generate", "/api/v1"])
def test_the_right_address_is_looked_for_and_named(otherwise: tuple[int, str, str], wrong: str) -> None:
    server = Routes(paths=OPENAI, otherwise=otherwise)
    found = server.ask(f"http://{{}}{wrong}", prompts=5)
    messages = {str(each) for each in found}
    assert len(messages) == 1
    message = messages.pop()
    base = "http://" + message.partition(":")[0] + ":" + message.split(":")[1]
    assert f"Asked was {base}{wrong}/chat/completions" in message
    assert f"so write api_base: {base}/v1" in message
    assert "tries" not in message and "<" not in message
    assert sum(each.startswith("POST") for each in server.asked) <= 4  # those that were under way
    assert len([each for each in server.asked if each == "GET /v1/models"]) == 1  # looked at once


def test_a_server_without_versions_in_its_paths() -> None:
    server = Routes(paths={"GET /models": MODELS, "POST /chat/completions": ANSWER})
    (error,) = server.ask("http://{}/v1")
    assert str(error).endswith(f"so write api_base: http://{str(error).partition(': ')[0]}")


def test_anthropic() -> None:
    server = Routes(paths=ANTHROPIC)
    (error,) = server.ask("http://{}/v1", api_type="anthropic")
    host = str(error).partition(": ")[0]
    assert f"Asked was http://{host}/v1/messages" in str(error)
    assert f"so write api_base: http://{host}/anthropic" in str(error)


def test_where_nothing_better_is_found_the_usual_is_said() -> None:
    server = Routes(paths={})
    (error,) = server.ask("http://{}")
    assert "most servers want /v1 at the end of api_base" in str(error) and "Asked was" in str(error)
    (error,) = Routes(paths={}).ask("http://{}/v1")
    assert "Asked was" in str(error) and "api_base" not in str(error)


@pytest.mark.parametrize("text", ["The model `m` does not exist.", 'model "m" not found, try pulling it first'])
def test_a_model_that_is_missing_is_no_wrong_address(text: str) -> None:
    def refused() -> web.Response:
        return web.json_response({"error": {"message": text}}, status=404)

    server = Routes(paths={"GET /v1/models": MODELS, "POST /v1/chat/completions": refused})
    (error,) = server.ask("http://{}/v1")
    assert "Asked was" not in str(error) and not any(each.startswith("GET") for each in server.asked)


def test_a_page_that_comes_now_and_then_passes() -> None:
    """A gateway's own page in place of a reply: the address is right, for the models are listed there."""
    server = Routes(paths={"GET /v1/models": MODELS}, otherwise=(200, PAGE, "text/html"))

    async def once(request: web.BaseRequest) -> web.Response:
        response = await Routes.handle(server, request)
        server.paths = OPENAI
        return response

    server.handle = once
    (reply,) = server.ask("http://{}/v1")
    assert isinstance(reply, Reply) and reply.content == "fine"


@pytest.mark.parametrize(
    ("pasted", "base"),
    [
        ("http://h:8000/v1", "http://h:8000/v1"),
        (" http://h:8000/v1// ", "http://h:8000/v1"),
        ("http://h:8000/v1/chat/completions/", "http://h:8000/v1"),
        ("http://h/v1/chat/completions/chat/completions", "http://h/v1"),
        ("http://h/v1/completions", "http://h/v1"),
        ("http://h/v1/responses", "http://h/v1"),
        ("http://h/v1/models", "http://h/v1"),
        ("http://h/v1/v1", "http://h/v1"),
        ("http://h//v1", "http://h/v1"),
        ("http://h/v1/chat/completions?stream=true#top", "http://h/v1"),
        ("http://h/v1beta/openai/", "http://h/v1beta/openai"),
        ("https://h.services.ai.azure.com/models", "https://h.services.ai.azure.com/models"),
        ("http://h/anthropic/v1/messages", "http://h/anthropic/v1"),
        ("http://h/v1/messages/batches", "http://h/v1"),
        ("http://me:word@[::1]:8000/v1/", "http://me:word@[::1]:8000/v1"),
        ("http://h/completions-gateway/v1", "http://h/completions-gateway/v1"),
    ],
)
def test_pasted_forms(pasted: str, base: str) -> None:
    got = understood(pasted)
    assert got.base == base
    assert got.changed == (pasted.strip().rstrip("/") != base)
    assert understood(base).base == base and not understood(base).changed


RESOURCE = "https://r.openai.azure.com"


@pytest.mark.parametrize(
    ("pasted", "version"),
    [
        (RESOURCE, None),
        (f"{RESOURCE}/openai", None),
        (f"{RESOURCE}/openai/v1/", None),
        (f"{RESOURCE}/openai/deployments/m", None),
        (f"{RESOURCE}/openai/deployments/m/chat/completions?api-version=2025-01-01-preview", "2025-01-01-preview"),
    ],
)
def test_azure_with_the_target_uri_of_its_portal(
    pasted: str, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_VERSION", "from-env")
    model = ModelSettings("m", "m", [EndpointSettings(pasted, "key")], "azure")
    (connection,) = connections(model)
    assert connection.base_url == RESOURCE
    assert connection.api_version == (version or "from-env")
    assert bool(connection.notes) == (pasted != RESOURCE)
    assert origins(model) == [f"azure {RESOURCE}"]


def test_azure_with_another_deployment_than_the_model() -> None:
    endpoint = EndpointSettings(f"{RESOURCE}/openai/deployments/prod/chat/completions", "key", "2024-10-21")
    with pytest.raises(UserError, match="write model_name: prod"):
        connections(ModelSettings("m", "m", [endpoint], "azure"))


@pytest.mark.slow
@pytest.mark.parametrize(("api_type", "variable"), [("openai", "OPENAI_BASE_URL"), ("anthropic", "ANTHROPIC_BASE_URL")])
def test_the_sdks_own_variables_are_understood_alike(
    api_type: str, variable: str, scratch: Scratch, wire: Server
) -> None:
    own = {"openai": "/chat/completions", "anthropic": "/v1/messages"}[api_type]
    base = {"openai": wire.openai_base, "anthropic": wire.anthropic_base}[api_type]
    scratch.models["m"] |= {"endpoints": [{"api_key": "k"}], "api_type": api_type}
    done = scratch.run("gen_answer.py", "--limit", "1", **{variable: base.rstrip("/") + own})
    assert done.returncode == 0, done.stdout + done.stderr
    assert wire.stats()["requests"] == 1
    assert "is taken as" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("tail", ["/v1", "/v1/v1/", "/v1/messages", "/v1/messages/batches"])
def test_anthropic_with_a_base_as_people_paste_it(tail: str, scratch: Scratch, wire: Server) -> None:
    endpoint = {"api_base": wire.anthropic_base.rstrip("/").removesuffix("/v1") + tail, "api_key": "ant-key"}
    scratch.models["m"] |= {"api_type": "anthropic", "endpoints": [endpoint]}
    done = scratch.run("gen_answer.py", "--limit", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(wire.stats()["by_path"]) == ["/anthropic/v1/messages"]


@pytest.mark.slow
def test_azure_over_the_wire(scratch: Scratch, wire: Server) -> None:
    pasted = f"{wire.azure_base}/openai/deployments/m/chat/completions?api-version=2024-10-21"
    scratch.models["m"] |= {"api_type": "azure", "endpoints": [{"api_base": pasted, "api_key": "az-key"}]}
    done = scratch.run("gen_answer.py", "--limit", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [request["path"] for request in wire.requests()] == ["/openai/deployments/m/chat/completions"]
