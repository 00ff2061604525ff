"""500 easy prompts, written for tests: what people ask that tells no models apart."""

from __future__ import annotations

from tests.support.pipeline_bench import ROOT


def easy_prompts() -> list[tuple[str, tuple[int, ...]]]:
    """Each prompt with the numbers of the criteria that it meets; ten of a kind follow each other.

    A line of the file has those numbers (0: none), the words of the kind, and what stands in the place of {}.
    """
    found: list[tuple[str, tuple[int, ...]]] = []
    for line in (ROOT / "tests/building/easy_prompts.txt").read_text(encoding="utf-8").splitlines():
        met, words, *things = line.split("|")
        found += [(words.format(thing), tuple(int(each) for each in met if each != "0")) for thing in things]
    return found
