"""One server for each file of tests, as new for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .process import Server, running_server


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with running_server(seed=5) as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    shared.reset()
    return shared
