"""Every page, exported file and report: nothing serious for axe-core, nothing cut, letters that can be read."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena_hard.browse.export import export
from arena_hard.browse.site import Site
from tests.support.browse_bench import served, write_bench
from tests.support.pipeline_bench import ROOT, run_script
from tests.support.report_bench import write_report_bench

pytestmark = pytest.mark.slow  # a browser

LONG = ("verylongmodelname" * 5)[:80]  # nothing in it to break it at
WIDTHS = (320, 390, 768, 1280, 1920)
# the width does nothing to colours, and the scheme to nothing else
CONTRAST = "{runOnly: ['color-contrast']}"
ALL_BUT_CONTRAST = "{rules: {'target-size': {enabled: true}, 'color-contrast': {enabled: false}}}"
LOOKS = [
    (390, "light", ALL_BUT_CONTRAST),
    (1280, "light", ALL_BUT_CONTRAST),
    (1280, "light", CONTRAST),
    (1280, "dark", CONTRAST),
]
ASK = """async () => {
  document.getAnimations().forEach(each => each.finish());
  const wanted = {resultTypes: ['violations'], ...WANTED};
  return (await axe.run(document, wanted)).violations
    .filter(each => ['serious', 'critical'].includes(each.impact) || /heading|main/.test(each.id))
    .map(each => `${each.id}: ${each.nodes[0].html.slice(0, 200)}`);
}"""
# what is wider than the window or scrolls sideways, code apart, and letters below 11 pixels
CUT = """() => {
  const found = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) found.push('the page scrolls sideways');
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (texts.nextNode()) {
    range.selectNodeContents(texts.currentNode);
    const {left, right} = range.getBoundingClientRect(), node = texts.currentNode;
    const hidden = node.parentElement.closest('pre, .spoken');
    if (right > width + 1 && !hidden) found.push(`outside: ${node.data.slice(0, 40)} ${left} ${right}`);
  }
  for (const box of document.querySelectorAll('main *')) {
    if (!box.getClientRects().length || box.closest('pre, math, .skip, .spoken')) continue;
    const {left, right} = box.getBoundingClientRect(), name = `${box.tagName} ${box.className} ${left} ${right}`;
    if (right > width + 1 || left < -1) found.push('outside: ' + name);
    if (box.clientWidth > 1 && box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== 'visible')
      found.push('cut: ' + name);
    if (parseFloat(getComputedStyle(box).fontSize) < 11 && box.textContent.trim()) found.push('small: ' + name);
  }
  return found;
}"""
TABS = [
    "leaderboard",
    f"games&model={LONG}&question=q-plan",
    "breakdown",
    "judge",
    "compare",
    "blind",
    "blind&name=Eve",
]


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's script, as the package of tests/requirements.txt brings it."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-playwright-python is not installed: pip install -r tests/requirements.txt")
    return (Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bench with a model of a long name and a finished blind check."""
    folder = tmp_path_factory.mktemp("long")
    bench = write_bench(folder / "small")
    for file in [*bench.rglob("alpha.jsonl"), bench / "model_answer" / "beta.jsonl"]:
        text = file.read_text(encoding="utf-8").replace("alpha", LONG)
        file.with_name(file.name.replace("alpha", LONG)).write_text(text, encoding="utf-8")
        file.unlink() if "alpha" in file.name else None
    site = Site(folder)
    site.show("?tab=blind&name=Ann")
    for place in range(8):
        assert site.decide("small", "judy", "Ann", place, "A>B") == ""
    return folder


@pytest.fixture(scope="module")
def files(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Exported pages of each kind, a report, and one of a benchmark's making."""
    out = tmp_path_factory.mktemp("out")
    export(Site(data), out / "site")
    arguments = ["--data-dir", str(data), "--bench-name", "small", "--judge-name", "judy", "--baseline", "base"]
    done = run_script(ROOT, "show_result.py", *arguments, "--full-stats", "--ranks", "--format", "html")
    assert done.returncode == 0, done.stderr
    (out / "report.html").write_text(done.stdout, encoding="utf-8")
    write_report_bench(out, ROOT / "config" / "criteria" / "arena-hard.yaml")
    done = run_script(out, "build_bench.py", "--setting-file", "build.yaml", "--report")
    assert done.returncode == 0, done.stderr
    names = ("index", "games", "judge", "compare", "breakdown")
    game = next(iter(sorted((out / "site").glob("game-*.html"))))
    built = out / "data" / "made" / "report.html"  # all that is folded is opened
    built.write_text(built.read_text(encoding="utf-8").replace("<details", "<details open"), encoding="utf-8")
    return [out / "report.html", built, game, *(out / "site" / f"{name}.html" for name in names)]


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page()
    yield page
    page.close()


def check(page: Any, axe: str) -> None:
    """The page in every width and look."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 860})
        assert page.evaluate(CUT) == [], (page.url, width)
    page.evaluate(axe)
    for width, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 860})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(ASK.replace("WANTED", rules)) == [], (page.url, width, scheme)


def test_the_pages_of_the_server(page: Any, axe: str, data: Path) -> None:
    with served(data) as address:
        for tab in [*TABS, "blind&name=Ann"]:
            page.goto(f"{address}?tab={tab}")
            page.wait_for_selector("[data-room]:not([aria-busy]) .ah main section")
            check(page, axe)


def test_the_exported_pages_and_the_report(page: Any, axe: str, files: list[Path]) -> None:
    for file in files:
        page.goto(file.as_uri())
        check(page, axe)


def test_both_checks_can_fail(page: Any, axe: str, files: list[Path]) -> None:
    page.goto(files[0].as_uri())
    page.set_viewport_size({"width": 390, "height": 860})
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src><p style=width:600px>x</p>')"
    )
    page.evaluate(axe)
    assert any(found.startswith("image-alt") for found in page.evaluate(ASK.replace("WANTED", ALL_BUT_CONTRAST)))
    assert any(found.startswith("outside: P") for found in page.evaluate(CUT))


def test_a_folded_text_opens_without_a_script(browser: Any, data: Path, tmp_path: Path) -> None:
    answers = data / "small" / "model_answer" / "base.jsonl"
    text = "\\n\\n".join(f"line {number} of it" for number in range(60))
    original = answers.read_text(encoding="utf-8")
    answers.write_text(original.replace("base says turn 1 of q-sum", text), encoding="utf-8")
    export(Site(data), tmp_path / "site")
    answers.write_text(original, encoding="utf-8")
    file = next(file for file in sorted((tmp_path / "site").glob("game-*.html")) if "line 59 of it" in file.read_text())
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    answer, fold = page.locator(".answer:has-text('line 59 of it')").first, page.locator(".columns .fold").first
    assert answer.bounding_box()["height"] < 400
    fold.locator("summary").click()
    assert answer.bounding_box()["height"] > 1500
    assert fold.inner_text().strip().startswith("Show less")
    context.close()
