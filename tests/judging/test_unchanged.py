"""What planning finds by the indexes of what lies there is what it finds by reading all of it."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena_hard.data import baselines, bench_files, jsonl, known_records, record_index
from arena_hard.data.records import UserError
from arena_hard.judging import plan, unchanged
from arena_hard.judging.shown import prompts_of
from tests.support.pipeline_bench import Scratch, answer, question, question_id, rows, write_rows
from tests.support.plans import bench, plan_answers, stage

_clock = itertools.count(1)


def put(file: Path, records: list[dict[str, Any]]) -> None:
    """Write records, at a time of their own."""
    write_rows(file, records)
    os.utime(file, ns=(1, 1_700_000_000_000_000_000 + next(_clock) * 1000))


def judgment(made: Scratch, number: int, model: str, hash_: str) -> dict[str, Any]:
    """Our judgment of an answer as it is now, or was."""
    texts = {name: _answer(made, number, name) for name in (model, "base")}
    asked = next((q for q in rows(made.bench / "question.jsonl") if q["question_id"] == question_id(number)), None)
    prompt = f"Q: {asked['turns'][0]['content'] if asked else ''}\nA: {texts['base']}\nB: {texts[model]}"
    games = [{"score": "A>B", "user_prompt": prompt, "judgment": "j"}] * 2
    head = {"question_id": question_id(number), "model": model, "judge": "judge", "baseline": "base"}
    return head | {"games": games, "settings_hash": hash_}


def _answer(made: Scratch, number: int, model: str) -> str:
    found = [each for each in rows(made.answer_file(model)) if each["question_id"] == question_id(number)]
    return found[-1]["choices"][0]["turns"][0]["content"] if found else ""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Six questions, all answered and judged by our own records; each file of a test counts as large and settled."""
    monkeypatch.setattr(record_index, "SMALL", 0)
    monkeypatch.setattr(record_index, "FRESH_SECONDS", -1.0)
    made = bench(tmp_path, 6)
    for name in ("base", "m", "n"):
        put(made.answer_file(name), [answer(number, name) for number in range(1, 7)])
    planned = stage(made)
    hash_ = planned.shaping_hash(planned.questions[0])
    for name in ("m", "n"):
        put(made.judgment_file(name), [judgment(made, number, name, hash_) for number in range(1, 7)])
    return made


def outcome(made: Scratch, *flags: str) -> Any:
    """All that a plan says, or why there is none."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = plan.plan_judge(stage(made, *flags, model_list=["m", "n"]))
    except UserError as error:
        return str(error)
    told = sorted({str(each.message) for each in said})
    return told, [
        (each.name, each.existing, _ids(each.missing), _ids(each.without_answer), each.unreadable, each.tally.before)
        for each in found
    ]


def _ids(questions: list[Any]) -> list[str]:
    return [each.question_id for each in questions]


def test_what_is_known_is_planned_without_reading_any_record(made: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = outcome(made)
    assert [found[1:3] for found in expected[1]] == [(6, []), (6, [])]

    def read(*_: object, **__: object) -> None:
        raise AssertionError("a record was read")

    monkeypatch.setattr(known_records, "_row_of", read)
    monkeypatch.setattr(known_records, "read_answers", read)
    monkeypatch.setattr(bench_files, "read_answers", read)
    monkeypatch.setattr(unchanged, "has_changed", read)
    assert outcome(made) == expected


def test_one_more_model_is_planned_without_reading_any_text(made: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what nobody judges any more (`old`) is read once for whom it is against; prompts are made of single texts."""
    shutil.copyfile(made.judgment_file("m"), made.judgment_file("old"))
    put(made.answer_file("m"), rows(made.answer_file("m")))
    outcome(made)
    made.judgment_file("m").unlink()

    def read(*_: object, **__: object) -> None:
        raise AssertionError("more was read than is needed")

    for module, name in (
        (known_records, "read_answers"),
        (known_records, "load_answers"),
        (bench_files, "read_answers"),
        (baselines, "named_in"),
    ):
        monkeypatch.setattr(module, name, read)
    planned = stage(made, model_list=["m", "n"])
    candidates = plan.plan_judge(planned)
    assert [len(each.missing) for each in candidates] == [6, 0]
    question_ = planned.questions[3]
    first, second = (each[-1]["content"] for each in prompts_of(planned, candidates[0], question_))
    assert first.index(_answer(made, 4, "base")) < first.index(_answer(made, 4, "m"))
    assert second.index(_answer(made, 4, "base")) > second.index(_answer(made, 4, "m"))


