"""The labelling of build_bench.py as a user runs it: nothing is paid twice, and no failure becomes a label."""

from __future__ import annotations

import json
import random
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from arena_hard.building.criteria import load_criteria
from arena_hard.building.label_prompt import Instrument
from arena_hard.calling.providers.base import Reply
from arena_hard.calling.providers.recorded import recording_row
from arena_hard.data.settings import ModelSettings
from tests.loopback import Server
from tests.loopback.constraint import FORMS, form_of
from tests.support.batch_server import batch_server
from tests.support.easy_prompts import easy_prompts
from tests.support.label_bench import CRITERIA, LabelBench, Planted, planted
from tests.support.pipeline_bench import ROOT, sent, write_rows
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow

GOOD, POOR, NEAR = [7, 6, 6, 5, 5], [6, 2, 1, 1], [5, 5, 5, 6]


@pytest.fixture
def bench(tmp_path: Path, wire: Server) -> LabelBench:
    """Prompts of three topics, and some without one; the annotator says what they say."""
    wire.configure(reply="echo", auto_verdict=False)
    return LabelBench(tmp_path, wire.openai_base, planted({4: GOOD, 7: POOR, 9: NEAR, -1: [7, 7]}))


def with_topic(bench: LabelBench) -> list[Planted]:
    return [each for each in bench.prompts if each.topic >= 0]


def prompt_of(body: dict[str, Any]) -> str:
    """The prompt that a request is about."""
    text = next(message["content"] for message in body["messages"] if message["role"] == "user")
    return text.split("\n")[1]


