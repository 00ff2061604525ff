"""The further analyses of a leaderboard as small tables: who is really better, and what the judge is worth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.rating import battles, judge_stats, paired, planning, ratings, stopped
from arena_hard.rating.categories import Part
from arena_hard.rating.games import GameTable, select
from arena_hard.rating.judge_stats import GRADES, Agreement, JudgeReport, RuleEffect
from arena_hard.rating.outcomes import Outcomes, outcomes
from arena_hard.rating.same_place import without_models
from arena_hard.rating.stopped import AfterLooks
from arena_hard.showing.notes import Text
from arena_hard.showing.unequal_sets import NOTHING_COMMON, rank_notes, unpaired


@dataclass(frozen=True)
class Section:
    """A title, columns and rows of text, and the same as data for JSON; picture: for HTML, as safe HTML."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    data: Any
    remark: str = ""
    picture: str = ""


def sections_of(args: argparse.Namespace, part: Part) -> list[Section]:
    """The further analyses that were asked for. Raises UserError."""
    sections: list[Section] = []
    if part.table is None:
        return sections
    if part.looked and len(args.judge_name) == 1:
        sections += looks(args, part)
    if args.compare:
        sections.append(differences(args, part))
    if args.plan is not None:
        sections.append(plan(args, part))
    if len(args.judge_name) > 1:
        sections.append(ensemble(part.table))
    if args.full_stats or args.format == "html":
        sections.append(counts(part.table))
        for report in judge_stats.judge_reports(part.table, args.level):
            sections += [judge(report), two_games(report)]
            sections += blind_checks(args, report.judge, part.baseline)
        sections.append(rules(part.table, args.weight))
    return sections


# ------------------------------------------------------------------------------ beside the rows


def ranks_of(args: argparse.Namespace, part: Part) -> tuple[dict[str, tuple[int, int]] | None, list[Text]]:
    """The rank interval of each model (--ranks), from paired tests on the same questions, and notes on them."""
    if not args.ranks or part.table is None:
        return None, []
    found = _outcomes(args, part, part.baseline)
    if len(found.models) < 2:
        return {}, []
    ranks = paired.rank_intervals(found, args.level)
    return {one.model: (one.best, one.worst) for one in ranks}, rank_notes(ranks)


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
        scores[judge] = dict(zip(fought.models, found.tolist()))
    return scores


# ------------------------------------------------------------------------------ who is really better


def _outcomes(args: argparse.Namespace, part: Part, baseline: str | None = None) -> Outcomes:
    """What the games of a part came to, those left out that say nothing of their model."""
    assert part.table is not None
    table = without_models(part.table, part.silent)
    return outcomes(table, args.weight, args.first_game_only, baseline)


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
    found = _outcomes(args, part)
    pairs = [stopped.difference_after(found, looked, args.level) for looked in dict.fromkeys(part.looked.values())]
    after = [*filter(None, pairs), *scores_at_all_looks(args, part)]
    rows = [
        [
            one.name,
            f"{one.value:+.1f}" if one.is_difference else f"{one.value:.1f}",
            "" if one.estimate is None else f"{one.estimate:+.1f}",
            f"({one.lower:+.1f}, {one.upper:+.1f})" if one.is_difference else f"({one.lower:.1f}, {one.upper:.1f})",
            "" if one.p_value is None else f"{one.p_value:.2g}",
            f"{one.questions}, {counted(one.looks, 'look')}"
            + f", the last at {one.last}" * (one.last != one.questions),
        ]
        for one in after
    ]
    columns = ["", "points", "corrected", f"{100 * args.level:g}% CI at all looks", "p", "questions"]
    remark = (
        "Judging was looked at while it went on, and what was seen could end it (--until-decided, --until-width): "
        "intervals and p-values that take the number of questions for fixed are too sure, and a difference that ended "
        "it is too large. These hold all the same; corrected is the median-unbiased estimate. Questions judged since "
        "the last look count as one more."
    )
    title = "Judging that was looked at while it went on"
    return [Section(title, columns, rows, plain_data(after), remark)] if after else []


