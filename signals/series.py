"""Twelve weekly values of a term for one customer: the line of a sparkline, however short the history of runs is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
# A quota that is counted looks back over 28 days, a measured one over 14.
_REACH = 28
# Limits that stand in the snapshot of the last day: what the usage of earlier days is measured against.
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
            found[term] = np.where(np.isnan(found[term]), made.get(term, np.full(weeks, np.nan)), found[term])
    for term in terms:
        found[term] = _counted(term, found[term])
    return {term: [None if np.isnan(value) else float(value) for value in values] for term, values in found.items()}


def daily(customer_pk: int, days: Mapping[str, int], *, until: date, limits: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """Return float64 [days, 1] of the terms with a daily series, for one customer: what rules over several days look at.

    limits  the values of LIMITS at the close of ``until``
    """
    wanted = {term: n for term, n in days.items() if TERMS[term].has_daily}
    if not wanted:
        return {}
    longest = max(wanted.values())
    reach = longest + _REACH
    used = _read(customer_pk, until - timedelta(days=reach - 1), until)
    series = windows.daily_terms(used.inputs(until, reach, limits), days=longest)
    return {term: series[term][-n:] for term, n in wanted.items()}


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


@dataclass(frozen=True, slots=True)
class _Usage:
    """The usage of one customer from ``first`` on: per metric the values of the days, and whether the feed arrived."""

    first: date
    counters: tuple[str, ...]
    gauges: tuple[str, ...]
    keys: dict[int, str]
    values: dict[str, NDArray[np.float32]]
    feed: dict[str, NDArray[np.bool_]]

    def inputs(self, last: date, days: int, limits: Mapping[str, float]) -> windows.UsageInputs:
        """Return so many days up to ``last`` in the shape that the computations take, against the given limits."""
        span = slice((last - self.first).days + 1 - days, (last - self.first).days + 1)

        def stacked(names: tuple[str, ...]) -> NDArray[np.float32]:
            columns = [self.values[key][span] for key in names]
            return np.stack(columns, axis=1)[:, :, None] if columns else np.empty((days, 0, 1), dtype=np.float32)

        feed = [self.feed[key][span] for key in self.counters]
        return windows.UsageInputs(
            counters=stacked(self.counters),
            counter_keys=self.counters,
            feed=np.stack(feed, axis=1) if feed else np.zeros((days, 0), dtype=bool),
            working=working_days(last, days),
            gauges=stacked(self.gauges),
            gauge_keys=self.gauges,
            activity=None,
            seats=np.array([limits["seats"]]),
            quotas=self._quotas(limits),
        )

    def _quotas(self, limits: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
        """Return the limits behind the shares in use of the newest day: what is used ÷ the share."""
        shares = {"storage_gb": limits["storage_used_ratio"]}
        if not np.isnan(limits["quota_metric"]):
            shares[self.keys.get(int(limits["quota_metric"]), "")] = limits["quota_used_ratio"]
        quotas = {}
        for key, share in shares.items():
            if key in self.values and share > 0:
                values = self.values[key]
                used = np.nansum(values[-28:]) if key in self.counters else windows.hold(values[:, None])[-1, 0]
                quotas[key] = np.array([float(used) / share])
        return quotas


def _read(customer_pk: int, first: date, last: date) -> _Usage:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, m.key, m.kind, f.day - %(first)s, u.value FROM accounts_feedday f "
            "JOIN accounts_metric m ON m.id = f.metric_id "
            "LEFT JOIN accounts_usagedaily u ON u.customer_id = %(customer)s AND u.metric_id = f.metric_id AND u.day = f.day "
            "AND u.day BETWEEN %(first)s AND %(last)s "
            "WHERE f.day BETWEEN %(first)s AND %(last)s ORDER BY m.key",
            {"customer": customer_pk, "first": first, "last": last},
        )
        rows = cursor.fetchall()
    kinds = {key: kind for _, key, kind, _, _ in rows}
    days = (last - first).days + 1
    values = {key: np.full(days, np.nan, dtype=np.float32) for key in kinds}
    feed = {key: np.zeros(days, dtype=bool) for key in kinds}
    for _, key, _, at, value in rows:
        feed[key][at] = True
        if value is not None:
            values[key][at] = value
    return _Usage(
        first=first,
        counters=tuple(key for key, kind in kinds.items() if kind == MetricKind.COUNTER),
        gauges=tuple(key for key, kind in kinds.items() if kind != MetricKind.COUNTER),
        keys={pk: key for pk, key, _, _, _ in rows},
        values=values,
        feed=feed,
    )


def _from_usage(customer_pk: int, days: Sequence[date], limits: Mapping[str, float]) -> dict[str, NDArray[np.float64]]:
    """Compute the usage terms of one customer at the close of several days."""
    reach = windows.GAUGE_DAYS
    used = _read(customer_pk, days[0] - timedelta(days=reach - 1), days[-1])
    made = [windows.usage_terms(used.inputs(day, reach, limits)) for day in days]
    return {term: np.array([float(week[term][0]) for week in made]) for term in _FROM_USAGE}
