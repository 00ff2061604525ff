"""What models wrote, as HTML in which nothing can run, load or break out of its box.

Three layers, each enough alone for most attacks: the Markdown parser lets no HTML through, an
allow-list drops every tag and attribute that it does not know, and the page's content security
policy refuses scripts and addresses from elsewhere. Formulas become MathML, which needs no script.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from arena_hard.browse import markdown_rules
from arena_hard.browse.formula_rules import add_formulas, is_whole, readable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MOST_CHARACTERS = 200_000  # longer texts are shown as they are: formatting them takes seconds
_MARK = ("\ue000", "\ue001")  # stand around a verdict while the Markdown is rendered

_TOKEN = re.compile(r"[0-9a-f]{24}")  # stands for a formula until the HTML around it is clean

_TAG_WORDS = "p br hr h4 h5 h6 ul ol li blockquote pre code span div table thead tbody tr th td em strong s a"
_TAGS = set(_TAG_WORDS.split())
_ATTRIBUTES = {
    "a": {"href", "target", "title"},
    "ol": {"class"},
    "ul": {"class"},
    "li": {"class", "value"},
    "pre": {"class", "data-language", "tabindex"},
    "span": {"class"},
    "div": {"class", "tabindex"},
    "th": {"style"},
    "td": {"style"},
}
# Characters that reorder or hide text, which a reader must see to judge it.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b\u202a-\u202e\u2060\u2066-\u2069\ue000-\ue001]"
)


def plain(text: str, patterns: Sequence[re.Pattern[str]] = ()) -> Markup:
    """The text as it stands, in one box; verdicts that `patterns` find are marked."""
    return Markup(_with_marks(_as_it_stands(_marked(visible(text), patterns))))


def _as_it_stands(text: str) -> str:
    return f'<pre class="plain" tabindex="0">{html.escape(text)}</pre>'


@lru_cache(maxsize=64)
def formatted(text: str, patterns: tuple[re.Pattern[str], ...] = ()) -> Markup:
    """Markdown with tables, code and formulas as safe HTML; verdicts that `patterns` find are marked."""
    if len(text) > MOST_CHARACTERS:
        return plain(text, patterns)
    import nh3

    formulas: dict[str, str] = {}
    try:
        raw = _rendered(_marked(visible(text), patterns), {"formulas": formulas})
    except (RecursionError, ValueError, IndexError):
        return plain(text, patterns)
    clean = nh3.clean(
        raw,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        filter_style_properties={"text-align"},
        link_rel="noopener noreferrer nofollow",
    )
    clean = _TOKEN.sub(lambda found: formulas.get(found[0], found[0]), clean)
    return Markup(f'<div class="markup" dir="auto">{_with_marks(clean)}</div>')


def _rendered(text: str, env: dict[str, Any]) -> str:
    """The text as HTML; a passage of which Markdown would leave something out stands as it was written."""
    parser, source = _parser(), markdown_rules.with_nested_fences(text)
    tokens = parser.parse(source, env)
    if not markdown_rules.loses(source, tokens):
        return parser.renderer.render(tokens, parser.options, env)
    lines = source.split("\n")
    parts: list[str] = []
    for block in markdown_rules.passages(tokens):
        first, last = block[0].map or (0, 0)
        written = "\n".join(lines[first:last])
        lost = markdown_rules.loses(written, block)
        parts.append(_as_it_stands(written) if lost else parser.renderer.render(block, parser.options, env))
    return "".join(parts)


def visible(text: str) -> str:
    """The text with control characters and those that reorder it written out as ⟨U+202E⟩."""
    return _HIDDEN.sub(lambda match: f"⟨U+{ord(match.group()):04X}⟩", text.replace("\r\n", "\n"))


def _marked(text: str, patterns: Sequence[re.Pattern[str]]) -> str:
    for pattern in patterns:
        if pattern.search(text):
            return pattern.sub(lambda match: f"{_MARK[0]}{match.group()}{_MARK[1]}", text)
    return text


def _with_marks(safe: str) -> str:
    return safe.replace(_MARK[0], '<mark class="verdict">').replace(_MARK[1], "</mark>")


# ------------------------------------------------------------------------------------- Markdown


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    add_formulas(parser)
    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    markdown_rules.be_faithful(parser)
    rules: dict[str, Any] = parser.renderer.rules  # pyright: ignore[reportAttributeAccessIssue] - the default's own
    rules["fence"] = rules["code_block"] = _code_block
    rules["image"] = _image
    rules["heading_open"] = lambda tokens, i, *_: f"<{_heading(tokens[i].tag)}>"
    rules["heading_close"] = lambda tokens, i, *_: f"</{_heading(tokens[i].tag)}>"
    rules["link_open"] = _link_open
    rules["table_open"] = lambda *_: '<div class="wide" tabindex="0"><table>'
    rules["table_close"] = lambda *_: "</table></div>"
    for name in ("math_inline", "math_single"):
        rules[name] = lambda tokens, i, _, env: _formula(tokens[i].content, "inline", env)
    for name in ("math_block", "math_block_label", "math_inline_double"):
        rules[name] = lambda tokens, i, _, env: _formula(tokens[i].content, "block", env)
    return parser


def _heading(tag: str) -> str:
    """Headings of an answer stand below the page's own, so that a screen reader keeps its way."""
    return f"h{min(6, int(tag[1]) + 3)}"


