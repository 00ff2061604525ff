"""Vectors of texts in the OpenAI protocol: /embeddings of OpenAI, Azure, and every server that speaks it."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Any

from arena_hard.calling.providers.base import CallError, Dialect, Reply, Request
from arena_hard.calling.providers.fields import Fields, whole_number
from arena_hard.calling.providers.http import error_told, post
from arena_hard.calling.providers.openai_chat import OpenAIChat
from arena_hard.calling.providers.usage import openai_usage
from arena_hard.data.usage import Usage


class WrongVectors(CallError):
    """A reply without a vector for each text, which may be due to one of the texts, and not to the server."""

    def __init__(self, message: str, usage: Usage | None) -> None:
        super().__init__("transient", message, usage=usage)

    def refuses_request(self) -> bool:
        """Other texts may well have vectors."""
        return True


class OpenAIEmbeddings(OpenAIChat):
    """Adapter over the openai SDK; the messages of a request are the texts."""

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """The JSON of one call."""
        texts = [message["content"] for message in request.messages]
        form = {} if "no encoding_format" in dialect else {"encoding_format": "float"}
        return {"model": request.model, "input": texts} | form | request.extra

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        """POST /embeddings through the SDK."""
        return await post("openai", client, "/embeddings", body, read_vectors)


def read_vectors(found: Any, asked: dict[str, Any]) -> Reply:
    """The vectors of a reply in the order of the texts. Raises CallError where one is missing or is none."""
    if error := error_told(found, asked):
        raise error
    whole = Fields(found)
    usage = openai_usage(whole.inner("usage"), has_text=False)
    rows = whole.raw("data")
    wanted = len(asked["input"])
    if not isinstance(rows, list) or len(rows) != wanted:
        count = len(rows) if isinstance(rows, list) else 0
        raise WrongVectors(f"the reply holds {count} vectors for {wanted} texts", usage)
    vectors: dict[int, list[float]] = {}
    for place, row in enumerate(map(Fields, rows)):
        index = whole_number(row.raw("index"))
        vectors[place if index is None else index] = _numbers(row.raw("embedding"))
    lengths = {len(vector) for vector in vectors.values()}
    if sorted(vectors) != list(range(wanted)) or len(lengths) != 1 or 0 in lengths:
        raise WrongVectors("the reply holds vectors that cannot be read", usage)
    ordered = tuple(vectors[place] for place in range(wanted))
    return Reply("", usage=usage, served_model=whole.text("model"), vectors=ordered)


def _numbers(value: Any) -> list[float]:
    """A vector: a list of numbers, or float32 in base64; empty where it is neither."""
    if isinstance(value, str):
        try:
            data = base64.b64decode(value, validate=True)
            value = struct.unpack(f"<{len(data) // 4}f", data)
        except (binascii.Error, struct.error):
            return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, (int, float)) for each in value):
        return []
    return [float(each) for each in value] if all(map(math.isfinite, value)) else []


ADAPTER = OpenAIEmbeddings()
