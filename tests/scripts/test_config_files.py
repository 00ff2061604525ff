"""The scripts on config files as people write them: YAML's surprises, later versions, forks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from arena_hard.calling.kept_replies import key_of
from arena_hard.calling.providers.base import Request
from tests.loopback import Server
from tests.support.pipeline_bench import SYSTEM, Scratch, rows, run_script, write_rows

QUICK = "parallel: 4.0\n  timeout: '20'\n  backoff: 1e-2"
ENDPOINTS = """
x-defaults: &defaults {{parallel: 64, api_type: openai}}
4.10:
  <<: *defaults
  model: 4
  model_name: 4
  description: not numbered by me
  {quick}
  max_tokens: 4096.0
  temperature: 1e-1
  endpoints:
    api_base: {base}
    api_key: 01234567
    api_version: 2024-02-15
  top_p: 5e-1
  stop: [<|im_end|>, 12:30]
yes: {{model_name: 0x1F, endpoints: [{{api_base: {base}, api_key: 01234567}}]}}
2024-02-15: {{model_name: on, endpoints: [{{api_base: {base}, api_key: 01234567}}]}}
"""
JUDGING = """
description: judged by a model whose name is a date
bench_name: 1_000
judge_model: 2024-02-15
baseline_model: yes
temperature: 0
regex_patterns:
- {{name: long, pattern: '\\[\\[([AB<>=]+)\\]\\]'}}
system_prompt: |
  {system}
