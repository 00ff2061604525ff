"""The index as a table of games, for the statistics: no file is read again."""

from __future__ import annotations

import numpy as np

from arena_hard.browse.game_selection import unnamed_baseline
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.record_file import NO_GAME, last_rows
from arena_hard.data.lengths import AnswerLengths
from arena_hard.data.settings import JudgeSettings
from arena_hard.rating import games as game_tables
from arena_hard.rating.arrays import IntArray, occurring
from arena_hard.rating.coverage import Coverage, coverage, judged_in, read_in
from arena_hard.rating.games import GameTable


class Snapshot:
    """A judge's games as they are now, as a key of caches: another one as soon as a file changed."""

    def __init__(self, index: BenchIndex, judge: str, settings: JudgeSettings | None) -> None:
        self.index, self.judge, self.settings = index, judge, settings
        self.key = (index.bench.folder, index.version, judge)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and other.key == self.key


def game_table(
    index: BenchIndex, judges: list[str], settings: JudgeSettings | None, with_own: bool = False
) -> GameTable:
    """All games of some judges in the order of their files, so that seeded statistics agree with show_result.

    Models are coded as in the index, questions too; where a judgment names no baseline, it is the one that
    the pages assume. The games of a baseline against itself count only with `with_own`.
    """
    baselines = list(index.baselines)
    unnamed = {judge: _unnamed_baselines(index, judge, baselines, settings) for judge in judges}
    columns: dict[str, list[IntArray]] = {
        name: [] for name in ("question", "model", "judge", "baseline", "shortened", "game", "verdict")
    }
    every = [(judge, model, file) for (judge, model), files in index.judgments.items() for file in files]
    for judge, model, file in sorted(every, key=lambda each: each[2].path):
        if judge not in judges:
            continue
        rows = last_rows(file)
        question, n = file.question[rows], len(rows)
        named = file.facts[rows, 2]
        values = {
            "question": question,
            "model": np.full(n, index.models.index(model), dtype=np.int32),
            "judge": np.full(n, judges.index(judge), dtype=np.int32),
            "baseline": np.where(named < 0, unnamed[judge][question], named),
            "shortened": file.facts[rows, 4],
        }
        verdict = file.facts[rows, :2].ravel().astype(np.int8)
        played = verdict != NO_GAME
        for name, column in values.items():
            columns[name].append(np.repeat(column, 2)[played])
        columns["game"].append(np.tile(np.array([0, 1], dtype=np.int8), n)[played])
        columns["verdict"].append(verdict[played])
    joined = {name: np.concatenate(parts) if parts else np.array([], np.int32) for name, parts in columns.items()}
    categories, of_question = categories_of(index)
    shortened = joined.pop("shortened").astype(bool)
    table = GameTable(
        shortened=shortened,
        questions=index.question_ids,
        models=index.models,
        judges=judges,
        baselines=baselines,
        categories=categories,
        category=of_question[joined["question"]],
        **joined,
        probabilities=None,
    )
    return table if with_own else game_tables.without_own(table)


def categories_of(index: BenchIndex) -> tuple[list[str], IntArray]:
    """The categories of a bench, and the code of each question's [question]."""
    names = [question.category if question else "" for question in index.questions]
    categories = sorted(set(names))
    return categories, np.array([categories.index(name) for name in names], dtype=np.int32)


def _unnamed_baselines(index: BenchIndex, judge: str, baselines: list[str], settings: JudgeSettings | None) -> IntArray:
    """[question] code of the baseline for judgments that name none; new names are added to `baselines`."""
    codes = []
    for question in index.questions:
        name = unnamed_baseline(index, judge, settings, question.category if question else "")
        if name not in baselines:
            baselines.append(name)
        codes.append(baselines.index(name))
    return np.array(codes, dtype=np.int32)


def baselines_of(table: GameTable) -> list[int]:
    """The codes of the baselines that games of a table were played against."""
    return occurring(table.baseline)


def coverage_of(index: BenchIndex, table: GameTable, baseline: int, model: str = "") -> Coverage | None:
    """What was judged against one of a table's baselines, by all models or one of them.

    Where categories have baselines of their own, as in v2.0, it is about the questions of this baseline's, and
    also about models that were judged in the other categories only.
    """
    own = of_baseline(table, baseline)
    elsewhere = {table.categories[code] for code in set(table.category.tolist()) - set(own.category.tolist())}
    there = np.unique(table.model if elsewhere else own.model).tolist()
    models = [table.models[code] for code in there if table.models[code] != table.baselines[baseline]]
    questions = [question for question in index.questions if question and question.category not in elsewhere]
    return coverage(judged_in(own), read_in(own), questions, [name for name in models if model in ("", name)])


def of_baseline(table: GameTable, code: int) -> GameTable:
    """The games that were played against one baseline."""
    return game_tables.select(table, table.baseline == code)


def lengths_of(index: BenchIndex, model: str) -> AnswerLengths:
    """How long a model's answers are on average, and of how many that is known."""
    file = index.answers.get(model)
    if file is None:
        return AnswerLengths(None)
    facts = file.facts[last_rows(file)]
    known = facts[facts[:, 0] >= 0, 0]
    return AnswerLengths(float(known.mean()) if len(known) else None, len(known), of=int((facts[:, 2] == 0).sum()))


def tokens_of(index: BenchIndex, model: str) -> float | None:
    """Mean tokens of a model's answers, None where no answer says how long it is."""
    return lengths_of(index, model).average