def test_one_more_answer_is_all_that_is_compared(made: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome(made)
    compared: list[str] = []
    before = unchanged.has_changed
    monkeypatch.setattr(unchanged, "has_changed", lambda *each: compared.append(each[2].question_id) or before(*each))
    answers = rows(made.answer_file("m"))
    answers[1]["choices"][0]["turns"][0]["content"] = "something else"
    put(made.answer_file("m"), answers)
    assert "1 judgment is of answers that have changed" in outcome(made)
    assert compared == [question_id(2)]


def test_what_other_code_has_found_is_compared_again(made: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, compared, before = outcome(made), set[str](), unchanged.has_changed
    monkeypatch.setattr(unchanged, "has_changed", lambda *each: compared.add(each[2].question_id) or before(*each))
    assert outcome(made) == expected and not compared
    monkeypatch.setattr(unchanged, "code_of", lambda *_: b"a later commit")
    assert outcome(made) == expected and len(compared) == 6


@pytest.mark.parametrize("what", ["question", "answer", "baseline", "judgment", "taken back"])
def test_an_edited_text_is_noticed(made: Scratch, what: str) -> None:
    assert "changed" not in str(outcome(made))
    file = {"question": made.bench / "question.jsonl", "answer": made.answer_file("m")}.get(
        what, made.answer_file("base") if what == "baseline" else made.judgment_file("m")
    )
    before = rows(file)
    put(file, json.loads(json.dumps(before).replace("Question 3?", "Question 3!").replace(" says 3", " said 3")))
    if what == "taken back":
        assert "changed" in str(outcome(made))
        put(file, before)
    assert ("of answers that have changed since" in str(outcome(made))) == (what != "taken back")


@pytest.mark.parametrize("whose", ["m", "base"])
def test_an_edited_question_is_told_where_an_answer_says_what_it_answers(made: Scratch, whose: str) -> None:
    questions, answers = rows(made.bench / "question.jsonl"), rows(made.answer_file(whose))
    asked = {question.question_id: question.hash for question in stage(made).questions}
    put(made.answer_file(whose), [each | {"question_hash": asked[each["question_id"]]} for each in answers])
    for number in (0, 1):
        questions[number]["turns"][0]["content"] += " Why?"
    put(made.bench / "question.jsonl", questions)
    judged = (
        "2 judgments are of questions that were edited since (first ask for their answers again: gen_answer.py --redo)"
    )
    assert judged in outcome(made) and "--redo m asks for them again" in outcome(made)
    put(made.answer_file("m"), json.loads(json.dumps(rows(made.answer_file("m"))).replace(" says 3", " said 3")))
    assert "3 judgments are of answers that have changed since, or of questions that were edited (2; " in outcome(made)
    kept = plan.plan_judge(stage(made, "--keep-mixed", model_list=["m"]))
    assert [each.missing for each in kept] == [[]]


EDITS: dict[str, Callable[[list[dict[str, Any]], random.Random], object]] = {
    "left out": lambda found, rng: found and found.pop(rng.randrange(len(found))),
    "twice": lambda found, rng: found and found.append(json.loads(json.dumps(rng.choice(found)))),
    "shuffled": lambda found, rng: rng.shuffle(found),
    "reworded": lambda found, rng: found and _reword(rng.choice(found), rng),
    "other settings": lambda found, rng: found and rng.choice(found).update(settings_hash=rng.choice(["x", None])),
    "unreadable": lambda found, rng: found and rng.choice(found).get("games", [{}])[0].update(score=None),
    "other baseline": lambda found, rng: found and rng.choice(found).update(baseline=rng.choice(["base", "n", None])),
    "none": lambda found, rng: None,
}


def _reword(record: dict[str, Any], rng: random.Random) -> None:
    text = json.dumps(record).replace("says", rng.choice(["said", "says"]))
    record.update(json.loads(text))


@pytest.mark.slow
def test_by_the_index_or_without_it_a_plan_is_the_same(made: Scratch) -> None:
    rng = random.Random(17)
    files = [made.answer_file(name) for name in ("m", "n", "base")] + [made.judgment_file(name) for name in ("m", "n")]
    first = {file: file.read_bytes() for file in files}
    cache, seen = made.bench / "cache", set[str]()
    for _ in range(60):
        for file in rng.sample(files, rng.choice((0, 1, 2))):
            records = rows(file)
            EDITS[rng.choice(list(EDITS))](records, rng)
            put(file, records)
        if rng.random() < 0.15:  # all as at first
            for file, data in first.items():
                file.write_bytes(data)
                os.utime(file, ns=(1, 1_700_000_000_000_000_000 + next(_clock) * 1000))
        flags = rng.choice([(), (), ("--keep-mixed",), ("--retry-unreadable", "--keep-mixed"), ("--redo", "m")])
        by_index = outcome(made, *flags)
        aside = cache.rename(made.folder / "aside") if cache.exists() else None
        record_index._known_places.clear()
        assert outcome(made, *flags) == by_index
        if aside and rng.random() < 0.8:  # the index of before
            shutil.rmtree(cache, ignore_errors=True)
            aside.rename(cache)
        shutil.rmtree(made.folder / "aside", ignore_errors=True)
        seen.add(str(by_index)[:60])
    assert len(seen) > 5  # the edits do something


def test_answers_are_planned_the_same_by_their_index(made: Scratch) -> None:
    put(made.answer_file("m"), [answer(number, "m") for number in (1, 3, 4)])
    for _ in range(2):
        found = plan_answers(made)
        assert (found.existing, _ids(found.missing)) == (3, [question_id(number) for number in (2, 5, 6)])
        assert set(found.output.written.values()) == {question_id(number) for number in (1, 3, 4)}
    edited = [answer(1, "m") | {"question_hash": "another"}, answer(3, "m")]
    put(made.answer_file("m"), edited)
    for _ in range(2):
        with pytest.raises(UserError, match="1 answer is to questions that were edited since"):
            plan_answers(made)


def test_a_file_that_shrinks_while_a_run_is_planned_is_a_message(made: Scratch) -> None:
    outcome(made)
    (candidate, _) = plan.plan_judge(stage(made, model_list=["m", "n"]))
    put(made.answer_file("m"), [answer(1, "m")])
    with pytest.raises(UserError, match=r"m\.jsonl was changed while this run was planned"):
        candidate.answers[question_id(2)]


def test_a_question_that_is_new_is_missing_for_all(made: Scratch) -> None:
    outcome(made)
    made.set_questions([question(number) for number in range(1, 8)])
    for name in ("base", "m"):
        put(made.answer_file(name), [*rows(made.answer_file(name)), answer(7, name)])
    _, ((_, _, missing, _, _, _), (_, _, _, lacking, _, _)) = outcome(made)
    assert (missing, lacking) == ([question_id(7)], [question_id(7)])


def test_torn_lines_are_said_by_each_run(made: Scratch) -> None:
    with open(made.judgment_file("m"), "ab") as stream:
        stream.write(b'{"question_id": "torn')
    for _ in range(2):
        with pytest.warns(jsonl.TornLine, match=r"m\.jsonl: the last line is incomplete"):
            plan.plan_judge(stage(made, model_list=["m", "n"]))
