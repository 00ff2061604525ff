"""The fixtures that tests share: servers on this machine, scratch benches, a browser, and real data where it is."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from arena_hard.data import secrets
from tests.loopback import Server, running_server
from tests.support.browse_bench import chromium, served, write_bench
from tests.support.pipeline_bench import Scratch, share_warm_process
from tests.support.third_party import llmock

if TYPE_CHECKING:  # it imports numpy
    from arena_hard.browse.index import BenchIndex


# a busy machine takes its time, and examples that failed are written into no checkout
settings.register_profile("tests", deadline=None, database=None)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """A run in the background of a script ignores Ctrl-C; what it starts must not, for tests send it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None):  # only where workers are started, and not in these
        share_warm_process()


# the files that take longest, in this order: each is begun early and stays with one worker, so that no worker is left
# with one of them at the end, and their servers and browsers start once
_LONGEST = (
    "test_topics",
    "test_real_model",
    "test_batch_servers",
    "test_qa_browser_hostile",
    "test_labels",
    "test_terminals",
    "test_campaign",
    "test_build_bench",
    "test_accessibility",
    "test_third_party",
    "test_qa_browser",
    "test_qa_browser_pages",
    "test_server_limits",
    "test_topic_clusters",
    "test_build_demo",
    "test_local_server",
    "test_attribution",
    "test_counts",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The files that take longest come first, with each worker some of them; else the order stays."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    heads: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for place, stem in enumerate(_LONGEST):
        heads[place % workers] += [item for item in items if item.path.stem == stem]
    rest = iter([item for item in items if item.path.stem not in _LONGEST])
    left, ordered = len(items), list[pytest.Item]()
    for number, head in enumerate(heads):  # as xdist deals the tests out
        part = left // (workers - number)
        ordered += [*head, *itertools.islice(rest, max(0, part - len(head)))]
        left -= part
    items[:] = [*ordered, *rest]


@pytest.fixture(autouse=True)
def _no_key_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test makes known as a key is no key in the next."""
    monkeypatch.setattr(secrets, "RUN", secrets.Registry())


# ------------------------------------------------------------------------------------ the pipeline


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


@pytest.fixture
def answered(scratch: Scratch) -> Scratch:
    """The answers by the model and the baseline are there."""
    scratch.put_answers("m", "base")
    return scratch


@pytest.fixture
def judged(answered: Scratch) -> Scratch:
    """Three judgments are there, and the answers that they are of."""
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stderr
    return answered


@pytest.fixture(scope="session")
def llmock_root() -> Iterator[str]:
    """The root URL of an llmock with quick batches. Tests that look at its verdict start one of their own."""
    with llmock("--response-style", "varied", batch_delay=0.2) as root:
        yield root


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the official questions, answers and judgments."""
    folder = os.environ.get("ARENA_HARD_SHARED_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ARENA_HARD_SHARED_DATA names no folder with the official data")
    return Path(folder)


# ----------------------------------------------------------------------------------- the web page


@pytest.fixture
def index(tmp_path: Path) -> BenchIndex:
    """The index of the small bench."""
    from arena_hard.browse.index import BenchIndex
    from arena_hard.data.paths import Bench

    write_bench(tmp_path / "small")
    index = BenchIndex(Bench(tmp_path, "small"))
    index.refresh()
    return index


@pytest.fixture(scope="session")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `address`: the small bench, and a file that is nobody's business."""
    data = tmp_path_factory.mktemp("data")
    write_bench(data / "small")
    (data / "secret.txt").write_text("secret words")
    return data


@pytest.fixture(scope="session")
def address(browsed: Path) -> Iterator[str]:
    """The address of a running qa_browser.py. Tests that write into its bench start one of their own."""
    with served(browsed) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium. Not for the whole session: while Playwright is there, nobody else can use asyncio."""
    with chromium() as program:
        yield program


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A fresh page; at its end nothing was asked of another machine and the console holds no error."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    elsewhere: list[str] = []
    errors: list[str] = []
    here = (address, "data:", "file:")
    page.on("request", lambda request: None if request.url.startswith(here) else elsewhere.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert elsewhere == []
    assert errors == []
