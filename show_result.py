"""Judgments → battles → ratings → leaderboard.

Each game is a battle between the baseline and a model; a strong verdict counts `--weight` times. The ratings
are the Bradley–Terry fit of all battles, a model's score is its win rate against the baseline in percent.
Intervals follow the original's bootstrap by default; README.md says when to use which.
"""

from __future__ import annotations

if __name__ == "__main__":  # before what takes long to import
    from arena_hard.data import interrupts

    interrupts.end_at_once()

import argparse
import datetime
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena_hard.data import jsonl, streams
from arena_hard.data.bench_files import load_questions
from arena_hard.data.beside import Copy, copying
from arena_hard.data.expected import Expected
from arena_hard.data.lengths import AnswerLengths, lengths_ahead
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import is_there
from arena_hard.data.records import Question, UserError
from arena_hard.data.typed_jsonl import InputFile
from arena_hard.rating import battle_files, battles, caches, intervals, ratings, same_place
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.battles import Battles
from arena_hard.rating.categories import Part, covered, cut, without_half_read
from arena_hard.rating.coverage import Coverage, judged_in
from arena_hard.rating.games import read_judgments, without_own
from arena_hard.rating.intervals import Fit
from arena_hard.rating.stopped import looked_in
from arena_hard.showing import comparisons, config_values, flags, footnotes, formats, leaderboard, rounds_bar
from arena_hard.showing.category_files import cached_cases, write_battles
from arena_hard.showing.kept_page import KeptPage
from arena_hard.showing.notes import Text, from_data
from utils import load_judge_settings, parser, run_main

EXAMPLES = """\
  python show_result.py
  python show_result.py --setting-file config/demo/judge_config.yaml
  python show_result.py --judge-name gpt-4.1 --baseline gpt-4-0314 --output
  python show_result.py --interval sandwich --ranks --compare model-a model-b
  python show_result.py --breakdown --models my-model
  python show_result.py --full-stats --format html > leaderboard.html
  python show_result.py --battles my_battles.jsonl --baseline model-a
  python show_result.py --correlate human_arena.csv --bench ours=leaderboard/arena_hard_leaderboard_20240731.csv"""


@dataclass(frozen=True)
class Result:
    """One part of the bench, rated: what the table and the files are made from."""

    part: Part
    fit: Fit
    covered: Coverage | None
    rows: list[leaderboard.Row]
    notes: list[Text]


def main() -> int:
    """Read, rate, print, and write what was asked for."""
    args = flags.add_to(parser(__doc__ or "", EXAMPLES)).parse_args()
    flags.check(args)
    if args.correlate:
        from arena_hard.showing import correlation_table

        print(correlation_table.text_of(args))
        return 0
    expected = config_values.choose(args, load_judge_settings)
    bench = expected.bench
    if args.costs:
        return print_costs(args, bench)

    show = streams.print_document if args.format in flags.DOCUMENTS else print
    kept = KeptPage(args, expected)
    if page := kept.text():
        show(page)
        return 0
    with kept.making() as keep:
        results, page = result_of(args, expected)
        keep(page, results)
    show(page)
    if args.output:
        write_csv(args, results)
    if args.plot:
        from arena_hard.showing.figures import draw_parts

        for line in draw_parts(results, args.plot, args.level):
            print(line, file=sys.stderr)
    return 0


def result_of(args: argparse.Namespace, expected: Expected) -> tuple[list[Result], str]:
    """All parts of the bench, rated, and the page of them. Raises UserError."""
    bench = expected.bench
    with copying() as copy:
        lengths_of = lengths_ahead(bench, [] if args.battles else args.judge_name, copy, flags.leaves_files(args))
        parts, inputs, notes = load(args, expected, copy)
        questions, unknown = questions_of(args, bench)
        results = [rate(args, bench, part, inputs, questions, lengths_of) for part in parts]
    overall, said = over_categories(args, results)
    page = formats.Page(args, results, inputs, [*notes, *unknown, *said], overall, questions)
    return results, formats.FORMATS[args.format](page)


# --------------------------------------------------------------------------- judgments → battles


