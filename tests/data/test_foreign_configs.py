"""Config files of the original's later versions and of public forks: understood, or passed over with one line."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import utils
from arena_hard.data import yaml_files
from arena_hard.data.records import UserError
from arena_hard.data.settings import DEFAULT_PATTERN, EndpointSettings, ModelSettings, parse
from arena_hard.data.yaml_files import ConfigNote


@pytest.fixture(autouse=True)
def no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def load(tmp_path: Path, entry: str) -> tuple[ModelSettings, list[str]]:
    """A model from its entry's lines, and what was noted."""
    file = tmp_path / "api.yaml"
    file.write_text("m:\n" + "".join(f"  {line}\n" for line in entry.strip().splitlines()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        values = yaml_files.load_written(file)
        model = parse(values["m"], ModelSettings, "m")
    assert all(issubclass(each.category, ConfigNote) for each in caught)
    return model, [str(each.message) for each in caught]


def check(tmp_path: Path, entry: str, notes: list[str], **told: Any) -> None:
    model, noted = load(tmp_path, entry)
    assert {key: getattr(model, key) for key in told} == told
    assert noted == notes


LATER_VERSIONS = [
    (
        "model: claude-3-7-sonnet-20250219\nendpoints: null\nmax_tokens: 20000\nbudget_tokens: 16000\n"
        "api_type: anthropic_thinking\nparallel: 32",
        [],
        # there, max_tokens holds thoughts and answer; here, the answer
        {"api_type": "anthropic", "thinking": 16000, "max_tokens": 4000, "model_name": "claude-3-7-sonnet-20250219"},
    ),
    (
        "model: o3-mini\nendpoints: null\nreasoning_effort: high\napi_type: openai_thinking",
        [],
        {"api_type": "openai", "reasoning_effort": "high"},
    ),
    (
        "endpoints:\n  - api_key: k\napi_type: deepseek_reasoner",
        [],
        {"api_type": "deepseek", "model_name": "deepseek-reasoner", "endpoints": [EndpointSettings(api_key="k")]},
    ),
    (
        'model: Qwen/QwQ-32B\nendpoints: null\napi_type: sglang\nlocal_engine: True\nend_think_token: "</think>"',
        [
            "m: no address for sglang, so its server is looked for at http://localhost:30000/v1; serve: starts one; "
            "local_engine: no effect here, where serve: starts a local server (README.md) (line 5)."
        ],
        {
            "api_type": "openai",
            "end_think_token": "</think>",
            "endpoints": [EndpointSettings(api_base="http://localhost:30000/v1")],
        },
    ),
]


@pytest.mark.parametrize(("entry", "notes", "told"), LATER_VERSIONS)
def test_entries_of_later_versions(tmp_path: Path, entry: str, notes: list[str], told: dict[str, Any]) -> None:
    check(tmp_path, entry, notes, **told)


def test_what_has_no_effect_is_one_line(tmp_path: Path) -> None:
    entry = "model_name: x\ndescription: d\nbeautiful_name: X\nlocal_engine: false\ntp_size: 2\n.own: &a 1\nx-y: 2"
    server = "local_engine, tp_size: no effect here, where serve: starts a local server (README.md)"
    check(tmp_path, entry, [f"m:3: description, beautiful_name: no effect; {server} (line 5)."], model_name="x")


@pytest.mark.parametrize("typo", ["paralel: 2", "endpoint_s: null", "end_think_tokn: x", "descripton: x", "top_pp: 1"])
def test_a_typing_mistake_is_an_error(tmp_path: Path, typo: str) -> None:
    with pytest.raises(UserError, match=r"m:3: unknown key '.*'\. Did you mean"):
        load(tmp_path, f"model_name: x\n{typo}")


def test_model_and_model_name(tmp_path: Path) -> None:
    check(tmp_path, "model: x\nmodel_name: x", [], model_name="x")
    check(tmp_path, "model: x\nmodel_name: y", ["m:2: model_name counts, not model, which differs."], model_name="y")


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("endpoints: {api_base: http://h/v1, api_key: k}", EndpointSettings("http://h/v1", "k")),
        ("endpoints:\n  api_base: http://h/v1\n  api_key:", EndpointSettings("http://h/v1")),
        ("endpoints: [{base_url: http://h/v1}]", EndpointSettings("http://h/v1")),
        ("api_base: http://h/v1\napi_key: 0123", EndpointSettings("http://h/v1", "0123")),
        (
            "endpoints: null\nbase_url: http://h/v1\napi_version: 2024-02-15",
            EndpointSettings("http://h/v1", None, "2024-02-15"),
        ),
    ],
)
def test_one_endpoint_without_a_list(tmp_path: Path, entry: str, address: EndpointSettings) -> None:
    check(tmp_path, f"model_name: x\n{entry}", [], endpoints=[address])


