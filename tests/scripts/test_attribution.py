"""Each answer stands under its own label: as it is seen, as it is read aloud, at any width."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from arena_hard.browse.export import export
from arena_hard.browse.site import Site
from tests.support.browse_bench import served, write_bench

pytestmark = pytest.mark.slow  # a browser

WIDTHS = (320, 390, 768, 1280, 1920)
ANSWER = re.compile(r"(\w+) says turn (\d) of ([\w-]+)")
LABEL = re.compile(r"Assistant ([AB])")
# what is read of a page: every text of a label or an answer, with the box around its letters
BOXES = """scope => [...document.querySelectorAll(scope)].flatMap(part => {
  const found = [], walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const {left, right, top, bottom} = range.getBoundingClientRect();
    if (right > left) found.push({text: walker.currentNode.data, left, right, top, bottom});
  }
  return found;
})"""
# Games of two turns, one turn, a model's and the baseline's side in both orders
GAMES = [("alpha", "q-code"), ("beta", "q-sum")]


def seen_under(page: Any, scope: str) -> list[tuple[str, str]]:
    """(letter, answer) as the eye pairs them: the label that is next above an answer and over it."""
    boxes = page.evaluate(BOXES, scope)
    labels = [(match[1], box) for box in boxes if (match := LABEL.search(box["text"]))]
    found = []
    for box in boxes:
        match = ANSWER.search(box["text"])
        over = [
            (label["bottom"], letter)
            for letter, label in labels
            if label["bottom"] <= box["top"] + 1 and label["left"] < box["right"] and label["right"] > box["left"]
        ]
        if match:
            found.append((max(over)[1] if over else "none", match[0]))
    return found


def read_under(page: Any, scope: str) -> list[tuple[str, str]]:
    """(letter, answer) as a screen reader pairs them: the label that was read last before an answer."""
    found, letter = [], "none"
    for part in page.locator(scope).all():
        for match in re.finditer(f"{LABEL.pattern}|{ANSWER.pattern}", part.aria_snapshot()):
            letter = match[1] or letter
            if not match[1]:
                found.append((letter, match[0]))
    return found


def right_pairs(first: str, second: str, question: str, turns: int) -> set[tuple[str, str]]:
    """The pairs of a game whose assistant A is `first`."""
    sides = (("A", first), ("B", second))
    return {
        (letter, f"{name} says turn {turn} of {question}") for letter, name in sides for turn in range(1, turns + 1)
    }


def check_game(page: Any, scope: str, right: set[tuple[str, str]]) -> None:
    for pairs in (seen_under(page, scope), read_under(page, scope)):
        assert set(pairs) == right and len(pairs) == len(right), pairs


@pytest.mark.parametrize("width", WIDTHS)
def test_games(page: Any, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for model, question in GAMES:
        page.goto(f"{address}?tab=games&model={model}&question={question}")
        page.wait_for_selector("#game-2 .answer")
        turns = 2 if question == "q-code" else 1
        check_game(page, "#game-1 .columns", right_pairs("base", model, question, turns))
        check_game(page, "#game-2 .columns", right_pairs(model, "base", question, turns))


def test_the_exported_games(page: Any, browsed: Path, tmp_path: Path) -> None:
    export(Site(browsed), tmp_path / "out")
    for model, question in GAMES:
        turns = 2 if question == "q-code" else 1
        right = right_pairs("base", model, question, turns)
        files = [file for file in (tmp_path / "out").rglob("*.html") if f"{model} says turn" in file.read_text("utf-8")]
        file = next(file for file in files if f"{model} says turn 1 of {question}" in file.read_text("utf-8"))
        page.goto(file.as_uri())
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            check_game(page, "#game-1 .columns", right)


def test_the_blind_check(browser: Any, tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "small")
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}?tab=blind&name=Ann")
        page.wait_for_selector(".decide")
        plan = json.loads((bench / "blind_check/judy/Ann.jsonl").read_text().splitlines()[0])["plan"]
        two_turns = next(place for place, game in enumerate(plan) if game["question_id"] == "q-code")
        for place in {0, 1, two_turns}:
            game = plan[place]
            sides = [game["baseline"], game["model"]][:: 1 if game["game"] == 1 else -1]
            page.goto(f"{address}?tab=blind&name=Ann&at={place + 1}")
            page.wait_for_selector(".decide")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                right = right_pairs(
                    sides[0], sides[1], game["question_id"], 2 if game["question_id"] == "q-code" else 1
                )
                check_game(page, ".card:has(.answer) .columns", right)
        page.close()


def test_labels_that_come_apart_are_found(page: Any, address: str) -> None:
    """The layout of versions up to 0.6.0: at 390 pixels both answers came between the labels."""
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{address}?tab=games&model=beta&question=q-sum")
    page.wait_for_selector("#game-1 .answer")
    page.evaluate("""() => { for (const columns of document.querySelectorAll(".columns")) {
        const [a, b] = columns.querySelectorAll(".side");
        columns.querySelectorAll("[aria-labelledby]").forEach(each => each.removeAttribute("aria-labelledby"));
        columns.replaceChildren(b.lastElementChild, a.firstElementChild, a.lastElementChild, b.firstElementChild);
    } }""")
    right = right_pairs("base", "beta", "q-sum", 1)
    assert set(seen_under(page, "#game-1 .columns")) != right
    assert set(read_under(page, "#game-1 .columns")) != right
