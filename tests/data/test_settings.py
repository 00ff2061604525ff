"""What bad input gets: one message with file, line or key, and the remedy; exit code 2; nothing changed."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

import utils
from arena_hard.data.records import UserError
from tests.support.pipeline_bench import Scratch, question, run_script, write_rows


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes, lock files aside."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.endswith(".lock"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def check_refused(scratch: Scratch, script: str, *words: str, arguments: tuple[str, ...] = ()) -> None:
    scratch.write()
    check_refused_as_written(scratch, script, *words, arguments=arguments)


def check_refused_as_written(scratch: Scratch, script: str, *words: str, arguments: tuple[str, ...] = ()) -> None:
    before = snapshot(scratch.folder)
    done: subprocess.CompletedProcess[str] = run_script(scratch.folder, script, *arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr
    assert "sk-secret" not in done.stdout + done.stderr
    assert snapshot(scratch.folder) == before


def test_a_config_that_is_not_yaml(scratch: Scratch) -> None:
    scratch.write()
    (scratch.folder / "config/gen_answer_config.yaml").write_text("bench_name: bench\nmodel_list: [m\nx: {\n")
    check_refused_as_written(scratch, "gen_answer.py", "config/gen_answer_config.yaml:", "YAML")


@pytest.mark.slow
def test_a_config_that_is_not_there(scratch: Scratch) -> None:
    check_refused(scratch, "gen_answer.py", "no.yaml does not exist", arguments=("--setting-file", "no.yaml"))


@pytest.mark.parametrize("script", ["gen_answer.py", "gen_judgment.py"])
def test_an_unknown_key_names_the_nearest_known_one(scratch: Scratch, script: str) -> None:
    scratch.models["m"]["paralel"] = scratch.models["judge"]["paralel"] = 3
    scratch.put_answers("m", "base")
    check_refused(scratch, script, "api_config.yaml", "'paralel'", "Did you mean 'parallel'?")


@pytest.mark.slow
def test_an_unknown_key_of_an_endpoint(scratch: Scratch) -> None:
    scratch.models["m"]["endpoints"][0]["api_bse"] = scratch.models["m"]["endpoints"][0].pop("api_base")
    check_refused(scratch, "gen_answer.py", "m: endpoints 1: unknown key 'api_bse'", "Did you mean 'api_base'?")


@pytest.mark.slow
def test_an_unknown_key_of_a_category_and_an_unknown_category(scratch: Scratch) -> None:
    scratch.put_answers("m", "base")
    scratch.judging["categories"] = {"c": {"sytem_prompt": "x"}}
    check_refused(scratch, "gen_judgment.py", "categories: c: unknown key 'sytem_prompt'", "'system_prompt'")
    scratch.set_questions([question(1) | {"category": "creative_writing"}])
    scratch.judging["categories"] = {"creative_writting": {"baseline_model": "base"}}
    check_refused(scratch, "gen_judgment.py", "'creative_writting'", "Did you mean 'creative_writing'?")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        *[(key, 0, "above 0") for key in ("requests_per_minute", "tokens_per_minute", "timeout", "deadline")],
        *[("timeout", value, "above 0") for value in (float("nan"), float("inf"))],
        *[(key, 0, "at least 1") for key in ("parallel", "attempts", "thinking", "max_tokens")],
        *[(key, -1, "at least 0") for key in ("temperature", "backoff")],
        ("extra_body", {"messages": []}, "'messages' is what a request is about"),
        ("extra_body", {"model": "x"}, "'model' is what a request is about"),
        ("extra_body", {"x": float("nan")}, "JSON cannot carry"),
        *[("api_base", base, "api_base is empty") for base in ("", "  ")],
        *[
            ("api_base", base, "is not an address")
            for base in ("http://[::1/v1", "localhost:8000/v1", "http://h:99999/v1")
        ],
    ],
)
def test_values_of_an_endpoint_entry_that_cannot_be_right(tmp_path: Path, key: str, value: Any, words: str) -> None:
    import yaml

    entry = {"model_name": "m", key: value} if key != "api_base" else {"model_name": "m", "endpoints": [{key: value}]}
    file = tmp_path / "api.yaml"
    file.write_text(yaml.safe_dump({"m": entry}))
    with pytest.raises(UserError, match=rf"api\.yaml:\d+: m.*{key}") as raised:
        utils.load_models(file, ["m"])
    assert words in str(raised.value)


def test_an_address_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "api.yaml"
    bases = ["${HERE}", "${HERE}/v1", "http://${HERE}/v1", "http://h:${HERE}/v1", "https://h"]
    file.write_text(json.dumps({"m": {"model_name": "m", "endpoints": [{"api_base": base} for base in bases]}}))
    monkeypatch.delenv("HERE", raising=False)
    assert len(utils.load_models(file, ["m"])[0].endpoints or []) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "flags", "words"),
    [
        ("gen_answer.py", ("--finish-live",), "Add --batch"),
        ("gen_judgment.py", ("--finish-live",), "Add --batch"),
        ("gen_judgment.py", ("--until-width", "nan"), "--until-width nan"),
        ("gen_judgment.py", ("--until-width", "0"), "--until-width 0"),
        ("gen_judgment.py", ("--until-decided", "m", "m"), "the two models are the same"),
        ("gen_judgment.py", ("--until-width", "10", "--models", "base"), "no model to judge but the baseline"),
        ("gen_answer.py", ("--question-ids", "config/none.txt", "--dry-run"), "names no question"),
        ("gen_answer.py", ("--question-ids", "config/none.txt"), "names no question"),
    ],
)
def test_flags_that_mean_nothing(scratch: Scratch, script: str, flags: tuple[str, ...], words: str) -> None:
    scratch.put_answers("m", "base")
    (scratch.folder / "config/none.txt").write_text("\n")
    check_refused(scratch, script, words, arguments=flags)


@pytest.mark.slow
def test_a_judges_own_system_prompt_is_noted(scratch: Scratch) -> None:
    scratch.put_answers("m", "base")
    scratch.models["judge"]["system_prompt"] = "Be kind."
    done = scratch.run("gen_judgment.py", "--dry-run")
    assert "the system_prompt in the endpoint entry of judge is not sent" in done.stdout
    assert "Be kind." not in done.stdout


@pytest.mark.slow
def test_a_date_that_there_is_not_where_no_text_is_meant(scratch: Scratch) -> None:
    scratch.write()
    file = scratch.folder / "config/gen_answer_config.yaml"
    file.write_text("model_list: [m]\nbench_name: bench\nmax_tokens: 2024-99-99\n")
    check_refused_as_written(
        scratch, "gen_answer.py", "gen_answer_config.yaml:3: max_tokens is '2024-99-99' and must be"
    )


@pytest.mark.slow
def test_a_value_of_the_wrong_kind(scratch: Scratch) -> None:
    scratch.answers["num_choices"] = "two"
    check_refused(scratch, "gen_answer.py", "gen_answer_config.yaml", "num_choices")


@pytest.mark.slow
def test_a_model_without_an_endpoint(scratch: Scratch) -> None:
    scratch.answers["model_list"] = ["bose"]
    check_refused(scratch, "gen_answer.py", "api_config.yaml", "bose", "Did you mean 'base'?")


@pytest.mark.slow
def test_a_missing_bench_names_those_that_are_there(scratch: Scratch) -> None:
    scratch.answers["bench_name"] = "banch"
    check_refused(scratch, "gen_answer.py", "data/banch/question.jsonl", "bench")


@pytest.mark.slow
def test_a_broken_line_in_the_middle_of_the_questions(scratch: Scratch) -> None:
    file = scratch.bench / "question.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1][:30], lines[2]]) + "\n")
    check_refused(scratch, "gen_answer.py", "question.jsonl:2", "Fix this line")


@pytest.mark.slow
def test_questions_cut_in_the_last_line(scratch: Scratch) -> None:
    file = scratch.bench / "question.jsonl"
    file.write_bytes(file.read_bytes()[:-30])
    scratch.put_answers("m", "base")
    check_refused(scratch, "gen_answer.py", "question.jsonl:3: the file ends within this line")
    check_refused(scratch, "gen_judgment.py", "question.jsonl:3", "Fetch or copy it again")


@pytest.mark.slow
def test_notes_of_ones_own_at_the_end_of_a_record_file_stay(scratch: Scratch) -> None:
    scratch.answer_file().parent.mkdir(parents=True)
    scratch.answer_file().write_text("hello world, my precious notes")
    check_refused(scratch, "gen_answer.py", "m.jsonl:1", "Fix this line or delete it")


def test_a_path_that_may_not_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> int:
        raise PermissionError(13, "Permission denied", "data/bench/m.jsonl")  # root cannot try it on a file

    with pytest.raises(SystemExit) as ended:
        utils.run_main(refused)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: data/bench/m.jsonl: Permission denied.")


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL])
def test_nohup_protects_and_a_closed_terminal_stops(before: Any) -> None:
    def look() -> int:
        return int(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)

    old = {number: signal.signal(number, before) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        with pytest.raises(SystemExit) as ended:
            utils.run_main(look)
        assert ended.value.code == int(before == signal.SIG_IGN)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@pytest.mark.slow
def test_duplicate_ids(scratch: Scratch) -> None:
    scratch.set_questions([question(1), question(2), question(1)])
    check_refused(scratch, "gen_answer.py", "question.jsonl", "twice", question(1)["question_id"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["..", "../m", "a/../m", "/etc/m", ".hidden"])
def test_a_model_name_that_leaves_the_folder(scratch: Scratch, name: str) -> None:
    scratch.models[name] = scratch.models["m"]
    scratch.answers["model_list"] = [name]
    check_refused(scratch, "gen_answer.py", repr(name), "another name")


@pytest.mark.slow
def test_an_empty_answer_file(scratch: Scratch) -> None:
    scratch.put_answers("base")
    write_rows(scratch.answer_file(), [])
    check_refused(scratch, "gen_judgment.py", "for m", "gen_answer.py")


@pytest.mark.slow
def test_a_judgment_against_another_baseline(scratch: Scratch) -> None:
    scratch.put_answers("m", "base")
    games = [{"user_prompt": "p", "judgment": "j", "score": "A>B"}] * 2
    row = {"question_id": question(1)["question_id"], "model": "m", "judge": "judge", "games": games}
    write_rows(scratch.judgment_file(), [row | {"baseline": "other"}])
    done = scratch.run("gen_judgment.py", "--dry-run")
    assert done.returncode == 0 and "m against base" in done.stdout and "3 to make" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("regex_pattern", r"\[\[[AB<>=]+\]\]", ("0 groups", "exactly one")),
        ("regex_pattern", "([", ("regex_pattern", "not a regular expression")),
        ("prompt_template", [], ("prompt_template is empty",)),
        ("prompt_template", ["{answer_x}"], ("unknown placeholder {answer_x}",)),
        ("prompt_template", ["{question_1"], ("prompt_template 1", "braces")),
        ("prompt_template", ["{question_2} {answer_1}"], ("{question_2}",)),
        ("number_of_judgment_attempts", 0, ("number_of_judgment_attempts",)),
        ("reference", True, ("ref_model",)),
    ],
)
def test_judge_settings_that_cannot_work(scratch: Scratch, key: str, value: Any, words: tuple[str, ...]) -> None:
    scratch.judging[key] = value
    scratch.put_answers("m", "base")
    check_refused(scratch, "gen_judgment.py", *words)


@pytest.mark.slow
def test_an_environment_variable_that_is_not_set(scratch: Scratch) -> None:
    scratch.models["m"]["endpoints"][0]["api_key"] = "${NO_SUCH_KEY}"
    scratch.write()
    done = scratch.run("gen_answer.py")
    assert done.returncode == 2
    assert "NO_SUCH_KEY is not set" in done.stderr
    assert "export" in done.stderr


ORIGINAL_ENDPOINTS = """
gpt-4-1106-preview:
    model_name: gpt-4-1106-preview
    endpoints: null
    api_type: openai
    parallel: 32
