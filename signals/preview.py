"""What a rule would do today, before it is published: against the snapshot of the newest finished run.

The same masks as at night, over the stored values; nothing is written.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Customer
from expansion.errors import DomainError
from signals import rules, runs, scoring, snapshots
from signals.compute import rules as rule_masks
from signals.models import RuleVersion, Standing
from signals.models.definitions import VersionState
from signals.terms import TERMS, format_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from expansion.users.models import User
    from signals.models import Rule

_SIGNS = {">=": "≥", ">": ">", "<=": "≤", "<": "<"}
# How far apart the candidate thresholds stand, by the unit of the term; a share of the threshold where none is given.
_STEPS = {"ratio": 0.05, "change": 0.05, "points": 5.0, "score": 0.5, "times": 0.5, "flag": 1.0}
_PLACES = (-2, -1, 0, 1, 2, 3)
_SHARE = 0.1


class NoSnapshot(DomainError):
    """No nightly run has finished yet, so there is nothing to try the rule on."""


class WrongSetting(DomainError):
    """A text that should set a threshold does not."""


@dataclass(frozen=True, slots=True)
class Row:
    """One customer, with the value of the rule's first condition."""

    customer_pk: int
    customer_id: str
    name: str
    owner_name: str
    band: str
    value: float | None


@dataclass(frozen=True, slots=True)
class OwnerCount:
    owner_name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What the body would do (``fires``) beside what the published version does (``before``) on the same values."""

    business_date: date
    fires: list[Row]
    starts: list[Row]
    stops: list[Row]
    stays: list[Row]
    before: int
    by_owner: list[OwnerCount]


@dataclass(frozen=True, slots=True)
class Histogram:
    """``counts`` of customers in bins of equal width from low to high; ``missing`` of ``customers`` have no value."""

    low: float
    high: float
    counts: list[int]
    missing: int
    customers: int


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition with the actual value; ``holds`` says that it lets the rule fire (an exception: that it does not apply)."""

    place: str
    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Tested:
    business_date: date
    clauses: list[Clause]
    fires: bool


def preview(body: Mapping[str, Any], *, rule: Rule | None, user: User | None, business_date: date | None = None) -> Preview:
    """Return on which customers the body would fire, start and stop; only those that the person may see (None: all)."""
    day = snapshot_date(business_date)
    draft = rule_masks.compile(body)
    live = RuleVersion.objects.filter(rule=rule, state=VersionState.PUBLISHED, rule__is_on=True).first() if rule else None
    compiled = [draft] if live is None else [draft, rule_masks.compile(live.body)]
    frame, found = _evaluate(compiled, day)
    after_ids = _visible(found.rules[0].customer_ids, user)
    before_ids = _visible(found.rules[1].customer_ids, user) if live else np.zeros(0, dtype=np.int64)
    first = draft.conditions[0].term if draft.conditions else ""
    everybody = np.union1d(after_ids, before_ids)
    rows = _rows(everybody, frame, first)
    before, after = set(before_ids.tolist()), set(after_ids.tolist())
    owners_before = Counter(rows[pk].owner_name for pk in before)
    owners_after = Counter(rows[pk].owner_name for pk in after)

    def listed(wanted: set[int]) -> list[Row]:
        return sorted((rows[pk] for pk in wanted), key=lambda row: (row.value is None, -(row.value or 0.0), row.customer_id))

    return Preview(
        business_date=day, fires=listed(after), starts=listed(after - before), stops=listed(before - after),
        stays=listed(after & before), before=len(before),
        by_owner=[
            OwnerCount(name, owners_before[name], owners_after[name])
            for name in sorted(owners_before.keys() | owners_after.keys(), key=lambda name: (-owners_after[name], name))
        ],
    )  # fmt: skip


def distribution(term: str, *, user: User | None, business_date: date | None = None, bins: int = 20) -> Histogram:
    """Return how the values of a term are spread over the customers that the person may see.

    Ratios stand between 0 and 100 % or the highest value; the rest between its lowest and highest value.
    """
    if term not in TERMS:
        raise DomainError(_("“%(term)s” is no measure that is known here; choose one from the list.") % {"term": term})
    frame = snapshots.read(snapshot_date(business_date), [term])
    frame = frame[np.isin(frame.index.to_numpy(np.int64), _visible(frame.index.to_numpy(np.int64), user))]
    values = frame[term].to_numpy(float)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if TERMS[term].unit == "ratio":
        low, high = 0.0, max(1.0, high)
    elif TERMS[term].unit in {"count", "days", "per_week", "times", "minutes", "money"}:
        low = min(0.0, low)
    if high <= low:
        high = low + 1.0
    counts, _edges = np.histogram(known, bins=bins, range=(low, high))
    return Histogram(low, high, counts.tolist(), len(values) - len(known), len(values))


