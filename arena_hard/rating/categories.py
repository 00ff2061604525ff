"""A bench cut into what is rated on its own: one part for each category asked for, with its own baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arena_hard.data.baselines import Standing, named_in, standing
from arena_hard.data.expected import Expected
from arena_hard.data.nameless import Origin, origin_of
from arena_hard.data.paths import Bench
from arena_hard.data.presets import categories_of, is_published
from arena_hard.data.record_folder import record_files
from arena_hard.data.records import Question, UserError
from arena_hard.rating.arrays import distinct, occurring
from arena_hard.rating.battles import Battles, baseline_of
from arena_hard.rating.coverage import Coverage, JudgedQuestions, coverage, fought_in
from arena_hard.rating.game_codes import Codes
from arena_hard.rating.games import GameTable, against, select
from arena_hard.rating.itself import outcomes_of_nameless
from arena_hard.rating.question_categories import fingerprints, question_categories
from arena_hard.rating.stopped import Looked

NO_CATEGORIES = "none"  # of --category: the benchmark as a whole
_FEW = 0.1  # of the games: so few that name a baseline do not decide against all others


@dataclass(frozen=True)
class Part:
    """Games against one baseline; `category` is empty for a whole bench, `table` None for battles from a file.

    judged: what was judged, where it is known besides the table; looked: how judging was looked at while it went on,
    by model; silent: models of which the games say nothing (same_place); said: notes on its games, for people;
    told: what question.jsonl says of categories, as in Cut; n_battles: how many battles there are, of which a strong
    verdict is one, None where rows are all that is known.
    """

    category: str
    baseline: str
    battles: Battles
    table: GameTable | None = None
    judged: JudgedQuestions | None = None
    looked: Mapping[str, Looked] = field(default_factory=dict[str, Looked])
    silent: Sequence[str] = ()
    said: Sequence[Any] = ()
    told: Mapping[str, str] | None = None
    n_battles: int | None = None

    @property
    def anchor(self) -> int:
        return self.battles.models.index(self.baseline)


def without_half_read(table: GameTable) -> GameTable:
    """The table without judgments of which some game has no readable verdict, which v2.0 leaves out whole."""
    places = [table.judge, table.model, table.question]
    judgment = np.ravel_multi_index(places, (len(table.judges), len(table.models), len(table.questions)))
    unread = distinct(judgment[table.verdict < 0])
    return select(table, ~np.isin(judgment, unread))


def covered(part: Part, questions: Sequence[Question]) -> Coverage | None:
    """What the models of a part were judged on, of its category's questions; None where no question is known.

    A model that was judged in other categories only is there, with no question.
    """
    read = fought_in(part.battles)
    known = part.judged or read
    own = [question for question in questions if part.category in ("", question.category)]
    return coverage(known, read, own, [name for name in known.models if name != part.baseline])


class Cut(NamedTuple):
    """The games of a category against its baseline, and what has to be said of how it was found.

    told: the `fingerprints` of categories in question.jsonl; None where it was not asked, as records name their own.
    """

    category: str
    baseline: str
    games: GameTable
    notes: list[str]
    told: Mapping[str, str] | None = None


def cut(table: GameTable, expected: Expected, baseline: str | None, categories: Sequence[str] | None) -> list[Cut]:
    """The games of each part. Raises UserError for an unknown category or a wrong baseline.

    Without --category a bench is one part, unless its config or its records name a baseline for each category, as
    v2.0's do, or it is known to have one for each. A baseline that was not asked for is the expected one, where there
    are games against it, else the one that most records of the category name, or show without a name.
    """
    shown = _Shown(expected.bench)
    if categories == [NO_CATEGORIES] and NO_CATEGORIES not in table.categories:
        return [_part("", table, expected, baseline, shown)]
    if categories is None and not _is_by_category(table, expected, baseline):
        return [_part("", table, expected, baseline, shown)]
    told: Mapping[str, str] | None = None
    if any(not table.categories[code] for code in occurring(table.category)):
        category_of = question_categories(expected.bench.question_file)
        table, told = in_categories(table, category_of), fingerprints(category_of)
    if categories is None and not any(table.categories[code] for code in occurring(table.category)):
        return [_part("", table, expected, baseline, shown)._replace(told=told)]
    parts: list[Cut] = []
    for name in _names(table, categories or ["all"]):
        games = select(table, table.category == table.categories.index(name))
        own = _baseline_for(games, expected, name, shown)
        if categories is not None or baseline in (None, own):
            parts.append(_part(name, games, expected, baseline, shown))
    return [each._replace(told=told) for each in parts or [_part("", table, expected, baseline, shown)]]


def assumed_baseline(expected: Expected, judges: Sequence[str], category: str = "") -> str:
    """Whom the judgments on disk are against where nobody says it, by the first record of each file."""
    sets = [each for judge in judges for each in expected.bench.judgment_sets(judge)]
    wanted = ("", *expected.judged_against(judges))
    files = {file: each.baseline for each in sets if each.baseline in wanted for file in record_files(each.folder)}
    firsts = [next(named_in(file), ("", ""))[1] or of_folder for file, of_folder in files.items() if not category]
    return _most(Counter(firsts or [""]), expected, category, lambda usual: _origins(expected, judges, usual, category))


def _origins(expected: Expected, judges: Sequence[str], asked: str, category: str) -> list[Origin]:
    return [origin_of(expected.bench, judge, asked, category) for judge in judges]


class _Shown:
    """Whom the nameless games of a table are against: looked up once for each judge, baseline and category."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._found: dict[tuple[str, str, str], Origin] = {}

    def of(self, games: GameTable, judge: str, asked: str, category: str) -> Origin:
        case = judge, asked, category
        if case not in self._found:
            outcomes = outcomes_of_nameless(games, judge)
            self._found[case] = origin_of(self._bench, judge, asked, category, outcomes)
        return self._found[case]


