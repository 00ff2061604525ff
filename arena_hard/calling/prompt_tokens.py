"""How many tokens a prompt has, counted before it is sent."""

from __future__ import annotations

from collections.abc import Iterable

from arena_hard.calling.providers.base import Message
from arena_hard.data.tokens import TokenCounter

MESSAGE_TOKENS = 4  # what a chat format adds to each message
NEW_VOCABULARY = ("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "chatgpt-4o", "o1", "o3", "o4")
_OLD_VOCABULARY = ("gpt-4", "gpt-3.5", "gpt-35")


class PromptCounter:
    """Counts the tokens of prompts.

    exact: whether a vocabulary could be had; is_own: whether it is the model's own one.
    """

    def __init__(self, model_name: str) -> None:
        name = model_name.rpartition("/")[2]
        new = name.startswith(NEW_VOCABULARY)
        self._counter = TokenCounter("o200k_base" if new else "cl100k_base")
        self.exact = True
        self.is_own = new or name.startswith(_OLD_VOCABULARY)

    def count(self, messages: Iterable[Message]) -> int:
        """Tokens of one request's messages; four bytes a token where no vocabulary can be had."""
        return sum(self.text(message["content"]) + MESSAGE_TOKENS for message in messages) + 3

    def text(self, text: str) -> int:
        """Tokens of one text."""
        counted = self._counter.count(text)
        if counted is None:
            self.exact = False
            return -(-len(text.encode("utf-8", "replace")) // 4)
        return counted
