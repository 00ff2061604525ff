"""The further analyses of a leaderboard as small tables: those that were asked for, and what the judge is worth."""

from __future__ import annotations

import argparse
import math

from arena_hard.data.paths import Bench
from arena_hard.rating import judge_stats
from arena_hard.rating.categories import Part
from arena_hard.rating.games import GameTable
from arena_hard.rating.judge_stats import GRADES, Agreement, Estimate, JudgeReport, RuleEffect
from arena_hard.showing import comparisons
from arena_hard.showing.leaderboard import score_text
from arena_hard.showing.sections import Section, plain_data, signed, signed_ends


def sections_of(args: argparse.Namespace, part: Part) -> list[Section]:
    """The further analyses that were asked for. Raises UserError."""
    sections: list[Section] = []
    if part.table is None:
        return sections
    if part.looked and len(args.judge_name) == 1:
        sections += comparisons.looks(args, part)
    if args.compare:
        sections.append(comparisons.differences(args, part))
    if args.plan is not None:
        sections.append(comparisons.plan(args, part))
    if len(args.judge_name) > 1:
        sections.append(ensemble(part.table))
    if args.full_stats or args.format == "html":
        sections.append(counts(part.table))
        for report in judge_stats.judge_reports(part.table, args.level):
            sections += [judge(report), two_games(report)]
            sections += blind_checks(args, report.judge, part.baseline)
        sections.append(rules(part.table, args.weight))
    return sections


# ---------------------------------------------------------------------------------------- the judge


def counts(table: GameTable) -> Section:
    """What each model's games came to."""
    columns = ["model", "games", "win rate", "strong wins", "wins", "ties", "losses", "strong losses"]
    columns += ["unreadable", "one-sided", "same position twice"]
    found = judge_stats.model_counts(table)
    rows = []
    for one in found:
        valid = one.games - one.nulls
        share = score_text(100 * (one.strong_wins + one.slight_wins + one.ties / 2) / valid if valid else math.nan)
        numbers = [one.strong_wins, one.slight_wins, one.ties, one.slight_losses, one.strong_losses]
        numbers += [one.nulls, one.one_sided, one.same_position]
        rows.append([one.model, str(one.games), share, *map(str, numbers)])
    remark = (
        "win rate: every readable game counts once. one-sided: questions with only one readable game; "
        "same position twice: the judge preferred the same position in both games."
    )
    return Section("Games of each model", columns, rows, plain_data(found), [remark])


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
            "n/a" if bias is None else _points(bias),
        ],
        *_agreement_rows(same, "both games"),
    ]
    return Section(f"Judge {report.judge}", ["", ""], rows, plain_data(report))


def _points(found: Estimate) -> str:
    return f"{signed(found.value)} points {signed_ends(found.lower, found.upper)}"


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.2f}%)" if whole else "0"


def _agreement_rows(one: Agreement, what: str) -> list[list[str]]:
    return [
        [f"{what}: same winner", _percent(one.same_sign)],
        [f"{what}: same verdict", _percent(one.same_grade)],
        [f"{what}: Cohen's κ, quadratic weights", _number(one.kappa)],
        [f"{what}: Krippendorff's α, ordinal", _number(one.alpha)],
    ]


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f}%"


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
            one.answer,
            str(one.games),
            _percent(one.same_winner),
            _percent(one.same_verdict),
            _number(one.kappa),
            "n/a" if one.lower is None else f"({_number(one.lower)}, {_number(one.upper)})",
            "n/a" if one.place is None else _points(one.place),
        ]
        for person, one in found.items()
    ]
    columns = ["person", "agrees", "games", "same winner", "same verdict", "κ", f"{args.level * 100:g}% CI"]
    columns.append("judge prefers the first answer more by")
    data = {person: plain_data(one._asdict()) for person, one in found.items()}
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
    return Section("Agreement of the judges", columns, rows, plain_data(found), [remark])
