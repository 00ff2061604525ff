"""What a server counts beyond what a request explains, learnt from the usage that it reports.

Chat templates and system prompts of a gateway make prompts longer than their text; some servers let a model think
beyond max_tokens. Before the first reply nobody knows; afterwards the next requests are expected to be like it.
"""

from __future__ import annotations

import msgspec

from arena_hard.data.usage import Usage

STRANGER_TOKENS = 16_384  # beyond the known bound, each way, until a server has shown how it counts


class Surplus(msgspec.Struct):
    """The most that was counted beyond a bound, and the largest bound that was seen.

    For a surplus a + c·bound with unknown a and c, the largest seen times the growth of the bound is never too low.
    margin: how many times what was seen is expected.
    """

    margin: float = 1.0
    most: int = 0
    largest: int = 1

    def learn(self, bound: int, counted: int) -> bool:
        """A request was counted; True where that was more than was expected of it."""
        news = counted > bound + self.of(bound)
        self.most = max(self.most, counted - bound)
        self.largest = max(self.largest, bound)
        return news

    def of(self, bound: int) -> float:
        """Tokens to expect beyond a bound."""
        return self.margin * self.most * max(1.0, bound / self.largest)


class Lessons(msgspec.Struct):
    """What one model's replies taught; `known` once there was one."""

    prompt: Surplus = msgspec.field(default_factory=Surplus)
    reply: Surplus = msgspec.field(default_factory=lambda: Surplus(margin=2.0))  # thoughts differ more than templates
    known: bool = False

    def learn(self, size: int, longest: int, usage: Usage | None) -> bool:
        """A reply came; True where it cost more than was expected. size: bytes; longest: tokens."""
        self.known = True
        if usage is None:
            return False
        usage = usage.whole()
        longer = self.reply.learn(longest, usage.completion_tokens)
        return self.prompt.learn(size, usage.prompt_tokens) or longer