def said(text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"model": "judge", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


def test_labels_and_topics_are_joined_by_id_whatever_the_order(bench: LabelBench, wire: Server) -> None:
    """The original pairs by place, so that a question gets another one's topic, and none is checked."""
    planned = bench.run("--plan")
    assert "0 labels exist, 13 to make" in planned.stdout and "labels by" in planned.stdout, planned.stderr
    assert wire.stats()["requests"] == 0
    done = bench.run()
    assert (done.returncode, done.stderr) == (0, "")
    labels, left = bench.table("label1"), bench.table("filter1")
    assert [labels[each.id]["topic"] for each in bench.prompts] == [each.topic for each in bench.prompts]
    assert all(labels[each.id]["criteria"] == each.label for each in with_topic(bench))
    assert all(labels[each.id]["criteria"] is None for each in bench.prompts if each.topic < 0)
    assert set(left) == {each.id for each in bench.prompts if each.topic in (4, 9) and len(each.met) >= 6}
    assert {row["topic_mean"] for row in left.values()} == {5.8, 5.25}
    counts = bench.manifest("filter1")["counts"]
    assert counts["dropped"] == {"prompt score below 6": 5, "topic mean below 5": 4, "without a topic": 2}
    again = bench.run()
    assert "label1       up to date" in again.stdout
    assert wire.stats()["requests"] == 13


def test_a_run_that_is_killed_goes_on_and_pays_for_nothing_twice(tmp_path: Path, wire: Server) -> None:
    wire.configure(reply="echo", auto_verdict=False, latency=0.02, faults={"429": 0.1, "500": 0.1}, retry_after=0.02)
    bench = LabelBench(tmp_path, wire.openai_base, planted(dict.fromkeys(range(8), GOOD)))
    with bench.start() as process:
        wait_until(lambda: len(bench.records) > 10)
        process.kill()
    there = [record["reply"].split("\n")[1] for record in bench.records]
    assert 10 < len(there) < len(bench.prompts)
    before = len(wire.requests(2000))
    done = bench.run("--until", "label1")
    assert done.returncode == 0, done.stdout
    assert not set(there) & {prompt_of(request["body"]) for request in wire.requests(2000)[before:]}
    assert wire.stats()["answered_again"] <= 8  # what was on its way, or waited for the disk, when the run was killed
    labels = bench.table("label1")
    assert all(labels[each.id]["criteria"] == each.label for each in bench.prompts)
    assert len(bench.records) == len(bench.prompts)
    assert not list((bench.building / "labels").glob("*.unfinished"))


def test_nothing_is_spent_beyond_the_limit_and_a_higher_one_goes_on(bench: LabelBench, wire: Server) -> None:
    bench.labels["passes"] = [{"model": "judge", "max_tokens": 60}]
    stopped = bench.run("--max-cost", "0.008")
    assert stopped.returncode == 1
    assert "stopped before exceeding it" in stopped.stdout
    some = len(bench.records)
    assert 0 < some < 13
    assert (
        not (bench.building / "label1.manifest.json").exists()
        and not (bench.building / "filter1.manifest.json").exists()
    )
    assert bench.run("--max-cost", "1").returncode == 0
    assert wire.stats()["requests"] == 13 and bench.manifest("filter1")["counts"]["out"] == 4


def test_the_upper_end_of_a_quote_is_a_bound(bench: LabelBench) -> None:
    quoted = bench.run("--quote").stdout
    most = float(re.findall(r"\$([\d.]+)", quoted.split("judge by 7")[1].split("prices:")[0])[-1])
    spent = float(re.findall(r"total: \$([\d.]+)", bench.run().stdout)[0])
    assert 0 < spent < most


def test_what_fails_is_listed_and_is_no_label(bench: LabelBench, wire: Server) -> None:
    """The original keeps a failed call for ever as a prompt that meets nothing, and lowers its topic's mean by it."""
    bench.add_model("judge", wire.openai_base, attempts=1)
    wire.script(["400"] * 2)
    failed = bench.run()
    assert failed.returncode == 1
    assert "11 labels written, 2 failed." in failed.stdout and "2 × " in failed.stdout
    assert len(bench.records) == 11 and not (bench.building / "label1.manifest.json").exists()
    assert bench.run().returncode == 0
    assert [bench.table("label1")[each.id]["criteria"] for each in with_topic(bench)] == [
        each.label for each in with_topic(bench)
    ]


def test_a_prompt_that_is_always_refused_does_not_hold_up_the_bench(tmp_path: Path) -> None:
    prompts = planted({1: [7, 6, 6]})

    def say(body: dict[str, Any]) -> Any:
        return said("" if prompt_of(body) == prompts[0].text else "Criteria met: [1, 2, 3, 4, 5, 6]")

    with batch_server(say) as server:
        bench = LabelBench(tmp_path, f"{server.address}/v1", prompts)
        first = bench.run()
        assert first.returncode == 1 and "1 × refused: " in first.stdout
        assert "label1       not finished after " in first.stdout
        assert "A prompt that is refused in 2 runs is left without a label" in first.stdout
        asked = len(server.live)
        second = bench.run()
        assert second.returncode == 0, second.stdout
        assert "1 label could not be read (null, no score):" in second.stdout and "1 × refused: " in second.stdout
        assert 0 < len(server.live) - asked <= 2
        assert bench.table("label1")[prompts[0].id]["criteria"] is None
        assert bench.manifest("filter1")["counts"]["dropped"] == {"without a label": 1}
        asked = len(server.live)
        assert bench.run().returncode == 0 and len(server.live) == asked


UNREADABLE = ["I cannot help.", "Criteria met: [1, 2, 9]", "[1] or [2]", "$ERROR$", "Criteria met: [1, 2"]


def test_what_cannot_be_read_is_null_counted_and_asked_again(tmp_path: Path) -> None:
    prompts = planted({1: [6, 6, 6, 6, 6], 2: [7]})
    bad = dict(zip((each.text for each in prompts if each.topic == 1), UNREADABLE))

    def say(body: dict[str, Any]) -> Any:
        text = prompt_of(body)
        return said(bad.get(text) or f"Criteria met: {list(range(1, 8))}")

    with batch_server(say) as server:
        bench = LabelBench(tmp_path, f"{server.address}/v1", prompts)
        bench.labels["passes"] = [{"model": "judge", "constrained": False}]
        done = bench.run()
        assert done.returncode == 0, done.stderr
        assert "5 labels could not be read (null, no score):" in done.stdout
        assert "5 prompts without a label in 1 topic" in done.stdout
        assert bench.manifest("filter1")["counts"]["dropped"] == {"without a label": 5}
        by_topic = {row["topic"]: row for row in json.loads((bench.building / "filter1.topics.json").read_text())}
        assert (by_topic[1]["mean"], by_topic[1]["unlabelled"]) == (None, 5)
        nulls = [record for record in bench.records if record["criteria"] is None]
        assert len(nulls) == 5 and all(record["unreadable"] for record in nulls)
        bad.popitem()
        again = bench.run()
        assert "5 labels written" in again.stdout and len(server.live) == 11
        assert bench.manifest("filter1")["counts"]["out"] == 2
        final = bench.run()  # two attempts were made at each
        assert "labels written" not in final.stdout and len(server.live) == 11
        assert "label1       up to date" in bench.run().stdout
        bench.labels["attempts"] = 3
        assert bench.run().returncode == 0 and len(server.live) == 15


@pytest.mark.parametrize("taken", [*list(FORMS)[:4], None])
def test_decisions_are_asked_for_alone_where_the_text_holds_none(tmp_path: Path, taken: str | None) -> None:
    """In a form that the server enforces, and in words at last; the annotator's text before it is paid for once."""
    prompts = planted({1: [7, 6, 5]})
    decided = dict.fromkeys(list(CRITERIA), "yes") | {"creativity": "no"}

    def say(body: dict[str, Any]) -> Any:
        if len(body["messages"]) == 2:
            assert form_of(body) is None  # the reasons come first, unhindered
            return said("It is a good one, I would say.")
        if form_of(body) not in (taken, None):
            return said("No such form here.")
        return said(json.dumps(decided))

    with batch_server(say) as server:
        bench = LabelBench(tmp_path, f"{server.address}/v1", prompts)
        done = bench.run("--until", "label1")
    assert done.returncode == 0, done.stderr
    assert {tuple(record["criteria"]) for record in bench.records} == {(True,) * 4 + (False, True, True)}
    way = "constrained" if taken else "words"
    assert {record["labelled_by"] for record in bench.records} == {way}
    assert f"3 with a constraint ({taken})" in done.stdout if taken else "3 asked for in words" in done.stdout
    assert len([body for body in server.live if len(body["messages"]) == 2]) == 3


def test_decisions_alone_are_asked_for_at_once_by_the_short_criteria(bench: LabelBench, wire: Server) -> None:
    wire.configure(constraints=["json_schema"], reply="text")
    bench.labels["criteria"] = str(ROOT / "config/criteria/arena-hard-short.yaml")
    done = bench.run("--until", "label1")
    assert done.returncode == 0, done.stderr
    assert "13 with a constraint (json_schema)" in done.stdout
    assert [form_of(body) for body in sent(wire)] == ["json_schema"] * 13


def test_claude_is_made_to_call_a_tool(bench: LabelBench, wire: Server) -> None:
    wire.configure(constraints=["tool"], reply="text")
    bench.add_model("judge", wire.anthropic_base, api_type="anthropic")
    bench.labels["criteria"] = str(ROOT / "config/criteria/arena-hard-short.yaml")
    assert bench.run("--until", "label1").returncode == 0
    assert {record["labelled_by"] for record in bench.records} == {"constrained"}


def test_a_cut_reply_is_no_label_and_its_decisions_are_asked_for(bench: LabelBench, wire: Server) -> None:
    """With 32 tokens, as the original has, the list never comes; a list in half a reply is none."""
    bench.labels["passes"] = [{"model": "judge", "max_tokens": 16, "constrained": False}]
    assert bench.run("--until", "label1").returncode == 0
    assert {record["unreadable"] for record in bench.records} == {"the reply was cut at max_tokens"}
    bench.labels["passes"] = [{"model": "judge", "max_tokens": 16}]
    wire.configure(constraints=["json_schema"])
    assert bench.run("--until", "label1").returncode == 0
    last = [record for record in bench.records if record["criteria"] is not None]
    assert len(last) == 13 and {record["labelled_by"] for record in last} == {"constrained"}


def test_labels_of_another_instrument_never_mix(bench: LabelBench, wire: Server, tmp_path: Path) -> None:
    criteria = (ROOT / "config/criteria/arena-hard.yaml").read_text()
    own = tmp_path / "criteria.yaml"
    own.write_text(criteria)
    bench.labels["criteria"] = "criteria.yaml"
    assert bench.run().returncode == 0
    own.write_text(criteria.replace("The prompt wants one", "The prompt really wants one"))
    planned = bench.run("--plan").stdout
    assert "0 labels exist, 13 to make" in planned and "labels by 1 other instrument are kept" in planned
    assert bench.run().returncode == 0
    assert wire.stats()["requests"] == 26
    assert len(bench.label_files) == 2 and len({record["instrument"] for record in bench.records}) == 2
    bench.label_files[0].write_bytes(b"".join(file.read_bytes() for file in bench.label_files))  # put together by hand
    own.write_text(criteria)
    assert bench.run().returncode == 0
    assert wire.stats()["requests"] == 26
    bench.labels["passes"] = [{"model": "judge", "temperature": 0.7}]
    assert "13 to make" in bench.run("--plan").stdout


def test_a_cheap_pass_goes_before_a_strong_one(bench: LabelBench, wire: Server) -> None:
    """As the README of the original has it: 5 and 3 first, then the rule's."""
    bench.add_model("cheap", wire.openai_base)
    short = str(ROOT / "config/criteria/arena-hard-short.yaml")
    bench.labels["passes"] = [{"model": "cheap", "criteria": short, "constrained": False}, {"model": "judge"}]
    planned = bench.run("--plan").stdout
    assert "cheap by 7 criteria of arena-hard-short" in planned
    assert "at most, if all 15 prompts that are known today come so far:" in planned
    assert bench.run().returncode == 0
    first = {each.id for each in bench.prompts if each.topic in (4, 9) and len(each.met) >= 5}
    assert set(bench.table("filter1")) == first == set(bench.table("label2"))
    assert set(bench.table("filter2")) == {each.id for each in bench.prompts if each.id in first and len(each.met) > 5}
    assert wire.stats()["requests"] == 13 + 9
    means = {row["topic"]: row["mean"] for row in json.loads((bench.building / "filter2.topics.json").read_text())}
    assert means == {4: 5.8, 7: 2.5, 9: 5.25}  # of all prompts, also of those that the first pass has dropped
    bench.settings["rule"] = "readme"  # 6 for the topic's mean, over what the first pass has left
    assert bench.run().returncode == 2  # nothing is left, and it says so
    assert wire.stats()["requests"] == 13 + 9


def test_decimal_thresholds_hold(bench: LabelBench) -> None:
    for topic, left in ((5.25, {4, 9}), (5.3, {4}), (5.8, {4})):
        bench.labels["passes"] = [{"model": "judge", "topic_threshold": topic}]
        assert bench.run().returncode == 0
        assert {row["topic"] for row in bench.table("filter1").values()} == left


def test_by_batch_the_labels_come_too(tmp_path: Path) -> None:
    prompts = planted({1: GOOD})
    by_text = {each.text: each for each in prompts}

    def say(body: dict[str, Any]) -> Any:
        if form_of(body):
            label = by_text[prompt_of(body)].label
            return said(json.dumps(dict(zip(list(CRITERIA), ["yes" if met else "no" for met in label]))))
        return said("Hm.")

    with batch_server(say) as server:
        bench = LabelBench(tmp_path, f"{server.address}/v1", prompts)
        done = bench.run("--batch", "--until", "label1")
    assert done.returncode == 0, done.stderr
    assert [bench.table("label1")[each.id]["criteria"] for each in prompts] == [each.label for each in prompts]
    assert (len(server.batched), [bool(form_of(body)) for body in server.live]) == (9, [True])  # it has tried the form


def test_recorded_labels_need_no_key_and_no_network(bench: LabelBench, wire: Server) -> None:
    bench.add_model("judge", wire.openai_base, record="recorded.jsonl")
    assert bench.run().returncode == 0
    bench.models["judge"] = {
        "model_name": "judge",
        "api_type": "recorded",
        "endpoints": [{"api_base": "recorded.jsonl"}],
    }
    before = bench.table("filter1")
    for file in bench.label_files:
        file.unlink()
    again = bench.run("--from", "label1")
    assert again.returncode == 0, again.stderr
    assert "13 labels written" in again.stdout and bench.table("filter1") == before
    assert wire.stats()["requests"] == 13


@pytest.mark.parametrize("encoded", [0, 1, 2])
def test_labels_that_are_given_cost_nothing(bench: LabelBench, wire: Server, encoded: int) -> None:
    def tag(each: Planted) -> str:
        value: Any = {"criteria_v0.1": dict(zip(list(CRITERIA), each.label)), "if_v0.1": {"if": True}}
        value["criteria_v0.1"] = json.dumps(value["criteria_v0.1"]) if encoded == 2 else value["criteria_v0.1"]
        return json.dumps(json.dumps(value)) if encoded else json.dumps(value)

    own = [Planted(each.met, each.topic, each.text, tag(each)) for each in bench.prompts]
    bench.put_prompts([Planted(own[0].met, own[0].topic, own[0].text), *own[1:]])  # one has none
    bench.labels["passes"] = [{"model": "given"}]
    assert "nothing is sent" in bench.run("--plan").stdout
    done = bench.run()
    assert done.returncode == 0, done.stderr
    labels = bench.table("label1")
    assert [labels[each.id]["criteria"] for each in own[1:] if each.topic >= 0] == [
        each.label for each in own[1:] if each.topic >= 0
    ]
    assert labels[own[0].id]["criteria"] is None
    assert wire.stats()["requests"] == 0


def test_a_second_annotator_is_asked_about_a_share(tmp_path: Path, wire: Server) -> None:
    wire.configure(reply="echo", auto_verdict=False)
    rng = random.Random(1)
    prompts = planted({topic: [rng.randint(4, 7) for _ in range(20)] for topic in range(5)})
    flipped = {each.text for each in prompts[::5]}
    by_text = {each.text: each for each in prompts}

    def say(body: dict[str, Any]) -> Any:  # it disagrees on the first criterion of some
        each = by_text[prompt_of(body)]
        met = set(each.met) ^ ({1} if each.text in flipped else set[int]())
        return said(f"Criteria met: {sorted(met)}")

    with batch_server(say) as server:
        bench = LabelBench(tmp_path, wire.openai_base, prompts)
        bench.add_model("other", f"{server.address}/v1")
        bench.labels |= {"second_opinion": "other", "second_opinion_share": 0.5}
        planned = bench.run("--plan").stdout
        done = bench.run()
        assert done.returncode == 0, done.stderr
        asked = {prompt_of(body) for body in server.live}
        assert "at most, if all 100 prompts that are known today get a label:" in planned  # each has got one
        assert re.search(rf"\nother by .* 0 labels exist, {len(asked)} to make", planned.replace("\n  ", "\n")), planned
        bench.settings["seed"] = 7
        assert bench.run().returncode == 0
    assert 30 <= len(asked) <= 70 and {prompt_of(body) for body in server.live} > asked
    found = json.loads((bench.building / "opinion.agreement.json").read_text())
    first, *others = found["criteria"]
    assert first["kappa"] < 0.9 and first["lower"] < first["kappa"] < first["upper"]
    assert {other["kappa"] for other in others} == {1.0} and {other["same"] for other in others} == {1.0}
    assert "second opinion of other on" in done.stdout and "κ" in done.stdout
    assert wire.stats()["requests"] == 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criteria": "none.yaml"}, "none.yaml"),
        ({"passes": [{"model": "nobody"}]}, "has no endpoint for nobody"),
        ({"passes": [{"model": "judge", "prompt_treshold": 6}]}, "Did you mean 'prompt_threshold'?"),
        ({"passes": [{"model": "judge", "prompt_threshold": 8}]}, "prompt_threshold is 8 in pass 1, and there are 7"),
        ({"passes": [{"model": "given"}]}, "none of these conversations carries category_tag.criteria_v0.1"),
        ({"second_opinion": "judge"}, "which labels itself"),
        ({"second_opinion": "judge", "passes": []}, "no pass whose labels it could be compared with"),
        (
            {"passes": [{"model": "judge", "topic_threshold": 3}, {"model": "judge"}]},
            "passes 1 and 2 have the same model, criteria and settings",
        ),
        ({"passes": [{"model": "given"}, {"model": "given"}]}, "would repeat the labels of the first"),
        (
            {"criteria": str(ROOT / "config/criteria/agent-tasks.yaml")},
            "prompt_threshold is 6 in pass 1, and there are 5",
        ),
    ],
)
def test_a_mistake_gets_its_line_before_anything_is_sent(
    bench: LabelBench, wire: Server, change: dict[str, Any], message: str
) -> None:
    bench.labels |= change
    done = bench.run()
    assert (done.returncode, wire.stats()["requests"]) == (2, 0)
    assert message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"criteria": "all"', "not a readable record"),
        ('"criteria": [true]', "criteria holds 1 values, and there are 7 criteria"),
        ('"criteria": [1, 2]', "not a readable record"),
    ],
)
def test_a_label_that_is_no_list_gets_its_line(bench: LabelBench, line: str, message: str) -> None:
    assert bench.run().returncode == 0
    (file,) = bench.label_files
    lines = file.read_text().splitlines()
    lines[2] = re.sub(r'"criteria": ?\[[^\]]*\]', line, lines[2])
    file.write_text("\n".join(lines) + "\n")
    done = bench.run("--from", "label1")
    assert done.returncode == 2
    assert f"{file.relative_to(bench.folder)}:3: " in done.stderr and message in done.stderr, done.stderr


