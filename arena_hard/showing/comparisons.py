"""Who is really better: paired differences, ranks, what holds after looks, and how many questions it takes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from arena_hard.data.name_lists import counted
from arena_hard.rating import battles, ratings, stopped
from arena_hard.rating.categories import Part
from arena_hard.rating.games import select
from arena_hard.rating.outcomes import Outcomes, outcomes
from arena_hard.rating.same_place import without_models
from arena_hard.rating.stopped import AfterLooks
from arena_hard.showing import unequal_sets
from arena_hard.showing.leaderboard import score_text
from arena_hard.showing.notes import Items, Note, Text
from arena_hard.showing.sections import Section, plain_data, signed, signed_ends

if TYPE_CHECKING:
    from arena_hard.rating.paired import Difference

_BY_PLACE = "because the judge preferred the same position in all games, in both orders"


def _outcomes(args: argparse.Namespace, part: Part, baseline: str | None = None) -> Outcomes:
    """What the games of a part came to, those left out that say nothing of their model."""
    assert part.table is not None
    table = without_models(part.table, part.silent)
    return outcomes(table, args.weight, args.first_game_only, baseline)


def ranks_of(args: argparse.Namespace, part: Part) -> tuple[dict[str, tuple[int, int]] | None, list[Text]]:
    """The rank interval of each model (--ranks), from paired tests on the same questions, and notes on them."""
    if not args.ranks or part.table is None:
        return None, []
    from arena_hard.rating import paired

    found = _outcomes(args, part, part.baseline)
    if len(found.models) < 2:
        return {}, []
    ranks = paired.rank_intervals(found, args.level)
    return {one.model: (one.best, one.worst) for one in ranks}, unequal_sets.rank_notes(ranks)


def scores_by_judge(args: argparse.Namespace, part: Part) -> dict[str, dict[str, float]] | None:
    """Each judge's own scores, where several judge together."""
    if len(args.judge_name) < 2 or part.table is None:
        return None
    scores = {}
    for code, judge in enumerate(part.table.judges):
        own = select(part.table, part.table.judge == code)
        fought = battles.from_games(own, part.baseline, args.weight, args.first_game_only)
        cells = battles.cells_of(fought)
        found = ratings.win_rate(ratings.fit(cells, cells.counts(fought), 0))
        scores[judge] = dict.fromkeys(part.battles.models, math.nan) | dict(zip(fought.models, found.tolist()))
    return scores


# ------------------------------------------------------------------------------------- after looks


def scores_at_all_looks(args: argparse.Namespace, part: Part) -> list[AfterLooks]:
    """What holds of the scores of models whose judging was looked at while it went on; of one judge, as published."""
    if part.table is None or not part.looked or len(args.judge_name) > 1 or args.control_features:
        return []
    found = _outcomes(args, part)
    return [
        one for name, looked in part.looked.items() for one in stopped.scores_after(found, [name], looked, args.level)
    ]


def looks(args: argparse.Namespace, part: Part) -> list[Section]:
    """What holds of models whose judging was looked at while it went on, so that it could end; empty without any."""
    pairs = stopped.differences_after(_outcomes(args, part, part.baseline), part.looked, args.level)
    return looks_sections([*pairs, *scores_at_all_looks(args, part)], args.level)


def looks_sections(after: Sequence[AfterLooks], level: float = 0.95) -> list[Section]:
    """The table of looks; empty without any."""
    rows = [
        [
            one.name,
            signed(one.value) if one.is_difference else score_text(one.value),
            "" if one.estimate is None else signed(one.estimate),
            signed_ends(one.lower, one.upper)
            if one.is_difference
            else f"({score_text(one.lower)}, {score_text(one.upper)})",
            "" if one.p_value is None else f"{one.p_value:.2g}",
            f"{one.questions}, {counted(one.looks, 'look')}"
            + f", the last at {one.last}" * (one.last != one.questions),
        ]
        for one in after
    ]
    columns = ["", "points", "corrected", f"{100 * level:g}% CI at all looks", "p", "questions"]
    remarks: list[Text] = [
        "Judging was monitored as it ran and could stop on what was seen (--until-decided, --until-width): "
        "intervals and p-values that assume a fixed number of questions are overconfident, and a difference that ended "
        "it is too large. Those in this table are valid. Questions judged since the last look count as one more."
    ]
    if any(one.estimate is not None for one in after):
        remarks.append("corrected: the median-unbiased estimate.")
    title = "Judging that was monitored as it ran"
    return [Section(title, columns, rows, plain_data(after), remarks)] if after else []


