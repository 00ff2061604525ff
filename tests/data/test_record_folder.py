"""What lies beside record files: backups, copies, other forms, links and folders; no reader's result changes by it."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena_hard.browse import tables
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.leaderboard_page import boards_of
from arena_hard.data import jsonl
from arena_hard.data.baselines import standing
from arena_hard.data.bench_files import load_answers, load_questions
from arena_hard.data.lengths import answer_lengths
from arena_hard.data.nameless import origin_of
from arena_hard.data.owners import owners
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import look_into, rank
from arena_hard.data.records import UserError
from arena_hard.data.verdicts import LABELS
from arena_hard.judging.quoting import games_seen
from arena_hard.judging.stage import own_judgments
from arena_hard.money.past_costs import past_bills, report_lines
from arena_hard.rating.games import GameTable, against, read_judgments
from arena_hard.showing.footnotes import length_notes
from arena_hard.showing.notes import printed
from tests.support.checked_readers import load_judgments
from tests.support.pipeline_bench import run_script, write_rows

BACKUPS = [
    "m_backup", "m.old", "m copy", "m - Copy (2)", "m-checkpoint", "m.bak", "m_backup_20240501", "Copy of m", "old_m",
    "m (Ann's conflicted copy 2024-05-01)", "m.sync-conflict-20240501-123-ABC", "Kopie von m", "m.orig", "m.BAK",
]  # fmt: skip
COUNTED = ["m (1)", "m(2)", "m.2024-05-01", "m_2024-05-01", "m-20240501", "m_2024-05-01T10:00:00Z", "m_v2", "m_2"]
COPIES = ["m2", "a", "z"]


def row(question: str, score: str, model: str = "m", **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    games = [{"score": score, "judgment": "so", "usage": usage}, {"score": "A=B", "usage": usage}]
    return {"question_id": question, "model": model, "judge": "j", "games": games, **more}


def answer(question: str, text: str, model: str = "m") -> dict[str, Any]:
    return {"question_id": question, "model_id": model, "choices": [{"turns": [{"content": text, "token_len": 3}]}]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Models m and n, three questions, each answered and judged."""
    made = Bench(tmp_path, "b")
    write_rows(made.question_file, [{"question_id": q, "category": "c", "turns": [{"content": q}]} for q in "123"])
    for model in ("m", "n"):
        write_rows(made.answer_file(model), [answer(q, "yes", model) for q in "123"])
        write_rows(made.judgment_file("j", model), [row(q, "A>B", model) for q in "123"])
    return made


def games_in(table: GameTable) -> list[tuple[str, str, int]]:
    """(model, question, verdict) of each first game, in the table's order."""
    first = table.game == 0
    columns = (table.model[first], table.question[first], table.verdict[first])
    return [(table.models[m], table.questions[q], int(verdict)) for m, q, verdict in zip(*columns)]


def browsed(bench: Bench) -> BenchIndex:
    index = BenchIndex(bench)
    index.refresh()
    assert index.problems == []
    return index


def seen(bench: Bench) -> dict[str, Any]:
    """What every reader makes of the bench."""
    index = browsed(bench)
    m = index.models.index("m")
    found = [index.judgment("j", m, code) for code in range(len(index.question_ids))]
    return {
        "typed": games_in(read_judgments(bench, ["j"]).table),
        "checked": {model: load_judgments(bench.judgment_file("j", model)) for model in ("m", "n")},
        "answers": load_answers(bench.answer_file("m")),
        "lengths": answer_lengths(bench, "m"),
        "believed": standing(bench, "j", "base").counts,
        "quoted": games_seen(bench, "j", "gpt-4o"),
        "costs": report_lines(past_bills(bench)),
        "models": index.models,
        "browser": games_in(tables.game_table(index, ["j"], None)),
        "browser's records": found,
        "browser's matrices": [index.judged["j"].first.tolist(), index.judged["j"].second.tolist()],
    }


