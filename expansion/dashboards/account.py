"""All about one customer on one page, in a handful of statements.

``find`` reads what hangs on the customer in one statement, ``build`` adds contract lines, usage, activity and
imports (one each) and puts everything into the reader's words; templates ask nothing further.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, JSONObject
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from numpy.typing import NDArray

from accounts.datasets import DATASETS
from accounts.models import (
    ActivityDaily,
    Contact,
    ContractLine,
    Customer,
    Department,
    Identity,
    ImportBatch,
    Metric,
    NpsResponse,
    Opportunity,
    Order,
    Product,
    Ticket,
    Touch,
)
from accounts.models.contracts import LineStatus, ProductKind
from accounts.models.customers import ContactRole, Phase
from accounts.models.imports import BatchState
from accounts.models.usage import MetricKind
from expansion import clock, formats, periods
from expansion.copying import copy_to_arrays
from expansion.dashboards import customers, small_lines
from expansion.users.models import Role, User
from playbooks import cards, timeline, triage
from signals.compute import holdings
from signals.models import HealthScore, RfmScore
from signals.models.alerts import AlertState, PlayKind
from signals.terms import TERMS

SHOWN_CHARTS = 6
_MOST_LINES = 400
_GAP_DAYS = 45
# Who is named first: those who decide, then those who help, use and pay.
_ROLES = (ContactRole.DECISION_MAKER, ContactRole.EXECUTIVE, ContactRole.CHAMPION, ContactRole.USER, ContactRole.BILLING)
_KINDS = (
    ProductKind.PLAN, ProductKind.CAPACITY, ProductKind.ADDON, ProductKind.PRODUCT, ProductKind.SERVICE, ProductKind.SEAT,
)  # fmt: skip
_OFFERS = ("proposal", "offer", "refusal")


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One open alert of the customer, as the queue would show it."""

    id: int
    name: str
    icon: str
    play: str
    facts: str
    priority: int
    raised_on: date
    due_on: date
    is_over: bool
    is_lead: bool
    is_stopped: bool
    owner: str
    snoozed_until: datetime | None
    is_snoozed: bool
    amount: Decimal | None
    amount_kind: str
    currency: str


@dataclass(frozen=True, slots=True)
class Line:
    """One contract line with what follows from it: when it renews, and by when notice must be given."""

    id: int
    name: str
    kind: str
    kind_name: str
    quantity: Decimal | None
    is_seats: bool
    starts_on: date
    until: date | None
    months: int | None
    arr: Decimal
    currency: str
    discount: Decimal | None
    auto_renew: bool | None
    renews_on: date | None
    notice_on: date | None
    state: str
    source: str
    line_id: str
    file: str
    file_line: int | None


@dataclass(frozen=True, slots=True)
class Lines:
    """The contract lines: in service at the close of the day, still to come, and over."""

    current: tuple[Line, ...]
    coming: tuple[Line, ...]
    past: tuple[Line, ...]
    arr: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One measure over thirteen months, with the limit that went with it."""

    name: str
    now: str
    limit: str
    share: float | None
    about: str
    label: str
    drawing: small_lines.Drawing


@dataclass(frozen=True, slots=True)
class BandArea:
    """Where a band lies behind the health line: from the top, in parts of a hundred."""

    code: str
    top: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


@dataclass(frozen=True, slots=True)
class Health:
    """The health score over time and what it is made of today."""

    pieces: tuple[str, ...]
    areas: tuple[BandArea, ...]
    first_on: date | None
    last_on: date | None
    label: str
    measures: tuple[cards.Points, ...]
    version: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    on: date
    score: int
    name: str
    comment: str
    kind: str


@dataclass(frozen=True, slots=True)
class TicketRow:
    opened_on: date
    closed_on: date | None
    severity: str
    theme: str
    state: str
    is_open: bool
    is_escalated: bool
    satisfaction: Decimal | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    on: date
    product: str
    kind: str
    quantity: Decimal | None
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Deal:
    """An opportunity or an offer: what was proposed, and what came of it."""

    on: date
    kind: str
    product: str
    amount: Decimal | None
    currency: str
    discount: Decimal | None
    state: str
    result: str
    closed_on: date | None
    note: str


@dataclass(frozen=True, slots=True)
class Holding:
    """A product that the customer has (``state``: held, trial) or could have (fits: goes well with one held; other)."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    name: str
    headcount: int | None
    may_use: bool
    users: int


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The newest finished import of a dataset from a source."""

    dataset: str
    source: str
    at: datetime
    rows: int
    has_failed_since: bool


@dataclass(frozen=True, slots=True)
class Account:
    """Everything the page shows about a customer as of a day."""

    customer: Customer
    standing: Any
    as_of: date
    phase: str
    plan: str
    alerts: tuple[OpenAlert, ...]
    lines: Lines
    renewing: tuple[Line, ...]
    charts: tuple[Chart, ...]
    first_day: date
    health: Health
    lenses: tuple[cards.Lens, ...]
    people: tuple[cards.Person, ...]
    holdings: tuple[Holding, ...]
    tickets: tuple[TicketRow, ...]
    answers: tuple[Answer, ...]
    counted_answers: tuple[Answer, ...]
    orders: tuple[OrderRow, ...]
    deals: tuple[Deal, ...]
    departments: tuple[DepartmentRow, ...]
    identities: tuple[tuple[str, str], ...]
    merged: tuple[tuple[str, str], ...]
    children: tuple[tuple[str, str], ...]
    timeline: tuple[timeline.Item, ...]
    timeline_next: str
    sources: tuple[SourceRow, ...]

    @property
    def open_tickets(self) -> int:
        return sum(ticket.is_open for ticket in self.tickets)


def find(user: User, customer_id: str, *, as_of: date) -> Customer | None:
    """Return the visible customer with that ID and all that hangs on it, in one statement; None where there is none."""
    found = Customer.objects.visible_to(user).filter(customer_id=customer_id)
    return _annotated(found, user, as_of=as_of).first()


def find_staying(user: User, merged: Customer) -> Customer | None:
    """Return the customer that a merged one went into, however many steps away; None where the person may not see it."""
    seen = {merged.pk}
    customer: Customer | None = merged
    while customer is not None and customer.merged_into_id is not None and customer.merged_into_id not in seen:
        seen.add(customer.merged_into_id)
        customer = Customer.objects.visible_to(user).filter(pk=customer.merged_into_id).first()
    return customer if customer is not None and customer.merged_into_id is None else None


def history(
    user: User, customer_pk: int, *, kind: str, before: datetime | None, language: str
) -> tuple[list[timeline.Item], str] | None:
    """Return a page of a visible customer's timeline and where the next one begins; None where there is no such customer."""
    newest = {f"timeline_{name}": rows for name, rows in timeline.sources(OuterRef("pk"), kind=kind, before=before).items()}
    found = Customer.objects.visible_to(user).filter(pk=customer_pk).annotate(**newest).values(*newest).first()
    if found is None:
        return None
    rows = {name.removeprefix("timeline_"): value for name, value in found.items()}
    return timeline.page(rows, before=before, language=language)


