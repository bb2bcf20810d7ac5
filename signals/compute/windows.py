"""From dense day blocks to the usage terms: windows, changes, streaks and limits, for all slots at once.

A stored value is NaN where there is no row.  How that reads depends on the metric: a counter is 0
on days on which its feed arrived at all and unknown on the others; a gauge holds its last value for
14 days.  Sums are taken in float64, day by day, so that no slot's result depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOLD_DAYS = 14
COUNTER_DAYS = 98  # 91 days before the last 7
GAUGE_DAYS = 91 + HOLD_DAYS
FULL = 0.9
_LEAST_FEED_DAYS = 7
_LEAST_BURST_USES = 7
_LEAST_BASE_FEED_DAYS = 28
_LEAST_BURST_DAYS = 2  # with fewer working days a week tells nothing
_LEAST_BASE_PER_DAY = 1 / 5  # a feature that was hardly used is taken as used once a week of five days


@dataclass(frozen=True, slots=True)
class UsageInputs:
    """The usage of a range of slots, the business date on the last day.

    counters  float32 [days ≥ 98, counters, slots] as stored; ``feed`` bool [days, counters]
    working   bool [days]: offices work; weekends and holidays count as far as the customer uses them
    gauges    float32 [days ≥ 105, gauges, slots] as stored (distinct counts read like gauges)
    activity  bool [28, slots]: somebody of the customer did something on the day; None where no such records arrive
    seats     float64 [slots], NaN where the contract has none; ``quotas`` the same per metric key
    """

    counters: NDArray[np.float32]
    counter_keys: tuple[str, ...]
    feed: NDArray[np.bool_]
    working: NDArray[np.bool_]
    gauges: NDArray[np.float32]
    gauge_keys: tuple[str, ...]
    activity: NDArray[np.bool_] | None
    seats: Floats
    quotas: Mapping[str, Floats] = field(default_factory=dict)


def usage_terms(given: UsageInputs) -> dict[str, Floats]:
    """Return the usage terms per slot, NaN where a term is missing, and two positions that say which metric it was.

    ``quota_metric_key`` and ``burst_metric_key`` are positions in (*counter_keys, *gauge_keys), −1 for none;
    ``weekly_active_users_reported`` is the metric of that name, for sources that send no single users.
    """
    slots = given.seats.shape[0]
    known = _zero_filled(given)
    sums = {span: span_sum(known, *span) for span in ((0, 7), (7, 28), (28, 56), (56, 91), (91, 98))}
    sum_7, sum_28 = sums[0, 7], sums[0, 7] + sums[7, 28]
    sum_91 = sum_28 + sums[28, 56] + sums[56, 91]
    fed_28 = given.feed[-28:].sum(axis=0)
    features = feature_counters(given.counter_keys)
    uses = known[:, _together(features)].sum(axis=1, dtype=np.float64)  # per day and slot, whatever the feature
    any_feed: NDArray[np.bool_] = np.asarray(given.feed[:, features].any(axis=1))
    days_off = _weight_of_days_off(uses, any_feed, given.working)
    terms: dict[str, Floats] = {}
    for days, total in ((7, sum_7), (28, sum_28), (91, sum_91)):
        is_known = bool(any_feed[-days:].any())
        terms[f"usage_{days}"] = total[features].sum(axis=0) if is_known else np.full(slots, np.nan)
    terms["usage_change_28"] = _change(uses, any_feed, given.working, days_off)
    terms |= _burst(
        week=sum_7[features],
        base=(sum_91 - sum_7 + sums[91, 98])[features],
        early=(sums[56, 91] + sums[91, 98])[features],
        feed=given.feed[:, features],
        working=given.working,
        days_off=days_off,
        features=features,
    )
    terms |= _adoption(sum_28, fed_28, features, slots)
    for key, wanted in _NAMED.items():
        terms[key] = _first_known(given.counter_keys, wanted, sum_28, fed_28, slots)
    terms |= _days_in_use(uses > 0, given.activity, given.working, is_fed=bool(any_feed[-28:].any()))
    held = {key: _Held(held_at(given.gauges[:, i], 0), held_at(given.gauges[:, i], 28)) for i, key in enumerate(given.gauge_keys)}
    terms |= _gauge_terms(held, slots)
    terms |= _limits(given, held, sum_28, fed_28, slots)
    return terms


def daily_terms(given: UsageInputs, *, days: int) -> dict[str, Floats]:
    """Return float64 [days, slots] of the terms that rules may ask for over several days, against today's contract."""
    slots = given.seats.shape[0]
    nothing = np.full((days, slots), np.nan)
    held = {key: hold(given.gauges[:, i])[-days:].astype(np.float64) for i, key in enumerate(given.gauge_keys)}
    seats_used = held.get("seats_used", nothing)
    shares = [held[key] / limit for key, limit in given.quotas.items() if key in held]
    if any(key in given.counter_keys for key in given.quotas):
        known = _zero_filled(given)
        for key, limit in given.quotas.items():
            if key in given.counter_keys:
                at = given.counter_keys.index(key)
                rolling = _rolling_sum(known[:, at], 28)[-days:]
                is_fed = _rolling_sum(given.feed[:, [at]].astype(np.float32), 28)[-days:] > 0
                shares.append(np.where(is_fed, rolling, np.nan) / limit)
    return {
        "seats_used": seats_used,
        "seats_used_ratio": seats_used / given.seats,
        "seats_left": given.seats - seats_used,
        "quota_used_ratio": _highest(shares, nothing)[0],
        "storage_used_ratio": held.get("storage_gb", nothing) / given.quotas.get("storage_gb", np.full(slots, np.nan)),
        "api_links": held.get("api_links", nothing),
    }


