"""What models wrote, as HTML: shown whole, and nothing of it alive."""

from __future__ import annotations

import re
import time
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


# Lines as answers have them outside of code. CommonMark leaves a sign out of most of them.
AS_WRITTEN = r"""
11*11 = 121
2*3*4 = 24
a*b and c*d
(a*b)*(c*d) = e
5 * 3 * 2 = 30
the 50% * 20% * 3% of it
A^T*A*x = A^T*b
2**10 and x**2 + y**2
p* < 0.05, q* < 0.1
α*β*γ and F = α*x*β + γ and а*б*в
echo "$(date --rfc-3339=seconds)" | tee "${LOG}"
mv "$f" "${f%.txt}_old"
SELECT COUNT(*) FROM t WHERE n IN (SELECT COUNT(*) FROM u)
SELECT *, COUNT(*) FROM t
f(*args, **kwargs) calls g(*args)
print(*a, sep="*")
"**kwargs" and '*x*'
f'{x:*^10}' {y:*<5}
char *p, *q;
int* a, int* b
/*comment*/ here
/* a */ b /* c */
use *.txt, or foo.*
rm *.o and *.so
**Note:**text
n**k and m**k, 2**n**k
f(**kwargs) + a**b
**kwargs and x**y
2**10th and 3**4
rows*cols*depth and a ** b ** c
\( and \[ and \begin{x} alone
snake_case_name and other_name
__init__ and __name__ == '__main__'
_private_ and _x, y_z
foo_bar_ _baz
http://a.b/c_d_e*f*g
C:
ew_folder\_test\*
\server\share
regex \d+\.\d*\* and \(a|b5 \* 3 = 15
it costs \$5
1\. is no list
$5 and $10
$5 or 10$ a day
US$5 - US$10
costs $$ and $$$
$HOME/$PATH
echo $HOME and $PATH
user@host:~$ ls $HOME
and $(a) b, ${c} $1
#
##
# #
>
> >
+
*
> #
a <b> tag and <div class='x'>
x < y > z <- w -> v
std::vector<int> and List<String>
<!-- a comment -->
<https://example.org> or <me@example.org>
&lt;p&gt; and &amp; &copy; &nbsp;
[1]: https://example.org notes
see [1] and [2][3]
arr[i](x) and f[0]() and ![x](y)
[a](relative/path)
>>> import os
#hashtag and C#
~5 and ~6
x^2^ and H~2~O
a | b | c
| a || b |
5' 3" tall -- or "so"...
(c) (r) (tm) +-
:smile: 8) B)
""".strip().splitlines()


@pytest.mark.parametrize("line", AS_WRITTEN)
def test_every_sign_of_an_ordinary_line_is_shown(line: str) -> None:
    assert " ".join(Tags(markup.formatted(line)).text.split()) == " ".join(line.split())
    assert " ".join(Tags(markup.formatted(f"Before:\n\n- {line}\n")).text.split()).endswith(" ".join(line.split()))


def test_what_is_meant_as_markup_is_still_markup() -> None:
    text = "**bold**, *it*, (**x**), ***both***, **중요**는, _two words_, ~~gone~~, `a*b`, [x](https://a.b/c_d 'of it')"
    html = markup.formatted(text)
    for part in (
        "<strong>bold</strong>", "<em>it</em>", "(<strong>x</strong>)", "<em><strong>both</strong></em>",
        "<strong>중요</strong>는", "<em>two words</em>", "<s>gone</s>", "<code>a*b</code>", 'title="of it"',
    ):  # fmt: skip
        assert part in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold**text", "<strong>bold</strong>text"),
        ("text**bold**", "text<strong>bold</strong>"),
        ("un**believ**able", "un<strong>believ</strong>able"),
        (
            "the **Haupt**teil, in **two words**like this",
            "the <strong>Haupt</strong>teil, in <strong>two words</strong>",
        ),
        ("A**nd** so, 5 **Bold**ly", "A<strong>nd</strong> so, 5 <strong>Bold</strong>ly"),
        ("x**2 is **big**ger than y**2", "x**2 is <strong>big</strong>ger than y**2"),
    ],
)
def test_emphasis_within_words_is_markup(text: str, html: str) -> None:
    assert html in markup.formatted(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("1. one\n3. three", '<li value="3">three'),
        ("1. one\n1. another", '<li value="1">another'),
        ("2) two", '<ol class="paren"><li value="2">two'),
        ("1986. A great year", '<li value="1986" class="wide-number">A great year'),
        ("+ 5 dollars", '<ul class="plus"><li>5 dollars'),
    ],
)
def test_lists_keep_their_numbers_and_signs(text: str, part: str) -> None:
    assert part in markup.formatted(text)


