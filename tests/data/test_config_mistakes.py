"""What a newcomer's mistake in a config file gets: file, line, key, what is allowed and what to write."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import msgspec
import pytest

import utils
from arena_hard.calling.providers.registry import PROVIDERS, connections
from arena_hard.data import api_types, variables
from arena_hard.data.name_lists import NEAR_KEY, nearest
from arena_hard.data.records import UserError
from arena_hard.data.settings import (
    AnswerSettings,
    CategorySettings,
    EndpointSettings,
    JudgeSettings,
    ModelSettings,
    known_keys,
)
from arena_hard.data.yaml_files import ConfigNote, load_yaml

ENTRY = "m:\n  model_name: x\n"
ANSWERS = "bench_name: b\nmodel_list: [m]\n"
JUDGE = "bench_name: b\njudge_model: j\nprompt_template: '{question_1} {answer_1} {answer_2}'\n"
# how a line gets into each of the places, and the words that name the place in a message
PLACES: dict[type[msgspec.Struct], tuple[str, str]] = {
    ModelSettings: (f"{ENTRY}  LINE\n", "beside endpoints"),
    EndpointSettings: (f"{ENTRY}  endpoints:\n  - LINE\n", "beside api_base"),
    AnswerSettings: (f"{ANSWERS}LINE\n", "gen_answer_config.yaml"),
    JudgeSettings: (f"{JUDGE}LINE\n", "judge_config.yaml"),
    CategorySettings: (f"{JUDGE}categories:\n  c:\n    LINE\n", "categories: {NAME: ...}"),
}
ODD = ("[[1]]", "{a: {b: c}}", "warm", "'  '", "40.5", "-1", "true", ".nan", "[null]", "2024-02-15", "${NO_VARIABLE}")
IN_ANOTHER_PLACE = [
    (struct, key)
    for struct in PLACES
    for key in sorted({key for each in PLACES for key in known_keys(each)} - known_keys(struct) - {"name"})
]


def load(folder: Path, struct: type[msgspec.Struct], line: str) -> object:
    """What a config says that has this line in a place."""
    file = folder / "some.yaml"
    file.write_text(PLACES[struct][0].replace("LINE", line), encoding="utf-8")
    if struct in (ModelSettings, EndpointSettings):
        return utils.load_models(file, ["m"])[0]
    return utils.load_answer_settings(file) if struct is AnswerSettings else utils.load_judge_settings(file)


def refused(folder: Path, struct: type[msgspec.Struct], line: str) -> str:
    with pytest.raises(UserError) as raised:
        load(folder, struct, line)
    return str(raised.value)


@pytest.mark.parametrize("struct", PLACES)
def test_every_key_takes_an_odd_value_or_says_what_it_takes(tmp_path: Path, struct: type[msgspec.Struct]) -> None:
    last = PLACES[struct][0].count("\n")
    refusals = 0
    warnings.simplefilter("ignore", ConfigNote)  # keys that stand twice
    for key in sorted(known_keys(struct)):
        for value in ODD:
            try:
                load(tmp_path, struct, f"{key}: {value}")
            except UserError as error:
                refusals += 1
                assert re.match(rf".*some\.yaml:{last}: .*{key}.*[.A-Za-z)\]}}]$", str(error)), error
                assert re.search(r"Write|Put|Fix|Remove|Known are|Leave|Name|needs exactly one", str(error)), error
                assert "expected `" not in str(error)
    assert refusals > len(known_keys(struct))


@pytest.mark.parametrize(("struct", "key"), IN_ANOTHER_PLACE)
def test_a_key_of_another_place_is_told_where_it_belongs(
    tmp_path: Path, struct: type[msgspec.Struct], key: str
) -> None:
    places = {words for each, (_, words) in PLACES.items() if key in known_keys(each)}
    try:
        loaded = load(tmp_path, struct, f"{key}: http://h/v1")
    except UserError as error:
        assert f"unknown key {key!r}. It belongs in " in str(error)
        assert any(words in str(error) for words in places), error
    else:  # what an entry says for its endpoints, and an endpoint for its model
        assert isinstance(loaded, ModelSettings) and loaded.endpoints
        assert "http://h/v1" in (getattr(loaded.endpoints[0], key, None), loaded.model_name)


@pytest.mark.parametrize(
    ("struct", "line", "words"),
    [
        (ModelSettings, "max_tokens: 40.5", "m: max_tokens is 40.5 and must be a whole number of at least 1. Write it"),
        (ModelSettings, "temperature: warm", "temperature is 'warm' and must be a number of at least 0. Write it like"),
        (
            ModelSettings,
            "parallel: 0",
            "must be a whole number of at least 1 or auto. Write it like parallel: 8, or",
        ),
        (ModelSettings, "timeout: 0", "timeout is 0 and must be a number above 0. Write it like timeout: 600.0"),
        (ModelSettings, "price: {input: much}", "price: input is 'much' and must be a number"),
        (ModelSettings, "price: {input: .nan}", "price: input is NaN and must be a number of at least 0"),
        (ModelSettings, "price: {input: 1, output: 1e400}", "price: output is Infinity and must be a number"),
        (ModelSettings, "model_name: {x}", "must be a text. Put it into quotes if the braces"),
        (ModelSettings, "model_name: ${NAME}", "environment variables are read in endpoints only"),
        (ModelSettings, "thinking: {type: enabled}", "thinking is a mapping and must be a whole number"),
        (
            ModelSettings,
            "endpoints:\n  - api_base: http://h/v1\n  - api_key: k",
            ":5: m: endpoints 2: api_key stands in an item of its own, after one with api_base (line 4). Remove",
        ),
        (
            ModelSettings,
            "endpoints: [{api_base: 'http://a/v1'}, {api_base: 'http://b/v1'}, {api_key: k, api_version: v}]",
            "endpoints 3: api_key, api_version stands in an item of its own",
        ),
        (ModelSettings, "location: x", "Did you mean 'regions'?"),
        (EndpointSettings, "location: x", "Did you mean 'aws_region'?"),
        (EndpointSettings, "url: x", "Did you mean 'api_base'?"),
        (JudgeSettings, "judge: x", "Did you mean 'judge_model'?"),
        (AnswerSettings, "judge: x", "Did you mean 'judge_model', which belongs in config/judge_config.yaml?"),
        (AnswerSettings, "model_list: [m, null]", "model_list 2 is null"),
        (ModelSettings, "endpoints: sk-secret", "endpoints 1 is a text and must be an address, or keys with values"),
        (
            ModelSettings,
            "endpoints: {a: {api_base: 'http://h/v1'}, b: {}}",
            "Endpoints have no names. Write them as a list",
        ),
        (EndpointSettings, "api_base: localhost:8000/v1", "Write it like http://localhost:8000/v1."),
        (EndpointSettings, "api_base: http://$HOST/v1", "for the environment variable HOST write ${HOST}."),
        (AnswerSettings, "num_choices: two", "num_choices is 'two' and must be a whole number of at least 1"),
        (AnswerSettings, "bench_nme: x", "unknown key 'bench_nme'. Did you mean 'bench_name'?"),
        (AnswerSettings, "paralel: 8", "Did you mean 'parallel', which belongs in the model's entry"),
        (AnswerSettings, "tp: 8", "unknown key 'tp'. It belongs in the command of serve, in the model's entry"),
        (AnswerSettings, "Num-Choices: 8", "Did you mean 'num_choices'?"),
        (JudgeSettings, "prompt_template: x", "prompt_template shows no answer"),
        (JudgeSettings, "judge_model: []", "judge_model is empty"),
        (CategorySettings, "baseline_model: [a]", "categories: c: baseline_model is a list and must be a text"),
    ],
)
def test_what_is_said(tmp_path: Path, struct: type[msgspec.Struct], line: str, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConfigNote)  # keys that stand twice
        said = refused(tmp_path, struct, line)
    assert words in said
    assert "sk-secret" not in said


def test_a_word_is_near_only_where_it_is() -> None:
    assert nearest("engine", {"regions", "parallel"}, NEAR_KEY) is None
    assert nearest("bose", {"base", "other"}) == "base"
    assert nearest("MAX-TOKENS", {"max_tokens", "model_name"}) == "max_tokens"


# ------------------------------------------------------------------------- what is simply taken


@pytest.mark.parametrize(
    ("written", "api_type"),
    [
        *[(name, "openai") for name in ("OpenAI", "open-ai", "Open AI", "chatgpt", "'openai '", "LiteLLM")],
        *[(name, "anthropic") for name in ("Claude", "anthropic-thinking", "ANTHROPIC")],
        *[(name, "gemini") for name in ("Google", "gemini_openai")],
        *[(name, "xai") for name in ("x.ai", "xAI", "grok")],
        *[(name, "vertex") for name in ("Vertex-AI", "google_vertex")],
        *[(name, "bedrock") for name in ("AWS", "amazon-bedrock")],
        ("AzureOpenAI", "azure"),
        ("TogetherAI", "together"),
    ],
)
def test_an_api_type_in_another_spelling(tmp_path: Path, written: str, api_type: str) -> None:
    loaded = load(tmp_path, ModelSettings, f"api_type: {written}")
    assert isinstance(loaded, ModelSettings) and loaded.api_type == api_type


def test_every_api_type_is_known_in_any_spelling() -> None:
    for name in PROVIDERS:
        assert api_types.with_api_type({"api_type": f" {name.upper()} ", "model_name": "x"}).values["api_type"] == name


def test_an_unknown_api_type_gets_the_nearest_and_all(tmp_path: Path) -> None:
    said = refused(tmp_path, ModelSettings, "api_type: antropic")
    assert "some.yaml:3: m: unknown api_type 'antropic'. Did you mean 'anthropic'? Known are: anthropic, azure," in said
    assert "sglang" in said and "FILE.py:CLASS" in said
    assert "Did you mean" not in refused(tmp_path, ModelSettings, "api_type: engine")


SERVED = "no effect here, where serve: starts a local server (README.md)"


@pytest.mark.parametrize(
    ("lines", "base", "noted"),
    [
        ("dp: 2\n  tp: 4\n  gpus: [0, 1]", None, f"dp, tp, gpus: {SERVED}"),
        ("engine: sglang", "http://localhost:30000/v1", f"engine: {SERVED}"),
        ("sglang: {}", "http://localhost:30000/v1", f"sglang: {SERVED}"),
        ("api_type: vllm_local\n  port: 8123", "http://localhost:8123/v1", "no address for vllm"),
        ("local_engine: true", "http://localhost:30000/v1", f"local_engine: {SERVED}"),
        ("local_engine: true\n  api_base: http://h/v1", "http://h/v1", f"local_engine: {SERVED}"),
        ("endpoints: [{api_base: 'http://h/v1', dp: 2}]", "http://h/v1", f"endpoints 1: dp: {SERVED}"),
    ],
)
def test_options_of_local_engines(
    tmp_path: Path, lines: str, base: str | None, noted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.warns(ConfigNote, match=re.escape(noted)):
        loaded = load(tmp_path, ModelSettings, lines)
    assert isinstance(loaded, ModelSettings)
    assert [each.api_base for each in loaded.endpoints or []] == ([base] if base else [])


A, B = EndpointSettings("http://a/v1"), EndpointSettings("http://b/v1", "k")


@pytest.mark.parametrize(
    ("lines", "endpoints"),
    [
        ("endpoints: http://a/v1", [A]),
        ("endpoints: [http://a/v1, {api_base: 'http://b/v1', api_key: k}]", [A, B]),
        ("endpoints: ${HERE}", [EndpointSettings("${HERE}")]),
        ("endpoints: http://b/v1\n  api_key: k", [B]),
        ("api_key: k\n  endpoints: [{api_key: j}, {base_url: 'http://b/v1'}]", [EndpointSettings(None, "j"), B]),
        ("api_base: http://a/v1\n  verify: false", [EndpointSettings("http://a/v1", verify=False)]),
        ("endpoints: []", []),
    ],
)
def test_an_address_alone_and_what_the_entry_says_for_its_endpoints(
    tmp_path: Path, lines: str, endpoints: list[EndpointSettings]
) -> None:
    loaded = load(tmp_path, ModelSettings, lines)
    assert isinstance(loaded, ModelSettings) and loaded.endpoints == endpoints


def test_a_model_name_in_the_endpoints_is_the_entrys_where_they_agree(tmp_path: Path) -> None:
    loaded = load(tmp_path, ModelSettings, "endpoints: [{api_key: a, model_name: y}, {api_key: b, model_name: y}]")
    assert isinstance(loaded, ModelSettings) and loaded.model_name == "y"
    said = refused(tmp_path, ModelSettings, "endpoints: [{model_name: y}, {model_name: z}]")
    assert "unknown key 'model_name'. It belongs in the model's entry" in said


# ----------------------------------------------------------------------------------- variables


@pytest.mark.parametrize(
    "text",
    [
        *("${NAME}", "$NAME", "os.environ/NAME", 'os.environ["NAME"]', "os.getenv('NAME')", "env:NAME", "%NAME%"),
        *("{{ NAME }}", "${env:NAME}", "$env:NAME", "${ NAME }", "${NAME:-other}"),
    ],
)
def test_a_variable_in_the_ways_of_other_tools(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "value")
    assert variables.fill_from_environment(text, "m") == variables.with_environment(text) == "value"
    monkeypatch.delenv("NAME")
    if "other" in text:
        assert variables.fill_from_environment(text, "m") == "other"
        return
    with pytest.raises(UserError, match=r"m: the environment variable NAME is not set\. Run: export NAME="):
        variables.fill_from_environment(text, "m")
    assert variables.with_environment(text) == text


@pytest.mark.parametrize("text", ["sk-a$b", "$", "a%20b%20c", "EMPTY", "-", "p$NAME", "NAME", "sk-{x}"])
def test_what_is_no_variable_stays_as_it_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "value")
    assert variables.fill_from_environment(text, "m") == text


def test_a_name_that_no_variable_has_is_named() -> None:
    with pytest.raises(UserError, match=r"\$\{NO-NAME\} names no environment variable"):
        variables.fill_from_environment("${NO-NAME}", "m")


@pytest.mark.parametrize(
    ("key", "base", "words"),
    [
        (
            None,
            "https://gateway.example/v1",
            "so none is sent; to send that of OPENAI_API_KEY write api_key: ${",
        ),
        (
            "MY_KEY",
            "https://gateway.example/v1",
            "the text MY_KEY itself; for the variable of that name write $",
        ),
        (None, "http://localhost:8000/v1", None),
        ("EMPTY", "https://gateway.example/v1", None),
    ],
)
def test_a_key_that_is_not_sent_or_is_a_name_is_said(
    key: str | None, base: str, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("MY_KEY", "sk-secret")
    endpoint = EndpointSettings(api_base=base, api_key=key)
    [connection] = connections(ModelSettings(name="m", model_name="x", endpoints=[endpoint]))
    assert [words in note for note in connection.notes if words] == ([True] if words else [])
    assert len(connection.notes) == bool(words) and "sk-secret" not in str(connection.notes)


# --------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("# x\n---\n", "it is empty"),
        ("- m\n", r":1 is not a config: a list \(-\) begins here"),
        ("hello\n", ":1 is not a config: a text stands here"),
        ("a: 1\n---\nb: 2\n", r":3: a second document begins here \(---\)"),
        ("m:\n\tmodel_name: x\n", r":2: not readable as YAML \(.*\)\. Indent with spaces, not tabs"),
        ("m:\n  a: @x\n", ":2: .* Put the value into quotes"),
        ("m:\n  a: *x\n", r":2: .* its \* is meant as text"),
        ("m:\n  a: b: c\n", ":2: .* put a text with a colon into quotes"),
        ("m:\n  a: !ENV X\n", r":2: .* \$\{NAME\} stands for an environment variable"),
        ("m:\n  a: {{ X }}\n", r":2: .* Put a text that begins with \{ into quotes"),
        ("m:\n  a: 1\n  b:2\n", ":4: .* Write a space after each colon"),
    ],
)
def test_a_file_that_is_no_config(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=rf"some\.yaml.*{words}"):
        load_yaml(file)


@pytest.mark.parametrize("text", ["---\na: é\n", "a: é\n---\n", "---\na: é\n...\n", "a: é\r\n", "a: é\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_documents_without_content_line_ends_and_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    file = tmp_path / "some.yaml"
    file.write_bytes(text.encode(encoding))
    assert load_yaml(file) == {"a": "é"}


def test_an_encoding_that_is_not_known_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(UserError, match=r"some\.yaml:2 cannot be read: .* Save the file as UTF-8"):
        load_yaml(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models:\n  m:\n    model_name: x\n", r"is inside 'models' \(line 2\); an entry begins at the left"),
        ("bench_name: b\n", "It is a setting file"),
        ("M: {model_name: x}\n", "Did you mean 'M'"),
        ("m:\n- model_name: x\n", r"some\.yaml:1: m: keys with values are expected here, and there is a list"),
        ("m:\n", r"some\.yaml:1: m: .* there is nothing"),
    ],
)
def test_an_entry_that_is_not_where_it_should_be(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(text)
    with warnings.catch_warnings(), pytest.raises(UserError, match=words):
        warnings.simplefilter("ignore", ConfigNote)
        utils.load_models(file, ["m"])


def test_a_key_at_the_top_of_the_endpoint_file_is_told_where_it_belongs(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text(f"parallel: 8\nx-own: 1\n{ENTRY}")
    with pytest.warns(ConfigNote) as seen:
        assert utils.load_models(file, ["m"])[0].parallel == 1
    [note] = seen
    assert "some.yaml:1: parallel: no effect here; it belongs in the model's entry" in str(note.message)
