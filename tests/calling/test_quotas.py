"""What the providers' headers say of their limits."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from arena_hard.calling.providers.http import http_error, retry_after
from arena_hard.calling.providers.quotas import Quota, _seconds, quota_from, sound_quota


def test_openais_headers() -> None:
    headers = {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "590",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "1m40s",
    }
    requests, tokens = quota_from(headers, "requests"), quota_from(headers, "tokens")
    assert requests == Quota(600, 590, 1.0)
    assert requests is not None
    assert requests.rate == pytest.approx(10.0)
    assert tokens is not None
    assert tokens.rate == pytest.approx(10.0)


@pytest.mark.parametrize("ending", ["Z", "+00:00", ""])
def test_anthropics_headers(ending: str) -> None:
    full = (datetime.now(timezone.utc) + timedelta(seconds=100)).replace(microsecond=0, tzinfo=None)
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "40",
        "anthropic-ratelimit-requests-reset": full.isoformat() + ending,
    }
    quota = quota_from(headers, "requests")
    assert quota is not None
    assert quota.rate == pytest.approx(0.1, rel=0.2)
    assert quota_from(headers, "tokens") is None


@pytest.mark.parametrize("reset", ["soon", "s", "12x3.4.5s", "2026-99-99T00:00:00Z"])
def test_headers_that_make_no_sense_are_passed_over(reset: str) -> None:
    start = "x-ratelimit"
    headers = {f"{start}-limit-tokens": "9", f"{start}-remaining-tokens": "8", f"{start}-reset-tokens": reset}
    assert quota_from(headers, "tokens") is None
    assert quota_from({f"{start}-remaining-tokens": "8"}, "tokens") is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1m30.5s", 90.5),
        ("1h2m3s", 3723.0),
        ("1d", 86400.0),
        ("2001-01-01T00:00:00Z", 0.0),
    ],
)
def test_seconds_in_all_forms(text: str, seconds: float) -> None:
    assert _seconds(text) == pytest.approx(seconds)


def test_a_full_bucket_tells_no_rate() -> None:
    assert Quota(100, 100, 0).rate is None
    assert Quota(100, 90, 0).rate is None
    assert Quota(100, 90, 5).rate == pytest.approx(2.0)


HUGE = "9" * 400


@pytest.mark.parametrize(
    "numbers", [(HUGE, HUGE, "1"), ("nan", "1", "1"), ("9", "-inf", "1"), ("9", "8", HUGE), (2**63, 2**63, 0)]
)
def test_what_limits_nothing_is_no_quota(numbers: tuple[str, str, str]) -> None:
    names = (f"x-ratelimit-{part}-tokens" for part in ("limit", "remaining", "reset"))
    assert quota_from(dict(zip(names, map(str, numbers))), "tokens") is None


@pytest.mark.parametrize("numbers", [(10**400, 1, 1), (9, None, 1), (9, "many", 1), (9, 8, float("nan"))])
def test_odd_numbers_of_own_providers_are_no_quota(numbers: tuple[float, float, float]) -> None:
    assert sound_quota(*numbers) is None


def test_nobody_waits_for_ever() -> None:
    assert http_error(429, {}, f"try again in {HUGE} s").retry_after is None
    assert retry_after({"retry-after": HUGE}) is None
