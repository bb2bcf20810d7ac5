"""The playbooks and the discount policy that the product brings along."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction
from django.db.models import Max

from playbooks import catalogue, offers
from playbooks.models import DiscountPolicy, Playbook, PlaybookVersion

_FOLDER = Path(__file__).parent / "defaults"
_FIRST = "Shipped with the product"
_NEWER = "Shipped with a newer version of the product"


@transaction.atomic
def load(now: datetime) -> int:
    """Publish what is shipped.  What a person published stays; a second call changes nothing.  Return how many changed."""
    changed = 0
    for key, body in _read("playbooks.yaml").items():
        catalogue.read(body)
        changed += _publish(key, body, now=now)
    body = _read("policy.yaml")
    offers.read_policy(body)
    current = DiscountPolicy.objects.filter(is_current=True).first()
    if current is None or (current.published_by_id is None and current.body != body):
        DiscountPolicy.objects.filter(is_current=True).update(is_current=False)
        number = (DiscountPolicy.objects.aggregate(Max("number"))["number__max"] or 0) + 1
        DiscountPolicy.objects.create(number=number, body=body, published_at=now)
        changed += 1
    return changed


def _publish(key: str, body: dict[str, Any], *, now: datetime) -> bool:
    playbook, _is_new = Playbook.objects.select_for_update().get_or_create(key=key)
    current = playbook.versions.filter(state="published").first()
    if current is not None and (current.published_by_id is not None or current.body == body):
        return False
    playbook.versions.filter(state="published").update(state="retired")
    number = (playbook.versions.aggregate(Max("number"))["number__max"] or 0) + 1
    PlaybookVersion.objects.create(
        playbook=playbook, number=number, state="published", body=body, published_at=now, reason=_NEWER if current else _FIRST
    )
    return True


def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))
