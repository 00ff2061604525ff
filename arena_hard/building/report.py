"""The report of a benchmark: one self-contained page of what the steps and its judgments have left on disk.

It reads manifests, the small files of topics and question.jsonl; of tables it reads one column at a time, so that a
million conversations are no more than three hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena_hard.building.bench_check import Check, checks
from arena_hard.building.build_steps import build_steps
from arena_hard.building.check_words import check_view
from arena_hard.building.filter_steps import MEAN_OVER
from arena_hard.building.runner import outdated
from arena_hard.building.sampling import was_changed
from arena_hard.building.steps import Context, Step
from arena_hard.building.topic_view import map_view, topic_rows, topic_table
from arena_hard.data import jsonl
from arena_hard.data.bench_files import load_questions
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError
from arena_hard.rating.metrics import Source
from arena_hard.showing.html_page import document

if TYPE_CHECKING:
    from jinja2 import Environment

_PARTS = Path(__file__).parent
SHORT = 110  # characters of a question before it is opened
TITLES = {
    "read": "Read",
    "clean": "Clean",
    "duplicates": "Copies and near copies",
    "language": "Languages",
    "embed": "Vectors",
    "topics": "Topics",
    "label": "Labels",
    "filter": "Good prompts in good topics",
    "opinion": "Second opinion",
    "names": "Names of topics",
    "sample": "Draw",
    "questions": "Questions",
}


def write_report(context: Context, steps: Sequence[Step], reference: Source | None = None) -> Path:
    """Write data/BENCH/report.html. Raises UserError where nothing has been built yet."""
    manifests = {step.name: context.manifest(step.name) for step in steps}
    if not any(manifests.values()):
        raise UserError(
            f"{context.folder} holds no finished step, so there is nothing to report. Run build_bench.py without "
            "--report first, with the same config and the same --bench."
        )
    file = context.bench.question_file
    questions = load_questions(context.bench) if file.is_file() and file.stat().st_size else []
    view = _view(context, steps, manifests, *checks(context.bench, questions, reference))
    body = _templates().get_template("report.html").render(view)
    style = (_PARTS / "report.css").read_text(encoding="utf-8")
    file = context.bench.folder / "report.html"
    jsonl.replace(file, [document(view["title"], body, style).encode()])
    return file


def _view(
    context: Context,
    steps: Sequence[Step],
    manifests: dict[str, Any],
    found: Sequence[Check],
    problems: list[str],
) -> dict[str, Any]:
    """What stands in the template. What was made before a step was done anew gives no number beside those of now."""
    questions = read_questions(context)
    old = outdated(context, build_steps(context.settings))
    current = {name: None if name in old else manifest for name, manifest in manifests.items()}
    is_current = not questions or context.manifest("questions") is not None and "questions" not in old
    rows = [] if "topics" in old else topic_rows(context, current, questions if is_current and questions else None)
    table, words = topic_table(rows)
    return {
        "title": _title(context, current, questions),
        "tiles": list(_tiles(current, rows, questions if is_current else [])),
        "cautions": list(_cautions(context, questions, is_current)),
        "steps": [{**_step(name, current[name], _first(current)), "old": name in old} for name in current],
        "labels": list(_labels(current)),
        "map": map_view(rows),
        "topics": table,
        "topics_words": words,
        "mean_over": _mean_over(current),
        "questions": [_question(row, _criteria(current) if is_current else []) for row in questions],
        "checks": [check_view(check, {str(row["question_id"]): _short(row) for row in questions}) for check in found],
        "problems": problems,
        "not_judged": _not_judged(context, questions),
    }


def read_questions(context: Context) -> list[dict[str, Any]]:
    """The questions, with all that the last step says of them; none where it has not ended."""
    file = context.bench.question_file
    return list(jsonl.read(file, lambda row: row)) if file.is_file() else []


def _title(context: Context, manifests: dict[str, Any], questions: list[dict[str, Any]]) -> str:
    first = _first(manifests)
    source = f" from {counted(first, 'conversation')}" if first else ""
    return f"{context.bench.name}: {counted(len(questions), 'question')}{source}"


def _first(manifests: dict[str, Any]) -> int:
    """How many conversations came in."""
    return next((manifest["counts"]["in"] for manifest in manifests.values() if manifest), 0)


def _tiles(
    manifests: dict[str, Any], rows: Sequence[dict[str, Any]], questions: list[dict[str, Any]]
) -> Iterable[tuple[str, str]]:
    """The few numbers that stand above all others."""
    yield "conversations", f"{_first(manifests):,}"
    for name, words in (
        ("clean", "after cleaning"),
        ("duplicates", "without copies"),
        ("language", "in the languages"),
    ):
        if manifests.get(name):
            yield words, f"{manifests[name]['counts']['out']:,}"
    if rows:
        yield "topics", f"{len(rows):,}"
        if any(row["left"] is not None for row in rows):  # else nobody knows
            yield "topics that passed", f"{sum(row['kind'] in ('passed', 'drawn') for row in rows):,}"
    if questions:
        yield "questions", f"{len(questions):,}"


def _cautions(context: Context, questions: list[dict[str, Any]], is_current: bool) -> Iterable[str]:
    """What has to be known before any number."""
    if not questions:
        yield "The benchmark is not finished: there are no questions yet."
        return
    if not is_current:
        yield (
            f"The {counted(len(questions), 'question')} below and their judgments are of an earlier run: steps before "
            "them have been done anew since. Run build_bench.py again to draw new ones; it asks for no label twice."
        )
        return
    if was_changed(context):
        yield (
            "question.jsonl was changed since it was made, or is not of build_bench.py. "
            f"The {counted(len(questions), 'question')} below and what is said of their judgments are of the file "
            "as it is; the numbers of the steps are of what was made."
        )
    wanted = context.settings.sample.topics
    drawn = len({row.get("cluster_id", row.get("cluster")) for row in questions})
    if wanted != "all" and drawn < wanted:
        yield f"{counted(drawn, 'topic')} could be drawn, where {wanted} were asked for."


# ---------------------------------------------------------------------------------------- steps


def _step(name: str, manifest: dict[str, Any] | None, first: int) -> dict[str, Any]:
    """A step of the funnel."""
    kind = name.rstrip("0123456789")
    title = TITLES.get(kind, name) + (
        f", pass {name[len(kind) :]}" if kind != name and name[len(kind) :] != "1" else ""
    )
    if manifest is None:
        return {"title": title, "done": False}
    counts, kept = manifest["counts"], manifest.get("examples", {})
    in_order = sorted(counts["dropped"].items(), key=lambda item: (-item[1], item[0]))
    dropped = [{"reason": reason, "number": number, "examples": kept.get(reason)} for reason, number in in_order]
    is_table = bool(counts["in"]) and (bool(counts["out"]) or bool(dropped))
    return {
        "title": title,
        "done": True,
        "in": counts["in"],
        "out": counts["out"],
        "share": min(1.0, counts["out"] / first) if first and is_table else None,
        "seconds": f"{manifest['seconds']:.1f}",
        "dropped": dropped,
        "lines": manifest.get("lines", []),
    }


def _labels(manifests: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The histogram of each pass of labels, with the threshold of the filter after it."""
    for name, manifest in manifests.items():
        facts = (manifest or {}).get("facts", {})
        if "histogram" not in facts:
            continue
        after = manifests.get(name.replace("label", "filter")) or {}
        threshold = after.get("facts", {}).get("thresholds", {}).get("prompt")
        most = max(facts["histogram"], default=0) or 1
        yield {
            "labelled": facts.get("labelled", sum(facts["histogram"])),
            "without": facts.get("without_label", 0),
            "threshold": None if threshold is None else f"{threshold:g}",
            "histogram": [
                (score, number, number / most, threshold is not None and score >= threshold)
                for score, number in enumerate(facts["histogram"])
            ],
            "shares": [(key.replace("_", " "), share) for key, share in facts.get("shares", {}).items()],
        }


