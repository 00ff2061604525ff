"""Keys in every form are taken out of texts, lines and streams; whatever is no key stays as it is, to the byte."""

from __future__ import annotations

import io
import json
import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arena_hard.data import jsonl, secret_sources, secrets, streams
from arena_hard.data.secret_forms import is_secret
from tests.support.key_forms import SHORTENED, WHOLE

KEYS = [
    "sk-proj-Zx81-abcdEFGH_ijkl5678MNOPqrst",
    "sk-ant-api03-QwErTy123456_AbCdEf-xyzAA",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKEY",
    "0123456789abcdef0123456789abcdef",
    "p@ss \"w\\örd'/+&<1>",
    "correct-horse-battery-staple",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl",
    "opaque_0_9f8e7d6c5b4a",
    "hunter2A",
]
FILLING = string.ascii_letters + string.digits + string.punctuation + " \n\t…äß日🎉"
texts = st.text(alphabet=FILLING, max_size=40)
keys = st.one_of(
    st.sampled_from(KEYS),
    st.text(alphabet=string.ascii_letters + string.digits + "-_/+.=", min_size=16, max_size=60),
    st.text(alphabet=string.ascii_letters + string.digits + string.punctuation + "äß🎉", min_size=16, max_size=40),
).filter(is_secret)


def registry(*known: str) -> secrets.Registry:
    made = secrets.Registry()
    for key in known:
        made.know(key)
    return made


@pytest.mark.parametrize("form", WHOLE)
@settings(max_examples=25)
@given(key=keys, before=texts, after=texts)
def test_no_key_survives_in_a_text(form: str, key: str, before: str, after: str) -> None:
    written = WHOLE[form](key)
    masked = registry(key).mask(f"{before} {written} {after}")
    assert written not in masked and "[key]" in masked


@pytest.mark.parametrize("form", WHOLE)
@settings(max_examples=25)
@given(key=keys, before=texts, after=texts)
def test_no_key_survives_in_a_line_and_the_line_stays_json(form: str, key: str, before: str, after: str) -> None:
    written = WHOLE[form](key)
    row = {"id": 1, "said": f"{before} {written} {after}", written: [None, {"x": written}]}
    masked = msgspec.json.decode(registry(key).mask_json(msgspec.json.encode(row)))
    assert (masked["id"], masked["[key]"]) == (1, [None, {"x": "[key]"}])
    assert written not in masked["said"]


@pytest.mark.parametrize("form", SHORTENED)
@pytest.mark.parametrize("key", [key for key in KEYS if len(key) > 12])
def test_shortened_keys_are_known(form: str, key: str) -> None:
    assert registry(*KEYS).mask(f"Bad key '{SHORTENED[form](key)}', mend it.") == "Bad key '[key]', mend it."


@pytest.mark.parametrize("key", [key for key in KEYS if len(key) > 12 and key[0] not in "pc"])
def test_a_key_that_was_cut_off_is_known(key: str) -> None:
    assert registry(key).mask(f"Bad key {key[:-2]}: mend it") in ("Bad key [key] mend it", "Bad key [key]: mend it")


@pytest.mark.slow
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
@example("sk-proj-abcdefgh1234, hf_… sk-proj-*** AKIA****, p@ss, ****5678 and secret-of, correct… hunter2")
@example("EMPTY none test token-abc123 sk-no-key-required 12345678 password lm-studio")
@example('QUJD **bold** *** …… ... xxxx ---- https://user@host/?key= {"api_key": "sk-..."}')
def test_any_other_text_stays(text: str) -> None:
    made = registry(*KEYS[1:], "EMPTY", "none", "test", "token-abc123", "sk-no-key-required", "12345678", "password")
    assert made.mask(text) is text
    line = msgspec.json.encode({"said": text})
    assert made.mask_json(line) == line


@pytest.mark.parametrize(
    "text",
    ["", "EMPTY", "none", "null", "test", "sk-1234", "token-abc123", "sk-no-key-required", "not-needed", "lm-studio",
     "xxxxxxxxxxxxxxxx", "sk-xxxxxxxxxxxxxxxxxxxxxxxx", "your-api-key-here", "1234567890", "password", "mypassword",
     "<YOUR_API_KEY>", "changeme-please", "20240101", "assistant"],
)  # fmt: skip
def test_what_is_no_secret(text: str) -> None:
    assert not is_secret(text)


@pytest.mark.parametrize("text", [*KEYS, "secret-of-this-server", "S3cretPw", "AKIAIOSFODNN7EXAMPLE"])
def test_what_is_one(text: str) -> None:
    assert is_secret(text)


def test_ordinary_words_are_hidden_in_messages_alone() -> None:
    made = registry("swordfish", "EMPTY", "test")
    assert made.mask("a swordfish") == "a swordfish"
    assert made.mask_message("bad token swordfish, a test, EMPTY") == "bad token [key], a test, EMPTY"