gpt-35:
    model_name: gpt-35
    endpoints:
        - api_base: https://example.invalid
          api_key: key-in-file
          api_version: 2023-07-01-preview
    api_type: azure
    parallel: 8
llama:
    model_name: meta/llama
    endpoints:
        - api_base: http://localhost:8000/v1
          api_key: token
    tokenizer: gpt-4
    parallel: 8
"""

ORIGINAL_JUDGE = r"""
name: judge config
bench_name: bench
judge_model: gpt-4-1106-preview
reference: False
ref_model: null
baseline: True
baseline_model: gpt-4-0314
pairwise: True
temperature: 0
max_tokens: 4096
regex_pattern: \[\[([AB<>=]+)\]\]
number_of_judgment_attempts: 2
system_prompt: "Judge.\n\nEnd with [[A>B]]."
prompt_template: ["<|User|>\n{question_1}\n\n{answer_1}\n\n{answer_2}"]
model_list:
  - llama
"""


def test_the_originals_files_are_accepted_as_they_are(tmp_path: Path) -> None:
    endpoints, judge, answers = tmp_path / "api.yaml", tmp_path / "judge.yaml", tmp_path / "answer.yaml"
    endpoints.write_text(ORIGINAL_ENDPOINTS)
    judge.write_text(ORIGINAL_JUDGE)
    answers.write_text("name: x\nbench_name: b\nmax_tokens: 4096\nnum_choices: 1\nmodel_list:\n- llama\n")
    models = utils.load_models(endpoints, ["gpt-4-1106-preview", "gpt-35", "llama"])
    assert [model.parallel for model in models] == [32, 8, 8]
    assert models[2].tokenizer == "gpt-4"
    loaded = utils.load_judge_settings(judge)
    assert (loaded.baseline_model, loaded.references) == ("gpt-4-0314", [])
    assert utils.load_answer_settings(answers).max_tokens == 4096


def test_the_files_of_v2_are_accepted_as_they_are(tmp_path: Path) -> None:
    endpoints, judge = tmp_path / "api.yaml", tmp_path / "judge.yaml"
    endpoints.write_text(
        "gpt-4.1:\n    model: gpt-4.1\n    endpoints: null\n    api_type: openai\n    parallel: 64\n"
        "    max_tokens: 32000\n    temperature: 0.0\n"
        "gemma:\n    model: google/gemma\n    endpoints:\n        - api_base: http://0.0.0.0:30000/v1\n"
        "          api_key: '-'\n    api_type: openai\n    parallel: 128\n"
    )
    judge.write_text(
        "judge_model: gpt-4.1\ntemperature: 0.0\nmax_tokens: 16000\nbench_name: arena-hard-v2.0\nreference: null\n"
        "regex_pattern: \\[\\[([AB<>=]+)\\]\\]\nprompt_template: '{QUESTION} {ANSWER_A} {ANSWER_B}'\n"
        "model_list:\n  - m\n"
    )
    models = utils.load_models(endpoints, ["gpt-4.1", "gemma"])
    assert [model.model_name for model in models] == ["gpt-4.1", "google/gemma"]
    assert utils.load_judge_settings(judge).references == []


def test_settings_files_of_this_project_load() -> None:
    root = Path(utils.__file__).parent
    for endpoints in sorted(root.glob("config/**/api_config.yaml")):
        utils.load_models(endpoints, utils.load_yaml(endpoints))
    for file in sorted(root.glob("config/**/judge_config.yaml")):
        utils.load_judge_settings(file)
    assert json.dumps(utils.load_yaml(root / "config/api_config.yaml"))
