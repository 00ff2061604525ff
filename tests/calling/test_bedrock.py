"""Bedrock through boto3 against a server that checks AWS's signatures: requests, replies, refusals, credentials."""

from __future__ import annotations

import gzip
import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

pytest.importorskip("boto3")

from arena_hard.calling.calls import request_body
from arena_hard.calling.providers.base import CallError, without_secrets
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.usage import Usage
from tests.support.cloud_server import Answered, CloudServer, Got, aws_error, converse_reply, running, signature_fault
from tests.support.direct_calls import outcomes
from tests.support.pipeline_bench import Scratch, rows

KEY_ID, SECRET, TOKEN = (
    "AKIATESTTESTTESTTEST",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYTESTKEYTEST",
    "FwoGZXIvYXdzEPT//session/token==",
)
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
GOOD = converse_reply()
PATH = "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse"


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in isolated(tmp_path).items():
        monkeypatch.setenv(name, value)


def isolated(folder: Path) -> dict[str, str]:
    """The SDK finds nothing outside the test."""
    nowhere = str(folder / "nowhere")
    return {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
    }


def signed(answer: Callable[[Got, int], Answered], token: str | None = None, region: str = "us-east-1") -> Any:
    """The answer for requests with a right signature; a refusal with AWS's words for others."""

    def checked(got: Got, number: int) -> Answered:
        fault = signature_fault(got, KEY_ID, SECRET, token, region)
        return aws_error(403, "InvalidSignatureException", fault) if fault else answer(got, number)

    return checked


@pytest.fixture
def bedrock() -> Iterator[CloudServer]:
    """A server that answers well; a test may set `answer`."""
    with running(signed(lambda *_: GOOD)) as server:
        yield server


def settings(server: CloudServer, **more: Any) -> ModelSettings:
    endpoint = EndpointSettings(
        server.address, aws_region="us-east-1", aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET
    )
    values: dict[str, Any] = {
        "endpoints": [endpoint],
        "name": "m",
        "model_name": MODEL,
        "api_type": "bedrock",
        "backoff": 0.01,
        "parallel": 4,
        "timeout": 20.0,
    }
    return ModelSettings(**(values | more))


def with_certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS, of the authority in authority.pem."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    return context


