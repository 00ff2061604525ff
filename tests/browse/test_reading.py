"""Large benches are read while pages are shown, and what an index knows is not read again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena_hard.browse import reading
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.site import PAGES, Site
from arena_hard.data import record_index
from arena_hard.data.paths import Bench
from arena_hard.data.typed_jsonl import Reader
from tests.support.browse_bench import answer_row, judgment_row, write_bench
from tests.support.pipeline_bench import write_rows

SCRIPT = (Path(reading.__file__).parent / "page.js").read_text(encoding="utf-8")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench that counts as large, in which this project has written before."""
    monkeypatch.setattr(record_index, "SMALL", 0)
    monkeypatch.setattr(record_index, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(reading, "LARGE", 0)
    monkeypatch.setattr(record_index, "_WORTH", 0)
    (write_bench(tmp_path / "small") / "cache").mkdir()
    return Bench(tmp_path, "small")


def index_of(bench: Bench) -> BenchIndex:
    index = BenchIndex(bench)
    index.refresh()
    return index


def seen(index: BenchIndex) -> list[Any]:
    """All that pages may know of an index, with the texts that it finds."""
    tables = {judge: [column.tolist() for column in vars(table).values()] for judge, table in index.judged.items()}
    files = [*index.answers.values(), *(file for files in index.judgments.values() for file in files)]
    facts = [np.delete(file.facts, 3, axis=1) for file in files]  # without codes of models, which follow the reading
    columns = [
        [file.path, *(column.tolist() for column in (file.question, file.offset, file.length, each))]
        for file, each in zip(files, facts)
    ]
    codes = range(len(index.question_ids))
    texts = [
        index.judgment(judge, model, code) for judge in tables for model in range(len(index.models)) for code in codes
    ]
    answers = [index.answer(model, code) for model in index.models for code in codes]
    masks = [(index.answered(model).tolist(), index.cut_off(model).tolist()) for model in index.models]
    names = (index.models, index.question_ids, index.baselines)
    return [tables, columns, texts, answers, masks, names, index.problems, index.notes]


def until_read(index: BenchIndex) -> None:
    """Wait until all is read that was waited for."""
    deadline = time.monotonic() + 30
    while index.reading is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
        index.refresh(in_background=True)


def odd(bench: Bench) -> None:
    """Lines of which something is to be said, and records that need care."""
    rows = [judgment_row("gamma", "q-sum", ("B>A", "A>B"), baseline="base") for _ in range(2)]
    rows[1]["games"][0] |= {"score": "who knows", "truncated": {"kept": 0.5}}
    rows[1]["games"][1] = None
    write_rows(bench.judgment_file("judy", "gamma"), [*rows, judgment_row("gamma", "new", ("A>B", "A=B"))])
    with open(bench.judgment_file("judy", "beta"), "ab") as stream:
        stream.write(b'{"question_id": 7}\n{"oops"\n\xff\xfe\n{"question_id": "q-time", "mod')
    write_rows(bench.answer_folder / "gamma.jsonl", [answer_row("gamma", "q-sum", ["$ERROR$"])])


@pytest.mark.parametrize("is_odd", [False, True])
def test_what_an_index_knows_is_what_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch, is_odd: bool) -> None:
    (odd if is_odd else str)(bench)  # type: ignore[arg-type]
    with monkeypatch.context() as context:
        context.setattr(record_index, "_WORTH", 1 << 40)
        expected = seen(index_of(bench))
    assert list((bench.folder / "cache").iterdir()) == []
    assert seen(index_of(bench)) == expected
    assert {each.suffix for each in (bench.folder / "cache").rglob("*.*")} == {".games", ".lengths"}
    if not is_odd:
        monkeypatch.setattr(Reader, "blocks", lambda *_: pytest.fail("an index was there"))
    assert seen(index_of(bench)) == expected


def test_who_looks_at_a_folder_leaves_nothing_in_it(bench: Bench) -> None:
    (bench.folder / "cache").rmdir()
    before = sorted(bench.folder.rglob("*"))
    index_of(bench)
    assert sorted(bench.folder.rglob("*")) == before
    (bench.folder / "cache").mkdir(mode=0o555)  # which root may write, too
    index_of(bench)
    assert sorted(bench.folder.rglob("*")) == sorted([*before, bench.folder / "cache"])


@pytest.mark.parametrize("is_odd", [False, True])
def test_what_is_read_in_the_background_is_what_is_read_at_once(bench: Bench, is_odd: bool) -> None:
    (odd if is_odd else str)(bench)  # type: ignore[arg-type]
    index = BenchIndex(bench)
    index.refresh(in_background=True)
    assert index.reading is not None
    until_read(index)
    (bench.folder / "cache" / "index").rename(bench.folder / "aside")
    assert seen(index) == seen(index_of(bench))


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """What lets the reading of so many files more begin."""
    opened = threading.Semaphore(0)
    read: Callable[..., Any] = reading._Reader.read

    def waiting(*given: Any) -> Any:
        assert opened.acquire(timeout=30)
        return read(*given)

    monkeypatch.setattr(reading._Reader, "read", waiting)
    return lambda files: opened.release(files)


