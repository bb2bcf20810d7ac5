"""Scores of a day for commands and exports: as the night stored them, or made anew where no night was run for the day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from accounts.models import Customer
from expansion import money
from signals import health as models
from signals import loading, scoring, snapshots
from signals.compute.health import BANDS
from signals.compute.rfm import SEGMENTS
from signals.models import HealthModelVersion, HealthScore, RfmScore

RFM_COLUMNS = ("customer_id", "recency_days", "frequency", "monetary", "r", "f", "m", "segment")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns, ordered by customer_id."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def as_dicts(self) -> Iterator[Mapping[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)


def rfm(as_of: date, *, lens: str) -> Table:
    """Return every customer's recency, frequency, value, scores and segment; nothing but the ID where it is not scored."""
    names = _names()
    stored = RfmScore.objects.filter(business_date=as_of, lens=lens)
    if RfmScore.objects.filter(business_date=as_of).exists():
        found = {row.customer_id: _stored_rfm(row) for row in stored}
    else:
        raw = _everybody(as_of)[["slot", *scoring.RANKED_TERMS]]
        found = _made_rfm(scoring.rank_lens(raw, lens=lens))
    nothing = (None,) * (len(RFM_COLUMNS) - 2) + ("",)
    return Table(RFM_COLUMNS, [(name, *found.get(pk, nothing)) for pk, name in names.items()])


def health(as_of: date) -> Table:
    """Return every customer's score, band, coverage and the points of each measure."""
    names = _names()
    stored = list(HealthScore.objects.filter(business_date=as_of))
    if stored:
        # Customers may have been scored by different versions; a measure that a version lacks stays empty.
        versions = {
            v.pk: list(models.measures(v, "en")) for v in HealthModelVersion.objects.filter(pk__in={s.version_id for s in stored})
        }
        measures = tuple(dict.fromkeys(key for keys in versions.values() for key in keys))
        found = {}
        for score in stored:
            points = dict(zip(versions[score.version_id], score.points, strict=True))
            found[score.customer_id] = (score.score, score.band, score.coverage, *(_short(points.get(key)) for key in measures))
    else:
        scored = scoring.score(_everybody(as_of), business_date=as_of, model=scoring.published_model(), with_trend=False)
        measures = tuple(measure.key for measure in scored.model.measures)
        found = {int(pk): _made_health(scored.health.loc[pk], measures) for pk in scored.health.index.tolist()}
    columns = ("customer_id", "score", "band", "coverage", *(f"points.{key}" for key in measures))
    nothing = (None, "insufficient", 0.0, *(None for _ in measures))
    return Table(columns, [(name, *found.get(pk, nothing)) for pk, name in names.items()])


def _names() -> dict[int, str]:
    rows = Customer.objects.filter(merged_into__isnull=True).order_by("customer_id")
    return dict(rows.values_list("pk", "customer_id"))


def _everybody(as_of: date) -> pd.DataFrame:
    parts = [loading.features(as_of, first, until) for first, until in snapshots.chunks()]
    return pd.concat(parts) if parts else loading.features(as_of, 0, 0)


def _stored_rfm(row: RfmScore) -> tuple[Any, ...]:
    return row.recency_days, row.frequency, row.monetary, row.r, row.f, row.m, row.segment


def _made_rfm(ranked: pd.DataFrame) -> dict[int, tuple[Any, ...]]:
    scored = ranked[ranked["r"].notna()]
    whole = scored[["recency_days", "frequency", "r", "f", "m", "segment_code"]].astype(np.int64)
    amounts = [_amount(value) for value in scored["monetary"]]
    return {
        int(pk): (days, times, amount, r, f, m, SEGMENTS[code])
        for pk, (days, times, r, f, m, code), amount in zip(whole.index, whole.to_numpy().tolist(), amounts, strict=True)
    }


def _made_health(row: pd.Series, measures: tuple[str, ...]) -> tuple[Any, ...]:
    score = None if np.isnan(row["score"]) else int(row["score"])
    points = (None if np.isnan(row[f"points.{key}"]) else _short(float(row[f"points.{key}"])) for key in measures)
    return score, BANDS[int(row["band_code"])], round(float(row["coverage"]), 6), *points


def _amount(value: float) -> Decimal:
    return money.from_cents(round(value * 100))


def _short(points: float | None) -> float | None:
    """Return points with four decimals, so that stored and new ones print alike."""
    return None if points is None else round(points, 4)