def build(customer: Any, *, user: User, as_of: date, language: str) -> Account:
    """Put the page of a customer that ``find`` returned into words; four more statements."""
    standing = getattr(customer, "standing", None)
    products = {product["id"]: product for product in customer.products_found}
    plan = next((product for product in products.values() if standing and product["code"] == standing.plan_code), None)
    rows = list(
        ContractLine.objects.filter(customer=customer)
        .select_related("product", "batch")
        .order_by("-starts_on", "-pk")[:_MOST_LINES]
    )
    lines = _lines(rows, as_of=as_of, language=language)
    is_hidden = user.role == Role.VIEWER
    answers = tuple(_answer(found, is_hidden=is_hidden) for found in customer.answers_found)
    first_renewal = min((line.renews_on for line in lines.current if line.renews_on), default=None)
    items, later = timeline.page(
        {name.removeprefix("timeline_"): value for name, value in vars(customer).items() if name.startswith("timeline_")},
        before=None,
        language=language,
    )
    first_day = as_of - timedelta(days=small_lines.DAYS - 1)
    return Account(
        customer=customer,
        standing=standing,
        as_of=as_of,
        phase=str(Phase(customer.phase).label) if customer.phase else "",
        plan=triage.product_name(plan, language),
        alerts=tuple(
            _alert(found, products=products, plan=plan, standing=standing, language=language) for found in customer.alerts_found
        ),
        lines=lines,
        renewing=tuple(line for line in lines.current if first_renewal is not None and line.renews_on == first_renewal),
        charts=_charts(customer, rows, list(products.values()), as_of=as_of, language=language),
        first_day=first_day,
        health=_health(customer, first_day=first_day, language=language),
        lenses=tuple(_lens(found) for found in sorted(customer.lenses_found, key=lambda found: found["lens"], reverse=True)),
        people=_people(customer, is_hidden=is_hidden),
        holdings=_holdings(rows, products, as_of=as_of, language=language),
        tickets=tuple(sorted((_ticket(found) for found in customer.tickets_found), key=lambda ticket: not ticket.is_open)),
        answers=answers,
        counted_answers=_counted(customer.answers_found, answers, as_of=as_of),
        orders=tuple(_order(found, language) for found in customer.orders_found),
        deals=_deals(customer, language),
        departments=_departments(customer),
        identities=tuple((found["source"], found["id"]) for found in customer.identities_found),
        merged=tuple((found["id"], found["name"]) for found in customer.merged_found),
        children=tuple((found["id"], found["name"]) for found in customer.children_found),
        timeline=tuple(items),
        timeline_next=later,
        sources=_sources(language),
    )


