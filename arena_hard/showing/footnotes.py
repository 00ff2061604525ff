"""What a reader of the leaderboard has to know besides the numbers, a line each."""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from arena_hard.data.lengths import AnswerLengths
from arena_hard.data.name_lists import counted
from arena_hard.data.verdicts import LABELS
from arena_hard.rating import same_place
from arena_hard.rating.battles import Battles
from arena_hard.rating.categories import Part
from arena_hard.rating.category_mean import CategoryMean
from arena_hard.rating.coverage import Coverage
from arena_hard.rating.games import ForeignScores, GameTable, Judgments, games_of_judgments, select
from arena_hard.rating.intervals import BY_ROWS, Fit, Rule
from arena_hard.rating.ratings import SCALE
from arena_hard.rating.same_records import Overruled
from arena_hard.rating.separation import Graph
from arena_hard.rating.stopped import Looked
from arena_hard.showing import caveats, unequal_sets
from arena_hard.showing.leaderboard import percent
from arena_hard.showing.notes import Items, Note, Text

FEW_QUESTIONS = 10
FEW_FILES = 3
JUDGES_IN_ONE = (
    "A battle file does not tell judges apart: the score of each and how they agree are shown without --load-battles."
)
FEW_BEYOND = 2.5  # rounds beyond an end: 100 rounds at 95%, as the original has them


def score_notes(fit: Fit, rule: Rule, battles: Battles, found: Coverage | None) -> list[Text]:
    """What the scores rest on, and whose are not what they look like."""
    line = interval_line(fit, rule, battles.game is not None)
    covering = unequal_sets.coverage_notes(found) if found else []
    return [*covering, line, *fit_notes(fit, rule, battles.fought())]


def interval_line(fit: Fit, rule: Rule, is_expected: bool = False) -> str:
    """Which interval was used, how sure its ends are, and what the other rule would say.

    is_expected: whether games count by expected outcomes.
    """
    parts = [f"Interval: {rule.kind}, {percent(rule.level)}%"]
    if rule.kind == "sandwich":
        parts[0] = f"Interval: sandwich, clustered by question, {percent(rule.level)}%"
    if rule.kind == "v2.0":
        parts[0] = f"Interval: v2.0's, rows drawn within each model, {percent(rule.level)}%"
    parts[0] += ", each row with its game's expected outcome" * (is_expected and rule.kind in BY_ROWS)
    if fit.rounds is not None:
        parts[0] += f", {counted(len(fit.rounds), 'round')}, seed {rule.seed}"
        if rule.compat_unanchored:
            parts[0] += ", unanchored as the original's"
        if fit.monte_carlo is not None and np.isfinite(fit.monte_carlo):
            parts.append(f"bootstrap noise on each endpoint: ±{fit.monte_carlo:.2f} points")
        parts += _few_rounds(len(fit.rounds), rule.level)
    if rule.kind in BY_ROWS and np.isfinite(fit.ratio) and fit.ratio >= 1.0:
        parts.append(
            f"clustered by question the intervals are {fit.ratio:.2f} times as wide on this data (--interval sandwich)"
        )
    return "; ".join(parts) + "."


def _few_rounds(rounds: int, level: float) -> list[str]:
    """What to say where an end is among the most extreme rounds."""
    enough = math.ceil(FEW_BEYOND * 2.0 / (1.0 - level))
    if rounds >= enough:
        return []
    few = f"{counted(rounds, 'round')} {'is' if rounds == 1 else 'are'} too few for this level"
    return [f"{few}, whose ends are their extremes: --num-rounds {enough} or more"]


def mean_notes(mean: CategoryMean, parts: Sequence[Part]) -> list[Text]:
    """Which models have no mean over categories or no interval of it, and why. Baselines are in their own only."""
    baselines = {part.baseline for part in parts}
    groups: dict[tuple[int, ...], list[str]] = {}
    for model, lacks in mean.missing.items():
        if model not in baselines:
            groups.setdefault(tuple(lacks), []).append(model)
    notes: list[Text] = [
        Note(
            [
                Items(names),
                f" {_verb('is', names)} not in the mean over categories: no score in ",
                _listed(lacks, parts),
            ]
        )
        for lacks, names in groups.items()
    ]
    return notes + [
        Note([f"{name} has no interval for the mean over categories: ", Items(_why_none(name, places, parts)), "."])
        for name, places in mean.without_ends.items()
    ]