prompt_template: "{{question_1}} {{answer_1}} {{answer_2}}"
categories:
  007: {{system_prompt: 12:30}}
{model_list}
"""


class Written(Scratch):
    """A scratch folder whose configs are the texts above, with the bench 1_000."""

    def __init__(self, folder: Path, base: str) -> None:
        super().__init__(folder, base)
        self.bench = folder / "data" / "1_000"
        self.set_questions(
            [{"question_id": f"{n:032x}", "category": "007", "turns": [{"content": f"Q{n}"}]} for n in (1, 2)]
        )
        self.config("api_config", ENDPOINTS.format(base=base, quick=QUICK))

    def config(self, name: str, text: str) -> None:
        (self.folder / "config" / f"{name}.yaml").write_text(text)

    def answers_by(self, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run gen_answer.py with this model_list."""
        self.config("gen_answer_config", f"bench_name: 1_000\ntemperature: '0.5'\n{text}\n")
        return run_script(self.folder, "gen_answer.py", *flags)

    def judged(self, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run gen_judgment.py with this model_list."""
        self.config("judge_config", JUDGING.format(system=SYSTEM, model_list=text))
        return run_script(self.folder, "gen_judgment.py", *flags)


@pytest.fixture
def written(tmp_path: Path, wire: Server) -> Written:
    return Written(tmp_path, wire.openai_base)


@pytest.mark.slow
def test_names_and_keys_as_written_go_through_both_stages(written: Written, wire: Server) -> None:
    done = written.answers_by("model_list:\n- 4.10\n- yes\n- 4.10")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stdout + done.stderr
    assert done.stderr.count("note: ") == 1
    assert "note: config/api_config.yaml:7: 4.10: description: no effect.\n" in done.stderr
    assert len(rows(written.answer_file("4.10"))) == len(rows(written.answer_file("yes"))) == 2
    requests = wire.requests(100)
    assert {request["body"]["model"] for request in requests} == {"4", "0x1F"}
    assert {request["key"] for request in requests} == {"01234567"}
    body = next(request["body"] for request in requests if request["body"]["model"] == "4")
    told = {"max_tokens": 4096, "temperature": 0.1, "top_p": 0.5, "stop": ["<|im_end|>", "12:30"]}
    assert {key: body[key] for key in told} == told

    done = written.judged("model_list: 4.10")
    assert done.returncode == 0, done.stdout + done.stderr
    [first, _] = rows(written.bench / "model_judgment" / "2024-02-15" / "4.10.jsonl")
    assert (first["model"], first["judge"], first["baseline"]) == ("4.10", "2024-02-15", "yes")
    last = wire.requests(1)[0]["body"]
    assert (last["model"], last["messages"][0]["content"]) == ("on", "12:30")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "model_list:", "model_list: null", "model_list: []", "model_list: ~"])
def test_an_empty_model_list_is_fine_where_models_are_named(written: Written, text: str) -> None:
    done = written.answers_by(text, "--models", "yes", "--dry-run")
    assert (done.returncode, "2 to generate" in done.stdout) == (0, True), done.stderr
    for model in ("yes", "4.10"):
        record = {
            "answer_id": "x",
            "model_id": model,
            "choices": [{"index": 0, "turns": [{"content": "a"}]}],
            "tstamp": 1,
        }
        write_rows(written.answer_file(model), [{"question_id": f"{n:032x}"} | record for n in (1, 2)])
    done = written.judged(text, "--models", "4.10", "--dry-run")
    assert (done.returncode, "2 to make" in done.stdout) == (0, True), done.stdout + done.stderr
    for done, file in (
        (written.answers_by(text, "--dry-run"), "gen_answer_config"),
        (written.judged(text, "--dry-run"), "judge_config"),
    ):
        assert done.returncode == 2
        assert f"error: config/{file}.yaml: model_list is empty. Name at least one model" in done.stderr


@pytest.mark.slow
def test_a_key_there_twice_is_noted_once_and_the_last_one_counts(written: Written) -> None:
    done = written.answers_by("model_list: [4.10]\nmax_tokens: 5\nmodel_list: [yes]\nmax_tokens: 5", "--dry-run")
    assert done.returncode == 0
    assert done.stderr == (
        "note: config/gen_answer_config.yaml: given twice with different values; the last one counts: "
        "'model_list' (lines 3 and 5).\n"
    )
    assert json.loads(done.stdout.partition("):\n")[2])["model"] == "0x1F"


@pytest.mark.slow
def test_the_browser_reads_a_config_without_models(written: Written, tmp_path: Path) -> None:
    written.answers_by("model_list: yes")
    written.config("judge_config", JUDGING.format(system=SYSTEM, model_list=""))
    done = run_script(written.folder, "qa_browser.py", "--export", str(tmp_path / "site"))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.slow
def test_stop_goes_to_anthropic_under_its_own_name(written: Written, wire: Server) -> None:
    endpoint = f"api_base: {wire.anthropic_base}, api_key: 1e5"
    budget = "api_type: anthropic_thinking, budget_tokens: 2000, max_tokens: 3000"
    entry = f"{{model_name: x, {budget}, stop: <|im_end|>, {endpoint}}}"
    written.config("api_config", f"c: {entry}\n")
    done = written.answers_by("model_list: [c]")
    assert done.returncode == 0, done.stdout + done.stderr
    body = wire.requests(1)[0]["body"]
    assert body["stop_sequences"] == ["<|im_end|>"] and "stop" not in body
    assert (body["thinking"]["budget_tokens"], body["max_tokens"]) == (2000, 3000)


@pytest.mark.slow
def test_what_shapes_an_answer_is_noted_where_it_is_set(written: Written) -> None:
    written.answers_by("model_list: [yes]", "--limit", "1")
    file = written.folder / "config" / "api_config.yaml"
    text = file.read_text()
    for key, value, shown in (("end_think_token", "</t>", "None → '</t>'"), ("stop", "[x]", "None → ['x']")):
        file.write_text(text.replace("yes: {", f"yes: {{{key}: {value}, "))
        done = written.answers_by("model_list: [yes]")
        assert (done.returncode, f"{key} {shown}" in done.stderr) == (2, True), done.stderr


def test_calls_without_stop_are_called_as_before() -> None:
    """Their replies may lie on disk from an earlier version."""
    request = Request("m", [{"role": "user", "content": "q"}], 0.0, 100)
    assert key_of(request, "m 1", {}) == "0284be49069e04de5fd30f0f3187e1ca"
