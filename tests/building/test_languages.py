"""Languages of prompts: as the log says, else detected."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from arena_hard.building.languages import code_of, detected, in_languages, name_of
from benchmarks.build_bench import OTHERS

PLANTED = {code_of(name): text.format("Photosynthese", "Algebra", "Musik") for name, text in OTHERS.items()} | {
    "en": "Explain why the second law of thermodynamics does not forbid the growth of plants.",
    "ko": "양자 컴퓨터가 고전 컴퓨터보다 빠른 이유를 예를 들어 설명해 주세요.",
    "it": "Spiegami passo per passo come funziona un motore a combustione interna.",
    "ar": "اشرح لي كيف تعمل الشبكات العصبية مع مثال بسيط من الحياة اليومية.",
}


@pytest.mark.parametrize("code", PLANTED)
def test_planted_languages_are_detected(code: str) -> None:
    assert detected(PLANTED[code]) == code
    assert detected(PLANTED[code].replace(" ", "\r\n")) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Kubernetes ingress nginx 502 bad gateway", "en"),
        ("Estimate ARIMA(1,1,1) in R, forecast h=12", "en"),
        ("nginx reverse proxy config", "en"),
        ("Crea un script Python", "fr"),  # a guess, but of no English text
        ("Installare Docker su Ubuntu", "it"),
        ("Docker Volumes Rechte", "de"),
    ],
)
def test_names_of_software_alone_are_no_guess_at_another_language(text: str, code: str) -> None:
    assert detected(text) == code


def test_the_official_questions_are_english(shared_data: Path) -> None:
    lines = (shared_data / "arena-hard-v0.1" / "question.jsonl").read_text(encoding="utf-8").splitlines()
    languages = [detected(json.loads(line)["turns"][0]["content"]) for line in lines]
    assert languages.count("en") == 500


@pytest.mark.parametrize(
    "name, code",
    [("English", "en"), ("en", "en"), ("EN", "en"), ("en-US", "en"), ("zh_CN", "zh"), ("Chinese", "zh"),
     ("Traditional Chinese", "zh"), ("Farsi", "fa"), ("unknown", "unknown"), ("", "unknown"), ("xx", "unknown")],
)  # fmt: skip
def test_logs_call_languages_by_name_or_code(name: str, code: str) -> None:
    assert code_of(name) == code


def test_every_name_leads_to_its_code() -> None:
    for code in ("en", "de", "nn", "arz", "zh"):
        assert code_of(name_of(code)) == code
    assert name_of("xx") == "xx"


def rows(*pairs: tuple[str, str]) -> pa.Table:
    columns = {
        "id": [str(number) for number in range(len(pairs))],
        "turns": [[text] for text, _ in pairs],
        "language": [given for _, given in pairs],
    }
    return pa.table(columns)


def test_what_the_log_says_counts_and_what_it_does_not_say_is_detected() -> None:
    german, english = PLANTED["de"], PLANTED["en"]
    table = rows((english, "English"), (german, ""), (german, "English"), (english, "unknown"), (english, "German"))
    count, left, dropped = in_languages(["en"], table)
    assert count == 5
    assert left.column("id").to_pylist() == ["0", "2", "3"]
    assert left.column("language").to_pylist() == ["en", "en", "en"]
    assert dropped == {"de": [("1", german), ("4", english)]}


def test_all_languages_may_stay() -> None:
    count, left, dropped = in_languages(None, rows(*((text, "") for text in PLANTED.values())))
    assert (count, left.column("language").to_pylist(), dropped) == (len(PLANTED), list(PLANTED), {})
