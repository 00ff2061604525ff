"""Certificates that a config or a variable names: in files and folders, as PEM and in binary."""

from __future__ import annotations

import os
import ssl
import warnings
from pathlib import Path

import pytest
import trustme

from arena_hard.calling.providers.registry import connections
from arena_hard.calling.providers.tls import context_for
from arena_hard.data.certificates import certificates_in, check_certificates, check_key_log
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.yaml_files import ConfigNote

PEMS = [trustme.CA().cert_pem.bytes().decode() for _ in range(2)]
BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def trusted(context: ssl.SSLContext) -> set[bytes]:
    return set(context.get_ca_certs(binary_form=True))


def ders(*pems: str) -> set[bytes]:
    return {ssl.PEM_cert_to_DER_cert(pem) for pem in pems}


def test_all_certificates_of_a_folder_are_trusted_without_links_of_openssl(tmp_path: Path) -> None:
    (tmp_path / "one.pem").write_text(f"# Főtanúsítvány\n{PEMS[0]}{BROKEN}", encoding="utf-8")
    (tmp_path / "two.cer").write_bytes(ssl.PEM_cert_to_DER_cert(PEMS[1]))
    (tmp_path / "link").symlink_to("one.pem")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "more").mkdir()
    assert trusted(context_for(str(tmp_path))) == ders(*PEMS)
    assert certificates_in(tmp_path).count("BEGIN") == 2


@pytest.mark.parametrize("content", [f"{BROKEN}{PEMS[0]}", f"key\n{PEMS[0].replace(chr(10), chr(13) + chr(10))}"])
def test_what_is_readable_of_a_file_counts(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.pem").write_bytes(content.encode())
    assert trusted(context_for(str(tmp_path / "a.pem"))) == ders(PEMS[0])


@pytest.mark.parametrize(
    ("name", "words"),
    [("nothing", "no such file"), ("empty", "that folder holds no certificate"), ("a.pem", "that file holds no cert")],
)
def test_what_holds_none_is_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.pem").write_text(BROKEN)
    with pytest.raises(UserError, match=f"verify: {tmp_path / name}: .*{words}"):
        context_for(str(tmp_path / name))


def test_the_home_folder_may_be_written_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ca.pem").write_text(PEMS[0])
    endpoint = EndpointSettings("https://h/v1", "k", verify="~/ca.pem")
    (connection,) = connections(ModelSettings("m", "m", [endpoint]))
    assert trusted(context_for(connection.verify)) == ders(PEMS[0])


def test_a_list_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, pem in enumerate(PEMS):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "ca.pem").write_text(pem)
    named = os.pathsep.join(str(tmp_path / each) for each in ("0", "not there", "1"))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", named)
    assert check_certificates("SSL_CERT_FILE", "SSL_CERT_DIR") == "SSL_CERT_DIR"
    assert ders(*PEMS) <= trusted(context_for(True))


def test_a_key_log_that_cannot_be_written_is_forgotten_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_key_log()
    assert os.environ["SSLKEYLOGFILE"] == str(tmp_path / "keys")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "nowhere" / "keys"))
    with pytest.warns(ConfigNote, match="SSLKEYLOGFILE=.*nowhere/keys cannot be written to"):
        check_key_log()
    assert "SSLKEYLOGFILE" not in os.environ
    context_for(True)