def test_an_unknown_key_of_one_endpoint_is_still_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"m:3: endpoints 1: unknown key 'api_bse'\. Did you mean 'api_base'"):
        load(tmp_path, "model_name: x\nendpoints: {api_bse: http://h/v1}")


@pytest.mark.parametrize(
    ("entry", "api_type", "model_name"),
    [
        ("model_name: azure/gpt-4o\napi_type: litellm", "azure", "gpt-4o"),
        ("model_name: gpt-4o\napi_type: litellm/azure", "azure", "gpt-4o"),
        ("api_type: azure/gpt-4o", "azure", "gpt-4o"),
        ("model_name: anthropic/claude-3", "anthropic", "claude-3"),
        ("model_name: bedrock/converse/us.amazon.nova\napi_type: litellm", "bedrock", "us.amazon.nova"),
        ("model_name: vertex_ai/gemini-2.5\napi_type: litellm", "vertex", "gemini-2.5"),
        ("model_name: together_ai/org/model\napi_type: litellm", "together", "org/model"),
        ("model_name: hosted_vllm/org/model\napi_type: litellm\napi_base: http://h/v1", "openai", "org/model"),
        ("model_name: org/model\napi_type: litellm\napi_base: http://h/v1", "openai", "org/model"),
        ("model_name: aws\napi_type: aws_nova", "bedrock", "aws"),
        # names that the server itself gives its models
        ("model_name: anthropic/claude-3\napi_base: http://h/v1", "openai", "anthropic/claude-3"),
        ("model_name: deepseek/deepseek-chat\napi_type: openrouter", "openrouter", "deepseek/deepseek-chat"),
        ("model_name: openai/gpt-oss-20b\napi_type: openai", "openai", "openai/gpt-oss-20b"),
        ("model_name: org/model", "openai", "org/model"),
        ("model_name: x\napi_type: folder/own.py:Mine", "folder/own.py:Mine", "x"),
    ],
)
def test_api_types_and_prefixes(tmp_path: Path, entry: str, api_type: str, model_name: str) -> None:
    check(tmp_path, entry, [], api_type=api_type, model_name=model_name)


def test_a_prefix_is_the_gateways_own_where_a_variable_names_a_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://h/v1")
    check(tmp_path, "model_name: anthropic/claude-3", [], api_type="openai", model_name="anthropic/claude-3")


