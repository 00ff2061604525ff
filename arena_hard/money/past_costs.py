"""What the records of a bench have cost, by the usage that they carry (show_result.py --costs)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.bench_files import answer_if_any
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_folder import record_files
from arena_hard.data.records import Judgment, judgment_from_row
from arena_hard.data.settings import ModelSettings
from arena_hard.data.usage import Usage
from arena_hard.money.account import Bill, bill_lines
from arena_hard.money.prices import price_by_name, price_of, source_note

_PRICES = "prices: {}, as of today"


@dataclass
class _Sum:
    records: int = 0
    silent: int = 0
    requests: int = 0
    usage: Usage = Usage()
    served: set[str] = field(default_factory=set)

    def add(self, usages: Sequence[Usage | None], served: str | None) -> None:
        self.records += 1
        self.requests += len(usages)
        self.silent += sum(usage is None for usage in usages)
        self.usage = sum((usage for usage in usages if usage), self.usage)
        if served:
            self.served.add(served)


def past_bills(bench: Bench, models: Mapping[str, ModelSettings] | None = None) -> list[tuple[str, Bill]]:
    """What all records of a bench have cost, by model and judge (show_result.py --costs).

    models: entries of the endpoint file by name, for their `price:` and api_type; for names that are not
    among them the price list is asked for the model that the server named. Records that later ones
    replaced (FILE.superseded) were paid for too and count. Raises UserError for a broken line.
    """
    known = models or {}
    rows = [
        (f"answers by {name_of(file)}", _bill(name_of(file), _sum_answers(file), known))
        for file in bench.answer_files()
    ]
    for each in bench.judgment_sets():
        end = f" against {each.baseline}" if each.baseline else ""
        for file in record_files(each.folder):
            label = f"judgments by {each.judge} of {name_of(file)}{end}"
            rows.append((label, _bill(each.judge, _sum_judgments(file), known)))
    return [(label, bill) for label, bill in rows if bill.requests]


def report_lines(bills: Sequence[tuple[str, Bill]]) -> list[str]:
    """The bills for people."""
    return [*bill_lines(bills), _PRICES.format(source_note())]


def report_json(bills: Sequence[tuple[str, Bill]]) -> str:
    """The bills for programs; dollars are null where no usage was reported or no price is known."""
    rows = [
        {
            "of": label,
            "requests": bill.requests,
            "without_usage": bill.silent,
            "usage": msgspec.structs.asdict(bill.usage),
            "dollars": None if bill.says_nothing else bill.dollars,
        }
        for label, bill in bills
    ]
    return json.dumps({"bills": rows, "notes": [_PRICES.format(source_note())]}, ensure_ascii=False, indent=2)


def _bill(name: str, counted: _Sum, known: Mapping[str, ModelSettings]) -> Bill:
    model = known.get(name) or ModelSettings(name=name, model_name=name)
    if name in known:
        price = price_of(model)
    else:
        price = next((p for p in map(price_by_name, [*sorted(counted.served), name]) if p), None)
    return Bill(model, price, counted.requests, counted.silent, counted.usage)


def _superseded(file: Path) -> list[Path]:
    old = file.with_name(file.name.removesuffix(".jsonl") + ".superseded")
    return [file, old] if old.is_file() else [file]


def _sum_answers(file: Path) -> _Sum:
    total = _Sum()
    for each in _superseded(file):
        for answer in filter(None, jsonl.read(each, answer_if_any)):
            turns = sum(len(choice) for choice in answer.choices)
            total.add([answer.usage], answer.served_model)
            total.requests += turns - 1
    return total


def _sum_judgments(file: Path) -> _Sum:
    total = _Sum()

    def add(judgment: Judgment) -> None:
        games = [game for game in judgment.games if game]
        total.add([game.usage for game in games], next((g.served_model for g in games if g.served_model), None))

    for each in _superseded(file):
        for judgment in jsonl.read(each, judgment_from_row):
            add(judgment)
    return total
