"""`probe: true`: five fixed questions before a run's records, whose answers tell whether a model is still the same.

A provider may put other weights behind a name, and a server be started with another quantization. What a model answers
at temperature 0 is kept as a hash in the manifest. Equal hashes prove nothing, and with some servers answers differ
from one time to the next; different ones are said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from arena_hard.calling.providers.base import CallError, Message, Reply
from arena_hard.data.settings import ModelSettings

# short answers, in which models and quantizations differ all the same
QUESTIONS = (
    "Name twelve English words that rhyme with 'light', separated by commas, and nothing else.",
    "Compute 4871 * 6393. Give the number only.",
    "Finish this sentence in about thirty words: On the third day the lighthouse keeper",
    "Translate into French, German and Latin: 'Whoever digs a well should not forget the buckets.'",
    "Write a Python function of at most six lines that reverses the words of a sentence. Code only.",
)
_MOST_TOKENS, _MOST_WITH_THOUGHTS = 1024, 8192


def asking(settings: ModelSettings) -> ModelSettings:
    """The entry as the probe asks with it: nothing of its own that changes an answer's length or chance."""
    return msgspec.structs.replace(settings, temperature=None, max_tokens=None, retry_truncated=False, record=None)


class Probed(msgspec.Struct):
    """What a run's entry says of its probe: the hash, or why there is none."""

    hash: str | None = None
    failed: str | None = None

    def note(self, name: str, before: str | None) -> str | None:
        """A sentence where the probe of the model of this name failed, or is not that of the run before."""
        if self.hash is None:
            return f"the probe of {name} failed: {self.failed}"
        if before in (None, self.hash):
            return None
        return (
            f"{name} answers the probe's questions differently than in the previous run ({before} → {self.hash}): the "
            "weights behind its name, or how they are run, may have changed."
        )

    @classmethod
    async def of(cls, settings: ModelSettings, ask: Callable[[list[Message], float, int], Awaitable[Reply]]) -> Probed:
        """Ask a model: `ask` takes messages, temperature and the most tokens. Raises NoRoom."""
        found = hashlib.sha256()
        thinks = settings.reasoning_effort or settings.thinking
        limit = _MOST_WITH_THOUGHTS if thinks else _MOST_TOKENS
        try:
            for question in QUESTIONS:
                reply = await ask([{"role": "user", "content": question}], 0.0, limit)
                found.update(reply.content.encode("utf-8", "surrogatepass") + b"\0")
        except CallError as error:
            return cls(failed=error.message)
        return cls(hash=found.hexdigest()[:16])
