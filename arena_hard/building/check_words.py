"""What a benchmark's judgments say of it, in words and tables for its report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from arena_hard.building.bench_check import LEVEL, Check
from arena_hard.data.name_lists import counted
from arena_hard.rating.discrimination import FEWEST, Discrimination
from arena_hard.rating.metrics import Correlation, Metric
from arena_hard.showing.caveats import is_caution
from arena_hard.showing.html_tables import Cell, table
from arena_hard.showing.leaderboard import score_text
from arena_hard.showing.notes import whole, with_minus

MOST_ROWS = 500
NAMED = 20  # dead questions
MANY = 10  # models, from which a single question's correlation says something
_LEVEL = f"{LEVEL:.0%}"


def check_view(check: Check, texts: dict[str, str]) -> dict[str, Any]:
    """What stands in the template. texts: the beginning of each question by its id."""
    category = f", {check.category}" if check.category else ""
    return {
        "title": f"Judged by {check.judge} against {check.baseline}{category}",
        "models": _models(check),
        "cautions": [whole(note) for note in check.notes if is_caution(note)],
        "notes": [with_minus(whole(note)) for note in check.notes if not is_caution(note)],
        "sentences": list(_sentences(check)),
        "reference": _reference(check) if check.reference else "",
        "reference_notes": list(_reference_notes(check)),
        "question_sentences": list(_question_sentences(check, texts)),
        "questions": _questions(check.questions, texts),
    }


def _models(check: Check) -> str:
    rows = [
        [Cell(name, name), Cell(score_text(score), score), _interval(low, high)]
        for name, score, low, high in check.models
    ]
    return table(["Model", "Win rate %", f"{_LEVEL} interval"], rows, sortable=True, baseline=check.baseline)


def _interval(low: float, high: float) -> Cell:
    if np.isnan(low) or np.isnan(high):
        return Cell("n/a")
    return Cell(f"{score_text(low)} to {score_text(high)}", high - low)


def _sentences(check: Check) -> Iterable[str]:
    """Separability, and what it can be taken for."""
    one, known = check.itself, int(np.sum(~np.isnan(check.source.lower) & ~np.isnan(check.source.upper)))
    if one is None or one.separability.value is None or known < FEWEST:
        are = "is" if known == 1 else "are"
        yield (
            f"Separability takes {FEWEST} models with a score and an interval at least; {known} {are} here, the "
            "baseline among them."
        )
        return
    pairs = known * (known - 1) // 2
    apart = pairs - (one.overlapping or 0)
    ends = _ends(one.separability, 100.0, "%")
    yield (
        f"Separability: {100 * one.separability.value:.1f}%{ends}. The intervals of {apart} of "
        f"{counted(pairs, 'pair')} of models do not overlap."
    )
    if len(check.source.models) < MANY:
        yield (
            f"With {counted(len(check.source.models), 'model')} this says little: it depends on how different these "
            f"happen to be, and the interval is over models. From about {MANY} on it describes the benchmark."
        )


def _ends(metric: Metric, factor: float, unit: str = "", digits: int = 1) -> str:
    if metric.lower is None or metric.upper is None:
        return ""
    low, high = factor * metric.lower, factor * metric.upper
    return with_minus(f" ({_LEVEL} interval {low:.{digits}f} to {high:.{digits}f}{unit})")


# ---------------------------------------------------------------------------------- the reference


def _reference(check: Check) -> str:
    assert check.reference is not None
    one = check.reference.correlation
    rows = [[Cell(name), Cell(text)] for name, text in _reference_rows(one)]
    return table([f"Against {one.reference}", ""], rows)


def _reference_rows(one: Correlation) -> Iterable[tuple[str, str]]:
    yield "models in common", str(one.models)
    yield "agreement with confidence", _value(one.agreement)
    yield "Spearman", _value(one.spearman)
    yield "Kendall τ-b", _value(one.kendall)
    yield "Brier (lower is better)", _value(one.brier)
    pairs = "not known" if one.reference_pairs is None else f"{one.reference_pairs} of {one.pairs}"
    yield "pairs the reference separates", pairs


def _value(metric: Metric) -> str:
    if metric.value is None:
        return "not known"
    return with_minus(f"{metric.value:.3f}") + _ends(metric, 1.0, digits=3)


def _reference_notes(check: Check) -> Iterable[str]:
    if check.why_no_reference:
        yield check.why_no_reference
    if check.reference:
        left = check.reference.matched.only_source
        if left:
            yield f"Not in the reference: {', '.join(left)}."


# ------------------------------------------------------------------------------------ questions


def _question_sentences(check: Check, texts: dict[str, str]) -> Iterable[str]:
    """What the questions are worth together, and those that are worth nothing by name."""
    found = check.questions
    models = int(found.models.max(initial=0))
    several = found.models >= 2
    if models < 2:
        yield "Questions can tell models apart only where two or more were judged on them."
        return
    dead = [found.questions[at] for at in np.flatnonzero(found.dead)]
    yield _dead_words(dead, int(several.sum()), _the_models(found.models[several].tolist()), texts)
    known = ~np.isnan(found.agreement)
    if known.any():
        mean, turned = float(found.agreement[known].mean()), int(found.against.sum())
        yield with_minus(
            f"A question agrees with all others about the models with a correlation of {mean:.2f} on average; "
            f"{turned} of {counted(int(known.sum()), 'question')} rather "
            f"{'ranks' if turned == 1 else 'rank'} them the other way round."
        )
    if models < MANY:
        yield (
            f"With {counted(models, 'judged model')} a single correlation is mostly chance; read it for questions "
            f"only from some {MANY} models on."
        )


def _the_models(counts: Sequence[int]) -> str:
    """Those that were judged on questions, by how many they were on each."""
    if min(counts) < max(counts):
        return "the models that were judged on it"
    return "both models" if counts[0] == 2 else f"all {counts[0]} models"


def _dead_words(dead: Sequence[str], many: int, models: str, texts: dict[str, str]) -> str:
    """models: as in _the_models."""
    if not dead:
        return f"None of {counted(many, 'question')} is dead: on each, some models differ."
    named = "; ".join(_named(key, texts) for key in dead[:NAMED])
    more = f" and {len(dead) - NAMED} more, which the table has" if len(dead) > NAMED else ""
    are, them = ("is", "it") if len(dead) == 1 else ("are", "each")
    return f"{len(dead)} of {counted(many, 'question')} {are} dead: {models} came out alike on {them}: {named}{more}."


def _named(key: str, texts: dict[str, str]) -> str:
    text = texts.get(key, "")
    return f"{key} ({text[:50]}{'…' if len(text) > 50 else ''})" if text else key


def _questions(found: Discrimination, texts: dict[str, str]) -> str:
    """The questions, those that tell most first."""
    worth = np.where(found.dead, -2.0, np.nan_to_num(found.agreement, nan=-1.5))
    order = np.lexsort((-found.spread, -worth))[:MOST_ROWS]
    rows = [_question_row(found, at, texts) for at in order.tolist()]
    columns = ["Question", "Discrimination", "Spread", "Mean win share %", "Models", "State"]
    return table(columns, rows, sortable=True)


def _question_row(found: Discrimination, at: int, texts: dict[str, str]) -> Sequence[Cell]:
    key, agreement = found.questions[at], float(found.agreement[at])
    text = texts.get(key, key)
    state = "dead" if found.dead[at] else "turned round" if found.against[at] else ""
    shown = "–" if np.isnan(agreement) else with_minus(f"{agreement:.2f}")
    return [
        Cell(text, text),
        Cell(shown, "" if np.isnan(agreement) else agreement),
        Cell(f"{found.spread[at]:.1f}", float(found.spread[at])),
        Cell(f"{found.mean[at]:.1f}", float(found.mean[at])),
        Cell(str(int(found.models[at])), int(found.models[at])),
        Cell(state, state),
    ]