@pytest.mark.filterwarnings("ignore::arena_hard.data.jsonl.Remark")
@pytest.mark.parametrize("name", BACKUPS + COUNTED)
def test_a_backup_changes_nothing_for_any_reader_and_is_said(bench: Bench, name: str) -> None:
    before = seen(bench)
    write_rows(bench.judgment_folder("j") / f"{name}.jsonl", [row(q, "B>>A") for q in "1234"])
    write_rows(bench.answer_folder / f"{name}.jsonl", [answer(q, "another text") for q in "1234"])
    assert seen(bench) == before
    for folder in (bench.judgment_folder("j"), bench.answer_folder):
        (note,) = look_into(folder).notes
        assert (
            note.startswith(f"{folder}: skipped as backups")
            and f"{name}.jsonl of m.jsonl, which lacks 1 of its records" in note
        )
        assert note in browsed(bench).notes


@pytest.mark.filterwarnings("ignore::arena_hard.data.jsonl.Remark")
@pytest.mark.parametrize("name", COPIES)
def test_of_two_files_with_the_same_records_the_one_named_after_the_model_counts(bench: Bench, name: str) -> None:
    before = seen(bench)
    write_rows(bench.judgment_folder("j") / f"{name}.jsonl", [row(q, "B>>A") for q in "123"])
    after = seen(bench)
    for reader in ("typed", "checked", "models", "browser", "browser's records", "browser's matrices"):
        assert after[reader] == before[reader], reader
    (one,) = read_judgments(bench, ["j"]).overruled
    assert (one.file.stem, one.by.stem, one.count, one.by_name) == (name, "m", 3, True)
    (note,) = browsed(bench).notes
    assert f"{name}.jsonl: 3 judgments not counted, because" in note and "is named after the model." in note


@pytest.mark.parametrize(
    "names", [("m", "m_part2"), ("m", "m_2"), ("m", "m (1)"), ("m (1)", "m (2)"), ("M", "x"), ("all", "m")]
)
def test_a_model_in_several_files_has_all_of_its_questions_in_every_reader(
    bench: Bench, names: tuple[str, str]
) -> None:
    bench.judgment_file("j", "m").unlink()
    first = [row("1", "B>A"), *([row("1", "A=B", "n2")] if names[0] == "all" else [])]
    write_rows(bench.judgment_folder("j") / f"{names[0]}.jsonl", first)
    write_rows(bench.judgment_folder("j") / f"{names[1]}.jsonl", [row("2", "B>A"), row("3", "B>A")])
    found = read_judgments(bench, ["j"])
    assert found.overruled == [] and look_into(bench.judgment_folder("j")).notes == []
    expected = {("m", q, LABELS.index("B>A")) for q in "123"}
    index = browsed(bench)
    for table in (found.table, tables.game_table(index, ["j"], None)):
        assert {game for game in games_in(table) if game[0] == "m"} == expected
    code = index.models.index("m")
    assert all(index.judgment("j", code, question) for question in range(3)) and index.notes == []


def test_where_no_file_is_named_after_the_model_the_last_counts_and_it_is_said(bench: Bench) -> None:
    bench.judgment_file("j", "m").unlink()
    for name, score in (("x", "A>>B"), ("y", "B>A")):
        write_rows(bench.judgment_folder("j") / f"{name}.jsonl", [row(q, score) for q in "123"])
    index = browsed(bench)
    for table in (read_judgments(bench, ["j"]).table, tables.game_table(index, ["j"], None)):
        assert {verdict for model, _, verdict in games_in(table) if model == "m"} == {LABELS.index("B>A")}
    (note,) = index.notes
    assert "x.jsonl: 3 judgments not counted" in note and "comes later. Move away" in note


