"""The forms of a page."""

from __future__ import annotations

from arena_hard.showing import flags, formats


def test_every_form_that_can_be_asked_for_can_be_made() -> None:
    assert tuple(formats.FORMATS) == flags.FORMATS
    assert set(flags.DOCUMENTS) < set(flags.FORMATS)
