"""Bodies that are more than one JSON, or a stream, or in another encoding than JSON has."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.decoding import decoded
from arena_hard.calling.providers.openai_chat import read_completion
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.cloud_server import running
from tests.support.direct_calls import outcomes
from tests.support.odd_bodies import TEN, USAGE, live, openai, said

GOOD = json.dumps(openai())


def event(**values: Any) -> str:
    """One of a stream's events."""
    return f"data: {json.dumps(values)}\n\n"


def chunk(reason: str | None = None, **delta: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event(object="chat.completion.chunk", model="m", choices=[choice], usage=None)


COUNTED = event(object="chat.completion.chunk", choices=[], usage=USAGE)
DONE = "data: [DONE]\n\n"
BEGIN = event(type="message_start", message={"content": [], "model": "m", "usage": {"input_tokens": 10}})
THOUGHT = event(type="content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
THOUGHT += event(type="content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"})
TEXT = event(type="content_block_start", index=1, content_block={"type": "text", "text": ""})
TEXT += "event: ping\n" + event(type="ping")
for part in ("fi", "ne"):
    TEXT += event(type="content_block_delta", index=1, delta={"type": "text_delta", "text": part})
END = event(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 20})
END += event(type="message_stop")


@pytest.mark.parametrize(
    "text",
    [
        GOOD + '{"error": null}',
        f"{GOOD}\n{GOOD}",
        f"{GOOD}\nrequest took 3 s",
        '{"status": "processing"}\n' + GOOD,
        f"data: {GOOD}\n\n{DONE}",
        f": keep alive\n\n: keep alive\n\n{GOOD}",
        chunk(content="fi", role="assistant") + chunk(content="ne") + chunk("stop") + COUNTED + DONE,
        chunk(content="fine") + COUNTED + DONE,
        (chunk(content="fi") + chunk("stop", content="ne") + COUNTED).replace("\n", "\r\n"),
        (chunk(content="fi") + chunk("stop", content="ne") + COUNTED).replace("\n\n", "\n"),
        (chunk(content="fi") + chunk("stop", content="ne") + COUNTED).replace("data: ", ""),
    ],
)
def test_a_completion_is_found_in_what_came(text: str) -> None:
    reply = read_completion(decoded(text.encode()))
    assert (reply.content, reply.finish_reason, reply.usage, reply.served_model) == ("fine", "stop", TEN, "m")


def test_thoughts_in_streams() -> None:
    text = chunk(reasoning_content="h") + chunk(reasoning_content="m") + chunk("length", content="fine") + DONE
    reply = read_completion(decoded(text.encode()))
    assert (reply.content, reply.thought, reply.finish_reason) == ("fine", "hm", "length")
    message = read_message(decoded((BEGIN + THOUGHT + TEXT + END).encode()))
    assert (message.content, message.thought, message.finish_reason, message.usage) == ("fine", "hm", "stop", TEN)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (chunk(content="half an ans"), "the reply broke off (finish_reason stream_interrupted)"),
        (chunk(content="half") + event(error={"message": "overloaded", "code": 503}), "503: overloaded"),
        (GOOD[:-20], "not readable"),
        ("Service busy, please wait.", "Service busy, please wait."),
        ("12 requests are in front of yours", "12 requests"),
        ("<html><title>Log in</title>{}</html>", 'a web page ("Log in")'),
        ("", "not readable"),
        ("[]", "no choices"),
    ],
)
def test_what_holds_no_whole_answer_is_asked_again(text: str, words: str) -> None:
    error, requests = live(text.encode(), attempts=2)
    assert isinstance(error, CallError) and words in error.message
    assert requests == 2


def test_a_message_that_breaks_off_is_none() -> None:
    with pytest.raises(CallError, match="overloaded"):
        read_message(decoded((BEGIN + TEXT + event(type="error", error={"message": "overloaded"})).encode()))
    assert read_message(decoded((BEGIN + TEXT).encode())).finish_reason == "stream_interrupted"


