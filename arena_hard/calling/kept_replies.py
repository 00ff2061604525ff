"""Replies on disk before their record is: what has been paid for is not asked for again.

A judgment takes two calls or more, and so does an answer of several turns. Each reply is kept as it comes, and
forgotten when its record is written. So a kill between two games, or a second game that fails, costs nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from arena_hard.calling.providers.base import Reply, Request
from arena_hard.calling.providers.token_odds import tokens_from_row, tokens_row
from arena_hard.data import jsonl
from arena_hard.data.usage import usage_from_row, usage_row
from arena_hard.data.writer import RecordWriter

_LATER = ("stop", "choices", "fields", "logprobs", "embeds")
_OF_THE_RECORD = ("label", "redo")  # what a line says beside the reply


def key_of(request: Request, label: str, asked: dict[str, int]) -> str:
    """The name of a call of the record `label`: the same whenever the record is played, in whichever run.

    asked: how often this playing of the record has asked the same before (choices ask it several times).
    """
    call = asdict(replace(request, shared=0))  # what others begin with is no part of what is asked
    for name in _LATER:
        if not call[name]:
            del call[name]  # the names of calls without it stay what they were
    content = msgspec.json.encode([label, call], order="deterministic")
    name = hashlib.sha256(content).hexdigest()[:32]
    number = asked.get(name, 0)
    asked[name] = number + 1
    return f"{name}-{number}" if number else name


def reply_row(reply: Reply) -> dict[str, Any]:
    """A reply that has a key as a line of a file."""
    row = {
        "key": reply.key,
        "content": reply.content,
        "finish_reason": reply.finish_reason,
        "usage": usage_row(reply.usage),
        "served_model": reply.served_model,
        "fingerprint": reply.fingerprint,
        "thought": reply.thought,
    }
    row |= {"notes": reply.notes} if reply.notes else {}
    row |= {"form": reply.form} if reply.form else {}
    return row | {"tokens": tokens_row(reply.tokens)} if reply.tokens else row


def reply_from_row(row: dict[str, Any]) -> Reply:
    """The reply of a line."""
    notes = tuple((kind, what) for kind, what in row.get("notes", ()))
    tokens = tokens_from_row(row.get("tokens"))
    return Reply(**{**row, "usage": usage_from_row(row["usage"]), "notes": notes, "tokens": tokens})


def unfinished_file(records: Path) -> Path:
    """Where the replies of a record file's unfinished records are."""
    return records.with_suffix(".unfinished")


class KeptReplies:
    """The replies of one stage and model whose records are not written yet.

    written: the labels of the records that are there; what is kept for them is out of date. anew: those of records that
    a --redo of this name makes anew; of them, what it has kept itself counts. all_anew: whether this run is of that
    --redo, so that it counts of all. beside: such files of other runs, which are only read.
    """

    def __init__(
        self,
        file: Path,
        writer: RecordWriter,
        written: Set[str],
        redo: str = "",
        anew: Set[str] = frozenset(),
        all_anew: bool = False,
        beside: Sequence[Path] = (),
    ) -> None:
        self._file, self._writer, self._written = file, writer, set(written)
        self._redo, self._anew, self._all_anew = redo, anew, all_anew
        writer.open(file)
        files = [*(each for each in beside if each.is_file()), file]
        self._replies: dict[str, Reply] = {}
        self._take(row for each in files for row in jsonl.read(each, dict[str, Any]))

    def _take(self, rows: Iterable[dict[str, Any]]) -> None:
        """Those of some lines that count are found from now on."""
        counting = (row for row in rows if self._counts(row))
        found = (reply_from_row({key: row[key] for key in row if key not in _OF_THE_RECORD}) for row in counting)
        self._replies |= {str(reply.key): reply for reply in found}

    def _counts(self, row: dict[str, Any]) -> bool:
        """Whether the record of a line is still to be written, and the line belongs to it."""
        label = row["label"]
        return label not in self._written and (not self._is_anew(label) or row.get("redo") == self._redo)

    def _is_anew(self, label: str) -> bool:
        return self._all_anew or label in self._anew

    def find(self, key: str) -> Reply | None:
        """The reply that an earlier run was given; once tidy, also this run for a record that is not written."""
        return self._replies.get(key)

    async def keep(self, key: str, label: str, reply: Reply) -> Reply:
        """Put a reply on disk; returns it with its key. Raises UserError when it cannot be written."""
        named = replace(reply, key=key)
        of_record = {"label": label, "redo": self._redo} if self._is_anew(label) else {"label": label}
        await self._writer.write(self._file, lambda: {**of_record, **reply_row(named)})
        return named

    def record_written(self, label: str) -> None:
        """A record is on disk: its replies are not needed any more."""
        self._written.add(label)

    def tidy(self) -> None:
        """Leave only the replies of records that are not written, which are found now, and no file without any."""
        self._writer.finish(self._file)
        if not self._file.exists():  # nothing was kept
            return
        rows = [row for row in jsonl.read(self._file, dict[str, Any]) if row["label"] not in self._written]
        if rows:
            self._take(rows)
            jsonl.replace(self._file, list(map(jsonl.encode, rows)))
        else:
            self._file.unlink()
