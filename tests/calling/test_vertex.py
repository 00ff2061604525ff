"""Vertex AI through the SDKs of openai and anthropic, against a server that checks the tokens it has given out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.auth")

from arena_hard.calling.providers.base import CallError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.usage import Usage
from arena_hard.money.prices import price_of
from tests.support.cloud_server import Account, Answered, CloudServer, Got, path_of, running
from tests.support.direct_calls import outcomes
from tests.support.pipeline_bench import Scratch, rows

GEMINI, CLAUDE = "gemini-2.5-flash", "claude-haiku-4-5@20251001"
PLACE = "/v1/projects/my-project/locations/us-central1"


def gemini_reply(text: str = "fine") -> Answered:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    return 200, {}, {"model": f"google/{GEMINI}", "choices": [choice], "usage": usage}


def claude_reply() -> Answered:
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, {"type": "text", "text": "fine"}]
    usage = {"input_tokens": 10, "output_tokens": 20}
    return 200, {}, {"content": blocks, "stop_reason": "end_turn", "usage": usage, "model": "claude-haiku-4-5"}


def google_error(status: int, word: str, message: str, **more: Any) -> Answered:
    return status, {}, [{"error": {"code": status, "message": message, "status": word, **more}}]


class Google:
    """Both servers of Google's in one: tokens, and models for who has one. A test may set `answer` and `on_token`."""

    def __init__(self, server: CloudServer, account: Account, folder: Path) -> None:
        self.server, self.account = server, account
        self.answer: Callable[[Got, int], Answered] = lambda *_: gemini_reply()
        self.on_token: Callable[[Got], Answered | None] = lambda _: None
        self.calls: list[Got] = []
        self.file = folder / "service-account.json"
        self.file.write_text(account.file_text(server.address))
        server.answer = self.reply
        self._lock = threading.Lock()

    def reply(self, got: Got, number: int) -> Answered:
        if got.path == "/token":
            return self.on_token(got) or self.account.token(got)
        with self._lock:
            self.calls.append(got)
            number = len(self.calls)
        return self.account.refusal(got) or self.answer(got, number)

    @property
    def environment(self) -> dict[str, str]:
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(self.file), "NO_GCE_CHECK": "true"}


@pytest.fixture(scope="module")
def account() -> Account:
    return Account()


@pytest.fixture
def google(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    account.live.clear()
    account.claims.clear()
    account.faults.clear()
    account.life = 3600.0
    with running(lambda *_: gemini_reply()) as server:
        found = Google(server, account, tmp_path)
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


def settings(google: Google, model: str = GEMINI, **more: Any) -> ModelSettings:
    values: dict[str, Any] = {
        "project_id": "my-project",
        "regions": "us-central1",
        "backoff": 0.01,
        "parallel": 4,
        "timeout": 20.0,
    }
    endpoint = EndpointSettings(f"{google.server.address}/v1")
    return ModelSettings(
        **({"name": "m", "model_name": model, "api_type": "vertex", "endpoints": [endpoint]} | values | more)
    )


def on_scratch(scratch: Scratch, google: Google, model: str) -> None:
    scratch.models["m"] = {
        "model": model,
        "api_type": "vertex",
        "project_id": "my-project",
        "regions": "us-central1",
        "backoff": 0.01,
        "parallel": 4,
        "endpoints": [{"api_base": f"{google.server.address}/v1"}],
    }


# ------------------------------------------------------------------------------ requests and replies


@pytest.mark.slow
def test_gemini_with_a_service_account(scratch: Scratch, google: Google) -> None:
    on_scratch(scratch, google, GEMINI)
    scratch.models["m"] |= {"system_prompt": "Be brief.", "reasoning_effort": "low"}
    done = scratch.run("gen_answer.py", **google.environment)
    assert done.returncode == 0, done.stderr
    assert {path_of(got) for got in google.calls} == {f"{PLACE}/endpoints/openapi/chat/completions"}
    body = google.calls[0].json
    assert body["model"] == f"google/{GEMINI}"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["max_tokens"], body["reasoning_effort"]) == (4096, "low")
    (claims,) = google.account.claims  # one token for all calls
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    written = rows(scratch.answer_file())
    assert [row["choices"][0]["turns"][0]["content"] for row in written] == ["fine"] * 3
    assert written[0]["usage"] == {"prompt_tokens": 10, "completion_tokens": 20}
    manifest = json.loads(scratch.answer_file().with_name("m.manifest.json").read_text())
    assert manifest["runs"][0]["endpoints"] == [f"vertex my-project us-central1 {google.server.address}/v1"]
    everything = done.stdout + done.stderr + json.dumps(manifest) + json.dumps(written)
    assert "ya29" not in everything and "PRIVATE" not in everything


