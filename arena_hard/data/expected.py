"""What a benchmark is expected to be judged with: as the judge's config says, else as the published one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena_hard.data.paths import Bench
from arena_hard.data.presets import DEFAULT_JUDGE, categories_of, usual_baseline, usual_baselines
from arena_hard.data.settings import JudgeSettings


@dataclass(frozen=True)
class Expected:
    """Whom the judgments of a benchmark are expected to be by and against, unless somebody says otherwise.

    settings: the judge's config where it speaks of this benchmark; source: its file.
    """

    bench: Bench
    settings: JudgeSettings | None = None
    source: str = ""

    def baseline(self, category: str = "") -> str:
        """The baseline of a category, or of the whole benchmark."""
        named = self.settings.baseline_of(category) if self.settings else None
        return named or usual_baseline(self.bench.name, category)

    @property
    def baselines(self) -> list[str]:
        """The baselines of all categories; just one where categories do not matter."""
        if self.settings is None:
            return usual_baselines(self.bench.name)
        return list(dict.fromkeys(self.baseline(category) for category in self.settings.categories or [""]))

    def categories(self, baseline: str | None) -> list[tuple[str, str]]:
        """The categories in sorted order, each with its baseline: all, or those of one baseline."""
        names = self.settings.categories if self.settings else categories_of(self.bench.name)
        pairs = [(name, self.baseline(name)) for name in sorted(names or {})]
        return [(name, own) for name, own in pairs if baseline in (None, own)]

    @property
    def has_categories(self) -> bool:
        """Whether the config tells categories apart."""
        return bool(self.settings and self.settings.categories)

    def judged_against(self, judges: Sequence[str]) -> list[str]:
        """The baselines whose folders are to be read: the expected ones, or the only other one that is there."""
        sets = [each.baseline for judge in judges for each in self.bench.judgment_sets(judge)]
        if not sets or any(each in ("", *self.baselines) for each in sets):
            return self.baselines
        return [sets[0]] if len(set(sets)) == 1 else self.baselines

    def says(self, baseline: str, category: str = "") -> bool:
        """Whether a config, not just the published benchmark, names this baseline."""
        return self.settings is not None and self.settings.baseline_of(category) == baseline


def judges_of(bench: Bench, settings: JudgeSettings | None) -> list[str]:
    """The config's judges that have judged this benchmark; without any, those of the config, else the published one."""
    if settings is None:
        return [DEFAULT_JUDGE]
    judged = [judge for judge in dict.fromkeys(settings.judges) if bench.judgment_sets(judge)]
    if judged:
        return judged
    return list(dict.fromkeys(settings.judges)) if settings.bench_name == bench.name else [DEFAULT_JUDGE]