def _why_none(model: str, places: Sequence[int], parts: Sequence[Part]) -> list[str]:
    """In which categories a model has no interval, and why."""
    why = ", where the judge preferred the same position in all of its games"
    return [f"none in {parts[place].category}{why * (model in parts[place].silent)}" for place in places]


def _listed(places: Sequence[int], parts: Sequence[Part]) -> str:
    return f"{', '.join(parts[place].category for place in places)}."


def fit_notes(fit: Fit, rule: Rule, read: Collection[str] = ()) -> list[Text]:
    """Notes on models whose score or interval is not what it looks like. read: those that have a readable verdict."""
    notes = _one_sided_notes(fit, rule)
    others = np.arange(len(fit.models)) != fit.anchor
    unknown = others & np.isnan(fit.ratings)
    unused = [fit.models[m] for m in np.flatnonzero(unknown & (fit.questions == 0))]
    unread, unstyled = [name for name in unused if name not in read], [name for name in unused if name in read]
    apart = [fit.models[m] for m in np.flatnonzero(unknown & (fit.questions > 0))]
    if unread:
        notes.append(Note([Items(unread), f" {_verb('has', unread)} no readable verdict: no score."]))
    if unstyled:
        why = "no battle for style control (answers or token counts are missing, or all was won or lost): no score."
        notes.append(Note([Items(unstyled), f" {_verb('has', unstyled)} {why}"]))
    if apart:
        notes.append(Note([Items(apart), f" {_verb('is', apart)} not linked to the baseline by battles: no score."]))
    few = np.flatnonzero(others & (fit.questions > 0) & (fit.questions < FEW_QUESTIONS))
    if len(few):
        named = [f"{fit.models[m]} {fit.questions[m]}" for m in few[np.argsort(fit.questions[few], kind="stable")]]
        notes.append(Note(["Few questions with a readable verdict, so the intervals say little: ", Items(named), "."]))
    one = few[(fit.questions[few] == 1) & np.isfinite(fit.ratings[few])]
    if len(one) and rule.kind in BY_ROWS:
        lead = "The rounds resample the games of a single question, so the interval says nothing about others for "
        notes.append(Note([lead, _names(fit, one.tolist()), " (--interval sandwich does)."]))
    if fit.flat is not None:
        head = "All questions came out alike, so the interval is a binomial bound for unseen questions: "
        notes.append(Note([head, _names(fit, np.flatnonzero(fit.flat).tolist()), "."]))
    if fit.alike is not None:
        head = "Questions came out so much alike that the interval leaves room for unseen ones: "
        notes.append(Note([head, _names(fit, np.flatnonzero(fit.alike).tolist()), "."]))
    return notes


def _one_sided_notes(fit: Fit, rule: Rule) -> list[Text]:
    """Models that won or lost all games that tie them to the baseline."""
    notes: list[Text] = []
    for what, rating in (("lost", np.inf), ("won", -np.inf)):
        known = ~(np.isnan(fit.lower) & np.isnan(fit.upper))
        found = [int(m) for m in np.flatnonzero((fit.ratings == rating) & known) if m != fit.anchor]
        results = fit.graph.wins.sum(axis=0 if what == "lost" else 1) if fit.graph else np.zeros(len(fit.models))
        alone, others = [m for m in found if not results[m]], [m for m in found if results[m]]
        if alone:
            ends = _bound(fit, rule, alone)
            notes.append(Note([_names(fit, alone), f" {what} nothing, so no finite rating fits; {ends}."]))
        if others and fit.graph:
            among, ends = _ratings_among(fit, others, fit.graph), _bound(fit, rule, others)
            notes.append(
                Note([_names(fit, others), f" {_ONE_SIDED[what]}, so no finite rating fits; {ends}", *among, "."])
            )
    return notes


_ONE_SIDED = {
    "lost": "lost only among models that the baseline, and whoever it is tied to, never beat",
    "won": "won only among models that never beat the baseline, nor whoever it is tied to",
}


def _names(fit: Fit, found: Sequence[int]) -> Items:
    return Items([fit.models[m] for m in found])