def differences(args: argparse.Namespace, part: Part) -> Section:
    """--compare: paired differences on common questions, the baseline if it is named. Raises UserError."""
    baseline = part.baseline if part.baseline in args.compare else None
    found = _outcomes(args, part, baseline)
    silent = [name for name in dict.fromkeys(args.compare) if name in part.silent]
    named = [name for name in args.compare if name not in silent]
    compared = named if len(set(named)) > 1 or not silent else []
    pairs = paired.differences(found, compared, args.level) if compared else ()
    without = paired.without_common(found, compared) if compared else []
    rows = [
        [
            f"{one.model} − {one.other}",
            f"{one.value:+.1f}",
            f"({one.lower:+.1f}, {one.upper:+.1f})",
            f"{one.p_value:.2g}",
            f"{one.corrected:.2g}",
            str(one.questions),
            f"{one.score:.1f} − {one.other_score:.1f}",
        ]
        for one in pairs
    ]
    columns = ["pair", "points", f"{100 * args.level:g}% CI", "p", "p corrected", "questions", "win rates on them"]
    title = "Paired differences of win rates on common questions"
    remarks = ["p corrected: for the number of pairs, by Holm's method."]
    if part.looked:
        remarks.append(
            "Judging was looked at while it went on: these intervals and p-values take the number of questions for "
            "fixed, and are too sure for a difference that ended it (see the table of looks)."
        )
    remarks += [unpaired(one) for one in pairs if not one.has_same_questions]
    remarks += [f"{one} and {other} have {NOTHING_COMMON}." for one, other in without]
    remarks += [
        f"{name}: not known, because the judge preferred the same place in all of its games, in both orders."
        for name in silent
    ]
    data = plain_data(pairs) + [
        {"model": one, "other": other, "questions": 0, "note": NOTHING_COMMON} for one, other in without
    ]
    return Section(title, columns, rows, data, " ".join(remarks))


def plan(args: argparse.Namespace, part: Part) -> Section:
    """--plan: how many questions a difference takes. Raises UserError."""
    found = _outcomes(args, part)
    try:
        one = planning.plan(found, args.plan, args.level)
    except planning.NothingToLearn as error:  # which says nothing against the rest of the output
        return Section("Planning", ["", ""], [], {"note": str(error)}, str(error))
    most = f"{100 * planning.MOST:g} % of the pairs"
    rows = [
        [f"questions needed to see {one.delta:g} points", str(one.needed)],
        [f"… in {most}", str(one.needed_by_most)],
        [f"… in {most}, with Holm's correction for all {one.tests}", str(one.corrected)],
        [f"smallest difference that {counted(one.questions, 'question')} in common show", f"{one.visible:.1f} points"],
        ["spread of a question's difference (median over pairs)", f"{one.sigma:.1f} points"],
    ]
    remark = (
        f"Seen: significant at {100 * (1 - one.level):.3g} % in {100 * one.power:g} % of repetitions; where nothing "
        "else is said, in the median pair and tested alone: in half of the pairs it takes more."
    )
    if part.silent:
        remark += f" Left out, because the judge always preferred the same place: {', '.join(part.silent)}."
    return Section("Planning", ["", ""], rows, plain_data(one), remark)


# ---------------------------------------------------------------------------------------- the judge


def counts(table: GameTable) -> Section:
    """What each model's games came to."""
    columns = ["model", "games", "win rate", "strong wins", "wins", "ties", "losses", "strong losses"]
    columns += ["unreadable", "one-sided", "same position twice"]
    found = judge_stats.model_counts(table)
    rows = []
    for one in found:
        valid = one.games - one.nulls
        share = f"{100 * (one.strong_wins + one.slight_wins + one.ties / 2) / valid:.1f}" if valid else "n/a"
        numbers = [one.strong_wins, one.slight_wins, one.ties, one.slight_losses, one.strong_losses]
        numbers += [one.nulls, one.one_sided, one.same_position]
        rows.append([one.model, str(one.games), share, *map(str, numbers)])
    remark = (
        "win rate: every readable game counts once. one-sided: questions with only one readable game; "
        "same position twice: the judge preferred the same place in both games."
    )
    return Section("Games of each model", columns, rows, plain_data(found), remark)