def test_an_unknown_api_type_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text("m: {model_name: x, api_type: antropic}\n")
    with pytest.raises(UserError, match="unknown api_type 'antropic'. Did you mean 'anthropic'?"):
        utils.load_models(file, ["m"])


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("api_type: anthropic\nthinking: {type: enabled, budget_tokens: 99}", {"thinking": 99}),
        ("api_type: anthropic\nthinking: {type: disabled}", {"thinking": None}),
        ("api_type: anthropic\nbudget_tokens: 99", {"thinking": 99, "max_tokens": None}),
        ("api_type: anthropic\nbudget_tokens: 99\nmax_tokens: 50", {"thinking": 99, "max_tokens": 50}),
        ("api_type: anthropic\nbudget_tokens: null", {"thinking": None}),
        ("max_new_tokens: 7", {"max_tokens": 7}),
        ("stop: ['<|im_end|>', 4]", {"stop": ["<|im_end|>", "4"]}),
        ("stop: </s>", {"stop": ["</s>"]}),
        ("top_p: 0.9\nextra_body: {top_k: 5}", {"extra_body": {"top_p": 0.9, "top_k": 5}}),
        ("top_p: 0.9\nextra_body: {top_p: 0.5}", {"extra_body": {"top_p": 0.5}}),
        ("seed: 1\nextra_body:", {"extra_body": {"seed": 1}}),
    ],
)
def test_what_goes_into_the_request(tmp_path: Path, entry: str, told: dict[str, Any]) -> None:
    check(tmp_path, f"model_name: x\n{entry}", [], **told)


def test_a_budget_that_nobody_counts_is_said(tmp_path: Path) -> None:
    check(
        tmp_path,
        "model_name: x\nbudget_tokens: 9",
        ["m:3: budget_tokens: no effect with api_type openai."],
        thinking=None,
    )


@pytest.mark.parametrize("value", ["''", "[a, '']"])
def test_an_empty_stop_is_an_error(tmp_path: Path, value: str) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(f"m: {{model_name: x, stop: {value}}}\n")
    with pytest.raises(UserError, match="m: stop holds an empty text"):
        utils.load_models(file, ["m"])


JUDGE = "bench_name: b\njudge_model: j\nprompt_template: '{QUESTION} {ANSWER_A} {ANSWER_B}'\n"


@pytest.mark.parametrize(
    ("patterns", "texts"),
    [
        (
            "regex_patterns:\n- name: long\n  pattern: \\[\\[([AB<>=]+)\\]\\]\n- {name: 2, pattern: '(A)'}",
            [r"\[\[([AB<>=]+)\]\]", "(A)"],
        ),
        ("regex_pattern:\n  name: one\n  pattern: (A)", ["(A)"]),
        ("regex_patterns: [(A), {pattern: (B)}]", ["(A)", "(B)"]),
        ("regex_patterns: {overall: (A)}", ["(A)"]),
        ("regex_patterns: {first: (A), second: (B)}", ["(A)", "(B)"]),
        ("regex_patterns: {overall: {pattern: (A)}}", ["(A)"]),
        ("regex_pattern: (4)", ["(4)"]),
    ],
)
def test_patterns_with_names(tmp_path: Path, patterns: str, texts: list[str]) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text(f"{JUDGE}{patterns}\n")
    assert [pattern.pattern for pattern in utils.load_judge_settings(file).patterns] == texts


def test_a_verdict_on_one_quality_never_stands_in_for_the_overall_one(tmp_path: Path) -> None:
    file = tmp_path / "judge.yaml"
    named = "- {name: overall, pattern: (A)}\n- {name: style, pattern: (B)}\n- {name: safety, pattern: (C)}"
    file.write_text(f"{JUDGE}regex_patterns:\n{named}\n")
    with pytest.warns(ConfigNote, match="patterns safety, style: no effect, for only the overall verdict is read"):
        assert utils.load_judge_settings(file).regex_pattern == ["(A)"]
    file.write_text(f"{JUDGE}regex_patterns: {{overall: (A), style: (B), safety: (C)}}\n")
    with pytest.warns(ConfigNote, match="patterns safety, style: no effect"):
        assert [pattern.pattern for pattern in utils.load_judge_settings(file).patterns] == ["(A)"]


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("reference: [gpt-4.1]", ["gpt-4.1"]),
        ("reference: [a, b]\nref_model: c", None),
        ("reference: []", None),
        ("reference: null", []),
        ("reference: true\nref_model: [a, b]", ["a", "b"]),
    ],
)
def test_references_may_be_named_where_others_say_that_there_are_some(
    tmp_path: Path, text: str, references: list[str] | None
) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text(f"{JUDGE}{text}\n")
    if references is None:
        with pytest.raises(UserError, match="reference"):
            utils.load_judge_settings(file)
    else:
        assert utils.load_judge_settings(file).references == references


