"""What the triage screen shows: the queue.  (The card: ``playbooks.cards``.)

Rows come by keyset: the cursor names the last row, so the thousandth page costs what the first
does.  Counts stop at ``CAP``: nobody works through more, and no page waits for a count.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BooleanField,
    Case,
    Count,
    DateField,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, JSONObject
from django.utils.translation import gettext as _

from accounts.models import FeedDay, Product
from expansion import clock, formats
from expansion.money import ZERO
from expansion.users.models import Scope, User
from playbooks.models import Outcome, Result, Undo
from signals.models import Alert, AlertChange, RuleVersion, Run
from signals.models.alerts import AlertState, PlayKind
from signals.models.runs import RunState
from signals.terms import TERMS, format_value

CAP = 1000
PAGE = 50
VIEWS = ("mine", "team", "unassigned", "snoozed", "done")
GROUPS = ("today", "week", "later", "back")
SORTS = ("priority", "amount", "renewal", "newest")
DONE_DAYS = 30
_FAR = date(9999, 12, 31)
# Amounts of these plays are gains; what is kept or given up is shown, never added up.
GAINING = (PlayKind.UPSELL, PlayKind.CROSS_SELL)


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a view.  An empty tuple or None is no filter."""

    plays: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    owners: tuple[int, ...] = ()
    plan: str = ""
    guard: str = ""
    due: str = ""
    renewal_days: int | None = None
    least_amount: Decimal | None = None
    words: str = ""

    @property
    def is_on(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of the page before."""

    group: int
    key: str
    id: int

    def text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.group, self.key, self.id]).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """Return the cursor, or None for what never was one."""
        try:
            group, key, pk = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(int(group), str(key), int(pk)) if 0 <= int(group) < len(GROUPS) else None
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class TriageRow:
    """One card in the queue, in the words of the reader's language."""

    id: int
    customer_id: int
    name: str
    priority: int
    icon: str
    play: str
    amount: Decimal | None
    currency: str
    amount_kind: str
    group: str
    due_on: date
    days_over: int
    is_due_today: bool
    band: str
    score: int | None
    guard: str
    signals: tuple[str, ...]
    more: int
    amount_words: str
    amount_class: str
    due_words: str
    due_class: str
    back_words: str
    owner: str
    owner_initial: str
    is_mine: bool
    is_new: bool
    version: int
    snoozed_until: datetime | None = None
    snooze_reason: str = ""
    snooze_condition: str = ""
    sort_key: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The rows that are due at the same time; ``count`` is of the whole view, not of the page."""

    key: str
    count: int
    rows: tuple[TriageRow, ...]
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What stands above the rows.  ``expected`` is None where the view has more rows than are added up."""

    counts: Mapping[str, int]
    total: int
    over: int
    groups: Mapping[str, int]
    expected: Decimal | None
    currency: str
    as_of: date | None
    computed_at: datetime | None
    is_late: bool
    last_usage_on: date | None
    has_alerts: bool
    rules: tuple[Mapping[str, str], ...] = ()
    newest_change: int | None = None


NO_FIGURES = Figures(
    {},
    total=0,
    over=0,
    groups={},
    expected=None,
    currency="",
    as_of=None,
    computed_at=None,
    is_late=False,
    last_usage_on=None,
    has_alerts=True,
)


@dataclass(frozen=True, slots=True)
class Queue:
    view: str
    sort: str
    filters: Filters
    groups: tuple[Group, ...]
    figures: Figures
    next_cursor: str = ""
    friday: date = _FAR

    @property
    def rows(self) -> list[TriageRow]:
        return [row for group in self.groups for row in group.rows]


def queue(
    user: User,
    *,
    view: str,
    filters: Filters,
    sort: str,
    now: datetime,
    language: str,
    cursor: Cursor | None = None,
    page: int = PAGE,
    is_part: bool = False,
) -> Queue:
    """Return a page of the person's view with its figures: two statements, whatever the number of rows.

    A part that is added below comes without figures: they stand on the screen already.
    """
    seen = NO_FIGURES if is_part else figures(user, view=view, filters=filters, now=now)
    rows, next_cursor = _page(
        user, view=view, filters=filters, sort=sort, cursor=cursor, now=now, language=language, page=page, seen=seen
    )
    friday = _friday(clock.day_of(now))
    groups = tuple(
        Group(
            key=key,
            count=seen.groups.get(key, 0),
            rows=tuple(row for row in rows if row.group == key),
            until=friday if key == "week" else None,
        )
        for key in GROUPS
    )
    return Queue(view=view, sort=sort, filters=filters, groups=groups, figures=seen, next_cursor=next_cursor, friday=friday)


def row(
    user: User, alert_id: int, *, now: datetime, language: str, as_of: date | None, sort: str = "priority", view: str = "",
    filters: Filters | None = None,
) -> TriageRow | None:  # fmt: skip
    """Return the row of one alert that leads a card; with a view, only if the view shows it."""
    today = clock.day_of(now)
    leads = (
        Alert.objects.visible_to(user).leading() if not view else _chosen(user, view=view, filters=filters or Filters(), now=now)
    )
    rows, _descending = _sorted(_detailed(leads.filter(pk=alert_id), today), sort)
    found = rows.first()
    return None if found is None else _row(found, user=user, today=today, language=language, as_of=as_of)


def next_after(
    user: User, before: TriageRow | None, *, view: str, filters: Filters, sort: str, now: datetime, language: str, but: int
) -> int | None:
    """Return the alert below the row, or the first of the view after its last one; never one of the customer ``but``."""
    cursors = [Cursor(GROUPS.index(before.group), before.sort_key, before.id)] if before is not None else []
    for cursor in (*cursors, None):
        rows, _next = _page(
            user, view=view, filters=filters, sort=sort, cursor=cursor, now=now, language=language, page=2, seen=NO_FIGURES
        )
        for found in rows:
            if found.customer_id != but:
                return found.id
    return None


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody else did to a card."""

    alert_id: int
    change: str
    by: str


@dataclass(frozen=True, slots=True)
class News:
    """What happened since: new cards in the person's own view, and acts of others.  ``newest`` marks how far was read."""

    newest: int | None
    new: int
    acts: tuple[Act, ...]


def newest_change() -> int | None:
    return AlertChange.objects.order_by("-pk").values_list("pk", flat=True).first()


def news(user: User, *, since: int | None, now: datetime) -> News:
    """Look at the changes after ``since``, at most two hundred, on the cards that the person may see."""
    newest = newest_change()
    if since is None or newest is None or newest <= since:
        return News(newest, 0, ())
    visible = Alert.objects.visible_to(user)
    changes = list(
        AlertChange.objects.filter(pk__gt=since, alert__in=visible)
        .order_by("-pk")
        .values("alert_id", "change", "by_id", "by__name", "alert__owner_id", "alert__is_lead")[:200]
    )
    new = {
        c["alert_id"]
        for c in changes
        if c["change"] == "raised" and c["alert__is_lead"] and c["alert__owner_id"] in {user.pk, None}
    }
    others = {
        c["alert_id"]: Act(c["alert_id"], c["change"], c["by__name"])
        for c in reversed(changes)
        if c["by_id"] not in {None, user.pk}
    }
    return News(newest, len(new), tuple(others.values()))


def next_check(now: datetime) -> datetime:
    """Return when the next nightly run begins."""
    hour, minute = settings.NIGHTLY_AT
    at = clock.start_of(clock.day_of(now)) + timedelta(hours=hour, minutes=minute)
    return at if at > now else clock.start_of(clock.day_of(now) + timedelta(days=1)) + timedelta(hours=hour, minutes=minute)


def logged_today(user: User, *, now: datetime) -> dict[str, int]:
    """Return how many outcomes the person logged today, by result."""
    since = clock.start_of(clock.day_of(now))
    found = (
        Outcome.objects.effective().filter(by=user, at__gte=since).values("result").annotate(count=Count("pk")).order_by("result")
    )
    return {str(Result(one["result"]).label): one["count"] for one in found}


@dataclass(frozen=True, slots=True)
class DoneRow:
    """One logged outcome in the list of what is done; ``token`` takes it back while that is possible."""

    alert_id: int
    name: str
    result: str
    label: str
    amount: Decimal | None
    currency: str
    by: str
    is_mine: bool
    at: datetime
    token: str


def done_rows(user: User, *, now: datetime, limit: int = 100) -> list[DoneRow]:
    """Return the newest logged outcomes, with the way back of one's own where it is still open."""
    found = list(
        done(user, now=now).values("pk", "alert_id", "customer__name", "result", "amount", "currency", "by__name", "by_id", "at")[
            :limit
        ]
    )
    tokens = {
        pk: kept.token
        for kept in Undo.objects.filter(kind="outcome", made_by=user, used_at__isnull=True, expires_at__gt=now)
        for pk in kept.inverse["outcomes"]
    }
    return [
        DoneRow(
            alert_id=one["alert_id"],
            name=one["customer__name"],
            result=one["result"],
            label=str(Result(one["result"]).label),
            amount=one["amount"],
            currency=one["currency"],
            by=one["by__name"],
            is_mine=one["by_id"] == user.pk,
            at=one["at"],
            token=tokens.get(one["pk"], ""),
        )
        for one in found
    ]


def views_of(user: User) -> tuple[str, ...]:
    """Return the views that show the person something: with own scope the team's is the own one again."""
    return tuple(view for view in VIEWS if view != "team" or user.scope != Scope.OWN)


class Tally(Subquery):
    """Add up at most CAP rows of a view inside one statement: how many, how late, in which group, worth how much."""

    template = (
        "(SELECT jsonb_build_object('total', count(*), 'over', count(*) FILTER (WHERE is_over), "
        "'today', count(*) FILTER (WHERE grp = 0), 'week', count(*) FILTER (WHERE grp = 1), "
        "'later', count(*) FILTER (WHERE grp = 2), 'back', count(*) FILTER (WHERE grp = 3), "
        "'doubled', (sum(doubled) FILTER (WHERE is_gain))::text, 'currency', max(expected_currency)) FROM (%(subquery)s) tallied)"
    )

    def __init__(self, rows: QuerySet[Alert], *, today: date) -> None:
        facts = rows.order_by().annotate(
            grp=_group(today),
            is_over=ExpressionWrapper(Q(due_on__lt=today), output_field=BooleanField()),
            is_gain=ExpressionWrapper(Q(play_kind__in=GAINING), output_field=BooleanField()),
            doubled=F("expected_low") + F("expected_high"),
        )
        columns = ("grp", "is_over", "is_gain", "doubled", "expected_currency")
        super().__init__(facts.values(*columns)[:CAP], output_field=JSONField())


def figures(user: User, *, view: str, filters: Filters, now: datetime) -> Figures:
    """Return every count above the rows in one statement."""
    today = clock.day_of(now)
    last_run = Run.objects.filter(job="nightly", state=RunState.DONE).order_by("-business_date")
    # The rows of the view are added up anyway: without a filter they are its count.
    counted = [name for name in VIEWS if name != "done" and (name != view or filters.is_on)]
    asked: dict[str, Any] = {f"count_{name}": _capped(_chosen(user, view=name, filters=Filters(), now=now)) for name in counted}
    if view != "done":
        asked["tally"] = Tally(_chosen(user, view=view, filters=filters, now=now), today=today)
    found = (
        User.objects.filter(pk=user.pk)
        .annotate(
            **asked,
            count_done=_capped(done(user, now=now)),
            run=Subquery(last_run.values(json=JSONObject(date="business_date", at="finished_at"))[:1]),
            last_usage_on=Subquery(FeedDay.objects.filter(day__gt=today - timedelta(days=60)).order_by("-day").values("day")[:1]),
            has_alerts=Exists(Alert.objects.all()),
            newest_change=Subquery(AlertChange.objects.order_by("-pk").values("pk")[:1]),
            rules=ArraySubquery(
                RuleVersion.objects.filter(state="published")
                .order_by("rule__position", "pk")
                .values(json=JSONObject(key="rule__key", name_ja="body__name_ja", name_en="body__name_en"))
            ),
        )
        .values(*asked, "count_done", "run", "last_usage_on", "has_alerts", "newest_change", "rules")
        .get()
    )
    tally = found.get("tally") or {}
    run = found["run"] or {}
    as_of = date.fromisoformat(run["date"]) if run else None
    total = found["count_done"] if view == "done" else tally["total"]
    return Figures(
        counts={name: found.get(f"count_{name}", total) for name in VIEWS},
        total=total,
        over=tally.get("over", 0),
        groups={key: tally.get(key, 0) for key in GROUPS},
        expected=None if total >= CAP else Decimal(tally.get("doubled") or 0) / 2,
        currency=tally.get("currency") or "",
        as_of=as_of,
        computed_at=datetime.fromisoformat(run["at"]) if run and run["at"] else None,
        is_late=as_of is not None and as_of < clock.nightly_due(now),
        last_usage_on=found["last_usage_on"],
        has_alerts=found["has_alerts"],
        rules=tuple(found["rules"]),
        newest_change=found["newest_change"],
    )


def done(user: User, *, now: datetime) -> QuerySet[Outcome]:
    """Return what was logged in the last 30 days, newest first."""
    since = clock.start_of(clock.day_of(now) - timedelta(days=DONE_DAYS))
    return Outcome.objects.visible_to(user).effective().filter(at__gte=since).order_by("-id")


def _chosen(user: User, *, view: str, filters: Filters, now: datetime) -> QuerySet[Alert]:
    """Return the leading alerts of a view: one per card."""
    rows = Alert.objects.visible_to(user).leading()
    match view:
        case "mine":
            # What was given to a person is theirs to see, whoever owns the customer: no join is needed to know it.
            rows = Alert.objects.leading().awake(now).filter(owner=user)
        case "team":
            rows = rows.awake(now).filter(owner__isnull=False)
            if user.scope == Scope.TEAM and user.team_id is not None:
                rows = rows.filter(owner__team=user.team_id)
        case "unassigned":
            rows = rows.awake(now).filter(owner__isnull=True)
        case "snoozed":
            rows = rows.filter(state=AlertState.WAITING).exclude(snoozed_until__lte=now)
        case _:
            return rows.none()
    return _narrowed(rows, filters, today=clock.day_of(now))


def _narrowed(rows: QuerySet[Alert], filters: Filters, *, today: date) -> QuerySet[Alert]:
    if filters.plays:
        rows = rows.filter(play_kind__in=filters.plays)
    if filters.bands:
        rows = rows.filter(customer__standing__band__in=filters.bands)
    if filters.rules:
        rows = rows.filter(Exists(Alert.objects.open().filter(customer=OuterRef("customer"), rule__key__in=filters.rules)))
    if filters.owners:
        rows = rows.filter(owner__in=filters.owners)
    if filters.plan:
        rows = rows.filter(customer__standing__plan_code=filters.plan)
    if filters.guard == "stopped":
        rows = rows.filter(is_stopped=True)
    elif filters.guard == "caution":
        rows = rows.filter(guard__contains=[{"level": "caution"}])
    elif filters.guard == "clear":
        rows = rows.filter(is_stopped=False).exclude(guard__contains=[{"level": "caution"}])
    if filters.renewal_days is not None:
        rows = rows.filter(customer__standing__renews_on__range=(today, today + timedelta(days=filters.renewal_days)))
    if filters.least_amount is not None:
        rows = rows.filter(expected_low__isnull=False).filter(_middle_at_least(filters.least_amount))
    if filters.due in GROUPS:
        rows = rows.filter(_in_group(GROUPS.index(filters.due), today))
    if filters.words:
        words = filters.words
        rows = rows.filter(
            Q(customer__name__icontains=words)
            | Q(customer__name_kana__icontains=words)
            | Q(customer__name_key__icontains=words.lower())
        )
    return rows


def _middle_at_least(amount: Decimal) -> Q:
    # (low + high) / 2 >= amount, without a division in SQL.
    return Q(expected_high__gte=2 * amount - F("expected_low"))


def _in_group(group: int, today: date) -> Q:
    """Tell a row of the group.  Whatever came back from snooze stands in the last group, wherever its date lies."""
    came_back = Q(returned_at__isnull=False) | Q(state=AlertState.WAITING)
    match GROUPS[group]:
        case "today":
            return Q(due_on__lte=today) & ~came_back
        case "week":
            return Q(due_on__gt=today, due_on__lte=_friday(today)) & ~came_back
        case "later":
            return Q(due_on__gt=_friday(today)) & ~came_back
    return came_back


def _group(today: date) -> Case:
    return Case(
        *(When(_in_group(group, today), then=Value(group)) for group in (3, 0, 1)), default=Value(2), output_field=IntegerField()
    )  # fmt: skip


def _friday(today: date) -> date:
    """Return the next Friday after today."""
    return today + timedelta(days=(4 - today.weekday() - 1) % 7 + 1)


def _capped(rows: QuerySet[Any]) -> Func:
    """Count at most CAP rows."""
    return Func(ArraySubquery(rows.order_by().values("pk")[:CAP]), function="cardinality", output_field=IntegerField())


def _sorted(rows: Any, sort: str) -> tuple[Any, bool]:
    """Give the rows the key that they are sorted by; tell whether the greatest comes first."""
    match sort:
        case "amount":
            both = ExpressionWrapper(
                Coalesce(F("expected_low") + F("expected_high"), Value(ZERO)),
                output_field=DecimalField(max_digits=20, decimal_places=2),
            )
            return rows.annotate(key=both), True
        case "renewal":
            return rows.annotate(key=Coalesce("customer__standing__renews_on", Value(_FAR), output_field=DateField())), False
        case "newest":
            return rows.annotate(key=F("raised_on")), True
    return rows.annotate(key=F("priority")), True


def _key_of(text: str, sort: str) -> Any:
    try:
        match sort:
            case "amount":
                return Decimal(text)
            case "renewal" | "newest":
                return date.fromisoformat(text)
        return int(text)
    except (ValueError, InvalidOperation):
        return None


def _page(
    user: User,
    *,
    view: str,
    filters: Filters,
    sort: str,
    cursor: Cursor | None,
    now: datetime,
    language: str,
    page: int,
    seen: Figures,
) -> tuple[list[TriageRow], str]:
    """Read the rows behind the cursor, one more than asked for, so that the end shows.

    The figures tell which groups the first page can need; a later page looks beyond its own group only at the group's end.
    """
    today = clock.day_of(now)
    chosen = _chosen(user, view=view, filters=filters, now=now)

    def read(parts: Sequence[tuple[int, Cursor | None]]) -> list[Mapping[str, Any]]:
        return _read(chosen, parts, sort=sort, today=today, most=page + 1)

    if cursor is None or _key_of(cursor.key, sort) is None:
        values = read([(group, None) for group in _needed(seen, page)])
    else:
        values = read([(cursor.group, cursor)])
        rest = [(group, None) for group in range(cursor.group + 1, len(GROUPS))]
        if len(values) <= page and rest:
            values = [*values, *read(rest)][: page + 1]
    rows = [_row(value, user=user, today=today, language=language, as_of=seen.as_of) for value in values[:page]]
    if len(values) <= page or not rows:
        return rows, ""
    last = rows[-1]
    return rows, Cursor(GROUPS.index(last.group), last.sort_key, last.id).text()


def _needed(seen: Figures, page: int) -> list[int]:
    """Return the groups that the first page looks into; what was not counted might be there."""
    groups: list[int] = []
    known = 0
    for group, key in enumerate(GROUPS):
        count = seen.groups.get(key, 0)
        if count or seen.total >= CAP or seen is NO_FIGURES:
            groups.append(group)
        known += count
        if known > page:
            break
    return groups


def _read(
    chosen: QuerySet[Alert], parts: Sequence[tuple[int, Cursor | None]], *, sort: str, today: date, most: int
) -> list[Mapping[str, Any]]:
    """Return the first rows of the groups, one group after the other, in one statement."""
    base, descending = _sorted(chosen, sort)
    order = ("-key" if descending else "key", "pk")
    branches: list[Any] = []
    for group, cursor in parts:
        within = base.filter(_in_group(group, today))
        if cursor is None:
            branches.append(within.order_by(*order))
        else:
            key = _key_of(cursor.key, sort)
            branches.append(within.filter(key=key, pk__gt=cursor.id).order_by("pk"))
            branches.append(within.filter(**{"key__lt" if descending else "key__gt": key}).order_by(*order))
    if not branches:
        return []
    # Branches hold no row twice and stand in their order: a full one spares the later ones.
    ids = [branch.values("pk")[:most] for branch in branches]
    narrow = ids[0].union(*ids[1:], all=True)[:most] if len(ids) > 1 else ids[0]
    found, _descending = _sorted(_detailed(Alert.objects.filter(pk__in=narrow), today), sort)
    return list(found.order_by("group", *order))


def _detailed(rows: QuerySet[Alert], today: date) -> Any:
    """Add to each lead what its row shows, all in the one statement."""
    signals = (
        Alert.objects.open().filter(customer=OuterRef("customer")).order_by("-is_lead", "-priority", "pk").values(
            json=JSONObject(
                ja="rule_version__body__name_ja", en="rule_version__body__name_en", evidence="evidence", lead="is_lead"
            )
        )
    )  # fmt: skip
    offered = Product.objects.filter(pk=Cast(OuterRef("offer__product_id"), IntegerField()))
    plan = Product.objects.filter(code=OuterRef("customer__standing__plan_code"))
    named = JSONObject(ja="name", en="name_en", kind="kind")
    return rows.annotate(
        group=_group(today),
        signals=ArraySubquery(signals[:8]),
        offered=Subquery(offered.values(json=named)[:1]),
        plan=Subquery(plan.values(json=named)[:1]),
    ).values(
        "pk",
        "customer_id",
        "customer__name",
        "priority",
        "play_kind",
        "playbook_key",
        "expected_low",
        "expected_high",
        "expected_currency",
        "due_on",
        "customer__standing__band",
        "customer__standing__score",
        "customer__standing__seats",
        "guard",
        "is_stopped",
        "offer",
        "owner_id",
        "owner__name",
        "owner__team",
        "acknowledged_at",
        "raised_on",
        "version",
        "state",
        "snoozed_until",
        "snooze_reason",
        "snooze_condition",
        "customer__standing__renews_on",
        "group",
        "signals",
        "offered",
        "plan",
    )


def _row(value: Mapping[str, Any], *, user: User, today: date, language: str, as_of: date | None) -> TriageRow:
    low, high = value["expected_low"], value["expected_high"]
    middle = None if low is None or high is None else (low + high) / 2
    signals = [signal_words(signal, language) for signal in value["signals"]]
    kind, currency, group = value["play_kind"], value["expected_currency"], GROUPS[value["group"]]
    amount_kind = "gain" if kind in GAINING else "loss" if kind == PlayKind.DOWNSELL else "keep"
    key = value.get("key", value["priority"])
    seats = value["customer__standing__seats"]
    snoozed_until = value["snoozed_until"] if value["state"] == AlertState.WAITING else None
    condition = condition_words(value["snooze_condition"], language)
    due_words, due_class = _due(value["due_on"], today=today, language=language, snoozed_until=snoozed_until, condition=condition)
    return TriageRow(
        id=value["pk"],
        customer_id=value["customer_id"],
        name=value["customer__name"],
        priority=value["priority"],
        icon=play_icon(kind, value["offer"]),
        play=play_words(kind, value["offer"], offered=value["offered"], plan=value["plan"], seats=seats, language=language),
        amount=middle,
        currency=currency,
        amount_kind=amount_kind,
        group=group,
        due_on=value["due_on"],
        days_over=max((today - value["due_on"]).days, 0),
        is_due_today=value["due_on"] == today,
        band=value["customer__standing__band"] or "insufficient",
        score=value["customer__standing__score"],
        guard=guard_level(value["guard"], is_stopped=value["is_stopped"]),
        signals=tuple(signals[:2]),
        more=max(len(signals) - 2, 0),
        amount_words=amount_words(middle, amount_kind, currency=currency, language=language),
        amount_class={"gain": "num", "loss": "num down"}.get(amount_kind, "num mut"),
        due_words=due_words,
        due_class=due_class,
        back_words=snooze_words(value["snooze_reason"]) if group == "back" and snoozed_until is None and not condition else "",
        owner=value["owner__name"] or "",
        owner_initial=(value["owner__name"] or "").strip()[:1],
        is_mine=value["owner_id"] == user.pk,
        is_new=value["acknowledged_at"] is None and as_of is not None and value["raised_on"] >= as_of,
        version=value["version"],
        snoozed_until=snoozed_until,
        snooze_reason=value["snooze_reason"],
        snooze_condition=condition,
        sort_key=key.isoformat() if isinstance(key, date) else str(key),
    )


def amount_words(amount: Decimal | None, kind: str, *, currency: str, language: str) -> str:
    """Say what a card is worth a year: +156万円, 守る 360万円, −173万円."""
    if amount is None:
        return ""
    if kind == "keep":
        return _("keep %(amount)s") % {"amount": formats.money_short(amount, currency=currency, language=language)}
    return formats.money_short(amount, currency=currency, language=language, signed=kind == "gain")


def _due(on: date, *, today: date, language: str, snoozed_until: datetime | None, condition: str) -> tuple[str, str]:
    """Say when a card is due, or what it waits for, and how loud."""
    if condition:
        return condition, ""
    if snoozed_until is not None:
        return _("until %(day)s") % {"day": formats.day(clock.day_of(snoozed_until), language=language, weekday=False)}, ""
    if on < today:
        return _("%(days)s over") % {"days": formats.count((today - on).days, "days", language=language)}, "over"
    if on == today:
        return _("Today"), "now"
    return formats.day(on, language=language, weekday=False), ""


def snooze_words(reason: str) -> str:
    """Say why a card was put off; a reason that another program gave stays as it is."""
    return {
        "customer": _("Customer asked"), "information": _("Waiting for information"), "own": _("My schedule"),
        "opened": _("Follow-up after opening"),
    }.get(reason, reason)  # fmt: skip


def guard_level(guards: Sequence[Mapping[str, Any]], *, is_stopped: bool) -> str:
    """Return the strictest level: stop, caution or nothing."""
    if is_stopped:
        return "stop"
    return "caution" if any(guard.get("level") in {"caution", "stop"} for guard in guards) else ""


def signal_words(signal: Mapping[str, Any], language: str) -> str:
    """Say a signal as briefly as a row allows: its first measure with its value, or else its name."""
    for item in signal["evidence"] or ():
        term = TERMS.get(item.get("term", ""))
        if term is not None and item.get("value") is not None:
            return f"{term.name(language)} {format_value(term, item['value'], language)}"
    return signal[language] or signal["ja"] or ""


def condition_words(condition: Mapping[str, Any] | None, language: str) -> str:
    """Say what a snoozed card waits for: 席の使用率 95%以上."""
    term = TERMS.get((condition or {}).get("term", ""))
    if condition is None or term is None:
        return ""
    value = format_value(term, condition["threshold"], language)
    sign = condition["op"]
    if language == "ja":
        return f"{term.name(language)} {value}{'以上' if sign in {'>=', '>'} else '以下'}"
    return f"{term.name(language)} {'≥' if sign in {'>=', '>'} else '≤'} {value}"


def play_icon(kind: str, offer: Mapping[str, Any]) -> str:
    if kind == PlayKind.UPSELL:
        return {"seats": "seat", "capacity": "cap"}.get(offer.get("kind", ""), "upsell")
    return {PlayKind.CROSS_SELL: "cross", PlayKind.RENEWAL: "cal", PlayKind.HELP: "shield", PlayKind.DOWNSELL: "down"}.get(
        PlayKind(kind), "flag"
    )


def play_words(
    kind: str,
    offer: Mapping[str, Any],
    *,
    offered: Mapping[str, Any] | None,
    plan: Mapping[str, Any] | None,
    seats: float | None,
    language: str,
) -> str:
    """Say the play of a card in a few words: Standard → Pro, 50 → 70席, or the kind of play."""
    product, own = product_name(offered, language), product_name(plan, language)
    after = offer.get("quantity_after")
    now = offer.get("quantity_now") or seats
    if offer.get("kind") == "seats" and after and now:
        return f"{formats.number(now)} → {formats.count(int(after), 'seats', language=language)}"
    if product and offer.get("kind") in {"next_plan", "capacity"} and (offered or {}).get("kind") == "plan" and own:
        return f"{own} → {product}"
    if product and kind in {PlayKind.UPSELL, PlayKind.CROSS_SELL}:
        return product
    return str(PlayKind(kind).label)


def product_name(product: Mapping[str, Any] | None, language: str) -> str:
    if product is None:
        return ""
    return (product.get("en") if language == "en" else "") or product.get("ja") or ""
