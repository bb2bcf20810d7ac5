"""Usage rows as numbers: gathered from a whole file, added up per key, written chunk by chunk.

A key is customer, metric and day.  Of several rows of one key in one file a counter is their sum and a
gauge the last of them; a distinct count cannot be put together from parts and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from accounts import usage
from accounts.imports.checking import Checked, Rejected
from accounts.imports.resolving import Known
from accounts.models import ImportBatch, Metric
from accounts.models.usage import MetricKind

KEYS_AT_ONCE: Final = 200_000
_DAY_BITS, _METRIC_BITS, _CUSTOMER_BITS = 17, 15, 31

_Days = npt.NDArray[np.datetime64]
_Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some keys in order, each with its value and how many rows of the file it was made of."""

    customers: _Whole
    metrics: npt.NDArray[np.int16]
    days: _Days
    amounts: npt.NDArray[np.float64]
    weights: _Whole

    def __len__(self) -> int:
        return len(self.amounts)

    def only(self, which: Any) -> Part:
        return Part(self.customers[which], self.metrics[which], self.days[which], self.amounts[which], self.weights[which])


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a file, in an order that the same rows always have, and the rows that could not be put together."""

    all: Part
    first_lines: _Whole
    refused: list[Rejected]

    def parts(self, *, after: int) -> Iterator[Part]:
        """Yield the keys in parts to write at once, without the first ones that are made of ``after`` rows.

        A part has no gap between its months, so that a stray date makes no partitions in between.
        """
        days, metrics = self.all.days, self.all.metrics
        begin = int(np.searchsorted(np.cumsum(self.all.weights), after, side="right"))
        months = days.astype("datetime64[M]").astype(np.int64)
        gaps = [*(np.flatnonzero(np.diff(months) > 1) + 1).tolist(), len(self.all)]
        # Where a day of a metric ends: cut there, the next part finds days that never arrived before, which are written fastest.
        ends = np.flatnonzero((days[1:] != days[:-1]) | (metrics[1:] != metrics[:-1])) + 1
        while begin < len(self.all):
            end = min(begin + KEYS_AT_ONCE, next(gap for gap in gaps if gap > begin))
            if end < len(self.all):
                place = int(np.searchsorted(ends, end, side="right")) - 1
                if place >= 0 and ends[place] > begin:
                    end = int(ends[place])
            yield self.all.only(slice(begin, end))
            begin = end


class Gathered:
    """Usage rows of a file, as they come."""

    def __init__(self) -> None:
        self._parts: list[tuple[_Whole, npt.NDArray[np.int16], _Days, npt.NDArray[np.float64], npt.NDArray[np.int32]]] = []
        self._kinds: dict[int, str] = {}
        self._names: dict[int, str] = {}

    def add(self, rows: Checked, owners: _Whole, *, known: Known, batch: ImportBatch) -> None:
        """Take over typed rows; ``owners`` holds the customer of each."""
        if not len(rows):
            return
        metric, day = rows.coded["metric"], rows.coded["day"]
        used = metric.used
        found = known.metrics([metric.distinct[code] for code in used], batch=batch)
        ids = np.zeros(len(metric.distinct), dtype=np.int16)
        for code in used:
            name = metric.distinct[code]
            ids[code], self._kinds[found[name][0]] = found[name]
            self._names[found[name][0]] = name
        days = np.array([np.datetime64("NaT"), *day.distinct[1:]], dtype="datetime64[D]")
        self._parts.append((owners, ids[metric.codes], days[day.codes], rows.numbers["value"], rows.lines.astype(np.int32)))

    def keys(self) -> Keys:
        """Put the rows of each key together."""
        if not self._parts:
            empty = np.zeros(0, dtype=np.int64)
            nothing = Part(empty, empty.astype(np.int16), empty.astype("datetime64[D]"), empty.astype(np.float64), empty)
            return Keys(nothing, empty, [])
        customers, metrics, days, values, lines = (np.concatenate(columns) for columns in zip(*self._parts, strict=True))
        self._parts.clear()
        order = _order(customers, metrics, days, lines)
        customers, metrics, days, values, lines = (column[order] for column in (customers, metrics, days, values, lines))
        is_first = np.ones(len(values), dtype=bool)
        is_first[1:] = (customers[1:] != customers[:-1]) | (metrics[1:] != metrics[:-1]) | (days[1:] != days[:-1])
        starts = np.flatnonzero(is_first)
        weights = np.diff(np.append(starts, len(values)))
        if len(starts) == len(values):
            return Keys(Part(customers, metrics, days, values, weights), lines, [])
        of_key = metrics[starts]
        is_counter = np.isin(of_key, self._of_kind(MetricKind.COUNTER))
        put_together = np.where(is_counter, np.add.reduceat(values, starts), values[starts + weights - 1])
        is_refused = (weights > 1) & np.isin(of_key, self._of_kind(MetricKind.DISTINCT))
        refused = [
            Rejected(int(lines[row]), "value", f"{values[row]:g}", "distinct_twice", {}, {"metric": self._names[int(metrics[row])]})
            for row in np.flatnonzero(np.repeat(is_refused, weights))
        ]
        whole = Part(customers[starts], of_key, days[starts], put_together, weights)
        return Keys(whole.only(~is_refused), lines[starts][~is_refused], sorted(refused, key=lambda row: row.line))

    def _of_kind(self, kind: str) -> list[int]:
        return [metric for metric, its in self._kinds.items() if its == kind]


def write(part: Part, *, batch: ImportBatch) -> tuple[int, int]:
    """Write keys to the usage store.  Return (rows applied, rows unchanged), counted in rows of the file."""
    rows = int(part.weights.sum())
    written = sum(usage.append(_frame(part), batch_id=batch.pk))
    if written == len(part):
        return rows, 0
    if written == 0:
        return 0, rows
    several = part.only(part.weights > 1)
    if not len(several):
        return written, rows - written
    is_ours = np.isin(np.arange(len(several)), list(_values_of(several, batch=batch)))
    applied = written - int(is_ours.sum()) + int(several.weights[is_ours].sum())
    return applied, rows - applied


def beside_the_batch(keys: Keys, *, batch: ImportBatch) -> Keys:
    """Put keys that come late to their batch together with what it has written already.

    Rows of one key in one file belong together, also where some of them had to wait: a counter is added
    to what is there, a gauge replaces it, a second part of a distinct count is refused.
    """
    there = _values_of(keys.all, batch=batch)
    if not there:
        return keys
    places = np.array(sorted(there), dtype=np.int64)
    kinds = dict(Metric.objects.filter(pk__in=set(keys.all.metrics[places].tolist())).values_list("pk", "kind"))
    of_place = np.array([kinds[metric] for metric in keys.all.metrics[places].tolist()])
    amounts = keys.all.amounts.copy()
    amounts[places] += np.where(of_place == MetricKind.COUNTER, [there[place] for place in places.tolist()], 0.0)
    is_refused = np.zeros(len(keys.all), dtype=bool)
    is_refused[places[of_place == MetricKind.DISTINCT]] = True
    together = replace(keys.all, amounts=amounts)
    late = [
        Rejected(int(keys.first_lines[place]), "value", f"{amounts[place]:g}", "distinct_twice", {}, {})
        for place in np.flatnonzero(is_refused).tolist()
        for _ in range(int(keys.all.weights[place]))
    ]
    return Keys(together.only(~is_refused), keys.first_lines[~is_refused], [*keys.refused, *late])


def _frame(part: Part) -> pd.DataFrame:
    columns = {
        "customer_id": part.customers,
        "metric_id": part.metrics,
        "day": part.days.astype("datetime64[s]"),
        "value": part.amounts,
    }
    return pd.DataFrame(columns, copy=False)


def _values_of(part: Part, *, batch: ImportBatch) -> dict[int, float]:
    """Return place in the part → value, for the keys that the batch wrote last."""
    days = part.days.astype(str).tolist()
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITTEN, {"customers": part.customers.tolist(), "metrics": part.metrics.tolist(), "days": days, "batch": batch.pk}
        )
        return {place - 1: value for place, value in cursor.fetchall()}


def _order(customers: _Whole, metrics: npt.NDArray[np.int16], days: _Days, lines: npt.NDArray[np.int32]) -> _Whole:
    """Return the order by day, metric, customer and line."""
    packed = days.astype(np.int64)
    packed -= packed.min()
    if packed.max() >= 1 << _DAY_BITS or customers.max() >= 1 << _CUSTOMER_BITS:
        return np.lexsort((lines, customers, metrics, days))
    packed = ((packed << _METRIC_BITS) | metrics.astype(np.int64)) << _CUSTOMER_BITS
    packed |= customers
    if len(lines) > 1 and (lines[1:] < lines[:-1]).any():
        by_line = np.argsort(lines, kind="stable")
        return by_line[np.argsort(packed[by_line], kind="stable")]
    return np.argsort(packed, kind="stable")


_WRITTEN: Final = """
SELECT k.place, u.value
FROM unnest(%(customers)s::bigint[], %(metrics)s::smallint[], %(days)s::date[])
    WITH ORDINALITY AS k (customer_id, metric_id, day, place)
JOIN accounts_usagedaily u ON u.customer_id = k.customer_id AND u.metric_id = k.metric_id AND u.day = k.day
WHERE u.batch_id = %(batch)s
"""