def test_the_same_games_with_and_without_their_baseline_count_once(bench: Bench) -> None:
    write_rows(bench.judgment_folder("j") / "m (1).jsonl", [row(q, "B>>A", baseline="base") for q in "12"])
    table = read_judgments(bench, ["j"]).table
    with pytest.warns(jsonl.Remark, match="4 games that name no baseline are not counted"):
        games = games_in(against(table, "base", True))
    assert sorted(games)[:3] == [("m", "1", 4), ("m", "2", 4), ("m", "3", 1)]
    assert len(against(table, "base", False)) == 4


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("m_old", [row("1", "A>B", "m_old")]),  # a model of this name
        ("m_old", [row("1", "A>B", "x")]),
        ("x_old", [row("4", "A>B", "m")]),  # of no file that is there
        ("m_part2", [row("4", "A>B")]),
    ],
)
def test_what_is_not_shown_to_be_a_backup_is_read(bench: Bench, name: str, rows: list[dict[str, Any]]) -> None:
    write_rows(bench.judgment_folder("j") / f"{name}.jsonl", rows)
    assert f"{name}.jsonl" in [file.name for file in look_into(bench.judgment_folder("j")).files]


def test_a_backup_is_read_where_the_file_itself_is_empty(bench: Bench) -> None:
    file = bench.judgment_file("j", "m")
    file.rename(file.with_name("m_backup.jsonl"))
    file.touch()
    with pytest.warns(jsonl.Remark, match=r"m\.jsonl is empty, so that what is in m_backup\.jsonl counts instead"):
        assert len(read_judgments(bench, ["j"]).table) == 12
    assert len(browsed(bench).notes) == 1


def test_answers_of_a_model_that_was_judged_under_this_name_are_no_backup(bench: Bench) -> None:
    write_rows(bench.answer_file("m_old"), [answer("1", "before")])
    write_rows(bench.judgment_file("j", "m_old"), [row("1", "A>B", "m_old")])
    assert bench.answer_file("m_old") in bench.answer_files()
    assert "m_old" in browsed(bench).answers


@pytest.mark.parametrize(
    ("file", "model", "expected"),
    [
        ("m", "m", 2),
        ("org%2Fmodel%3A1", "org/model:1", 2),
        ("org_model", "org/model", 1),
        ("model", "org/model", 1),
        ("GPT-4o", "gpt-4o", 1),
        ("m_old", "m", 0),
        ("m (1)", "m", 0),
        ("gpt-4", "gpt-4o", 0),
    ],
)
def test_how_well_a_file_is_named_after_a_model(file: str, model: str, expected: int) -> None:
    assert rank(Path(f"{file}.jsonl"), model) == expected


# ------------------------------------------------------------------------------- in the place of a file


def _write(data: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(data)


IN_PLACE: list[tuple[str, Callable[[Path], object], str]] = [
    (".jsonl", lambda file: file.mkdir(), "is a folder, not a file. Move it away."),
    (".jsonl", lambda file: file.symlink_to("gone.jsonl"), "is a link to gone.jsonl, which is not there."),
    (".jsonl", lambda file: os.mkfifo(file), "is not a readable file."),
    (".jsonl.gz", _write(b"\x1f\x8b"), "is not read: record files end with .jsonl. Unpack it first."),
    (".json", _write(b"[]"), "is not read: record files end with .jsonl. Rename it if"),
    (".JSONL", _write(b"{}"), "is not read: record files end with .jsonl. Rename it."),
]


@pytest.mark.parametrize(("ending", "make", "words"), IN_PLACE)
def test_what_is_in_the_place_of_a_file_is_said_by_every_reader(
    bench: Bench, ending: str, make: Callable[[Path], object], words: str
) -> None:
    places = [bench.judgment_file("j", "m"), bench.answer_file("m"), bench.question_file]
    for file in places:
        file.unlink()
        make(file.with_name(file.name.removesuffix(".jsonl") + ending))
    readers: list[Callable[[], object]] = [
        lambda: read_judgments(bench, ["j"]),
        lambda: load_judgments(places[0]),
        lambda: load_answers(places[1]),
        lambda: answer_lengths(bench, "m"),
        lambda: report_lines(past_bills(bench)),
    ]
    for read in readers:
        with pytest.warns(jsonl.Remark) as caught:
            read()
        assert all(words in str(each.message) for each in caught)
    with pytest.raises(UserError, match="question.*" + words.replace(".", r"\.")):
        load_questions(bench)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jsonl.Remark)
        assert sum(words in note for note in browsed(bench).notes) == 3