def _bound(fit: Fit, rule: Rule, found: Sequence[int]) -> str:
    """What the bounded ends of models are: binomial where each met the baseline alone."""
    is_one = len(found) == 1
    ends = "the other end of its interval is" if is_one else "the other ends of their intervals are"
    graph, level = fit.graph, percent(rule.level)
    met = (graph.wins + graph.wins.T)[found] > 0 if graph else np.zeros((len(found), 0), dtype=bool)
    if np.delete(met, fit.anchor, axis=1).any():
        them = "it" if is_one else "them"
        return f"{ends} what the games that tie {them} to the baseline allow ({level}%)"
    if not is_one:
        return f"{ends} {level}% binomial bounds"
    return f"{ends} the {level}% binomial bound for {counted(int(fit.questions[found[0]]), 'question')}"


def _ratings_among(fit: Fit, found: Sequence[int], graph: Graph) -> list[str | Items]:
    """The ratings of each group of models that are tied by wins in both directions, its best one first."""
    groups: dict[int, list[int]] = {}
    for model in sorted(found, key=lambda m: -graph.within[m]):
        groups.setdefault(int(graph.component[model]), []).append(model)
    tied = [members for members in groups.values() if len(members) > 1]
    texts = [", ".join(f"{fit.models[m]} {_behind(graph, m, members[0])}" for m in members) for members in tied]
    return [". Rating points among themselves: ", Items(texts, "; ")] if texts else []


def _behind(graph: Graph, model: int, best: int) -> str:
    return f"{SCALE * (graph.within[model] - graph.within[best]):.0f}".replace("-", "−")


def _verb(word: str, subjects: Sequence[str]) -> str:
    return word if len(subjects) == 1 else {"has": "have", "is": "are"}[word]


def games_notes(
    args: argparse.Namespace,
    judged: GameTable,
    read: GameTable,
    looked: Mapping[str, Looked],
    silent: Sequence[str],
) -> list[Text]:
    """Notes on the games of a part; read: those that v2.0's rule leaves, else all that were judged."""
    mostly = [] if args.first_game_only else same_place.mostly_by_place(read, args.weight, args.level)
    notes = [*half_read_notes(judged, read), *caveats.same_place_notes(silent)]
    notes += caveats.by_place_notes(mostly, args.level)
    notes += caveats.soft_notes(read, args.first_game_only) if args.soft else []
    notes += [*caveats.looks_notes(looked, read), *caveats.trust_notes(read)]
    return [*notes, *table_notes(judged, args.first_game_only)]


def table_notes(table: GameTable, first_game_only: bool = False) -> list[Text]:
    """Notes on null verdicts and on judges that never differ, or have nothing to say, in the games that count."""
    single = [] if first_game_only else single_game_notes(table)
    table = select(table, table.game == 0) if first_game_only else table
    notes: list[Text] = []
    nulls = np.bincount(table.model[table.verdict < 0], minlength=len(table.models))
    if nulls.any():
        worst = [m for m in np.argsort(-nulls, kind="stable") if nulls[m]]
        named = Items([f"{table.models[m]} {nulls[m]}" for m in worst])
        head = f"Games without a readable verdict, not counted ({nulls.sum()} of {len(table)}): "
        notes.append(Note([head, named, "."]))
    for code, judge in enumerate(table.judges):
        given = table.verdict[(table.judge == code) & (table.verdict >= 0)]
        if len(given) > 1 and (given == given[0]).all():
            notes.append(
                f"{judge} gave the same verdict, {LABELS[given[0]]}, in all of its {counted(len(given), 'game')}."
            )
    return notes + single + caveats.shortened_notes(table) + unequal_sets.judges_notes(table)


def half_read_notes(games: GameTable, whole: GameTable) -> list[Text]:
    """How many judgments v2.0's rule leaves out."""
    left_out = games_of_judgments(games)[0] - games_of_judgments(whole)[0]
    head = "Judgments with a game without a readable verdict, left out entirely as in v2.0"
    return [f"{head}: {left_out}."] if left_out else []


def own_notes(every: GameTable, games: GameTable, baseline: str) -> list[str]:
    """How many judgments of the baseline against itself were left out: those that `games` has not."""
    count = games_of_judgments(every)[0] - games_of_judgments(games)[0]
    if not count:
        return []
    return [f"{baseline} is the baseline; its judgments against itself carry no information and are left out: {count}."]


