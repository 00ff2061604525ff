"""Which judgments are of other texts than today's: a judgment keeps its first prompt, which is filled anew.

That takes all texts of a model. So what was found to be unchanged is kept beside the index of the judgments, by a
digest of all that the prompt was filled with and of the code that fills it, and where nothing at all has changed, a
digest of it all says so.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Set
from pathlib import Path

import msgspec

from arena_hard.data.columns import different, where
from arena_hard.data.known_records import Answers
from arena_hard.data.readers import READERS, code_of
from arena_hard.data.record_index import index_file, is_large, is_settled, mark_of, stamp_of
from arena_hard.data.records import Question
from arena_hard.data.saved import MARK, opened, save
from arena_hard.judging.prompts import first_user_prompt, opening_messages, user_prompt
from arena_hard.judging.shown import abridged, can_be_shown, needed_answers, shown_for, shown_texts
from arena_hard.judging.stage import Candidate, Stage

_MANY = 1000  # texts that are read together as quickly as one by one


class _Checked(msgspec.Struct, array_like=True):
    """of: the digest of all that was compared; changed: the ids of the judgments of other texts.

    same: of each judgment that is of the same texts, the digest of what it was made of.
    """

    of: bytes
    changed: list[str]
    same: bytes


def changed_judgments(stage: Stage, candidate: Candidate) -> set[str]:
    """The question ids of a candidate's judgments that we made of other texts than today's."""
    today = set(stage.group(candidate.questions).hashes)
    if not any(each.settings_hash in today for each in different(candidate.judged)):
        return set()
    is_kept = is_large(stamp_of(candidate.file))
    file = index_file(stage.bench, candidate.file, ".checked") if is_kept else None
    before = _load(file)
    everything = _digest_of_all(stage, candidate)
    if before.of == everything:
        return set(before.changed)
    known = {before.same[place : place + MARK] for place in range(0, len(before.same), MARK)}
    found = _Checked(everything, [], b"")
    ours = where(candidate.judged, lambda each: each.settings_hash in today and each.shown)
    judged = [question for question in candidate.questions if question.question_id in ours]
    made_of = [(question, _digest_of(stage, candidate, question)) for question in judged]
    there = [(question, digest) for question, digest in made_of if digest]  # one that has gone is no change
    if sum(digest not in known for _, digest in there) > _MANY:
        for answers in _sources(stage, candidate):
            answers.load()
    same: list[bytes] = []
    for question, digest in there:
        if digest in known or not has_changed(stage, candidate, question):
            same.append(digest)
        else:
            found.changed.append(question.question_id)
    found.same = b"".join(same)
    if file and all(is_settled(each.file, each.stamp()) for each in _sources(stage, candidate)):
        save(file, msgspec.msgpack.encode(found))
    return set(found.changed)


def has_changed(stage: Stage, candidate: Candidate, question: Question) -> bool:
    """Whether a judgment that we made was of other texts than today's."""
    judged = candidate.judged.get(question.question_id)
    if judged is None or judged.settings_hash != stage.shaping_hash(question) or not judged.shown:
        return False
    if not can_be_shown(stage, candidate, question):  # a turn more or less, if the answers have not gone
        return None not in needed_answers(stage, candidate, question)
    pair, references = shown_texts(stage, candidate, question)
    messages = opening_messages(stage.settings, question, abridged(pair, judged.kept), references)
    today = (mark_of([text]) for text in (user_prompt(messages), first_user_prompt(messages)))
    return candidate.known.prompts[question.question_id] not in today


def in_words(stage: Stage, candidate: Candidate, changed: Set[str]) -> tuple[str, str]:
    """What judgments are that have changed, for one and for several: of edited questions, where the answers tell so."""
    edited: set[str] = set()
    for answers in _sources(stage, candidate) if changed else []:
        edited |= changed & answers.to_other_words(candidate.questions)
    if not edited:
        return "judgment is of answers that have changed since", "judgments are of answers that have changed since"
    first = f"first ask for {'its' if len(edited) == 1 else 'their'} answers again: gen_answer.py --redo"
    if edited == changed:
        return (
            f"judgment is of a question that was edited since ({first})",
            f"judgments are of questions that were edited since ({first})",
        )
    both = f"of answers that have changed since, or of questions that were edited ({len(edited)}; {first})"
    return f"judgment is {both}", f"judgments are {both}"


def _sources(stage: Stage, candidate: Candidate) -> list[Answers]:
    """All files of answers that prompts of a candidate's judgments may be filled from."""
    return [candidate.answers, *stage.shown.baselines.values(), *stage.shown.references]


def _digest_of_all(stage: Stage, candidate: Candidate) -> bytes:
    """Of all that decides which of a candidate's judgments have changed."""
    answers = (each.records.digest for each in _sources(stage, candidate))
    baselines = "\0".join(sorted(stage.shown.baselines)).encode()
    return _digest([stage.group(candidate.questions).digest, candidate.known.digest, baselines, *answers])


def _digest_of(stage: Stage, candidate: Candidate, question: Question) -> bytes | None:
    """Of what one judgment was made of: its prompt, and the texts that are to be in it; None where one is not there."""
    key = question.question_id
    said, beside = candidate.answers.marks.get(key), _beside(stage, candidate.questions).get(key)
    if said is None or beside is None:
        return None
    judged = candidate.judged[key]
    shown = f"{judged.settings_hash} {judged.kept}".encode()
    return _digest([candidate.known.prompts[key], said, beside, shown])


def _beside(stage: Stage, questions: list[Question]) -> dict[str, bytes]:
    """Of each question, what is in the prompts of all models; questions that lack an answer of others are not there."""
    group = stage.group(questions)
    if not group.beside:
        for question in questions:
            sources = shown_for(stage.shown, stage.settings, question)
            marks = [answers.marks.get(question.question_id, b"") for answers in sources]
            if all(marks):
                texts = f"{question.hash} {stage.shaping_hash(question)}".encode()
                group.beside[question.question_id] = b"".join([texts, *marks])
    return group.beside


def _digest(parts: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(code_of(*READERS) + code_of("judging/*.py"), digest_size=MARK)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def _load(file: Path | None) -> _Checked:
    with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
        if file:
            with opened(file) as (data, _):
                return msgspec.msgpack.decode(data, type=_Checked)
    return _Checked(b"", [], b"")