# ----------------------------------------------------------------------------- paired differences


def differences(args: argparse.Namespace, part: Part) -> Section:
    """--compare: paired differences on common questions, the baseline if it is named. Raises UserError."""
    from arena_hard.rating import paired

    found = _outcomes(args, part, part.baseline if part.baseline in args.compare else None)
    silent = [name for name in dict.fromkeys(args.compare) if name in part.silent]
    judged = part.table.models if part.category and part.table is not None else []
    absent = [name for name in dict.fromkeys(args.compare) if name in judged and name not in (*found.models, *silent)]
    named = [name for name in args.compare if name not in (*silent, *absent)]
    compared = named if len(set(named)) > 1 or not (silent or absent) else []
    pairs = paired.differences(found, compared, args.level) if compared else ()
    without = paired.without_common(found, compared) if compared else []
    columns = ["pair", "points", f"{100 * args.level:g}% CI", "p", "p corrected", "questions", "win rates on them"]
    remarks: list[Text] = ["p corrected: for the number of pairs, by Holm's method."] if pairs else []
    if part.looked and pairs:
        remarks.append(
            "Judging was monitored as it ran: these intervals and p-values assume the number of questions to be "
            "fixed, and are overconfident for a difference that ended it."
        )
    remarks += [*unequal_sets.unpaired_notes(pairs), *unequal_sets.without_common_notes(without)]
    if silent:
        remarks.append(Note([Items(silent), f": not known, {_BY_PLACE}."]))
    if absent:
        remarks.append(
            Note(
                [
                    Items(absent),
                    f": not known, because no readable verdict is in {part.category}.",
                ]
            )
        )
    data = plain_data(pairs) + [
        {"model": one, "other": other, "questions": 0, "note": unequal_sets.NOTHING_COMMON} for one, other in without
    ]
    title = "Paired differences of win rates on common questions"
    return Section(title, columns, [_row(one) for one in pairs], data, remarks)


def _row(one: Difference) -> Sequence[str]:
    return [
        f"{one.model} − {one.other}",
        signed(one.value),
        signed_ends(one.lower, one.upper),
        f"{one.p_value:.2g}",
        f"{one.corrected:.2g}",
        str(one.questions),
        f"{score_text(one.score)} − {score_text(one.other_score)}",
    ]


# ------------------------------------------------------------------------------------------- a plan


def plan(args: argparse.Namespace, part: Part) -> Section:
    """--plan: how many questions a difference takes. Raises UserError."""
    from arena_hard.rating import planning

    found = _outcomes(args, part)
    left_out: list[Text] = [Note(["Left out: ", Items(part.silent), f", {_BY_PLACE}."])] if part.silent else []
    try:
        one = planning.plan(found, args.plan, args.level)
    except planning.NothingToLearn as error:  # which says nothing against the rest of the output
        return Section("Planning", ["", ""], [], {"note": str(error)}, [str(error), *left_out])
    most = f"{100 * planning.MOST:g}% of the pairs"
    rows = [
        [f"questions needed to detect {one.delta:g} points", str(one.needed)],
        [f"… in {most}", str(one.needed_by_most)],
        [f"… in {most}, with Holm's correction for all {one.tests}", str(one.corrected)],
        [f"smallest difference that {counted(one.questions, 'question')} in common show", f"{one.visible:.1f} points"],
        ["spread of a question's difference (median over pairs)", f"{one.sigma:.1f} points"],
    ]
    remark = (
        f"Detected: significant at {100 * (1 - one.level):.3g}% in {100 * one.power:g}% of repetitions; unless stated "
        "otherwise, for the median pair tested alone; half of the pairs need more."
    )
    return Section("Planning", ["", ""], rows, plain_data(one), [remark, *left_out])
