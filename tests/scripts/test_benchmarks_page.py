"""benchmarks/all.py: a page of sections, each with the command, what it printed, and the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import all as every

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_section_holds_the_command_its_output_and_how_it_ended(tmp_path: Path) -> None:
    shown = every.Part("limits", "Servers with limits", "Says.", ("--help",), script="prefix_cache")
    text, worked = every.measured(shown, tmp_path)
    assert worked and text.startswith(
        "## Servers with limits\n\nSays.\n\n```\n$ python benchmarks/prefix_cache.py --help\n"
    )
    assert "Which order of requests" in text and f"commit {every.commit()}" in text
    wrong = every.Part("limits", "Servers with limits", "Says.", ("--nonsense",), script="prefix_cache")
    text, worked = every.measured(wrong, tmp_path)
    assert not worked and "It ended with exit code 2." in text


def test_a_page_is_read_as_it_was_written_and_other_sections_stay(tmp_path: Path) -> None:
    sections = {
        name: f"## {title}\n\n```\n{name} 1.00\n```\n"
        for name, title in (("calls", "Calls"), ("style", "Style control"))
    }
    file = tmp_path / "page.md"
    file.write_text(every.page(sections, None))
    again = every.sections_of(file)
    assert list(again) == ["calls", "style"] and "style 1.00" in again["style"]
    assert "left out" in file.read_text()
    again["style"] = "## Style control\n\nnew\n"
    text = every.page(again, Path("python"))
    assert "calls 1.00" in text and "new" in text and "style 1.00" not in text and "left out" not in text


def test_every_part_runs_a_script_that_is_there() -> None:
    for part in every.parts(Path("f"), Path("python"), full=True):
        assert (ROOT / part.command()[1]).is_file(), part.name