def test_the_papers_examples_are_labelled_as_it_says(tmp_path: Path) -> None:
    """Its appendix B in our words: a greeting, a fact, an exercise, and a task that meets all seven."""
    examples = {
        "Hello, how are you?": (),
        "Who was president of the United States in 1950?": (1, 2, 6, 7),
        "A block of 2 kg slides down a slope of 30° with friction 0.2. How fast is it after 3 m?": (1, 2, 3, 4, 6, 7),
        "Write a program that counts how many different people's faces a video shows.": (1, 2, 3, 4, 5, 6, 7),
    }

    def say(body: dict[str, Any]) -> Any:
        met = examples[prompt_of(body)]
        reasons = [
            f"{number}. **{name}**: It asks for `x[{number}]`, so it is {'met' if number in met else 'not met'}."
            for number, name in enumerate(list(CRITERIA), 1)
        ]
        return said("\n".join([*reasons, "", f"**Criteria met:** {list(met)}"]))

    prompts = [Planted(met, place, own=(text,)) for place, (text, met) in enumerate(examples.items())]
    with batch_server(say) as server:
        bench = LabelBench(tmp_path, f"{server.address}/v1", prompts)
        assert bench.run().returncode == 0
    assert [bench.table("label1")[each.id]["prompt_score"] for each in prompts] == [0, 4, 6, 7]
    assert [bench.table("label1")[each.id]["criteria"] for each in prompts] == [each.label for each in prompts]
    assert set(bench.table("filter1")) == {prompts[2].id, prompts[3].id}
    asked = server.live[0]["messages"][0]["content"]
    assert all(f"{number}. {name}: " in asked for number, name in enumerate(list(CRITERIA), 1))