def _zero_filled(given: UsageInputs) -> NDArray[np.float32]:
    """Return the counters with 0 where there is no row; what lies on a day without feed counts as 0 as well."""
    known = given.counters.copy()
    np.copyto(known, np.float32(0), where=np.isnan(known))
    if not given.feed.all():
        known[~given.feed] = 0
    return known


def span_sum(values: NDArray[np.float32], start: int, stop: int) -> Floats:
    """Sum the days from ``start`` until ``stop`` days back (0 = the last day) in float64, as far as there are so many."""
    days = len(values)
    total: Floats = values[max(days - stop, 0) : max(days - start, 0)].sum(axis=0, dtype=np.float64)
    return total


def hold(values: NDArray[np.float32], days: int = HOLD_DAYS) -> NDArray[np.float32]:
    """Carry each value [days, slots] forward over at most ``days − 1`` days without one."""
    at = np.arange(len(values), dtype=np.int16)[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), np.int16(-1), at), axis=0)
    held = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where((last < 0) | (at - last >= days), np.float32(np.nan), held)


def held_at(values: NDArray[np.float32], ago: int, days: int = HOLD_DAYS) -> Floats:
    """Return the newest value [slots] of the days up to ``ago`` days back, not older than ``days``; NaN where there is none."""
    end = len(values) - ago
    rows = values[max(end - days, 0) : max(end, 0)]
    found = np.full(values.shape[1], np.nan, dtype=np.float32)
    for row in rows:
        found = np.where(np.isnan(row), found, row)
    return found.astype(np.float64)


def full_days(values: NDArray[np.float32], limit: Floats, days: int = 91) -> Floats:
    """Count the days in a row up to the last one (at most ``days``) on which the held value reaches the limit."""
    last = np.full(values.shape[1], np.nan, dtype=np.float32)
    age = np.zeros(values.shape[1], dtype=np.int16)
    count = np.zeros(values.shape[1], dtype=np.int16)
    for row in values:
        is_new = ~np.isnan(row)
        last = np.where(is_new, row, last)
        age = np.where(is_new, np.int16(0), age + np.int16(1))
        count = np.where((last >= limit) & (age < HOLD_DAYS), count + np.int16(1), np.int16(0))
    return np.minimum(count, days).astype(np.float64)


# Terms that count one thing over 28 days, and the counters that may tell: the first that has a feed.
_NAMED = {
    "csv_exports_28": ("feature.csv_export", "exports", "csv_exports"),
    "shares_28": ("shares", "feature.shares", "feature.share"),
    "logins_28": ("logins", "feature.login"),
}


def feature_counters(keys: Sequence[str]) -> NDArray[np.intp]:
    """Return the counters that count feature use: those named feature.…, or all where none is."""
    named = [i for i, key in enumerate(keys) if key.startswith("feature.")]
    return np.array(named or range(len(keys)), dtype=np.intp)


