"""Leaderboard, Judge, Compare, Blind check and the exported files, driven in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena_hard.browse.export import export
from arena_hard.browse.site import Site
from tests.support.browse_bench import served, write_bench

pytestmark = pytest.mark.slow  # a browser

READY = "[data-room]:not([aria-busy]) .ah main"


@pytest.fixture(scope="module")
def seen(browser: Any) -> Iterator[Any]:
    """A page that is only looked at, in several sizes and looks."""
    page = browser.new_page()
    yield page
    page.close()


def models_of(page: Any) -> list[str]:
    """The models of the leaderboard, from the top."""
    return [text.split()[0] for text in page.locator(".leaderboard tbody th").all_inner_texts()]


def test_the_leaderboard_sorts_and_a_model_leads_to_its_games(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".leaderboard")
    assert models_of(page) == ["alpha", "base", "beta"]
    assert "alpha is first with 77.8" in page.inner_text(".summary")
    page.click(".leaderboard thead >> text=Model")
    page.wait_for_selector("th[aria-sort=ascending]")
    assert models_of(page) == ["alpha", "base", "beta"]
    page.click(".leaderboard thead >> text=Model")
    page.wait_for_selector("th[aria-sort=descending] >> text=Model")
    assert models_of(page) == ["beta", "base", "alpha"]
    page.get_by_label("Intervals (95%)").select_option("rows")
    page.wait_for_selector("text=in 74 to 84 of 100 cases")
    page.click(".leaderboard >> text=alpha")
    page.wait_for_selector("#game-1")
    assert page.inner_text("h1 .who.model") == "alpha"
    assert "model=alpha" in page.url


def test_what_was_not_judged_is_seen_and_leads_to_its_questions(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".leaderboard")
    assert "Judged 4 of 5 questions" in page.inner_text(".wide + .missing")
    assert page.locator(".leaderboard tbody tr").first.locator("td").nth(5).inner_text() == "4 of 5"
    page.click(".leaderboard >> text=4 of 5")
    page.wait_for_selector("h1 .who.model")
    assert (page.inner_text("h1 .who.model"), page.inner_text(".count")) == ("alpha", "1 of 1")
    assert "judy has not judged alpha on this question yet" in page.inner_text("main")


def test_a_cell_of_the_judges_table_leads_to_its_games(page: Any, address: str) -> None:
    page.goto(address + "?tab=judge")
    page.wait_for_selector(".crossed")
    page.click(".crossed tbody tr:nth-child(2) td:nth-of-type(4) a")  # A>B in game 1, B>A in game 2
    page.wait_for_selector("#game-1")
    assert page.inner_text(".count") == "1 of 2"
    assert page.inner_text("h1 .who.model") == "beta"
    page.go_back()
    page.wait_for_selector(".crossed")
    page.get_by_label("Model").select_option("alpha")
    page.wait_for_selector("text=1 of 8 games")


def test_compare_leads_to_the_games_that_differ_most(page: Any, address: str) -> None:
    page.goto(address + "?tab=compare")
    page.wait_for_selector(".data")
    assert page.locator(".data tbody th").first.inner_text().startswith("What is 2 + 2?")
    page.click("text=Swap")
    page.wait_for_function("() => document.querySelector('.data thead').innerText.includes('beta\\talpha')")
    assert page.locator(".data tbody td b").first.inner_text() == "−75"
    page.locator(".data tbody tr").first.locator("td a").last.click()
    page.wait_for_selector("#game-1")
    assert (page.inner_text("h1 .who.model"), page.inner_text(".count")) == ("alpha", "1 of 5")


def test_a_breakdown_leads_to_the_games_of_a_cluster(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".leaderboard")
    page.click("main >> text=Breakdown")
    page.wait_for_selector("h1:has-text('Where does alpha win and lose?')")
    page.get_by_label("Model", exact=True).select_option("beta")
    page.wait_for_selector("h1:has-text('Where does beta win and lose?')")
    page.get_by_label("Order").select_option("worst")
    page.wait_for_selector("option[value=worst][selected]", state="attached")
    page.click(".data >> text=sums")
    page.wait_for_selector("#game-1")
    assert (page.inner_text("h1 .who.model"), page.inner_text(".count")) == ("beta", "1 of 1")


def test_a_blind_check_by_keyboard_that_is_stopped_and_taken_up_again(browser: Any, tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "small")
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(address + "?tab=blind")
        page.get_by_label("Your name").fill("Ann")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Game 1 of 8")
        for number, key in enumerate("12s", 2):
            page.keyboard.press(key)
            page.wait_for_selector(f"text=Game {number} of 8")
        page.close()
        page = browser.new_page()
        page.goto(address + "?tab=blind")
        page.click("main >> text=Ann")
        page.wait_for_selector("text=Game 4 of 8")
        page.click("text=← Back")
        page.wait_for_selector("text=Game 3 of 8")
        page.keyboard.press("3")
        for number in range(5, 9):
            page.wait_for_selector(f"text=Game {number - 1} of 8")
            page.keyboard.press("4")
        page.wait_for_selector("text=Game 8 of 8")
        page.click("button:has-text('B is much better')")
        page.wait_for_selector("text=How closely judy agrees with Ann")
        assert "κ" in page.inner_text(".tiles")
        assert page.locator(".data tbody tr").count() == 8
        page.close()
    rows = [json.loads(line) for line in (bench / "blind_check" / "judy" / "Ann.jsonl").read_text().splitlines()]
    assert [row["verdict"] for row in rows[1:]] == ["A>>B", "A>B", None, "A=B", *["B>A"] * 4, "B>>A"]
    assert all(row["name"] == "Ann" and row["tstamp"] > 1e9 for row in rows)


def test_exported_pages_open_from_disk(page: Any, browsed: Path, tmp_path: Path) -> None:
    export(Site(browsed), tmp_path / "out")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.click(".leaderboard >> text=alpha")
    page.wait_for_selector("form[data-list]")
    assert page.inner_text(".count") == "4 games"
    assert not page.locator("[data-more]").is_visible()  # all are shown
    page.get_by_label("Show").select_option("disagree")
    assert page.inner_text(".count") == "1 game"
    page.click("[data-rows] tr:not([hidden]) a")
    page.wait_for_selector("#game-2")
    assert page.inner_text("#game-2 .side.model .letter") == "Assistant A"
    page.keyboard.press("j")
    page.wait_for_function("() => document.querySelector('.count').innerText.startsWith('3 ')")
    page.click("nav >> text=Judge")
    page.click(".crossed tbody tr:nth-child(2) td:nth-of-type(4) a")
    page.wait_for_selector("form[data-list]")
    assert page.inner_text(".count") == "2 games"
    page.click("nav >> text=Breakdown")
    page.click(".data >> text=sums")
    page.wait_for_function("() => document.querySelector('.count').textContent === '1 game'")
    page.click("nav >> text=Compare")
    page.locator("select[data-files]").select_option(index=1)
    page.wait_for_selector(".data")
    assert all(url.startswith("file:") for url in asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("tab", ["leaderboard", "breakdown&model=beta", "judge", "compare", "blind", "blind&name=Eve"])
def test_every_page_fits_and_can_be_read(seen: Any, address: str, tab: str, width: int, scheme: str) -> None:
    seen.set_viewport_size({"width": width, "height": 844})
    seen.emulate_media(color_scheme=scheme)
    seen.goto(f"{address}?tab={tab}")
    seen.wait_for_selector(READY)
    ground = seen.evaluate("getComputedStyle(document.querySelector('.ah')).backgroundColor")
    assert ground == {"light": "rgb(246, 247, 249)", "dark": "rgb(17, 20, 24)"}[scheme]
    assert seen.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.evaluate(CONTRAST) == []
    assert seen.evaluate(UNLABELLED) == []


def test_the_check_of_contrast_can_fail(seen: Any, address: str) -> None:
    seen.emulate_media(color_scheme="light")
    seen.goto(f"{address}?tab=judge")
    seen.wait_for_selector(READY)
    seen.evaluate("document.querySelector('.ah h1').style.color = 'rgb(150, 150, 150)'")
    assert any(found.startswith("H1") for found in seen.evaluate(CONTRAST))


def test_the_games_can_be_read_and_reached_by_keyboard(browser: Any, address: str) -> None:
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(f"{address}?tab=games&model=alpha&question=q-plan")
        page.wait_for_selector("#game-1")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(UNLABELLED) == []
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.close()


# Texts whose contrast with what lies behind them is below 4.5 (WCAG 2.1, AA).
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const behind = (box) => { for (let e = box; e; e = e.parentElement) {
    const colour = rgba(getComputedStyle(e).backgroundColor); if (colour[3] > 250) return colour; }
    return [255, 255, 255]; };
  const found = [];
  document.getAnimations().forEach((each) => each.finish());
  for (const box of document.querySelectorAll('.ah *')) {
    const own = [...box.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(box);
    if (!own || !box.offsetParent || style.visibility === 'hidden' || box.closest('[aria-disabled], .skip')) continue;
    const [a, b] = [light(rgba(style.color)), light(behind(box))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${box.tagName} ${box.className} ${box.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return found; }"""

# Controls without a name for a screen reader, and headings that leave a level out.
UNLABELLED = """() => {
  const found = [];
  for (const box of document.querySelectorAll('.ah select, .ah input:not([type=hidden]), .ah button, .ah a[href]')) {
    const label = (box.labels && box.labels.length) || box.getAttribute('aria-label') || box.textContent.trim();
    if (!label || (box.matches('select') && !box.labels.length)) found.push(box.outerHTML.slice(0, 80));
  }
  if (document.querySelectorAll('.ah h1').length !== 1) found.push('not one h1');
  return found; }"""