@pytest.mark.slow
def test_claude_through_anthropics_own_path(scratch: Scratch, google: Google) -> None:
    google.answer = lambda *_: claude_reply()
    on_scratch(scratch, google, CLAUDE)
    scratch.models["m"] |= {"system_prompt": "Be brief.", "thinking": 1000}
    done = scratch.run("gen_answer.py", **google.environment)
    assert done.returncode == 0, done.stderr
    assert {path_of(got) for got in google.calls} == {f"{PLACE}/publishers/anthropic/models/{CLAUDE}:rawPredict"}
    body = google.calls[0].json
    assert "model" not in body
    assert body["anthropic_version"]  # which one is for the SDK to know
    assert (body["system"], body["max_tokens"]) == ("Be brief.", 5096)
    turn = rows(scratch.answer_file())[0]["choices"][0]["turns"][0]
    assert (turn["content"], turn["thought"]) == ("fine", "Hm.")


def test_regions_share_the_load(google: Google) -> None:
    model = settings(google, regions=["us-central1", "europe-west4"])
    assert {reply.content for reply in outcomes(model, 20)} == {"fine"}
    places = [path_of(got).split("/")[5] for got in google.calls]
    assert min(places.count("us-central1"), places.count("europe-west4")) > 3


def test_an_endpoint_of_ones_own(google: Google) -> None:
    base = f"{google.server.address}{PLACE}/endpoints/123"
    model = settings(google, "my-llama", endpoints=[EndpointSettings(f"{base}/chat/completions")])
    assert outcomes(model)[0].usage == Usage(10, 20)
    (got,) = google.calls
    assert path_of(got) == f"{PLACE}/endpoints/123/chat/completions"
    assert got.json["model"] == "my-llama"


@pytest.mark.parametrize(
    ("region", "host"),
    [("us-central1", "us-central1-aiplatform"), ("global", "aiplatform"), ("eu", "aiplatform.eu.rep")],
)
def test_the_address_of_a_region(google: Google, region: str, host: str) -> None:
    from arena_hard.calling.providers.registry import connections
    from arena_hard.calling.providers.vertex import ADAPTER

    base = f"https://{host}.googleapis.com/v1"
    (connection,) = connections(settings(google, regions=region, endpoints=None))
    place = f"projects/my-project/locations/{region}/endpoints/openapi/"
    assert ADAPTER.open(connection).base_url == f"{base}/{place}"
    (connection,) = connections(settings(google, CLAUDE, regions=region, endpoints=None))
    assert ADAPTER.open(connection).base_url.rstrip("/") == base


def test_prices_are_googles() -> None:
    pytest.importorskip("genai_prices")
    for name in (GEMINI, f"google/{GEMINI}", CLAUDE):
        assert price_of(ModelSettings("m", name, None, "vertex")) is not None


# ---------------------------------------------------------------------------------------- tokens


@pytest.mark.slow
@pytest.mark.parametrize(("model", "reply"), [(GEMINI, gemini_reply()), (CLAUDE, claude_reply())])
def test_a_token_is_renewed_before_its_end(google: Google, model: str, reply: Answered) -> None:
    def slowly(got: Got, number: int) -> Answered:
        time.sleep(0.5)
        return reply

    google.answer, google.account.life = slowly, 1.5
    got = outcomes(settings(google, model, attempts=1), 6, one_by_one=True)
    assert [each.content for each in got] == ["fine"] * 6
    assert 2 <= len(google.account.claims) <= 6
    assert google.account.faults == []  # no request went out with one that had ended


@pytest.mark.slow
def test_many_calls_fetch_one_token(google: Google) -> None:
    google.on_token = lambda _: time.sleep(0.3)
    assert {each.content for each in outcomes(settings(google, parallel=32), 1 + 32)} == {"fine"}
    assert len(google.account.claims) == 1


@pytest.mark.parametrize(("model", "reply"), [(GEMINI, gemini_reply()), (CLAUDE, claude_reply())])
def test_a_token_that_ends_early_is_replaced(google: Google, model: str, reply: Answered) -> None:
    def answer(got: Got, number: int) -> Answered:
        if number == 3:
            google.account.live.clear()  # revoked, or the clocks differ: the server knows better
        return reply

    google.answer = answer
    got = outcomes(settings(google, model), 8)
    assert [each.content for each in got] == ["fine"] * 8
    assert len(google.account.claims) == 2
    assert len(set(google.account.faults)) == 1


def test_an_account_that_no_token_helps_is_asked_twice(google: Google) -> None:
    def answer(got: Got, number: int) -> Answered:
        said = f"Request had invalid credentials: {got.headers['authorization']}"
        return google_error(401, "UNAUTHENTICATED", said)

    google.answer = answer
    got = outcomes(settings(google, parallel=1), 10)
    assert all(isinstance(each, CallError) for each in got)
    assert len(google.calls) == 2 == len(google.account.claims)
    assert "401" in got[0].message and "ya29" not in got[0].message


