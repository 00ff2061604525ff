"""Files that are changed while pages are shown: no page has the verdicts of one record and the texts of another."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arena_hard.browse import reading, search
from arena_hard.browse.export import export
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.site import Site
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.rating import blind_agreement
from tests.support.browse_bench import VERDICTS, answer_row, judgment_row, write_bench
from tests.support.pipeline_bench import write_rows

CHANGED = "was changed, and is being read again."
BLIND = "?tab=blind&name=Ann&at=1"


class Slow:
    """A site of a bench that counts as large; what is changed is read again when `go` is set."""

    def __init__(self, site: Site, go: threading.Event) -> None:
        self.site, self.go, self.folder = site, go, site.data_dir / "small"

    def show(self, question: str = "q-sum", **more: str) -> str:
        """The page of a game of alpha."""
        rest = "".join(f"&{key}={value}" for key, value in more.items())
        return self.site.show(f"?tab=games&model=alpha&question={question}{rest}")

    def until_read(self) -> None:
        """Wait until all is read again."""
        self.go.set()
        deadline = time.monotonic() + 30
        while self.site.index("small").reading is not None:
            assert time.monotonic() < deadline
            time.sleep(0.002)

    @property
    def judgments(self) -> Path:
        return self.folder / "model_judgment/judy/alpha.jsonl"

    @property
    def answers(self) -> Path:
        return self.folder / "model_answer/alpha.jsonl"


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    write_bench(tmp_path / "small")
    for file in tmp_path.glob("small/*/**/*.jsonl"):
        padded(file)
    site = Site(tmp_path)
    site.show("")
    go, read = threading.Event(), reading._Reader.read

    def waiting(*given: Any) -> Any:
        assert go.wait(30)
        return read(*given)

    monkeypatch.setattr(reading, "LARGE", 0)
    monkeypatch.setattr(reading._Reader, "read", waiting)
    site.in_background = True
    yield Slow(site, go)
    go.set()


def padded(file: Path) -> None:
    """All lines of a file at the same length, so that each takes another's place."""
    lines = file.read_text().splitlines()
    file.write_text("".join(line.ljust(max(map(len, lines))) + "\n" for line in lines))


def moved(file: Path) -> None:
    """Each record is where another one was."""
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[1:], lines[0]]))


def other_verdicts(file: Path) -> None:
    file.write_text(file.read_text().replace("B>A", "A<B").replace("A>B", "B>A").replace("A<B", "A>B"))


def of_another_model(file: Path) -> None:
    file.write_text(file.read_text().replace('"alpha"', '"beta!"'))


def of_another_baseline(file: Path) -> None:
    file.write_text(file.read_text().replace('"base"', '"else"'))


