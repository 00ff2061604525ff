"""Requests that wait on disk hold no key, and are sent with it: today's, where it has changed since."""

from __future__ import annotations

import pytest

from arena_hard.calling.stored_requests import restored, stored
from arena_hard.data import jsonl, secrets
from arena_hard.data.records import UserError

BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "[key of nobody] say"}],
    "auth": ["Bearer s3cr-8H/fk+20=dLw"],
}


def test_a_key_waits_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.know("s3cr-8H/fk+20=dLw", "m.extra_body.auth")
    row = jsonl.decode_object(jsonl.encode(stored(BODY)))
    assert row["body"]["auth"] == ["Bearer [key of m.extra_body.auth]"]
    assert restored(row) == BODY
    monkeypatch.setattr(secrets, "RUN", secrets.Registry())
    with pytest.raises(UserError, match="m.extra_body.auth"):
        restored(row)
    secrets.know("an0ther-key-of-today", "m.extra_body.auth")
    assert restored(row) == BODY | {"auth": ["Bearer an0ther-key-of-today"]}


def test_a_request_without_keys_is_stored_as_it_is() -> None:
    secrets.know("s3cr-8H/fk+20=dLx", "other")
    assert stored(BODY) == {"body": BODY} and restored({"body": BODY}) == BODY
