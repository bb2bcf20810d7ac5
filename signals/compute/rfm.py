"""Recency, frequency and monetary value, scored 1 to 5 and named (definitions §9).

Recency is the days since the last event: the fewer, the better, so ranks run on −days.
(Lifetime-value libraries call the age at the last purchase "recency": the opposite sense.)
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from expansion.periods import months_before

SEGMENTS = (
    "champion", "loyal", "potential", "new", "promising", "need_attention", "about_to_sleep", "at_risk", "cant_lose", "hibernating",
    "lost",
)  # fmt: skip
NEW_DAYS = 90
SMALL = 25
_COUNTABLE = 65_536.0
_SHARE_OF_ONE_VALUE = (2, 5)  # 40 % as a fraction, so that no rounding decides

# Rows R = 1 … 5, columns FM = 1 … 5.
_MAP = (
    ("lost", "lost", "at_risk", "cant_lose", "cant_lose"),
    ("hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"),
    ("about_to_sleep", "need_attention", "need_attention", "loyal", "loyal"),
    ("promising", "promising", "potential", "loyal", "champion"),
    ("promising", "potential", "potential", "champion", "champion"),
)
_CODES = np.array([[SEGMENTS.index(name) for name in row] for row in _MAP], dtype=np.int8)
_NEW, _ATTENTION = SEGMENTS.index("new"), SEGMENTS.index("need_attention")
_IS_GONE = np.isin(SEGMENTS, ("lost", "hibernating"))

# Fixed cut-offs of small books: (values, scores descend with the values for recency, ascend for the others).
_PURCHASE_DAYS = (30.0, 90.0, 180.0, 365.0)
_USAGE_DAYS = (1.0, 3.0, 7.0, 14.0)
_PURCHASE_TIMES = (2.0, 3.0, 6.0, 12.0)
_USAGE_TIMES = (2.0, 6.0, 12.0, 20.0)
_MEDIANS = (0.5, 1.0, 2.0, 4.0)


def summarise(purchases: pd.DataFrame, *, as_of: date, customers: int) -> pd.DataFrame:
    """Return recency, frequency and value per customer from purchase events.

    purchases  customer int64 (0 … customers − 1), day datetime64, amount_cents int64; events after as-of do not count,
               a negative amount counts in the value only
    returns    one row per customer number: recency_days, frequency (24 months), monetary_cents (12 months),
               tenure_days; NaN recency and tenure where there is no event up to as-of
    """
    day = purchases["day"].to_numpy().astype("datetime64[s]").view(np.int64) // 86_400
    customer, cents = purchases["customer"].to_numpy(np.int64), purchases["amount_cents"].to_numpy(np.int64)
    end, year, two_years = (
        int(np.datetime64(bound, "D").view(np.int64))
        for bound in (as_of + timedelta(days=1), months_before(as_of, 12)[0], months_before(as_of, 24)[0])
    )
    if len(day) and int(day.max()) >= end:
        past = day < end
        day, customer, cents = day[past], customer[past], cents[past]
    monetary = np.bincount(customer, weights=cents * (day >= year), minlength=customers)  # exact up to 2^53 hundredths
    if len(cents) and int(cents.min()) < 0:
        counts = cents >= 0
        day, customer = day[counts], customer[counts]
    frequency = np.bincount(customer, weights=(day >= two_years).astype(np.float64), minlength=customers)
    first, last = np.full(customers, end, dtype=np.int64), np.full(customers, -1 << 40, dtype=np.int64)
    np.minimum.at(first, customer, day)
    np.maximum.at(last, customer, day)
    known = last > -1 << 40
    return pd.DataFrame(
        {
            "recency_days": np.where(known, end - 1 - last, np.nan),
            "frequency": frequency.astype(np.float64),
            "monetary_cents": monetary.astype(np.float64),
            "tenure_days": np.where(known, end - 1 - first, np.nan),
        }
    )


def score(summary: pd.DataFrame, *, lens: str) -> pd.DataFrame:
    """Score and name every customer with a recency; the others stay without (segment code −1).

    summary  recency_days, frequency, monetary_cents, tenure_days, mrr_cents: numbers, NaN recency = not scored
    lens     "purchase" or "usage"; it decides the fixed cut-offs of a book of fewer than 25
    returns  same index: r, f, m (float, 1 … 5 or NaN), segment_code (position in SEGMENTS, −1 = none)
    """
    recency = summary["recency_days"].to_numpy(np.float64)
    is_scored = ~np.isnan(recency)
    days = recency[is_scored]
    times = summary["frequency"].to_numpy(np.float64)[is_scored]
    value = summary["monetary_cents"].to_numpy(np.float64)[is_scored]
    if len(days) < SMALL:
        r, f, m = _fixed(days, times, value, lens=lens)
    else:
        r, f, m = quintiles(-days), quintiles(times), quintiles(value)
    codes = name_cells(
        r, f, m,
        tenure_days=summary["tenure_days"].to_numpy(np.float64)[is_scored],
        is_paying=summary["mrr_cents"].to_numpy(np.float64)[is_scored] > 0,
    )  # fmt: skip
    out = {name: np.full(len(summary), np.nan) for name in ("r", "f", "m")}
    for name, scores in (("r", r), ("f", f), ("m", m)):
        out[name][is_scored] = scores
    segment = np.full(len(summary), -1, dtype=np.int8)
    segment[is_scored] = codes
    return pd.DataFrame({**out, "segment_code": segment}, index=summary.index)


def quintiles(values: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return 1 … 5 per value, the largest best: ceil(5 · average rank ÷ n).

    A value that holds 40 % or more gets 1 when it is the lowest, 5 when the highest, else the formula's score;
    those below and above it are ranked among themselves onto what that leaves of the scale.  All equal gives 3.
    """
    n = len(values)
    if n == 0:
        return np.empty(0, dtype=np.int8)
    distinct, counts = _groups(values)
    if len(distinct) == 1:
        return np.full(n, 3, dtype=np.int8)
    scores = _scores_of_groups(counts)
    # Scores never fall as values rise, so each is told by the lowest value that reaches it.
    reached = np.searchsorted(scores, (2, 3, 4, 5))
    found = np.ones(n, dtype=np.int8)
    for group in reached[reached < len(distinct)].tolist():
        found += values >= distinct[group]
    return found


