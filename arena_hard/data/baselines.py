"""Whom judgments are against, and where those against each baseline are.

A judge's own folder holds those against the first baseline, as in the original; each further baseline has a folder in
it. Records of the original do not say whom a model was compared with: they are taken to be against the baseline that
is asked for, unless something shows that they are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.bench_files import load_answers
from arena_hard.data.paths import Bench
from arena_hard.data.presets import usual_baseline
from arena_hard.data.record_folder import record_files
from arena_hard.data.records import Answer, Judgment, judgment_from_row, text_of

LOOKED_AT = 10  # records without a baseline whose prompts are held against the baselines' answers


class _Head(msgspec.Struct):
    question_id: Any = None
    uid: Any = None
    baseline: Any = None


def named_in(file: Path) -> Iterator[tuple[str, str]]:
    """(question_id, baseline) of each record, the baseline empty where it is not named; broken lines are passed over.

    They are the business of those who read the judgments themselves.
    """
    with open(file, "rb") as stream:
        for span in jsonl.spans(stream, msgspec.json.Decoder(_Head).decode):
            if span.error is None:
                yield text_of(span.value.question_id or span.value.uid), str(span.value.baseline or "")


def believed(bench: Bench, judge: str, baseline: str, category: str = "") -> bool:
    """Whether records that name no baseline may be against this one.

    Not where its judgments have a folder of their own, nor where the prompts show the usual baseline's answers instead.
    """
    if record_files(bench.judgment_folder(judge, baseline)):
        return False
    usual = usual_baseline(bench.name, category)
    return baseline == usual or not _show_another(bench, judge, baseline, usual)


def _show_another(bench: Bench, judge: str, baseline: str, usual: str) -> bool:
    """Whether unnamed records were shown the answers of the usual baseline, and not those of this one."""
    there = load_answers(bench.answer_file(usual))
    if not there:
        return False
    wanted = load_answers(bench.answer_file(baseline))
    seen = False
    for judgment in _unnamed(bench, judge, {baseline, usual}):
        key, prompt = judgment.question_id, _prompt_of(judgment)
        if _shows(prompt, wanted.get(key)):
            return False
        seen = seen or _shows(prompt, there.get(key))
    return seen


def _unnamed(bench: Bench, judge: str, but: set[str]) -> Iterator[Judgment]:
    """One record of each of the first files that has no baseline and a prompt, but not of these models."""
    found = 0
    for file in record_files(bench.judgment_folder(judge)):
        judgment = _first_of(file)
        if judgment and judgment.baseline is None and judgment.model not in but and _prompt_of(judgment):
            yield judgment
            found += 1
        if found == LOOKED_AT:
            return


def _first_of(file: Path) -> Judgment | None:
    """The first judgment of a file that can be read."""
    with open(file, "rb") as stream:
        for span in jsonl.spans(stream, msgspec.json.decode):
            try:
                return judgment_from_row(span.value)
            except (ValueError, TypeError, AttributeError):
                continue
    return None


def _prompt_of(judgment: Judgment) -> str:
    return next((game.user_prompt for game in judgment.games if game and game.user_prompt), "")


def _shows(prompt: str, answer: Answer | None) -> bool:
    """Whether all that a model said is in a prompt."""
    said = [turn.content for turn in answer.turns] if answer else []
    return any(said) and all(text in prompt for text in said)


# ------------------------------------------------------------------------------------ where to judge


@dataclass
class JudgmentFolder:
    """The files of one judge, as a run finds them: which one a judgment against a baseline belongs in.

    group_of: the group of each question, of which each may have a baseline of its own (v2.0's categories); empty
    names where all questions have the same.
    """

    bench: Bench
    judge: str
    group_of: Mapping[str, str]

    def __post_init__(self) -> None:
        self._believed: dict[tuple[str, str], bool] = {}
        self._named: dict[Path, dict[str, set[str]]] = {}  # file → group → baselines, empty where none is named
        for file in record_files(self.bench.judgment_folder(self.judge)):
            groups = self._named[file] = {}
            for key, baseline in named_in(file):
                groups.setdefault(self.group_of.get(key, ""), set()).add(baseline)

    def file_for(self, model: str, baseline: str | None, group: str, own: bool) -> Path:
        """Where a model's judgments against a baseline are, or are to be written.

        own: whether the group has this baseline for itself, so that those of other groups do not matter.
        """
        first = self.bench.judgment_file(self.judge, model)
        if baseline is None:
            return first
        further = self.bench.judgment_file(self.judge, model, baseline)
        if further.is_file():
            return further
        there = self._against(self._named.get(first, {}).get(group, set()), baseline, group)
        if there:
            return first if there == {baseline} else further
        names = self._of_all_models(baseline, group, own)
        is_first = baseline in names if names else not record_files(further.parent)
        return first if is_first else further

    def _of_all_models(self, baseline: str, group: str, own: bool) -> set[str]:
        """The baselines of a group in the judge's own folder; of all groups where this one has none there."""
        named = [(name, found) for groups in self._named.values() for name, found in groups.items()]
        of_group = {each for name, found in named if name == group for each in found}
        everywhere = {each for _, found in named for each in found}
        return self._against(of_group if of_group or own else everywhere, baseline, group)

    def _against(self, names: set[str], baseline: str, group: str) -> set[str]:
        """The names of some records, with whom the unnamed ones are taken to be against."""
        if "" not in names:
            return names
        case = (baseline, group)
        if case not in self._believed:
            self._believed[case] = believed(self.bench, self.judge, baseline, group)
        unnamed = baseline if self._believed[case] else usual_baseline(self.bench.name, group)
        return names - {""} | {unnamed}