def load(
    args: argparse.Namespace, expected: Expected, copy: Copy
) -> tuple[list[Part], tuple[InputFile, ...], list[Text]]:
    """The parts to rate, their files, and notes. copy: of this process, to leave work to. Raises UserError."""
    if args.battles:
        found = battle_files.read_battles(args.battles)
        anchor = anchor_of(found, args.battles, args.baseline or expected.baseline())
        return [Part("", anchor, found, n_battles=len(found))], (), []
    if args.load_battles:
        copy.begin()
        return load_cached(args, expected)
    bench = expected.bench
    wanted = [args.baseline] if args.baseline else expected.judged_against(args.judge_name)
    with jsonl.hearing() as heard:
        judgments = read_judgments(bench, args.judge_name, wanted, args.soft, copy, flags.leaves_files(args))
        cuts = cut(judgments.table, expected, args.baseline, args.category)
    parts: list[Part] = []
    notes: list[Text] = []
    for category, baseline, every, said, told in cuts:
        games = without_own(every, baseline)
        notes += said + footnotes.own_notes(every, games, baseline)
        read = without_half_read(games) if args.interval == "v2.0" else games
        judge = " + ".join(args.judge_name)
        fought = battles.readable_battles(read, baseline, judge, args.weight, args.first_game_only)
        judged = judged_in(games)
        fought = fought.coded_by([baseline, *judged.known_models()], fought.questions)
        folders = [bench.judgment_folder(judge, own) for judge in args.judge_name for own in ("", baseline)]
        looked, silent = looked_in(folders, fought.models), same_place.same_place(read)
        said = footnotes.games_notes(args, games, read, looked, silent)
        parts.append(Part(category, baseline, fought, read, judged, looked, silent, said, told, fought.n_games))
    notes += footnotes.files_notes(judgments)
    notes += footnotes.other_baseline_notes(judgments.table, parts) if not args.category else []
    return parts, judgments.inputs, notes + write_battles(args, expected, parts, judgments.inputs, notes, heard)


def anchor_of(found: Battles, file: Path, baseline: str) -> str:
    """The model whose rating is pinned. Raises UserError when no battle is with it."""
    if baseline not in found.models:
        known = shortened(found.models)
        raise UserError(f"{file} has no battle with {baseline}. Name a model of it with --baseline: {known}.")
    return baseline


def load_cached(args: argparse.Namespace, expected: Expected) -> tuple[list[Part], tuple[InputFile, ...], list[Text]]:
    """The battles of an earlier run, one part for each category named. Raises UserError for a stale file."""
    parts: list[Part] = []
    inputs: tuple[InputFile, ...] = ()
    notes: list[Text] = [footnotes.JUDGES_IN_ONE] if len(args.judge_name) > 1 else []
    cases, lacking = cached_cases(args, expected)
    with jsonl.hearing() as heard:
        found = [caches.find_battles(expected.bench, case, not args.category) for case in cases]
    jsonl.warn(dict.fromkeys(each for _, note in found if note for each in note.remarks if each not in heard))
    for case, (file, note) in zip(cases, found):
        parts.append(cached_part(file, note or caches.Note(case, ())))
        if note is None:
            notes.append(f"{file} does not record its inputs (the original's files do not); it is used as it is.")
            continue
        inputs = note.inputs
        notes += [each for each in from_data(note.said[1] if note.said else []) if each not in notes]
    return parts, inputs, notes + lacking


def cached_part(file: Path, note: caches.Note) -> Part:
    """The part that a cache holds."""
    case, found = note.case, caches.battles_of(file, note)
    anchor, said = anchor_of(found, file, case.baseline), from_data(note.said[0] if note.said else [])
    more = {"told": note.told, "n_battles": note.n_battles}
    return Part(case.category, anchor, found, judged=note.judged, silent=note.silent, said=said, **more)


def questions_of(args: argparse.Namespace, bench: Bench) -> tuple[list[Question], list[str]]:
    """The questions that could have been judged, and a note where they cannot be read: no score needs them."""
    if args.battles or not is_there(bench.question_file):
        return [], []
    try:
        return load_questions(bench), []
    except UserError as error:
        return [], [f"What was not judged is unknown: {error}"]


