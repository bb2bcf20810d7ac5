"""Twelve weekly values of a term for one customer: the line of a sparkline, however short the history of runs is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from django.db import connection
from numpy.typing import NDArray

from accounts.models.usage import MetricKind
from signals.compute import windows
from signals.loading import working_days
from signals.snapshots import BLOCK_SLOTS
from signals.terms import TERMS

Weekly = list[float | None]

# Terms that follow from the usage rows of the customer and today's limits.
_FROM_USAGE = frozenset(
    {
        "usage_7", "usage_28", "usage_91", "usage_change_28", "active_days_28", "active_days_ratio",
        "feature_burst_ratio", "feature_burst_uses_7",
        "feature_weekly_uses", "features_used_28", "features_used_ratio", "csv_exports_28", "shares_28", "logins_28", "api_links",
        "api_links_added_28", "seats_used", "seats_used_ratio", "seats_left", "seats_full_days", "storage_used_ratio",
        "quota_used_ratio",
    }
)  # fmt: skip
# Limits that stand in the snapshot of the last day: what the usage of earlier weeks is measured against.
LIMITS = ("seats", "seats_used_ratio", "storage_used_ratio", "quota_used_ratio", "quota_metric")


def series(customer_pk: int, term: str, *, until: date, weeks: int = 12) -> Weekly:
    """Return the values of one term at the close of ``until`` and of the same weekday of the weeks before, oldest first."""
    return weekly(customer_pk, [term], until=until, weeks=weeks)[term]


def days_of(until: date, *, weeks: int = 12) -> list[date]:
    """Return the day and the same weekday of the weeks before, oldest first."""
    return [until - timedelta(weeks=back) for back in reversed(range(weeks))]


def weekly(
    customer_pk: int, terms: Sequence[str], *, until: date, weeks: int = 12, known: pd.DataFrame | None = None
) -> dict[str, Weekly]:
    """Return the weekly values of several terms, oldest first; None where a value is not known.

    From the snapshots where there are any; for weeks before the first run from the usage rows (against
    today's contract) and, for counts of days to or since a date, by counting.  Two statements at most; one
    less where a page hands in as ``known`` what ``snapshots.values_of`` gave for the terms, LIMITS and ``days_of``.
    """
    days = days_of(until, weeks=weeks)
    names = list(dict.fromkeys((*terms, *LIMITS)))
    stored = _stored(customer_pk, names, days) if known is None else {name: known[name].to_numpy(np.float64) for name in names}
    found = {term: stored[term] for term in terms}
    lacking = [term for term in terms if term in _FROM_USAGE and np.isnan(found[term]).any()]
    if lacking:
        made = _from_usage(customer_pk, days, {key: float(stored[key][-1]) for key in LIMITS})
        for term in lacking:
            known = made.get(term, np.full(weeks, np.nan))
            found[term] = np.where(np.isnan(found[term]), known, found[term])
    for term in terms:
        found[term] = _counted(term, found[term])
    return {term: [None if np.isnan(value) else float(value) for value in values] for term, values in found.items()}


def _stored(customer_pk: int, terms: Sequence[str], days: Sequence[date]) -> dict[str, NDArray[np.float64]]:
    found = {term: np.full(len(days), np.nan) for term in terms}
    at = {day: i for i, day in enumerate(days)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.business_date, b.term, b.dtype, substring(b.data FROM (c.slot %% %(size)s) * width + 1 FOR width) "
            "FROM accounts_customer c JOIN signals_featureblock b ON b.block = c.slot / %(size)s "
            "CROSS JOIN LATERAL (SELECT CASE b.dtype WHEN 'f8' THEN 8 ELSE 4 END AS width) w "
            "WHERE c.id = %(customer)s AND b.business_date = ANY(%(days)s) AND b.term = ANY(%(terms)s)",
            {"size": BLOCK_SLOTS, "customer": customer_pk, "days": list(days), "terms": list(terms)},
        )
        for day, term, dtype, data in cursor.fetchall():
            if len(data):
                found[term][at[day]] = np.frombuffer(data, dtype=f"<{dtype}")[0]
    return found


def _counted(term: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill days to or since a date from the newest value; a date that had not come yet stays unknown."""
    unit_is_days = TERMS[term].unit == "days"
    step = 7 if term in {"days_to_renewal", "days_to_notice"} else -7 if term.startswith("days_since_") else 0
    if not unit_is_days or step == 0 or np.isnan(values[-1]):
        return values
    counted = values[-1] + step * np.arange(len(values))[::-1]
    return np.where(np.isnan(values) & (counted >= 0), counted, values)


def _from_usage(customer_pk: int, days: Sequence[date], limits: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """Compute the usage terms of one customer at several days: each day takes the place of a slot."""
    reach = windows.GAUGE_DAYS
    first = days[0] - timedelta(days=reach - 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, m.key, m.kind, f.day - %(first)s, u.value FROM accounts_feedday f "
            "JOIN accounts_metric m ON m.id = f.metric_id "
            "LEFT JOIN accounts_usagedaily u ON u.customer_id = %(customer)s AND u.metric_id = f.metric_id AND u.day = f.day "
            "AND u.day BETWEEN %(first)s AND %(last)s "
            "WHERE f.day BETWEEN %(first)s AND %(last)s ORDER BY m.key",
            {"customer": customer_pk, "first": first, "last": days[-1]},
        )
        rows = cursor.fetchall()
    if not rows:
        return {}
    keys = {key: kind for _, key, kind, _, _ in rows}
    counters = tuple(key for key, kind in keys.items() if kind == MetricKind.COUNTER)
    gauges = tuple(key for key, kind in keys.items() if kind != MetricKind.COUNTER)
    span = (days[-1] - first).days + 1
    values = {key: np.full(span, np.nan, dtype=np.float32) for key in keys}
    feed = {key: np.zeros(span, dtype=bool) for key in keys}
    for _, key, _, at, value in rows:
        feed[key][at] = True
        if value is not None:
            values[key][at] = value
    ends = [(day - first).days + 1 for day in days]

    def shifted(column: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([column[end - reach : end] for end in ends], axis=1)

    def stacked(names: tuple[str, ...]) -> NDArray[np.float32]:
        return np.stack([shifted(values[key]) for key in names], axis=1) if names else np.empty((reach, 0, len(days)), np.float32)

    seats = np.full(len(days), limits["seats"])
    newest = {pk: key for pk, key, _, _, _ in rows}
    quotas = _quotas(limits, newest, values, counters, len(days))
    counted, measured = stacked(counters), stacked(gauges)
    made: list[dict[str, NDArray[np.float64]]] = []
    for place, end in enumerate(ends):
        fed = np.stack([feed[key][end - reach : end] for key in counters], axis=1) if counters else np.zeros((reach, 0), dtype=bool)
        one = slice(place, place + 1)
        given = windows.UsageInputs(
            counters=counted[:, :, one],
            counter_keys=counters,
            feed=fed,
            working=working_days(days[place], reach),
            gauges=measured[:, :, one],
            gauge_keys=gauges,
            activity=None,
            seats=seats[one],
            quotas={key: limit[one] for key, limit in quotas.items()},
        )
        made.append(windows.usage_terms(given))
    return {term: np.array([float(week[term][0]) for week in made]) for term in _FROM_USAGE}


def _quotas(
    limits: Mapping[str, float],
    metrics: dict[int, str],
    values: dict[str, NDArray[np.float32]],
    counters: Sequence[str],
    weeks: int,
) -> dict[str, NDArray[np.float64]]:
    """Return the limits behind the shares in use of the last day: what is used ÷ the share."""
    shares = {"storage_gb": limits["storage_used_ratio"]}
    if not np.isnan(limits["quota_metric"]):
        shares[metrics.get(int(limits["quota_metric"]), "")] = limits["quota_used_ratio"]
    quotas = {}
    for key, share in shares.items():
        if key in values and share > 0:
            used = np.nansum(values[key][-28:]) if key in counters else windows.hold(values[key][:, None])[-1, 0]
            quotas[key] = np.full(weeks, float(used) / share)
    return quotas
