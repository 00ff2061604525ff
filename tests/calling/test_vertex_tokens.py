"""Servers of Google's tokens that send something else, and certificates that cannot be read."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.auth")

import trustme

from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.data.records import UserError
from tests.calling.test_vertex import Google, account, gemini_reply, google, settings  # noqa: F401
from tests.support.cloud_server import Answered, Got, running
from tests.support.direct_calls import outcomes


@pytest.mark.parametrize(
    "body",
    [
        b"<html><title>Log in</title></html>",
        b"",
        b"\xff{",
        [1],
        None,
        {"expires_in": 3600},
        {"access_token": None, "expires_in": 3600},
        {"access_token": 5, "expires_in": 3600},
        {"access_token": "ya29.abcdefgh", "expires_in": [1]},
    ],
)
def test_what_is_no_token_is_one_failed_call_at_any_renewal(google: Google, body: Any) -> None:  # noqa: F811
    asked: list[Got] = []

    def second_is_odd(got: Got) -> Answered | None:
        asked.append(got)
        return (200, {}, body) if len(asked) == 2 else None

    google.on_token, google.account.life = second_is_odd, 0.001
    first, second, *_ = outcomes(settings(google, attempts=1), 2, one_by_one=True)
    assert first.message.startswith("127.0.0.1") and "401" in first.message  # its token had ended
    assert isinstance(second, CallError)
    assert "no access token of Google from 127.0.0.1:" in second.message and "ya29" not in second.message


def test_what_stands_for_an_account_is_sent_on_to_nobody(google: Google) -> None:  # noqa: F811
    asked: list[Got] = []

    def moved(got: Got) -> Answered:
        asked.append(got)
        return 307, {"location": "/elsewhere"}, b""

    google.on_token = moved
    (error,) = outcomes(settings(google, attempts=3))
    assert len(asked) == 1 and "redirects, which is not followed. Is token_uri" in error.message
    assert "tries)" not in error.message


def test_certificates_that_are_not_there_are_said_before_a_call(
    google: Google,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert outcomes(settings(google))[0].content == "fine"  # plain HTTP needs none
    google.file.write_text(google.account.file_text("https://127.0.0.1:9"))
    with pytest.raises(UserError, match="REQUESTS_CA_BUNDLE=.*missing.pem.*unset REQUESTS_CA_BUNDLE"):
        outcomes(settings(google))


def test_certificates_that_go_away_do_no_harm_and_those_that_lack_are_named(
    google: Google,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))

    def last_of_its_token(got: Got, number: int) -> Answered:
        trusted.unlink(missing_ok=True)
        google.account.live.clear()
        return gemini_reply()

    google.answer = last_of_its_token
    with running(lambda got, _: google.account.token(got), context) as tokens:
        google.file.write_text(google.account.file_text(tokens.address))
        found = outcomes(settings(google, attempts=2), 2, one_by_one=True)
        assert [str(each.content if isinstance(each, Reply) else each) for each in found] == ["fine"] * 2
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
        (failed,) = outcomes(settings(google, attempts=3))
    assert "comes from an authority" in failed.message and "verify: false" in failed.message
    assert "tries)" not in failed.message