def test_a_code_block_in_a_code_block_is_inside() -> None:
    text = "```md\n# T\n```python\nx = 1\n```\nend\n```\n\nafter **it**"
    tags = Tags(markup.formatted(text))
    assert "```python\nx = 1\n```\nend" in tags.text and "<strong>it</strong>" in markup.formatted(text)
    twice = "```python\nx = 1\n```\n\nand *so*\n\n```js\ny\n```"
    assert "<em>so</em>" in markup.formatted(twice)


def test_a_passage_that_would_lose_a_letter_is_shown_as_it_stands() -> None:
    html = markup.formatted("**Table**\n\n|a|b|\n|-|-|\n|1|2|lost|\n\n*end*")
    assert '<pre class="plain" tabindex="0">|a|b|\n|-|-|\n|1|2|lost|' in html
    assert "<strong>Table</strong>" in html and "<em>end</em>" in html and "<table" not in html


@pytest.mark.parametrize("text", ["$n % 2 = 0$", r"\(17 % 5 = 2\)", "$$\n17 % 5 = 2\n$$"])
def test_a_percent_sign_begins_no_comment(text: str) -> None:
    assert "%" in Tags(markup.formatted(text)).text and re.search("[02]$", Tags(markup.formatted(text)).text.strip())


@pytest.mark.parametrize("formula", ["$AB$", "the $n$th term", "$(x+y)^2$", "$a = b$"])
def test_what_is_a_formula_stays_one(formula: str) -> None:
    assert "<math" in markup.formatted(formula)


INFOS = ["python:src/app.py", 'python title="app.py"', "{python, echo=FALSE}", "python {1,3-4}"]


@pytest.mark.parametrize("info", INFOS)
def test_what_is_said_of_a_code_block_is_shown(info: str) -> None:
    html = markup.formatted(f"```{info}\ndef f(): pass\n```")
    assert Tags(html).found[1][1]["data-language"] == info and '<span class="k">def</span>' in html


DEGENERATE = [
    "_a" * 8000, "*a" * 8000, "```py\n" * 3000, "`" * 3 + "x\n````\n" * 2000, "**a" * 5000, "a**b" * 4000,
    r"\(" * 16000, r"\[" * 16000, "\\[\n" * 10000, r"\begin{a}" * 5000, r"\begin{a}x\end{b}" * 2000, "(\\" * 16000,
    "\\[a\\]x\n" * 2000, r"\(a\)" * 2000,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("text", DEGENERATE, ids=range(len(DEGENERATE)))
def test_a_degenerate_text_takes_no_longer_than_its_length(text: str) -> None:
    """Four times the text takes four times as long: sixteen times, as where time grows with the square, is too much."""
    quarter, whole = (min(_seconds_for(part) for _ in range(3)) for part in (text[: len(text) // 4], text))
    assert whole < 10 * max(quarter, 0.05), (quarter, whole)


def _seconds_for(text: str) -> float:
    """Processor time of one formatting. The least of several is the text's own: beside other work it can only rise."""
    started = time.process_time()
    markup.formatted(text)
    return time.process_time() - started


def test_an_image_becomes_words_and_a_link() -> None:
    html = markup.formatted('![a cat](https://example.org/cat.png) ![two](https://example.org/2.png "of <it>")')
    assert '<a href="https://example.org/cat.png"' in html
    assert "[image, not loaded: a cat]" in html and '[image, not loaded: two "of &lt;it&gt;"]' in html
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


LOSSY = [r"\badmacro{x}", r"\label{eq:1}x", r"\ref{abc}"]


@pytest.mark.parametrize("formula", LOSSY)
def test_a_formula_that_would_not_be_shown_whole_is_shown_as_its_source(formula: str) -> None:
    assert Tags(markup.formatted(f"${formula}$")).text.strip() == formula


WHOLE = [
    r"\hspace{1em}x",
    r"\color{red}{x}",
    r"\mathbb{R}^{10}",
    r"\begin{array}{c|c}x\\[2pt]y\end{array}",
    r"\tfrac12\%",
    r"\backslash x",
]


@pytest.mark.parametrize("formula", WHOLE)
def test_names_and_measures_in_a_formula_need_not_be_shown(formula: str) -> None:
    assert "<math" in markup.formatted(f"${formula}$")


def test_the_lines_of_a_formula_get_no_numbers() -> None:
    html = markup.formatted(r"\begin{align}a&=b\\c&=d\end{align}")
    assert "<math" in html and Tags(html).text.strip() == "a=bc=d"


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