def _annotated(found: QuerySet[Customer], user: User, *, as_of: date) -> QuerySet[Customer]:
    mine = OuterRef("pk")
    first_day = as_of - timedelta(days=small_lines.DAYS - 1)
    alerts = customers.worked_on().filter(customer=mine).order_by("-is_lead", "-priority", "pk").values(
        json=JSONObject(
            id="pk", ja="rule_version__body__name_ja", en="rule_version__body__name_en", icon="rule_version__body__icon",
            evidence="evidence", priority="priority", play="play_kind", offer="offer", raised="raised_on", due="due_on",
            lead="is_lead", stopped="is_stopped", owner="owner__name", state="state", until="snoozed_until",
            low=Cast("expected_low", TextField()), high=Cast("expected_high", TextField()), currency="expected_currency",
        )
    )  # fmt: skip
    scores = HealthScore.objects.filter(customer=mine, business_date__gte=first_day, business_date__lte=as_of)
    newest_first = scores.order_by("-business_date")
    points = newest_first.values(json=JSONObject(on="business_date", points="points", version="version_id"))
    lenses = RfmScore.objects.filter(customer=mine, business_date=OuterRef("standing__as_of")).values(
        json=JSONObject(
            lens="lens", segment="segment", r="r", f="f", m="m", recency="recency_days", frequency="frequency",
            monetary=Cast("monetary", TextField()),
        )
    )  # fmt: skip
    products = Product.objects.order_by("kind", "family", "tier", "pk").values(
        json=JSONObject(
            id="pk", code="code", ja="name", en="name_en", kind="kind", family="family", tier="tier", seats="included_seats",
            quota="included_quota", complements="complements",
        )
    )  # fmt: skip
    metrics = Metric.objects.order_by("pk").values(
        json=JSONObject(id="pk", key="key", kind="kind", unit="unit", label_ja="label_ja", label_en="label_en")
    )
    last_touch = Touch.objects.filter(contact=OuterRef("pk"), withdrawn_at__isnull=True).order_by("-touched_at")
    contacts = Contact.objects.filter(customer=mine).order_by("pk").values(
        json=JSONObject(
            id="pk", name="name", email="email", title="title", department="department", role="role", out="has_opted_out",
            last=Subquery(last_touch.values(json=JSONObject(at="touched_at", kind="kind"))[:1]),
            nps=Subquery(NpsResponse.objects.filter(contact=OuterRef("pk")).order_by("-responded_on", "-pk").values("score")[:1]),
        )
    )  # fmt: skip
    answers = NpsResponse.objects.filter(customer=mine, responded_on__lte=as_of).order_by("-responded_on", "-pk").values(
        json=JSONObject(
            on="responded_on", score="score", comment="comment", contact="contact_id", name="contact__name", who="respondent"
        )
    )  # fmt: skip
    tickets = Ticket.objects.filter(customer=mine).order_by("-opened_at", "-pk").values(
        json=JSONObject(
            opened="opened_at", closed="closed_at", severity="severity", status="status", theme="theme", escalated="is_escalated",
            satisfaction=Cast("satisfaction", TextField()),
        )
    )  # fmt: skip
    orders = Order.objects.filter(customer=mine).order_by("-ordered_on", "-pk").values(
        json=JSONObject(
            on="ordered_on", kind="kind", quantity=Cast("quantity", TextField()), amount=Cast("amount", TextField()),
            currency="currency", ja="product__name", en="product__name_en",
        )
    )  # fmt: skip
    opportunities = Opportunity.objects.filter(customer=mine).order_by("-opened_on", "-pk").values(
        json=JSONObject(
            on="opened_on", closed="closed_on", stage="stage", result="result", kind="kind", amount=Cast("amount", TextField()),
            currency="currency", discount=Cast("discount_percent", TextField()), reason="reason", competitor="competitor",
            ja="product__name", en="product__name_en",
        )
    )  # fmt: skip
    offers = Touch.objects.filter(customer=mine, kind__in=_OFFERS, withdrawn_at__isnull=True).order_by("-touched_at", "-pk").values(
        json=JSONObject(at="touched_at", kind="kind", until="until", note="note")
    )  # fmt: skip
    departments = Department.objects.filter(customer=mine, as_of__lte=as_of).order_by("name", "-as_of").distinct("name").values(
        json=JSONObject(name="name", headcount="headcount", may_use="may_use")
    )  # fmt: skip
    active = Q(events__gt=0) | Q(minutes__gt=0)
    at_work = (
        ActivityDaily.objects.filter(active, customer=mine, day__gt=as_of - timedelta(days=28), day__lte=as_of)
        .exclude(department="")
        .values("department")
        .annotate(users=Count("user_key", distinct=True))
        .values(json=JSONObject(name="department", users=Count("user_key", distinct=True)))
    )
    visible = Customer.objects.visible_to(user).values(json=JSONObject(id="customer_id", name="name"))
    merged = Customer.objects.filter(merged_into=mine).order_by("pk").values(json=JSONObject(id="customer_id", name="name"))
    identities = Identity.objects.filter(customer=mine).order_by("source", "external_id")
    return found.select_related("standing", "owner__team", "parent").annotate(
        alerts_found=ArraySubquery(alerts[:20]),
        scores_found=ArraySubquery(scores.order_by("business_date").values(json=JSONObject(on="business_date", score="score"))),
        points_found=ArraySubquery(points[:31]),
        health_model=Subquery(newest_first.values(json=JSONObject(number="version__number", body="version__body"))[:1]),
        lenses_found=ArraySubquery(lenses),
        products_found=ArraySubquery(products[:500]),
        metrics_found=ArraySubquery(metrics[:500]),
        contacts_found=ArraySubquery(contacts[:100]),
        answers_found=ArraySubquery(answers[:50]),
        tickets_found=ArraySubquery(tickets[:50]),
        orders_found=ArraySubquery(orders[:50]),
        opportunities_found=ArraySubquery(opportunities[:50]),
        offers_found=ArraySubquery(offers[:50]),
        departments_found=ArraySubquery(departments[:100]),
        at_work_found=ArraySubquery(at_work[:100]),
        identities_found=ArraySubquery(identities.values(json=JSONObject(source="source", id="external_id"))[:20]),
        merged_found=ArraySubquery(merged[:20]),
        children_found=ArraySubquery(visible.filter(parent=mine, merged_into__isnull=True).order_by("name_kana", "pk")[:20]),
        has_visible_parent=Exists(Customer.objects.visible_to(user).filter(pk=OuterRef("parent_id"))),
        **{f"timeline_{name}": newest for name, newest in timeline.sources(mine).items()},
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _amount(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None


def _alert(
    found: Mapping[str, Any],
    *,
    products: Mapping[int, Mapping[str, Any]],
    plan: Mapping[str, Any] | None,
    standing: Any,
    language: str,
) -> OpenAlert:
    low, high, kind, offer = _amount(found["low"]), _amount(found["high"]), found["play"], found["offer"]
    offered, seats = products.get(int(offer.get("product_id") or 0)), standing.seats if standing else None
    due = date.fromisoformat(found["due"])
    until = datetime.fromisoformat(found["until"]) if found["until"] else None
    return OpenAlert(
        id=found["id"],
        name=found[language] or found["ja"] or "",
        icon=found["icon"] or triage.play_icon(kind, offer),
        play=triage.play_words(kind, offer, offered=offered, plan=plan, seats=seats, language=language),
        facts=timeline.evidence_words(found["evidence"] or (), language),
        priority=found["priority"],
        raised_on=date.fromisoformat(found["raised"]),
        due_on=due,
        is_over=due < clock.today(),
        is_lead=found["lead"],
        is_stopped=found["stopped"],
        owner=found["owner"] or "",
        is_snoozed=found["state"] == AlertState.WAITING,
        snoozed_until=until,
        amount=None if low is None or high is None else (low + high) / 2,
        amount_kind="gain" if kind in triage.GAINING else "loss" if kind == PlayKind.DOWNSELL else "keep",
        currency=found["currency"],
    )


def _lines(rows: Sequence[ContractLine], *, as_of: date, language: str) -> Lines:
    newest: dict[tuple[str, str], date] = {}
    for row in rows:
        key = (row.source, row.line_id)
        newest[key] = max(newest.get(key, row.starts_on), row.starts_on)
    made = [_line(row, is_newest=newest[row.source, row.line_id] == row.starts_on, as_of=as_of, language=language) for row in rows]
    current = [line for line, row in zip(made, rows, strict=True) if _is_in_service(row, as_of)]
    current.sort(key=lambda line: (line.kind != ProductKind.PLAN, -line.arr, line.line_id))
    sums: dict[str, Decimal] = {}
    for line in current:
        if line.state not in {"trial", "paused"}:
            sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.arr
    return Lines(
        current=tuple(current),
        coming=tuple(line for line in made if line.starts_on > as_of and (line.until is None or line.until > line.starts_on)),
        past=tuple(line for line, row in zip(made, rows, strict=True) if row.starts_on <= as_of and not _is_in_service(row, as_of)),
        arr=tuple(sums.items()),
    )


def _is_in_service(row: ContractLine, day: date) -> bool:
    """Tell what ``accounts.contracts.in_service`` asks the database."""
    return row.starts_on <= day and (row.service_until is None or row.service_until > day)


def _is_trial(row: ContractLine, day: date) -> bool:
    return row.trial_ends_on >= day if row.trial_ends_on is not None else row.status == LineStatus.TRIAL


def _is_paused(row: ContractLine, day: date) -> bool:
    if row.paused_from is None:
        return row.status == LineStatus.PAUSED and (row.paused_before is None or row.paused_before > day)
    return row.paused_from <= day and (row.paused_before is None or row.paused_before > day)


def _line(row: ContractLine, *, is_newest: bool, as_of: date, language: str) -> Line:
    until = row.service_until or row.ends_before
    due = next((day for day in (row.renews_on, row.ends_before) if day is not None and day > as_of), None)
    has_notice = row.cancelled_on is not None and row.cancelled_on <= as_of
    renews = due if is_newest and not has_notice and row.arr > 0 and _is_in_service(row, as_of) else None
    states = {
        "trial": _is_trial(row, as_of), "paused": _is_paused(row, as_of), "cancelled": has_notice,
        "past_due": row.past_due_since is not None and row.past_due_since <= as_of,
    }  # fmt: skip
    return Line(
        id=row.pk,
        name=(row.product.name_en if language == "en" else "") or row.product.name,
        kind=row.product.kind,
        kind_name=str(ProductKind(row.product.kind).label),
        quantity=row.quantity,
        is_seats=row.product.kind in {ProductKind.PLAN, ProductKind.SEAT},
        starts_on=row.starts_on,
        until=until,
        months=_months(row.starts_on, row.renews_on or until),
        arr=row.arr,
        currency=row.currency,
        discount=row.discount_percent,
        auto_renew=row.auto_renew,
        renews_on=renews,
        notice_on=renews - timedelta(days=row.notice_days) if renews and row.notice_days else None,
        state=next((name for name, holds in states.items() if holds), ""),
        source=row.source,
        line_id=row.line_id,
        file=row.batch.filename if row.batch else "",
        file_line=row.source_line,
    )


def _months(first: date, end: date | None) -> int | None:
    return max(round((end - first).days / 30.4375), 1) if end is not None and end > first else None


# ── usage ──

_USAGE = """
    WITH mine AS (
        SELECT metric_id, day, value FROM accounts_usagedaily
        WHERE customer_id = %(customer)s AND day BETWEEN %(first)s AND %(last)s
    )
    SELECT f.metric_id, f.day - %(first)s, coalesce(mine.value, 'NaN')
    FROM accounts_feedday f LEFT JOIN mine USING (metric_id, day)
    WHERE f.day BETWEEN %(first)s AND %(last)s AND f.metric_id IN (SELECT metric_id FROM mine)
"""
_ACTIVITY = """
    SELECT (day - %(first)s) / 7, count(DISTINCT user_key) FROM accounts_activitydaily
    WHERE customer_id = %(customer)s AND day BETWEEN %(first)s AND %(last)s AND (events > 0 OR minutes > 0) GROUP BY 1
"""


def _charts(
    customer: Any, rows: Sequence[ContractLine], products: Sequence[Mapping[str, Any]], *, as_of: date, language: str
) -> tuple[Chart, ...]:
    """Return the measures of thirteen months: seats, what has a limit, people, and then the rest by how much it is used."""
    span = {"customer": customer.pk, "first": as_of - timedelta(days=small_lines.DAYS - 1), "last": as_of}
    used = copy_to_arrays(_USAGE, span, dtypes={"metric": "i2", "day": "i4", "value": "f8"})
    people = copy_to_arrays(_ACTIVITY, span, dtypes={"week": "i4", "users": "i8"})
    held = held_by_week(rows, products, last=as_of)
    seats = _known(held.terms["seats"])
    made: list[tuple[tuple[int, float], Chart]] = []
    for metric in customer.metrics_found:
        of = used["metric"] == metric["id"]
        if not of.any():
            continue
        values, fed = np.full(small_lines.DAYS, np.nan), np.zeros(small_lines.DAYS, dtype=bool)
        values[used["day"][of]], fed[used["day"][of]] = used["value"][of], True
        limit = (
            seats if metric["key"] == "seats_used" else _known(held.quotas[metric["key"]]) if metric["key"] in held.quotas else []
        )
        place, chart = _chart(metric, values, fed, limit, language=language)
        made.append((place, chart))
    if len(people["week"]):
        weeks: list[float | None] = [None] * small_lines.WEEKS
        first = int(people["week"].min())
        for week in range(first, small_lines.WEEKS):
            weeks[week] = 0.0
        for week, users in zip(people["week"].tolist(), people["users"].tolist(), strict=True):
            weeks[week] = float(users)
        term = TERMS["weekly_active_users"]
        now = formats.count(round(weeks[-1] or 0), "people", language=language)
        made.append(
            (
                (2, 0.0),
                _drawn(
                    term.name(language),
                    weeks,
                    seats,
                    now=now,
                    about=term.definition(language),
                    limit_words="seats",
                    language=language,
                ),
            )
        )
    return tuple(chart for _place, chart in sorted(made, key=lambda one: one[0]))


def _chart(
    metric: Mapping[str, Any], values: NDArray[np.float64], fed: NDArray[np.bool_], limit: list[float | None], *, language: str
) -> tuple[tuple[int, float], Chart]:
    """Return the chart of a metric and where it stands: seats first, then what has a limit, then by use."""
    first = small_lines.first_known(values) or 0
    is_seats = metric["key"] == "seats_used"
    has_limit = any(value is not None for value in limit)
    recent = float(np.nansum(values[-small_lines.LIMIT_DAYS :]))
    name = TERMS["seats_used"].name(language) if is_seats else _label(metric, language)
    match metric["kind"]:
        case MetricKind.COUNTER if has_limit:
            weeks, about = small_lines.limit_sums(values, fed), _("Sum of 28 days against what the contract includes.")
        case MetricKind.COUNTER:
            weeks, about = small_lines.week_sums(values, fed), _("Sum per week.")
        case MetricKind.DISTINCT:
            weeks, about = small_lines.week_highs(values), _("Highest day of each week.")
        case _:
            weeks = small_lines.week_levels(values)
            about = TERMS["seats_used"].definition(language) if is_seats else _("Newest reading at the end of each week.")
    weeks = small_lines.from_first(weeks, first)
    newest = weeks[-1]
    if is_seats:
        now = formats.number(newest) if has_limit else _seats(newest, language)
    elif metric["kind"] == MetricKind.COUNTER and not has_limit:
        now = _per_week(newest, language)
    else:
        now = formats.number(newest) if has_limit else _with_unit(formats.number(newest), metric["unit"], language)
    words = "seats" if is_seats else metric["unit"] or ""
    place = (0, 0.0) if is_seats else (1, -recent) if has_limit else (3, -recent)
    return place, _drawn(name, weeks, limit, now=now, about=about, limit_words=words, language=language)


def _drawn(
    name: str, weeks: list[float | None], limit: list[float | None], *, now: str, about: str, limit_words: str, language: str
) -> Chart:
    last_limit = limit[-1] if limit else None
    shown = ""
    if last_limit is not None:
        if limit_words == "seats":
            shown = formats.count(round(last_limit), "seats", language=language)
        else:
            shown = _with_unit(formats.number(last_limit), limit_words, language)
    known = [value for value in weeks if value is not None]
    label = _("%(name)s: %(now)s. Thirteen months, from %(first)s to %(last)s.") % {
        "name": name, "now": f"{now} / {shown}" if shown else now, "first": formats.number(known[0] if known else None),
        "last": formats.number(known[-1] if known else None),
    }  # fmt: skip
    return Chart(
        name=name,
        now=now,
        limit=shown,
        share=known[-1] / last_limit if known and last_limit else None,
        about=about,
        label=label,
        drawing=small_lines.draw(weeks, limit),
    )


def held_by_week(rows: Sequence[ContractLine], products: Sequence[Mapping[str, Any]], *, last: date) -> holdings.Holdings:
    """Return seats and quotas at the end of each week, by the one rule that the nightly run counts them by.

    Each week takes the place of a customer in ``signals.compute.holdings``.
    """
    places = {product["id"]: place for place, product in enumerate(products)}
    catalogue = [
        holdings.Item(
            pk=product["id"], code=product["code"], kind=product["kind"], family=product["family"], tier=product["tier"],
            price_year=np.nan, included_seats=product["seats"],
            quota={key: float(limit) for key, limit in (product["quota"] or {}).items()},
            complements=tuple(product["complements"] or ()),
        )
        for product in products
    ]  # fmt: skip
    held: list[tuple[int, int, float, bool]] = []
    for week in range(small_lines.WEEKS):
        day = last - timedelta(days=7 * (small_lines.WEEKS - 1 - week))
        held += [
            (week, places[row.product_id], np.nan if row.quantity is None else float(row.quantity), _is_trial(row, day))
            for row in rows
            if row.product_id in places and _is_in_service(row, day)
        ]
    count = len(held)
    lines = holdings.Lines(
        customer=np.array([one[0] for one in held], dtype=np.intp), item=np.array([one[1] for one in held], dtype=np.intp),
        quantity=np.array([one[2] for one in held], dtype=np.float64), mrr=np.zeros(count), arr=np.zeros(count),
        due=np.full(count, -1, dtype=np.int64), notice_days=np.zeros(count, dtype=np.int64),
        auto_renew=np.full(count, -1, dtype=np.int64), is_trial=np.array([one[3] for one in held], dtype=bool),
        is_paused=np.zeros(count, dtype=bool),
    )  # fmt: skip
    return holdings.hold(lines, catalogue, customers=small_lines.WEEKS)


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _label(metric: Mapping[str, Any], language: str) -> str:
    return metric[f"label_{language}"] or metric["label_ja"] or metric["label_en"] or metric["key"]


def _with_unit(number: str, unit: str, language: str) -> str:
    """Add the unit as it was imported; a Japanese one means nothing to an English reader."""
    if not unit or (language == "en" and not unit.isascii()):
        return number
    return f"{number} {unit}" if unit.isascii() else f"{number}{unit}"


def _per_week(value: float | None, language: str) -> str:
    shown = formats.number(value)
    return f"週{shown}回" if language == "ja" else f"{shown} a week"


def _seats(value: float | None, language: str) -> str:
    return formats.count(None if value is None else round(value), "seats", language=language)


# ── health ──


def _health(customer: Any, *, first_day: date, language: str) -> Health:
    scores = [(date.fromisoformat(found["on"]), found["score"]) for found in customer.scores_found]
    pieces = small_lines.draw_scores(
        [(on - first_day).days for on, _score in scores], [score for _on, score in scores], longest_gap=_GAP_DAYS
    )
    known = [(on, score) for on, score in scores if score is not None]
    label = ""
    if known:
        label = _("Health score from %(first)s on %(first_day)s to %(last)s on %(last_day)s.") % {
            "first": known[0][1], "first_day": formats.day_full(known[0][0], language=language), "last": known[-1][1],
            "last_day": formats.day_full(known[-1][0], language=language),
        }  # fmt: skip
    cuts = ((customer.health_model or {}).get("body") or {}).get("cuts") or {"watch": 40, "healthy": 60, "excellent": 80}
    return Health(
        pieces=pieces,
        areas=_areas(cuts),
        first_on=scores[0][0] if scores else None,
        last_on=scores[-1][0] if scores else None,
        label=label,
        measures=_measures(customer, language),
        version=(customer.health_model or {}).get("number"),
    )


def _areas(cuts: Mapping[str, float]) -> tuple[BandArea, ...]:
    tops = {
        "excellent": 100.0,
        "healthy": float(cuts["excellent"]),
        "watch": float(cuts["healthy"]),
        "act_now": float(cuts["watch"]),
    }
    lows = {**{code: float(cuts[code]) for code in ("excellent", "healthy", "watch")}, "act_now": 0.0}
    return tuple(BandArea(code=code, top=100.0 - top, height=top - lows[code]) for code, top in tops.items())


def _measures(customer: Any, language: str) -> tuple[cards.Points, ...]:
    """Return the points of each measure of the newest score, and their change against 30 days before under the same version."""
    if not customer.points_found or not customer.health_model:
        return ()
    newest = customer.points_found[0]
    before_on = (date.fromisoformat(newest["on"]) - timedelta(days=30)).isoformat()
    before = next((one for one in customer.points_found if one["on"] == before_on and one["version"] == newest["version"]), None)
    measures = [measure for group in customer.health_model["body"]["groups"] for measure in group["measures"]]
    made = []
    for place, measure in enumerate(measures[: len(newest["points"])]):
        points, old = newest["points"][place], before["points"][place] if before else None
        name = measure.get(f"name_{language}") or TERMS[measure["term"]].name(language)
        made.append(cards.Points(name=name, points=points, change=None if points is None or old is None else points - old))
    return tuple(made)


def _lens(found: Mapping[str, Any]) -> cards.Lens:
    return cards.Lens(
        lens=found["lens"], segment=found["segment"], r=found["r"], f=found["f"], m=found["m"], recency_days=found["recency"],
        frequency=found["frequency"], monetary=_amount(found["monetary"]),
    )  # fmt: skip


# ── people and what they said ──


def _people(customer: Any, *, is_hidden: bool) -> tuple[cards.Person, ...]:
    """Return the contacts, those who decide first.  Who may not see names reads them shortened, and no addresses."""
    order = {role: place for place, role in enumerate(_ROLES)}
    people = []
    for contact in sorted(customer.contacts_found, key=lambda one: (order.get(one["role"], len(order)), one["id"])):
        last = contact["last"] or {}
        people.append(
            cards.Person(
                id=contact["id"],
                name=cards.masked(contact["name"]) if is_hidden else contact["name"],
                about=" ".join(part for part in (contact["department"], contact["title"]) if part),
                role=cards.role_name(contact["role"]),
                last_on=clock.day_of(datetime.fromisoformat(last["at"])) if last else None,
                last_kind=timeline.touch_name(last["kind"])[0] if last else "",
                nps=contact["nps"],
                email="" if is_hidden else contact["email"],
                has_opted_out=contact["out"],
                decides=contact["role"] in _ROLES[:3],
            )
        )
    return tuple(people)


def _answer(found: Mapping[str, Any], *, is_hidden: bool) -> Answer:
    name = found["name"] or found["who"] or ""
    kind = "promoter" if found["score"] >= 9 else "detractor" if found["score"] <= 6 else "passive"
    return Answer(
        on=date.fromisoformat(found["on"]),
        score=found["score"],
        name=cards.masked(name) if is_hidden else name,
        comment=found["comment"],
        kind=kind,
    )


def _counted(found: Sequence[Mapping[str, Any]], answers: Sequence[Answer], *, as_of: date) -> tuple[Answer, ...]:
    """Return the answers that make the NPS: of twelve months, the newest of each person; one without a person counts by itself."""
    since, _end = periods.months_before(as_of, 12)
    seen: set[str] = set()
    counted = []
    for raw, answer in zip(found, answers, strict=True):
        person = f"c{raw['contact']}" if raw["contact"] else f"r{raw['who']}" if raw["who"] else ""
        if answer.on >= since and (not person or person not in seen):
            counted.append(answer)
            seen.add(person)
    return tuple(counted)


def _ticket(found: Mapping[str, Any]) -> TicketRow:
    opened = datetime.fromisoformat(found["opened"])
    closed = datetime.fromisoformat(found["closed"]) if found["closed"] else None
    is_open = closed is None and found["status"] in {"open", "pending"}
    states = {
        "open": pgettext("ticket", "Open"), "pending": pgettext("ticket", "Pending"), "solved": pgettext("ticket", "Solved"),
        "closed": pgettext("ticket", "Closed"),
    }  # fmt: skip
    return TicketRow(
        opened_on=clock.day_of(opened),
        closed_on=clock.day_of(closed) if closed else None,
        severity=found["severity"].upper(),
        theme=found["theme"],
        state=states[found["status"]] if is_open or found["status"] in {"solved", "closed"} else states["closed"],
        is_open=is_open,
        is_escalated=found["escalated"],
        satisfaction=_amount(found["satisfaction"]),
    )


# ── what was bought and proposed ──


def _order(found: Mapping[str, Any], language: str) -> OrderRow:
    kinds = {
        "one_off": pgettext("order", "One-off"), "renewal": pgettext("order", "Renewal"), "upgrade": pgettext("order", "Upgrade"),
        "addon": pgettext("order", "Add-on"),
    }  # fmt: skip
    return OrderRow(
        on=date.fromisoformat(found["on"]),
        product=triage.product_name(found, language),
        kind=kinds[found["kind"]],
        quantity=_amount(found["quantity"]),
        amount=Decimal(found["amount"]),
        currency=found["currency"],
    )


def _deals(customer: Any, language: str) -> tuple[Deal, ...]:
    results = {"won": pgettext("deal", "Won"), "lost": pgettext("deal", "Lost")}
    deals = [
        Deal(
            on=date.fromisoformat(found["on"]),
            kind=str(PlayKind(found["kind"]).label) if found["kind"] in PlayKind.values else pgettext("deal", "Deal"),
            product=triage.product_name(found, language),
            amount=_amount(found["amount"]),
            currency=found["currency"],
            discount=_amount(found["discount"]),
            state=results.get(found["result"]) or found["stage"] or pgettext("deal", "Open"),
            result=found["result"],
            closed_on=_day(found["closed"]),
            note=" · ".join(part for part in (found["reason"], found["competitor"]) if part),
        )
        for found in customer.opportunities_found
    ]
    for found in customer.offers_found:
        until = _day(found["until"])
        deals.append(
            Deal(
                on=clock.day_of(datetime.fromisoformat(found["at"])),
                kind=timeline.touch_name(found["kind"])[0],
                product="",
                amount=None,
                currency="",
                discount=None,
                state=_("no offer until %(day)s") % {"day": formats.day_full(until, language=language)} if until else "",
                result="",
                closed_on=None,
                note=found["note"],
            )
        )
    return tuple(sorted(deals, key=lambda deal: deal.on, reverse=True))


def _holdings(
    rows: Sequence[ContractLine], products: Mapping[int, Mapping[str, Any]], *, as_of: date, language: str
) -> tuple[Holding, ...]:
    """Return what the customer has and could have: what goes well with it first, then the other products of the catalogue."""
    current = [row for row in rows if _is_in_service(row, as_of) and row.product.kind != ProductKind.SEAT]
    held = {row.product_id for row in current if not _is_trial(row, as_of)}
    tried = {row.product_id for row in current} - held
    codes = {products[pk]["code"] for pk in held | tried if pk in products}
    wanted = {code for pk in held if pk in products for code in products[pk]["complements"] or ()} - codes
    made = []
    for pk, product in sorted(products.items(), key=lambda one: _KINDS.index(one[1]["kind"])):
        if pk in held:
            state = "held"
        elif pk in tried:
            state = "trial"
        elif product["code"] in wanted:
            state = "fits"
        elif product["kind"] in {ProductKind.PRODUCT, ProductKind.ADDON}:
            state = "other"
        else:
            continue
        made.append(Holding(name=triage.product_name(product, language), state=state))
    order = ("held", "trial", "fits", "other")
    return tuple(sorted(made, key=lambda holding: order.index(holding.state)))


def _departments(customer: Any) -> tuple[DepartmentRow, ...]:
    """Return the departments, those at work in the last 28 days first; also those that only the activity names."""
    users = {found["name"]: found["users"] for found in customer.at_work_found}
    rows = [
        DepartmentRow(name=found["name"], headcount=found["headcount"], may_use=found["may_use"], users=users.pop(found["name"], 0))
        for found in customer.departments_found
    ]
    rows += [DepartmentRow(name=name, headcount=None, may_use=True, users=count) for name, count in users.items()]
    return tuple(sorted(rows, key=lambda row: (-row.users, row.name)))


def _sources(language: str) -> tuple[SourceRow, ...]:
    later = ImportBatch.objects.filter(
        dataset=OuterRef("dataset"), source=OuterRef("source"), state=BatchState.FAILED, id__gt=OuterRef("id")
    )
    newest = (
        ImportBatch.objects.filter(state=BatchState.DONE, dataset__in=DATASETS)
        .order_by("dataset", "source", "-id")
        .distinct("dataset", "source")
        .annotate(has_failed_since=Exists(later))
    )
    found = [
        SourceRow(
            dataset=DATASETS[batch.dataset].ja if language == "ja" else DATASETS[batch.dataset].en,
            source=batch.source,
            at=batch.finished_at or batch.received_at,
            rows=batch.rows,
            has_failed_since=batch.has_failed_since,
        )
        for batch in newest
    ]
    order = {(dataset.ja if language == "ja" else dataset.en): place for place, dataset in enumerate(DATASETS.values())}
    return tuple(sorted(found, key=lambda row: (order[row.dataset], row.source)))
