"""A --redo that was broken off goes on: nothing that it has paid for is asked for again."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from arena_hard.calling.redo import Redo, begun, left_of, written_since
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, asked, question, rows, write_rows
from tests.support.processes import wait_until


def test_what_is_left_of_a_redo() -> None:
    before = Redo("one", ["a", "b", "c"], ["b"])
    assert left_of(before, "abc") == {"a", "c"}
    assert left_of(before, "abcd") == {"a", "c", "d"}
    assert left_of(before, "b") == {"b"}  # all that is asked for was made: it is asked for once more
    assert left_of(before.with_more("ac"), "abc") == {"a", "b", "c"}
    assert left_of(None, "abc") == {"a", "b", "c"}


def test_a_redo_keeps_its_name_until_all_is_made() -> None:
    before = Redo("one", ["a", "b", "c"], ["b"])
    assert begun(before, {"a", "c"}, "two") == Redo("one", ["a", "b", "c"], ["b"])
    assert begun(before, {"a", "d"}, "two") == Redo("one", ["a", "b", "c", "d"], ["b"])
    assert begun(before, {"a", "b", "c"}, "one").done == ["b"]  # a later wave of the same run
    assert begun(before.with_more("ac"), {"a", "b", "c"}, "two") == Redo("two", ["a", "b", "c"])
    assert begun(None, {"a"}, "two") == Redo("two", ["a"])


def test_what_was_written_since(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(b'{"question_id": "a"}\n')
    size = file.stat().st_size
    file.write_bytes(file.read_bytes() + b'{"question_id": 7}\n[]\n{"question_id": "b"}\n{"question_id": "c", "t')
    assert written_since(file, size) == {"7", "b"}
    assert written_since(file, 10_000) == written_since(tmp_path / "gone", 0) == set()


@pytest.fixture
def six(scratch: Scratch) -> Scratch:
    """Six questions, answered by models that are asked one request at a time."""
    scratch.set_questions([question(number) for number in range(1, 7)])
    scratch.put_answers("base", count=6)
    for name in ("m", "judge"):
        scratch.models[name] |= {"parallel": 1, "price": {"input": 1, "output": 100}, "max_tokens": 300}
    assert scratch.run("gen_answer.py").returncode == 0
    return scratch


@pytest.mark.slow
def test_a_redo_of_answers_that_is_killed_goes_on(six: Scratch, wire: Server) -> None:
    wire.reset()
    wire.script([None, None, "hang"])
    with six.start("gen_answer.py", "--redo", "m") as process:
        wait_until(lambda: wire.stats()["requests"] == 3 and len(rows(six.answer_file())) == 6 + 2)
        process.kill()
        process.communicate()
    wire.script(["content_filter_400"])
    again = six.run("gen_answer.py", "--redo", "m")
    assert again.returncode == 1 and "2 of 6 records already exist" in again.stdout
    assert "was killed after 2 records." in again.stdout
    killed = json.loads(six.answer_file().with_name("m.manifest.json").read_text())["runs"][1]
    assert (killed["killed"], killed["written"], killed["requests"]) == (True, 2, 2)
    assert killed["usage"]["prompt_tokens"] > 0
    assert six.run("gen_answer.py").returncode == 0  # nothing is missing, and it loses nothing of the redo
    assert six.run("gen_answer.py", "--redo", "m").returncode == 0
    assert asked(wire) == [f"Question {number}?" for number in (1, 2, 3, 3, 4, 5, 6, 3)]
    assert len(six.answered_ids()) == 6
    wire.reset()
    assert "there already" not in six.run("gen_answer.py", "--redo", "m").stdout  # a new one
    assert wire.stats()["requests"] == 6


@pytest.mark.slow
def test_a_redo_that_is_stopped_counts_all_that_it_wrote(scratch: Scratch, wire: Server) -> None:
    """Also what was on its way to the disk as Ctrl-C came."""
    scratch.set_questions([question(number) for number in range(60)])
    scratch.models["m"] |= {"parallel": 8}
    assert scratch.run("gen_answer.py").returncode == 0
    for least in (5, 20):
        wire.configure(latency=0.03)
        enough = len(scratch.answered_ids()) + least
        with scratch.start("gen_answer.py", "--redo", "m") as process:
            wait_until(lambda enough=enough: len(scratch.answered_ids()) >= enough)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=300)
        redo = json.loads(scratch.answer_file().with_name("m.manifest.json").read_text())["runs"][-1]["redo"]
        assert sorted(redo["done"]) == sorted({row["question_id"] for row in rows(scratch.answer_file())[60:]})


@pytest.mark.slow
def test_a_redo_of_judgments_keeps_the_game_it_was_killed_after(six: Scratch, wire: Server) -> None:
    assert six.run("gen_judgment.py").returncode == 0
    wire.reset()
    wire.script([None, None, None, "hang"])
    with six.start("gen_judgment.py", "--redo", "m") as process:
        wait_until(lambda: wire.stats()["requests"] == 4)
        process.kill()
        process.communicate()
    assert six.run("gen_judgment.py", "--redo", "m").returncode == 0
    assert wire.stats()["requests"] == 12 + 1  # what was in flight
    assert len(rows(six.judgment_file())) == 6
    assert not six.judgment_file().with_suffix(".unfinished").exists()


@pytest.mark.slow
def test_a_redo_that_a_limit_stops_goes_on(six: Scratch, wire: Server) -> None:
    wire.reset()
    stopped = six.run("gen_answer.py", "--redo", "m", "--max-cost", "0.06")
    assert stopped.returncode == 1 and 0 < wire.stats()["requests"] < 6
    assert six.run("gen_answer.py", "--redo", "m").returncode == 0
    assert sorted(asked(wire)) == [f"Question {number}?" for number in range(1, 7)]


def test_a_redo_is_open_for_what_it_was_to_make_beside() -> None:
    """While that is left, nothing that it made is made once more; what failed is left to any run."""
    first = begun(None, {"a"}, "one", {"b", "c"})
    stopped = first.with_more("ab")
    assert stopped.is_open and left_of(stopped, "ab", {"c"}) == set()
    assert begun(stopped, set(), "two", {"c"}) == stopped
    assert left_of(stopped, "ab") == {"a", "b"} and not first.with_more("ab", "c").is_open
    ended = first.with_more("ab", "c")
    assert left_of(ended, "ab", {"c"}) == {"a", "b"} and begun(ended, {"a", "b"}, "two", {"c"}).name == "two"
    assert first.with_more("a", "c").with_more("c").failed == []


@pytest.mark.slow
@pytest.mark.parametrize("written", [0, 1])
def test_a_redo_takes_no_reply_that_a_run_before_it_has_kept_but_its_own(
    six: Scratch, wire: Server, written: int
) -> None:
    """Also of a record that no run has finished: all games are asked for anew, and by one redo once."""
    flags = ("gen_judgment.py", "--limit", str(written + 1))
    wire.script([*[None] * (2 * written + 1), "content_filter_400"])
    assert six.run(*flags).returncode == 1
    wire.reset()
    wire.script([None, "hang"])
    with six.start(*flags, "--redo", "m") as process:
        wait_until(lambda: wire.stats()["requests"] == 2)
        process.kill()
        process.communicate()
    kept = rows(six.judgment_file().with_suffix(".unfinished"))
    assert ["redo" in row for row in kept] == [False, True]
    assert six.run(*flags, "--redo", "m").returncode == 0
    first, broken_off, *others = asked(wire)
    assert sorted({first, *others}) == sorted([first, *others]) and broken_off in others
    assert len(others) == 2 * written + 1
    assert len(rows(six.judgment_file())) == written + 1
    assert not six.judgment_file().with_suffix(".unfinished").exists()


@pytest.mark.slow
def test_what_a_stopped_redo_has_not_come_to_stays_for_a_run_without_it(six: Scratch, wire: Server) -> None:
    wire.script([None, "content_filter_400"])
    assert six.run("gen_judgment.py", "--limit", "1").returncode == 1
    assert six.run("gen_judgment.py", "--limit", "1", "--redo", "m", "--max-cost", "0").returncode == 1
    wire.reset()
    assert six.run("gen_judgment.py", "--limit", "1").returncode == 0
    assert wire.stats()["requests"] == 1


@pytest.mark.slow
def test_a_redo_by_batch_does_not_take_the_batches_of_a_run_before_it(six: Scratch, wire: Server) -> None:
    folder = six.bench / "batch" / "answers by m"
    write_rows(folder / "batch.jsonl", [{"step": "prepared", "marker": "one", "keys": ["k"]}])
    write_rows(folder / "one.jsonl", [{"key": "k", "model": "m"}])
    wire.reset()
    done = six.run("gen_answer.py", "--batch", "--redo", "m")
    assert done.returncode == 2 and wire.stats()["requests"] == 0
    assert "answers by m has open batches of an earlier run. Take their replies in by the same" in done.stderr
