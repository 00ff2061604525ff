"""Whom judgments are against, and where those against each baseline are.

A judge's own folder holds those against the first baseline, as in the original; each further baseline has a folder in
it. Records of the original do not say whom a model was compared with. They are taken to be against the baseline that is
asked for, for a table as for a run, unless something shows that they are not: judging again what is there costs more.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.known_records import Judged, judgments_at_hand, known_judgments
from arena_hard.data.name_lists import shortened
from arena_hard.data.nameless import Origin, origin_of
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.presets import is_published, usual_baseline
from arena_hard.data.record_folder import record_files
from arena_hard.data.record_index import Records, Row, index_file, known
from arena_hard.data.record_values import text_of
from arena_hard.data.records import UserError

_UNKNOWN = "?"  # in the place of a baseline's name; no model is called so


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
                key, name = (text_of(each) for each in (span.value.question_id or span.value.uid, span.value.baseline))
                if isinstance(key, str) and isinstance(name, str | None):
                    yield key, name or ""


class Standing(msgspec.Struct, frozen=True):
    """Whether judgments without a baseline count as against one, how far that is shown, and whom they show."""

    counts: bool
    is_shown: bool
    origin: Origin


def standing(
    bench: Bench, judge: str, baseline: str, category: str = "", is_named: bool = True, origin: Origin | None = None
) -> Standing:
    """How judgments that name no baseline stand to this one.

    They do not count where something shows that they are against another, nor, if nothing shows anything, where this
    one's judgments have a folder of their own. is_named: whether somebody has named it; what the games alone show does
    not weigh more than that. origin: whom they show, where it is known.
    """
    origin = origin or origin_of(bench, judge, baseline, category)
    if origin.baseline == baseline:
        return Standing(True, True, origin)
    if origin.is_not or (origin.baseline and not (origin.is_open and is_named)):
        return Standing(False, False, origin)
    return Standing(not record_files(bench.judgment_folder(judge, baseline)), False, origin)


def judgment_files(bench: Bench, judge: str, baselines: Sequence[str] = ()) -> dict[Path, str]:
    """The files that may hold a judge's judgments against some baselines, each with the baseline of its folder.

    Where each baseline has a folder of its own, the judge's own files count only if they name one of them, or show it
    without naming any.
    """
    own = record_files(bench.judgment_folder(judge))
    further = {file: name for name in baselines for file in record_files(bench.judgment_folder(judge, name))}
    if further and set(further.values()) == set(baselines):
        names = {file: {name for _, name in named_in(file)} for file in own}
        nameless = any("" in each for each in names.values())
        shown = [""] if nameless and any(standing(bench, judge, name).is_shown for name in baselines) else []
        own = [file for file in own if names[file] & {*baselines, *shown}]
        if nameless and not shown:
            warnings.warn(
                f"{bench.judgment_folder(judge)}: judgments that do not name their baseline are not counted, because "
                f"those against {shortened(list(baselines))} have a folder of their own.",
                jsonl.Remark,
                stacklevel=1,
            )
    return dict.fromkeys(own, "") | further


def no_judgments(bench: Bench, judge: str) -> UserError:
    """The message for a judge of whom there are no judgments."""
    folder = bench.judgment_folder(judge)
    state = "holds no judgments" if folder.is_dir() else "does not exist"
    further = [each.baseline for each in bench.judgment_sets(judge) if each.baseline]
    if further:
        return UserError(f"{folder} holds judgments against {shortened(further)} only. Name one with --baseline.")
    known = bench.judges()
    remedy = f"Judges with judgments: {shortened(known)} (--judge-name)." if known else "Run gen_judgment.py first."
    return UserError(f"{folder} {state}. {remedy}")


# ------------------------------------------------------------------------------------ where to judge


@dataclass
class JudgmentFolder:
    """The files of one judge, as a run finds them: which one a judgment against a baseline belongs in.

    group_of: the group of each question, of which each may have a baseline of its own (v2.0's categories); empty
    names where all questions have the same. models: those that are judged in this run, all of whose judgments matter.
    """

    bench: Bench
    judge: str
    group_of: Mapping[str, str]
    models: Container[str] = ()

    def __post_init__(self) -> None:
        self.at_hand: dict[Path, Records[Judged]] = {}  # what is known of large files
        self._unnamed: dict[tuple[str, str], str] = {}
        self._notes: dict[tuple[str, str], str] = {}
        self._named: dict[Path, dict[str, set[str]]] = {}  # file → group → baselines, empty where none is named
        has_groups = any(self.group_of.values())
        for file in record_files(self.bench.judgment_folder(self.judge)):
            groups = self._named[file] = {}
            for key, baseline in self._named_in(file, has_groups):
                groups.setdefault(self.group_of.get(key, ""), set()).add(baseline)

    def _named_in(self, file: Path, each: bool) -> Iterable[tuple[str, str]]:
        """As `named_in`, of a large file by what is known of it; unless `each` matters, a baseline comes once."""
        records = judgments_at_hand(self.bench, file)
        if records is None and name_of(file) in self.models:
            records, said = known_judgments(self.bench, file)
            jsonl.say(said)
        if records is None:
            return self._kept_names(file)
        self.at_hand[file] = records
        if not each:
            return [("", kind.baseline or "") for kind in records.kinds]
        return ((key, kind.baseline or "") for key, kind in records.all())

    def _kept_names(self, file: Path) -> Iterable[tuple[str, str]]:
        """As `named_in`; of a large file, which may be of a model that nobody judges now, it is read once."""

        def read(_: list[jsonl.Remark]) -> Iterator[Row[str]]:
            return ((key, baseline, ()) for key, baseline in named_in(file))

        return known(index_file(self.bench, file, ".baselines"), file, str, read)[0].all()

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
        here = self._named.get(first, {}).get(group, set())
        there = self._against(here, baseline, group)
        if _UNKNOWN in there and there != {_UNKNOWN}:  # what others in the file name
            there = there - {_UNKNOWN}
        is_here = there == {baseline} or (not there and self._is_first(baseline, group, own))
        self._say_where(baseline, group)
        return first if is_here else further

    def _is_first(self, baseline: str, group: str, own: bool) -> bool:
        """Whether a new model's judgments against this baseline belong in the judge's own folder."""
        names = self._of_all_models(baseline, group, own)
        return baseline in names if names else not record_files(self.bench.judgment_folder(self.judge, baseline))

    def _of_all_models(self, baseline: str, group: str, own: bool) -> set[str]:
        """The baselines of a group in the judge's own folder; of all groups where this one has none there.

        The baseline's own judgments, which show nothing of the others', count only if they name one.
        """
        own_file = self.bench.judgment_file(self.judge, baseline)
        named = [
            (name, found - {""} if file == own_file else found)
            for file, groups in self._named.items()
            for name, found in groups.items()
        ]
        of_group = {each for name, found in named if name == group for each in found}
        everywhere = {each for _, found in named for each in found}
        return self._against(of_group if of_group or own else everywhere, baseline, group)

    def _against(self, names: set[str], baseline: str, group: str) -> set[str]:
        """The names of some records, with whom the unnamed ones are taken to be against."""
        if "" not in names:
            return names
        case = (baseline, group)
        if case not in self._unnamed:
            self._unnamed[case] = self._origin(baseline, group)
        return names - {""} | {self._unnamed[case]}

    def _origin(self, baseline: str, group: str) -> str:
        """Whom the unnamed ones are against: the one asked for unless something speaks against it.

        A published benchmark's own judgments are against its usual baseline unless they show another one.
        """
        origin = origin_of(self.bench, self.judge, baseline, group)
        is_usual = is_published(self.bench.name) and baseline == usual_baseline(self.bench.name, group)
        speaks_against = origin.is_not or (not is_usual and self._is_other(baseline, group))
        found = origin.baseline or (_UNKNOWN if speaks_against else baseline)
        if baseline != origin.baseline and not (is_usual and found == baseline):
            self._notes[baseline, group] = self._note(baseline, origin, found)
        return found

    def _is_other(self, baseline: str, group: str) -> bool:
        """Whether the files speak against a baseline: by another's name, or because it has a folder of its own."""
        named = {name for groups in self._named.values() for name in groups.get(group, ()) if name}
        is_unlike = bool(named) and baseline not in named
        further = self.bench.judgment_folder(self.judge, baseline)
        return is_published(self.bench.name) or is_unlike or bool(record_files(further))

    def _say_where(self, baseline: str, group: str) -> None:
        """Say once what is made of judgments that name no baseline where they do not show the one asked for."""
        if note := self._notes.pop((baseline, group), ""):
            warnings.warn(note, jsonl.Remark, stacklevel=1)

    def _note(self, baseline: str, origin: Origin, found: str) -> str:
        folder = self.bench.judgment_folder(self.judge, baseline)
        if found == baseline:
            return (
                f"{folder.parent} holds judgments that do not name their baseline, and nothing reveals it: {baseline} "
                "is assumed, and this run continues with them. If they are against another, move their files to a "
                "folder vs_NAME/ there, or give this judge another name."
            )
        why = (
            f"they are not against {baseline}: {origin.why}. Those against {baseline} go to {folder.name}/; if the "
            "others are against it all the same, move their files there."
        )
        if not origin.why:
            why = (
                f"nothing shows that they are against {baseline}. New ones go to {folder.name}/; if the others are "
                "against it, too, move their files there."
            )
        return f"{folder.parent} holds judgments that do not name their baseline, and {why}"
