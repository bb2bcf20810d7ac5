"""The rules and the health model that the product brings along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from django.db import transaction
from django.db.models import Max

from signals import rules
from signals.models import HealthModel, HealthModelVersion
from signals.models.definitions import VersionState

if TYPE_CHECKING:
    from datetime import datetime

FOLDER = Path(__file__).parent / "defaults"


@transaction.atomic
def load(now: datetime) -> int:
    """Publish what is shipped; what somebody edited stays.  A second call changes nothing.  Return how many changed."""
    changed = 0
    for position, shipped in enumerate(read("rules.yaml")):
        changed += rules.ship(
            shipped["key"], family=shipped["family"], group=shipped["group"], position=position, body=shipped["body"], now=now
        )
    return changed + _ship_health_model(read("health.yaml"), now=now)


def _ship_health_model(shipped: dict[str, Any], *, now: datetime) -> int:
    model, _is_new = HealthModel.objects.select_for_update().get_or_create(
        key=shipped["key"], defaults={"is_default": not HealthModel.objects.filter(is_default=True).exists()}
    )
    current = model.versions.filter(state=VersionState.PUBLISHED).first()
    if current is not None and (current.published_by_id is not None or current.body == shipped["body"]):
        return 0
    if current is None and model.versions.exists():
        return 0
    model.versions.filter(state=VersionState.PUBLISHED).update(state=VersionState.RETIRED)
    number = (model.versions.aggregate(Max("number"))["number__max"] or 0) + 1
    HealthModelVersion.objects.create(
        model=model, number=number, state=VersionState.PUBLISHED, body=shipped["body"],
        reason=rules.SHIPPED if current is None else rules.SHIPPED_NEWER, edited_at=now, published_at=now,
    )  # fmt: skip
    return 1


def read(name: str) -> Any:
    """Return what a shipped file says."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
