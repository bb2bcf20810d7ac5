"""From the hits of a run to alerts: an in-memory difference against what is open, then one COPY and few updates.

An alert that says tonight what it said last night is not rewritten.  Rows that a person changed
between reading and writing are left to the next night (the version is compared in the update).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
from django.db import connection

from expansion import periods
from expansion.copying import copy_rows, copy_to_frame
from signals import alerts
from signals.models.alerts import AlertState, PlayKind
from signals.terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from signals.models import Run

_COMPARE = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less}
# A value is news when it moved by this share of its threshold.
_NEWS = 0.1
_LEADS = {PlayKind.HELP: 0, PlayKind.RENEWAL: 1}
_JSON = ("priority_parts", "evidence", "guard", "offer")
_WRITTEN = (
    "rule_id", "rule_version_id", "play_kind", "playbook_key", "priority", "priority_parts", "evidence", "guard", "is_stopped",
    "expected_low", "expected_high", "expected_currency", "offer", "owner_id", "refreshed_on",
)  # fmt: skip


_STAGE = f"""
    CREATE TEMP TABLE alert_stage ON COMMIT DROP AS SELECT id, version, {", ".join(_WRITTEN)} FROM signals_alert WITH NO DATA
"""  # noqa: S608
_UPDATE = f"""
    UPDATE signals_alert a SET {", ".join(f"{name} = s.{name}" for name in _WRITTEN if name != "owner_id")},
           owner_id = coalesce(a.owner_id, s.owner_id), condition_ended_on = NULL
    FROM alert_stage s WHERE a.id = s.id AND a.open_key IS NOT NULL AND a.version = s.version
    RETURNING a.id, a.state
"""  # noqa: S608
_RESOLVE = """
    UPDATE signals_alert a SET state = 'closed', open_key = NULL, is_lead = false, closed_at = %s, close_reason = 'resolved',
           condition_ended_on = coalesce(condition_ended_on, %s), rearmed_on = %s, snoozed_until = NULL, snooze_condition = NULL
    FROM unnest(%s::bigint[], %s::bigint[]) AS s (id, version)
    WHERE a.id = s.id AND a.open_key IS NOT NULL AND a.version = s.version RETURNING a.id, a.customer_id
"""
_ENDED = """
    UPDATE signals_alert a SET condition_ended_on = %s FROM unnest(%s::bigint[], %s::bigint[]) AS s (id, version)
    WHERE a.id = s.id AND a.open_key IS NOT NULL AND a.version = s.version RETURNING a.id, a.state
"""
_RETURN = """
    UPDATE signals_alert a SET state = 'open', returned_at = %s, snoozed_until = NULL, snooze_condition = NULL
    FROM unnest(%s::bigint[], %s::bigint[]) AS s (id, version)
    WHERE a.id = s.id AND a.state = 'waiting' AND a.version = s.version RETURNING a.id, a.snooze_reason
"""


@dataclass(frozen=True, slots=True)
class Hits:
    """What the rules found for some customers on one business date.

    rows        one per (customer_id, family), index 0…n-1: rule_id, rule_version_id, play_kind, playbook_key,
                priority, is_stopped, expected_low_cents, expected_high_cents (Int64), expected_currency,
                owner_id (Int64), sla_business_days, cooldown_days, evidence and guard (lists of dicts)
    customers   every customer that was looked at, hit or not
    families    every family that was looked at; alerts of others stay as they are
    unknown     (customer_id, family) that could not be judged for lack of data: neither hit nor over
    resolving   ids of rules whose alerts close by themselves when their condition has stopped
    features    by customer_id, for the conditions of snoozed alerts
    parts       priority_parts of the rows at the given positions (made for what is written only)
    offers      offer of the rows at the given positions, likewise
    """

    rows: pd.DataFrame
    customers: np.ndarray
    families: frozenset[str]
    parts: Callable[[np.ndarray], list[Any]]
    offers: Callable[[np.ndarray], list[Any]]
    features: pd.DataFrame = field(default_factory=pd.DataFrame)
    unknown: frozenset[tuple[int, str]] = frozenset()
    resolving: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the alerts: each of the first three equals the history rows of that name."""

    raised: int = 0
    refreshed: int = 0
    resolved: int = 0
    rewritten: int = 0