def _most(counts: Counter[str], expected: Expected, category: str, origins: Callable[[str], Sequence[Origin]]) -> str:
    """The baseline that most records are against; the expected one where no few are, or nothing is known.

    counts: records by the baseline that they name, which is empty where they name none; origins: whom the judges'
    nameless records are against where somebody is expected.
    """
    usual, bench = expected.baseline(category), expected.bench
    votes = Counter({name: count for name, count in counts.items() if name})
    if counts[""]:
        shown = {origin.baseline for origin in origins(usual)} - {""}
        known = shown.pop() if len(shown) == 1 else usual if is_published(bench.name) or not votes else ""
        votes[known] += counts[""] if known else 0
    return usual if votes[usual] >= _FEW * votes.total() else votes.most_common(1)[0][0]


def _part(category: str, games: GameTable, expected: Expected, asked: str | None, shown: _Shown) -> Cut:
    """A part's games against its baseline. Raises UserError where there are none."""
    recorded, bench = _recorded(games), expected.bench
    judges = [games.judges[code] for code in occurring(games.judge)]
    baseline = asked or _baseline_for(games, expected, category, shown)
    nameless = judges if "" in recorded else []
    stands = [
        standing(bench, judge, baseline, category, bool(asked), shown.of(games, judge, baseline, category))
        for judge in nameless
    ]
    unnamed = bool(stands) and all(each.counts for each in stands)
    if baseline in recorded or unnamed:
        games = against(games, baseline, unnamed)
    elif stands and (recorded == [""] or any(each.origin.why for each in stands)):
        raise _other_baseline(baseline, stands, bench.judgment_folder(judges[0], baseline))
    source = expected.source if expected.says(baseline, category) else ""
    said = _nameless_note(baseline, stands, asked, recorded, source) if unnamed else []
    if not asked and not said and baseline != expected.baseline(category):
        other = f", not {expected.baseline(category)} as {expected.source} says" if expected.settings else ""
        said = [f"The baseline is {baseline}{other}, because the judgments name it (--baseline chooses another)."]
    return Cut(category, baseline_of(games, baseline), games, said)


def _nameless_note(
    baseline: str, stands: Sequence[Standing], asked: str | None, recorded: Sequence[str], source: str
) -> list[str]:
    """What shows whom judgments are against that do not say it; nothing where they show the one asked for.

    source: the config that names the baseline, or empty.
    """
    if not all(each.is_shown for each in stands):
        if baseline in recorded:
            return [f"Judgments that do not name their baseline are taken to be against {baseline}, as others name it."]
        if why := next((each.origin.why for each in stands if each.origin.baseline not in ("", baseline)), ""):
            return [f"The judgments do not name their baseline: {baseline} is taken, as asked, although {why}."]
        by = f", as {source} says" if source and not asked else ""
        return [f"The judgments do not name their baseline, and nothing in them reveals it: {baseline} is assumed{by}."]
    why = stands[0].origin.why
    return [] if asked else [f"The judgments do not name their baseline: it is {baseline}, because {why}."]


