"""Servers that send back every key in every form: none is in a file that a run leaves, or in what it prints."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.calling.test_own_provider import EXAMPLE
from tests.support.echo_server import KINDS, EchoServer, echo_server
from tests.support.key_forms import ALL, ENVIRONMENT, IN_BODY, KEY, OF_ENVIRONMENT, PASSWORD, forms_of, leaks
from tests.support.pipeline_bench import ROOT, Scratch, answer, manifest, question, rows, write_rows

pytestmark = pytest.mark.slow  # scripts, and servers that they start

TOKEN = "opaque_5_Kd8fJ2sLq0Wx"


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with echo_server(IN_BODY, OF_ENVIRONMENT, PASSWORD) as server:
        yield server


@pytest.fixture
def attacked(tmp_path: Path, echo: EchoServer) -> Scratch:
    """Models at the echoing server, and a question for each way of sending keys back."""
    scratch = Scratch(tmp_path, f"{echo.address}/v1")
    scratch.set_questions([question(number) for number in range(1, len(KINDS) + 1)])
    for entry in scratch.models.values():
        entry["endpoints"][0]["api_key"] = KEY
        entry |= {"attempts": 2, "parallel": 1, "extra_body": {"metadata": {"token": IN_BODY}}}
    return scratch


def check(scratch: Scratch, *arguments: str, keys: tuple[str, ...] = ALL) -> Any:
    """Run a script: its streams and all that it leaves but the configs are without keys."""
    done = scratch.run(*arguments, **ENVIRONMENT)
    assert "Traceback" not in done.stderr, done.stderr
    found = leaks(scratch.folder, done.stdout + done.stderr, keys)
    assert found == []
    return done


def test_answers(attacked: Scratch) -> None:
    for arguments in (["--quote"], ["--dry-run"], []):
        done = check(attacked, "gen_answer.py", *arguments)
    assert "bad token [key] ; [key]" in done.stdout, done.stdout
    written, odd = rows(attacked.answer_file())
    assert written["served_model"] == odd["finish_reason"] == "[key]"
    text = written["choices"][0]["turns"][0]["content"]
    assert text.startswith("You said [key] ; [key]") and text.endswith(" and [[A>B]] EMPTY test")
    noted = manifest(attacked.answer_file())
    assert noted["runs"][0]["failed"] and noted["runs"][0]["served_models"] == ["[key]"]
    (settings,) = noted["settings"].values()
    assert settings["extra_body"] == {"metadata": {"token": "[key]"}}


def test_judgments(attacked: Scratch) -> None:
    attacked.put_answers("m", "base", count=len(KINDS))
    check(attacked, "gen_judgment.py", "--quote")
    done = check(attacked, "gen_judgment.py")
    assert "2 judgments written" in done.stdout and "bad token [key]" in done.stdout, done.stdout
    show_keys_in_records(attacked)


def show_keys_in_records(attacked: Scratch) -> None:
    """Records that hold keys, as other software writes them, are shown without them."""
    words = " ".join(forms_of(OF_ENVIRONMENT))
    for model in ("m", "base"):
        made = [answer(number, model, f"I say {words}") for number in range(1, 9)]
        write_rows(attacked.answer_file(model), made)
    scripts = (
        ["qa_browser.py", "--export", "site"],
        ["show_result.py", "--bench-name", "bench", "--judge-name", "judge", "--baseline", "base"],
    )
    done = [attacked.run(*each, **ENVIRONMENT) for each in scripts]
    assert [each.returncode for each in done] == [0, 0], done
    texts = "".join(file.read_text() for file in (attacked.folder / "site").rglob("*.html"))
    assert "I say [key]" in texts
    assert not [form for form in forms_of(OF_ENVIRONMENT) if form in texts or form in done[1].stdout]


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_batches(attacked: Scratch, echo: EchoServer, api_type: str) -> None:
    model = attacked.models["m"]
    model["api_type"] = api_type
    if api_type == "anthropic":
        model["endpoints"][0]["api_base"] = echo.address
    done = check(attacked, "gen_answer.py", "--batch")
    assert "[key]" in done.stdout, done.stdout + done.stderr
    assert [body["metadata"] for body in echo.batched] == [{"token": IN_BODY}] * len(echo.batched)
    assert len(echo.batched) >= len(KINDS)


def test_a_redirection(attacked: Scratch, echo: EchoServer) -> None:
    attacked.models["m"]["endpoints"][0]["api_base"] = f"{echo.address}/moved"
    done = check(attacked, "gen_answer.py")
    assert "[key]" in done.stdout, done.stdout


def test_a_provider_of_ones_own(attacked: Scratch, echo: EchoServer) -> None:
    shutil.copy(EXAMPLE, attacked.folder / "config")
    provider = attacked.folder / "config" / EXAMPLE.name
    text = provider.read_text().replace("Tokens, http_client", "Tokens, http_client, keep_secret")
    fetched = f'        keep_secret("{TOKEN}x")\n        return "{TOKEN}", 100.0\n'
    start, _, rest = text.partition('        headers = {"Authorization": f"Basic')
    provider.write_text(start + fetched + "\n" + rest[rest.index("\n\nclass MyAdapter") :])
    attacked.models["m"] |= {"api_type": f"{EXAMPLE.name}:MyAdapter"}
    done = check(attacked, "gen_answer.py", keys=(*ALL, TOKEN, f"{TOKEN}x"))
    assert "bad token [key]" in done.stdout, done.stdout


SERVED = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
sys.path.insert(0, {root!r})
from tests.support.key_forms import ALL, ENVIRONMENT, IN_BODY, KEY, OF_ENVIRONMENT, PASSWORD, forms_of, leaks
print("environment", dict(os.environ), *forms_of(os.environ["HF_TOKEN"]), flush=True)
print("arguments", sys.argv, *forms_of(sys.argv[3]), flush=True)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(data=[dict(id=each) for each in forms_of(sys.argv[3])])).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        print("out of memory", *forms_of(sys.argv[3]), *forms_of(os.environ["HF_TOKEN"]), flush=True)
        raise SystemExit

if "die" in sys.argv:
    sys.exit(1)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.mark.parametrize("how", ["die", "live"])
def test_a_local_servers_log(attacked: Scratch, how: str) -> None:
    script = attacked.folder / "config" / "served.py"
    script.write_text(SERVED.format(root=str(ROOT)))
    key = "s3rve-Qw8/Zx7+Lk6=Mn5"
    attacked.models["m"] |= {"serve": f"{sys.executable} {script} {{port}} --api-key '{key}' {how}"}
    attacked.models["m"]["endpoints"][0] = {"api_key": "${HF_TOKEN}"}
    done = check(attacked, "gen_answer.py", keys=(*ALL, key))
    assert done.returncode == (2 if how == "die" else 1)
    printed = done.stdout + done.stderr
    assert "environment" in printed if how == "die" else "out of memory [key]" in printed
    log = (attacked.bench / "logs" / "m.log").read_text()
    assert "environment" in log and "'HF_TOKEN': '[key]'" in log