def raise_from_hits(run: Run, hits: Hits, *, now: datetime) -> Counts:
    """Bring the alerts of the customers in line with the hits, inside the caller's transaction.  Twice = once."""
    day: date = run.business_date
    stored = _open_alerts(hits.customers)
    keyed = stored[stored["family"].isin(hits.families)].set_index(["customer_id", "family"])
    rows = hits.rows.set_index(["customer_id", "family"], drop=False)
    place = keyed.index.get_indexer(rows.index)
    history = _History(run, now)
    touched: set[int] = set()

    changed = _changed(keyed, hits, place)
    rewritten, refreshed = _rewrite(keyed, hits, place, changed, day=day, history=history)
    over = keyed[~keyed.index.isin(rows.index) & ~keyed.index.isin(list(hits.unknown))]
    resolved = _end(over, hits, day=day, now=now, history=history, touched=touched)
    _wake(stored, hits, now=now, history=history)

    quiet = _quiet(hits, rows.index, day=day)
    fresh = np.flatnonzero((place < 0) & ~rows.index.isin(quiet))
    fresh = fresh[_off_cooldown(hits.rows.iloc[fresh], day=day)]
    raised = _add(run, hits, fresh, alone=~hits.rows["customer_id"].isin(stored["customer_id"]).to_numpy(), history=history)
    touched |= set(hits.rows["customer_id"].iloc[fresh]) & set(stored["customer_id"])
    touched |= set(rewritten)

    history.write()
    if touched:
        alerts.choose_leads(int(customer) for customer in touched)
    return Counts(raised=raised, refreshed=refreshed, resolved=resolved, rewritten=len(rewritten) + resolved)


class _History:
    """The history rows of one call, written by one COPY."""

    def __init__(self, run: Run, now: datetime) -> None:
        self.run, self.now = run, now
        self.rows: list[tuple[Any, ...]] = []

    def note(self, alert_id: int, change: str, state: str, *, before: Any = None, after: Any = None, reason: str = "") -> None:
        self.rows.append((alert_id, change, state, _json(before), _json(after), reason))

    def write(self) -> None:
        frame = pd.DataFrame(self.rows, columns=["alert_id", "change", "state", "before", "after", "reason"])
        frame["at"], frame["run_id"] = self.now.isoformat(), self.run.pk
        copy_rows("signals_alertchange", frame)


def _open_alerts(customers: np.ndarray) -> pd.DataFrame:
    return copy_to_frame(
        """
        SELECT id, customer_id, family, state, rule_id, rule_version_id, priority, is_stopped, evidence::text, guard::text,
               (expected_low * 100)::bigint, (expected_high * 100)::bigint, owner_id, version, acknowledged_at IS NOT NULL,
               condition_ended_on, coalesce(snooze_condition::text, '')
        FROM signals_alert WHERE open_key IS NOT NULL AND customer_id = ANY(%s)
        """,
        [customers.tolist()],
        dtypes={
            "id": "int64", "customer_id": "int64", "family": "str", "state": "str", "rule_id": "int64", "rule_version_id": "int64",
            "priority": "int64", "is_stopped": "bool", "evidence": "str", "guard": "str", "low": "float64", "high": "float64",
            "owner_id": "float64", "version": "int64", "is_begun": "bool", "condition_ended_on": "date", "snooze_condition": "str",
        },
    )  # fmt: skip


