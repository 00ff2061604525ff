"""A judge whose context is short, as a user meets it; and the README's entries for judges of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import utils
from arena_hard.data.settings import ModelSettings
from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, answer, rows, write_rows

WINDOW = 1500


@pytest.fixture
def long_answers(answered: Scratch, wire: Server) -> Scratch:
    """Answers to the first question that have no room in the judge's window, which its server tells."""
    for name in ("m", "base"):
        write_rows(answered.answer_file(name), [answer(1, name, f"{name} says word " * 400), answer(2, name)])
    answered.judging["max_tokens"] = 100
    wire.configure(context_window=WINDOW, context_told="models", served_models=("judge",))
    return answered


@pytest.mark.slow
def test_what_does_not_fit_is_said_before_refused_together_and_shortened_where_the_config_says_so(
    long_answers: Scratch, wire: Server
) -> None:
    fit = "judge: the prompts of about 1 of 2 judgments do not fit into its context of 1,500 tokens (max_model_len of"
    dry = long_answers.run("gen_judgment.py", "--dry-run", "--limit", "2")
    assert f"note: {fit}" in dry.stdout
    assert wire.stats()["requests"] == 0

    done = long_answers.run("gen_judgment.py", "--limit", "2")
    assert done.returncode == 1
    assert done.stderr.count(f"note: {fit}") == 1
    assert "do not fit into the maximum context length of 1500 tokens" in done.stdout

    long_answers.judging["truncate"] = "answers"
    again = long_answers.run("gen_judgment.py", "--limit", "2", "--keep-mixed")
    assert again.returncode == 0, again.stdout
    assert "1 judgment was made of shortened answers" in again.stdout
    first, second = rows(long_answers.judgment_file())
    assert [game["truncated"] == first["games"][0]["truncated"] for game in first["games"]] == [True, True]
    assert all("truncated" not in game for game in second["games"])
    assert "characters left out" in first["games"][0]["user_prompt"]
    shown = long_answers.run("show_result.py").stdout
    assert "shortened to fit the judge's context (truncate: answers), 2 of 4: m 2." in shown


def section() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("## Judging without paying\n")[2].partition("\n## ")[0]


def test_the_readmes_judges_of_ones_own_can_be_loaded(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", section(), re.DOTALL)
    file = tmp_path / "api_config.yaml"
    file.write_text(block, encoding="utf-8")
    names = re.findall(r"^(\S+):", block, re.MULTILINE)
    models = {model.name: model for model in utils.load_models(file, names)}
    assert list(models) == ["qwen3-32b", "llama-3.3-70b", "gpt-oss-20b", "qwen3-ollama"]
    for model in models.values():
        assert (model.serve is not None and "{port}" in model.serve) or is_ollama(model)
        assert model.max_tokens and model.parallel != 1


def is_ollama(model: ModelSettings) -> bool:
    (endpoint,) = model.endpoints or []
    return endpoint.api_base == "http://localhost:11434/v1" and model.context_length == 16384
