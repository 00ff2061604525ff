"""What the loopback model says: a function of seed, model and messages alone."""

from __future__ import annotations

import json
import random
import re
from functools import lru_cache

from . import constraint
from .asks import Ask, Reply, tokens
from .faults import seed_of, share
from .settings import Settings, size_of

LABELS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
_LABEL_ASKED = re.compile(r"\[\[[AB][<>=]{1,2}[AB]\]\]")

_WORD_LIST = (
    "river stone bright lantern copper garden quiet window harbour paper silver morning ladder cloud "
    "engine button forest letter candle bridge winter orchard signal market pepper violet anchor "
    "meadow compass thread marble kettle shadow pillow rocket basket island needle thunder velvet "
    "walnut canvas feather hollow ribbon saddle timber utensil valley whistle yellow zigzag almond "
    "beacon circle dragon ember flute granite hammer "
)
_WORDS = _WORD_LIST.split()


def compose(ask: Ask, settings: Settings) -> Reply:
    """The model's reply with its tokens counted and cut to the room that the request gives."""
    content = _content(ask, settings)
    thought = None
    if settings.reasoning is not None or _thinking_asked(ask):
        thought = _sentences(random.Random(seed_of("thought", settings.seed, ask.model, ask.digest)), 3)
    if thought is not None and settings.reasoning == "think":
        content, thought = f"<think>\n{thought}\n</think>\n\n{content}", None
    reply = Reply(content, thought, prompt_tokens=ask.prompt_tokens)
    if constraint.form_of(ask.body) == "tool" in settings.constraints:
        reply.tool_input = json.loads(content)
    if settings.logprobs and ask.body.get("logprobs"):
        reply.logprobs = constraint.logprobs(content, settings.logprobs)
    if settings.obey_max_tokens and ask.room is not None:
        cut(reply, ask.room)
    count(reply)
    return reply


def halve(reply: Reply) -> None:
    """Leave half the text, as if the limit on tokens had been reached."""
    reply.content = (reply.content or "")[: len(reply.content or "") // 2]
    reply.finish = "length"
    count(reply)


def cut(reply: Reply, room: int) -> None:
    """Cut thought and content to `room` tokens together; the thought comes first."""
    left = room * 4
    for name in ("thought", "content"):
        raw = (getattr(reply, name) or "").encode("utf-8", "surrogatepass")
        if len(raw) > left:
            setattr(reply, name, raw[:left].decode("utf-8", "ignore"))
            reply.finish = "length"
        left = max(0, left - len(raw))


def count(reply: Reply) -> None:
    """Set the reply's numbers of tokens from its texts."""
    reply.thought_tokens = tokens(_size(reply.thought))
    reply.completion_tokens = tokens(_size(reply.content)) + reply.thought_tokens


def _size(text: str | None) -> int:
    return 0 if text is None else len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _thinking_asked(ask: Ask) -> bool:
    thinking = ask.body.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


def _content(ask: Ask, settings: Settings) -> str:
    form = constraint.form_of(ask.body)
    if form in settings.constraints:
        rng = random.Random(seed_of("choice", settings.seed, ask.model, ask.digest))
        return constraint.choose(ask.body, str(form), rng)
    if settings.reply == "echo":
        return ask.last_user_text
    size = size_of(settings.reply)
    if settings.reply == "verdict" or (settings.auto_verdict and _verdict_asked(ask)):
        return _judgment(ask, settings, size)
    if size is not None:
        return _sized(ask, size)
    rng = random.Random(seed_of("text", settings.seed, ask.model, ask.digest))
    return _marked_up(rng) if settings.markdown else _sentences(rng, rng.randint(3, 8))


def _verdict_asked(ask: Ask) -> bool:
    return any(role != "assistant" and _LABEL_ASKED.search(text) for role, text in ask.messages)


def _judgment(ask: Ask, settings: Settings, size: int | None) -> str:
    rng = random.Random(seed_of("verdict", settings.seed, ask.model, ask.digest))
    label = rng.choice(LABELS)
    ending = f"\n\nThat makes it [[{label}]]."
    if share("unreadable", settings.seed, ask.model, ask.digest) < settings.unreadable:
        ending = rng.choice(("\n\nI would rather not decide.", "\n\nEither [[A>B]] or [[B>A]]."))
    if size is not None:
        return _filler(max(0, size - len(ending))) + ending
    first, second = _sentences(rng, 2), _sentences(rng, 2)
    return f"Assistant A wrote: {first} Assistant B wrote: {second}{ending}"


def _sized(ask: Ask, size: int) -> str:
    # The digest keeps different prompts' answers apart without making text for each.
    start = f"{seed_of(ask.model, ask.digest):016x} "
    return (start + _filler(max(0, size - len(start))))[:size]


@lru_cache(maxsize=64)
def _filler(size: int) -> str:
    """`size` bytes of words."""
    return (_WORD_LIST * (size // len(_WORD_LIST) + 1))[:size]


def _sentence(rng: random.Random) -> str:
    words = rng.choices(_WORDS, k=rng.randint(6, 14))
    return " ".join(words).capitalize() + "."


def _sentences(rng: random.Random, number: int) -> str:
    return " ".join(_sentence(rng) for _ in range(number))


def _marked_up(rng: random.Random) -> str:
    items = "\n".join(f"- **{rng.choice(_WORDS)}**: {_sentence(rng)}" for _ in range(rng.randint(2, 5)))
    code = f"```python\n{rng.choice(_WORDS)} = {rng.randint(1, 99)}\n```"
    heading = f"## {rng.choice(_WORDS).capitalize()}"
    return "\n\n".join((heading, _sentences(rng, 2), items, code, _sentence(rng)))
