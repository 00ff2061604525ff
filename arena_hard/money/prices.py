"""What a model's tokens cost: the model's own `price:` first, then the package genai-prices, offline.

genai-prices carries its data with it; nothing is fetched. A price that nobody knows stays unknown.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from arena_hard.calling.providers.registry import provider_of
from arena_hard.data.name_lists import suggestion
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.data.usage import Usage

PRICE_KEYS = ("input", "output", "cached_input", "cache_write", "batch_input", "batch_output")
BATCH_SHARE = 0.5  # what the providers that sell batches take for them
WITH_BATCHES = ("openai", "azure", "anthropic")


class Price(msgspec.Struct, frozen=True):
    """Dollars per million tokens. `batch` is the price by batch, None where none is sold."""

    input: float
    output: float
    cached_input: float
    cache_write: float
    source: str
    batch: Price | None = None

    def cost(self, usage: Usage) -> float:
        """Dollars for the tokens of some calls; prompt tokens include the cached and the written ones.

        What was bought by batch counts at that price, as a share of all tokens.
        """
        if usage.batched > 0 and self.batch:
            share = min(1.0, usage.batched / max(1, usage.prompt_tokens + usage.completion_tokens))
            at_once = msgspec.structs.replace(usage, batched=0)
            return share * self.batch.cost(at_once) + (1 - share) * self.cost(at_once)
        usage = usage.whole()
        plain = usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens
        dollars = (
            plain * self.input
            + usage.cached_tokens * self.cached_input
            + usage.cache_write_tokens * self.cache_write
            + usage.completion_tokens * self.output
        )
        return dollars / 1e6

    def saved_by_cache(self, usage: Usage) -> float:
        """Dollars that the provider's prompt cache saved, less what writing to it cost."""
        usage = usage.whole()
        saved = usage.cached_tokens * (self.input - self.cached_input)
        return (saved - usage.cache_write_tokens * (self.cache_write - self.input)) / 1e6


def price_of(model: ModelSettings) -> Price | None:
    """The price of a model, or None when it is not known. Raises UserError for a bad `price:`."""
    if model.price is not None:
        return _own_price(model, model.price)
    if model.api_type == "recorded":
        return Price(0.0, 0.0, 0.0, 0.0, "a recording costs nothing")
    if provider_of(model).is_own:
        return None  # its names are its own: another provider's model of that name is another price
    base = next((each.api_base for each in model.endpoints or [] if each.api_base), None)
    provider = provider_of(model).cost_name
    if base is None or provider not in (None, "openai"):
        name = model.model_name.removeprefix("google/") if model.api_type == "vertex" else model.model_name
        return _listed(name, provider, None, model.api_type in WITH_BATCHES)
    return None if _is_local(base) else _listed(model.model_name, None, base, False)


def price_by_name(served_model: str) -> Price | None:
    """The price of a model of which only the name in a record is known."""
    return _listed(served_model, None, None, True)


def _own_price(model: ModelSettings, given: dict[str, float]) -> Price:
    where = f"{model.line_of('price')}{model.name}"
    for key in given:
        if key not in PRICE_KEYS:
            raise UserError(f"{where}: price: unknown key {key!r}. {suggestion(key, set(PRICE_KEYS))}")
    for key in ("input", "output"):
        if key not in given:
            raise UserError(f"{where}: price needs the key {key!r}, in dollars per million tokens.")
    if min(given.values()) < 0:
        raise UserError(f"{where}: price: a price cannot be below zero.")
    live = Price(
        given["input"],
        given["output"],
        given.get("cached_input", given["input"]),
        given.get("cache_write", given["input"]),
        "price: in the model's entry",
    )
    if model.api_type not in WITH_BATCHES:
        return live
    half = _share(live, BATCH_SHARE)
    batch = replace(half, input=given.get("batch_input", half.input), output=given.get("batch_output", half.output))
    return replace(live, batch=batch)


def _share(price: Price, share: float) -> Price:
    return Price(
        price.input * share,
        price.output * share,
        price.cached_input * share,
        price.cache_write * share,
        price.source,
    )


def _is_local(base: str) -> bool:
    """Whether a server is one's own: its tokens have no list price."""
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith(".local")


@functools.lru_cache(maxsize=256)
def _listed(name: str, provider: str | None, base: str | None, batches: bool) -> Price | None:
    """The price in genai-prices, for prompts below its first tier."""
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return None
    from datetime import datetime, timezone

    snapshot, now = get_snapshot(), datetime.now(timezone.utc)
    try:
        found, info = snapshot.find_provider_model(name, None, provider, base)
        standard = info.get_prices(now)
    except (LookupError, ValueError):
        return None
    live = _price_from(standard)
    if live is None or not batches or found.id not in WITH_BATCHES:
        return live
    try:
        batch = _price_from(info.get_prices(now, {"processing": "batch"}))
    except TypeError:  # older releases list no prices of batches
        batch = None
    return replace(live, batch=batch if batch and batch.input < live.input else _share(live, BATCH_SHARE))


def _price_from(listed: Any) -> Price | None:
    values = [
        _base(getattr(listed, key, None))
        for key in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
    ]
    if values[0] is None or values[1] is None:
        return None
    read = values[0] if values[2] is None else values[2]
    write = values[0] if values[3] is None else values[3]
    return Price(values[0], values[1], read, write, source_note())


def _base(value: Any) -> float | None:
    """A listed price; where it depends on the prompt's length, that of the shortest."""
    return None if value is None else float(getattr(value, "base", value))


@functools.lru_cache(maxsize=1)
def source_note() -> str:
    """Which prices are used, with the newest date that their data name."""
    try:
        import genai_prices
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return "no price list: pip install genai-prices"
    newest = max(_dates(get_snapshot().providers), default=None)
    return f"genai-prices {genai_prices.__version__}" + (f", data up to {newest}" if newest else "")


def _dates(providers: Any) -> list[Any]:
    """Every date from which a listed price holds, up to today."""
    from datetime import date

    dates = []
    for provider in providers:
        for model in provider.models:
            prices = model.prices if isinstance(model.prices, list) else []
            for entry in [*prices, *(getattr(model, "price_variants", None) or [])]:
                start = getattr(entry.constraint, "start_date", None)
                dates += [start] if start is not None and start <= date.today() else []
    return dates


def money(dollars: float) -> str:
    """Dollars with the digits that matter."""
    return f"${dollars:,.2f}" if dollars >= 0.0995 or dollars == 0 else f"${dollars:.2g}"
