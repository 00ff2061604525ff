"""What models wrote, as HTML: shown whole, and nothing of it alive."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from arena_hard.browse import markup
from arena_hard.data.settings import DEFAULT_PATTERN
from tests.support.browse_hostile import HOSTILE

PATTERNS = (re.compile(DEFAULT_PATTERN),)
ALLOWED_WORDS = (
    "div p br hr h4 h5 h6 ul ol li blockquote pre code span table thead tbody tr th td em strong s a mark math mrow "
    "mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd mstyle mpadded"
)
ALLOWED = set(ALLOWED_WORDS.split())


class Tags(HTMLParser):
    """All tags and attributes of a piece of HTML, its text, and which tags were left open."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("render", [markup.formatted, markup.plain])
@pytest.mark.parametrize("name", HOSTILE)
def test_only_known_tags_and_harmless_attributes_come_out(name: str, render: Callable[..., str]) -> None:
    tags = Tags(render(HOSTILE[name], PATTERNS))
    assert tags.open == []
    for tag, attributes in tags.found:
        assert tag in ALLOWED
        assert not any(key.startswith("on") or key in ("src", "id", "name", "srcset") for key in attributes)
        assert not re.search(r"url\(|position", attributes.get("style") or "")
        address = attributes.get("href")
        assert address is None or re.match(r"(https?|mailto):", address)


def test_html_is_shown_as_it_was_written() -> None:
    tags = Tags(markup.formatted("before <script>alert(1)</script> <b>after</b>"))
    assert tags.text.strip() == "before <script>alert(1)</script> <b>after</b>"


def test_an_image_becomes_words_and_a_link() -> None:
    html = markup.formatted("![a cat](https://example.org/cat.png)")
    assert '<a href="https://example.org/cat.png"' in html
    assert "[image, not loaded: a cat]" in html
    assert "<img" not in html


def test_code_is_highlighted_and_named() -> None:
    html = markup.formatted("```python\ndef f():\n    return 1 < 2\n```")
    assert 'data-language="python"' in html
    assert '<span class="k">def</span>' in html
    assert Tags(html).text.strip() == "def f():\n    return 1 < 2"


@pytest.mark.parametrize(
    "text",
    [
        "$x^2$",
        "$$x^2$$",
        r"\(x^2\)",
        r"\[x^2\]",
        "so \\[\nx^2\n\\] holds",
        "\\begin{align}\nx^2\n\\end{align}",
        "- a list with $x^2$",
    ],
)
def test_formulas_become_mathml(text: str) -> None:
    html = markup.formatted(text)
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in html
    assert "$" not in html and "\\" not in html


def test_prices_are_no_formulas() -> None:
    assert "<math" not in markup.formatted("It costs $5 and $10, or US$20 to US$30.")


def test_a_formula_that_cannot_be_read_is_shown_as_its_source() -> None:
    assert r"\undefinedthing" in Tags(markup.formatted(r"$\undefinedthing{\left( x$")).text


def test_the_verdict_is_marked_in_text_and_in_code() -> None:
    for text in ("My verdict: [[A>>B]].", "**[[A>>B]]**", "`[[A>>B]]`", "```\n[[A>>B]]\n```"):
        assert '<mark class="verdict">[[A&gt;&gt;B]]</mark>' in markup.formatted(text, PATTERNS)
    assert '<mark class="verdict">[[A&gt;&gt;B]]</mark>' in markup.plain("[[A>>B]]", PATTERNS)


def test_characters_that_reorder_text_are_written_out() -> None:
    html = markup.formatted(HOSTILE["bidi"])
    assert "⟨U+202E⟩cod.exe⟨U+202C⟩" in html
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u0000\u001b]", html)


def test_a_text_of_megabytes_is_shown_plain() -> None:
    html = markup.formatted("**x** " * 100_000)
    assert html.startswith('<pre class="plain"')
