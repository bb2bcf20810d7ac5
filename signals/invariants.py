"""What must hold of the stored rows, whatever was killed, repeated or imported (docs/invariants.md).

Each check names the rows that break it, and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection

from accounts import exchange, ledger, usage
from accounts.models import UsageBlock
from accounts.revenue import frames, months
from expansion.audit import trail
from signals import nightly
from signals.models import HealthScore, Run
from signals.models.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MOST = 50
_DAYS_AT_ONCE = 31


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: its number in docs/invariants.md, what it says, and the rows that break it."""

    key: str
    says: str
    broken: Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    key: str
    says: str
    broken: list[str]


def check_all(checks: Iterable[Check]) -> list[Finding]:
    """Carry out the checks; each finding names at most fifty rows."""
    return [Finding(check.key, check.says, list(islice(check.broken(), _MOST))) for check in checks]


def _rows(statement: str, words: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [words.format(*row) for row in cursor.fetchmany(_MOST)]


def _open_twice() -> list[str]:
    return _rows(
        "SELECT customer_id, family, count(*) FROM signals_alert WHERE state <> 'closed' GROUP BY 1, 2 HAVING count(*) > 1",
        "customer {0}, family {1}: {2} open alerts",
    )


def _leads() -> list[str]:
    return _rows(
        "SELECT customer_id, count(*) FILTER (WHERE is_lead) FROM signals_alert WHERE open_key IS NOT NULL "
        "GROUP BY 1 HAVING count(*) FILTER (WHERE is_lead) <> 1",
        "customer {0}: {1} alerts lead the card",
    )


def _dates_missing() -> list[str]:
    return _rows(
        """
        WITH span AS (SELECT min(business_date) AS first, max(business_date) FILTER (WHERE state = 'done') AS last
                      FROM signals_run WHERE job = 'nightly' AND is_scheduled)
        SELECT d::date, count(r.id), count(r.id) FILTER (WHERE r.state = 'done')
        FROM span, generate_series(first, last, interval '1 day') d
        LEFT JOIN signals_run r ON r.job = 'nightly' AND r.business_date = d::date
        GROUP BY 1 HAVING count(r.id) FILTER (WHERE r.state = 'done') <> 1 ORDER BY 1
        """,
        "{0}: {1} runs, {2} finished",
    )


def _counters() -> Iterable[str]:
    for run in Run.objects.filter(state=RunState.DONE).order_by("business_date"):
        for name, rows in nightly.counters(run).items():
            if getattr(run, name) != rows:
                yield f"run {run.pk} of {run.business_date}: {name} says {getattr(run, name)}, there are {rows}"


def _chunks() -> list[str]:
    return _rows(
        "SELECT r.business_date, c.id, c.state FROM signals_runchunk c JOIN signals_run r ON r.id = c.run_id "
        "WHERE r.state = 'done' AND c.state <> 'done'",
        "run of {0}: chunk {1} is {2}",
    )


def _histories() -> list[str]:
    return _rows(
        """
        SELECT a.id, a.state, h.first, h.last, h.raised
        FROM signals_alert a LEFT JOIN LATERAL (
            SELECT (array_agg(change ORDER BY id))[1] AS first, (array_agg(state ORDER BY id DESC))[1] AS last,
                   count(*) FILTER (WHERE change = 'raised') AS raised
            FROM signals_alertchange c WHERE c.alert_id = a.id
        ) h ON true
        WHERE h.first IS DISTINCT FROM 'raised' OR h.last IS DISTINCT FROM a.state OR h.raised <> 1
        """,
        "alert {0} is {1}; its history begins with {2}, ends with {3} and tells {4} raises",
    )


def _gaps() -> list[str]:
    words = "{0} {1}: {2} versions up to number {3}"
    return _rows(
        "SELECT 'rule', r.key, count(*), max(v.number) FROM signals_ruleversion v JOIN signals_rule r ON r.id = v.rule_id "
        "GROUP BY r.key HAVING count(*) <> max(v.number) OR min(v.number) <> 1",
        words,
    ) + _rows(
        "SELECT 'health model', m.key, count(*), max(v.number) FROM signals_healthmodelversion v "
        "JOIN signals_healthmodel m ON m.id = v.model_id GROUP BY m.key HAVING count(*) <> max(v.number) OR min(v.number) <> 1",
        words,
    )


def _audit() -> list[str]:
    return [f"audit entry {pk} does not follow from the one before" for pk in islice(trail.broken_links(), _MOST)]


def unguarded(tables: Iterable[str]) -> list[str]:
    """Return the tables whose trigger against updates and deletes is missing or switched off."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE %s AND tgenabled <> 'D'", ["%append_only"])
        guarded = {row[0] for row in cursor.fetchall()}
    return [f"{table} may be changed" for table in tables if table not in guarded]


def _append_only() -> list[str]:
    return unguarded(("audit_auditentry", "signals_alertchange"))


def _mrr() -> list[str]:
    return [f"customer {customer}" for customer in ledger.differing()]


def _movements() -> Iterable[str]:
    stretches = ledger.stretches_frame()
    if stretches.empty:
        return
    ends = stretches["until"].where(stretches["until"] != frames.NEVER)
    last = frames.day_of(int(max(stretches["begins"].max(), ends.max() if ends.notna().any() else 0)))
    stretches = ledger.in_reporting_currency(stretches, on=last, table=exchange.read())
    moves = months.movements(stretches)
    if moves.empty:
        return
    numbers = np.arange(moves["month"].min(), moves["month"].max() + 1)
    closing = months.balances(stretches, frames.last_day_of(numbers).tolist()).sum().to_numpy()
    change = (moves["after_cents"] - moves["before_cents"]).groupby(moves["month"]).sum().reindex(numbers, fill_value=0).cumsum()
    for month, told, is_so in zip(numbers, change, closing, strict=True):
        if told != is_so:
            month_name = f"{frames.first_of_month(int(month)):%Y-%m}"
            yield f"{month_name}: movements end at {told / 100:.2f}, contract lines say {is_so / 100:.2f}"


def _imports() -> list[str]:
    return _rows(
        """
        SELECT b.id, b.rows, b.applied + b.unchanged + b.waiting + b.rejected, b.rejected, count(DISTINCT r.line)
        FROM accounts_importbatch b LEFT JOIN accounts_rejectedrow r ON r.batch_id = b.id
        WHERE b.state = 'done' GROUP BY b.id
        HAVING b.rows <> b.applied + b.unchanged + b.waiting + b.rejected OR b.rejected <> count(DISTINCT r.line)
        """,
        "batch {0}: {1} rows, {2} accounted for; {3} refused, {4} kept as refused",
    )


def _blocks() -> Iterable[str]:
    days = UsageBlock.objects.order_by("day").values_list("day", flat=True)
    first, last = days.first(), days.last()
    if first is None or last is None:
        return
    for start in range(0, (last - first).days + 1, _DAYS_AT_ONCE):
        since = first + timedelta(days=start)
        until = min(since + timedelta(days=_DAYS_AT_ONCE - 1), last)
        for day, metric, block in usage.find_wrong_blocks(since, until):
            yield f"{day}, metric {metric}, block {block}"


def _scores() -> Iterable[str]:
    measures = dict(
        HealthScore.objects.order_by().values_list("version", "version__body").distinct()
    )  # fmt: skip
    counted = {pk: sum(len(group["measures"]) for group in body["groups"]) for pk, body in measures.items()}
    for version, expected in counted.items():
        wrong = HealthScore.objects.filter(version=version).exclude(points__len=expected)
        for customer, day in wrong.values_list("customer_id", "business_date")[:_MOST]:
            yield f"customer {customer} on {day}: the points do not fit the model version {version}"


CHECKS = (
    Check("C1", "At most one open alert per customer and rule family.", _open_twice),
    Check("C1b", "Exactly one open alert of a customer leads its card.", _leads),
    Check("C2", "Each business date since go-live has exactly one finished run.", _dates_missing),
    Check("C3", "The counters of a run equal its rows.", _counters),
    Check("C3b", "A finished run has finished every chunk.", _chunks),
    Check("C6", "Every alert has its history, from raised to the state it is in.", _histories),
    Check("C7", "The versions of rules and health models have no gap.", _gaps),
    Check("C8", "No audit entry was changed or removed.", _audit),
    Check("C8b", "History can only be added to.", _append_only),
    Check("C10", "The revenue ledger says what the contract lines say.", _mrr),
    Check("C11", "Opening and movements give the closing of every month.", _movements),
    Check("C14", "Every imported row is applied, unchanged, waiting or refused.", _imports),
    Check("C20", "Usage blocks equal a rebuild from the rows.", _blocks),
    Check("C22", "Every score fits the model version that made it.", _scores),
)
