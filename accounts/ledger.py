"""The ledger of recurring revenue: made from contract lines, rebuilt at will, read by everything that speaks of MRR."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from django.db import connection, transaction

from accounts import exchange
from accounts.models import ContractLine, MrrEvent
from accounts.revenue import changes, frames, months, rates, service
from expansion import money
from expansion.copying import copy_rows, copy_to_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

_LOCK = 7_210_002
LINES, EVENTS = ContractLine._meta.db_table, MrrEvent._meta.db_table
_NUMBERED = {name: kind for name, kind in frames.EVENTS.items() if name not in {"before_line", "after_line"}}


def _day(column: str, *, absent: int = frames.NEVER) -> str:
    return f"coalesce({column} - DATE '1970-01-01', {absent})"


# Three letters as one number, so that a frame holds integers only.
_CURRENCY = "((ascii({0}) * 256 + ascii(substr({0}, 2))) * 256 + ascii(substr({0}, 3)))"
_READ_STRETCHES = {
    "line": "l.id",
    "customer_id": "l.customer_id",
    "currency": _CURRENCY.format("l.currency"),
    "starts": _day("l.starts_on"),
    "trial_until": f"CASE WHEN l.trial_ends_on IS NOT NULL THEN {_day('l.trial_ends_on')} + 1 "
    f"WHEN l.status = 'trial' THEN {frames.NEVER} ELSE {frames.ALWAYS} END",
    "paused": f"CASE WHEN l.paused_from IS NULL AND l.status = 'paused' THEN {_day('l.starts_on')} "
    f"ELSE {_day('l.paused_from')} END",
    "resumed": _day("l.paused_before"),
    "mrr_cents": "(l.mrr * 100)::bigint",
}
_READ_LINES = _READ_STRETCHES | {
    "chain": "min(l.id) OVER (PARTITION BY l.source, l.line_id)",
    "product_id": "l.product_id",
    "ends": _day("l.ends_before"),
    "renews": _day("l.renews_on"),
    "cancelled": _day("l.cancelled_on"),
    "quantity": "l.quantity",
    "billing_months": "l.billing_months",
    "discount_percent": "l.discount_percent",
    "stored_until": _day("l.service_until"),
}
_READ_EVENTS = {
    "customer_id": "e.customer_id",
    "on": _day('e."on"'),
    "change_cents": "(e.change * 100)::bigint",
    "currency": _CURRENCY.format("e.currency"),
    "cause": "e.cause",
    "line": "e.line_id",
    "product_id": "e.product_id",
}


def currency_number(code: str) -> int:
    """Return the number that stands for a currency inside frames."""
    first, second, third = code.encode("ascii").ljust(3, b"\0")
    return (first * 256 + second) * 256 + third


def currency_code(number: int) -> str:
    return int(number).to_bytes(3, "big").rstrip(b"\0").decode("ascii")


@transaction.atomic
def rebuild(customer_ids: Sequence[int] | None = None) -> int:
    """Recompute ``service_until`` and the events of these customers (None: all); return for how many something changed.

    Set-based and safe to repeat: what is already right is not rewritten.  Two rebuilds wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    ids = None if customer_ids is None else _with_shared_lines(customer_ids)
    lines = _lines(ids)
    made = changes.events(lines, _products())
    touched = _write_service_until(lines[lines["until"] != lines["stored_until"]])
    differing = _differing(made, events_frame(customer_ids=ids))
    if differing.size:
        MrrEvent.objects.filter(customer_id__in=differing.tolist()).delete()
        _append(made[made["customer_id"].isin(differing)])
    return len(np.union1d(touched, differing))


def differing(customer_ids: Sequence[int] | None = None) -> list[int]:
    """Return the customers whose stored events are not what their contract lines say (invariant C10); nothing is written."""
    ids = None if customer_ids is None else _with_shared_lines(customer_ids)
    found = _differing(changes.events(_lines(ids), _products()), events_frame(customer_ids=ids))
    return [int(customer) for customer in found]


def events_frame(
    *,
    customer_ids: Sequence[int] | None = None,
    currency: str | None = None,
    causes: Sequence[str] | None = None,
    after: date | None = None,
    until: date | None = None,
) -> pd.DataFrame:
    """Return the stored events, in contract currency: all, or those of some customers, currency, causes, days (after, until].

    returns  columns customer_id, on (day number), change_cents, currency (number), cause, line, product_id
    """
    where, params = _where({
        "e.customer_id = ANY(%s)": None if customer_ids is None else list(map(int, customer_ids)),
        "e.currency = %s": currency, "e.cause = ANY(%s)": None if causes is None else list(causes),
        'e."on" > %s': after, 'e."on" <= %s': until,
    })  # fmt: skip
    return copy_to_frame(_select(_READ_EVENTS, EVENTS, where), params, dtypes=_NUMBERED)


def changes_frame(customer_ids: Sequence[int]) -> pd.DataFrame:
    """Return the events of a few customers, computed afresh, with the lines that paid before and after (columns EVENTS)."""
    ids = _with_shared_lines(customer_ids)
    made = changes.events(_lines(ids), _products())
    return made[made["customer_id"].isin(list(customer_ids))].reset_index(drop=True)


def stretches_frame(*, customer_ids: Sequence[int] | None = None) -> pd.DataFrame:
    """Return when and how much each line pays, in contract currency (columns STRETCHES)."""
    where, params = _where({"l.customer_id = ANY(%s)": None if customer_ids is None else list(map(int, customer_ids))})
    columns = _READ_STRETCHES | {"until": _day("l.service_until")}
    query = _select(columns, LINES, where)
    return service.stretches(copy_to_frame(query, params, dtypes=dict.fromkeys(columns, "int64")))