@pytest.mark.slow
def test_a_refused_account_is_one_message_and_no_call(scratch: Scratch, google: Google) -> None:
    seen: list[str] = []

    def refuse(got: Got) -> Answered:
        seen.append(got.raw.decode().partition("assertion=")[2].partition("&")[0])
        return 400, {}, {"error": "invalid_grant", "error_description": f"Invalid JWT: {seen[-1]}"}

    google.on_token = refuse
    on_scratch(scratch, google, GEMINI)
    scratch.models["m"]["parallel"] = 1
    done = scratch.run("gen_answer.py", **google.environment)
    assert done.returncode == 1
    assert "no access token of Google" in done.stdout and "invalid_grant" in done.stdout
    assert google.calls == [] and len(seen) == 1
    assert seen[0][:20] not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_token_server_that_is_away_is_asked_again(google: Google) -> None:
    asked: list[Got] = []

    def away(got: Got) -> Answered | None:
        asked.append(got)
        return (503, {}, {"error": "unavailable"}) if len(asked) == 1 else None

    google.on_token = away
    assert outcomes(settings(google))[0].content == "fine"
    assert len(asked) == 2


def test_a_token_in_the_endpoint(google: Google) -> None:
    given = "ya29.given-by-hand-0123456789"
    google.account.live[given] = time.monotonic() + 60
    model = settings(google, endpoints=[EndpointSettings(f"{google.server.address}/v1", given)])
    assert outcomes(model)[0].content == "fine"
    assert google.account.claims == []


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.slow
@pytest.mark.parametrize("model", [GEMINI, CLAUDE])
def test_throttling_is_waited_for(google: Google, model: str) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.5s"}
    refusal = google_error(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", details=[info])
    good = gemini_reply() if model == GEMINI else claude_reply()
    google.answer = lambda _, number: refusal if number == 1 else good
    start = time.monotonic()
    got = outcomes(settings(google, model, attempts=1), 3)
    assert [each.content for each in got] == ["fine"] * 3
    assert len(google.calls) == 4
    assert 0.5 <= time.monotonic() - start < 4.5  # without a time it would be five seconds


def test_no_right_to_the_project_is_asked_once(google: Google) -> None:
    google.answer = lambda *_: google_error(
        403, "PERMISSION_DENIED", "Permission denied on aiplatform.endpoints.predict"
    )
    got = outcomes(settings(google, parallel=1), 10)
    assert len(google.calls) == 1
    assert all("Permission denied" in each.message for each in got)


# ------------------------------------------------------------------------------- before a request


@pytest.mark.slow
def test_without_credentials_project_or_package_it_is_one_message(
    scratch: Scratch, google: Google, tmp_path: Path
) -> None:
    on_scratch(scratch, google, GEMINI)
    nobody = {"NO_GCE_CHECK": "true", "CLOUDSDK_CONFIG": str(tmp_path / "nowhere"), "HOME": str(tmp_path)}
    done = scratch.run("gen_answer.py", **nobody)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "gcloud auth application-default login" in done.stderr
    done = scratch.run("gen_answer.py", **nobody, GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "missing.json"))
    assert done.returncode == 2 and "missing.json" in done.stderr

    del scratch.models["m"]["project_id"]
    done = scratch.run("gen_answer.py", **google.environment)
    assert done.returncode == 2 and "project_id" in done.stderr
    done = scratch.run("gen_answer.py", GOOGLE_CLOUD_PROJECT="my-project", **google.environment)
    assert done.returncode == 0, done.stderr

    (tmp_path / "no" / "google").mkdir(parents=True)
    (tmp_path / "no" / "google" / "__init__.py").write_text("raise ImportError('google')")
    scratch.models["m"]["project_id"] = "another"
    done = scratch.run("gen_answer.py", "--redo", "m", PYTHONPATH=str(tmp_path / "no"), **google.environment)
    assert done.returncode == 2
    assert done.stderr.endswith('1: m: api_type vertex needs one more package: pip install "google-auth[requests]"\n')


@pytest.mark.slow
@pytest.mark.parametrize(("model", "key"), [(GEMINI, "thinking"), (CLAUDE, "reasoning_effort")])
def test_a_reasoning_key_without_effect(scratch: Scratch, google: Google, model: str, key: str) -> None:
    on_scratch(scratch, google, model)
    scratch.models["m"][key] = 1000 if key == "thinking" else "high"
    done = scratch.run("gen_answer.py", **google.environment)
    assert done.returncode == 2 and key in done.stderr


def test_long_replies_of_claude_are_streamed(google: Google) -> None:
    google.answer = lambda *_: claude_reply()
    (got,) = outcomes(settings(google, CLAUDE, max_tokens=64_000))
    assert got.content == "fine"
    assert path_of(google.calls[0]).endswith(f"{CLAUDE}:streamRawPredict")
