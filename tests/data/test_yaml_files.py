"""Values of config files: a text as written where a text is meant, a number where a number is meant."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

import utils
from arena_hard.calling.models import Models
from arena_hard.calling.providers.registry import connections, regions_of
from arena_hard.data import settings, yaml_files
from arena_hard.data.records import UserError
from arena_hard.data.settings import JudgeSettings, ModelSettings
from arena_hard.data.yaml_files import ConfigNote
from arena_hard.money.prices import price_of

# what YAML reads as a date, a number in another base, minutes and seconds, a boolean, null, a key's sign
ODD = [
    *("2024-02-15", "2024-02-15-preview", "2024-99-99", "2001-12-14T21:59:43.10-05:00", "1234", "0123", "0o17", "0x1F"),
    *("0b101", "0b_", "1e5", "1E-1", "1_000", "4.10", "4.", ".5", "+4", "-4", "12:30", "1:2:3", "1:30.5", "yes", "no"),
    *("on", "off", "y", "n", "Yes", "NO", "true", "False", ".inf", "-.INF", ".nan", "=", "4096.0", "007", "1,000"),
    "12345678901234567890",
]
NULLS = ("", "~", "null", "Null", "NULL")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api.yaml"


def load(file: Path, text: str, name: str = "m") -> ModelSettings:
    file.write_text(text, encoding="utf-8")
    return utils.load_models(file, [name])[0]


def check_comes_back(file: Path, text: str) -> None:
    endpoint = f"api_key: {text}\n        api_version: {text}"
    entry = f"model_name: {text}\n    system_prompt: {text}\n    endpoints:\n      - {endpoint}"
    model = load(file, f"{text}:\n    {entry}\n    stop:\n    - {text}\n    - a\n", text)
    assert model.endpoints
    seen = [
        model.name,
        model.model_name,
        model.system_prompt,
        model.endpoints[0].api_key,
        model.endpoints[0].api_version,
    ]
    assert seen == [text] * 5
    assert model.stop == [text, "a"]
    template = f"prompt_template:\n- '{{QUESTION}}'\n- {text}\nmodel_list:\n- {text}\nregex_pattern:\n- (a)\n"
    file.write_text(
        f"bench_name: {text}\njudge_model: {text}\nref_model:\n- {text}\n{template}categories:\n  {text}:\n"
    )
    written = yaml_files.load_written(file) | {"categories": {text: {"baseline_model": "b"}}}
    judge = settings.parse(written, JudgeSettings, "judge")
    assert [judge.bench_name, judge.judge_model, judge.prompt_template[1]] == [text] * 3
    assert (judge.model_list, judge.ref_model, list(judge.categories or {})) == ([text], [text], [text])


@pytest.mark.parametrize("text", ODD)
def test_what_yaml_reads_as_something_else_is_taken_as_written(file: Path, text: str) -> None:
    check_comes_back(file, text)


def test_the_sign_of_a_merge_is_a_text_where_it_is_a_value(file: Path) -> None:
    assert load(file, "m:\n  model_name: <<\n  stop: [<<, =]\n").stop == ["<<", "="]


@pytest.mark.slow
@example("\xa0")
@given(st.text("0123456789.:-_+eExXobTZnaosyf~=< ", min_size=1, max_size=12) | st.text(min_size=1, max_size=12))
def test_any_text_written_plainly_comes_back_as_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        nodes: Any = [yaml.compose(f"{text}: [{text}, b]\n"), yaml.compose(f"- {text}\n"), yaml.compose(f"a: {text}\n")]
        (key, values), item, value = nodes[0].value[0], nodes[1].value[0], nodes[2].value[0][1]
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, IndexError):
        assume(False)
    written = (key, values.value[0] if values.id == "sequence" else None, item, value)
    plain = all(isinstance(each, yaml.ScalarNode) and each.style is None and each.value == text for each in written)
    assume(plain and text not in (*NULLS, "None", "none", "<<") and "{" not in text)
    try:
        text.encode()
    except UnicodeEncodeError:
        assume(False)
    file = tmp_path_factory.getbasetemp() / "property.yaml"
    if text.strip():
        check_comes_back(file, text)
    else:  # blanks that YAML takes for letters name no model
        with pytest.raises(UserError, match="'model_name' is missing"):
            check_comes_back(file, text)


@pytest.mark.parametrize("word", [word for word in NULLS if word])
def test_null_is_no_text_where_none_is_needed_and_one_in_a_list(file: Path, word: str) -> None:
    model = load(
        file, f"m:\n  model_name: x\n  api_type: {word}\n  parallel: {word}\n  tokenizer: {word}\n  stop: [{word}]"
    )
    assert (model.api_type, model.parallel, model.tokenizer, model.stop) == ("openai", 1, None, [word])
    file.write_text(f"bench_name: b\njudge_model: j\nprompt_template: x\nbaseline: {word}\ntemperature: {word}\n")
    judge = settings.parse(yaml_files.load_written(file), JudgeSettings, "j")
    assert (judge.baseline, judge.temperature) == (False, 0.0)  # null is no, as it is for Python
    file.write_text(f"bench_name: {word}\nmodel_list: [m]\n")
    with pytest.raises(UserError, match="'bench_name' is missing"):
        utils.load_answer_settings(file)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_tokens", "4096.0", 4096),
        ("max_tokens", "4_096", 4096),
        ("max_tokens", "4e3", 4000),
        ("max_tokens", "'4096'", 4096),
        ("max_tokens", "!!int '4096'", 4096),
        ("temperature", "1e-1", 0.1),
        ("temperature", "1.5E0", 1.5),
        ("temperature", "'0.7'", 0.7),
        ("temperature", "0", 0.0),
        ("timeout", "10:00", 600.0),  # minutes and seconds, as YAML 1.1 has them
        ("parallel", "auto", "auto"),
        ("parallel", "'8'", 8),
        ("retry_truncated", "yes", True),
        ("retry_truncated", "'False'", False),
        ("retry_truncated", "1", True),
        ("price", "{input: 1e-1, output: '2'}", {"input": 0.1, "output": 2.0}),
    ],
)
def test_a_number_is_read_where_a_number_is_meant(file: Path, key: str, text: str, value: Any) -> None:
    found = getattr(load(file, f"m:\n  model_name: x\n  {key}: {text}\n"), key)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["x", "2024-02-15", "true", "[1]", "{a: 1}", "4.5", "'4 k'"])
def test_what_is_no_number_is_an_error_with_its_key(file: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"api\.yaml:3: m: max_tokens"):
        load(file, f"m:\n  model_name: x\n  max_tokens: {text}\n")


def test_extra_body_keeps_the_types_of_yaml(file: Path) -> None:
    text = "{top_k: 5, on: yes, x: 1e-2, v: 1.0, s: '5', n: null, logit_bias: {50256: -100}, l: [1, {2: off}]}"
    extra = load(file, f"m:\n  model_name: x\n  extra_body: {text}\n").extra_body
    told = {"top_k": 5, "on": True, "x": 0.01, "v": 1.0, "s": "5", "n": None}
    assert extra == {**told, "logit_bias": {"50256": -100}, "l": [1, {"2": False}]}
    for date in ("2024-02-15", "2024-13-15", "2001-12-14t21:59:43.10-05:00"):
        assert load(file, f"m:\n  model_name: x\n  extra_body: {{l: [{date}]}}\n").extra_body == {"l": [date]}


@pytest.mark.parametrize("entry", ["4.1", "4", "yes", "2024-02-15", "0x1F", "'4.1'"])
def test_an_entry_is_found_by_its_name_as_written(file: Path, entry: str) -> None:
    name = entry.strip("'")
    assert load(file, f"{entry}: {{model_name: x}}\n", name).name == name


def test_tags_anchors_and_merges(file: Path) -> None:
    text = """
