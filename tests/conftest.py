"""Fixtures of the pipeline's tests: the loopback server, a scratch bench, and real data where it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback import Server, running_server
from tests.support.pipeline_bench import Scratch


@pytest.fixture(scope="session")
def _one_server() -> Iterator[Server]:
    with running_server(seed=3) as server:
        yield server


@pytest.fixture
def wire(_one_server: Server) -> Server:
    """A loopback server with nothing counted, scripted or changed."""
    _one_server.reset()
    return _one_server


@pytest.fixture
def scratch(tmp_path: Path, wire: Server) -> Scratch:
    """A working directory with three questions and configs that point to the loopback server."""
    return Scratch(tmp_path, wire.openai_base)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the official questions, answers and judgments."""
    folder = os.environ.get("ARENA_HARD_SHARED_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ARENA_HARD_SHARED_DATA names no folder with the official data")
    return Path(folder)