@pytest.mark.parametrize(
    "patterns", ["regex_patterns: [{name: a}]", "regex_patterns: [{name: a, patern: (A)}]", "regex_pattern: []"]
)
def test_patterns_without_a_pattern_are_an_error(tmp_path: Path, patterns: str) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text(f"{JUDGE}{patterns}\n")
    with pytest.raises(UserError, match=r"judge\.yaml:4: regex_pattern"):
        utils.load_judge_settings(file)


def test_notes_in_the_files_of_a_stage(tmp_path: Path) -> None:
    file = tmp_path / "answer.yaml"
    file.write_text("bench_name: b\ndescription: d\nimages_base_dir: ''\nmodel_list: [4.10, 4.10, yes]\n")
    with pytest.warns(ConfigNote, match=r"answer\.yaml:2: description, images_base_dir: no effect\."):
        assert utils.load_answer_settings(file).model_list == ["4.10", "4.10", "yes"]


@pytest.mark.parametrize("nothing", ["''", "[null]", "{}", "None", "null", "[]"])
def test_a_list_of_models_may_hold_nothing(tmp_path: Path, nothing: str) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(f"bench_name: b\nmodel_list: {nothing}\n")
    assert utils.load_answer_settings(file).model_list == []


@pytest.mark.parametrize("nothing", ["None", "[null]", "null", "[]"])
def test_endpoints_may_be_none(tmp_path: Path, nothing: str) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(f"m:\n  model_name: x\n  endpoints: {nothing}\n")
    assert not utils.load_models(file, ["m"])[0].endpoints


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("top_p: '0.9'", {"top_p": 0.9}),
        ("seed: '7'", {"seed": 7}),
        ("seed: 1e2", {"seed": 100}),
        ("top_k: 5.0", {"top_k": 5}),
        ("extra_body: {min_p: '0.1', top_k: '3', mine: '5'}", {"min_p": 0.1, "top_k": 3, "mine": "5"}),
        ("seed: many", {"seed": "many"}),
        ("top_p: 1", {"top_p": 1}),
    ],
)
def test_numbers_of_a_request_in_quotes(tmp_path: Path, line: str, sent: dict[str, object]) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(f"m:\n  model_name: x\n  {line}\n")
    found = utils.load_models(file, ["m"])[0].extra_body
    assert found == sent and found and list(map(type, found.values())) == list(map(type, sent.values()))


@pytest.mark.parametrize(
    ("lines", "model", "noted"),
    [
        ("api_type: litellm\n  model_name: huggingface/a/b", "huggingface/a/b", True),
        ("api_type: litellm\n  model_name: litellm/openai/gpt-4", "gpt-4", False),
        ("api_type: litellm/openai/gpt-4", "gpt-4", False),
        ("model_name: litellm/openai/gpt-4", "gpt-4", False),
        ("api_type: litellm\n  model_name: a/b\n  endpoints: http://h/v1", "a/b", False),
    ],
)
def test_litellms_prefixes(tmp_path: Path, lines: str, model: str, noted: bool) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(f"m:\n  {lines}\n")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        (loaded,) = utils.load_models(file, ["m"])
    assert (loaded.model_name, loaded.api_type) == (model, "openai")
    assert bool(seen) == noted == any("is no api_type here" in str(each.message) for each in seen)


@pytest.mark.parametrize("pattern", ["[{pattern: null}]", "[null]", "{pattern: null}"])
def test_a_pattern_that_is_null_is_no_pattern(tmp_path: Path, pattern: str) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(
        f"bench_name: b\njudge_model: j\nprompt_template: '{{question_1}} {{answer_1}}'\nregex_pattern: {pattern}\n"
    )
    assert utils.load_judge_settings(file).regex_pattern == DEFAULT_PATTERN