def _together(places: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Return neighbouring places as a slice, so that nothing is copied."""
    is_run = len(places) > 0 and places[-1] - places[0] == len(places) - 1
    return slice(int(places[0]), int(places[-1]) + 1) if is_run else places


def _weight_of_days_off(uses: Floats, feed: NDArray[np.bool_], working: NDArray[np.bool_]) -> Floats:
    """Return per slot what a weekend or holiday is worth, as a share of a working day: 0 in an office, 1 in a hotel."""
    on, off = feed & working, feed & ~working
    if not on.any() or not off.any():
        return np.zeros(uses.shape[1])
    on_mean, off_mean = (uses[days].sum(axis=0) / days.sum() for days in (on, off))
    share = np.divide(off_mean, on_mean, out=np.where(off_mean > 0, 1.0, 0.0), where=on_mean > 0)
    return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float64)


def _days(feed: NDArray[np.bool_], working: NDArray[np.bool_], days_off: Floats, start: int, stop: int) -> Floats:
    """Count the feed days from ``start`` until ``stop`` days back, days off by their weight: [slots], or [features, slots]."""
    span = slice(len(feed) - stop, len(feed) - start)
    on = working[span] if feed.ndim == 1 else working[span, None]
    working_days, other_days = (feed[span] & on).sum(axis=0), (feed[span] & ~on).sum(axis=0)
    return np.asarray(np.add.outer(working_days, 0 * days_off) + np.multiply.outer(other_days, days_off), dtype=np.float64)


def _change(uses: Floats, feed: NDArray[np.bool_], working: NDArray[np.bool_], days_off: Floats) -> Floats:
    """Return the relative change of the uses per day, 28 days against the 28 before.

    Missing without a base, with too few feed days, and for who was not there before the base: a ramp-up is no base.
    """
    if feed[-28:].sum() < _LEAST_FEED_DAYS or feed[-56:-28].sum() < _LEAST_FEED_DAYS:
        return np.full(uses.shape[1], np.nan)
    now_days, before_days = (_days(feed, working, days_off, *span) for span in ((0, 28), (28, 56)))
    now, before = uses[-28:].sum(axis=0), uses[-56:-28].sum(axis=0)
    was_there = uses[-COUNTER_DAYS:-56].sum(axis=0) > 0
    is_known = (before > 0) & was_there & (now_days > 0) & (before_days > 0)
    base = np.divide(before, before_days, out=np.full(before.shape, np.nan), where=is_known)
    pace = np.divide(now, now_days, out=np.full(now.shape, np.nan), where=is_known)
    return np.asarray(pace / base - 1, dtype=np.float64)


def _burst(
    *,
    week: Floats,
    base: Floats,
    early: Floats,
    feed: NDArray[np.bool_],
    working: NDArray[np.bool_],
    days_off: Floats,
    features: NDArray[np.intp],
) -> dict[str, Floats]:
    """Find the feature that grew most, among those that were in use already in the first half of the base."""
    slots = week.shape[1]
    usable = np.flatnonzero(feed[-7:].any(axis=0) & (feed[-COUNTER_DAYS:-7].sum(axis=0) >= _LEAST_BASE_FEED_DAYS))
    if len(usable) == 0:
        nothing = np.full(slots, np.nan)
        return {"feature_burst_ratio": nothing, "feature_burst_uses_7": nothing.copy(), "burst_metric_key": np.full(slots, -1.0)}
    week_days, base_days = (_days(feed[:, usable], working, days_off, *span) for span in ((0, 7), (7, COUNTER_DAYS)))
    is_known = (week[usable] >= _LEAST_BURST_USES) & (early[usable] > 0) & (week_days >= _LEAST_BURST_DAYS) & (base_days > 0)
    pace = np.divide(base[usable], base_days, out=np.zeros(base_days.shape), where=base_days > 0)
    ratio = np.divide(week[usable], week_days, out=np.full(week_days.shape, -1.0), where=is_known)
    ratio = np.where(is_known, ratio / np.maximum(pace, _LEAST_BASE_PER_DAY), -1.0)
    best = ratio.argmax(axis=0)
    highest, uses = (np.take_along_axis(rows, best[None], axis=0)[0] for rows in (ratio, week[usable]))
    has_one = highest >= 0
    return {
        "feature_burst_ratio": np.where(has_one, highest, np.nan),
        "feature_burst_uses_7": np.where(has_one, uses, np.nan),
        "burst_metric_key": np.where(has_one, features[usable[best]], -1.0),
    }


def _adoption(sum_28: Floats, fed_28: NDArray[np.int64], features: NDArray[np.intp], slots: int) -> dict[str, Floats]:
    fed = features[fed_28[features] > 0]
    if len(fed) == 0:
        return {key: np.full(slots, np.nan) for key in ("feature_weekly_uses", "features_used_28", "features_used_ratio")}
    used = (sum_28[fed] > 0).sum(axis=0).astype(np.float64)
    weekly = (sum_28[fed] / fed_28[fed][:, None] * 7).max(axis=0)
    return {"feature_weekly_uses": weekly, "features_used_28": used, "features_used_ratio": used / len(fed)}


def _first_known(keys: Sequence[str], wanted: Sequence[str], sum_28: Floats, fed_28: NDArray[np.int64], slots: int) -> Floats:
    """Return the sum of the first of the wanted counters that there is a feed of."""
    for key in wanted:
        if key in keys and fed_28[keys.index(key)] > 0:
            found: Floats = sum_28[keys.index(key)]
            return found
    return np.full(slots, np.nan)


def _days_in_use(
    used: NDArray[np.bool_], activity: NDArray[np.bool_] | None, working: NDArray[np.bool_], *, is_fed: bool
) -> dict[str, Floats]:
    """Count the days of 28 with feature use or activity, also per working day, and the days since the last one."""
    nothing = np.full(used.shape[1], np.nan)
    recent = used[-28:] if activity is None else used[-28:] | activity
    any_use = used.copy()
    any_use[-28:] = recent
    since = any_use[::-1].argmax(axis=0).astype(np.float64)
    count = recent.sum(axis=0).astype(np.float64) if is_fed or activity is not None else nothing
    return {
        "active_days_28": count,
        "active_days_ratio": np.minimum(count / max(int(working[-28:].sum()), 1), 1.0),
        "usage_recency_days": np.where(any_use.any(axis=0), since, np.nan),
    }


@dataclass(frozen=True, slots=True)
class _Held:
    """What a gauge reads at the close of the day, and 28 days before."""

    now: Floats
    before: Floats


def _gauge_terms(held: Mapping[str, _Held], slots: int) -> dict[str, Floats]:
    nothing = _Held(np.full(slots, np.nan), np.full(slots, np.nan))
    links = held.get("api_links", nothing)
    return {
        "api_links": links.now,
        "api_links_added_28": links.now - links.before,
        "weekly_active_users_reported": held.get("weekly_active_users", nothing).now,
    }


def _limits(
    given: UsageInputs, held: Mapping[str, _Held], sum_28: Floats, fed_28: NDArray[np.int64], slots: int
) -> dict[str, Floats]:
    """Compare what is used with what the contract sets: seats, and every metric with a quota."""
    nothing = np.full(slots, np.nan)
    seats = held.get("seats_used", _Held(nothing, nothing))
    share = seats.now / given.seats
    full = nothing
    if "seats_used" in held:
        full = full_days(given.gauges[:, given.gauge_keys.index("seats_used")], FULL * given.seats)
    shares, paces, places = [], [], []
    for key, limit in given.quotas.items():
        if key in held:
            shares.append(held[key].now / limit)
            paces.append(_days_left(held[key], limit))
            places.append(len(given.counter_keys) + given.gauge_keys.index(key))
        elif key in given.counter_keys and fed_28[given.counter_keys.index(key)] > 0:
            shares.append(sum_28[given.counter_keys.index(key)] / limit)
            paces.append(nothing)
            places.append(given.counter_keys.index(key))
    highest, which = _highest(shares, nothing)
    is_known = ~np.isnan(highest)
    storage = held.get("storage_gb", _Held(nothing, nothing))
    return {
        "seats_used": seats.now,
        "seats_used_ratio": share,
        "seats_left": given.seats - seats.now,
        "seats_full_days": np.where(np.isnan(share), np.nan, full),
        "days_to_seat_limit": _days_left(seats, given.seats),
        "quota_used_ratio": highest,
        "storage_used_ratio": storage.now / given.quotas.get("storage_gb", nothing),
        "days_to_quota_limit": np.take_along_axis(np.stack(paces), which[None], axis=0)[0] if paces else nothing,
        "quota_metric_key": np.where(is_known, np.array([*places, -1.0])[which] if places else -1.0, -1.0),
    }


def _days_left(held: _Held, limit: Floats) -> Floats:
    """Return in how many days the limit is reached at the pace of the last 28; NaN without growth, 0 when it is."""
    pace = (held.now - held.before) / 28
    left = np.where(pace > 0, (limit - held.now) / np.where(pace > 0, pace, 1.0), np.nan)
    return np.where(held.now >= limit, 0.0, np.ceil(left))


def _highest(shares: Sequence[Floats], nothing: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return the highest of the known shares, and which one it was (0 where none is known)."""
    if not shares:
        return nothing, np.zeros(nothing.shape, dtype=np.intp)
    stacked = np.stack(shares)
    filled = np.where(np.isnan(stacked), -1.0, stacked)
    which = filled.argmax(axis=0)
    highest = np.take_along_axis(filled, which[None], axis=0)[0]
    return np.where(highest < 0, np.nan, highest), which


def _rolling_sum(values: NDArray[np.float32], days: int) -> Floats:
    """Sum the last ``days`` days at every day."""
    total = np.cumsum(values, axis=0, dtype=np.float64)
    total[days:] -= total[:-days].copy()
    return total
