"""What the frame of every page says about the data behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import SimpleLazyObject

from expansion import clock
from signals.models import Run
from signals.models.runs import RunState

if TYPE_CHECKING:
    from datetime import date, datetime

    from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class DataTime:
    """The newest business date whose figures are on the page; None before the first nightly run."""

    as_of: date | None
    computed_at: datetime | None
    is_late: bool


def data_time(request: HttpRequest) -> dict[str, object]:
    """Context processor; asks the database only on pages that show it."""
    return {"data_time": SimpleLazyObject(latest)}


def latest() -> DataTime:
    """Return how fresh the figures are; late means that a due nightly run has not finished."""
    run = Run.objects.filter(job="nightly", state=RunState.DONE).order_by("-business_date").first()
    if run is None:
        return DataTime(as_of=None, computed_at=None, is_late=False)
    return DataTime(
        as_of=run.business_date,
        computed_at=run.finished_at,
        is_late=run.business_date < clock.nightly_due(clock.now()),
    )