# ----------------------------------------------------------------------------- battles → ratings


def rate(
    args: argparse.Namespace,
    bench: Bench,
    part: Part,
    inputs: Sequence[InputFile],
    questions: Sequence[Question],
    lengths_of: Callable[[str], AnswerLengths],
) -> Result:
    """The fit of a part with its intervals, the rows of its table, and what has to be said of them."""
    rule = flags.rule(args)
    if args.control_features:
        from arena_hard.rating.style_control import controlled_fit

        fit, notes = controlled_fit(args, bench, part)
    else:
        given, notes = cached_rounds(args, bench, part)
        case, draw = flags.case(args, part.category, part.baseline), flags.draw(args)
        is_cached = given is None and bool(inputs) and flags.leaves_files(args)
        file = caches.RoundFile(bench, case, draw, part.battles, part.anchor) if is_cached else None
        rounds = file.known() if file else given
        cells = battles.cells_of(part.battles)
        fit = intervals.fit_with_intervals(part.battles, cells, part.anchor, rule, rounds, rounds_bar.rounds_with_bar)
        if file and fit.rounds is not None:
            notes = [problem for problem in [file.save(fit.rounds, inputs, part.told)] if problem]
    fit = intervals.without_ends(fit, part.silent)
    lengths = {model: lengths_of(model) for model in fit.models}
    tokens = {model: length.average for model, length in lengths.items()}
    found = covered(part, questions)
    ranks, said_of_ranks = comparisons.ranks_of(args, part)
    rows = leaderboard.rows_of(fit, tokens, ranks, comparisons.scores_by_judge(args, part), found)
    rows = leaderboard.with_looks(rows, comparisons.scores_at_all_looks(args, part))
    said = [*footnotes.score_notes(fit, rule, part.battles, found), *notes]
    return Result(part, fit, found, rows, [*said, *said_of_ranks, *part.said, *footnotes.length_notes(lengths)])


def over_categories(
    args: argparse.Namespace, results: Sequence[Result]
) -> tuple[list[leaderboard.Row], Sequence[Text]]:
    """The rows of the mean over categories, and what has to be said of them; nothing with a single part."""
    if not results[1:]:
        return [], []
    from arena_hard.rating.category_mean import category_mean

    mean = category_mean([result.fit for result in results], flags.rule(args))
    rows = leaderboard.over_categories(mean, [result.covered for result in results])
    return rows, footnotes.mean_notes(mean, [result.part for result in results])


def cached_rounds(args: argparse.Namespace, bench: Bench, part: Part) -> tuple[FloatArray | None, list[str]]:
    """The bootstrap rounds of an earlier run, where they are wanted. Raises UserError."""
    if not args.load_bootstrap:
        return None, []
    file, note = caches.find_rounds(bench, flags.case(args, part.category, part.baseline), flags.draw(args))
    rounds = caches.read_rounds(file, part.battles.models)
    rounds = rounds + ratings.ANCHOR_RATING - rounds[:, [part.anchor]]
    unknown = f"{file} does not record its inputs; its {counted(len(rounds), 'round')} are used as they are."
    return rounds, [] if note else [unknown]


# ------------------------------------------------------------------------------------- the output


def write_csv(args: argparse.Namespace, results: Sequence[Result]) -> None:
    """The CSV of --output for each part. Raises UserError."""
    from arena_hard.showing import csv_files

    today = datetime.date.today()
    for result in results:
        case = csv_files.case_of(args, result.part.category, result.part.baseline)
        for line in csv_files.write(case, today, leaderboard.csv_text(result.rows, today, args.level)):
            print(line, file=sys.stderr)


def print_costs(args: argparse.Namespace, bench: Bench) -> int:
    """What the records of a bench have cost (--costs)."""
    from arena_hard.money import past_costs

    bench.check()
    bills = past_costs.past_bills(bench)
    print(past_costs.report_json(bills) if args.format == "json" else "\n".join(past_costs.report_lines(bills)))
    return 0


if __name__ == "__main__":
    run_main(main)