def on_scratch(scratch: Scratch, server: CloudServer, **endpoint: Any) -> None:
    place = {"api_base": server.address, "aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET} | endpoint
    scratch.models["m"] = {
        "model_id": MODEL,
        "api_type": "bedrock",
        "aws_region": "us-east-1",
        "backoff": 0.01,
        "parallel": 4,
        "endpoints": [{key: value for key, value in place.items() if value}],
    }


# ------------------------------------------------------------------------------ requests and replies


@pytest.mark.slow
def test_a_run_with_keys_in_the_endpoint(scratch: Scratch, bedrock: CloudServer, tmp_path: Path) -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": "x"}}}
    good = converse_reply(thought, {"text": "fine"}, cacheReadInputTokens=5, cacheWriteInputTokens=2)
    bedrock.answer = signed(lambda *_: good)
    on_scratch(scratch, bedrock, aws_secret_access_key="${MY_SECRET}")
    scratch.models["m"] |= {"system_prompt": "Be brief.", "extra_body": {"inferenceConfig": {"topP": 0.5}}}
    done = scratch.run("gen_answer.py", MY_SECRET=SECRET, **isolated(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {got.path for got in bedrock.got} == {PATH}
    body = bedrock.got[0].json
    assert body["system"] == [{"text": "Be brief."}]
    assert body["inferenceConfig"] == {"maxTokens": 4096, "temperature": 0.0, "topP": 0.5}
    assert [message["role"] for message in body["messages"]] == ["user"]
    written = rows(scratch.answer_file())
    assert len(written) == 3
    turn = written[0]["choices"][0]["turns"][0]
    assert (turn["content"], turn["thought"]) == ("fine", "Let me see.")
    usage = {"prompt_tokens": 17, "completion_tokens": 20, "cached_tokens": 5, "cache_write_tokens": 2}
    assert written[0]["usage"] == usage
    manifest = json.loads(scratch.answer_file().with_name("m.manifest.json").read_text())
    assert manifest["runs"][0]["endpoints"] == [f"bedrock us-east-1 {bedrock.address}"]
    assert "boto3" in manifest["runs"][0]["packages"]
    everything = done.stdout + done.stderr + json.dumps(manifest) + json.dumps(written)
    assert SECRET not in everything and KEY_ID not in everything


@pytest.mark.slow
@pytest.mark.parametrize("name", ["AWS_DEFAULT_REGION", "AWS_REGION"])  # boto3 reads the first one alone
def test_credentials_and_region_from_the_environment(scratch: Scratch, tmp_path: Path, name: str) -> None:
    with running(signed(lambda *_: GOOD, TOKEN, "eu-central-1")) as server:
        scratch.models["m"] = {"model_name": MODEL, "api_type": "bedrock", "endpoints": None, "backoff": 0.01}
        keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
        place = {name: "eu-central-1", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.address}
        done = scratch.run("gen_answer.py", **isolated(tmp_path), **keys, **place)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(scratch.answer_file().with_name("m.manifest.json").read_text())
    assert manifest["runs"][0]["endpoints"] == ["bedrock eu-central-1"]


@pytest.mark.slow
def test_an_entry_of_the_originals_later_version(scratch: Scratch, tmp_path: Path) -> None:
    with running(signed(lambda *_: GOOD, region="us-west-2")) as server:
        keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET, "api_base": server.address}
        entry = {"model": "nova", "model_id": "us.amazon.nova-pro-v1:0", "api_type": "aws_nova", "endpoints": [keys]}
        scratch.models["m"] = entry | {"max_tokens": 4096, "temperature": 0.0}
        done = scratch.run("gen_answer.py", **isolated(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {got.path for got in server.got} == {"/model/us.amazon.nova-pro-v1%3A0/converse"}


def test_a_profile_with_its_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = f"[profile lab]\nregion = eu-west-1\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    (tmp_path / "aws").write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    with running(signed(lambda *_: GOOD, region="eu-west-1")) as server:
        endpoint = EndpointSettings(server.address)
        model = ModelSettings("m", MODEL, [endpoint], "bedrock", backoff=0.01)
        assert outcomes(model)[0].content == "fine"
        monkeypatch.setenv("AWS_PROFILE", "lba")
        with pytest.raises(UserError, match="lba.*profile"):
            outcomes(model)


def test_regions_share_the_load(scratch: Scratch) -> None:
    with running(signed(lambda *_: GOOD)) as one, running(signed(lambda *_: GOOD, region="us-west-2")) as two:
        first = settings(one).endpoints
        second = settings(two, aws_region="us-west-2").endpoints
        assert first and second
        later = [EndpointSettings(two.address, aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET)]
        model = settings(one, endpoints=[*first, *later], aws_region="us-west-2")
        assert {reply.content for reply in outcomes(model, 20)} == {"fine"}
        assert len(one.got) > 3 and len(two.got) > 3


def test_a_bedrock_api_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = with_certificate(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))

    def answer(got: Got, number: int) -> Answered:
        right = got.headers["authorization"] == "Bearer bedrock-api-key-QWxs"
        return GOOD if right else aws_error(403, "AccessDeniedException", f"Not {got.headers['authorization']}")

    with running(answer, context) as server:
        model = settings(server, endpoints=[EndpointSettings(server.address, "bedrock-api-key-QWxs")])
        assert outcomes(model)[0].content == "fine"
        model = settings(server, endpoints=[EndpointSettings(server.address, "bedrock-api-key-WRONG")])
        (refused,) = outcomes(model)
    assert "403: AccessDeniedException" in refused.message
    assert "WRONG" not in refused.message


@pytest.mark.slow
def test_a_certificate_that_is_not_trusted_is_named_once(tmp_path: Path) -> None:
    with running(signed(lambda *_: GOOD), with_certificate(tmp_path)) as server:
        (got,) = outcomes(settings(server, attempts=3))
        assert "certificate" in got.message and "verify" in got.message and "tries" not in got.message
        (first,) = settings(server).endpoints or []
        for verify in (str(tmp_path / "authority.pem"), False):
            endpoint = msgspec.structs.replace(first, verify=verify)
            assert outcomes(settings(server, endpoints=[endpoint]))[0].content == "fine"
        with pytest.raises(UserError, match="missing.pem"):
            outcomes(settings(server, endpoints=[msgspec.structs.replace(first, verify="missing.pem")]))


@pytest.mark.parametrize(
    ("reply", "finish", "content"),
    [
        (converse_reply(stop="max_tokens"), "length", "fine"),
        (converse_reply(stop="model_context_window_exceeded"), "length", "fine"),
        (converse_reply(stop="stop_sequence"), "stop", "fine"),
        (converse_reply({"text": "I must not."}, stop="guardrail_intervened"), "content_filter", "I must not."),
        (converse_reply(stop="content_filtered"), "content_filter", "fine"),
        (converse_reply(stop="something_new"), "something_new", "fine"),
        (converse_reply({"text": "a"}, {"citationsContent": {"content": [{"text": "b"}]}}), "stop", "ab"),
    ],
)
def test_stop_reasons_and_blocks(bedrock: CloudServer, reply: Answered, finish: str, content: str) -> None:
    bedrock.answer = signed(lambda *_: reply)
    (got,) = outcomes(settings(bedrock))
    assert (got.finish_reason, got.content) == (finish, content)
    assert got.usage == Usage(prompt_tokens=10, completion_tokens=20)


def test_thoughts_in_the_text_and_apart(bedrock: CloudServer) -> None:
    bedrock.answer = signed(lambda *_: converse_reply({"text": "<think>Hm.</think>\nfine"}))
    (got,) = outcomes(settings(bedrock))
    assert (got.content.strip(), got.thought) == ("fine", "Hm.")
    hidden = {"reasoningContent": {"redactedContent": "AAAA"}}
    bedrock.answer = signed(lambda *_: converse_reply(hidden, {"text": "fine"}))
    (got,) = outcomes(settings(bedrock))
    assert (got.content, got.thought) == ("fine", None)


@pytest.mark.parametrize(
    ("reply", "kind", "requests"),
    [
        (converse_reply({"text": "half an ans"}, stop="malformed_model_output"), "malformed_model_output", 2),
        (converse_reply({"text": ""}, stop="end_turn"), "no text", 2),
        (converse_reply({"text": ""}, stop="max_tokens"), "max_tokens", 1),
        (converse_reply({"text": ""}, stop="content_filtered"), "content filter", 1),
    ],
)
def test_no_answer(bedrock: CloudServer, reply: Answered, kind: str, requests: int) -> None:
    bedrock.answer = signed(lambda *_: reply)
    (got,) = outcomes(settings(bedrock, attempts=2))
    assert isinstance(got, CallError) and kind in got.message
    assert len(bedrock.got) == requests
    assert got.usage == Usage(prompt_tokens=10 * requests, completion_tokens=20 * requests)


def reply(content: Any = None, **more: Any) -> dict[str, Any]:
    """The body of a good reply in which some of it is odd."""
    message = {"role": "assistant", "content": [{"text": "fine"}] if content is None else content}
    return {**GOOD[2], "output": {"message": message}, **more}


TEN = Usage(prompt_tokens=10, completion_tokens=20)
ODD: list[tuple[Any, str, Usage | None, str | None]] = [
    # body, answer, usage, what is noted
    (reply(usage=[1]), "fine", None, "usage: [1]"),
    (reply(usage="none"), "fine", None, 'usage: "none"'),
    (reply(usage={"inputTokens": 10, "outputTokens": {}}), "fine", None, "usage.outputTokens: {}"),
    (reply(usage={"inputTokens": "10", "outputTokens": 20.0}), "fine", TEN, None),
    (reply(stopReason=3), "fine", TEN, "stopReason: 3"),
    (reply(stopReason={"type": "end_turn"}), "fine", TEN, None),
    (reply("four"), "four", TEN, None),
    (reply(["fi", {"text": "ne"}]), "fine", TEN, None),
    (reply([{"text": 4}]), "4", TEN, "content.text: 4"),
    (reply([{"reasoningContent": "abc"}, {"text": "fine"}]), "fine", TEN, None),
    (reply([{"reasoningContent": {"redactedContent": "é"}}, {"text": "fine"}]), "fine", TEN, None),
    (reply([{"citationsContent": "fi"}, {"text": "ne"}]), "fine", TEN, None),
    (reply(output={"message": "fine"}), "fine", TEN, None),
    (reply(metrics="fast", trace=3, additionalModelResponseFields=[1]), "fine", TEN, None),
    ([reply()], "fine", TEN, None),
    (b'{"output": {"message": {"content": [{"text": "cut \\ud83d"}]}}}', "cut \ufffd", None, None),
    (gzip.compress(json.dumps(reply()).encode(), mtime=0), "fine", TEN, None),
    (reply(usage={"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}), "fine", None, None),
]


def test_odd_fields_cost_no_answer(bedrock: CloudServer) -> None:
    bedrock.answer = signed(lambda _, number: (200, {}, ODD[number - 1][0]))
    for got, (body, answer, usage, noted) in zip(outcomes(settings(bedrock), len(ODD), one_by_one=True), ODD):
        assert not isinstance(got, Exception), (got, body)
        assert (got.content, got.usage) == (answer, usage), body
        assert len(got.notes) == (noted is not None) and (noted or "") in str(got.notes), body
    assert len(bedrock.got) == len(ODD)


UNREADABLE: list[tuple[Answered, str]] = [
    ((200, {}, None), "no text"),
    ((200, {}, "busy, come again"), "busy, come again"),
    ((200, {}, {"message": "The model is overloaded."}), "The model is overloaded."),
    ((200, {}, b"<html><title>Log in</title></html>"), 'a web page ("Log in")'),
    ((200, {}, b""), "not readable"),
    ((500, {}, [1]), "500"),
    ((500, {}, None), "500"),
    ((500, {}, bytes(range(256))), "500: the server's reply is not readable (256 bytes that are no text)"),
    ((500, {}, gzip.compress(b'{"message": "busy"}')), "500: busy"),
    ((500, {}, "busy, come again"), "500: busy, come again"),
    ((500, {}, {"__type": 3, "message": [1]}), "500"),
]


def test_what_cannot_be_read_is_one_failed_call(bedrock: CloudServer) -> None:
    told = [each for answer, _ in UNREADABLE for each in (answer, GOOD)]
    bedrock.answer = signed(lambda _, number: told[number - 1])
    got = outcomes(settings(bedrock, attempts=1), len(told), one_by_one=True)
    for failed, good, (_, words) in zip(got[::2], got[1::2], UNREADABLE):
        assert isinstance(failed, CallError) and words in failed.message
        assert good.content == "fine"


def test_certificates_that_are_not_there_are_named_with_their_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bedrock: CloudServer
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert outcomes(settings(bedrock))[0].content == "fine"  # plain HTTP needs none
    monkeypatch.setattr(bedrock, "address", "https://127.0.0.1:9")
    with pytest.raises(UserError, match="REQUESTS_CA_BUNDLE=.*missing.pem.*unset REQUESTS_CA_BUNDLE"):
        outcomes(settings(bedrock))


# --------------------------------------------------------------------------------------- refusals


def at_first(refusal: Answered) -> Any:
    return signed(lambda _, number: refusal if number == 1 else GOOD)


@pytest.mark.slow
@pytest.mark.parametrize(
    "refusal",
    [
        aws_error(429, "ThrottlingException", "Too many requests, please wait before trying again."),
        aws_error(429, "ModelNotReadyException", "The model is not ready for inference."),
        aws_error(408, "ModelTimeoutException", "The model timed out."),
        aws_error(424, "ModelErrorException", "The request failed due to an error while processing the model."),
        aws_error(500, "InternalServerException", "Internal."),
        aws_error(503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
        (502, {"content-type": "text/html"}, b"<html>Bad gateway</html>"),
        (200, {}, b"<html>A login page</html>"),
    ],
)
def test_what_passes_is_asked_again(bedrock: CloudServer, refusal: Answered) -> None:
    bedrock.answer = at_first(refusal)
    (got,) = outcomes(settings(bedrock, attempts=2))
    assert got.content == "fine"
    assert len(bedrock.got) == 2  # the SDK's own retries are off


@pytest.mark.slow
def test_throttling_costs_no_attempt_and_waits_as_told(bedrock: CloudServer) -> None:
    refusal = aws_error(429, "ThrottlingException", "Too many tokens, please wait.", **{"retry-after": "1"})
    bedrock.answer = at_first(refusal)
    start = time.monotonic()
    (got,) = outcomes(settings(bedrock, attempts=1))
    assert got.content == "fine"
    assert 1.0 <= time.monotonic() - start < 20.0


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (aws_error(403, "AccessDeniedException", "You don't have access to the model."), "don't have access"),
        (aws_error(403, "UnrecognizedClientException", "The security token is invalid."), "security token"),
        (aws_error(403, "ExpiredTokenException", "The security token has expired"), "expired"),
        (aws_error(404, "ResourceNotFoundException", "This model version has reached the end of its life."), "end of"),
        (aws_error(400, "ValidationException", "The provided model identifier is invalid."), "identifier"),
        (aws_error(400, "ValidationException", "Invocation with on-demand throughput isn't supported."), "on-demand"),
        (aws_error(429, "ThrottlingException", "Too many tokens per day, please wait before trying again."), "per day"),
    ],
)
def test_what_holds_for_all_is_asked_once(bedrock: CloudServer, refusal: Answered, words: str) -> None:
    bedrock.answer = signed(lambda *_: refusal)
    got = outcomes(settings(bedrock, parallel=1), 20)
    assert len(bedrock.got) == 1
    assert all(words in each.message for each in got)
    assert got[0].message.startswith("127.0.0.1")


def test_what_is_refused_of_one_record_stops_no_other(bedrock: CloudServer) -> None:
    bedrock.answer = at_first(aws_error(400, "ValidationException", "Input is too long for requested model."))
    first, *others = outcomes(settings(bedrock), 3, one_by_one=True)
    assert "Input is too long" in first.message
    assert [each.content for each in others] == ["fine", "fine"]
    assert len(bedrock.got) == 3


@pytest.mark.slow
def test_a_wrong_secret_is_one_request_and_nothing_secret_is_shown(scratch: Scratch, tmp_path: Path) -> None:
    wrong = "another/secret/of/the/same/length/12345678"
    with running(signed(lambda *_: GOOD, TOKEN)) as server:
        on_scratch(scratch, server, aws_secret_access_key=wrong, aws_session_token=TOKEN)
        done = scratch.run("gen_answer.py", **isolated(tmp_path))
    assert done.returncode == 1
    assert "InvalidSignatureException" in done.stdout
    assert "x-amz-security-token" in done.stdout  # the server says what it has read
    everything = done.stdout + done.stderr + scratch.answer_file().with_name("m.manifest.json").read_text()
    for secret in (wrong, TOKEN, KEY_ID, SECRET):
        assert secret not in everything and secret[:12] not in everything
    assert rows(scratch.answer_file()) == []


def test_keys_of_clouds_are_known_by_their_looks() -> None:
    for key in (KEY_ID, "ya29.a0AfH6SMBx-y_z", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"):
        assert key[:12] not in without_secrets(f"refused: {key}, sorry")


@pytest.mark.parametrize(
    ("words", "system", "left"),
    [
        ("`temperature` is deprecated for this model.", "Be brief.", "temperature"),
        ("This model doesn't support system messages. Try again without system messages.", "Be brief.", "system"),
    ],
)
def test_models_that_want_to_be_asked_otherwise(bedrock: CloudServer, words: str, system: str, left: str) -> None:
    bedrock.answer = at_first(aws_error(400, "ValidationException", words))
    (got,) = outcomes(settings(bedrock, attempts=1), system=system)
    assert got.content == "fine"
    first, second = (each.json for each in bedrock.got)
    assert left in first or left in first["inferenceConfig"]
    assert left not in second and left not in second["inferenceConfig"]
    assert system in json.dumps(second)


@pytest.mark.slow
def test_a_silent_server_holds_nobody_up(scratch: Scratch, tmp_path: Path) -> None:
    with running(lambda *_: time.sleep(15) or GOOD) as server:
        on_scratch(scratch, server)
        scratch.models["m"] |= {"timeout": 1, "attempts": 1}
        start = time.monotonic()
        done = scratch.run("gen_answer.py", "--limit", "2", **isolated(tmp_path))
        assert time.monotonic() - start < 12
    assert done.returncode == 1
    assert "no answer" in done.stdout


def test_nobody_listens() -> None:
    with running(lambda *_: GOOD) as server:
        pass
    (got,) = outcomes(settings(server, attempts=2))
    assert "connection failed" in got.message and "after 2 tries" in got.message


@pytest.mark.slow
def test_many_calls_are_in_flight_at_once() -> None:
    def slow(got: Got, number: int) -> Answered:
        time.sleep(1.0)
        return GOOD

    with running(signed(slow)) as server:
        model = settings(server, parallel=48)
        got = outcomes(model, 1 + 48)
    assert {each.content for each in got} == {"fine"}
    assert server.most_at_once > 32  # above what a pool of threads or of connections grants by default


# ------------------------------------------------------------------------------- before a request


def test_what_converse_does_not_know_is_final_and_named(bedrock: CloudServer) -> None:
    (got,) = outcomes(settings(bedrock, extra_body={"top_p": 0.5}))
    assert "top_p" in got.message and bedrock.got == []


def test_reasoning_goes_with_the_models_own_fields() -> None:
    def body(**more: Any) -> dict[str, Any]:
        return request_body(
            ModelSettings("m", "x", None, "bedrock", **more), [{"role": "user", "content": "?"}], 0.5, 100
        )

    assert body()["inferenceConfig"] == {"maxTokens": 100, "temperature": 0.5}
    assert body(stop=["</end>"])["inferenceConfig"]["stopSequences"] == ["</end>"]
    thinking = body(thinking=2000)
    assert thinking["inferenceConfig"] == {"maxTokens": 2100}
    assert thinking["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    more = body(reasoning_effort="high", extra_body={"additionalModelRequestFields": {"top_k": 5}})
    assert more["additionalModelRequestFields"] == {"reasoning_effort": "high", "top_k": 5}


@pytest.mark.slow
def test_no_credentials_is_one_message(scratch: Scratch, tmp_path: Path) -> None:
    scratch.models["m"] = {"model_id": MODEL, "api_type": "bedrock"}
    done = scratch.run("gen_answer.py", **isolated(tmp_path))
    assert done.returncode == 2
    assert "aws configure" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_half_a_pair_of_keys(scratch: Scratch, bedrock: CloudServer, tmp_path: Path) -> None:
    on_scratch(scratch, bedrock, aws_secret_access_key=None)
    done = scratch.run("gen_answer.py", **isolated(tmp_path))
    assert done.returncode == 2
    assert "belong together" in done.stderr


@pytest.mark.slow
def test_without_the_package_only_the_calls_do_not_work(scratch: Scratch, bedrock: CloudServer, tmp_path: Path) -> None:
    for name in ("boto3", "botocore"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name}')")
    on_scratch(scratch, bedrock)
    none = {"PYTHONPATH": str(tmp_path), **isolated(tmp_path)}
    done = scratch.run("gen_answer.py", **none)
    assert done.returncode == 2
    assert (
        done.stderr
        == "error: config/api_config.yaml:1: m: api_type bedrock needs one more package: pip install boto3\n"
    )
    shown = scratch.run("gen_answer.py", "--dry-run", **none)
    assert shown.returncode == 0 and MODEL in shown.stdout
    quoted = scratch.run("gen_answer.py", "--quote", **none)
    assert quoted.returncode == 0 and "$" in quoted.stdout
    assert scratch.run("gen_answer.py", "--batch", **isolated(tmp_path)).returncode == 2
