"""Everything that models wrote is shown, nothing of it is run: hostile texts in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.browse_bench import answer_row, judgment_row, served
from tests.support.browse_hostile import HOSTILE
from tests.support.pipeline_bench import write_rows

pytestmark = pytest.mark.slow  # a browser

MODEL = "<img src=x onerror=window.hit='name'>"


NAMES = list(HOSTILE)
# a page takes long to load: each shows several texts, a turn each
GROUPS = {names[0]: [HOSTILE[name] for name in names] for names in (NAMES[n : n + 5] for n in range(0, len(NAMES), 5))}


def write_hostile_bench(folder: Path) -> None:
    """A bench where the question, both answers, the thoughts and the judge all say the hostile texts."""
    rows = [
        {"question_id": f"q-{name}", "category": texts[0][:300], "cluster": texts[-1][:300],
         "turns": [{"content": text} for text in texts]}
        for name, texts in GROUPS.items()
    ]  # fmt: skip
    write_rows(folder / "question.jsonl", rows)
    for model in ("base", MODEL):
        answers = [answer_row(model, f"q-{name}", texts) for name, texts in GROUPS.items()]
        for turn in (turn for answer in answers for turn in answer["choices"][0]["turns"]):
            turn["thought"] = turn["content"]
        write_rows(folder / "model_answer" / f"{quote(model, safe='')}.jsonl", answers)
    judgments = [judgment_row(MODEL, f"q-{name}", ("A>B", "B>A"), baseline="base") for name in GROUPS]
    for judgment, texts in zip(judgments, GROUPS.values()):
        for game, order in zip(judgment["games"], (1, -1)):  # what is never closed hides only what comes after it
            game["judgment"] = game["user_prompt"] = "\n\n".join(texts[::order])
    write_rows(folder / "model_judgment" / "judy" / f"{quote(MODEL, safe='')}.jsonl", judgments)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site of its own, of the hostile bench."""
    data = tmp_path_factory.mktemp("hostile")
    write_hostile_bench(data / "hostile")
    with served(data) as address:
        yield address


@pytest.fixture(scope="module")
def profile(browser: Any) -> Iterator[Any]:
    """One profile for all tests, so that the page's own files are fetched once."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    yield context
    context.close()


@pytest.fixture
def watched(profile: Any) -> Iterator[Any]:
    """A page whose every request is written down. Elsewhere is a name that no machine can have (RFC 2606)."""
    page = profile.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("dialog", lambda dialog: dialog.dismiss())
    yield page
    page.close()


@pytest.mark.parametrize("form", ["", "plain"])
@pytest.mark.parametrize("name", GROUPS)
def test_nothing_runs_nothing_loads_nothing_breaks_out(watched: Any, address: str, name: str, form: str) -> None:
    page = watched
    page.goto(f"{address}?tab=games&format={form}&question=q-{name}&model={quote(MODEL)}")
    page.wait_for_selector("#game-2 .judgment")
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    for box in page.query_selector_all("#game-1 .answer, #game-1 .judgment, .card > .question"):
        box.hover(force=True)
    for link in page.query_selector_all(".markup a"):
        assert (link.get_attribute("href") or "").startswith(("http://", "https://", "mailto:"))
    page.wait_for_timeout(100)
    assert page.evaluate("window.hit") is None
    assert [url for url in page.asked if not url.startswith(address)] == []
    assert page.locator("#content").count() == 1
    assert page.locator(".ah header.top").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".ah img, .ah iframe, .ah script, .ah style, .ah object, .ah svg, .ah form form").count() == 0


def test_the_policy_stops_what_would_get_through(profile: Any, address: str) -> None:
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = profile.new_page()
        page.goto(address + "?tab=games")
        page.wait_for_selector(".card")
        base = f"http://127.0.0.1:{server.server_port}"
        page.evaluate(
            """base => { const image = new Image(); image.src = base + '/image'; document.body.append(image);
            const style = document.createElement('style'); style.textContent = `@import '${base}/style'`;
            document.head.append(style); return fetch(base + '/fetch', {mode: 'no-cors'}).catch(() => null); }""",
            base,
        )
        page.wait_for_timeout(300)
        page.close()
        server.shutdown()
    assert asked == []
