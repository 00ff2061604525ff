"""Where in a config file something stands: its line, and the keys above it, for messages."""

from __future__ import annotations

from typing import Any

import msgspec

from arena_hard.data.record_values import is_list, is_object


class Key(str):
    """A key of a mapping, with the line in which it is written."""

    line: int

    def __new__(cls, text: str, line: int) -> Key:
        """A key as written in this line."""
        key = super().__new__(cls, text)
        key.line = line
        return key


def line_of(key: str) -> int | None:
    """The line of a key, where it comes from a file."""
    return key.line if isinstance(key, Key) else None


def renamed(key: str, name: str) -> str:
    """Another name for a key, in the line of the one that is written."""
    return Key(name, key.line) if isinstance(key, Key) else name


class Place(msgspec.Struct, frozen=True):
    """A value in a config: its file, the keys above it, the line where it begins, and the value itself.

    As a text it is what stands in front of a message: `config/api_config.yaml:7: my-model: endpoints 1`.
    """

    file: str
    value: Any = None
    keys: tuple[str, ...] = ()
    line: int | None = None

    def __str__(self) -> str:
        """File, line and keys, with colons between them."""
        return ": ".join((f"{self.file}:{self.line}" if self.line else self.file, *self.keys))

    def at(self, key: str) -> Place:
        """The place of a key in this mapping; its line is that of the mapping where it is not written itself."""
        written = self.value if is_object(self.value) else dict[str, Any]()
        found = next((each for each in written if each == key), "")
        return Place(self.file, written.get(key), (*self.keys, str(key)), line_of(found) or self.line)

    def line_only(self, key: str) -> Place:
        """This mapping, with the line of one of its keys."""
        return Place(self.file, self.value, self.keys, self.at(key).line)

    def item(self, number: int) -> Place:
        """The place of the n-th item (from 1) of this list; one value alone is its own first item."""
        items: list[Any] = self.value if is_list(self.value) else [self.value]
        value = items[number - 1] if number <= len(items) else None
        lines = [line for line in map(line_of, value if is_object(value) else ()) if line]
        keys = (*self.keys[:-1], f"{self.keys[-1]} {number}") if self.keys else (str(number),)
        return Place(self.file, value, keys, min(lines, default=self.line))


def lines_within(entry: Place) -> dict[str, str]:
    """FILE:LINE of an entry (''), of its keys and of those of its endpoints ('endpoints 1 verify'), where known."""
    found = {"": entry}
    for key in entry.value:
        found[str(key)] = entry.at(key)
    endpoints = entry.at("endpoints")
    for number, endpoint in enumerate(endpoints.value if is_list(endpoints.value) else [endpoints.value], 1):
        item = endpoints.item(number)
        found[f"endpoints {number}"] = item
        if is_object(endpoint):
            found |= {f"endpoints {number} {key}": item.at(key) for key in endpoint}
    return {name: f"{place.file}:{place.line}" for name, place in found.items() if place.line}
