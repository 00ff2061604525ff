"""Style control on a bench: the answers' style as covariates of the fit (show_result.py --control-features)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from arena_hard.data import style_counts
from arena_hard.data.bench_files import ERROR_MARK
from arena_hard.data.lengths import Odd, first_count, served_length, sum_of_counts
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import is_there
from arena_hard.data.record_values import is_object
from arena_hard.data.records import UserError, turns_in
from arena_hard.data.typed_jsonl import Reader
from arena_hard.rating import ratings, sandwich, style_fit
from arena_hard.rating.arrays import BoolArray, FloatArray
from arena_hard.rating.battles import Battles, Games, cells_of
from arena_hard.rating.categories import Part
from arena_hard.rating.intervals import Fit

_SCORES = {
    False: "scores as published: with the mean difference of style (--at-equal-style: without any)",
    True: "scores at equal style",
}


class _Usage(msgspec.Struct):
    completion_tokens: Any = None
    reasoning_tokens: Any = 0


class _Answer(msgspec.Struct):
    question_id: str = ""
    uid: str = ""
    choices: Any = None
    messages: Any = None
    metadata: dict[str, Any] | Odd = None
    conv_metadata: dict[str, Any] | Odd = None
    usage: _Usage | Odd = None


def controlled_fit(args: argparse.Namespace, bench: Bench, part: Part) -> tuple[Fit, list[str]]:
    """The style-controlled fit with its intervals, and notes with the coefficients.

    Battles whose answers are not both there are left out and counted. Raises UserError when none is left.
    """
    columns = style_fit.chosen_features(args.control_features)
    battles = _with_finite_models(part.battles, part.anchor)
    counts = style_table(bench, battles.models, battles.questions)
    a, b = counts[battles.model_a, battles.question], counts[battles.model_b, battles.question]
    known = ~(np.any(np.isnan(a), axis=1) | np.any(np.isnan(b), axis=1))
    missing = len(_cut(battles, ~known).games().rows)
    if not known.any():
        raise UserError(
            f"Style control needs the answers of the baseline and of the models in {bench.answer_folder}/, with "
            f"token counts; no battle has both ({part.baseline} is the baseline)."
        )
    used = _cut(battles, known)
    games = used.games()
    answers = a[known][games.first], b[known][games.first], games.rows, args.style_formula, columns
    features = style_fit.style_features(*answers)
    found = style_fit.bootstrap_style(
        _rows(used, games, features), part.anchor, args.style_formula, args.num_rounds, args.seed, args.level,
        args.interval, args.jobs, args.backend, args.address,
    )  # fmt: skip
    if args.at_equal_style:
        equal = style_fit.equal_style(*answers)
        found = style_fit.at_equal_style(found, equal, part.anchor, args.style_formula, args.level)
    return _as_fit(part, used, found), _notes(
        args, columns, found, missing, len(battles.games().rows), part.battles, battles
    )


def _with_finite_models(battles: Battles, anchor: int) -> Battles:
    """Without the battles of models that won or lost everything: no finite rating fits them."""
    cells = cells_of(battles)
    finite = np.isfinite(ratings.fit(cells, cells.counts(battles), anchor))
    return _cut(battles, np.asarray(finite[battles.model_a] & finite[battles.model_b]))


def _cut(battles: Battles, mask: BoolArray) -> Battles:
    columns = ["model_a", "model_b", "question", "winner", "rows", *(["game"] if battles.game is not None else [])]
    return replace(battles, **{name: getattr(battles, name)[mask] for name in columns})


def _rows(battles: Battles, games: Games, features: FloatArray) -> style_fit.Rows:
    return style_fit.Rows(
        n_models=len(battles.models),
        model_a=battles.model_a[games.first],
        model_b=battles.model_b[games.first],
        question=battles.question[games.first],
        won=games.won,
        weight=games.rows,
        features=features,
    )


def _as_fit(part: Part, used: Battles, found: style_fit.StyleRounds) -> Fit:
    """Models without a usable battle have no rating."""
    p = len(used.models)
    there = np.bincount(used.model_a, minlength=p) + np.bincount(used.model_b, minlength=p) > 0
    point, lower, upper = (np.where(there, ends, np.nan) for ends in (found.rating, found.lower, found.upper))
    questions = sandwich.questions_of_models(used)
    rounds = np.where(there, found.ratings, np.nan)
    nothing = np.full(p, np.nan)
    return Fit(part.battles.models, part.anchor, point, lower, upper, questions, float("nan"), None, rounds, nothing)


def _notes(
    args: argparse.Namespace,
    columns: Sequence[int],
    found: style_fit.StyleRounds,
    missing: int,
    battles: int,
    whole: Battles,
    finite: Battles,
) -> list[str]:
    texts = [
        f"{style_counts.FEATURES[column]} {found.fit.coefficients[i]:+.3f} "
        f"({found.coefficient_lower[i]:+.3f}, {found.coefficient_upper[i]:+.3f})"
        for i, column in enumerate(columns)
    ]
    notes = [
        f"Style control, formula of {args.style_formula}, {_SCORES[args.at_equal_style]}; coefficients in log-odds per "
        f"standard deviation, with {100 * args.level:g}% intervals: {'; '.join(texts)}."
    ]
    if missing:
        notes.append(f"{missing} of {counted(battles, 'battle')} left out: an answer or its token count is missing.")
    if len(finite) < len(whole):
        notes.append("Models that won or lost everything have no style-controlled score.")
    return notes


def style_table(bench: Bench, models: Sequence[str], questions: Sequence[str]) -> FloatArray:
    """Style counts [p, q, 4] of the answers in the order of style.FEATURES; NaN where there is none."""
    place = {question: code for code, question in enumerate(questions)}
    table = np.full((len(models), len(questions), len(style_counts.FEATURES)), np.nan)
    for model, name in enumerate(models):
        file = bench.answer_file(name)
        if not is_there(file):
            continue
        reader, ids = Reader(_Answer), set[str]()
        for rows in reader.blocks(file):
            for row in rows:
                ids.add(row.question_id or row.uid)
                code = place.get(row.question_id or row.uid)
                if code is not None:
                    counted = _counts(row)
                    table[model, code] = np.nan if counted is None else counted
        reader.check_ids(file, ids)
    return table


def _counts(row: _Answer) -> tuple[int, int, int, int] | None:
    """The counts of one answer, as they were made when it was written where they are there."""
    metadata = [each for each in (row.metadata, row.conv_metadata) if is_object(each)]
    recorded = [counts for counts in map(style_counts.counts_of_metadata, metadata) if counts is not None]
    if recorded:
        return recorded[0]
    try:
        turns = turns_in({"choices": row.choices} if row.choices else {"messages": row.messages})[0]
    except ValueError:  # whoever needs the texts themselves says so
        return None
    if ERROR_MARK in [turn.content for turn in turns]:
        return None
    tokens = sum_of_counts([turn.token_len for turn in turns])
    tokens = first_count([each.get("token_len") for each in metadata]) if tokens is None else tokens
    tokens = served_length(row.usage) if tokens is None else tokens
    text = "\n".join(turn.content for turn in turns)
    return None if tokens is None else style_counts.style_counts(text, int(tokens))