def _other_baseline(baseline: str, stands: Sequence[Standing], folder: Path) -> UserError:
    """The message for judgments that name no baseline, and are not against the one asked for.

    folder: where those are that count as against it, whatever they show.
    """
    origin = next(each.origin for each in stands if not each.counts)
    remedy = f"Run with --baseline {origin.baseline}" if origin.baseline else "Name the right one with --baseline"
    return UserError(
        f"The judgments do not name their baseline, and are not against {baseline}: {origin.why}. "
        f"{remedy}, or judge against {baseline} first. If they are against {baseline} all the same, move their files "
        f"to {folder}/."
    )


def _baseline_for(games: GameTable, expected: Expected, category: str, shown: _Shown) -> str:
    """The expected baseline where more than a few odd games are against it, else that of most."""
    judges = [games.judges[code] for code in occurring(games.judge)]

    def origins(usual: str) -> list[Origin]:
        return [shown.of(games, judge, usual, category) for judge in judges]

    return _most(_counted(games), expected, category, origins)


def _is_by_category(table: GameTable, expected: Expected, baseline: str | None) -> bool:
    """Whether each category is rated on its own although nobody asked for it."""
    if expected.has_categories:
        return True
    return _is_known_by_category(table, expected.bench.name, baseline) or _is_named_by_category(table, baseline)


def _is_known_by_category(table: GameTable, bench_name: str, baseline: str | None) -> bool:
    """Whether the benchmark has a baseline for each category, and some games are against these."""
    usual = {category["baseline_model"] for category in categories_of(bench_name).values()}
    recorded = set(_recorded(table))
    return bool(usual) and (not recorded - {""} or bool(recorded & usual)) and (baseline is None or baseline in usual)


def _is_named_by_category(table: GameTable, baseline: str | None) -> bool:
    """Whether the records name several baselines, one for each category but for a few odd records."""
    if baseline is not None or "" in _recorded(table):
        return False
    counts = [_counted(select(table, table.category == code)) for code in occurring(table.category)]
    firsts = [each.most_common(1)[0] for each in counts]
    is_clear = all(first >= (1 - _FEW) * each.total() for (_, first), each in zip(firsts, counts))
    return is_clear and len({name for name, _ in firsts}) > 1


def _recorded(table: GameTable) -> list[str]:
    return [table.baselines[code] for code in occurring(table.baseline)]


def _counted(table: GameTable) -> Counter[str]:
    """The games by the baseline that they name."""
    counts: list[int] = np.bincount(table.baseline, minlength=len(table.baselines)).tolist()
    return Counter({name: count for name, count in zip(table.baselines, counts) if count})


def _names(table: GameTable, wanted: Sequence[str]) -> list[str]:
    known = sorted(table.categories[code] for code in occurring(table.category) if table.categories[code])
    if not known:
        raise UserError("Neither the judgments nor question.jsonl name categories. Run without --category.")
    if "all" in wanted and "all" not in known:
        return known
    unknown = [name for name in wanted if name not in known]
    if NO_CATEGORIES in unknown:
        raise UserError(f"--category {NO_CATEGORIES} rates the benchmark as a whole: name no other category beside it.")
    if unknown:
        raise UserError(f"No games in the category {unknown[0]!r}. Categories here: {', '.join(known)}; or all.")
    return list(dict.fromkeys(wanted))


def in_categories(table: GameTable, category_of: Mapping[str, str]) -> GameTable:
    """The table with the category of each question where the records do not say one themselves."""
    codes = Codes((name, code) for code, name in enumerate(table.categories))
    of_question = np.array([codes[category_of.get(question, "")] for question in table.questions], dtype=np.int32)
    unknown = np.array([not name for name in table.categories])[table.category]
    category = np.where(unknown, of_question[table.question], table.category).astype(np.int32)
    return replace(table, category=category, categories=list(codes))
