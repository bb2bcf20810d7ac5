"""Import text that stands in the test."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from tests.imports.handing_in import NOW


@pytest.fixture(autouse=True)
def _uploads(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "uploads"


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


@pytest.fixture
def load() -> Callable[..., Any]:
    """Import a table whose cells are parted by commas; indented text is fine."""
    from accounts.imports import receiving

    def load(dataset: str, text: str, **more):
        data = textwrap.dedent(text).strip("\n").encode() + b"\n"
        return receiving.apply(receiving.receive(data, dataset=dataset, now=NOW, **more), now=NOW)

    return load