def _changed(keyed: pd.DataFrame, hits: Hits, place: np.ndarray) -> np.ndarray:
    """Return the positions of the hits whose open alert no longer says the same."""
    again = np.flatnonzero(place >= 0)
    if not len(again):
        return again
    new, old = hits.rows.iloc[again], keyed.iloc[place[again]]
    differs = (
        (new["rule_version_id"].to_numpy() != old["rule_version_id"].to_numpy())
        | (new["priority"].to_numpy() != old["priority"].to_numpy())
        | (new["is_stopped"].to_numpy(bool) != old["is_stopped"].to_numpy())
        | (_as_float(new["expected_low_cents"]) != old["low"].fillna(-1).to_numpy())
        | (_as_float(new["expected_high_cents"]) != old["high"].fillna(-1).to_numpy())
        | (new["owner_id"].notna().to_numpy() & old["owner_id"].isna().to_numpy())
        | old["condition_ended_on"].notna().to_numpy()
    )
    loads = orjson.loads
    for i, evidence, stored, guard, stored_guard in zip(
        range(len(again)), new["evidence"], old["evidence"], new["guard"], old["guard"], strict=True
    ):
        if not differs[i]:
            same_guard = guard == loads(stored_guard) if guard or stored_guard != "[]" else True
            differs[i] = not (same_guard and _same_evidence(evidence, loads(stored)))
    return again[differs]


def _rewrite(
    keyed: pd.DataFrame, hits: Hits, place: np.ndarray, changed: np.ndarray, *, day: date, history: _History
) -> tuple[list[int], int]:
    """Update the alerts of the hits at the given positions; return the customers of those updated, and how many made news."""
    if not len(changed):
        return [], 0
    old = keyed.iloc[place[changed]]
    frame = _as_written(hits, changed, day=day)
    frame.insert(0, "id", old["id"].to_numpy())
    frame.insert(1, "version", old["version"].to_numpy())
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS alert_stage")
        cursor.execute(_STAGE)
        copy_rows("alert_stage", frame)
        cursor.execute(_UPDATE)
        states = dict(cursor.fetchall())
        cursor.execute("DROP TABLE alert_stage")
    refreshed, customers = 0, []
    found = hits.rows.iloc[changed].itertuples(index=False)
    for hit, was in zip(found, old.reset_index().itertuples(index=False), strict=True):
        if was.id not in states:
            continue
        customers.append(int(was.customer_id))
        if not pd.isna(was.condition_ended_on):
            history.note(was.id, "condition_back", states[was.id])
        before, after = _news(was, hit)
        if after:
            refreshed += 1
            history.note(was.id, "refreshed", states[was.id], before=before, after=after)
    return customers, refreshed


def _end(over: pd.DataFrame, hits: Hits, *, day: date, now: datetime, history: _History, touched: set[int]) -> int:
    """Note where a condition has stopped; close the alert where its rule says so and nobody has begun to work it."""
    if over.empty:
        return 0
    resolves = over["rule_id"].isin(hits.resolving) & ~over["is_begun"] & (over["state"] != AlertState.HELD)
    closing, ending = over[resolves], over[~resolves & over["condition_ended_on"].isna()]
    resolved = 0
    with connection.cursor() as cursor:
        if len(closing):
            cursor.execute(_RESOLVE, [now, day, day, closing["id"].tolist(), closing["version"].tolist()])
            for alert_id, customer_id in cursor.fetchall():
                history.note(alert_id, "resolved", AlertState.CLOSED.value)
                touched.add(customer_id)
                resolved += 1
        if len(ending):
            cursor.execute(_ENDED, [day, ending["id"].tolist(), ending["version"].tolist()])
            for alert_id, state in cursor.fetchall():
                history.note(alert_id, "condition_ended", state)
    return resolved