def _groups(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct values in ascending order and how often each occurs; whole numbers are counted, not sorted."""
    low, high = float(values.min()), float(values.max())
    if high - low < _COUNTABLE:
        whole = (values - low).astype(np.int64)
        if (whole == values - low).all():
            counts = np.bincount(whole)
            there = np.flatnonzero(counts)
            return (there + low).astype(np.float64), counts[there].astype(np.int64)
    ordered = np.sort(values)
    starts = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    return ordered[starts], np.diff(starts, append=len(values))


def _scores_of_groups(counts: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the score of each group of equal values, in ascending order of the values."""
    n, last = int(counts.sum()), len(counts) - 1
    numerator, denominator = _SHARE_OF_ONE_VALUE
    plain = _ranked(counts, 5)
    heavy = np.flatnonzero(counts * denominator >= n * numerator)
    if len(heavy) == 0:
        return plain
    scores = np.empty(len(counts), dtype=np.int8)
    below_at, below_score = -1, 0
    for at in (*heavy.tolist(), len(counts)):
        own = 6 if at > last else 1 if at == 0 else 5 if at == last else int(plain[at])
        scores[below_at + 1 : at] = below_score + _ranked(counts[below_at + 1 : at], own - below_score - 1)
        if at <= last:
            scores[at] = own
        below_at, below_score = at, own
    return scores


def name_cells(
    r: NDArray[np.int8], f: NDArray[np.int8], m: NDArray[np.int8], *, tenure_days: NDArray[np.float64], is_paying: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Return the position in SEGMENTS of each customer: one of eleven, whatever the scores.

    FM is the mean of F and M, half rounded up.  Tenure below 90 days with FM of 3 or less is New in every row.
    Who pays is never Lost or Hibernating: those read Need attention.
    """
    fm = (f.astype(np.int64) + m + 1) // 2
    codes = _CODES[r.astype(np.int64) - 1, fm - 1]
    codes = np.where(is_paying & _IS_GONE[codes], _ATTENTION, codes)
    return np.where((tenure_days < NEW_DAYS) & (fm <= 3), _NEW, codes).astype(np.int8)


def _ranked(counts: NDArray[np.int64], top: int) -> NDArray[np.int8]:
    """Score groups of equal values in ascending order onto 1 … top: ceil(top · average rank ÷ n), in whole numbers."""
    if len(counts) == 0:
        return np.empty(0, dtype=np.int8)
    ends = np.cumsum(counts)
    twice_rank = 2 * ends - counts + 1
    return (-(-top * twice_rank // (2 * int(ends[-1])))).astype(np.int8)


def _fixed(
    days: NDArray[np.float64], times: NDArray[np.float64], value: NDArray[np.float64], *, lens: str
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
    """Score a book too small for quintiles by fixed cut-offs; money against the median of those that are not zero."""
    by_days = _PURCHASE_DAYS if lens == "purchase" else _USAGE_DAYS
    by_times = _PURCHASE_TIMES if lens == "purchase" else _USAGE_TIMES
    r = 5 - np.searchsorted(by_days, days, side="left")
    f = 1 + np.searchsorted(by_times, times, side="right")
    spent = value[value != 0]
    if len(spent) and np.median(spent) <= 0:
        spent = value[value > 0]
    if len(spent) == 0:
        return r.astype(np.int8), f.astype(np.int8), np.ones(len(value), dtype=np.int8)
    m = 1 + np.searchsorted(np.array(_MEDIANS) * np.median(spent), value, side="right")
    m = np.where(value <= 0, 1, m)
    return r.astype(np.int8), f.astype(np.int8), m.astype(np.int8)
