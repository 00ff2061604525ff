"""What the server answers, and whom: flags, paths and hosts."""

from __future__ import annotations

import asyncio
import http.client
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from arena_hard.browse.web_guard import Guard, Scope
from tests.support.browse_bench import ROOT, served, write_bench


def ask(
    address: str, path: str, host: str | None = None, method: str = "GET", body: str | None = None
) -> tuple[int, str, http.client.HTTPMessage]:
    """Status and body of a raw request, sent as it is."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or place.netloc)
    if body is not None:
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body.encode() if body else None)
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8", "replace"), answer.headers


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=secret.txt",
        "/gradio_api/file/../../secret.txt",
        "/file=/etc/passwd",
        "/gradio_api/proxy=https://huggingface.co/",
        "/gradio_api/upload",
        "/gradio_api/vibe-code/",
        "/gradio_api/queue/join",
        "/assets/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc/passwd",
        "/static/%2e%2e/%2e%2e/gradio/package.json",
        "/docs",
        "/monitoring",
    ],
)
def test_no_file_and_no_other_service_of_gradio_can_be_reached(address: str, path: str) -> None:
    for method in ("GET", "POST"):
        status, body, _ = ask(address, path, method=method)
        assert status == 404
        assert "root:" not in body and "secret" not in body


@pytest.mark.slow
def test_the_page_carries_its_policy_and_calls_nobody(address: str) -> None:
    status, body, headers = ask(address, "/")
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert '"analytics_enabled":false' in body.replace(" ", "")


@pytest.mark.parametrize("path", ["/", "/config"])
def test_what_an_address_asks_of_our_page_does_not_reach_gradio(path: str) -> None:
    """Of ?page=games it makes an error, of ?deep_link=… a search for a file."""
    asked: list[object] = []

    async def app(scope: Scope, *_: object) -> None:
        asked.append((scope["path"], scope["query_string"]))

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"page=games&tab=judge", "headers": []}
    asyncio.run(Guard(app)(scope, _nothing, _nothing))
    assert asked == [(path, b"")] and scope["query_string"]


async def _nothing(*_: object) -> Any:
    """Nothing comes from the client, and nothing goes to it."""


@pytest.mark.slow
@pytest.mark.parametrize("query", ["page=games", "deep_link=x", "deep_link=../x&page=", "tab=games&page=1"])
def test_an_address_with_keys_of_gradio_shows_the_page(address: str, query: str) -> None:
    assert ask(address, f"/?{query}")[:2] == ask(address, "/")[:2]


@pytest.mark.slow
def test_a_name_that_points_to_this_machine_from_elsewhere_is_refused(address: str) -> None:
    assert ask(address, "/", host="evil.example:80")[0] == 404
    assert ask(address, "/", host="localhost")[0] == 200


@pytest.mark.parametrize("query", ["?bench=../..", "?bench=%2Fetc", "?tab=games&judge=../../x&model=../secret"])
def test_names_that_are_no_bench_judge_or_model_show_the_usual_page(tmp_path: Path, query: str) -> None:
    from arena_hard.browse.site import Site

    write_bench(tmp_path / "data" / "small")
    (tmp_path / "question.jsonl").write_text('{"question_id": "x", "turns": [{"content": "outside"}]}\n')
    html = Site(tmp_path / "data").show(query)
    assert "outside" not in html
    assert "bench=small" in html


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """qa_browser.py with arguments that end it before it listens."""
    command = [sys.executable, str(ROOT / "qa_browser.py"), *arguments]
    values = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=values, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "--auth USER:PASSWORD"),
        (["--share"], "--auth USER:PASSWORD"),
        (["--auth", "nocolon"], "USER:PASSWORD"),
        (["--auth", ":word"], "USER:PASSWORD"),
        (["--data-dir", "nowhere"], "nowhere/ is not a directory"),
        (["--config-file", "broken.yaml"], "broken.yaml"),
        (["--config-file", "absent.yaml"], "absent.yaml"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "broken.yaml").write_text("bench_name: [")
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_auth_asks_for_name_and_password(tmp_path: Path) -> None:
    write_bench(tmp_path / "small")
    with served(tmp_path, "--auth", "ann:word") as address:
        call = '{"data": "?tab=games", "component_id": 1, "fn_name": "show_page", "session_hash": "x"}'
        assert ask(address, "/gradio_api/component_server/", method="POST", body=call)[0] == 401
        assert "show_page" not in ask(address, "/")[1]