@pytest.mark.parametrize(
    ("text", "written", "declared", "read"),
    [
        ("你好，世界", "gbk", "gbk", "你好，世界"),
        ("你好，世界€", "gb18030", "GB2312", "你好，世界€"),
        ("你好", "utf-8", "gbk", "你好"),  # JSON is UTF-8 whatever is declared
        ("café", "utf-8", "ISO-8859-1", "café"),
        ("café ’", "cp1252", "ISO-8859-1", "café ’"),
        ("café", "latin-1", "latin-1", "café"),
        ("こんにちは", "shift_jis", "Shift_JIS", "こんにちは"),
        ("café", "utf-16", "utf-16", "café"),
        ("café", "utf-16-le", None, "café"),
        ("café", "utf-8-sig", "base64", "café"),
        ("café", "latin-1", None, "caf\ufffd"),
        ("café", "latin-1", "base64", "caf\ufffd"),
    ],
)
def test_encodings(text: str, written: str, declared: str | None, read: str) -> None:
    body = json.dumps(said(text), ensure_ascii=False).encode(written)
    assert read_completion(decoded(body, declared)).content == read


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_they_are_heeded_through_the_sdks(api_type: str) -> None:
    body = BEGIN + TEXT.replace('"fi"', '"é"') + END if api_type == "anthropic" else chunk("stop", content="éne")
    kind = {"content-type": "text/event-stream; charset=iso-8859-1"}
    with running(lambda *_: (200, kind, body.replace("\\u00e9", "é").encode("latin-1"))) as server:
        endpoints = [EndpointSettings(server.address + "/v1", "k")]
        (got,) = outcomes(ModelSettings("m", "m", endpoints, api_type, attempts=1))
    assert (got.content, len(server.got)) == ("éne", 1)


@pytest.mark.parametrize(("written", "declared"), [("gbk", "gbk"), ("utf-8", "latin-1")])
def test_a_refusal_in_another_encoding_is_understood(written: str, declared: str) -> None:
    body = json.dumps({"error": {"message": "账户余额不足"}}, ensure_ascii=False).encode(written)
    kind = {"content-type": f"application/json; charset={declared}"}
    with running(lambda *_: (403, kind, body)) as server:
        (got,) = outcomes(ModelSettings("m", "m", [EndpointSettings(server.address + "/v1", "k")]))
    assert "余额不足" in got.message and got.endpoint_wide


def test_characters_that_are_lost_are_said() -> None:
    reply, _ = live(json.dumps(said("café au lait"), ensure_ascii=False).encode("latin-1"))
    assert reply.content == "caf\ufffd au lait"
    assert reply.notes == (("field", "content: \ufffd for what is no UTF-8"),)
    cut, _ = live(b'{"choices": [{"message": {"content": "cut \\ud83d"}, "finish_reason": "length"}]}')
    assert cut.notes == ()


# ------------------------------------------------------------------------------- streams of every shape


def delta(content: Any, finish: str | None = None, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish} | choice]}


def as_stream(*events: Any, end: str = "data: [DONE]\n\n") -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events]
    return ("".join(text if text.startswith("event:") else f"data: {text}\n\n" for text in texts) + end).encode()


def text_choice(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish} | more]}


def message_so_far(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"content": text}, "finish_reason": finish}]}


PARTS = [delta("One "), delta("two "), delta("three", "stop")]


@pytest.mark.parametrize(
    "body",
    [
        as_stream(*PARTS),
        json.dumps(PARTS).encode(),
        as_stream(*([part] for part in PARTS)),
        as_stream(*({"data": part} for part in PARTS)),
        as_stream(*(part | {"choices": part["choices"][0]} for part in PARTS)),
        as_stream(*(delta(part["choices"][0]["delta"]["content"], index="0") for part in PARTS)),
        as_stream(*(delta(part["choices"][0]["delta"]["content"], index=1) for part in PARTS)),
        as_stream(text_choice("One "), text_choice("two "), text_choice("three", "stop")),
        as_stream(message_so_far("One "), message_so_far("One two "), message_so_far("One two three", "stop")),
        as_stream(*PARTS[:2], delta("three"), {"choices": [{"delta": {}, "message": {"content": "One two three"}}]}),
        as_stream(delta([{"type": "text", "text": "One "}, {"type": "text", "text": "two "}]), delta("three", "stop")),
        as_stream(delta("One "), ": keep", "ping", delta("two three", "stop")),
    ],
)
def test_parts_are_joined_whatever_they_come_in(body: bytes) -> None:
    reply = read_completion(decoded(body))
    assert (reply.content, reply.finish_reason) == ("One two three", "stop")


