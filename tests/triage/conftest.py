"""What the tests of triage share."""

from __future__ import annotations

import pytest
from django.utils import translation

from tests.triage import desks


@pytest.fixture
def desk(db: None) -> desks.Desk:
    """A small desk on Friday 20 November 2026."""
    return desks.make()


@pytest.fixture(autouse=True)
def in_japanese():
    """A test before may have left the thread in another language."""
    with translation.override("ja"):
        yield
