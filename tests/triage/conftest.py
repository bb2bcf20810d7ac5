"""What the tests of triage share."""

from __future__ import annotations

import pytest

from tests.triage import desks


@pytest.fixture
def desk(db: None) -> desks.Desk:
    """A small desk on Friday 20 November 2026."""
    return desks.make()