def _wake(stored: pd.DataFrame, hits: Hits, *, now: datetime, history: _History) -> None:
    """Bring back the snoozed alerts whose condition holds tonight."""
    due = []
    waiting = stored[stored["snooze_condition"] != ""]
    found = waiting[["id", "version", "customer_id", "snooze_condition"]].to_numpy().tolist()
    for alert_id, version, customer_id, said in found:
        condition = orjson.loads(said)
        if condition["term"] in hits.features and customer_id in hits.features.index:
            value = hits.features.loc[customer_id, condition["term"]]
            if _COMPARE[condition["op"]](value, condition["threshold"]):
                due.append((alert_id, version))
    if not due:
        return
    with connection.cursor() as cursor:
        cursor.execute(_RETURN, [now, [pk for pk, _ in due], [version for _, version in due]])
        for alert_id, reason in cursor.fetchall():
            history.note(alert_id, "returned", AlertState.OPEN.value, reason=reason)


def _quiet(hits: Hits, hit: pd.Index, *, day: date) -> pd.Index:
    """Return the (customer, family) that may not fire tonight, after letting go those whose quiet time is over."""
    closed = copy_to_frame(
        "SELECT id, customer_id, family, coalesce(quiet_until::text, '') FROM signals_alert "
        "WHERE state = 'closed' AND rearmed_on IS NULL AND customer_id = ANY(%s)",
        [hits.customers.tolist()],
        dtypes={"id": "int64", "customer_id": "int64", "family": "str", "quiet_until": "str"},
    )
    closed = closed[closed["family"].isin(hits.families)].set_index(["customer_id", "family"])
    is_hit = closed.index.isin(hit)
    is_unknown = closed.index.isin(list(hits.unknown))
    is_for_ever = (closed["quiet_until"] == alerts.NEVER.isoformat()).to_numpy()
    is_over = ((closed["quiet_until"] != "") & (closed["quiet_until"] <= day.isoformat())).to_numpy()
    free = ~is_for_ever & (is_over | (~is_hit & ~is_unknown))
    if free.any():
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE signals_alert SET rearmed_on = %s WHERE id = ANY(%s) AND state = 'closed'",
                [day, closed["id"][free].tolist()],
            )
    return closed.index[~free]


def _off_cooldown(rows: pd.DataFrame, *, day: date) -> np.ndarray:
    """Tell which of the hits are past the days that their rule leaves between two alerts."""
    if rows.empty:
        return np.ones(0, dtype=bool)
    last = copy_to_frame(
        "SELECT customer_id, family, max(raised_on) FROM signals_alert "
        "WHERE customer_id = ANY(%s) AND state = 'closed' GROUP BY customer_id, family",
        [rows["customer_id"].tolist()],
        dtypes={"customer_id": "int64", "family": "str", "raised_on": "date"},
    )
    if last.empty:
        return np.ones(len(rows), dtype=bool)
    merged = rows[["customer_id", "family", "cooldown_days"]].merge(last, on=["customer_id", "family"], how="left")
    waited = (pd.Timestamp(day) - merged["raised_on"]).dt.days
    return ~(waited < merged["cooldown_days"]).to_numpy()


def _add(run: Run, hits: Hits, fresh: np.ndarray, *, alone: np.ndarray, history: _History) -> int:
    """COPY the new alerts; where the customer has no other, the best of them leads the card."""
    if not len(fresh):
        return 0
    day: date = run.business_date
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('signals_alert', 'id')) FROM generate_series(1, %s)", [len(fresh)])
        ids = [row[0] for row in cursor.fetchall()]
    rows = hits.rows.iloc[fresh]
    frame = _as_written(hits, fresh, day=day)
    frame.insert(0, "id", ids)
    frame["customer_id"], frame["family"] = rows["customer_id"].to_numpy(), rows["family"].to_numpy()
    frame["open_key"] = [
        alerts.open_key(customer, family) for customer, family in zip(rows["customer_id"], rows["family"], strict=True)
    ]
    due = {days: periods.add_business_days(day, days) for days in rows["sla_business_days"].unique().tolist()}
    frame["due_on"] = [due[days].isoformat() for days in rows["sla_business_days"]]
    frame["raised_on"], frame["raised_by_id"] = day.isoformat(), run.pk
    frame["state"], frame["version"] = AlertState.OPEN.value, 1
    frame["snooze_reason"] = frame["held_reason"] = frame["close_reason"] = ""
    order = pd.DataFrame(
        {
            "customer_id": rows["customer_id"].to_numpy(), "place": rows["play_kind"].map(_LEADS).fillna(2).to_numpy(),
            "rank": -rows["priority"].to_numpy(), "id": ids, "alone": alone[fresh],
        }
    ).sort_values(["customer_id", "place", "rank", "id"])  # fmt: skip
    best = order[~order["customer_id"].duplicated() & order["alone"]]["id"]
    frame["is_lead"] = np.isin(frame["id"].to_numpy(), best.to_numpy())
    copy_rows("signals_alert", frame)
    for alert_id in ids:
        history.note(alert_id, "raised", AlertState.OPEN.value)
    return len(ids)