def _link_open(tokens: Any, i: int, *_: Any) -> str:
    address = html.escape(str(tokens[i].attrs.get("href", "")))
    title = html.escape(str(tokens[i].attrs.get("title", "")))
    return f'<a href="{address}" target="_blank"' + (f' title="{title}">' if title else ">")


def _image(tokens: Any, i: int, *_: Any) -> str:
    """An image is not loaded: its description and title stand there, and its address as a link."""
    address = html.escape(str(tokens[i].attrs.get("src", "")))
    title = tokens[i].attrs.get("title")
    words = html.escape((tokens[i].content or "image") + (f' "{title}"' if title else ""))
    return f'<a href="{address}" target="_blank">[image, not loaded: {words}]</a>'


def _code_block(tokens: Any, i: int, *_: Any) -> str:
    info = (tokens[i].info or "").strip()
    language = re.match(r"[\w+#.-]*", info.lstrip("{. "))
    code = _highlighted(tokens[i].content, language.group()[:24] if language else "")
    return f'<pre data-language="{html.escape(info)}" tabindex="0"><code>{code}</code></pre>'


def _highlighted(code: str, language: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False) if language and len(code) < 50_000 else None
    except ClassNotFound:
        lexer = None
    return html.escape(code) if lexer is None else highlight(code, lexer, HtmlFormatter(nowrap=True))


# ------------------------------------------------------------------------------------- formulas

_MATH_TAG_WORDS = (
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd "
    "mstyle mpadded mphantom menclose mfenced"
)
_MATH_TAGS = set(_MATH_TAG_WORDS.split())
_MATH_ATTRIBUTE_WORDS = (
    "display mathvariant stretchy fence separator form accent accentunder columnalign rowspacing columnspacing "
    "linethickness displaystyle scriptlevel lspace rspace width height depth minsize maxsize symmetric notation "
    "movablelimits"
)
_MATH_ATTRIBUTES = set(_MATH_ATTRIBUTE_WORDS.split())


def _formula(latex: str, display: str, env: dict[str, Any]) -> str:
    """A token that stands for the formula until the HTML around it is clean."""
    token = secrets.token_hex(12)
    env["formulas"][token] = mathml(latex.strip(), display)
    return token


def mathml(latex: str, display: str) -> str:
    """A formula as MathML out of allowed elements; its source where it cannot be read or would not be shown whole."""
    from xml.etree import ElementTree

    source = f'<code class="formula">{html.escape(latex)}</code>'
    if not latex or len(latex) > 5_000:
        return source
    try:
        from latex2mathml.converter import convert

        root = ElementTree.fromstring(convert(readable(latex), display=display))
        body = _allowed(root)
        if not is_whole(latex, list(root.itertext())):
            return source
    except Exception:  # the converter raises errors of many kinds on formulas that it does not know
        return source
    scroll = ' class="wide" tabindex="0"' if display == "block" else ""
    return f"<span{scroll}>{body}</span>"


def _allowed(element: Any) -> str:
    """An element and what is in it, written anew from the allow-lists."""
    tag = element.tag.rpartition("}")[2]
    if tag not in _MATH_TAGS:
        raise ValueError(f"{tag} is no element of a formula")
    pairs = [(name, value) for name, value in element.attrib.items() if name in _MATH_ATTRIBUTES]
    attributes = "".join(f' {name}="{html.escape(value)}"' for name, value in pairs)
    inside = html.escape(element.text or "") + "".join(
        _allowed(child) + html.escape(child.tail or "") for child in element
    )
    return f"<{tag}{attributes}>{inside}</{tag}>"