def test_hostile_texts_take_no_time() -> None:
    """Runs of what stands for a hidden part, and of what a key may stand in, are gone through once."""
    made = registry(*KEYS)
    for sign in "*x.•\\%-Qw7":
        made.mask(sign * 20_000 + KEYS[0])


# ------------------------------------------------------------------------------ where keys come from


CONFIG = {
    "model_name": "gpt-of-many-words",
    "endpoints": [{"api_base": "http://joe:pw-0f-joe-77@h/v1?api_key=inurl-0a1b2c3d", "api_key": "${MY_VARIABLE}"}],
    "extra_body": {
        "metadata": {"token": "inbody-0a1b2c3d"},
        "prompt_cache_key": "arena-hard-2024-06",
        "bos_token": "<|begin_of_text_2|>",
        "headers": {"Authorization": "Basic dXNlcjpwdy1pbi1iYXNlNjQtMQ==", "X-Api-Key": "inheader-0a1b2c3d"},
    },
    "options": {"client_secret": "inoption-0a1b2c3d", "token_url": "https://host/oauth/0a1b2c3d"},
    "serve": "vllm serve model-0a1b2c3d --api-key=inserve-0a1b2c3d --hf-token 'inserve-4e5f6a7b' --port {port}",
    "end_think_token": "</think-0a1b2c3d>",
}


def test_a_config_says_what_its_keys_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_VARIABLE", "invariable-0a1b2c3d")
    secret_sources.know_config(CONFIG, "m")
    known = {
        "pw-0f-joe-77", "inurl-0a1b2c3d", "invariable-0a1b2c3d", "inbody-0a1b2c3d", "pw-in-base64-1",
        "inheader-0a1b2c3d", "inoption-0a1b2c3d", "inserve-0a1b2c3d", "inserve-4e5f6a7b",
    }  # fmt: skip
    for key in known:
        assert secrets.mask(f"a {key}.") == "a [key].", key
    for text in ("gpt-of-many-words", "arena-hard-2024-06", "<|begin_of_text_2|>", "model-0a1b2c3d",
                 "https://host/oauth/0a1b2c3d", "</think-0a1b2c3d>"):  # fmt: skip
        assert secrets.mask(text) == text


def test_the_environment_says_what_its_keys_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key_file = tmp_path / "key-0a1b2c3d"
    key_file.write_text("")
    names = ("OPENAI_API_KEY", "AZURE_CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "AWS_BEARER_TOKEN_BEDROCK")
    for name in names:
        monkeypatch.setenv(name, f"of-{name.lower()}-0a1b")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pr0xy%2Fpassword@proxy:3128")
    others = {
        "AWS_REGION": "eu-central-1",
        "SSL_CERT_FILE": "/etc/ssl/certs/0a1b.pem",
        "MY_KEY": str(key_file),
        "MY_CREDENTIALS": "/missing/key-0a1b.json",
        "DEBUG_TOKEN": "true",
        "TOKENIZERS_PARALLELISM": "false-0a1b",
        "GOOGLE_CLOUD_PROJECT": "project-0a1b2c",
    }
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    secret_sources.know_environment()
    for name in map(str.lower, names):
        assert secrets.mask(f"of-{name}-0a1b") == "[key]"
    assert secrets.mask("pr0xy/password, pr0xy%2Fpassword") == "[key], [key]"
    for value in others.values():
        assert secrets.mask_message(value) == value


def test_a_file_of_credentials_says_what_its_keys_are(tmp_path: Path) -> None:
    file = tmp_path / "adc.json"
    body = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n"
    file.write_text(json.dumps({"type": "service_account", "private_key": body, "client_email": "a@b.iam.example.com"}))
    secret_sources.know_file(file)
    secret_sources.know_file(tmp_path / "missing.json")
    assert "MIIE" not in secrets.mask(f"cannot parse {json.dumps(body)}")
    assert secrets.mask("a@b.iam.example.com") == "a@b.iam.example.com"


def test_a_login_is_its_password_too() -> None:
    secret_sources.know_login("us3r:Pa5s-w0rd/of+all")
    assert secrets.mask("no Pa5s-w0rd/of+all of us3r") == "no [key] of us3r"


# ------------------------------------------------------------------------------------- the ways out


def test_streams_and_lines_show_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "utf-8")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr("sys." + name, stream)
    streams.prepare()
    secrets.know(KEYS[0])  # after the streams were prepared, as keys come during a run
    print("a", KEYS[0], flush=True)
    streams.print_document(json.dumps({"x": KEYS[0]}))
    stream.writelines([KEYS[0]])
    stream.flush()
    assert raw.getvalue() == b'a [key]\n{"x": "[key]"}\n[key]'
    assert jsonl.encode({"x": KEYS[0], "y": "\ud800"}) == b'{"x":"[key]","y":"?"}\n'