def _as_written(hits: Hits, positions: np.ndarray, *, day: date) -> pd.DataFrame:
    rows = hits.rows.iloc[positions]
    parts, offers = hits.parts(positions), hits.offers(positions)
    texts: dict[str, Any] = {"priority_parts": parts, "evidence": rows["evidence"], "guard": rows["guard"], "offer": offers}
    columns: dict[str, Any] = {name: [_json(value) for value in values] for name, values in texts.items()}
    for name in (
        "rule_id",
        "rule_version_id",
        "play_kind",
        "playbook_key",
        "priority",
        "is_stopped",
        "expected_currency",
        "owner_id",
    ):
        columns[name] = rows[name].to_numpy() if name != "owner_id" else rows[name].astype("Int64").array
    columns["expected_low"] = [_amount(cents) for cents in rows["expected_low_cents"]]
    columns["expected_high"] = [_amount(cents) for cents in rows["expected_high_cents"]]
    columns["refreshed_on"] = day.isoformat()
    return pd.DataFrame({name: columns[name] for name in _WRITTEN})


def _same_evidence(new: Sequence[Mapping[str, Any]], old: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether both print the same numbers; the day on which they were seen does not matter."""
    if len(new) != len(old):
        return False
    for now, was in zip(new, old, strict=True):
        if now["term"] != was["term"] or now["threshold"] != was["threshold"] or now.get("op") != was.get("op"):
            return False
        places = 2 if now["unit"] in {"ratio", "change"} else 1
        if now["value"] != was["value"] and (
            now["value"] is None or was["value"] is None or round(now["value"], places) != round(was["value"], places)
        ):
            return False
    return True


def _news(was: Any, hit: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is worth telling about a refresh, before and after; empty when the numbers only drifted."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    old = {item["term"]: item["value"] for item in orjson.loads(was.evidence)}
    for item in hit.evidence:
        term, value = item["term"], item["value"]
        if term not in old or old[term] is None or value is None:
            before[term], after[term] = old.get(term), value
        # Days go by on their own; that a renewal is one day nearer is no news.
        elif TERMS[term].unit != "days" and abs(value - old[term]) >= max(_NEWS * abs(item["threshold"]), 1e-9):
            before[term], after[term] = old[term], value
    guards = {guard["key"] for guard in orjson.loads(was.guard)}, {guard["key"] for guard in hit.guard}
    if guards[0] != guards[1]:
        before["guard"], after["guard"] = sorted(guards[0]), sorted(guards[1])
    if bool(was.is_stopped) != bool(hit.is_stopped):
        before["is_stopped"], after["is_stopped"] = bool(was.is_stopped), bool(hit.is_stopped)
    if was.rule_version_id != hit.rule_version_id:
        before["rule_version"], after["rule_version"] = int(was.rule_version_id), int(hit.rule_version_id)
    return before, after


def _as_float(cents: pd.Series) -> np.ndarray:
    return cents.astype("Float64").fillna(-1).to_numpy(float)


def _amount(cents: Any) -> str | None:
    if pd.isna(cents):
        return None
    whole, hundredths = divmod(abs(int(cents)), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{hundredths:02d}"


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
