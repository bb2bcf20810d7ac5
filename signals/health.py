"""The health model as versioned data: what is wrong with one in words, and how the shipped one gets in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import translation
from django.utils.translation import gettext as _

from expansion.errors import DomainError
from signals.compute import health
from signals.models import HealthModel, HealthModelVersion
from signals.models.definitions import VersionState
from signals.terms import TERMS


class NoHealthModel(DomainError):
    """Nothing says how health is computed."""


def published() -> HealthModelVersion:
    """Return the published version of the default model."""
    version = (
        HealthModelVersion.objects.filter(model__is_default=True, state=VersionState.PUBLISHED).select_related("model").first()
    )
    if version is None:
        raise NoHealthModel(_("No health model is published. Load the shipped one with the command load_defaults."))
    return version


def compiled(version: HealthModelVersion) -> health.Model:
    """Return the version ready to compute."""
    return health.compile_model(version.body, version_id=version.pk)


def measures(version: HealthModelVersion, language: str) -> dict[str, str]:
    """Return the name of each measure by its key, in the order of HealthScore.points."""
    end = "ja" if language.startswith("ja") else "en"
    return {m["key"]: m[f"name_{end}"] for group in version.body["groups"] for m in group["measures"]}


@transaction.atomic
def ship(key: str, *, body: Mapping[str, Any], now: datetime) -> bool:
    """Publish the shipped body where nobody published another; return whether anything changed.

    The first model ever shipped becomes the default.
    """
    problems = validate(body)
    if problems:
        raise ValueError(" ".join(problems))
    model, is_fresh = HealthModel.objects.select_for_update().get_or_create(
        key=key, defaults={"is_default": not HealthModel.objects.filter(is_default=True).exists()}
    )
    current = model.versions.filter(state=VersionState.PUBLISHED).first()
    if current is not None and (current.published_by_id is not None or current.body == body):
        return False
    if current is None and not is_fresh and model.versions.exists():
        return False
    if current is not None:
        HealthModelVersion.objects.filter(pk=current.pk).update(state=VersionState.RETIRED)
    HealthModelVersion.objects.create(
        model=model,
        number=(model.versions.aggregate(newest=Max("number"))["newest"] or 0) + 1,
        state=VersionState.PUBLISHED,
        body=dict(body),
        reason="Shipped with the product" if current is None else "Shipped with a newer version of the product",
        edited_at=now,
        published_at=now,
    )
    return True


def validate(body: Mapping[str, Any]) -> list[str]:
    """Return what keeps the model from being published, in the reader's language."""
    name = "name_ja" if (translation.get_language() or "").startswith("ja") else "name_en"
    groups = body.get("groups") or []
    if not groups or not all(group.get("measures") for group in groups):
        return [_("Give at least one group, and at least one measure in each.")]
    problems = []
    if not _is_hundred(groups):
        problems.append(_("The weights of the groups must add up to 100."))
    for group in groups:
        if not _is_hundred(group["measures"]):
            problems.append(_("The weights inside “%(group)s” must add up to 100.") % {"group": group[name]})
        for measure in group["measures"]:
            term = TERMS.get(measure["term"])
            if term is None or term.is_score or term.is_internal:
                problems.append(_("“%(term)s” cannot be part of the health score.") % {"term": measure["term"]})
            if measure["worst"] == measure["best"]:
                problems.append(_("The worst and the best value of “%(measure)s” must differ.") % {"measure": measure[name]})
    keys = [measure["key"] for group in groups for measure in group["measures"]]
    if len(set(keys)) < len(keys):
        problems.append(_("Two measures have the same key; give each its own."))
    cuts = [body.get("cuts", {}).get(name, cut) for name, cut in (("watch", 40), ("healthy", 60), ("excellent", 80))]
    if not 0 < cuts[0] < cuts[1] < cuts[2] < 100:
        problems.append(_("The cut-offs of the bands must rise, between 0 and 100."))
    return problems


def _is_hundred(parts: Sequence[Mapping[str, Any]]) -> bool:
    return abs(sum(float(part["weight"]) for part in parts) - 100) < 1e-9