def shorter(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def gone(file: Path) -> None:
    file.rename(file.with_suffix(".away"))


@pytest.mark.parametrize("change", [moved, other_verdicts, of_another_model, of_another_baseline, shorter])
def test_texts_of_another_judgment_are_not_shown_beside_a_verdict(slow: Slow, change: Callable[[Path], None]) -> None:
    assert "Words about alpha on q-sum in game 1" in slow.show() and CHANGED not in slow.show()
    change(slow.judgments)
    page = slow.show()
    assert f"{slow.judgments} {CHANGED}" in page and "Words about" not in page and 'class="verdict' not in page
    assert "alpha says turn 1 of q-sum" in page
    slow.until_read()
    assert slow.show() == Site(slow.site.data_dir).show("?tab=games&model=alpha&question=q-sum")


@pytest.mark.parametrize("change", [moved, shorter])
def test_another_question_s_answer_is_not_shown(slow: Slow, change: Callable[[Path], None]) -> None:
    change(slow.answers)
    page = slow.show()
    assert f"{slow.answers} {CHANGED}" in page and "alpha says" not in page
    assert "base says turn 1 of q-sum" in page and "Words about alpha on q-sum in game 1" in page


def test_a_record_that_is_where_it_was_is_shown_while_others_are_added(slow: Slow) -> None:
    with open(slow.judgments, "a") as stream:
        stream.write(json.dumps(judgment_row("alpha", "q-time", ("B>A", "A>B"), baseline="base")) + "\n")
    page = slow.show()
    assert "data-reading" in page and CHANGED not in page and "Words about alpha on q-sum in game 1" in page


def test_a_search_finds_no_text_of_another_record(slow: Slow) -> None:
    moved(slow.judgments)
    moved(slow.answers)
    index = slow.site.index("small")
    assert not search.in_judgments(index, "judy", "alpha", "q-sum in").any()
    assert not search.in_answers(index, "alpha", "of q-sum").any()
    slow.until_read()
    assert search.in_judgments(index, "judy", "alpha", "q-sum in").tolist() == [True, False, False, False, False]
    assert search.in_answers(index, "alpha", "of q-sum").tolist() == [True, False, False, False, False]


def mark_in(page: str) -> str:
    return page.partition('data-mark="')[2].partition('"')[0]


def test_a_decision_is_stored_only_for_the_texts_that_were_shown(slow: Slow) -> None:
    site, folder = slow.site, slow.folder
    mark = mark_in(site.show(BLIND))
    check = blind_agreement.load(blind_agreement.check_file(site.index("small").bench, "judy", "Ann"))
    assert check is not None and mark
    file = folder / "model_answer" / f"{check.plan[0].model}.jsonl"
    before = check.file.read_bytes()
    moved(file)
    page = site.show(BLIND)
    assert CHANGED in page and "data-decide" not in page and " says turn " not in page
    assert CHANGED in site.decide("small", "judy", "Ann", 0, "A>B", mark)
    assert CHANGED in site.decide("small", "judy", "Ann", 0, "A>B")
    slow.until_read()
    assert mark_in(site.show(BLIND)) == mark  # the same texts at other places
    rows = [answer_row(check.plan[0].model, name, ["another text"] * 2) for name in VERDICTS["alpha"]]
    write_rows(file, rows)
    slow.until_read()
    assert "have changed since they were shown" in site.decide("small", "judy", "Ann", 0, "A>B", mark)
    assert check.file.read_bytes() == before
    assert site.decide("small", "judy", "Ann", 0, "A>B", mark_in(site.show(BLIND))) == ""


def test_pages_are_not_exported_with_texts_of_other_records(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    def then_changed(rows: Any) -> Any:
        moved(slow.judgments)
        return rows

    with pytest.raises(UserError, match=r"alpha\.jsonl was changed while it was read\. Run again"):
        export(slow.site, slow.site.data_dir / "site", then_changed)


def questions_left(folder: Path) -> None:
    """Two are taken out, of which one was judged, and one is new."""
    rows = (folder / "question.jsonl").read_text().splitlines(keepends=True)
    new = json.dumps({"question_id": "q-new", "turns": [{"content": "New?"}]}) + "\n"
    (folder / "question.jsonl").write_text("".join([new, *rows[1:4]]))


def questions_in_another_order(folder: Path) -> None:
    moved(folder / "question.jsonl")


def no_questions(folder: Path) -> None:
    gone(folder / "question.jsonl")


def a_folder_in_their_place(folder: Path) -> None:
    gone(folder / "question.jsonl")
    (folder / "question.jsonl").mkdir()


@pytest.mark.parametrize("change", [questions_left, questions_in_another_order, no_questions, a_folder_in_their_place])
@pytest.mark.parametrize("with_records", [True, False])
def test_a_running_browser_shows_the_questions_that_a_new_one_shows(
    tmp_path: Path, change: Callable[[Path], None], with_records: bool
) -> None:
    folder = write_bench(tmp_path / "small")
    for file in [] if with_records else [*folder.glob("*/**/*.jsonl")]:
        file.unlink()
    site = Site(tmp_path)
    tabs = ["?tab=leaderboard", "?tab=breakdown", "?tab=judge", "?tab=compare", "?tab=games&show=missing"]
    addresses = [*tabs, "?tab=games&model=alpha", "?tab=games&question=q-sum", "?tab=games&text=Rome", "?tab=blind"]
    before = list(map(site.show, addresses))
    change(folder)
    after, new = map(site.show, addresses), Site(tmp_path)
    new.indexes["small"] = BenchIndex(Bench(tmp_path, "small"), version=1000, commands=site.index("small").commands)
    for address, was, now in zip(addresses, before, after):
        assert now == new.show(address), address
        assert now != was or not with_records or address != "?tab=games&model=alpha"
    assert site.index("small").question_ids == new.index("small").question_ids
