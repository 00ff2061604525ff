"""Whether prompts and replies fit into a model's context, and what to set where they do not.

Tokens are mostly counted with another vocabulary than the model's, so nothing is refused for a count: it is said how
many prompts will not fit, and what to set. Only the server's own word is certain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from arena_hard.calling.prompt_tokens import MESSAGE_TOKENS, PromptCounter
from arena_hard.calling.providers import context_length
from arena_hard.calling.providers.base import OUTPUT_LIMITS, CallError, Message, TooLong
from arena_hard.calling.providers.context_length import too_long
from arena_hard.data.settings import ModelSettings

MOST_COUNTED = 2000  # prompts; of more, a part is counted
LEAST_REPLY = 512  # tokens in which a judge or a model says something useful
_MARGIN = 1.05  # by which one vocabulary may count more tokens than another
LISTING = ("mistral", "together", "groq", "openrouter")  # providers whose list of models has lengths
_OWN_SERVER = {
    context_length.VLLM: "serve it with --max-model-len {}",
    context_length.SGLANG: "serve it with --context-length {}",
    context_length.LLAMA_CPP: "serve it with -c {} for each slot (-c is divided by -np)",
    context_length.OLLAMA: "start Ollama with OLLAMA_CONTEXT_LENGTH={}",
    context_length.LM_STUDIO: "load it with a context length of {}",
    context_length.TGI: "serve it with --max-total-tokens {}",
}
_OWN_TOOL = "llama_server.py"  # of tools/: its --context is of each slot
_ANY_SERVER = "serve it with a context of {} tokens (vLLM: --max-model-len, SGLang: --context-length, llama.cpp: -c)"


class Context(msgspec.Struct, frozen=True):
    """Tokens that prompt and reply may have together; source: who says so; engine: who runs it, as it is told by.

    counts: whether nobody else may say that a prompt does not fit, because the config states the length, or the server
    is_silent: it leaves out what does not fit without a word.
    """

    length: int
    source: str
    engine: str = ""
    counts: bool = False
    is_silent: bool = False


def stated(settings: ModelSettings) -> Context | None:
    """What the entry itself says."""
    length = settings.context_length
    return Context(length, "context_length in its entry", counts=True) if length else None


# ------------------------------------------------------------------------------------------ counting


class Prompts(msgspec.Struct, frozen=True):
    """The prompts of a run, one for each record, made anew by each call of `each`.

    unit: what the records are called; max_tokens: of a reply; shortens: whether the run shortens what does not fit
    (`truncate: answers`), None where it never can; beside: tokens that a later question of the same record takes beside
    its prompt, where these may be more than those of a reply; fewer_turns: what makes them fewer, if anything.
    """

    unit: str
    each: Callable[[], Iterable[list[Message]]]
    max_tokens: int
    shortens: bool | None = None
    beside: int = 0
    fewer_turns: str = ""

    def room_beside(self, settings: ModelSettings) -> int:
        """The tokens that a context has to hold beside a prompt."""
        return max(reply_tokens(settings, self.max_tokens), self.beside)


class Fit(msgspec.Struct, frozen=True):
    """How prompts fit: how many there are, how many may be too long, and the tokens of those that were counted.

    longest: tokens of the longest; is_own: whether they were counted with the model's own vocabulary.
    """

    total: int
    doubtful: int
    counts: tuple[int, ...]
    longest: int
    is_own: bool

    def over(self, room: int) -> int:
        """How many prompts have more tokens than this."""
        part = sum(count > room for count in self.counts)
        return -(-part * self.doubtful // len(self.counts)) if part else 0


def reply_tokens(settings: ModelSettings, max_tokens: int) -> int:
    """The tokens that a reply may have, thoughts included."""
    own = next((each for name in OUTPUT_LIMITS if isinstance(each := (settings.extra_body or {}).get(name), int)), None)
    return (own or settings.max_tokens or max_tokens) + (settings.thinking or 0)


def measured(settings: ModelSettings, prompts: Iterable[list[Message]], room: int) -> Fit:
    """How prompts fit into `room` tokens. Slow: call it off the event loop.

    A token has at least one byte: what has fewer bytes than that is not counted.
    """
    total = doubtful = most = 0
    longest: list[Message] = []
    kept: list[list[Message]] = []
    stride = 1
    for prompt in prompts:
        total += 1
        size = sum(len(message["content"].encode("utf-8", "replace")) + 2 * MESSAGE_TOKENS for message in prompt)
        if size <= room:
            continue
        if doubtful % stride == 0:
            kept.append(prompt)
        doubtful += 1
        most, longest = max((most, longest), (size, prompt), key=lambda each: each[0])
        if len(kept) > MOST_COUNTED:  # every second of them, from the first on
            kept, stride = kept[::2], 2 * stride
    counter = PromptCounter(settings.model_name)
    counts = tuple(map(counter.count, kept))
    return Fit(total, doubtful, counts, max((*counts, counter.count(longest) if longest else 0)), counter.is_own)


# ------------------------------------------------------------------------------------------- saying


def fit_line(settings: ModelSettings, context: Context, prompts: Prompts) -> str | None:
    """How many prompts will not fit and what to set; None where all do. Slow: call it off the event loop."""
    reply, beside = reply_tokens(settings, prompts.max_tokens), prompts.room_beside(settings)
    fit = measured(settings, prompts.each(), context.length - beside)
    over = fit.over(context.length - beside)
    if not over:
        return None
    about = "" if fit.is_own else "about "
    takes = (
        "max_tokens takes" if beside == reply else f"max_tokens {reply:,}, or the question for the label, takes about"
    )
    silent = " Ollama leaves out what does not fit without saying so." * (context.engine == context_length.OLLAMA)
    return (
        f"{settings.name}: the prompts of {about}{over:,} of {fit.total:,} {prompts.unit} do not fit into its context "
        f"of {context.length:,} tokens ({context.source}): {takes} {beside:,} of them, and the longest prompt "
        f"has {about}{fit.longest:,}.{silent} {_remedies(settings, context, prompts, fit)}"
    )


def _remedies(settings: ModelSettings, context: Context, prompts: Prompts, fit: Fit) -> str:
    reply, beside = reply_tokens(settings, prompts.max_tokens), prompts.room_beside(settings)
    fewer = _fewer_tokens(context.length, reply, fit) if beside == reply else ""
    if beside > reply and fit.longest + reply <= context.length:  # then it is the question alone that has no room
        fewer = prompts.fewer_turns
    ways = [fewer, _longer_context(settings, context, fit.longest + beside)]
    if prompts.shortens:
        tight = "" if beside == reply else "; where too little would be left of them, the question may not fit"
        return f"Their answers are shortened (truncate: answers){tight}. To avoid it: {_any_of(ways)}."
    return f"What helps: {_any_of([*ways, *_shortening(prompts)])}."


def _shortening(prompts: Prompts) -> list[str]:
    return ["truncate: answers in the judge's config, which shortens both answers alike"] * (prompts.shortens is False)


def _any_of(ways: Iterable[str]) -> str:
    *first, last = filter(None, ways)
    return f"{'; '.join(first)}; or {last}" if first else last


def _fewer_tokens(length: int, reply: int, fit: Fit) -> str:
    """The max_tokens with which all prompts fit, or most of them."""
    spare = int(length - fit.longest * (1.0 if fit.is_own else _MARGIN)) // 256 * 256
    if spare >= LEAST_REPLY:
        return f"max_tokens: {min(spare, reply)}" if spare < reply else ""
    fewer = 2 * LEAST_REPLY
    left = fit.over(length - fewer)
    if fewer >= reply or left >= fit.over(length - reply):
        return ""
    return f"max_tokens: {fewer} ({'' if fit.is_own else 'about '}{left:,} do not fit then)"


def _longer_context(settings: ModelSettings, context: Context, needed: int) -> str:
    rounded = -(-int(needed * _MARGIN) // 1024) * 1024
    if settings.api_type in LISTING or not (settings.endpoints or settings.serve):
        return f"a model with a context of {rounded} tokens"
    if settings.serve and _OWN_TOOL in settings.serve:
        return f"serve it with --context {rounded}"
    return _OWN_SERVER.get(context.engine, _ANY_SERVER).format(rounded)


def refusal_line(settings: ModelSettings, told: TooLong, context: Context | None, prompts: Prompts) -> str:
    """What to say of a refusal where the count says that all fit, or nobody says how much does."""
    reply = reply_tokens(settings, prompts.max_tokens)
    length = f" of {context.length:,} tokens" if context else ""
    has = f"of {told.prompt:,} tokens " if told.prompt else ""
    fewer = [prompts.fewer_turns] if told.is_later and prompts.fewer_turns else []
    ways = [*fewer, f"a max_tokens below {reply}", "a longer context", *_shortening(prompts)]
    unknown = "" if context else " context_length in its entry, if you know it, tells how many before a run."
    holds = "with the text before it " if told.is_later else ""
    return (
        f"{settings.name}: a prompt {has}{holds}does not fit into its context{length} beside max_tokens {reply}. "
        f"What helps: {_any_of(ways)}.{unknown}"
    )


def recognised(error: CallError, max_tokens: int) -> CallError:
    """An error, in words that are the same for all prompts that are too long; those without numbers are so already."""
    told = error.too_long or too_long(error.message)
    if told is None or error.kind == "rate limit":
        return error
    error.too_long, error.kind, error.about_request = told, "final", True
    if told == TooLong():
        return error
    place = re.match(r"(?:\S+: )?(?:\d{3}: )?", error.message)
    length = f" of {told.limit} tokens" if told.limit else ""
    error.message = (
        f"{place[0] if place else ''}the prompt and max_tokens {max_tokens} do not fit into the maximum context length"
        f"{length}"
    )
    return error