def test_what_the_program_or_an_editor_leaves_is_not_spoken_of(bench: Bench) -> None:
    names = ["m.manifest.json", "m.superseded", "m.torn", "m.unfinished", "~$m.jsonl", "._m.jsonl", ".~lock.m.jsonl#"]
    for name in [*names, "m.json", "m.jsonl.gz", "x.manifest.json", "notes.txt"]:
        (bench.judgment_folder("j") / name).write_bytes(b"\0")
    found = look_into(bench.judgment_folder("j"))
    assert ([file.name for file in found.files], found.notes) == (["m.jsonl", "n.jsonl"], [])


def test_a_file_that_the_system_does_not_give_out_is_one_message_and_the_browser_shows_the_rest(bench: Bench) -> None:
    file = bench.judgment_file("j", "m")
    file.unlink()
    file.symlink_to("/proc/self/mem")  # opens, and fails to be read, for root too
    for read in (lambda: load_judgments(file), lambda: read_judgments(bench, ["j"])):
        with pytest.raises(UserError, match=r"m\.jsonl cannot be read: .*\. Fix its permissions or move it away\."):
            read()
    index = BenchIndex(bench)
    index.refresh()
    assert len(index.problems) == 1 and "m.jsonl cannot be read" in index.problems[0]
    assert np.any(index.judged["j"].row[index.models.index("n")] >= 0)


@pytest.mark.slow
def test_show_result_with_a_backup_prints_what_it_prints_without(bench: Bench) -> None:
    flags = ("show_result.py", "--data-dir", str(bench.data_dir), "--bench-name", "b", "--judge-name", "j")
    before = run_script(bench.data_dir, *flags, "--baseline", "base", "--num-rounds", "5")
    text = "".join(json.dumps(row(q, "B>>A")) + "\n" for q in "123")
    (bench.judgment_folder("j") / "m_backup.jsonl").write_text(text)
    after = run_script(bench.data_dir, *flags, "--baseline", "base", "--num-rounds", "5")
    assert (after.returncode, after.stdout) == (0, before.stdout)
    assert after.stderr.count("note: ") == 1 and "m_backup.jsonl of m.jsonl" in after.stderr


@pytest.mark.parametrize("unknown", [-1, -1.0, "12 words", "-3", "", None, True, float("nan"), float("inf")])
def test_what_is_no_count_of_tokens_is_one_for_no_reader(bench: Bench, unknown: Any) -> None:
    answers = [answer(q, "yes") for q in "123"]
    answers[0]["choices"][0]["turns"][0]["token_len"] = unknown
    answers[1] |= {"choices": [{"turns": [{"content": "yes"}]}], "conv_metadata": {"token_len": unknown}}
    write_rows(bench.answer_file("m"), answers)
    assert answer_lengths(bench, "m").average == tables.tokens_of(browsed(bench), "m") == 3
    assert [each.token_len for each in load_answers(bench.answer_file("m")).values()] == [None, None, 3]


def test_of_how_many_answers_the_mean_length_is_known_is_the_same_for_the_browser(bench: Bench) -> None:
    answers = [answer(q, "$ERROR$" if q == "5" else "yes") for q in "12345"]
    for each in answers[:3]:
        each["choices"][0]["turns"][0].pop("token_len")
    write_rows(bench.answer_file("m"), answers)
    length = answer_lengths(bench, "m")
    assert (length.average, length.answers, length.of) == (3, 1, 4) and length == tables.lengths_of(browsed(bench), "m")
    (note,) = length_notes({"m": length, "n": answer_lengths(bench, "n")})
    assert printed(note) == "Tokens are the mean of the answers that have a count: m 1 of 4."
    (board,) = boards_of(tables.Snapshot(browsed(bench), "j", None), "rows")
    assert printed(note) in board.notes


def renamed(bench: Bench, name: Any, file: str = "m") -> None:
    """Model m's judgments in a file, with another name in the records, or with none."""
    rows = [{**row(q, "A>B"), "model": name} for q in "123"]
    bench.judgment_file("j", "m").unlink()
    write_rows(bench.judgment_file("j", file), [{k: v for k, v in r.items() if v is not ...} for r in rows])


NO_MODEL = [..., None, ""]