def test_pages_show_what_has_been_read_and_say_how_far_it_is(bench: Bench, gate: Callable[[int], None]) -> None:
    site = Site(bench.data_dir, in_background=True)
    page = site.show("?tab=games")
    assert 'data-reading="none"' in page and "0 of 5 files" in page and 'id="game-1"' not in page
    gate(2)  # alpha's answers and judgments, before those of the others
    page = once_read(site, 2)
    assert 'data-reading="some"' in page and 'id="game-1"' in page
    assert "alpha says turn 1" in page and "The answers of base have not been read yet." in page
    gate(3)
    until_read(site.indexes["small"])
    page = site.show("?tab=games")
    assert "data-reading" not in page and "base says turn 1" in page
    assert page == Site(bench.data_dir).show("?tab=games")


def once_read(site: Site, files: int) -> str:
    """The page of games when so many files have been read."""
    deadline = time.monotonic() + 30
    while f"{files} of 5 files" not in (page := site.show("?tab=games")):
        assert time.monotonic() < deadline
    return page


@pytest.mark.parametrize("tab", PAGES)
def test_what_has_not_been_read_is_not_said_to_be_missing(bench: Bench, gate: Callable[[int], None], tab: str) -> None:
    site = Site(bench.data_dir, in_background=True)
    address = f"?tab={tab}&model=beta&judge=nobody&question=q-time"
    page = site.show(address)
    assert "Still being read" in page and "python gen_" not in page and "yet</h2>" not in page
    gate(2)
    once_read(site, 2)
    page = site.show(address)
    assert "There are no judgments by nobody that have been read yet" in page and "python gen_" not in page
    assert "has no judgments by judy;" not in page and "Only one judge" not in page
    page = site.show("?tab=games&model=alpha&question=q-time")
    assert "No judgment of this has been read yet." in page and "python gen_" not in page
    gate(3)
    until_read(site.indexes["small"])
    assert site.show(address) == Site(bench.data_dir).show(address)


def test_a_blind_check_begins_when_all_is_read(bench: Bench, gate: Callable[[int], None]) -> None:
    site = Site(bench.data_dir, in_background=True)
    site.show("")
    gate(3)
    once_read(site, 3)  # with those of base, so that there are games which could be shown
    page = site.show("?tab=blind&name=ann")
    assert "can begin when all is read" in page and "Start or resume" not in page and "data-decide" not in page
    assert not (bench.folder / "blind_check").exists()
    gate(2)
    until_read(site.indexes["small"])
    assert "Start or resume" in site.show("?tab=blind")
    assert "data-decide" in site.show("?tab=blind&name=ann")


@pytest.mark.slow  # a browser
def test_a_page_in_which_a_person_is_busy_stays_until_they_want_another(
    browser: Any, bench: Bench, gate: Callable[[int], None]
) -> None:
    site = Site(bench.data_dir, in_background=True)
    site.show("")
    gate(2)
    part = once_read(site, 2)
    page = browser.new_page()
    page.set_content("<div data-room></div>")
    page.evaluate("([file, html]) => { eval?.(file); window.html = html; window.asked = []; }", [SCRIPT, part])
    page.evaluate("() => arenaHard(document.body, (address) => { asked.push(address); return Promise.resolve(html); })")
    page.wait_for_selector("#game-1")
    page.keyboard.press("/")
    page.keyboard.type("half a wor")
    gate(3)
    until_read(site.indexes["small"])
    page.evaluate("(html) => (window.html = html)", site.show("?tab=games"))
    page.get_by_text("All is read.").wait_for()
    field = page.locator("input[type=search]")
    assert field.input_value() == "half a wor" and field.evaluate("(field) => field === document.activeElement")
    page.get_by_role("button", name="Show it").click()
    page.wait_for_selector("#f-model option[value=beta]", state="attached")
    assert page.locator("[data-reading]").count() == 0
    assert field.input_value() == "half a wor" and field.evaluate("(field) => field === document.activeElement")
    assert set(page.evaluate("asked")) == {""}  # nothing was sent half typed
    page.close()


def test_a_file_that_changes_after_it_was_read_is_read_again(bench: Bench, gate: Callable[[int], None]) -> None:
    index = BenchIndex(bench)
    index.refresh(in_background=True)
    gate(4)
    deadline = time.monotonic() + 30
    while (done := index._scans._progress) is None or done.files < 4:
        assert time.monotonic() < deadline
    file = bench.judgment_file("judy", "alpha")
    write_rows(file, [judgment_row("alpha", "q-time", ("B>A", "A>B"), baseline="base")])
    gate(10)
    until_read(index)
    index.refresh(in_background=True)
    until_read(index)
    assert seen(index) == seen(index_of(bench))
