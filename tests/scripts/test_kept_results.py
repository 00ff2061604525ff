"""What show_result.py keeps of large benchmarks: the same output to the last byte, whatever became of the files."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import show_result
from arena_hard.data import beside, record_index
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.rating import caches
from tests.support.pipeline_bench import write_rows

VERDICTS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
OPTIONS: list[tuple[str, ...]] = [
    (),
    ("--format", "json"),
    ("--format", "markdown", "--full-stats"),
    ("--format", "html"),
    ("--interval", "sandwich", "--ranks"),
    ("--interval", "questions", "--num-rounds", "20", "--level", "0.9"),
    ("--breakdown",),
    ("--judge-name", "j", "k", "--format", "json"),
    ("--baseline", "other"),
    ("--compare", "m", "n", "--first-game-only"),
    ("--control-features", "length", "--num-rounds", "5"),
    ("--soft",),
    ("--interval", "v2.0"),
]


@pytest.fixture(autouse=True)
def _every_file_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of tests are small and new, and read in this process."""
    monkeypatch.setattr(record_index, "SMALL", 0)
    monkeypatch.setattr(record_index, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(record_index, "_WORTH", 0)
    monkeypatch.setattr(caches, "MANY_DRAWS", 0)

    monkeypatch.setattr(beside, "_is_possible", lambda: False)


def judged(model: str, number: int, seed: int, **more: Any) -> dict[str, Any]:
    """A judgment of question `number`; the seed says how its games came out."""
    labels = VERDICTS[(seed + number) % 5], VERDICTS[(seed * number + number) % 5]
    listed = [{"user_prompt": f"p{number}", "judgment": "…", "score": label} for label in labels]
    return {"question_id": f"q{number}", "model": model, "judge": "j", "games": listed, **more}


def answered(model: str, number: int) -> dict[str, Any]:
    return {
        "question_id": f"q{number}",
        "model_id": model,
        "choices": [{"index": 0, "turns": [{"content": "so", "token_len": 10 + number * len(model)}]}],
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bench of two judges with all that is odd and needs no remark: duplicates, a foreign score, a null game, lines
    of several records, a model under another name, another baseline, shortened answers.
    """
    bench = tmp_path / "here" / "data" / "b"
    questions = [
        {"question_id": f"q{n}", "category": "b", "cluster": f"c{n % 2}", "turns": [{"content": f"{n}?"}]}
        for n in range(1, 13)
    ]
    write_rows(bench / "question.jsonl", questions)
    for name in ("base", "m", "n", "r", "other"):
        write_rows(bench / "model_answer" / f"{name}.jsonl", [answered(name, n) for n in range(1, 13)])
    for judge, seed in (("j", 1), ("k", 3)):
        place = bench / "model_judgment" / judge
        rows = [judged("m", n, seed, baseline="base") for n in range(1, 12)]
        write_rows(place / "m.jsonl", [*rows, judged("m", 3, seed + 1, baseline="base")])
        rows = [judged("n", n, seed + 2, baseline="base", category="b") for n in range(12, 0, -1)]
        rows[2]["games"][0] = None
        rows[3]["games"][1]["score"] = "tie!"
        rows[4]["games"][0]["truncated"] = {"kept": 0.5}
        probable = dict.fromkeys(VERDICTS, 0.2)
        rows[5]["games"][0]["label_probabilities"] = probable
        ends = (" " if row["question_id"] == "q5" else "\n" for row in rows)  # two of them on one line
        text = "".join(json.dumps(row) + end for row, end in zip(rows, ends))
        (place / "n.jsonl").write_text(text)
        write_rows(place / "r.jsonl", [judged("org/r", n, seed + 3, baseline="base") for n in range(1, 13)])
        write_rows(place / "vs_other" / "m.jsonl", [judged("m", n, seed + 4, baseline="other") for n in range(1, 13)])
    monkeypatch.chdir(tmp_path / "here")
    return bench


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, ...]:
    """What a run prints, then its remarks."""
    judges = () if "--judge-name" in options else ("--judge-name", "j")
    baseline = () if "--baseline" in options else ("--baseline", "base")
    monkeypatch.setattr(sys, "argv", ["show_result.py", "--bench-name", "b", *judges, *baseline, *options])
    capsys.readouterr()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert show_result.main() == 0
    return (capsys.readouterr().out, *(str(each.message) for each in said))


def without_cache(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[str, ...]:
    """What a run prints on a copy of the bench that nobody has seen, as the program was without any cache."""
    copy = folder.parents[2] / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy / "data" / "b", ignore=shutil.ignore_patterns("cache"))
    with monkeypatch.context() as context:
        context.setattr(record_index, "SMALL", 1 << 40)
        context.setattr(record_index, "_WORTH", 1 << 40)
        context.setattr(caches, "MANY_DRAWS", 1 << 40)
        context.chdir(copy)
        return shown(monkeypatch, capsys, *options)


def never(*_: object, **__: object) -> Any:
    raise AssertionError("this was to be kept")


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_what_is_kept_is_what_comes_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    expected = without_cache(folder, monkeypatch, capsys, *options)
    assert len(expected[0]) > 200
    leaves_files = "v2.0" not in options
    for _ in range(2):
        assert shown(monkeypatch, capsys, *options) == expected
    assert (folder / "cache" / "index").exists() == leaves_files
    if leaves_files:
        with monkeypatch.context() as context:
            context.setattr(show_result, "result_of", never)
            assert shown(monkeypatch, capsys, *options) == expected
    shutil.rmtree(folder / "cache" / "pages", ignore_errors=True)
    assert shown(monkeypatch, capsys, *options) == expected  # by the indexes and the rounds


_times = itertools.count(1_700_000_000_000_000_000, 1_000_000_000)


def touched(file: Path) -> None:
    os.utime(file, ns=(next(_times), next(_times)))


def edited(file: Path) -> None:
    """As long as before, and with the time of before: only when it was changed tells."""
    status, text = file.stat(), file.read_text()
    changed = text.replace('"A>B"', '"B>A"', 1).replace('"token_len": 1', '"token_len": 9', 1)
    while file.stat().st_ctime_ns == status.st_ctime_ns:
        file.write_text(changed)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def appended(file: Path) -> None:
    lines = file.read_text().splitlines(keepends=True)
    with open(file, "a") as stream:
        stream.write(lines[0].replace('"A>B"', '"B>>A"').replace('"token_len": 1', '"token_len": 9'))
    touched(file)


def torn(file: Path) -> None:
    with open(file, "a") as stream:
        stream.write('{"question_id": "q1", "mod')
    touched(file)


def replaced(file: Path) -> None:
    other = file.with_name("new")
    other.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    other.replace(file)


def gone(file: Path) -> None:
    file.unlink()


def copied(file: Path) -> None:
    text = file.read_text().replace(f'"{file.stem}"', '"other"')
    file.with_name("other.jsonl").write_text(text)


CHANGES: dict[str, Callable[[Path], None]] = {
    each.__name__: each for each in (touched, edited, appended, torn, replaced, gone, copied)
}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["model_judgment/j/m.jsonl", "model_answer/m.jsonl", "question.jsonl"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str, change: str
) -> None:
    for options in ((), ("--format", "json")):
        shown(monkeypatch, capsys, *options)
    CHANGES[change](folder / place)
    for options in ((), ("--format", "json")):
        expected = without_cache(folder, monkeypatch, capsys, *options)
        for _ in range(2):
            assert shown(monkeypatch, capsys, *options) == expected


@pytest.mark.slow
def test_a_page_is_that_of_its_options_config_day_and_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []
    real = show_result.result_of

    def counted(*given: Any) -> Any:
        made.append("once more")
        return real(*given)

    monkeypatch.setattr(show_result, "result_of", counted)

    def is_made(*options: str) -> bool:
        made.clear()
        shown(monkeypatch, capsys, *options)
        return bool(made)

    assert is_made() and not is_made() and is_made("--weight", "2") and not is_made()
    battles = next((folder / "cache").glob("battles*weight3.jsonl"))
    battles.unlink()
    assert is_made() and battles.is_file() and not is_made()
    rounds = next((folder / "cache").glob("rounds*weight3.jsonl"))
    rounds.write_text(rounds.read_text().replace("1", "2"))
    assert is_made() and not is_made()
    config = Path("config") / "judge_config.yaml"
    config.parent.mkdir()
    config.write_text(
        "bench_name: b\njudge_model: j\nbaseline_model: base\nsystem_prompt: s\n"
        "prompt_template: ['{question_1} {answer_1} {answer_2}']\n"
    )
    assert is_made() and not is_made()
    page = next((folder / "cache" / "pages").glob("*.page"))
    for file in (folder / "cache" / "pages").glob("*.page"):
        file.write_bytes(file.read_bytes()[:-1])
    assert page.is_file() and is_made() and not is_made()
    monkeypatch.setattr(record_index, "_WORTH", 1 << 30)
    assert is_made()


@pytest.mark.slow
def test_a_folder_whose_name_is_no_text_is_read_each_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (folder / "model_judgment" / "j").glob("[nm].jsonl"):  # of which notes speak by their names
        file.unlink()
    expected = shown(monkeypatch, capsys)
    odd = folder.parents[2] / os.fsdecode(b"caf\xe9")
    shutil.copytree(folder.parent, odd, ignore=shutil.ignore_patterns("cache"))
    for _ in range(2):
        assert shown(monkeypatch, capsys, "--data-dir", str(odd)) == expected
    assert not (odd / "b" / "cache" / "pages").exists()


@pytest.mark.slow
def test_rounds_that_were_changed_are_drawn_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = shown(monkeypatch, capsys)
    rounds = next((folder / "cache").glob("rounds*.jsonl"))
    status = rounds.stat()
    rounds.write_text(rounds.read_text().replace("9", "8"))  # as long, and as old
    os.utime(rounds, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert shown(monkeypatch, capsys) == expected
    shutil.rmtree(folder / "cache" / "pages")
    assert shown(monkeypatch, capsys) == expected


@pytest.mark.slow
def test_a_small_bench_and_one_that_may_not_be_written_get_no_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as context:
        context.setattr(record_index, "_WORTH", 1 << 30)
        expected = shown(monkeypatch, capsys)
    assert {each.name.partition("_")[0] for each in (folder / "cache").iterdir()} == {"battles", "rounds-of-rows"}
    (folder / "cache").chmod(0o555)
    try:
        assert shown(monkeypatch, capsys) == expected
        assert not (folder / "cache" / "index").exists() and not (folder / "cache" / "pages").exists()
    finally:
        (folder / "cache").chmod(0o755)


@pytest.mark.slow
def test_a_page_whose_run_could_not_leave_its_files_is_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it would go on saying so, and --load-battles would never find what fits."""
    shown(monkeypatch, capsys)
    edited(folder / "model_judgment" / "j" / "m.jsonl")

    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "replace", full)
        assert "could not be written" in shown(monkeypatch, capsys)[0]
    again = shown(monkeypatch, capsys)
    assert "could not be written" not in again[0] and again == without_cache(folder, monkeypatch, capsys)
    shown(monkeypatch, capsys, "--load-battles")


@pytest.mark.slow
def test_a_page_is_not_kept_where_remarks_may_not_be_heard(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torn(folder / "model_judgment" / "j" / "m.jsonl")
    with monkeypatch.context() as context:
        context.setattr(sys, "warnoptions", ["ignore"])
        context.setattr(warnings, "showwarning", never)
        context.setattr(warnings, "warn", lambda *_, **__: None)
        shown(monkeypatch, capsys)
    assert any("incomplete" in remark for remark in shown(monkeypatch, capsys)[1:])


@pytest.mark.slow
def test_battles_of_a_file_that_only_looks_the_same_are_stale(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(monkeypatch, capsys)
    battles = next((folder / "cache").glob("battles*.jsonl"))
    edited(folder / "model_judgment" / "j" / "m.jsonl")
    with pytest.raises(UserError, match=r"m\.jsonl has changed since it was made"):
        shown(monkeypatch, capsys, "--load-battles")
    shown(monkeypatch, capsys)
    shown(monkeypatch, capsys, "--load-battles")
    status = battles.stat()
    battles.write_text(battles.read_text().replace('"model_a":"base","model_b":"m"', '"model_a":"m","model_b":"base"'))
    os.utime(battles, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "does not record its inputs" in shown(monkeypatch, capsys, "--load-battles")[0]


@pytest.mark.slow
@pytest.mark.parametrize("is_old", [False, True])
def test_battles_that_are_copied_with_their_judgments_stay_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_old: bool
) -> None:
    shown(monkeypatch, capsys)
    expected = shown(monkeypatch, capsys, "--load-battles")
    note = next((folder / "cache").glob("battles*.meta.json"))
    if is_old:  # without what only this machine knows
        note.write_text(re.sub(r',"(inode|ctime_ns)":\d+', "", note.read_text()))
    copy = shutil.copytree(folder.parents[1], folder.parents[2] / "elsewhere", copy_function=shutil.copyfile)
    monkeypatch.chdir(copy)
    assert shown(monkeypatch, capsys, "--load-battles") == expected
    battles = copy / "data/b/cache" / note.name.replace(".meta.json", ".jsonl")
    stamp = record_index.stamp_of(battles)
    shutil.rmtree(copy / "data/b/cache/pages")
    shown(monkeypatch, capsys)
    assert record_index.stamp_of(battles) == stamp
    monkeypatch.setattr("hashlib.sha256", never)  # the note knows the copies' stamps by now
    known = caches.read_note(battles)
    assert known is not None and not caches.changed_inputs(known, Bench(Path("data"), "b"))


@pytest.mark.slow
def test_a_page_whose_files_another_run_has_replaced_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two runs at once with other rounds: those of one of them are left, and its page alone."""
    made = show_result.result_of

    def then_another(*given: Any) -> Any:
        monkeypatch.setattr(show_result, "result_of", made)
        found, ours = made(*given), dict(caches._left)
        shown(monkeypatch, capsys, "--seed", "2")
        monkeypatch.setattr(caches, "_left", ours)  # of this run's process
        return found

    monkeypatch.setattr(show_result, "result_of", then_another)
    shown(monkeypatch, capsys, "--seed", "1")
    shown(monkeypatch, capsys, "--seed", "2", "--load-battles", "--load-bootstrap")
    assert shown(monkeypatch, capsys, "--seed", "1")[0] == without_cache(folder, monkeypatch, capsys, "--seed", "1")[0]
    shown(monkeypatch, capsys, "--seed", "1", "--load-battles", "--load-bootstrap")


def recategorised(folder: Path, category_of: Callable[[int], str], **more: str) -> None:
    """question.jsonl in another order, with other categories, and with further keys."""
    rows = [json.loads(line) for line in (folder / "question.jsonl").read_text().splitlines()]
    rows = [row | {"category": category_of(int(row["question_id"][1:]))} | more for row in reversed(rows)]
    write_rows(folder / "question.jsonl", rows)


STALE = r"question\.jsonl has changed since it was made"


@pytest.mark.slow
def test_battles_of_a_category_are_stale_once_other_questions_belong_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recategorised(folder, lambda n: "one" if n < 7 else "two")
    case = ("--category", "one")
    shown(monkeypatch, capsys, *case)
    rounds = (*case, "--load-battles", "--load-bootstrap")
    expected = shown(monkeypatch, capsys, *rounds)
    recategorised(folder, lambda n: "one" if n < 7 else "three", topic="other")
    assert shown(monkeypatch, capsys, *rounds) == expected
    recategorised(folder, lambda n: "one" if n < 5 else "two")
    for options in ((*case, "--load-battles"), rounds):
        with pytest.raises(UserError, match=STALE):
            shown(monkeypatch, capsys, *options)
    for more in ((), ("--load-battles",)):
        shown(monkeypatch, capsys, *case, "--interval", "sandwich", *more)  # which leaves the rounds as they were
    with pytest.raises(UserError, match=f"rounds.* is stale: .*{STALE}"):
        shown(monkeypatch, capsys, *rounds)
    (folder / "question.jsonl").unlink()
    with pytest.raises(UserError, match=STALE):
        shown(monkeypatch, capsys, *case, "--load-battles")


@pytest.mark.slow
def test_battles_of_all_categories_are_stale_once_there_is_another_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path("config") / "judge_config.yaml"
    config.parent.mkdir()
    config.write_text(
        "bench_name: b\njudge_model: j\nbaseline_model: base\nsystem_prompt: s\n"
        "prompt_template: ['{question_1} {answer_1} {answer_2}']\ncategories: {one: {}, two: {}, three: {}}\n"
    )
    recategorised(folder, lambda n: "one" if n < 7 else "two" if n < 10 else "")
    shown(monkeypatch, capsys)
    assert "mean over categories" in shown(monkeypatch, capsys, "--load-battles")[0]
    recategorised(folder, lambda n: "one" if n < 7 else "two" if n < 10 else "three")
    with pytest.raises(UserError, match=STALE):
        shown(monkeypatch, capsys, "--load-battles")
    shown(monkeypatch, capsys, "--load-battles", "--category", "one")


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--soft",)])
def test_battles_count_alike_where_they_are_made_and_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    """A strong verdict is one battle of several rows; a file without a note does not tell which rows are one."""
    made, loaded = (
        json.loads(shown(monkeypatch, capsys, "--format", "json", *more, *load)[0])["parts"][0]
        for load in ((), ("--load-battles",))
    )
    assert made["battles"] == loaded["battles"] < loaded["rows_of_battles"]
    next((folder / "cache").glob("battles*.meta.json")).unlink()
    if not more:
        found = json.loads(shown(monkeypatch, capsys, "--format", "json", "--load-battles")[0])["parts"][0]
        assert found["battles"] is None and found["rows_of_battles"] == made["rows_of_battles"]


@pytest.mark.slow
def test_remarks_on_the_judgments_are_made_with_their_battles_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torn(folder / "model_judgment" / "j" / "m.jsonl")
    shutil.copyfile(folder / "model_judgment" / "j" / "n.jsonl", folder / "model_judgment" / "j" / "n_backup.jsonl")
    said = shown(monkeypatch, capsys)[1:]
    assert any("incomplete" in remark for remark in said) and any("backups" in remark for remark in said)
    assert sorted(shown(monkeypatch, capsys, "--load-battles")[1:]) == sorted(said)


@pytest.mark.slow
def test_nothing_is_left_where_nobody_may_write(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root, whom no permissions hold back, leaves nothing either."""
    folder.chmod(0o555)
    try:
        said = shown(monkeypatch, capsys)[0]
        assert not (folder / "cache").exists()
    finally:
        folder.chmod(0o755)
    for kind in ("battles", "rounds-of-rows"):
        assert re.search(rf"cache/{kind}\S+ could not be written \(Permission denied\); the result is not", said)
    assert "could not be written" not in shown(monkeypatch, capsys)[0] and (folder / "cache").is_dir()