@pytest.mark.filterwarnings("ignore::arena_hard.data.jsonl.Remark")
@pytest.mark.parametrize("name", [*NO_MODEL, 4, "path/to/ckpt", "checkpoint-17"])
def test_a_file_is_of_the_model_that_it_is_named_after_where_its_records_tell_of_none(bench: Bench, name: Any) -> None:
    before = seen(bench)
    renamed(bench, name)
    after = seen(bench)
    for reader in set(before) - {"checked", "browser's records"}:
        assert after[reader] == before[reader], reader
    assert [len(found.games) for found in after["browser's records"]] == [2, 2, 2]
    words = "name no model" if name in NO_MODEL else f"name the model {name}, of which nothing else is here"
    file = bench.judgment_file("j", "m")
    for read in (lambda: read_judgments(bench, ["j"]), lambda: own_judgments(bench, "m", file)):
        with pytest.warns(jsonl.Remark, match=rf"m\.jsonl: .*{words}.* taken to be of m, after which") as said:
            read()
        assert len(said) == 1
    records, names = own_judgments(bench, "m", file)
    assert [each.model in (names or ()) for _, each in records.all()] == [True] * 3 and words in browsed(bench).notes[0]
    assert origin_of(bench, "j", "m") == origin_of(bench, "j", "stranger")


@pytest.mark.filterwarnings("ignore::arena_hard.data.jsonl.Remark")
def test_records_of_a_model_that_is_known_are_its_own_in_whatever_file(bench: Bench) -> None:
    renamed(bench, "n")
    bench.judgment_file("j", "n").unlink()
    index = browsed(bench)
    for table in (read_judgments(bench, ["j"]).table, tables.game_table(index, ["j"], None)):
        assert {model for model, _, _ in games_in(table)} == {"n"}
    with pytest.warns(jsonl.Remark, match=r"m\.jsonl also holds judgments of n; they do not count as m's"):
        assert own_judgments(bench, "m", bench.judgment_file("j", "m"))[1] == set()


@pytest.mark.parametrize(
    ("questions", "of"),
    [
        ({"4": {"1"}}, {"4": "m"}),
        ({"4": {"1"}, "m": {"2"}}, {"4": "m", "m": "m"}),  # as a run goes on with what is there
        ({"4": {"1"}, "m": {"1"}}, {"4": "4", "m": "m"}),
        ({"4": {"1"}, "5": {"2"}, "": {"3"}}, {"4": "4", "5": "5", "": "m"}),
        ({"n": {"1"}}, {"n": "n"}),
        ({"../x": {"1"}}, {"../x": "m"}),
        ({}, {}),
    ],
)
def test_whose_records_are(bench: Bench, questions: dict[str, set[str]], of: dict[str, str]) -> None:
    assert owners(bench, bench.judgment_file("j", "m"), questions).of == of


def test_another_spelling_is_no_remark_and_without_answers_the_records_tell(bench: Bench) -> None:
    spelled = owners(bench, bench.judgment_file("j", "m"), {"maker/M": {"1"}})
    assert spelled == ({"maker/M": "m"}, [])
    bench.answer_file("m").unlink()
    assert owners(bench, bench.judgment_file("j", "m"), {"maker/M": {"1"}}).of == {"maker/M": "maker/M"}


def test_a_backup_is_one_without_a_model_in_its_records_too(bench: Bench) -> None:
    renamed(bench, ...)
    folder = bench.judgment_folder("j")
    for name in ("m_backup", "m-0613"):
        (folder / f"{name}.jsonl").write_bytes((folder / "m.jsonl").read_bytes())
    assert {file.stem for file in look_into(folder).files} == {"m", "m-0613", "n"}


def test_answers_that_name_no_model_are_of_the_one_that_the_file_is_named_after(bench: Bench) -> None:
    write_rows(bench.answer_file("m"), [{k: v for k, v in answer(q, "yes").items() if k != "model_id"} for q in "123"])
    assert {each.model for each in load_answers(bench.answer_file("m")).values()} == {"m"}
    assert browsed(bench).answer("m", 0) is not None
