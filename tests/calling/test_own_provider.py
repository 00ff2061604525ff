"""Providers in a file of the user's, or in an installed package: the documented example, and whatever can be wrong."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
import trustme

from arena_hard.calling.providers import own
from arena_hard.calling.providers.base import CallError, Request
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.cloud_server import Answered, CloudServer, Got, running
from tests.support.direct_calls import outcomes
from tests.support.pipeline_bench import ROOT, Scratch, rows

EXAMPLE = Path(__file__).with_name("my_provider.py")
KEY = "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDA6c2VjcmV0"


def chat_reply(text: str = "fine", finish: str = "stop") -> Answered:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    return 200, {}, {"model": "Giga:1", "choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 20}}


class OAuth:
    """A provider that changes a key into tokens, and knows which of them live."""

    def __init__(self, server: CloudServer) -> None:
        self.server, self.life = server, 1800.0
        self.live: dict[str, float] = {}
        self.tokens: list[str] = []
        self.refused: list[str] = []
        self.calls: list[Got] = []
        self.answer: Callable[[Got, int], Answered] = lambda *_: chat_reply()
        server.answer = self.reply

    def reply(self, got: Got, _: int) -> Answered:
        return self._token(got) if got.path == "/oauth" else self._chat(got)

    def _token(self, got: Got) -> Answered:
        uuid.UUID(got.headers["rquid"])
        if got.headers["authorization"] != f"Basic {KEY}" or parse_qs(got.raw.decode())["scope"] != ["PERS"]:
            return 401, {}, {"code": 6, "message": f"credentials doesn't match db data: {got.headers['authorization']}"}
        self.tokens.append(f"opaque_{len(self.tokens)}_9f8e7d6c5b4a")
        self.live[self.tokens[-1]] = time.monotonic() + self.life
        return 200, {}, {"access_token": self.tokens[-1], "expires_at": (time.time() + self.life) * 1000}

    def _chat(self, got: Got) -> Answered:
        token = got.headers["authorization"].removeprefix("Bearer ")
        if self.live.get(token, 0.0) < time.monotonic():
            self.refused.append(token)
            return 401, {}, {"status": 401, "message": f"Token has expired: {token}"}
        self.calls.append(got)
        return self.answer(got, len(self.calls))

    @property
    def endpoint(self) -> dict[str, Any]:
        options = {"token_url": f"{self.server.address}/oauth", "scope": "PERS"}
        return {"api_base": f"{self.server.address}/api", "api_key": KEY, "options": options}


@pytest.fixture
def oauth() -> Iterator[OAuth]:
    with running(lambda *_: chat_reply()) as server:
        yield OAuth(server)


def on_scratch(scratch: Scratch, oauth: OAuth, name: str = "m", **more: Any) -> None:
    """The example beside the endpoint file, and a model that is asked through it."""
    shutil.copy(EXAMPLE, scratch.folder / "config")
    entry = {"model_name": "GigaChat", "api_type": "my_provider.py:MyAdapter", "endpoints": [oauth.endpoint]}
    scratch.models[name] = entry | {"parallel": 4, "backoff": 0.01} | more


def settings(oauth: OAuth, **more: Any) -> ModelSettings:
    endpoint = EndpointSettings(**oauth.endpoint)
    values: dict[str, Any] = {
        "name": "m",
        "model_name": "x",
        "endpoints": [endpoint],
        "api_type": f"{EXAMPLE}:MyAdapter",
    }
    return ModelSettings(**(values | {"backoff": 0.01, "parallel": 4, "timeout": 20.0} | more))


# ------------------------------------------------------------------------------------ the example


def test_the_documented_code_is_what_is_tested() -> None:
    page = (ROOT / "docs" / "own-provider.md").read_text()
    assert page.partition("```python\n")[2].partition("```\n")[0] == EXAMPLE.read_text()


@pytest.mark.slow
def test_all_stages_with_the_example(scratch: Scratch, oauth: OAuth) -> None:
    oauth.answer = lambda *_: chat_reply("I say [[A>B]]")
    scratch.answers["model_list"] = ["m", "base"]
    on_scratch(scratch, oauth, system_prompt="Be brief.", extra_body={"top_p": 0.5})
    on_scratch(scratch, oauth, "judge")
    scratch.models["judge"]["endpoints"] = [oauth.endpoint | {"api_key": "${MY_KEY}"}]
    said = [scratch.run(script, MY_KEY=KEY) for script in ("gen_answer.py", "gen_judgment.py")]
    assert [done.returncode for done in said] == [0, 0], said
    first = oauth.calls[0].json
    assert (first["model"], first["top_p"], first["messages"][0]["content"]) == ("GigaChat", 0.5, "Be brief.")
    assert len(rows(scratch.judgment_file())) == 3
    assert len(oauth.tokens) == 2  # one for each run
    written = rows(scratch.answer_file())
    assert written[0]["usage"] == {"prompt_tokens": 10, "completion_tokens": 20}
    manifest = json.loads(scratch.answer_file().with_name("m.manifest.json").read_text())
    place = f"config/my_provider.py:MyAdapter {oauth.server.address}/api"
    assert manifest["runs"][0]["endpoints"] == [place]
    everything = json.dumps([manifest, written]) + "".join(done.stdout + done.stderr for done in said)
    assert KEY not in everything and "opaque" not in everything


@pytest.mark.slow
def test_tokens_are_renewed_in_time_and_after_a_refusal(oauth: OAuth) -> None:
    def slowly(got: Got, number: int) -> Answered:
        time.sleep(0.4)
        if number == 5:
            oauth.live.clear()
        return chat_reply()

    oauth.answer, oauth.life = slowly, 1.0
    got = outcomes(settings(oauth), 8, one_by_one=True)
    assert [each.content for each in got] == ["fine"] * 8
    assert 3 <= len(oauth.tokens) <= 9
    assert len(oauth.refused) <= 1  # the one that the server forgot


@pytest.mark.parametrize(
    ("refusal", "attempts"),
    [
        ((429, {"retry-after": "0.2"}, {"message": "Too many requests"}), 1),
        ((500, {}, {"message": "Internal"}), 2),
        ((200, {}, b"<html>not JSON</html>"), 1),
    ],
)
def test_refusals_are_told_apart_by_their_status(oauth: OAuth, refusal: Answered, attempts: int) -> None:
    oauth.answer = lambda _, number: refusal if number == 2 else chat_reply()
    got = outcomes(settings(oauth, attempts=attempts), 3, one_by_one=True)
    passes = refusal[0] != 200  # what the file could not read is its mistake, and this record's alone
    assert [getattr(each, "content", "failed") for each in got] == ["fine", "fine" if passes else "failed", "fine"]
    assert len(oauth.calls) == 3 + passes


def test_a_bad_request_stops_no_other_and_a_wrong_key_stops_all(oauth: OAuth) -> None:
    refusal: Answered = (400, {}, {"message": "Request contains too many tokens"})
    oauth.answer = lambda _, number: refusal if number == 1 else chat_reply()
    first, second = outcomes(settings(oauth), 2, one_by_one=True)
    assert "too many tokens" in first.message and second.content == "fine"
    wrong = msgspec.structs.replace(EndpointSettings(**oauth.endpoint), api_key="bm90LXRoZS1yaWdodC1rZXk6")
    got = outcomes(settings(oauth, endpoints=[wrong], parallel=1), 10)
    assert all("credentials doesn't match" in each.message for each in got)
    assert "bm90LXRo" not in got[0].message
    assert len(oauth.server.got) == 2 + 1 + 1  # two calls and a token, then one refused


def test_a_token_that_is_always_refused_ends_soon_and_is_not_shown(oauth: OAuth) -> None:
    oauth.life = -1.0  # dead from the start, whatever is said of its life
    oauth._token = lambda got: (200, {}, {"access_token": "opaque_dead_1234", "expires_at": (time.time() + 60) * 1000})  # type: ignore[method-assign]
    got = outcomes(settings(oauth, parallel=1), 10)
    assert len(oauth.refused) == 2
    assert "401" in got[0].message and "opaque_dead" not in got[0].message


@pytest.mark.parametrize(
    ("reply", "finish", "thought"),
    [
        (chat_reply("Cannot.", "blacklist"), "content_filter", None),
        (chat_reply("fine", "length"), "length", None),
        (chat_reply("<think>Hm.</think>\nfine"), "stop", "Hm."),
    ],
)
def test_what_a_reply_says_is_kept(oauth: OAuth, reply: Answered, finish: str, thought: str | None) -> None:
    oauth.answer = lambda *_: reply
    (got,) = outcomes(settings(oauth))
    assert (got.finish_reason, got.thought) == (finish, thought)
    assert "<think>" not in got.content


def test_an_empty_reply_is_no_answer_and_is_paid_for(oauth: OAuth) -> None:
    oauth.answer = lambda *_: chat_reply("")
    (got,) = outcomes(settings(oauth))
    assert "no text" in got.message and got.usage.prompt_tokens == 20


def test_nobody_listens(oauth: OAuth) -> None:
    away = msgspec.structs.replace(EndpointSettings(**oauth.endpoint), api_base="http://127.0.0.1:9/api")
    (got,) = outcomes(settings(oauth, endpoints=[away], attempts=2))
    assert "connection failed" in got.message and "after 2 tries" in got.message


def test_the_address_reaches_the_provider_as_it_is_written(oauth: OAuth) -> None:
    odd = msgspec.structs.replace(EndpointSettings(**oauth.endpoint), api_base=f"{oauth.server.address}/v1/messages")
    assert outcomes(settings(oauth, endpoints=[odd]))[0].content == "fine"
    assert oauth.calls[0].path == "/v1/messages/chat/completions"


def test_a_certificate_that_is_not_trusted_is_named_once(oauth: OAuth, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with running(lambda *_: chat_reply(), context) as server:
        safe = OAuth(server)
        (got,) = outcomes(settings(safe, attempts=3))
        assert "certificate" in got.message and "verify" in got.message and "tries" not in got.message
        trusted = EndpointSettings(**safe.endpoint, verify=str(tmp_path / "authority.pem"))
        assert outcomes(settings(safe, endpoints=[trusted]))[0].content == "fine"


def test_endpoints_with_other_options_are_other_endpoints(oauth: OAuth) -> None:
    other = EndpointSettings(**(oauth.endpoint | {"options": oauth.endpoint["options"] | {"more": [1, {"a": 2}]}}))
    got = outcomes(settings(oauth, endpoints=[EndpointSettings(**oauth.endpoint), other]), 20)
    assert {each.content for each in got} == {"fine"}
    assert len(oauth.tokens) == 2


# ------------------------------------------------------------------------- prices, plans, records


@pytest.mark.slow
def test_plans_quotes_and_batches(scratch: Scratch, oauth: OAuth) -> None:
    on_scratch(scratch, oauth, model_name="gpt-4o")  # a name that another provider sells under
    shown = scratch.run("gen_answer.py", "--dry-run")
    assert shown.returncode == 0 and '"model": "gpt-4o"' in shown.stdout and KEY not in shown.stdout
    quoted = scratch.run("gen_answer.py", "--quote")
    assert quoted.returncode == 0 and "$" not in quoted.stdout.partition("prices:")[0]
    capped = scratch.run("gen_answer.py", "--max-cost", "1")
    assert capped.returncode == 2 and "price" in capped.stderr
    batch = scratch.run("gen_answer.py", "--batch")
    assert batch.returncode == 2 and "no batches for api_type" in batch.stderr
    assert oauth.server.got == []
    scratch.models["m"]["price"] = {"input": 1.0, "output": 2.0}
    assert "$" in scratch.run("gen_answer.py", "--quote").stdout
    assert scratch.run("gen_answer.py", "--max-cost", "1").returncode == 0


@pytest.mark.slow
def test_what_it_answered_can_be_played_again_and_its_cost_told_without_the_file(
    scratch: Scratch, oauth: OAuth
) -> None:
    on_scratch(scratch, oauth, record="tape.jsonl", price={"input": 1.0, "output": 2.0})
    assert scratch.run("gen_answer.py").returncode == 0
    (scratch.folder / "config" / "my_provider.py").unlink()
    costs = scratch.run("show_result.py", "--bench-name", "bench", "--costs")
    assert costs.returncode == 0 and "answers by m: 3 requests" in costs.stdout, costs.stderr
    scratch.models["m"] |= {"api_type": "recorded", "endpoints": [{"api_base": "tape.jsonl"}], "record": None}
    scratch.answer_file().unlink()
    scratch.answer_file().with_name("m.manifest.json").unlink()
    assert scratch.run("gen_answer.py").returncode == 0
    assert len(rows(scratch.answer_file())) == 3 and len(oauth.calls) == 3


# ---------------------------------------------------------------------------------- where it lies


@pytest.mark.slow
def test_the_file_beside_the_endpoint_file_comes_first(scratch: Scratch, oauth: OAuth) -> None:
    on_scratch(scratch, oauth)
    (scratch.folder / "my_provider.py").write_text("raise RuntimeError('the wrong file')")
    assert scratch.run("gen_answer.py").returncode == 0
    (scratch.folder / "config" / "my_provider.py").unlink()
    done = scratch.run("gen_answer.py", "--redo", "m")
    assert done.returncode == 2 and "the wrong file" in done.stderr
    shutil.copy(EXAMPLE, scratch.folder)
    done = scratch.run("gen_answer.py", "--redo", "m")
    assert done.returncode == 0, done.stderr


def install(folder: Path, value: str) -> None:
    """A package with an entry point, as pip leaves it."""
    shutil.copy(EXAMPLE, folder / "my_package.py")
    about = folder / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[arena_hard.providers]\ngigachat = {value}\n")


@pytest.mark.slow
def test_an_installed_package(scratch: Scratch, oauth: OAuth, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    install(tmp_path / "site", "my_package:MyAdapter")
    on_scratch(scratch, oauth, api_type="gigachat")
    done = scratch.run("gen_answer.py", PYTHONPATH=str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    manifest = json.loads(scratch.answer_file().with_name("m.manifest.json").read_text())
    assert manifest["runs"][0]["endpoints"] == [f"gigachat {oauth.server.address}/api"]
    scratch.models["m"]["api_type"] = "gigachta"
    done = scratch.run("gen_answer.py", "--redo", "m", PYTHONPATH=str(tmp_path / "site"))
    assert done.returncode == 2 and "Did you mean 'gigachat'?" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("value", ["my_package:NotThere", "not_there:MyAdapter"])
def test_a_broken_package(scratch: Scratch, oauth: OAuth, tmp_path: Path, value: str) -> None:
    (tmp_path / "site").mkdir()
    install(tmp_path / "site", value)
    on_scratch(scratch, oauth, api_type="gigachat")
    assert_one_message(scratch.run("gen_answer.py", PYTHONPATH=str(tmp_path / "site")), value, "not_there|NotThere")


# ------------------------------------------------------------------------------------- what breaks


def assert_one_message(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, one line, and in it one of each `a|b`."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for alternatives in words:
        assert any(word in done.stderr for word in alternatives.split("|")), (alternatives, done.stderr)


METHODS = {
    "open": "    def open(self, connection):\n        return connection\n",
    "body": "    def body(self, request, dialect):\n        return {}\n",
    "send": "    async def send(self, client, body):\n        return None\n",
    "close": "    async def close(self, client):\n        pass\n",
}


def provider(head: str = "", **methods: str) -> str:
    return head + "class MyAdapter:\n" + "".join((METHODS | methods).values())


def test_a_file_beside_it_can_be_imported_at_once_and_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "first_helper.py").write_text("WORD = 'first'\n")
    (tmp_path / "later_helper.py").write_text("WORD = 'later'\n")
    later = (
        "    def body(self, request, dialect):\n        import later_helper\n        return {'w': later_helper.WORD}\n"
    )
    (tmp_path / "p.py").write_text(provider("from first_helper import WORD\n", body=later))
    adapter = own.adapter(f"{tmp_path}/p.py:MyAdapter")
    assert adapter.body(Request("m", [], None, 1), set()) == {"w": "later"}
    assert sys.path[0] != str(tmp_path)  # what is installed is not overshadowed for long


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, ["my_provider.py is neither", "Fix the path"]),
        ("def broken(:\n", ["config/my_provider.py:1", "SyntaxError"]),
        (provider("\nimport a_missing_package\n"), ["config/my_provider.py:2", "pip install a_missing_package"]),
        (provider("from . import helper\n"), ["config/my_provider.py:1", "without the dot"]),
        (provider("import helper\n"), ["config/my_provider.py:1", "or put helper.py beside my_provider.py"]),
        (provider("from arena_hard.calling.providers import Replay\n"), ["config/my_provider.py:1", "Replay"]),
        (provider("1 / 0\n"), ["config/my_provider.py:1", "ZeroDivisionError"]),
        (provider("raise SystemExit(3)\n"), ["config/my_provider.py:1", "SystemExit"]),
        (provider().replace("MyAdapter", "MyAdaptor"), ["no 'MyAdapter'", "Did you mean 'MyAdaptor'?"]),
        ("x = 1\n", ["no 'MyAdapter'"]),
        (provider(send=""), ["no method send", "docs/own-provider.md"]),
        (provider(send="", close=""), ["no method send and no close"]),
        (provider(send="    def send(self, client, body):\n        pass\n"), ["send must be `async def`"]),
        (provider(more="    def __init__(self, key):\n        pass\n"), ["my_provider.py", "TypeError"]),
        (
            provider(open="    def open(self, connection):\n        raise ValueError(connection.api_key)\n"),
            ["config/my_provider.py:3", "ValueError", "[key]"],
        ),
    ],
)
def test_a_broken_file_is_one_message(scratch: Scratch, oauth: OAuth, source: str | None, words: list[str]) -> None:
    on_scratch(scratch, oauth)
    file = scratch.folder / "config" / "my_provider.py"
    file.unlink()
    if source is not None:
        file.write_text(source)
    done = scratch.run("gen_answer.py")
    assert_one_message(done, *words)
    assert KEY not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (
            {"send": "    async def send(self, client, body):\n        return body['x']\n"},
            "my_provider.py:7: KeyError: 'x'",
        ),
        ({"send": "    async def send(self, client, body):\n        return 'text'\n"}, "send returned no Reply"),
        (
            {"send": "    async def send(self, client, body):\n        open('/not/there')\n"},
            "my_provider.py:7: FileNot",
        ),
        ({"body": "    def body(self, request, dialect):\n        return {'a': {1}}\n"}, "my_provider.py: TypeError"),
        ({"body": "    def body(self, request, dialect):\n        return request.a\n"}, "my_provider.py:5: Attribute"),
    ],
)
def test_a_mistake_in_a_call_costs_one_call_and_names_its_line(
    scratch: Scratch, oauth: OAuth, methods: dict[str, str], words: str
) -> None:
    on_scratch(scratch, oauth, parallel=1)
    (scratch.folder / "config" / "my_provider.py").write_text(provider(**methods))
    done = scratch.run("gen_answer.py")
    assert done.returncode == 1
    assert words in done.stdout and "Traceback" not in done.stderr
    if "body" in methods:
        assert_one_message(scratch.run("gen_answer.py", "--dry-run"), words)


def test_a_mistake_after_good_replies_is_that_records_alone(oauth: OAuth) -> None:
    oauth.answer = lambda _, number: (200, {}, {"choices": []}) if number == 2 else chat_reply()
    first, second, third = outcomes(settings(oauth), 3, one_by_one=True)
    assert (first.content, third.content) == ("fine", "fine")
    assert isinstance(second, CallError)
    line = next(n for n, text in enumerate(EXAMPLE.read_text().splitlines(), 1) if 'told["choices"]' in text)
    assert f"my_provider.py:{line}: IndexError" in second.message