def candidates(body: Mapping[str, Any], *, place: str) -> list[float]:
    """Return about six thresholds around that of the condition, the condition's own among them."""
    condition = _condition(body, place)
    term = TERMS[condition["term"]]
    threshold = float(condition["threshold"])
    step = _STEPS.get(term.unit) or max(round(abs(threshold) * _SHARE), 1)
    least, most = rules.limits(condition["term"])
    around = {round(threshold + n * step, 6) for n in _PLACES}
    return sorted(value for value in around if least <= value <= most)


def sweep(
    body: Mapping[str, Any],
    *,
    place: str = "when.0.0",
    thresholds: Sequence[float],
    user: User | None,
    business_date: date | None = None,
) -> list[int]:
    """Return on how many customers the body would fire with each threshold in that place."""
    day = snapshot_date(business_date)
    compiled = [rule_masks.compile(with_threshold(body, place, threshold)) for threshold in thresholds]
    _frame, found = _evaluate(compiled, day)
    return [len(_visible(hits.customer_ids, user)) for hits in found.rules]


def with_threshold(body: Mapping[str, Any], place: str, threshold: float) -> dict[str, Any]:
    """Return a copy of the body with another threshold in the condition at ``place`` ("when.0.1", "unless.0" or its key)."""
    copy = rules.RuleBody.from_json(body).to_json()
    _condition(copy, place)["threshold"] = float(threshold)
    return copy


def with_setting(body: Mapping[str, Any], setting: str) -> dict[str, Any]:
    """Return a copy of the body with a threshold set by a text such as "used.threshold=0.85"."""
    place, equals, value = setting.partition("=")
    name, dot, part = place.rpartition(".")
    try:
        threshold = float(value)
    except ValueError:
        threshold = math.nan
    if not equals or not dot or part != "threshold" or not math.isfinite(threshold):
        raise WrongSetting(_("“%(setting)s” sets nothing. Write it as CONDITION.threshold=NUMBER.") % {"setting": setting})
    return with_threshold(body, name, threshold)


def test_one(body: Mapping[str, Any], *, customer: Customer, business_date: date | None = None) -> Tested:  # noqa: PT028
    """Return what each clause of the body says about one customer, in the reader's language, and whether the rule fires."""
    day = snapshot_date(business_date)
    rule = rule_masks.compile(body)
    frame, daily, found = _evaluate_one(rule, day, customer)
    language = translation.get_language() or "en"
    shape = rules.RuleBody.from_json(body)
    clauses = []
    for i, group in enumerate(shape.when):
        for j, condition in enumerate(group):
            holds = _holds(condition, frame, daily)
            clauses.append(Clause(f"when.{i}.{j}", _clause_text(condition, frame, daily, language), holds))
    for i, condition in enumerate(shape.unless):
        text = _("Except %(clause)s") % {"clause": _clause_text(condition, frame, daily, language)}
        clauses.append(Clause(f"unless.{i}", text, not _holds(condition, frame, daily)))
    for name, column in (("plans", "plan_code"), ("segments", "segment"), ("bands", "band")):
        wanted = getattr(shape.scope, name)
        if wanted:
            has = str(frame[column].iloc[0]) if len(frame) else ""
            text = _("Only for %(wanted)s (this customer: %(has)s)") % {"wanted": ", ".join(wanted), "has": has or "–"}
            clauses.append(Clause(f"scope.{name}", text, has in wanted))
    return Tested(day, clauses, fires=len(found.rules[0]) > 0)


def as_json(found: Preview) -> dict[str, Any]:
    """Return the preview as the command and the API give it; customers by their ID."""
    return {
        "business_date": found.business_date.isoformat(),
        "before": found.before,
        **{
            name: [{"customer_id": row.customer_id, "name": row.name, "owner": row.owner_name, "value": row.value} for row in rows]
            for name, rows in (("fires", found.fires), ("starts", found.starts), ("stops", found.stops))
        },
        "by_owner": [{"owner": one.owner_name, "before": one.before, "after": one.after} for one in found.by_owner],
    }