x-defaults: &defaults
  api_type: openai
  parallel: 8
  endpoints: &here [{api_base: http://h/v1, api_key: !!str 0123}]
other: &other
  <<: *defaults
  parallel: 16
  model_name: x
m:
  <<: [*other, {temperature: 0.5}]
  parallel: 32
  endpoints: *here
"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what a merge brings and the mapping overrides is no duplicate
        model = load(file, text)
    assert (model.parallel, model.model_name, model.temperature) == (32, "x", 0.5)
    assert model.endpoints and model.endpoints[0].api_key == "0123"
    assert load(file, text, "other").parallel == 16


@pytest.mark.parametrize(
    ("merged", "temperature"),
    [
        ("<<: [*a, *b]", 0.1),
        ("<<: [*b, *a]", 0.2),
        ("<<: [*c, *b]", 0.1),
        ("<<: [*b, *c]", 0.2),
        ("<<: *a\n  <<: *b", 0.2),  # a key that is there twice
        ("temperature: 0.3\n  <<: [*a, *b]", 0.3),
        ("<<: [*a, *b]\n  temperature: 0.3", 0.3),
        ("<<: []\n  temperature: 0.3", 0.3),
    ],
)
def test_of_mappings_that_are_merged_the_earlier_one_counts(file: Path, merged: str, temperature: float) -> None:
    shared = "a: &a {temperature: 0.1}\nb: &b {temperature: 0.2, parallel: 3}\nc: &c {<<: [*a, *b]}\n"
    model = load(file, f"{shared}m:\n  {merged}\n  model_name: x\n")
    assert (model.temperature, model.model_name) == (temperature, "x")


def test_what_is_merged_has_to_be_a_mapping(file: Path) -> None:
    with pytest.raises(UserError, match=r":2: .*expected a mapping"):
        load(file, "m:\n  <<: [x, {temperature: 0.1}]\n  model_name: x\n")


def test_a_key_there_twice_with_equal_values_is_nothing_to_speak_of(file: Path) -> None:
    entry = "m:\n  model_name: x\n  endpoints:\n  - {api_base: http://h/v1, api_key: k}\n"
    entry += "  temperature: 0\n  retry_truncated: on\n  thinking:\n"
    same = "m:\n  endpoints: [{api_key: k, api_base: http://h/v1}]\n  model_name: x\n  model_name: x\n"
    same += "  temperature: 0\n  temperature: 0.0\n  retry_truncated: yes\n  retry_truncated: True\n"
    same += "  thinking: ~\n  thinking: null\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(file, entry + same).model_name == "x"


def test_a_name_of_digits_there_twice_is_another_name(file: Path) -> None:
    with pytest.warns(ConfigNote, match="given twice with different values"):
        assert load(file, "m:\n  model_name: 4.1\n  model_name: 4.10\n").model_name == "4.10"


def test_of_a_key_there_twice_the_last_one_counts_and_a_note_names_both_lines(file: Path) -> None:
    with pytest.warns(ConfigNote) as seen:
        model = load(
            file, "m:\n  model_name: x\n  parallel: 2\n  parallel: 3\na: {}\nm:\n  model_name: y\n  'parallel': 4\n"
        )
    assert (model.model_name, model.parallel) == ("y", 4)
    assert [str(note.message) for note in seen] == [
        f"{file}: given twice with different values; the last one counts: 'parallel' (lines 3 and 4), "
        "'m' (lines 1 and 6)."
    ]


def test_many_keys_there_twice_are_counted(file: Path) -> None:
    with pytest.warns(ConfigNote, match=r"'k4' \(lines 5 and 14\) and 4 more\.$"):
        file.write_text("".join(f"k{n}: {turn}\n" for turn in (1, 2) for n in range(9)))
        assert yaml_files.load_yaml(file) == {f"k{n}": 2 for n in range(9)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m: &a [*a]\n", r"api\.yaml:1: this value holds itself"),
        ("m: " + "[" * 3000, "nested too deeply"),
        ("m:\n  a: \0\n", r"api\.yaml:2: not readable as YAML \(.*\)\. Fix"),
        ("m: !!bool maybe\n", r"api\.yaml:1: 'maybe' is no bool"),
        ("m: !!timestamp x\n", r"api\.yaml:1: 'x' is no timestamp"),
        ("m: !ENV x\n", r"api\.yaml:1: not readable as YAML"),
        ("? [a]\n: 1\n", r"api\.yaml:1: not readable as YAML"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\n>>>>>>> theirs\n", r"api\.yaml:2: a mark of a merge conflict"),
        ("- m\n", "is not a config"),
        ("", "is not a config"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError, match=words) as raised:
        yaml_files.load_yaml(file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_as_editors_write_them(file: Path, encoding: str) -> None:
    file.write_bytes("é:\r\n  model_name: x\r\n".encode(encoding))
    assert utils.load_models(file, ["é"])[0].model_name == "x"
    file.write_bytes(b"\xe9: 1\n")
    with pytest.raises(UserError, match="cannot be read"):
        yaml_files.load_yaml(file)


def test_options_of_own_providers_are_texts_as_written_unless_they_are_plainly_something_else(file: Path) -> None:
    text = (
        "{a: 007, b: 1_000, c: 12:30:45, d: 2024-02-15, e: yes, f: Off, g: 0x1F, h: 2024-13-15, i: 0o7, j: +5, k: .5, "
        "l: -1.5e3, m: true, n: null, o: ~, p: '8', q: [010, {r: 1_0, 007: no}], s: 0, t: 1., u: FALSE}"
    )
    endpoint = f"  endpoints:\n  - options: {text}\n"
    model = load(file, f"m:\n  model_name: x\n{endpoint}")
    options = (model.endpoints or [])[0].options
    texts = {"a": "007", "b": "1_000", "c": "12:30:45", "d": "2024-02-15", "e": "yes", "f": "Off", "g": "0x1F"}
    texts |= {"h": "2024-13-15", "i": "0o7", "p": "8"}
    told = {"j": 5, "k": 0.5, "l": -1500.0, "m": True, "n": None, "o": None, "s": 0, "t": 1.0, "u": False}
    assert options == {**texts, **told, "q": ["010", {"r": "1_0", "007": "no"}]}


@pytest.mark.parametrize(
    ("written", "read"), [("0100", 100), ("-0", None), ("010_0", 100), ("0x10", 16), ("1_000", 1000), ("0899", 899)]
)
def test_a_number_with_leading_zeros_is_what_is_written(file: Path, written: str, read: int | None) -> None:
    text = f"m:\n  model_name: x\n  max_tokens: {written}\n  extra_body: {{top_k: {written}}}\n"
    if read is None:
        with pytest.raises(UserError, match="max_tokens"):
            load(file, text)
        return
    assert load(file, text).max_tokens == read


def test_a_message_after_loading_has_the_line_of_its_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    head = "m:\n  model_name: gemini-2.5\n  api_type: vertex\n"
    endpoints = "  endpoints:\n  - api_base: https://h\n    api_key: k\n    verify: ~/not there.pem\n"
    for text, line, words in (
        (head, 1, "m, endpoint 1: vertex needs project_id"),
        (f"{head}  project_id: ${{NOT_SET}}\n", 4, "NOT_SET is not set"),
        (f"{head}  project_id: p\n{endpoints}", 8, "verify: /home/me/not there.pem: there is no such file"),
        (f"{head}  thinking: 5\n  project_id: p\n", 4, "thinking is Anthropic's"),
        ("m:\n  model_name: x\n  endpoints: {api_key: $NOT_SET}\n", 3, "NOT_SET is not set"),
        ("m:\n  model_name: x\n  endpoints: {api_key: k}\n  price: {input: 1}\n", 4, "price needs the key 'output'"),
    ):
        monkeypatch.setenv("HOME", "/home/me")
        loaded = load(file, text)
        with pytest.raises(UserError) as problem:
            Models().open(loaded)
            price_of(loaded)
        assert str(problem.value).startswith(f"{file}:{line}: m") and words in str(problem.value)


@pytest.mark.parametrize("regions", ["us-east5, europe-west1", "'us-east5,europe-west1,'", "[us-east5, europe-west1]"])
def test_regions_in_one_text(file: Path, regions: str) -> None:
    model = load(file, f"m:\n  model_name: x\n  api_type: vertex\n  regions: {regions}\n")
    assert regions_of(model) == ["us-east5", "europe-west1"]


def test_characters_in_two_halves_are_joined_and_half_a_one_is_named(file: Path) -> None:
    text = '{"m": {"model_name": "x",\n "system_prompt": "\\ud83d\\ude00",\n "extra_body": {"\\ud83d\\ude00": %s}}}'
    model = load(file, text % '"\\u00e9"')
    assert (model.system_prompt, model.extra_body) == ("😀", {"😀": "é"})
    with pytest.raises(UserError, match=r"api\.yaml:3: \\ud83d is half of a character"):
        load(file, text % '"a\\ud83d"')


def test_a_set_is_a_list_of_texts(file: Path) -> None:
    model = load(file, "m:\n  model_name: x\n  stop: !!set {b, a}\n  extra_body: {s: !!set {d, c}}\n")
    assert (model.stop, model.extra_body) == (["a", "b"], {"s": ["c", "d"]})
    assert [type(each) for each in model.stop or []] == [str, str]


def test_one_and_zero_are_booleans_where_a_text_may_stand_too(file: Path) -> None:
    for written, read in (("0", False), ("'1'", True), ("Off", False), ("yes", True)):
        text = f"m:\n  model_name: x\n  endpoints: {{api_base: https://h/v1, api_key: k, verify: {written}}}\n"
        assert connections(load(file, text))[0].verify is read
