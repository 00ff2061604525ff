"""What config/build_bench_config.yaml may say: a section for each part of the building, defaults as in the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from arena_hard.data.places import Place
from arena_hard.data.records import UserError
from arena_hard.data.settings import Count, NotNegative, Text, parse_with_place
from arena_hard.data.yaml_files import load_written

Rule = Literal["paper", "readme", "blog"]
Turns = Literal["single", "first", "all"]
ALL_LANGUAGES = "all"
Several = Annotated[int, msgspec.Meta(ge=2)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Likeness = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]  # of 32 bits, and the next one is used, too
_NEEDED = {"endpoint": "an entry of the endpoint file", "file": "the .npy or .parquet with the vectors"}


class CleanSettings(msgspec.Struct, frozen=True):
    """Which conversations are looked at further; lengths are in characters of the turns that are kept."""

    min_characters: Count = 24
    max_characters: Count = 10_000
    turns: Turns = "single"
    personal_data: Literal["drop", "flag"] = "drop"
    moderation: Literal["drop", "keep"] = "drop"
    redacted: Literal["drop", "keep"] = "drop"


class DuplicateSettings(msgspec.Struct, frozen=True):
    """What counts as a copy, and the benches whose questions are left out: names in data/, or files.

    exclude: None is every official bench that lies under data/.
    """

    similarity: NotNegative = 0.8
    exclude: list[Text] | None = None


class EmbeddingSettings(msgspec.Struct, frozen=True):
    """How texts become vectors. model: an entry of the endpoint file (endpoint); file: vectors of one's own (file)."""

    kind: Literal["lsa", "endpoint", "minilm", "file"] = "lsa"
    dimensions: Count = 256
    max_characters: Count = 4000
    model: Text | None = None
    file: Text | None = None


class TopicSettings(msgspec.Struct, frozen=True):
    """How vectors become topics. names_by: the model that names those that were drawn; None is keywords alone."""

    min_size: Several = 8
    neighbours: Several = 15
    components: Count = 5
    similarity_floor: Likeness = 0.3
    names_by: Text | None = None


class PassSettings(msgspec.Struct, frozen=True):
    """One round of labels and the filter after it. Thresholds that are not said are those of the rule.

    model: an entry of the endpoint file, or `given`: labels that come with the conversations. criteria: other ones than
    those of all passes. constrained: whether decisions are asked for in a form that the server enforces, where it can.
    """

    model: Text
    criteria: Text | None = None
    prompt_threshold: NotNegative | None = None
    topic_threshold: NotNegative | None = None
    temperature: NotNegative = 0.0
    max_tokens: Count = 2048
    constrained: bool = True


class LabelSettings(msgspec.Struct, frozen=True):
    """Who says which criteria a prompt meets. passes: cheap first; attempts: at a label that cannot be read.

    second_opinion: a model that labels a share of the last pass's prompts again.
    """

    criteria: Text = "config/criteria/arena-hard.yaml"
    passes: list[PassSettings] = []
    attempts: Count = 2
    second_opinion: Text | None = None
    second_opinion_share: Share = 0.05


class SampleSettings(msgspec.Struct, frozen=True):
    """How many topics are drawn, and prompts of each. order: at random as in the paper, or the best topics first.

    twin: whether a second sample of the same topics is written as BENCH-twin.
    """

    topics: Count | Literal["all"] = 250
    prompts: Count = 2
    order: Literal["random", "best"] = "random"
    twin: bool = False


class BuildSettings(msgspec.Struct, frozen=True):
    """build_bench_config.yaml."""

    bench_name: Text
    input: list[Text] = []
    name: str = ""
    seed: Seed = 42
    rule: Rule = "paper"
    clean: CleanSettings = CleanSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    languages: Text | list[Text] = "en"
    embedding: EmbeddingSettings = EmbeddingSettings()
    topics: TopicSettings = TopicSettings()
    labels: LabelSettings = LabelSettings()
    sample: SampleSettings = SampleSettings()

    @property
    def wanted_languages(self) -> list[str] | None:
        """The languages that stay, as the config has them; None is all."""
        named = [self.languages] if isinstance(self.languages, str) else self.languages
        return None if ALL_LANGUAGES in named else named


def load_build_settings(file: Path) -> BuildSettings:
    """build_bench_config.yaml. Raises UserError."""
    loaded, place = parse_with_place(Place(str(file), load_written(file)), BuildSettings)
    _check(place, loaded)
    return loaded


def _check(place: Place, settings: BuildSettings) -> None:
    """What no type shows. Raises UserError with the line and the remedy."""
    clean, similarity = settings.clean, settings.duplicates.similarity
    if clean.min_characters > clean.max_characters:
        where = place.at("clean").at("min_characters")
        raise UserError(
            f"{where}: {clean.min_characters} is more than max_characters ({clean.max_characters}), so that no "
            "prompt could stay. Write the smaller one first."
        )
    if not 0.5 <= similarity <= 1:
        where = place.at("duplicates").at("similarity")
        raise UserError(
            f"{where}: {similarity:g} is not between 0.5 and 1. It is the share of text that two copies have in "
            "common; write it like 0.8, or leave the key out."
        )
    embedding = settings.embedding
    for kind, needed in (("endpoint", "model"), ("file", "file")):
        if embedding.kind == kind and getattr(embedding, needed) is None:
            where = place.at("embedding").line_only("kind")
            raise UserError(f"{where}: kind {kind} needs {needed}: {_NEEDED[kind]}. Add it beside kind.")
    if settings.wanted_languages == []:
        raise UserError(f"{place.line_only('languages')}: languages is empty. Write [en], or all.")