def single_game_notes(table: GameTable) -> list[str]:
    """How many judgments hold one game only."""
    judgments, single = games_of_judgments(table)
    if not single:
        return []
    return [f"Judgments with only one game, where position bias is not balanced: {single} of {judgments}."]


def files_notes(judgments: Judgments) -> list[Text]:
    """Notes on what the files of judgments hold that does not count."""
    notes: list[Text] = [*overruled_notes(judgments.overruled), *duplicate_notes(judgments.duplicates)]
    notes += [*foreign_notes(judgments.foreign), *gameless_notes(judgments.without_game)]
    return notes + caveats.no_probabilities_notes(judgments.no_probabilities)


def gameless_notes(count: int) -> list[str]:
    """How many judgments hold no game."""
    return [f"Judgments without a game, not counted: {count}. --retry-unreadable judges them again."] * bool(count)


def foreign_notes(foreign: ForeignScores | None) -> list[str]:
    """Scores of other programs that are no verdict."""
    if foreign is None:
        return []
    return [
        f"Scores that are not verdicts, counted as unreadable: {foreign.count}, the first {foreign.first!r} in "
        f"{foreign.file}:{foreign.line}. gen_judgment.py --retry-unreadable judges them again."
    ]


def duplicate_notes(duplicates: Mapping[str, int]) -> list[Text]:
    """Which files hold several judgments of one question."""
    if len(duplicates) > 1:
        worst = sorted(duplicates.items(), key=lambda item: -item[1])
        counts = Items([f"{file} {count}" for file, count in worst])
        return [Note(["Judgments replaced by a later line for the same question: ", counts, "."])]
    return [
        f"{file}: {counted(count, 'judgment')} replaced by a later line for the same question."
        for file, count in duplicates.items()
    ]


def overruled_notes(overruled: Sequence[Overruled]) -> list[Text]:
    """Which files hold judgments that another file has, too."""
    if len(overruled) > FEW_FILES:
        named = Items([f"{one.file} {one.count} ({one.by.name} counts)" for one in overruled])
        return [Note(["Judgments not counted, because another file has the same ones: ", named, "."])]
    return [
        f"{one.file}: {counted(one.count, 'judgment')} not counted, because {one.by} has "
        f"{'the same' if one.count == 1 else 'the same ones'} and "
        + ("is named after the model." if one.by_name else "comes later. Move away the one that is not meant.")
        for one in overruled
    ]


def other_baseline_notes(table: GameTable, parts: Sequence[Part]) -> list[Text]:
    """Games in the files that were read which are against none of the baselines that are rated."""
    rated = {name for part in parts if part.table for name in _baselines_in(part.table)} | {p.baseline for p in parts}
    left = {name: count for name, count in _baselines_in(table).items() if name not in rated}
    if not left:
        return []
    named = Items([f"{name or 'one that they do not name'} {count}" for name, count in left.items()])
    return [Note(["Games against another baseline, not counted: ", named, " (--baseline chooses)."])]


def _baselines_in(table: GameTable) -> dict[str, int]:
    counts = np.bincount(table.baseline, minlength=len(table.baselines))
    return {table.baselines[code]: int(counts[code]) for code in np.flatnonzero(counts)}


def length_notes(lengths: Mapping[str, AnswerLengths]) -> list[Text]:
    """Where token counts are missing or not comparable."""
    missing = [model for model, length in lengths.items() if length.average is None]
    by_server = [model for model, length in lengths.items() if length.by_server]
    notes: list[Text] = []
    if missing:
        notes.append(Note(["No answers with a token count: ", Items(missing), "."]))
    if by_server:
        head = "Tokens as the server counted them, with the model's own tokenizer: "
        notes.append(Note([head, Items(by_server), "."]))
    return notes + part_length_notes(lengths)


def part_length_notes(lengths: Mapping[str, AnswerLengths]) -> list[Text]:
    """Of how many answers the mean length is, where some have no token count."""
    part = [f"{model} {each.answers} of {each.of}" for model, each in lengths.items() if 0 < each.answers < each.of]
    return [Note(["Tokens are the mean of the answers that have a count: ", Items(part), "."])] if part else []
