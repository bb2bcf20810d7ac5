"""The rules and the health model that the product brings along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from django.db import transaction

from signals import health, rules

if TYPE_CHECKING:
    from datetime import datetime

FOLDER = Path(__file__).parent / "defaults"


@transaction.atomic
def load(now: datetime) -> int:
    """Publish what is shipped; what somebody edited stays.  A second call changes nothing.  Return how many changed."""
    shipped_model = read("health.yaml")
    changed = int(health.ship(shipped_model["key"], body=shipped_model["body"], now=now))
    for position, shipped in enumerate(read("rules.yaml")):
        changed += rules.ship(
            shipped["key"], family=shipped["family"], group=shipped["group"], position=position, body=shipped["body"], now=now
        )
    return changed


def read(name: str) -> Any:
    """Return what a shipped file says."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