def _mean_over(manifests: dict[str, Any]) -> str:
    """Over which prompts the topics' means are, by the last filter."""
    facts = [manifest.get("facts", {}) for manifest in manifests.values() if manifest]
    return next((each["mean_over"] for each in reversed(facts) if "mean_over" in each), MEAN_OVER)


# ------------------------------------------------------------------------------------- questions


def _criteria(manifests: dict[str, Any]) -> list[str]:
    """The names of the criteria of the last pass, in the order of the labels."""
    facts = [manifest.get("facts", {}) for manifest in manifests.values() if manifest]
    return next((list(each["criteria"]) for each in reversed(facts) if "criteria" in each), [])


def _question(row: dict[str, Any], criteria: Sequence[str]) -> dict[str, Any]:
    """A question with its labels."""
    facts = [f"id {row['question_id']}"]
    facts += [f"from {row['source']}"] if row.get("source") else []
    facts += [f"language {row['language']}"] if row.get("language") else []
    seen = row.get("n_seen") or 1
    facts += [f"seen {seen} times"] if seen > 1 else []
    return {
        "id": row["question_id"],
        "turns": _turns(row),
        "short": _short(row),
        "cluster": row.get("cluster") or "",
        "score": row.get("prompt_score"),
        "criteria": [(name.replace("_", " "), met) for name, met in zip(criteria, row.get("criteria") or ())],
        "facts": ", ".join(facts),
    }


def _turns(row: dict[str, Any]) -> list[str]:
    return [turn["content"] if isinstance(turn, dict) else str(turn) for turn in row.get("turns", [])]


def _short(row: dict[str, Any]) -> str:
    text = " ".join(" ".join(_turns(row)).split())
    return text if len(text) <= SHORT else text[: SHORT - 1].rsplit(" ", 1)[0] + " …"


def _not_judged(context: Context, questions: list[dict[str, Any]]) -> str:
    if not questions:
        return "Nobody knows before there are questions."
    name = context.bench.name
    return (
        f"No judgments of {name} are there yet. Let some models answer (gen_answer.py) and a judge compare them "
        f"(gen_judgment.py), each with bench_name: {name} in its config; three models or more show how well the "
        "questions tell models apart. Then make this report again."
    )


# ------------------------------------------------------------------------------------- template


@lru_cache(maxsize=1)
def _templates() -> Environment:
    """The template; whatever is put into it is escaped, but for the tables that html_tables has made."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_PARTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = lambda value: f"{value:,}"
    return made