def snapshot_date(business_date: date | None) -> date:
    """Return the date to try rules on: the one asked for, or that of the newest finished run."""
    if business_date is not None:
        return business_date
    run = runs.last_finished()
    if run is None:
        raise NoSnapshot(_("No nightly run has finished yet. The preview needs one."))
    return run.business_date


def _evaluate(compiled: Sequence[rule_masks.CompiledRule], day: date) -> tuple[pd.DataFrame, rule_masks.Hits]:
    frame = scoring.rule_frame(day, compiled, slot_from=0, slot_until=None)
    daily = scoring.rule_days(day, compiled)
    return frame, rule_masks.evaluate(compiled, frame, daily)


def _evaluate_one(
    rule: rule_masks.CompiledRule, day: date, customer: Customer
) -> tuple[pd.DataFrame, rule_masks.Daily, rule_masks.Hits]:
    first, until = customer.slot, customer.slot + 1
    frame = scoring.rule_frame(day, [rule], slot_from=first, slot_until=until)
    daily = scoring.rule_days(day, [rule], slot_from=first, slot_until=until)
    return frame, daily, rule_masks.evaluate([rule], frame, daily)


def _visible(customer_ids: np.ndarray, user: User | None) -> np.ndarray:
    if user is None or not len(customer_ids):
        return customer_ids
    allowed = Customer.objects.visible_to(user).filter(pk__in=customer_ids.tolist()).values_list("pk", flat=True)
    return np.intersect1d(customer_ids, np.fromiter(allowed, dtype=np.int64))


def _rows(customer_ids: np.ndarray, frame: pd.DataFrame, term: str) -> dict[int, Row]:
    at = frame.index.get_indexer(pd.Index(customer_ids))
    values = frame[term].to_numpy(float)[at] if term in frame else np.full(len(at), np.nan)
    value_of = dict(zip(customer_ids.tolist(), values.tolist(), strict=True))
    people = Customer.objects.filter(pk__in=customer_ids.tolist()).values_list("pk", "customer_id", "name", "owner__name")
    bands = dict(Standing.objects.filter(customer__in=customer_ids.tolist()).values_list("customer_id", "band"))
    return {
        pk: Row(pk, customer_id, name, owner or "", bands.get(pk, ""), value_of[pk] if np.isfinite(value_of[pk]) else None)
        for pk, customer_id, name, owner in people
    }


def _condition(body: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Find the condition at a place, by its key or by its term (the first of that term)."""
    clauses = {f"when.{i}.{j}": c for i, group in enumerate(body["when"]) for j, c in enumerate(group)}
    clauses |= {f"unless.{i}": c for i, c in enumerate(body.get("unless") or ())}
    named = {clause["key"]: clause for clause in reversed(list(clauses.values()))}
    by_term = {clause["term"]: clause for clause in reversed(list(clauses.values()))}
    found = clauses.get(place) or named.get(place) or by_term.get(place)
    if found is None:
        raise DomainError(
            _("The rule has no condition “%(place)s”. It has: %(known)s.") % {"place": place, "known": ", ".join(named)}
        )
    condition: dict[str, Any] = found
    return condition


def _holds(condition: rules.Condition, frame: pd.DataFrame, daily: rule_masks.Daily) -> bool:
    alone = rule_masks.compile({"when": [[{
        "key": condition.key, "term": condition.term, "op": condition.op, "threshold": condition.threshold,
        "sustained_days": condition.sustained_days,
    }]]})  # fmt: skip
    return len(rule_masks.evaluate([alone], frame, daily)) > 0


def _clause_text(condition: rules.Condition, frame: pd.DataFrame, daily: rule_masks.Daily, language: str) -> str:
    """Write a condition with what is: “席の使用率 86% ≥ 82%”."""
    term = TERMS[condition.term]
    value = float(frame[condition.term].iloc[0]) if condition.term in frame and len(frame) else float("nan")
    limit = f"{_SIGNS[condition.op]} {format_value(term, condition.threshold, language)}"
    if np.isfinite(value):
        text = f"{term.name(language)} {format_value(term, value, language)} {limit}"
    else:
        text = f"{term.name(language)} {limit} ({term.missing_text(language)})"
    if condition.sustained_days:
        text = _("%(condition)s for %(days)d days in a row") % {"condition": text, "days": condition.sustained_days}
        span = daily.get(condition.term)
        if span is not None and span.shape[1]:
            shown = ", ".join(format_value(term, float(day), language) for day in span[-condition.sustained_days :, 0])
            text = f"{text} ({shown})"
    return text