def official_and_easy(folder: Path) -> list[Planted]:
    """The official prompts with their clusters as topics, and easy ones with their kinds, with recorded labels."""
    labels = dict(line.split() for line in (ROOT / "tests/building/official_labels.txt").read_text().splitlines())
    rows = [json.loads(line) for line in (folder / "arena-hard-v0.1/question.jsonl").read_text().splitlines()]
    clusters = {name: place for place, name in enumerate(dict.fromkeys(row["cluster"] for row in rows))}
    prompts = [
        Planted((), clusters[row["cluster"]], own=tuple(turn["content"] for turn in row["turns"])) for row in rows
    ]
    hard = [Planted(tuple(map(int, labels[each.id])), each.topic, own=each.own) for each in prompts]
    kinds = enumerate(easy_prompts())
    return hard + [Planted(met, 1000 + place // 10, own=(text,)) for place, (text, met) in kinds]


def passing(prompts: list[Planted], prompt: float, topic: float) -> set[str]:
    """The ids of those that pass two thresholds, by plain arithmetic."""
    means = {
        place: statistics.mean(len(each.met) for each in prompts if each.topic == place)
        for place in {each.topic for each in prompts}
    }
    return {each.id for each in prompts if len(each.met) >= prompt and means[each.topic] >= topic}


def test_the_official_prompts_are_told_from_easy_ones(tmp_path: Path, shared_data: Path) -> None:
    """By labels recorded for this test: no easy prompt passes, and of the official ones at 5 and 4 four fifths do."""
    prompts = official_and_easy(shared_data)
    official = {each.id for each in prompts[:500]}
    bench = LabelBench(tmp_path, "", prompts)
    bench.models["judge"] = {"model_name": "judge", "api_type": "recorded", "endpoints": [{"api_base": "said.jsonl"}]}
    criteria = load_criteria(ROOT / "config/criteria/arena-hard.yaml")
    asked = Instrument(ModelSettings(name="judge", model_name="judge"), criteria)
    replies = [(asked.messages(each.turns), Reply(f"Criteria met: {list(each.met)}")) for each in prompts]
    write_rows(tmp_path / "said.jsonl", [recording_row("judge", *each) for each in replies])
    for prompt, topic, recall in ((5, 4, 0.8), (6, 5, 0.5)):
        bench.labels["passes"] = [{"model": "judge", "prompt_threshold": prompt, "topic_threshold": topic}]
        done = bench.run()
        assert done.returncode == 0, done.stderr
        assert ("1000 labels written, 0 failed." in done.stdout) is (prompt == 5)  # thresholds ask for nothing anew
        left = set(bench.table("filter1"))
        assert left == passing(prompts, prompt, topic)
        assert left <= official and len(left) >= recall * len(official)
    assert all(bench.table("label1")[each.id]["criteria"] == each.label for each in prompts)