def judge(report: JudgeReport) -> Section:
    """One judge's habits."""
    bias, same = report.position_bias, report.consistency
    rows = [
        ["games", str(report.games)],
        ["unreadable", _share(report.nulls, report.games)],
        ["ties", _share(report.ties, report.games)],
        ["strong verdicts", _share(report.strong, report.games)],
        [
            "position bias (first − second place)",
            "n/a" if bias is None else f"{bias.value:+.1f} points ({bias.lower:+.1f}, {bias.upper:+.1f})",
        ],
        *_agreement_rows(same, "both games"),
    ]
    return Section(f"Judge {report.judge}", ["", ""], rows, plain_data(report))


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.2f} %)" if whole else "0"


def _agreement_rows(one: Agreement, what: str) -> list[list[str]]:
    return [
        [f"{what}: same winner", _percent(one.same_sign)],
        [f"{what}: same verdict", _percent(one.same_grade)],
        [f"{what}: Cohen's κ, quadratic weights", _number(one.kappa)],
        [f"{what}: Krippendorff's α, ordinal", _number(one.alpha)],
    ]


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def blind_checks(args: argparse.Namespace, judge: str, baseline: str) -> list[Section]:
    """How far people agree with a judge, where somebody made the browser's blind check; else nothing."""
    from arena_hard.rating import blind_agreement

    bench = Bench(args.data_dir, args.bench_name)
    name = next((each.label for each in bench.judgment_sets(judge) if each.baseline == baseline), judge)
    checks = blind_agreement.checks(bench, name)
    if not any(check.decisions for check in checks):
        return []
    groups = [(check.name, [check]) for check in checks] + ([("all", checks)] if len(checks) > 1 else [])
    found = {person: blind_agreement.agreement(group, level=args.level) for person, group in groups}
    rows = [
        [
            person,
            str(one.games),
            _percent(one.same_winner),
            _percent(one.same_verdict),
            _number(one.kappa),
            "n/a" if one.lower is None else f"({_number(one.lower)}, {_number(one.upper)})",
        ]
        for person, one in found.items()
    ]
    columns = ["person", "games", "same winner", "same verdict", "κ", f"{args.level * 100:g}% CI"]
    data = {person: one._asdict() for person, one in found.items()}
    return [Section(f"Blind checks of judge {name}", columns, rows, data)]


def two_games(report: JudgeReport) -> Section:
    """The 5×5 table of game 1 against game 2, seen from the model."""
    rows = [[grade, *map(str, line)] for grade, line in zip(GRADES, report.table.tolist())]
    title = f"Game 1 (down) against game 2 (across), seen from the model; judge {report.judge}"
    return Section(title, ["", *GRADES], rows, report.table.tolist())


def rules(table: GameTable, weight: int) -> Section:
    """How much the scores depend on two rules."""
    effects = {
        f"strong verdicts count {weight} times instead of once": judge_stats.effect_of_weight(table, weight),
        "first game only instead of both": judge_stats.effect_of_first_game(table, weight),
    }
    rows = [[name, *_effect_texts(effect)] for name, effect in effects.items()]
    columns = ["rule", "mean change", "largest change", "largest change of rank"]
    return Section("What the rules do to the scores", columns, rows, plain_data(effects))


def _effect_texts(effect: RuleEffect) -> list[str]:
    points = [f"{effect.mean_change:.1f} points", f"{effect.largest_change:.1f} points"]
    return [*points, str(effect.largest_rank_change)]


def ensemble(table: GameTable) -> Section:
    """How several judges agree on the same games."""
    found = judge_stats.ensemble_agreement(table)
    rows = [
        [
            f"{pair.judge} and {pair.other}",
            str(pair.agreement.units),
            _percent(pair.agreement.same_sign),
            _percent(pair.agreement.same_grade),
            _number(pair.agreement.kappa),
            _number(pair.agreement.alpha),
        ]
        for pair in found.pairs
    ]
    columns = ["judges", "games", "same winner", "same verdict", "κ", "α"]
    remark = f"Krippendorff's α over all judges: {_number(found.alpha)}."
    return Section("Agreement of the judges", columns, rows, plain_data(found), remark)


def plain_data(value: Any) -> Any:
    """Dataclasses and arrays as dictionaries and lists, for JSON."""
    if hasattr(value, "__dataclass_fields__"):
        return plain_data(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain_data(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(each) for each in value]
    return plain_data(value.tolist()) if isinstance(value, (np.ndarray, np.generic)) else value
