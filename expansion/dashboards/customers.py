"""The book of customers as a list: filters, order, pages by keyset, totals and the rows of its export."""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Case,
    Count,
    DateField,
    DecimalField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, JSONObject, NullIf
from django.utils.datastructures import MultiValueDict
from django.utils.http import urlencode

from accounts.models import Customer, Product
from accounts.models.contracts import ProductKind
from expansion.dashboards import search
from expansion.money import ZERO
from expansion.users.models import User
from signals.models import Alert
from signals.models.alerts import AlertState
from signals.models.scores import Band, Segment

PAGE = 50
RENEWALS = (30, 60, 90, 120)
SORTS = ("name", "-arr", "arr", "score", "-score", "renewal")
NOBODY = "none"
_ALERTS_SHOWN = 20
_FAR = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the list.  Empty is no filter; ``owner`` is a person's id or NOBODY."""

    words: str = ""
    bands: tuple[str, ...] = ()
    plan: str = ""
    owner: str = ""
    team: str = ""
    renewal_days: int | None = None
    segment: str = ""
    alerts: str = ""

    @property
    def is_on(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row at the border of a page: the list goes on after it, or ends before it."""

    key: str
    id: int
    is_backward: bool = False

    def text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.key, self.id]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, *, is_backward: bool = False) -> Cursor | None:
        """Return the cursor, or None for what never was one."""
        try:
            key, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(str(key), int(pk), is_backward)
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the list somebody is: all of it stands in the address."""

    filters: Filters = Filters()
    sort: str = SORTS[0]
    cursor: Cursor | None = None

    @property
    def query(self) -> str:
        """The address's query for this filter and order, from the first page on."""
        given = self.filters
        pairs: list[tuple[str, Any]] = [("q", given.words), *(("band", band) for band in given.bands)]
        pairs += [("plan", given.plan), ("owner", given.owner), ("team", given.team), ("renews", given.renewal_days or "")]
        pairs += [("segment", given.segment), ("alerts", given.alerts), ("sort", self.sort if self.sort != SORTS[0] else "")]
        return urlencode([(name, value) for name, value in pairs if value != ""])


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """One customer in the list, in the words of the reader's language.  None is not known."""

    customer_id: str
    name: str
    name_kana: str
    domain: str
    industry: str
    band: str
    score: int | None
    change: int | None
    segment: str
    plan: str
    seats_used: int | None
    seats: int | None
    arr: Decimal | None
    currency: str
    renews_on: date | None
    owner: str
    team: str
    alerts: int
    lead_alert: int | None

    @property
    def seat_share(self) -> float | None:
        return None if self.seats_used is None or not self.seats else self.seats_used / self.seats


@dataclass(frozen=True, slots=True)
class Totals:
    """What the whole filter holds: the customers, and their yearly revenue per currency (one, but after a change of it)."""

    customers: int
    arr: tuple[tuple[str, Decimal], ...]
    before: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer, and whether the reader sees any customer at all."""

    plans: tuple[tuple[str, str], ...]
    owners: tuple[tuple[str, str], ...]
    teams: tuple[tuple[str, str], ...]
    has_any: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list.  ``first`` is the place of its first row, from 1; the cursors are "" where nothing lies that way."""

    rows: tuple[CustomerRow, ...]
    totals: Totals
    choices: Choices
    first: int
    next_cursor: str
    previous_cursor: str

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def place(query: MultiValueDict[str, str]) -> Place:
    """Read the address; what it says that means nothing is passed over."""

    def one(name: str, allowed: Sequence[str]) -> str:
        value = query.get(name) or ""
        return value if value in allowed else ""

    owner, renews = query.get("owner") or "", query.get("renews") or ""
    after, before = query.get("after") or "", query.get("before") or ""
    return Place(
        filters=Filters(
            words=unicodedata.normalize("NFKC", query.get("q") or "").replace("\x00", "").strip()[:80],
            bands=tuple(band for band in Band.values if band in query.getlist("band")),
            plan=(query.get("plan") or "").replace("\x00", "")[:60],
            owner=owner if owner == NOBODY or (owner.isdecimal() and len(owner) < 10) else "",
            team=(query.get("team") or "").replace("\x00", "")[:40],
            renewal_days=int(renews) if renews.isdecimal() and int(renews) in RENEWALS else None,
            segment=one("segment", Segment.values),
            alerts=one("alerts", ("open", "none")),
        ),
        sort=one("sort", SORTS) or SORTS[0],
        cursor=Cursor.read(after) if after else Cursor.read(before, is_backward=True) if before else None,
    )


def read(user: User, at: Place, *, as_of: date, language: str) -> Listing:
    """Return a page of the visible customers, the totals of the filter and what else could be filtered by: three statements."""
    key, is_descending = _key(at.sort)
    chosen = _chosen(user, at.filters, as_of=as_of).annotate(key=key)
    start = None if at.cursor is None else _key_value(at.cursor.key, at.sort)
    cursor = at.cursor if start is not None else None
    is_backward = cursor is not None and cursor.is_backward
    beyond = Q()
    if cursor is not None:
        beyond = _beyond(cursor, start, is_descending=is_descending != is_backward)
    order = ("-key" if is_descending != is_backward else "key", "-pk" if is_backward else "pk")
    found = list(_detailed(chosen.filter(beyond)).order_by(*order)[: PAGE + 1])
    is_more = len(found) > PAGE
    shown = found[:PAGE][::-1] if is_backward else found[:PAGE]
    choices = _choices(user, language)
    plans = dict(choices.plans)
    totals = _totals(chosen, None if cursor is None else cursor, start, is_descending=is_descending)
    first = totals.before - len(shown) + 1 if is_backward else totals.before + 1
    return Listing(
        rows=tuple(_row(customer, plans) for customer in shown),
        totals=totals,
        choices=choices,
        first=first,
        next_cursor=_border(shown[-1]) if shown and (is_backward or is_more) else "",
        previous_cursor=_border(shown[0]) if shown and (is_more if is_backward else cursor is not None) else "",
    )


def export(user: User, at: Place, *, as_of: date, language: str) -> Iterator[CustomerRow]:
    """Yield every customer of the filter in its order, without holding them all."""
    key, is_descending = _key(at.sort)
    chosen = _detailed(_chosen(user, at.filters, as_of=as_of).annotate(key=key))
    plans = dict(_choices(user, language).plans)
    for customer in chosen.order_by("-key" if is_descending else "key", "pk").iterator(2000):
        yield _row(customer, plans)


def worked_on() -> QuerySet[Alert]:
    """Return the alerts that count as open: to be worked or snoozed, not those that are held back."""
    return Alert.objects.open().exclude(state=AlertState.HELD)


def _chosen(user: User, filters: Filters, *, as_of: date) -> QuerySet[Customer]:
    rows = Customer.objects.visible_to(user).filter(merged_into__isnull=True)
    if filters.words:
        rows = rows.filter(search.matching(filters.words))
    if filters.bands:
        wanted = Q(standing__band__in=filters.bands)
        if Band.INSUFFICIENT in filters.bands:
            wanted |= Q(standing__isnull=True)
        rows = rows.filter(wanted)
    if filters.plan:
        rows = rows.filter(standing__plan_code=filters.plan)
    if filters.owner == NOBODY:
        rows = rows.filter(owner__isnull=True)
    elif filters.owner:
        rows = rows.filter(owner=int(filters.owner))
    if filters.team:
        rows = rows.filter(owner__team__key=filters.team)
    if filters.renewal_days is not None:
        # The same days as in the renewals of the metrics: after the data's last day, and that many days later at most.
        rows = rows.filter(standing__renews_on__gt=as_of, standing__renews_on__lte=as_of + timedelta(days=filters.renewal_days))
    if filters.segment:
        rows = rows.filter(standing__segment=filters.segment)
    if filters.alerts:
        has_open = Exists(worked_on().filter(customer=OuterRef("pk")))
        rows = rows.filter(has_open if filters.alerts == "open" else ~has_open)
    return rows


def _key(sort: str) -> tuple[Any, bool]:
    """Return what the list is sorted by, and whether the greatest comes first; the unknown come last either way."""
    match sort.lstrip("-"), sort.startswith("-"):
        case "arr", is_descending:
            unknown = Decimal(-1) if is_descending else Decimal("999999999999999")
            return Coalesce(
                "standing__arr", Value(unknown), output_field=DecimalField(max_digits=18, decimal_places=2)
            ), is_descending
        case "score", is_descending:
            return Coalesce("standing__score", Value(-1 if is_descending else 101), output_field=IntegerField()), is_descending
        case "renewal", _:
            return Coalesce("standing__renews_on", Value(_FAR), output_field=DateField()), False
    # The reading where there is one; a name in kanji alone has no place among readings, so it comes after them.
    nothing = Value("")
    named = Coalesce(NullIf("name_kana", nothing), NullIf("name_key", nothing), F("name"), output_field=TextField())
    return named, False


def _key_value(text: str, sort: str) -> Any:
    """Return the cursor's key as the database compares it; None for what is none."""
    try:
        match sort.lstrip("-"):
            case "arr":
                amount = Decimal(text)
                return amount if amount.is_finite() and abs(amount) < Decimal(10) ** 16 else None
            case "score":
                score = int(text)
                return score if -1 <= score <= 101 else None
            case "renewal":
                return date.fromisoformat(text)
    except (ValueError, InvalidOperation):
        return None
    return text.replace("\x00", "")[:200]


def _beyond(cursor: Cursor, start: Any, *, is_descending: bool) -> Q:
    same = Q(key=start, **{"pk__lt" if cursor.is_backward else "pk__gt": cursor.id})
    return Q(**{"key__lt" if is_descending else "key__gt": start}) | same


def _border(customer: Any) -> str:
    key = customer.key
    return Cursor(key.isoformat() if isinstance(key, date) else str(key), customer.pk).text()


def _detailed(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    open_alerts = worked_on().filter(customer=OuterRef("pk")).order_by("-is_lead", "-priority", "pk").values("pk")
    return rows.select_related("standing", "owner__team").annotate(open_alerts=ArraySubquery(open_alerts[:_ALERTS_SHOWN]))


def _totals(chosen: QuerySet[Customer], cursor: Cursor | None, start: Any, *, is_descending: bool) -> Totals:
    """Count and add up the whole filter, and count what lies before the page."""
    earlier: Any = Value(None, output_field=IntegerField())
    if cursor is not None:
        side = Q(**{"key__gt" if is_descending else "key__lt": start})
        upto = Q(key=start, **{"pk__lt" if cursor.is_backward else "pk__lte": cursor.id})
        earlier = Case(When(side | upto, then=Value(1)), output_field=IntegerField())
    found = list(
        chosen.annotate(earlier=earlier)
        .order_by()
        .values("standing__currency")
        .annotate(customers=Count("pk"), total=Sum("standing__arr"), before=Count("earlier"))
    )
    amounts = [(row["standing__currency"], row["total"]) for row in found if row["standing__currency"]]
    return Totals(
        customers=sum(row["customers"] for row in found),
        arr=tuple(sorted(((currency, total or ZERO) for currency, total in amounts), key=lambda one: -one[1])),
        before=sum(row["before"] for row in found),
    )


def _choices(user: User, language: str) -> Choices:
    visible = Customer.objects.visible_to(user).filter(merged_into__isnull=True)
    plans = Product.objects.filter(kind=ProductKind.PLAN).order_by("family", "tier", "code").values(
        json=JSONObject(code="code", ja="name", en="name_en")
    )  # fmt: skip
    owners = (
        User.objects.filter(Exists(visible.filter(owner=OuterRef("pk"))))
        .order_by("team__name", "name", "pk")
        .values(json=JSONObject(id="pk", name="name", team="team__key", team_name="team__name"))
    )
    found = (
        User.objects.filter(pk=user.pk)
        .annotate(plans=ArraySubquery(plans[:200]), owners=ArraySubquery(owners[:500]), has_any=Exists(visible))
        .values("plans", "owners", "has_any")
        .get()
    )
    teams = {owner["team"]: owner["team_name"] for owner in found["owners"] if owner["team"]}
    return Choices(
        plans=tuple((plan["code"], product_name(plan, language)) for plan in found["plans"]),
        owners=tuple((str(owner["id"]), owner["name"]) for owner in found["owners"]),
        teams=tuple(teams.items()),
        has_any=found["has_any"],
    )


def product_name(product: Mapping[str, Any], language: str) -> str:
    return (product["en"] if language == "en" else "") or product["ja"]


def _row(customer: Any, plans: Mapping[str, str]) -> CustomerRow:
    standing = getattr(customer, "standing", None)
    return CustomerRow(
        customer_id=customer.customer_id,
        name=customer.name,
        name_kana=customer.name_kana,
        domain=customer.domain,
        industry=customer.industry,
        band=standing.band if standing else Band.INSUFFICIENT.value,
        score=standing.score if standing else None,
        change=standing.score_change_30 if standing else None,
        segment=standing.segment if standing else "",
        plan=plans.get(standing.plan_code, standing.plan_code) if standing else "",
        seats_used=whole(standing.seats_used) if standing else None,
        seats=whole(standing.seats) if standing else None,
        arr=standing.arr if standing else None,
        currency=standing.currency if standing else "",
        renews_on=standing.renews_on if standing else None,
        owner=customer.owner.name if customer.owner else "",
        team=customer.owner.team.name if customer.owner and customer.owner.team else "",
        alerts=len(customer.open_alerts),
        lead_alert=customer.open_alerts[0] if customer.open_alerts else None,
    )


def whole(value: float | None) -> int | None:
    """Return seats as whole seats."""
    return None if value is None else round(value)
