"""The real SDKs behind each wire format: where the call goes, whose key it carries, where the system prompt is."""

from __future__ import annotations

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, rows


@pytest.mark.slow
@pytest.mark.parametrize("tail", ["", "/", "/chat/completions"])
def test_openai_with_a_base_as_people_paste_it(scratch: Scratch, wire: Server, tail: str) -> None:
    scratch.models["m"]["endpoints"][0]["api_base"] = wire.openai_base + tail
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert list(wire.stats()["by_path"]) == ["/v1/chat/completions"]


@pytest.mark.slow
def test_azure(scratch: Scratch, wire: Server) -> None:
    endpoint = {"api_base": wire.azure_base, "api_key": "az-key", "api_version": "2024-10-21"}
    scratch.models["m"] |= {"api_type": "azure", "endpoints": [endpoint], "system_prompt": "Be brief."}
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    (request,) = wire.requests()
    assert request["path"] == "/openai/deployments/m/chat/completions"
    assert request["key"] == "az-key"
    assert request["body"]["messages"][0] == {"role": "system", "content": "Be brief."}


@pytest.mark.slow
def test_anthropic(scratch: Scratch, wire: Server) -> None:
    endpoint = {"api_base": wire.anthropic_base, "api_key": "ant-key"}
    scratch.models["m"] |= {"api_type": "anthropic", "endpoints": [endpoint], "system_prompt": "Be brief."}
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    (request,) = wire.requests()
    assert request["key"] == "ant-key"
    assert "Be brief." in str(request["body"]["system"])
    assert [message["role"] for message in request["body"]["messages"]] == ["user"]
    assert request["body"]["temperature"] == 0.0
    assert rows(scratch.answer_file())[0]["usage"]["prompt_tokens"] > 0


@pytest.mark.slow
def test_a_key_that_is_not_meant_for_a_server_does_not_reach_it(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["endpoints"] = [{"api_base": wire.openai_base}]
    done = scratch.run("gen_answer.py", "--limit", "1", OPENAI_API_KEY="sk-not-for-this-server")
    assert done.returncode == 0, done.stderr
    assert {request["key"] for request in wire.requests()} == {"EMPTY"}


@pytest.mark.slow
def test_a_providers_own_address_needs_a_key(scratch: Scratch) -> None:
    scratch.models["m"]["endpoints"] = None
    done = scratch.run("gen_answer.py")
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
