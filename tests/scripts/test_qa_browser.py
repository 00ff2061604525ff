"""The browser as a person drives it: open, choose, filter, search, follow a link, press keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.browse_bench import judgment_row, served, write_bench
from tests.support.pipeline_bench import write_rows

pytestmark = pytest.mark.slow  # a browser


def opened(page: Any, address: str, query: str = "?tab=games") -> Any:
    """The page of an address, once it is there."""
    page.goto(address + query)
    page.wait_for_selector(".ah main section")
    return page


def shown(page: Any) -> tuple[str, str]:
    """The model and the question's words on the page."""
    return page.inner_text("h1 .who.model"), page.inner_text(".card .question >> nth=0").strip()


def choose(page: Any, label: str, value: str) -> None:
    """Choose in a dropdown and wait for the page that follows."""
    page.get_by_label(label, exact=True).select_option(value)
    page.wait_for_function("value => location.search.includes(encodeURIComponent(value))", arg=value)
    page.wait_for_selector("[data-room]:not([aria-busy])")


def columns(page: Any, game: int) -> list[tuple[str, str]]:
    """(label with name, beginning of the answer) of both columns of a game."""
    labels = page.locator(f"#game-{game} .label").all_inner_texts()
    answers = page.locator(f"#game-{game} .answer").all_inner_texts()
    return [(" ".join(label.split()), answer.strip()) for label, answer in zip(labels, answers)]


def test_both_games_show_the_right_answer_under_the_right_label(page: Any, address: str) -> None:
    opened(page, address)
    choose(page, "Model", "beta")
    choose(page, "Question", "q-sum")
    for game, names in ((1, ["base", "beta"]), (2, ["beta", "base"])):
        for letter, name, (label, answer) in zip("AB", names, columns(page, game)):
            assert label.startswith(f"Assistant {letter} {name} ")
            assert answer == f"{name} says turn 1 of q-sum"
        assert f"Words about beta on q-sum in game {game}" in page.inner_text(f"#game-{game} .judgment")
    assert page.inner_text("#game-1 mark") == "[[A>>B]]"
    assert page.locator(".verdicts li").all_inner_texts() == [
        "Game 1: A>>B base is much better",
        "Game 2: B>>A base is much better",
    ]


def test_all_turns_are_shown(page: Any, address: str) -> None:
    opened(page, address, "?tab=games&model=alpha&question=q-code")
    assert page.locator(".card .question:not(.again)").all_inner_texts() == [
        "Write a function that doubles a number.",
        "Now make it triple.",
    ]
    assert [answer for _, answer in columns(page, 1)][:2] == [
        "base says turn 1 of q-code",
        "alpha says turn 1 of q-code",
    ]
    assert "alpha says turn 2 of q-code" in page.inner_text("#game-1")


def test_what_is_missing_is_said_in_words(page: Any, address: str) -> None:
    opened(page, address, "?tab=games&model=beta&question=q-time")
    assert "judy has not judged beta on this question yet" in page.inner_text("main")
    assert "beta has no answer to this question" in page.inner_text("#game-1")
    opened(page, address, "?tab=games&model=alpha&question=q-plan")
    assert "No verdict could be read in this text" in page.inner_text("#game-2")
    opened(page, address, "?tab=games&model=alpha&question=q-poem")
    assert "cut off at max_tokens" in page.inner_text("#game-1 .side.model .label")


def test_keys_and_buttons_step_through_the_games_and_the_address_follows(page: Any, address: str) -> None:
    opened(page, address, "?tab=games&model=alpha")
    assert shown(page)[1] == "What is 2 + 2?"
    for key, words in (("j", "Write a function"), ("ArrowRight", "Write a line"), ("k", "Write a function")):
        page.keyboard.press(key)
        page.wait_for_function("w => document.querySelector('.card .question').innerText.startsWith(w)", arg=words)
    page.click("text=Next →")
    page.wait_for_function("() => location.search.includes('q-poem')")
    assert shown(page) == ("alpha", "Write a line about rain.")
    page.go_back()
    page.wait_for_function("() => document.querySelector('.card .question').innerText.startsWith('Write a function')")
    page.reload()
    page.wait_for_selector(".ah main section")
    assert shown(page)[1].startswith("Write a function")


def test_filters_and_search(page: Any, address: str) -> None:
    opened(page, address)
    page.click("summary:has-text('Filters')")
    choose(page, "Show", "disagree")
    assert page.inner_text(".count") == "1 of 2"
    page.click("text=Clear the filters")
    page.wait_for_function("() => document.querySelector('.count').innerText.endsWith('of 10')")
    page.keyboard.press("/")
    page.keyboard.type("rome")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.count').innerText === '1 of 2'")
    assert shown(page)[1] == "Plan a day in Rome."
    page.fill("input[name=text]", "nobody wrote this")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=No game is left")


def test_a_judgment_that_arrives_appears_on_refresh(browser: Any, tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "small")
    with served(tmp_path) as address:
        page = opened(browser.new_page(), address, "?tab=games&model=alpha&question=q-time")
        assert "has not judged alpha" in page.inner_text("main")
        with open(bench / "model_judgment" / "judy" / "alpha.jsonl", "a", encoding="utf-8") as stream:
            stream.write(json.dumps(judgment_row("alpha", "q-time", ("B>A", "A>>B"), baseline="base")) + "\n")
        page.reload()
        page.wait_for_selector("#game-2")
        assert "alpha is much better" in page.inner_text(".verdicts")
        page.close()


def test_a_page_follows_while_a_large_bench_is_read(browser: Any, tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "small")
    row = judgment_row("gamma", "q-sum", ("B>A", "A>B"), baseline="base")
    row["games"][0]["judgment"] = "long " * 4_000_000
    write_rows(bench / "model_judgment" / "judy" / "gamma.jsonl", [row])
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}?tab=games&model=alpha")
        page.wait_for_selector("#game-1")  # which the first page has not: nothing has been read then
        page.wait_for_function("() => !document.querySelector('[data-reading]')")
        page.wait_for_selector("#f-model option[value=gamma]", state="attached")
        page.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_never_wider_than_the_window(browser: Any, address: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    opened(page, address, "?tab=games&model=alpha&question=q-code")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(26, 30, 36)"
    assert dark == (scheme == "dark")
    page.close()


def test_with_a_password_the_page_is_there_after_the_login_only(browser: Any, tmp_path: Path) -> None:
    write_bench(tmp_path / "small")
    with served(tmp_path, "--auth", "ann:secret word") as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_label("username").fill("ann")
        page.get_by_label("password").fill("secret word")
        assert page.locator(".ah .leaderboard").count() == 0
        page.get_by_role("button", name="Login").click()
        page.wait_for_selector(".ah .leaderboard")
        page.close()
