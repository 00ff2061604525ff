"""From files of conversations to question.jsonl, with topics that are planted: also what the original got wrong."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from arena_hard.building import id_order
from arena_hard.building.conversations import prompt_id
from arena_hard.building.criteria import load_criteria
from arena_hard.building.label_files import given_label
from arena_hard.building.label_steps import LabelStep
from arena_hard.building.runner import print_plan
from arena_hard.building.settings import LabelSettings, PassSettings
from arena_hard.building.steps import Context
from arena_hard.data.bench_files import load_questions
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings
from tests.support.log_bench import SUBJECTS, asked, build, conversation, log, questions, steps_before, write_log
from tests.support.pipeline_bench import ROOT

SAMPLE = {"topics": 3, "prompts": 2}


def built(folder: Path, rows: list[dict[str, Any]], **settings: Any) -> Context:
    return build(folder / "data", [write_log(folder / "log.jsonl", rows)], **{"sample": SAMPLE, **settings})


def test_each_question_bears_the_topic_of_its_own_text(tmp_path: Path) -> None:
    """Which rows were dropped, and in what order the topics came, makes no difference (defects 1 and 3)."""
    rows = log()
    rows[3:3] = [conversation("hi")] * 5
    found = questions(built(tmp_path, random.Random(1).sample(rows, len(rows))))
    assert len(found) == 6
    for row in found:
        topic = next(number for number, subject in enumerate(SUBJECTS) if subject in row["prompt"])
        assert row["cluster_id"] == topic
        assert row["cluster"] == ", ".join(SUBJECTS[topic].split()[-2:])
    assert sorted(row["cluster_id"] for row in found)[::2] == sorted({row["cluster_id"] for row in found})


def test_a_question_has_the_keys_of_both_formats_and_loads(tmp_path: Path) -> None:
    context = built(tmp_path, log())
    row = questions(context)[0]
    assert row["question_id"] == row["uid"] == prompt_id([row["prompt"]])
    assert row["turns"] == [{"content": row["prompt"]}]
    assert row["category"] == "mine"
    assert (row["n_seen"], row["language"], row["source"]) == (1, "en", "log.jsonl")
    assert [each.turns for each in load_questions(context.bench)] == [(row["prompt"],) for row in questions(context)]


def test_the_same_prompt_has_the_same_id_in_every_bench_and_another_seed_draws_others(tmp_path: Path) -> None:
    """A running number gives one id to different prompts (defect 8)."""
    first = {row["question_id"]: row["prompt"] for row in questions(built(tmp_path, log()))}
    rows = [conversation(asked(0, 77)), *log()[::-1]]
    second = {row["question_id"]: row["prompt"] for row in questions(built(tmp_path, rows, bench="other", seed=1))}
    assert first.keys() != second.keys()
    assert all(first[key] == second[key] for key in first.keys() & second.keys())


@pytest.mark.parametrize("turns", ["first", "all"])
def test_the_question_is_what_was_looked_at(turns: str, tmp_path: Path) -> None:
    """Topics of all turns and questions of the first do not belong together (defect 5)."""
    rows = log((4, 4, 4, 4))
    for row in rows:
        row["conversation"] += [{"role": "user", "content": "And in one sentence?"}]
    found = questions(built(tmp_path, rows, clean={"turns": turns}))
    told = [[turn["content"] for turn in row["turns"]] for row in found]
    assert all(each[1:] == (["And in one sentence?"] if turns == "all" else []) for each in told)
    assert [row["question_id"] for row in found] == [prompt_id(each) for each in told]
    assert all(("prompt" in row) == (turns == "first") for row in found)


def test_conversations_of_several_turns_are_left_out_by_default(tmp_path: Path) -> None:
    rows = log((4, 4, 4, 4))
    longer = [conversation(asked(0, 50 + number)) for number in range(9)]
    for row in longer:
        row["conversation"][:0] = [{"role": "system", "content": "Be brief."}]  # which shifts positions (defect 6)
        row["conversation"] += [{"role": "user", "content": "Go on."}]
    context = built(tmp_path, [*longer, *rows])
    counts = (context.manifest("clean") or {})["counts"]
    assert counts == {"in": 25, "out": 16, "dropped": {"several user turns": 9}}
    assert not {row["prompt"] for row in questions(context)} & {row["conversation"][1]["content"] for row in longer}


def test_prompts_without_a_topic_are_never_drawn(tmp_path: Path) -> None:
    rows = log((2, 0, 0, 0))
    rows += [conversation(f"Nobody knows what number {n} of {n * n} belongs to.") for n in range(50)]
    found = questions(built(tmp_path, rows, sample={"topics": "all", "prompts": 2}))
    assert [row["cluster_id"] for row in found] == [0, 0]


def test_copies_are_one_prompt_that_was_seen_often(tmp_path: Path) -> None:
    rows = log((2, 0, 0, 0))
    rows += [conversation(asked(0, 0).upper()), conversation(asked(0, 0)), conversation(f"  {asked(0, 0)}\n")]
    context = built(tmp_path, rows, sample={"topics": 1, "prompts": 2})
    seen = {row["prompt"]: row["n_seen"] for row in questions(context)}
    assert seen == {asked(0, 0): 4, asked(0, 1): 1}
    dropped = (context.manifest("duplicates") or {})["counts"]["dropped"]
    assert dropped == {"exact copies": 2, "near copies": 1}


def test_a_label_that_comes_with_a_copy_is_kept(tmp_path: Path) -> None:
    def tag(met: bool) -> dict[str, Any]:
        return {"category_tag": {"criteria_v0.1": {"complexity": met}}}

    rows = [
        conversation(asked(0, 0)),
        conversation(asked(0, 1), **tag(True)),
        conversation(asked(0, 2), category_tag={"if_v0.1": {}}),
        conversation(asked(0, 0).upper(), **tag(False)),  # a near copy counts after an exact one
        conversation(asked(0, 0), **tag(True)),
        conversation(asked(0, 1)),
        conversation(asked(0, 2).upper(), **tag(True)),
        conversation(asked(0, 2).lower(), **tag(False)),
    ]
    context = built(tmp_path, rows, sample={"topics": 1, "prompts": 2})
    left = context.table("duplicates").read(["turns", "category_tag"]).to_pylist()
    assert {row["turns"][0].lower(): given_label(row["category_tag"], ["complexity"]) for row in left} == {
        asked(0, number).lower(): [True] for number in range(3)
    }


def test_a_language_that_copies_disagree_on_is_that_of_the_text(tmp_path: Path) -> None:
    english, german = asked(0, 0), "Wie kann ich am besten lernen, was eine Ableitung ist?"
    rows = [conversation(text, language=name) for text in (english, german) for name in ("German", "English")]
    rows += [conversation(asked(0, 1), language=name) for name in ("", "English", "en-US")]
    rows += [conversation(asked(0, 2), language=name) for name in ("unknown", "German")]  # here the log says one
    context = built(tmp_path, rows, languages="all", sample={"topics": 1, "prompts": 1})
    left = context.table("language").read(["turns", "language"]).to_pylist()
    languages = {row["turns"][0]: row["language"] for row in left}
    assert languages == {english: "en", german: "de", asked(0, 1): "en", asked(0, 2): "de"}


def test_excluded_questions_and_their_near_copies_are_left_out(tmp_path: Path) -> None:
    first = questions(built(tmp_path, log(), bench="arena-hard-v0.1"))
    rows = [*log(), *[conversation(f"{row['prompt']} Please!") for row in first]]
    kept = built(tmp_path, rows, sample={"topics": "all", "prompts": 6})
    assert not {row["question_id"] for row in questions(kept)} & {row["question_id"] for row in first}
    assert (kept.manifest("duplicates") or {})["counts"]["dropped"] == {"in arena-hard-v0.1": 12}
    anyway = built(tmp_path, rows, bench="third", duplicates={"exclude": []})
    assert "in arena-hard-v0.1" not in (anyway.manifest("duplicates") or {})["counts"]["dropped"]


def test_an_excluded_bench_that_is_not_there_is_named(tmp_path: Path) -> None:
    built(tmp_path, log(), bench="first")
    with pytest.raises(UserError, match="no bench or file of questions frist. Did you mean 'first'"):
        built(tmp_path, log(), duplicates={"exclude": ["frist"]})


def test_the_twin_is_a_bench_of_its_own_from_the_same_topics(tmp_path: Path) -> None:
    alone = questions(built(tmp_path, log()))
    context = built(tmp_path, log(), sample={**SAMPLE, "twin": True})
    main, twin = questions(context), load_questions(Bench(context.bench.data_dir, "mine-twin"))
    assert main == alone
    assert not {row["question_id"] for row in main} & {each.question_id for each in twin}
    assert {row["cluster"] for row in main} == {each.cluster for each in twin}
    assert {each.category for each in twin} == {"mine-twin"}


def test_a_twin_that_nobody_asks_for_any_more_is_put_away_and_no_other_bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / "data" / "mine-twin"
    for number in ("", "1"):
        context = built(tmp_path, log(), sample={**SAMPLE, "twin": True}, seed=5)
        before = (twin / "question.jsonl").read_bytes()
        if number:
            shutil.rmtree(context.folder)  # whose it is, its datasheet says
        assert len(questions(built(tmp_path, log(), seed=6))) == 6
        assert "is of an earlier draw, and no twin is asked for: it is now question.old" in capsys.readouterr().out
        assert (twin / f"question.old{number}.jsonl").read_bytes() == before
        assert [file.name for file in twin.glob("*.*")].count("question.jsonl") == 0

    built(tmp_path, log(), bench="mine-twin")  # a bench of its own that is called so
    built(tmp_path, log(), seed=7)
    assert len(load_questions(Bench(tmp_path / "data", "mine-twin"))) == 6
    with pytest.raises(UserError, match=r"mine-twin/question.jsonl was not made"):
        built(tmp_path, log(), sample={**SAMPLE, "twin": True}, seed=7)


def test_a_twin_without_prompts_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No topic that was drawn has 6 good prompts.*Leave out --twin"):
        built(tmp_path, log((3, 3, 5)), sample={"topics": 2, "prompts": 3, "twin": True})


def test_bytes_do_not_depend_on_the_order_in_which_files_are_given(tmp_path: Path) -> None:
    rows = log()
    files = [write_log(tmp_path / name, part) for name, part in (("b.jsonl", rows[:20]), ("a.jsonl", rows[10:]))]
    one, other = (build(tmp_path / str(n), order, sample=SAMPLE) for n, order in enumerate((files, files[::-1])))
    assert one.bench.question_file.read_bytes() == other.bench.question_file.read_bytes()
    for sheet in ("datasheet.md", "building/duplicates.parquet"):
        assert (one.bench.folder / sheet).read_bytes() == (other.bench.folder / sheet).read_bytes()


def test_the_datasheet_says_where_questions_come_from_and_what_was_dropped(tmp_path: Path) -> None:
    rows = [*log(), conversation("hi"), conversation("Write to kim.lee@naver.com about a contract, please.")]
    sheet = (built(tmp_path, rows).bench.folder / "datasheet.md").read_text(encoding="utf-8")
    assert "6 questions from 3 topics" in sheet
    assert "- log.jsonl: " in sheet
    assert "| clean | 34 | 32 | 1 personal data (email), 1 too short |" in sheet
    assert "4 topics could be drawn; 26 prompts that are good enough" in sheet
    assert "naver" not in sheet


def test_what_was_dropped_for_personal_data_is_shown_without_them(tmp_path: Path) -> None:
    context = built(tmp_path, [*log(), conversation("Write to kim.lee@naver.com about a contract, please.")])
    (shown,) = (context.manifest("clean") or {})["examples"]["personal data (email)"]
    assert shown["text"] == "Write to [email] about a contract, please."


def test_questions_that_somebody_has_changed_are_not_overwritten(tmp_path: Path) -> None:
    context = built(tmp_path, log())
    changed = context.bench.question_file.read_text().splitlines(keepends=True)[1:]
    context.bench.question_file.write_text("".join(changed))
    built(tmp_path, log())  # nothing is to be done
    with pytest.raises(UserError, match=r"was changed since.*Move it away"):
        built(tmp_path, log(), seed=5)
    assert context.bench.question_file.read_text().splitlines(keepends=True) == changed
    context.bench.question_file.unlink()
    assert len(questions(built(tmp_path, log()))) == 6


def test_without_the_folder_of_steps_what_nobody_has_changed_is_still_ours(tmp_path: Path) -> None:
    context = built(tmp_path, log())
    sheet, before = context.bench.folder / "datasheet.md", context.bench.question_file.read_bytes()
    shutil.rmtree(context.folder)
    built(tmp_path, log(), seed=5)
    assert context.bench.question_file.read_bytes() != before
    assert '"seed": 5' in sheet.read_text()
    mine = sheet.read_text().replace("name it here", "CC0")
    sheet.write_text(mine)
    shutil.rmtree(context.folder)
    built(tmp_path, log(), seed=6)
    assert sheet.read_text() == mine
    shutil.rmtree(context.folder)  # whose questions these are, the sheet of seed 5 does not say
    with pytest.raises(UserError, match=r"was changed since.*Move it away"):
        built(tmp_path, log(), seed=7)


def test_no_topic_with_enough_prompts_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No topic has 3 good prompts \(4 topics with fewer\)"):
        built(tmp_path, log((1, 2, 2, 2)), sample={"topics": 2, "prompts": 3})


def test_a_plan_says_what_labels_cost_only_of_tables_that_are_current(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = built(tmp_path, log())
    context.settings = msgspec.structs.replace(context.settings, labels=LabelSettings(passes=[PassSettings("m")]))
    context.models = {"m": ModelSettings(name="m", model_name="m")}
    context.args.batch = context.args.finish_live = False
    context.args.shard = None
    steps = [*steps_before(context.settings), LabelStep(1, load_criteria(ROOT / "config/criteria/arena-hard.yaml"))]
    print_plan(context, steps, set())
    assert "0 labels exist, 32 to make" in capsys.readouterr().out
    other = replace(context, inputs=[write_log(tmp_path / "other.jsonl", log((3, 3)))])
    print_plan(other, steps, set())
    planned = capsys.readouterr().out
    assert "what it costs is known once the conversations are read" in planned and "to make" not in planned
    print_plan(context, steps, {"topics", "label1"})
    assert "at most, if all 32 prompts that are known today come so far:" in capsys.readouterr().out


def test_the_order_of_the_rows_decides_neither_what_stays_nor_what_the_topics_are_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies that differ in blanks and in their language, some without an id; near copies; tables in ranges of ids."""
    rows = log()
    rows += [conversation(row["conversation"][0]["content"].replace(" ", "  "), language="German") for row in rows[:8]]
    rows += [conversation(row["conversation"][0]["content"] + "!") for row in rows[8:16]]
    rows += [conversation(row["conversation"][0]["content"].replace(" ", "\n")) for row in rows[16:24]]
    rows = [{**row, **({"question_id": f"row {number}"} if number % 3 else {})} for number, row in enumerate(rows)]
    before: list[Any] = []
    for number, part_rows in enumerate((100_000, 100_000, 7)):
        monkeypatch.setattr(id_order, "PART_ROWS", part_rows)
        context = built(tmp_path / str(number), random.Random(number).sample(rows, len(rows)))
        table = context.table("duplicates").read().to_pylist()
        assert [row["id"] for row in table] == sorted(row["id"] for row in table)
        assert sum(row["n_seen"] for row in table) == len(rows) > len(table)
        before.append((table, questions(context)))
    assert before[0] == before[1] == before[2]
