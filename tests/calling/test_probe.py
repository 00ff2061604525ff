"""`probe: true`, and what else tells that other weights stand behind a name."""

from __future__ import annotations

import pytest

from arena_hard.calling.probe import Probed
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, asked, manifest

pytestmark = pytest.mark.slow  # a server


def test_a_model_that_answers_otherwise_is_noted(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"] |= {"probe": True, "price": {"input": 1, "output": 1}}
    first = scratch.run("gen_answer.py", "--limit", "1")
    assert "probe" not in first.stderr and "m: 6 requests" in first.stdout
    same = scratch.run("gen_answer.py", "--limit", "2")
    assert "note:" not in same.stderr
    before, after = (run["probe"] for run in manifest(scratch.answer_file())["runs"])
    assert before == after and len(before["hash"]) == 16
    scratch.models["m"]["model_name"] = "m-awq"
    scratch.answers["model_list"] = ["m"]
    other = scratch.run("gen_answer.py", "--keep-mixed")
    assert "m answers the probe's questions differently than in the previous run" in other.stderr
    assert f"({after['hash']} → " in other.stderr
    assert len(set(asked(wire))) == 5 + 3
    assert "m.manifest.json" not in other.stderr and str(len(scratch.answered_ids())) == "3"


def test_a_judge_is_probed_once_for_all_models_and_waves(answered: Scratch, wire: Server) -> None:
    answered.put_answers("n")
    answered.models["judge"]["probe"] = True
    done = answered.run("gen_judgment.py", "--models", "m", "n", "--until-width", "0.1")
    assert done.returncode == 0, done.stderr
    assert wire.stats()["requests"] == 5 + 2 * 3 * 2
    for model in ("m", "n"):
        (run,) = manifest(answered.judgment_file(model))["runs"]
        assert run["probe"]["hash"]


def test_a_probe_that_fails_stops_nothing(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"] |= {"probe": True, "parallel": 1}
    wire.script(["content_filter_400"])
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0 and "the probe of m failed: " in done.stderr
    assert scratch.answered_ids() and manifest(scratch.answer_file())["runs"][0]["probe"]["failed"]


def test_notes() -> None:
    assert Probed("a").note("m", None) is None and Probed("a").note("m", "a") is None
    assert "(b → a)" in str(Probed("a").note("m", "b"))


def test_another_served_model_and_fingerprint_are_said(scratch: Scratch, wire: Server) -> None:
    wire.configure(served_suffix="-2024")
    assert "calls its" not in scratch.run("gen_answer.py", "--limit", "2").stdout
    wire.configure(served_suffix="-2025")
    done = scratch.run("gen_answer.py")
    assert "the server reports m-2025 as its model; in earlier runs it was m-2024." in done.stdout
