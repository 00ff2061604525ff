"""--quote, --max-cost and --sample of the two scripts, against the loopback server."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from arena_hard.calling.prompt_tokens import PromptCounter
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, question, rows, sent

QUESTIONS = 12
PRICE = {"input": 1.0, "output": 100.0}
DEAR = PRICE | {"output": 1000.0}


@pytest.fixture
def bench(scratch: Scratch, wire: Server) -> Scratch:
    """Twelve questions, two to a cluster, two answered models, prices, and the judge config of this project."""
    wire.configure(reply="size=400")
    scratch.set_questions([question(n) | {"cluster": f"k{(n - 1) // 2}"} for n in range(1, QUESTIONS + 1)])
    scratch.put_answers("base", "left", "right", count=QUESTIONS)
    scratch.models["m"]["price"] = scratch.models["judge"]["price"] = PRICE
    scratch.answers["max_tokens"] = 500
    scratch.judge_as_shipped()
    scratch.judging |= {"model_list": ["left", "right"], "max_tokens": 500, "number_of_judgment_attempts": 1}
    return scratch


def bill(text: str) -> float:
    """The dollars of a run."""
    return float(text.partition("  total: $")[2].split()[0])


def run(bench: Scratch, script: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return bench.run(script, *flags, COLUMNS="200")


@pytest.mark.parametrize(("script", "requests"), [("gen_answer.py", "12"), ("gen_judgment.py", "48")])
def test_a_quote_sends_nothing(bench: Scratch, wire: Server, script: str, requests: str) -> None:
    done = run(bench, script, "--quote")
    assert done.returncode == 0, done.stderr
    assert f" {requests} " in done.stdout
    assert "$" in done.stdout and wire.stats()["requests"] == 0


def quoted_input(text: str, name: str) -> tuple[float, float]:
    """The least and the most input tokens of a row of a quote."""
    found = re.search(rf"^{name} +[\d,]+ +([\d,]+)(?: to ([\d,]+))?", text, re.MULTILINE)
    assert found, text
    low, high = (float(each.replace(",", "")) for each in (found[1], found[2] or found[1]))
    return low, high


@pytest.mark.slow
def test_a_quote_of_several_turns_counts_the_replies_that_later_turns_show(bench: Scratch, wire: Server) -> None:
    bench.set_questions(
        [question(number, *(f"Turn {turn}?" for turn in range(4))) for number in range(1, QUESTIONS + 1)]
    )
    bench.answers |= {"model_list": ["m", "base"], "num_choices": 1}
    bench.models["base"]["price"] = PRICE
    unseen = quoted_input(run(bench, "gen_answer.py", "--models", "m", "--quote").stdout, "m")
    assert unseen[1] - unseen[0] == QUESTIONS * 6 * 500  # from empty replies to such of max_tokens
    assert run(bench, "gen_answer.py", "--limit", "4").returncode == 0
    seen = quoted_input(run(bench, "gen_answer.py", "--models", "m", "--quote").stdout, "m")
    wire.reset()
    wire.configure(reply="size=400")
    assert run(bench, "gen_answer.py", "--models", "m").returncode == 0
    counter = PromptCounter("m")
    asked_for = sum(counter.count(body["messages"]) for body in sent(wire))
    assert seen[0] * 0.995 <= asked_for <= seen[1] * 1.005
    assert asked_for > 2 * unseen[0] * 8 / QUESTIONS  # mostly replies
    bench.answer_file("base").unlink()
    assert run(bench, "gen_answer.py", "--models", "base").returncode == 0
    turns = [f"{{question_{number}}}" for number in range(1, 5)] + [f"{{answer_{number}}}" for number in range(1, 9)]
    bench.judging |= {"model_list": ["m"], "prompt_template": [" ".join(turns)]}
    judged = quoted_input(run(bench, "gen_judgment.py", "--quote").stdout, "m")
    wire.reset()
    assert run(bench, "gen_judgment.py").returncode == 0
    assert judged[0] == sum(counter.count(body["messages"]) for body in sent(wire))


@pytest.mark.slow
def test_the_second_quote_knows_what_the_first_run_brought(bench: Scratch) -> None:
    assert run(bench, "gen_judgment.py", "--sample", "4").returncode == 0
    done = run(bench, "gen_judgment.py", "--quote")
    assert "two standard errors around 16 cached replies" in done.stdout
    assert re.search(r"left +16 ", done.stdout)  # 8 of 12 questions are left, two games each


def test_a_run_ends_with_its_bill(bench: Scratch) -> None:
    done = run(bench, "gen_judgment.py", "--models", "left")
    found = re.search(
        r"judge judging left: 24 requests, ([\d,]+) input tokens, ([\d,]+) output tokens: \$(\S+)",
        done.stdout,
    )
    assert found, done.stdout + done.stderr
    prompt, output = (int(number.replace(",", "")) for number in found.groups()[:2])
    assert float(found[3]) == pytest.approx((prompt * 1 + output * 100) / 1e6, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("script", ["gen_answer.py", "gen_judgment.py"])
def test_the_limit_holds_and_the_next_run_goes_on(bench: Scratch, script: str) -> None:
    done = run(bench, script, "--max-cost", "0.25")
    assert done.returncode == int("stopped before" in done.stdout), done.stderr  # 1: not all is there
    assert 0 < bill(done.stdout) <= 0.25
    assert "--max-cost 0.25: stopped" in done.stdout or script == "gen_answer.py"
    more = run(bench, script, "--max-cost", "50")
    assert "stopped before" not in more.stdout and more.returncode == 0
    if script == "gen_judgment.py":
        assert len(set(bench.judged_ids("left")) & set(bench.judged_ids("right"))) == QUESTIONS


@pytest.mark.slow
def test_the_limit_holds_over_several_judges(bench: Scratch) -> None:
    bench.models["second"] = bench.models["judge"]
    bench.judging["judge_model"] = ["judge", "second"]
    done = run(bench, "gen_judgment.py", "--max-cost", "0.6")  # enough for the first judge, not for both
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "judge judging left" in done.stdout and "stopped before" in done.stdout
    assert 0 < bill(done.stdout) <= 0.6


@pytest.mark.slow
def test_a_limit_below_one_record_sends_nothing(bench: Scratch, wire: Server) -> None:
    done = run(bench, "gen_judgment.py", "--max-cost", "0.01")
    assert "24 records were not asked for" in done.stdout and wire.stats()["requests"] == 0


@pytest.mark.slow
def test_a_sample_is_bought_in_slices(bench: Scratch) -> None:
    run(bench, "gen_judgment.py", "--sample", "4")
    first = set(bench.judged_ids("left"))
    run(bench, "gen_judgment.py", "--sample", "8")
    second = set(bench.judged_ids("left"))
    assert len(first) == 4 and len(second) == 8 and first < second


@pytest.mark.slow
def test_waves_stop_when_the_scores_are_narrow_enough_and_go_on_later(bench: Scratch) -> None:
    flags = ("--models", "left", "--until-width")
    done = run(bench, "gen_judgment.py", *flags, "200")
    assert "judged 12 of 12 questions: the widest interval is that of left" in done.stdout, done.stderr
    assert set(bench.judged_ids("left")) and not set(bench.judged_ids("right"))


@pytest.mark.slow
def test_waves_name_a_model_that_is_not_judged(bench: Scratch) -> None:
    done = run(bench, "gen_judgment.py", "--until-decided", "left", "rihgt")
    assert done.returncode == 2 and "Did you mean 'right'?" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("models", [["left", "right"], ["left"]])
def test_what_models_share_is_marked_for_anthropic_when_there_are_several(
    bench: Scratch, wire: Server, models: list[str]
) -> None:
    endpoint = {"api_base": wire.anthropic_base, "api_key": "k"}
    bench.models["judge"] |= {"api_type": "anthropic", "endpoints": [endpoint]}
    assert run(bench, "gen_judgment.py", "--models", *models).returncode == 0
    contents = [body["messages"][0]["content"] for body in sent(wire)]
    assert len(contents) == 2 * QUESTIONS * len(models)
    if len(models) == 1:
        assert all(isinstance(content, str) for content in contents)
        return
    assert all("cache_control" in content[0] and len(content) == 2 for content in contents)
    first_games = [content for content in contents if "base says" in content[0]["text"]]
    assert len(first_games) == len(contents) // 2  # in game 1 the baseline's answer is in the shared block
    assert not any("left says" in content[0]["text"] for content in contents)


# ------------------------------------------------------------------- replies that held no answer


@pytest.mark.slow
def test_a_limit_counts_replies_that_held_no_answer(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(40)])
    scratch.models["m"] |= {"price": DEAR, "parallel": 2, "max_tokens": 8}
    wire.configure(reasoning="reasoning_content")
    done = scratch.run("gen_answer.py", "--max-cost", "0.05")
    assert "cut at max_tokens before an answer began" in done.stdout
    assert "stopped before exceeding it" in done.stdout
    assert 0.03 < bill(done.stdout) <= 0.05
    assert wire.stats()["requests"] < 10


@pytest.mark.slow
@pytest.mark.parametrize("many", ["system_prompt", "extra_body"])
def test_a_limit_counts_what_the_entry_adds(scratch: Scratch, wire: Server, many: str) -> None:
    scratch.set_questions([question(number) for number in range(20)])
    added: dict[str, Any] = {"extra_body": {"max_tokens": 2000}, "system_prompt": "word " * 4000}
    scratch.models["m"] |= {"price": DEAR | {"input": 100.0}, "max_tokens": 10, many: added[many]}
    wire.configure(reply="size=4000")
    done = scratch.run("gen_answer.py", "--max-cost", "2.5")
    assert 0 < bill(done.stdout) <= 2.5
    assert "stopped before exceeding it" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["nan", "-5"])
@pytest.mark.parametrize("script", ["gen_answer.py", "gen_judgment.py"])
def test_a_limit_that_is_none_is_refused(scratch: Scratch, script: str, limit: str) -> None:
    scratch.put_answers("base")
    done = scratch.run(script, "--max-cost", limit)
    assert done.returncode == 2
    assert "must be a number of dollars, 0 or more" in done.stderr


@pytest.mark.slow
def test_a_judgment_that_held_no_text_is_billed(scratch: Scratch, wire: Server) -> None:
    scratch.put_answers("m", "base")
    scratch.models["judge"]["price"] = DEAR
    wire.configure(fault="empty_content")
    done = scratch.run("gen_judgment.py", "--limit", "1")
    assert done.returncode == 1
    assert wire.stats()["requests"] == 2
    assert bill(done.stdout) > 0
    assert rows(scratch.judgment_file()) == []
