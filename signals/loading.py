"""What is known about customers at the close of a day: the features that scores and rules are made from.

Reads dense usage blocks and one aggregate per table, for a range of customer slots, and writes
nothing.  "As of D" means that only rows up to D count, whatever has arrived since; what a row
said before it was corrected is not known here (that is what snapshots keep).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

from accounts import exchange, ledger, usage
from accounts.models import Metric, Product
from accounts.models.usage import MetricKind
from expansion import clock, money
from expansion.copying import copy_to_arrays
from expansion.periods import is_business_day, months_before
from signals import sources
from signals.compute import holdings, rfm, windows
from signals.terms import TERMS

# Fewer customers than this are read from their rows: fresher than blocks, and cheaper.
_FEW = 8
_ACTIVITY_DAYS = 28
_ACTIVITY_TERMS = (
    "weekly_active_users", "weekly_active_ratio", "active_users_28", "active_users_added_28", "departments_active_28",
    "login_minutes_28", "user_days_28",
)  # fmt: skip
# Obon: no national holiday and no reason to move a date, but many offices are closed, and the use of everybody falls.
_OBON = frozenset((8, day) for day in (13, 14, 15, 16))
# A trial whose end nobody noted is taken as over after this many days.
_TRIAL_DAYS = 90
LOADED = tuple(key for key, term in TERMS.items() if not term.is_score)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A range of slots at the close of a day, and the customers in it in the order of their slots."""

    day: date
    slot_from: int
    slot_until: int
    ids: NDArray[np.int64]
    slots: NDArray[np.int64]

    @property
    def params(self) -> dict[str, Any]:
        """The values that the statements of ``sources`` ask for."""
        return {
            "id_from": int(self.ids.min()) if len(self.ids) else 0,
            "id_until": int(self.ids.max()) if len(self.ids) else -1,
            "day": self.day,
            "zone": settings.TIME_ZONE,
            "end": clock.start_of(self.day + timedelta(days=1)),
            **{f"since_{n}": clock.start_of(self.day - timedelta(days=n - 1)) for n in (7, 28, 30, 90)},
            "day_56": self.day - timedelta(days=55),
            "week": days_of_a_week(self.day),
            "nps_from": months_before(self.day, 12)[0],
            "year_from": months_before(self.day, 12)[0],
            "two_years_from": months_before(self.day, 24)[0],
        }

    def place(self, customer_ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the position of each id in the chunk, −1 where it is none of its customers."""
        if len(self.ids) == 0:
            return np.full(len(customer_ids), -1, dtype=np.intp)
        first, last = int(self.ids.min()), int(self.ids.max())
        if last - first < 16 * len(self.ids):
            places = np.full(last - first + 2, -1, dtype=np.intp)
            places[self.ids - first] = np.arange(len(self.ids))
            is_inside = (customer_ids >= first) & (customer_ids <= last)
            return places[np.where(is_inside, customer_ids - first, len(places) - 1)]
        order = np.argsort(self.ids, kind="stable")
        at = order[np.minimum(np.searchsorted(self.ids[order], customer_ids), len(order) - 1)]
        return np.where(self.ids[at] == customer_ids, at, -1)


def features(business_date: date, slot_from: int, slot_until: int) -> pd.DataFrame:
    """Return one row per customer with a slot in [slot_from, slot_until), by slot; index customer_id.

    Columns: ``slot`` int64 and every term that is no score, float64 with NaN where it is missing.
    Merged customers are left out.  Usage comes from the blocks as built last; for a handful of
    customers from the rows themselves.
    """
    chunk = _chunk(business_date, slot_from, slot_until)
    arrived_tickets, arrived_activity = _arrived(chunk)
    contract = _contracts(chunk)
    people, active_days = _activity(chunk, contract.terms["seats"], has_arrived=arrived_activity)
    used = _usage(chunk, contract, active_days if arrived_activity else None)
    if not arrived_activity:
        people["weekly_active_users"] = used["weekly_active_users_reported"]
        people["weekly_active_ratio"] = people["weekly_active_users"] / contract.terms["seats"]
    else:
        used["logins_28"] = np.where(np.isnan(used["logins_28"]), people["user_days_28"], used["logins_28"])
    terms = {
        **contract.terms,
        **people,
        **used,
        **_offers(chunk, contract, used),
        **_voice(chunk, has_arrived=arrived_tickets),
        **_touches(chunk),
        **_purchases(chunk),
    }
    return pd.DataFrame(
        {"slot": chunk.slots, **{key: np.asarray(terms[key], dtype=np.float64) for key in LOADED}},
        index=pd.Index(chunk.ids, name="customer_id"),
    )


def daily(business_date: date, days: Mapping[str, int], *, slot_from: int, slot_until: int) -> dict[str, NDArray[np.float64]]:
    """Return float64 [days, customers] per term that has a daily series, the last row being the business date.

    Customers stand in the order of ``features``; terms without a daily series are not in the answer.
    """
    wanted = {term: n for term, n in days.items() if TERMS[term].has_daily}
    if not wanted:
        return {}
    chunk = _chunk(business_date, slot_from, slot_until)
    longest = max(wanted.values())
    given = _usage_inputs(chunk, _contracts(chunk), counter_days=longest + _ACTIVITY_DAYS, gauge_days=longest + windows.HOLD_DAYS)
    series = windows.daily_terms(given, days=longest)
    return {term: series[term][-n:] for term, n in wanted.items()}


def working_days(last: date, days: int) -> NDArray[np.bool_]:
    """Tell for each of the days up to ``last`` whether most offices work: business days, but for Obon."""
    span = (last - timedelta(days=ago) for ago in reversed(range(days)))
    return np.array([is_business_day(day) and (day.month, day.day) not in _OBON for day in span], dtype=bool)


def days_of_a_week(day: date) -> int:
    """Return how many days up to the day make a week's worth: 7, or where holidays leave fewer than 3 working days
    of these, as many as hold 5 working days (14 at most)."""
    working = working_days(day, 14)[::-1]
    if working[:7].sum() >= 3:
        return 7
    enough = np.flatnonzero(np.cumsum(working) >= 5)
    return int(enough[0]) + 1 if len(enough) else 14


def _chunk(business_date: date, slot_from: int, slot_until: int) -> _Chunk:
    rows = copy_to_arrays(sources.CUSTOMERS, {"slot_from": slot_from, "slot_until": slot_until}, dtypes={"id": "i8", "slot": "i4"})
    return _Chunk(business_date, slot_from, slot_until, rows["id"], rows["slot"].astype(np.int64))


def _usage_inputs(chunk: _Chunk, contract: holdings.Holdings, *, counter_days: int, gauge_days: int) -> windows.UsageInputs:
    """Read the stored values of every metric, so many days of each kind."""
    metrics = list(Metric.objects.order_by("key").values_list("id", "key", "kind"))
    counters = [(pk, key) for pk, key, kind in metrics if kind == MetricKind.COUNTER]
    gauges = [(pk, key) for pk, key, kind in metrics if kind != MetricKind.COUNTER]
    first_counter_day = chunk.day - timedelta(days=counter_days - 1)
    first_gauge_day = chunk.day - timedelta(days=gauge_days - 1)
    is_few = len(chunk.ids) <= _FEW

    def read(ids: list[int], first: date) -> NDArray[np.float32]:
        if is_few:
            return usage.read_customers(chunk.ids.tolist(), ids, first, chunk.day)
        block = usage.read_days(ids, first, chunk.day, slot_from=chunk.slot_from, slot_until=chunk.slot_until)
        return block if len(chunk.ids) == block.shape[2] else block[:, :, chunk.slots - chunk.slot_from]

    counter_ids = [pk for pk, _ in counters]
    return windows.UsageInputs(
        counters=read(counter_ids, first_counter_day),
        counter_keys=tuple(key for _, key in counters),
        feed=usage.feed_days(counter_ids, first_counter_day, chunk.day, built=not is_few),
        working=working_days(chunk.day, counter_days),
        gauges=read([pk for pk, _ in gauges], first_gauge_day),
        gauge_keys=tuple(key for _, key in gauges),
        activity=None,
        seats=contract.terms["seats"],
        quotas=contract.quotas,
    )


def _catalogue(day: date) -> tuple[holdings.Item, ...]:
    """Return the products with their list prices a year in the reporting currency."""
    rows = list(Product.objects.order_by("pk"))
    table = exchange.read()
    used = {row.currency or table.reporting for row in rows if row.list_price is not None}
    known = table.on(day, used)
    return tuple(
        holdings.Item(
            pk=row.pk,
            code=row.code,
            kind=row.kind,
            family=row.family,
            tier=row.tier,
            price_year=np.nan
            if row.list_price is None
            else float(money.arr_of(row.list_price, row.billing_months) * known[row.currency or table.reporting]),
            included_seats=row.included_seats,
            quota={metric: float(limit) for metric, limit in (row.included_quota or {}).items()},
            complements=tuple(row.complements or ()),
        )
        for row in rows
    )


def _in_reporting_currency(rows: Mapping[str, NDArray[Any]], column: str, day: date) -> NDArray[np.float64]:
    """Return a column of hundredths as amounts in the reporting currency, rounded per row."""
    cents, currency = pd.Series(rows[column]), pd.Series(rows["currency"].astype(np.int64))
    known = exchange.read().on(day, (ledger.currency_code(number) for number in currency.unique()))
    return ledger.converted(cents, currency, known) / 100


def _contracts(chunk: _Chunk) -> holdings.Holdings:
    catalogue = _catalogue(chunk.day)
    place = {item.pk: i for i, item in enumerate(catalogue)}
    rows = _rows(chunk, sources.LINES, sources.LINES_TYPES)
    lines = holdings.Lines(
        customer=chunk.place(rows["customer_id"]),
        item=np.array([place[pk] for pk in rows["product_id"].tolist()], dtype=np.intp),
        quantity=rows["quantity"],
        mrr=_in_reporting_currency(rows, "mrr_cents", chunk.day),
        arr=_in_reporting_currency(rows, "arr_cents", chunk.day),
        due=rows["due"].astype(np.int64),
        notice_days=rows["notice_days"].astype(np.int64),
        auto_renew=rows["auto_renew"].astype(np.int64),
        is_trial=rows["is_trial"].astype(bool),
        is_paused=rows["is_paused"].astype(bool),
    )
    held = holdings.hold(lines, catalogue, customers=len(chunk.ids))
    firsts = _rows(chunk, sources.FIRST_PAID, sources.FIRST_PAID_TYPES)
    events = _rows(chunk, sources.EVENTS, sources.EVENTS_TYPES)
    started = np.fmin(_spread(chunk, firsts, "trial_started", least=0), _spread(chunk, events, "trial_started", least=0))
    ended = _spread(chunk, events, "trial_ended", least=0)
    from_event = _spread(chunk, events, "trial_started", least=0)
    is_open = ~np.isnan(from_event) & (np.isnan(ended) | (ended > from_event)) & (from_event < _TRIAL_DAYS)
    held.terms.update(
        days_since_first_paid=_spread(chunk, firsts, "first_paid", least=0),
        days_since_trial_started=started,
        open_trials=np.maximum(held.terms.pop("trial_lines"), is_open),
        budget_freeze=np.nan_to_num(_spread(chunk, events, "is_frozen"), nan=0.0),
    )
    return held


def _activity(
    chunk: _Chunk, seats: NDArray[np.float64], *, has_arrived: bool
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """Return the terms from single users, and on which of the last 28 days anybody was active (the last row is the day)."""
    active = np.zeros((_ACTIVITY_DAYS, len(chunk.ids)), dtype=bool)
    if not has_arrived:
        return {key: np.full(len(chunk.ids), np.nan) for key in _ACTIVITY_TERMS}, active
    rows = _rows(chunk, sources.ACTIVITY, sources.ACTIVITY_TYPES)
    departments = _rows(chunk, sources.DEPARTMENTS, sources.DEPARTMENTS_TYPES)
    days = _rows(chunk, sources.ACTIVE_DAYS, sources.ACTIVE_DAYS_TYPES)
    active[_ACTIVITY_DAYS - 1 - days["ago"], chunk.place(days["customer_id"])] = True
    weekly, monthly = (_spread(chunk, rows, column, absent=0.0) for column in ("users_7", "users_28"))
    terms = {
        "weekly_active_users": weekly,
        "weekly_active_ratio": weekly / seats,
        "active_users_28": monthly,
        "active_users_added_28": monthly - _spread(chunk, rows, "users_before", absent=0.0),
        "departments_active_28": _spread(chunk, departments, "departments", absent=0.0),
        "login_minutes_28": _spread(chunk, rows, "minutes", absent=0.0),
        "user_days_28": _spread(chunk, rows, "user_days", absent=0.0),
    }
    return terms, active


def _usage(chunk: _Chunk, contract: holdings.Holdings, active_days: NDArray[np.bool_] | None) -> dict[str, NDArray[np.float64]]:
    """Return the usage terms; the last use is looked for further back where the windows do not show one."""
    given = _usage_inputs(chunk, contract, counter_days=windows.COUNTER_DAYS, gauge_days=windows.GAUGE_DAYS)
    given = replace(given, activity=active_days)
    terms = windows.usage_terms(given)
    ids = dict(Metric.objects.values_list("key", "pk"))
    names = np.array([float(ids[key]) for key in (*given.counter_keys, *given.gauge_keys)] + [np.nan])
    terms["feature_burst_metric"] = names[terms.pop("burst_metric_key").astype(np.intp)]
    terms["quota_metric"] = names[terms["quota_metric_key"].astype(np.intp)]
    is_long_ago = np.isnan(terms["usage_recency_days"])
    if is_long_ago.any():
        terms["usage_recency_days"][is_long_ago] = _last_use(chunk, chunk.ids[is_long_ago], given, ids)
    return terms


def _last_use(
    chunk: _Chunk, customer_ids: NDArray[np.int64], given: windows.UsageInputs, ids: Mapping[str, int]
) -> NDArray[np.float64]:
    """Return the days since the last use or activity of customers that show none in the windows."""
    metrics = [ids[given.counter_keys[i]] for i in windows.feature_counters(given.counter_keys)]
    first = chunk.day - timedelta(days=len(given.counters) - 1)
    used = usage.last_days_of_use(customer_ids.tolist(), metrics, before=first)
    ago = (pd.Timestamp(chunk.day) - used).dt.days.astype(np.float64).reindex(customer_ids)
    active = copy_to_arrays(
        sources.LAST_ACTIVITY, {**chunk.params, "customers": customer_ids.tolist()}, dtypes=sources.LAST_ACTIVITY_TYPES
    )
    seen = pd.Series(active["ago"].astype(np.float64), index=active["customer_id"]).reindex(customer_ids)
    return np.fmin(ago.to_numpy(np.float64), seen.to_numpy(np.float64))


def _offers(chunk: _Chunk, contract: holdings.Holdings, used: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return what could be offered next: related products with what others pay for them, and more capacity."""
    codes = {code for item in contract.catalogue for code in item.complements}
    related = [item.pk for item in contract.catalogue if item.code in codes]
    low = np.array([item.price_year for item in contract.catalogue])
    high = low.copy()
    if related:
        rows = copy_to_arrays(sources.OWNED_PRICES, {**chunk.params, "products": related}, dtypes=sources.OWNED_PRICES_TYPES)
        place = {item.pk: i for i, item in enumerate(contract.catalogue)}
        for column, prices in (("low", low), ("high", high)):
            cents = {**rows, column: np.round(rows[column] * 100).astype(np.int64)}
            amounts = _in_reporting_currency(cents, column, chunk.day)
            most = np.lexsort((rows["lines"], rows["product_id"]))  # of several currencies the one with most lines stays
            prices[[place[pk] for pk in rows["product_id"][most].tolist()]] = amounts[most]
    metrics = sorted(contract.quotas)
    ids = dict(Metric.objects.filter(key__in=metrics).values_list("pk", "key"))
    position = pd.Series({float(pk): metrics.index(key) for pk, key in ids.items()}, dtype=np.float64)
    tightest = pd.Series(used["quota_metric"]).map(position).fillna(-1).to_numpy(np.float64).astype(np.intp)
    return {
        **holdings.related_offer(contract, low, high),
        **holdings.capacity_offer(contract, share=used["quota_used_ratio"], metric=tightest, metrics=metrics),
    }


def _voice(chunk: _Chunk, *, has_arrived: bool) -> dict[str, NDArray[np.float64]]:
    tickets = _rows(chunk, sources.TICKETS, sources.TICKETS_TYPES)
    answers = _rows(chunk, sources.NPS, sources.NPS_TYPES)
    none = 0.0 if has_arrived else np.nan
    count = _spread(chunk, answers, "answers", absent=0.0)
    balance = _spread(chunk, answers, "promoters") - _spread(chunk, answers, "detractors")
    share = 100 * balance / np.where(count > 0, count, np.nan)
    return {
        "open_tickets": _spread(chunk, tickets, "open", absent=none),
        "open_p1_tickets": _spread(chunk, tickets, "p1", absent=none),
        "open_escalations": _spread(chunk, tickets, "escalated", absent=none),
        "tickets_28": _spread(chunk, tickets, "opened_28", absent=none),
        "satisfaction_90": _spread(chunk, tickets, "satisfaction"),
        "nps": np.copysign(np.floor(np.abs(share) + 0.5), share) + 0.0,
        "nps_answers": count,
        "nps_latest": _spread(chunk, answers, "latest"),
        "nps_detractors_90": np.where(count > 0, _spread(chunk, answers, "detractors_90", absent=0.0), np.nan),
    }


def _touches(chunk: _Chunk) -> dict[str, NDArray[np.float64]]:
    rows = _rows(chunk, sources.TOUCHES, sources.TOUCHES_TYPES)
    return {
        "contacts_7": _spread(chunk, rows, "contacts_7", absent=0.0),
        "offers_30": _spread(chunk, rows, "offers_30", absent=0.0),
        "days_since_touch": _spread(chunk, rows, "touch", least=0),
        "days_since_executive_touch": _spread(chunk, rows, "executive", least=0),
        "days_since_refusal": _spread(chunk, rows, "refusal", least=0),
    }


def _purchases(chunk: _Chunk) -> dict[str, NDArray[np.float64]]:
    """Return recency, frequency and value of purchases; an amount counts in the reporting currency, rounded by itself."""
    found = [_rows(chunk, statement, sources.PURCHASES_TYPES) for statement in (sources.ORDERS, sources.UPGRADES)]
    rows = {name: np.concatenate([part[name] for part in found]) for name in sources.PURCHASES_TYPES}
    bought = pd.DataFrame(
        {
            "customer": chunk.place(rows["customer_id"]),
            "day": rows["day"].astype("datetime64[s]"),
            "amount_cents": np.round(_in_reporting_currency(rows, "cents", chunk.day) * 100).astype(np.int64),
        }
    )
    summary = rfm.summarise(bought, as_of=chunk.day, customers=len(chunk.ids))
    known = summary["recency_days"].notna()
    return {
        "purchase_recency_days": summary["recency_days"].to_numpy(np.float64),
        "purchase_tenure_days": summary["tenure_days"].to_numpy(np.float64),
        "purchase_frequency": summary["frequency"].where(known).to_numpy(np.float64),
        "purchase_monetary": (summary["monetary_cents"] / 100).where(known).to_numpy(np.float64),
    }


def _rows(chunk: _Chunk, statement: str, dtypes: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Read a statement of ``sources``; rows of customers that are merged or not of the chunk are dropped."""
    rows = copy_to_arrays(statement, chunk.params, dtypes=dtypes)
    is_here = chunk.place(rows["customer_id"]) >= 0
    return rows if is_here.all() else {name: values[is_here] for name, values in rows.items()}


def _spread(
    chunk: _Chunk, rows: Mapping[str, NDArray[Any]], column: str, *, absent: float = np.nan, least: float | None = None
) -> NDArray[np.float64]:
    """Lay a column over all customers; ``absent`` where there is no row, NaN below ``least``."""
    values = rows[column].astype(np.float64)
    if least is not None:
        values = np.where(values < least, np.nan, values)
    out = np.full(len(chunk.ids), absent)
    out[chunk.place(rows["customer_id"])] = values
    return out


def _arrived(chunk: _Chunk) -> tuple[bool, bool]:
    with connection.cursor() as cursor:
        cursor.execute(sources.ARRIVED, chunk.params)
        tickets, activity = cursor.fetchone()
    return tickets, activity