@pytest.mark.parametrize("sign", ["\u2028", "\u0085", "\x0b", "\x0c", "\x1e"])
def test_signs_that_python_takes_for_line_ends_are_text(sign: str) -> None:
    body = as_stream(delta("One "), delta(f"two{sign} "), delta("three", "stop"))
    assert read_completion(decoded(body)).content == f"One two{sign} three"


def test_numbers_in_the_place_of_texts() -> None:
    assert read_completion(decoded(as_stream(delta(1), delta(2), delta("3", "stop")))).content == "123"


@pytest.mark.parametrize(
    "events",
    [
        (delta("Half"), {"object": "error", "message": "boom", "code": 500}),
        (delta("Half"), {"detail": "boom"}),
        (delta("Half"), 'event: error\ndata: {"message": "boom"}\n\n', delta("", "stop")),
        (delta("Half"), "event: error\ndata: boom\n\n", delta("", "stop")),
        (delta("Half"), {"error": {"message": "boom", "code": 502}}, delta("", "stop")),
    ],
)
def test_a_failure_in_mid_stream_is_no_answer(events: tuple[Any, ...]) -> None:
    with pytest.raises(CallError, match="boom"):
        read_completion(decoded(as_stream(*events)))


@pytest.mark.parametrize(
    "body",
    [
        as_stream(delta("One "), '{"choices": [{"del', delta("three", "stop")),
        json.dumps(delta("Half")).encode(),
        json.dumps(PARTS[:2]).encode(),
        as_stream(message_so_far("One", "stop"), message_so_far("two"), end="")[:-20],
    ],
)
def test_what_lacks_a_part_broke_off(body: bytes) -> None:
    assert read_completion(decoded(body)).finish_reason in ("stream_interrupted", "stop")


def test_an_error_among_anthropics_events_is_no_answer() -> None:
    failing = 'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "boom"}}\n\n'
    with pytest.raises(CallError, match="boom"):
        read_message(decoded((BEGIN + TEXT + failing + 'data: {"type": "message_stop"}\n\n').encode()))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda whole: {"data": [whole]},
        lambda whole: {"data": json.dumps(whole)},
        lambda whole: {"body": json.dumps(whole)},
        lambda whole: {"result": {"data": whole}},
        lambda whole: {"output": whole},
        lambda whole: {"completion": whole},
        lambda whole: {"statusCode": 200, "body": json.dumps({"result": whole})},
    ],
)
def test_a_reply_in_wrappers(wrapped: Any) -> None:
    assert read_completion(decoded(json.dumps(wrapped(openai())).encode())).content


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_a_gateway_packed(pack: Any) -> None:
    assert read_completion(decoded(pack(GOOD.encode()))).content == "fine"
    kind = {"content-type": "application/json"}  # which says nothing of it
    with running(lambda *_: (403, kind, pack(json.dumps({"error": {"message": "not yours"}}).encode()))) as server:
        (got,) = outcomes(ModelSettings("m", "m", [EndpointSettings(server.address + "/v1", "k")]))
    assert got.message.endswith("403: not yours")


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "body", [bytes(range(256)), gzip.compress(GOOD.encode(), mtime=0)[:12], b"\x1f\x8b\x08" + b"\xff\x00" * 40]
)
def test_what_is_no_text_is_never_shown(status: int, body: bytes) -> None:
    with running(lambda *_: (status, {"content-type": "application/json"}, body)) as server:
        (got,) = outcomes(ModelSettings("m", "m", [EndpointSettings(server.address + "/v1", "k")], attempts=1))
    assert isinstance(got, CallError)
    assert "not readable" in got.message and got.message.isascii()