def in_reporting_currency(stretches: pd.DataFrame, *, on: date, table: exchange.Exchange) -> pd.DataFrame:
    """Return the stretches with every amount at the rate valid on a day, rounded per line."""
    known = table.on(on, (currency_code(number) for number in stretches["currency"].unique()))
    return stretches.assign(mrr_cents=converted(stretches["mrr_cents"], stretches["currency"], known))


def converted(cents: pd.Series, currency: pd.Series, known: Mapping[str, Decimal]) -> np.ndarray:
    """Return the amounts in the reporting currency, given the rate of each currency."""
    return rates.converted(cents.to_numpy(), currency.to_numpy(), {currency_number(code): rate for code, rate in known.items()})


def balances_frame(day: date, *, customer_ids: Sequence[int] | None = None, rates_on: date | None = None) -> pd.DataFrame:
    """Return the MRR of each paying customer at the close of a day, in the reporting currency at the rate of one day.

    returns  columns customer_id and mrr_cents, ordered by customer_id
    """
    stretches = in_reporting_currency(stretches_frame(customer_ids=customer_ids), on=rates_on or day, table=exchange.read())
    number = frames.day_number(day)
    cents = months.balances(stretches, [number])[number]
    return cents[cents > 0].rename("mrr_cents").reset_index()


def movements_frame(first: date, last: date, *, customer_ids: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the month-end movements of the months from that of first to that of last (columns MOVEMENTS).

    In the reporting currency at the rates of the last month's last day; what is new and what
    came back is judged by all history.
    """
    to_month = frames.month_number(last)
    rates_on = frames.day_of(frames.last_day_of(np.array([to_month]))[0])
    stretches = in_reporting_currency(stretches_frame(customer_ids=customer_ids), on=rates_on, table=exchange.read())
    rows = months.movements(stretches)
    return rows[rows["month"].between(frames.month_number(first), to_month)].reset_index(drop=True)


def _where(conditions: Mapping[str, object]) -> tuple[str, list[object]]:
    given = {condition: value for condition, value in conditions.items() if value is not None}
    return (f" WHERE {' AND '.join(given)}" if given else ""), list(given.values())


def _select(columns: Mapping[str, str], table: str, where: str) -> str:
    """Write the query; every part is a constant of this module, the values travel apart."""
    alias = next(iter(columns.values())).partition(".")[0]
    return f"SELECT {', '.join(columns.values())} FROM {table} {alias}{where}"  # noqa: S608


def _lines(customer_ids: Iterable[int] | None) -> pd.DataFrame:
    """Return the lines as ``changes`` takes them, with ``until``, and ``stored_until`` as the table has it."""
    where, params = _where({"l.customer_id = ANY(%s)": None if customer_ids is None else list(customer_ids)})
    query = _select(_READ_LINES, LINES, where)
    lines = copy_to_frame(query, params, dtypes={name: frames.LINES.get(name, "int64") for name in _READ_LINES})
    return lines.assign(until=service.service_until(lines))


def _products() -> pd.DataFrame:
    return copy_to_frame("SELECT id, kind, family FROM accounts_product", dtypes=frames.PRODUCTS)


def _with_shared_lines(customer_ids: Sequence[int]) -> list[int]:
    """Add the customers that share a line: where a line moved, the later period ends the earlier one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT b.customer_id FROM {LINES} a JOIN {LINES} b USING (source, line_id) "  # noqa: S608
            "WHERE a.customer_id = ANY(%s)",
            [list(map(int, customer_ids))],
        )
        found = {row[0] for row in cursor.fetchall()}
    return sorted(found | set(map(int, customer_ids)))


def _write_service_until(lines: pd.DataFrame) -> np.ndarray:
    """Store the ends that changed; return the customers concerned."""
    if lines.empty:
        return np.array([], dtype=np.int64)
    until = lines["until"].where(lines["until"] != frames.NEVER)
    stage = pd.DataFrame({"id": lines["line"], "until": pd.to_datetime(until, unit="D").astype("datetime64[s]")})
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE ledger_until (id bigint, until date) ON COMMIT DROP")
        copy_rows("ledger_until", stage)
        cursor.execute(f"UPDATE {LINES} l SET service_until = s.until FROM ledger_until s WHERE s.id = l.id")  # noqa: S608
        cursor.execute("DROP TABLE ledger_until")
    return lines["customer_id"].unique()


def _differing(made: pd.DataFrame, stored: pd.DataFrame) -> np.ndarray:
    """Return the customers whose events are not the same rows on both sides, whatever their order."""
    columns = list(_NUMBERED)
    both = pd.concat([made[columns].assign(side=1), stored[columns].assign(side=-1)], ignore_index=True)
    balance = both.groupby(columns, sort=False)["side"].sum()
    return np.unique(balance[balance != 0].index.get_level_values("customer_id").to_numpy(dtype=np.int64))


def _append(events: pd.DataFrame) -> None:
    codes = {number: currency_code(number) for number in events["currency"].unique()}
    copy_rows(EVENTS, pd.DataFrame({
        "customer_id": events["customer_id"], "on": pd.to_datetime(events["on"], unit="D").astype("datetime64[s]"),
        "change": events["change_cents"].map(money.from_cents), "currency": events["currency"].map(codes), "cause": events["cause"],
        "line_id": events["line"], "product_id": events["product_id"],
    }))  # fmt: skip
