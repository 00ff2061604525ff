"""What variables of the environment do to a run: what cannot work is named, and this machine needs none of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from arena_hard.calling.models import Endpoint, Models
from arena_hard.calling.providers.transport import http_client
from arena_hard.data.environment import proxy_for
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.pipeline_bench import Scratch, rows, start_script
from tests.support.tls_server import HERE, Authority, served

REMOTE = "https://api.provider.example/v1"
UNUSABLE = [
    ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE=/nowhere.pem: there is no such file"),
    ({"SSL_CERT_FILE": __file__}, "holds no certificate"),
    ({"SSL_CERT_FILE": "/etc"}, "SSL_CERT_FILE=/etc: that is a folder. Name the file"),
    ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR=/nowhere: there is no such folder"),
    ({"HTTPS_PROXY": "socks4://p:1080"}, "HTTPS_PROXY=socks4://p:1080: no proxy of the kind 'socks4'"),
    ({"ALL_PROXY": "ftp://p:21"}, "ALL_PROXY=ftp://p:21: no proxy of the kind 'ftp'"),
    ({"https_proxy": "http://p:port"}, "https_proxy=http://p:port is not a proxy address"),
    ({"HTTPS_PROXY": "http://"}, "HTTPS_PROXY=http:// is not a proxy address"),
    ({"HTTPS_PROXY": "http://[p"}, "HTTPS_PROXY=http://[p is not a proxy address"),
]
HARMLESS = [
    {"NO_PROXY": "[::1],::1,*"},
    {"NO_PROXY": ",, http://[bad, 10.0.0.0/99,*.", "ALL_PROXY": "http://127.0.0.1:9"},
    {"HTTP_PROXY": "http://127.0.0.1:9"},
    {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "example.org"},
    {"SSLKEYLOGFILE": "/nowhere/keys"},
]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


def opened(base: str | None) -> Endpoint:
    return Models().open(ModelSettings("m", "m", [EndpointSettings(base, "key")])).endpoints[0]


@pytest.mark.parametrize(("variables", "words"), UNUSABLE)
def test_what_cannot_work_is_named_with_its_variable(
    variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for base in (REMOTE, None):  # None: the SDK's own address
        with pytest.raises(UserError) as problem:
            opened(base)
        assert words in str(problem.value) and str(problem.value).startswith("m: ")


@pytest.mark.slow
@pytest.mark.parametrize("variables", [variables for variables, _ in UNUSABLE] + HARMLESS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_on_this_machine_is_asked_whatever_they_say(
    variables: dict[str, str], host: str, scratch: Scratch
) -> None:
    endpoint = scratch.models["m"]["endpoints"][0]
    endpoint["api_base"] = endpoint["api_base"].replace("127.0.0.1", host)
    done = scratch.run("gen_answer.py", "--limit", "1", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rows(scratch.answer_file())) == 1


@pytest.mark.slow
def test_a_run_says_it_in_one_line_and_asks_nothing(scratch: Scratch) -> None:
    scratch.models["m"]["endpoints"][0]["api_base"] = REMOTE
    done = scratch.run("gen_answer.py", SSL_CERT_FILE="/nowhere.pem")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("or run: unset SSL_CERT_FILE") and done.stderr.count("error:") == 1


def test_a_kind_of_proxy_that_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://me:secret@p:1080")
    assert opened(REMOTE)
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(UserError) as problem:
        opened(REMOTE)
    assert "ALL_PROXY=socks5h://…@p:1080" in str(problem.value) and "pip install socksio" in str(problem.value)


@pytest.mark.parametrize(
    ("no_proxy", "straight"),
    [
        ("api.provider.example", True),
        ("provider.example", True),
        (".provider.example", True),
        ("*.provider.example", True),
        ("API.Provider.Example", True),
        ("api.provider.example:443", True),
        ("api.provider.example:8443", False),
        ("*", True),
        ("er.example", False),
        ("localhost, 127.0.0.1", False),
        ("", False),
    ],
)
def test_no_proxy_names_hosts(no_proxy: str, straight: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(REMOTE) is None) == straight


@pytest.mark.parametrize(
    ("url", "straight"),
    [
        ("http://10.1.2.3:8000/v1", True),
        ("http://192.168.0.1/v1", False),
        ("http://[fd00::7]:8000/v1", True),
        ("http://[fe80::7]/v1", False),
        ("http://127.8.9.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://0.0.0.0:8000/v1", True),
        ("http://gpu.localhost:8000/v1", True),
    ],
)
def test_no_proxy_names_networks(url: str, straight: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "p:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,fd00::/8")
    assert (proxy_for(url) is None) == straight


@pytest.mark.slow
def test_an_authority_named_by_ssl_cert_file_is_trusted_and_named_when_it_is_not_enough(
    scratch: Scratch,
) -> None:
    authority, other = Authority(), Authority()
    with served(authority.serving(HERE)) as base:
        scratch.models["m"]["endpoints"][0]["api_base"] = base
        done = scratch.run("gen_answer.py", SSL_CERT_FILE=str(other.file))
        assert f"Trusted is only what {other.file} holds (SSL_CERT_FILE)" in done.stdout
        assert scratch.run("gen_answer.py", SSL_CERT_FILE=str(authority.file)).returncode == 0
    assert len(rows(scratch.answer_file())) == 3


def test_errors_behind_a_proxy_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2

    async def run() -> None:
        async with http_client("http://model.invalid") as client:
            await client.get("http://model.invalid/v1/models")

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{port}")
    with pytest.raises(httpx2.ConnectError, match=r"\(through the proxy of HTTP_PROXY\)$") as problem:
        asyncio.run(run())
    assert "secret" not in str(problem.value)


@pytest.mark.slow
def test_the_vocabulary_that_cannot_be_fetched_says_which_variable_is_wrong(scratch: Scratch) -> None:
    empty = scratch.folder / "empty"
    empty.mkdir()
    (empty / "sitecustomize.py").write_text(  # as where the packages that have it are not installed
        "import importlib.util as util\nfind = util.find_spec\n"
        "absent = ('tiktoken_ext.', 'quicktok')\n"
        "util.find_spec = lambda name, *more: None if name.startswith(absent) else find(name, *more)\n"
    )
    bundle = {"TIKTOKEN_CACHE_DIR": str(empty), "REQUESTS_CA_BUNDLE": "/nowhere.pem", "PYTHONPATH": str(empty)}
    done = scratch.run("gen_answer.py", HTTPS_PROXY="http://127.0.0.1:9", **bundle)
    assert done.returncode == 0, done.stderr
    assert "REQUESTS_CA_BUNDLE=/nowhere.pem: there is no such file" in done.stdout + done.stderr


@pytest.mark.slow
def test_the_browser_starts_whatever_they_say(tmp_path: Path) -> None:
    variables = {"SSL_CERT_FILE": "/nowhere.pem", "ALL_PROXY": "socks4://p:1", "HTTP_PROXY": "http://127.0.0.1:9"}
    (tmp_path / "data").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start_script(tmp_path, "qa_browser.py", "--port", str(port), env=variables)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        assert process.stdout is not None
        assert "The browser is at" in process.stdout.readline()
        with opener.open(f"http://127.0.0.1:{port}/", timeout=20) as response:
            assert response.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)


def test_a_variable_that_no_header_can_carry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "é")
    with pytest.raises(UserError, match="OPENAI_ORG_ID='é' cannot be sent in a header. Fix it, or run: unset"):
        opened(REMOTE)
