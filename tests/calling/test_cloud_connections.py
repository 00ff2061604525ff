"""Connections of the clouds' own SDKs: faults of TLS, certificates and proxies are said as for all other servers."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("boto3")
pytest.importorskip("google.auth")

from arena_hard.calling.models import Models
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.cloud_server import Account, Answered, Got, converse_reply, running
from tests.support.direct_calls import outcomes
from tests.support.tls_server import HERE, Authority

pytestmark = pytest.mark.slow  # boto3 needs half a second for a client


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def account() -> Account:
    return Account()


def bedrock(base: str, verify: bool | str = True) -> ModelSettings:
    key, secret = "AKIATESTTESTTESTTEST", "x" * 40
    endpoint = EndpointSettings(base, None, None, verify, "us-east-1", key, secret)
    return ModelSettings("m", "amazon.nova", [endpoint], "bedrock", attempts=1)


Opened = Callable[..., ModelSettings]


@pytest.fixture
def vertex(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A model whose token server is at an address; nobody is at that of the model."""

    def made(base: str, verify: bool | str = True) -> ModelSettings:
        file = tmp_path / "account.json"
        file.write_text(account.file_text(base))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        endpoints = [EndpointSettings("http://127.0.0.1:9", verify=verify)]
        return ModelSettings("m", "gemini-2.5-pro", endpoints, "vertex", attempts=1, project_id="p")

    return made


@pytest.fixture(params=["bedrock", "vertex"])
def opened(request: pytest.FixtureRequest, vertex: Opened) -> Opened:
    return bedrock if request.param == "bedrock" else vertex


FAULTS: dict[str, tuple[Callable[[Authority], ssl.SSLContext | None], str, str]] = {
    "self-signed": (lambda made: made.self_signed(), "https", "self-signed"),
    "unknown": (lambda made: Authority().serving(HERE), "https", "authority that is not trusted here"),
    "another host": (lambda made: made.serving("other.example"), "https", "is for another host"),
    "plain": (lambda made: None, "https", "does not speak TLS on this port"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_tls_is_no_passing_error(authority: Authority, opened: Opened, fault: str) -> None:
    context, scheme, words = FAULTS[fault]
    verify = True if fault == "self-signed" else str(authority.file)
    with running(lambda *_: converse_reply(), context(authority)) as server:
        address = f"{scheme}://{server.address.partition('://')[2]}"
        (error,) = outcomes(opened(address, verify))
    assert words in error.message and "tries" not in error.message
    assert server.address.rpartition("/")[2] in error.message and error.kind == "final" and error.endpoint_wide


def test_https_asked_with_http(authority: Authority) -> None:
    with running(lambda *_: converse_reply(), authority.serving(HERE)) as server:
        (error,) = outcomes(bedrock(server.address.replace("https:", "http:")))
    assert "speaks TLS on this port" in error.message


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", None])
def test_whom_to_trust(
    authority: Authority, account: Account, opened: Opened, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """verify names a folder without the links that OpenSSL wants; a variable counts where it says nothing."""
    if variable:
        monkeypatch.setenv(variable, str(authority.file))
    verify = True if variable else str(authority.folder)

    def answer(got: Got, number: int) -> Answered:
        return account.token(got) if got.path == "/token" else converse_reply()

    with running(answer, authority.serving(HERE)) as server:
        (got,) = outcomes(opened(server.address, verify))
    if opened is bedrock:
        assert got.content == "fine"
    else:
        assert "127.0.0.1:9: connection failed" in got.message  # with a token


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("REQUESTS_CA_BUNDLE", "/nowhere.pem", "REQUESTS_CA_BUNDLE=/nowhere.pem: there is no such file"),
        ("SSL_CERT_FILE", __file__, "that file holds no certificate"),
        ("HTTPS_PROXY", "http://p:port", "HTTPS_PROXY=http://p:port is not a proxy address"),
        ("HTTPS_PROXY", "socks4://me:secret@p:1", "HTTPS_PROXY=socks4://…@p:1: no proxy of the kind 'socks4'"),
    ],
)
def test_a_variable_that_cannot_work(
    opened: Opened, name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as problem:
        Models().open(opened("https://api.provider.example"))
    assert words in str(problem.value) and "secret" not in str(problem.value)


def test_this_machine_is_asked_whatever_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_CA_BUNDLE": "/nowhere",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "ftp://p",
    }.items():
        monkeypatch.setenv(name, value)
    with running(lambda *_: converse_reply()) as server:
        assert outcomes(bedrock(server.address))[0].content == "fine"


def test_a_proxy_that_is_away_is_named(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:9")
    (error,) = outcomes(opened("https://api.provider.example"))
    assert "Connection refused (through the proxy of HTTPS_PROXY)" in error.message and "secret" not in error.message
