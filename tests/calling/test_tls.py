"""TLS with real servers and certificates made here: what is wrong is said once, and whom an endpoint trusts."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.models import Models
from arena_hard.calling.origins import origins
from arena_hard.calling.providers.base import CallError
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.pipeline_bench import Scratch, rows
from tests.support.small_server import Asked, ask, completion, outcomes
from tests.support.tls_server import HERE, Authority, refusing, served

DAY = datetime.timedelta(days=1)


def good(body: dict[str, Any], number: int) -> Any:
    return completion("fine")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def ask_tls(context: ssl.SSLContext | None, scheme: str = "https", prompts: int = 1, **settings: Any) -> Asked:
    return ask(good, prompts, context=context, bases=[f"{scheme}://{{}}/v1"], **settings)


def refusal(asked: Asked) -> str:
    """The message of the one error that all prompts got; no request came through."""
    assert asked.bodies == []
    errors = {str(outcome) for outcome in asked.outcomes if isinstance(outcome, CallError)}
    assert len(errors) == 1 and len(asked.outcomes) == sum(isinstance(each, CallError) for each in asked.outcomes)
    message = errors.pop()
    assert message.startswith("127.0.0.1:") and "tries" not in message
    return message


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_a_self_signed_certificate_is_no_passing_error(authority: Authority, api_type: str) -> None:
    message = refusal(ask_tls(authority.self_signed(), prompts=20, api_type=api_type))
    assert "self-signed" in message and "verify: FILE" in message and "verify: false" in message


def test_an_unknown_authority(authority: Authority) -> None:
    assert "authority that is not trusted here" in refusal(ask_tls(authority.serving(HERE)))


def test_a_certificate_for_another_host_names_the_host(authority: Authority) -> None:
    message = refusal(ask_tls(authority.serving("other.example"), verify=str(authority.file)))
    assert "for another host" in message and "'127.0.0.1'" in message and "api_base" in message


@pytest.mark.parametrize(("since", "words"), [(-9, "has expired"), (9, "not valid yet")])
def test_a_certificate_out_of_its_time(authority: Authority, since: int, words: str) -> None:
    assert words in refusal(ask_tls(authority.serving(HERE, since * DAY), verify=str(authority.file)))


def test_http_behind_https() -> None:
    message = refusal(ask_tls(None, prompts=5))
    assert "does not speak TLS on this port" in message and "http://" in message


def test_https_asked_with_http(authority: Authority) -> None:
    message = refusal(ask_tls(authority.serving(HERE), scheme="http", prompts=5))
    assert "speaks TLS on this port" in message and "https://" in message


@pytest.mark.parametrize(
    "words",
    [
        "The plain HTTP request was sent to HTTPS port",
        "Client sent an HTTP request to an HTTPS server.",
        "You're speaking plain HTTP to an SSL-enabled server port.",
    ],
)
def test_https_asked_with_http_where_the_server_says_so(words: str) -> None:
    page = f"<html><head><title>400 {words}</title></head></html>".encode()
    asked = ask(lambda body, number: (400, {}, page), 5, one_by_one=True)
    assert len(asked.bodies) == 1
    assert "https:// instead of http://" in str(asked.first)


def old_version(authority: Authority) -> ssl.SSLContext:
    context = authority.serving(HERE)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")  # which no client of today takes
    return context


def wants_a_certificate(authority: Authority) -> ssl.SSLContext:
    context = authority.serving(HERE)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    return context


@pytest.mark.parametrize(
    ("context", "words"),
    [(old_version, "agree on no version or cipher"), (wants_a_certificate, "wants a certificate of the client")],
)
def test_a_refusal_in_the_handshake(
    authority: Authority, context: Callable[[Authority], ssl.SSLContext], words: str
) -> None:
    with refusing(context(authority)) as base:
        asked = asyncio.run(outcomes("", 3, False, {"bases": [base], "verify": str(authority.file)}))
    message = refusal(Asked(asked))
    assert words in message and "ALERT" in message


def test_a_server_that_hangs_up_without_a_word_may_want_a_certificate(authority: Authority) -> None:
    context = wants_a_certificate(authority)
    asked = ask(
        lambda *_: completion("fine"), context=context, bases=["https://{}/v1"], verify=str(authority.file), attempts=1
    )
    assert "as those do that want a certificate of the client" in asked.first.message


def test_a_server_that_hangs_up_in_the_handshake_is_asked_again() -> None:
    async def run() -> tuple[int, CallError]:
        seen = 0

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal seen
            seen += 1
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            (error,) = await outcomes("", 1, False, {"bases": [base], "attempts": 2})
        assert isinstance(error, CallError)
        return seen, error

    seen, error = asyncio.run(run())
    assert seen == 2 and "after 2 tries" in error.message and "Operation not permitted" not in error.message


def test_a_hung_up_plain_server_is_not_taken_for_tls() -> None:
    def drop(body: dict[str, Any], number: int) -> Any:
        raise ConnectionResetError

    error = ask(drop, attempts=2).first
    assert "TLS" not in error.message


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_verify_names_the_certificate_itself_or_its_authority(authority: Authority, api_type: str) -> None:
    context = authority.self_signed()
    message = {"content": [{"type": "text", "text": "fine"}], "stop_reason": "end_turn"}
    answer = good if api_type == "openai" else lambda body, number: (200, {}, message)
    for served_with, file in ((authority.serving(HERE), authority.file), (context, authority.self_signed_file)):
        asked = ask(answer, context=served_with, bases=["https://{}/v1"], verify=str(file), api_type=api_type)
        assert asked.first.content == "fine"
    assert (
        ask(answer, context=context, bases=["https://{}/v1"], verify=False, api_type=api_type).first.content == "fine"
    )


def test_a_leaf_alone_is_enough(authority: Authority, tmp_path: Path) -> None:
    context = authority.serving(HERE)
    file = tmp_path / "leaf.pem"
    file.write_text(authority.leaf)
    assert ask_tls(context, verify=str(file)).first.content == "fine"


def test_another_certificate_than_the_named_one_is_refused(authority: Authority) -> None:
    message = refusal(ask_tls(Authority().serving(HERE), verify=str(authority.file)))
    assert f"Trusted is only what {authority.file} holds (verify)" in message


def test_the_next_endpoint_takes_over(authority: Authority) -> None:
    bases = ["https://{}/v1", "https://localhost:{port}/v1"]
    asked = ask(good, 3, context=authority.serving("localhost"), bases=bases, verify=str(authority.file))
    assert asked.contents == ["fine"] * 3


@pytest.mark.parametrize(
    ("verify", "words"),
    [("/nowhere.pem", "no such file"), (__file__, "no certificate"), ("", "verify is empty"), ("${NO_CA}", "NO_CA")],
)
def test_a_bad_file_is_named_before_anything_is_asked(verify: str, words: str) -> None:
    endpoint = EndpointSettings("https://127.0.0.1:1/v1", "key", verify=verify)
    with pytest.raises(UserError, match=words) as problem:
        Models().open(ModelSettings("m", "m", [endpoint]))
    assert str(problem.value).startswith("m") and (verify.startswith("$") or "verify" in str(problem.value))


@pytest.mark.parametrize("verify", ["false", "No", "off", False])
def test_false_may_come_as_a_text(verify: Any) -> None:
    models = Models()
    opened = models.open(ModelSettings("m", "m", [EndpointSettings("https://127.0.0.1:1/v1", "key", verify=verify)]))
    assert opened.endpoints[0].connection.verify is False


def test_endpoints_that_trust_differently_share_no_client_and_are_told_apart_in_manifests() -> None:
    endpoints = [EndpointSettings("https://127.0.0.1:1/v1", "key", verify=verify) for verify in (True, False)]
    model = ModelSettings("m", "m", endpoints)
    assert len({id(endpoint.client) for endpoint in Models().open(model).endpoints}) == 2
    assert origins(model) == [
        "openai https://127.0.0.1:1/v1",
        "openai https://127.0.0.1:1/v1 (certificates not checked)",
    ]
    same = ModelSettings("m", "m", [EndpointSettings("https://127.0.0.1:1/v1", "key", verify="ca.pem")])
    assert origins(same) == ["openai https://127.0.0.1:1/v1 (certificates: ca.pem)"]


@pytest.mark.parametrize(
    ("verify", "told"), [("False", " (certificates not checked)"), ("0", " (certificates not checked)"), ("yes", "")]
)
def test_manifests_read_true_and_false_in_texts_as_the_call_does(verify: str, told: str) -> None:
    model = ModelSettings("m", "m", [EndpointSettings("https://127.0.0.1:1/v1", "key", verify=verify)])
    assert origins(model) == [f"openai https://127.0.0.1:1/v1{told}"]


@pytest.mark.slow
def test_a_run_from_the_config_to_the_manifest(scratch: Scratch, authority: Authority) -> None:
    with served(authority.self_signed()) as base:
        endpoint: dict[str, Any] = {"api_base": base, "api_key": "sk-secret-0123456789"}
        scratch.models["m"]["endpoints"] = [endpoint]
        refused = scratch.run("gen_answer.py")
        assert refused.returncode == 1
        assert "3 × 127.0.0.1:" in refused.stdout and "self-signed" in refused.stdout
        endpoint["verify"] = False
        done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "certificates are not checked (verify: false)" in done.stderr
    assert len(rows(scratch.answer_file())) == 3
    manifest = json.loads(scratch.answer_file().with_suffix(".manifest.json").read_text())
    assert manifest["runs"][-1]["endpoints"] == [f"openai {base} (certificates not checked)"]
