"""What the triage screen shows about one customer: the card, read in one statement and a few facts.

Everything a rep needs to decide stands here as values; templates ask nothing further.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Any
from urllib.parse import quote

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, F, Func, IntegerField, OuterRef, Subquery, TextField, Value, When
from django.db.models.functions import Cast, JSONObject
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.models import Contact, ContractLine, Customer, NpsResponse, Opportunity, Product, Ticket, Touch
from accounts.models.customers import ContactRole
from expansion import clock, formats, periods
from expansion.money import ZERO, arr_of, round_half_up
from expansion.users.models import Role, User
from playbooks import catalogue, offers, outcomes, timeline, triage
from playbooks.models import DiscountPolicy, Outcome, Play, PlaybookVersion, Reason, Result
from signals import explain, guardrails, rules, series
from signals.models import Alert, HealthScore, RfmScore
from signals.models.alerts import PlayKind
from signals.terms import TERMS, format_value

OFFERS_ALLOWED = 3
WEEKS = 12
NEAR = 2
# How far, relative to the threshold, a signal may be from firing to be named.
CLOSE = 0.25
_DECIDES = (ContactRole.DECISION_MAKER, ContactRole.EXECUTIVE, ContactRole.CHAMPION)
_RANKED = (*_DECIDES, ContactRole.USER, ContactRole.BILLING)
_WINS = 3
_TOLD = ("usage", "activity")
_RISES = ("ratio", "count", "per_week", "times")


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of the next best action: plain words, or a slot with its value (None = not known)."""

    text: str | None
    is_slot: bool
    missing: str = ""


@dataclass(frozen=True, slots=True)
class GuardLine:
    """One check before contact.  ``level``: ok, info, caution or stop."""

    level: str
    text: str
    until: date | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure against its threshold, with twelve weeks behind it."""

    name: str
    words: str
    icon: str
    now: str
    limit: str
    threshold: float | None
    is_above: bool
    series: tuple[float | None, ...]
    label: str
    term: str
    on: date | None = None
    gap: str = ""
    others: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str
    about: str
    role: str
    last_on: date | None
    last_kind: str
    nps: int | None
    email: str
    has_opted_out: bool
    decides: bool


@dataclass(frozen=True, slots=True)
class Answer:
    on: date
    score: int
    name: str


@dataclass(frozen=True, slots=True)
class Points:
    """One measure of the health score: its points of the most it can give, and the change in 30 days."""

    name: str
    points: float | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Lens:
    """One way to look at recency, frequency and value."""

    lens: str
    segment: str
    r: int | None
    f: int | None
    m: int | None
    recency_days: int | None
    frequency: int | None
    monetary: Decimal | None


@dataclass(frozen=True, slots=True)
class Holding:
    name: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class Contract:
    """What the customer pays for today."""

    plan: str
    unit: Decimal | None
    seats: int | None
    seats_used: int | None
    arr: Decimal | None
    currency: str
    term_months: int | None
    since: date | None
    renews_on: date | None
    auto_renew: bool | None
    discounts: tuple[Decimal, ...]
    lines: tuple[tuple[str, Decimal, str], ...]
    products: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class StepView:
    step: catalogue.Step
    number: int
    name: str
    points: tuple[str, ...]
    questions: tuple[tuple[catalogue.Question, str, bool], ...]
    demo: tuple[tuple[str, int, float], ...]
    is_done: bool
    is_here: bool
    done_on: date | None
    done_by: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A message with its fields filled in."""

    subject: tuple[Slot, ...]
    body: tuple[Slot, ...]
    plain_subject: str
    plain_body: str
    filled: int
    fields: int
    to: str

    @property
    def mailto(self) -> str:
        return f"mailto:{quote(self.to)}?subject={quote(self.plain_subject)}&body={quote(self.plain_body)}"


@dataclass(frozen=True, slots=True)
class ZoneView:
    """One zone of the discount policy on a scale of 100."""

    who: str
    span: str
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Win:
    name: str
    about: str
    what: str
    days: int | None
    amount: Decimal | None
    currency: str
    discount: Decimal | None
    is_same_industry: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the rank: points of the most it can give, and the fact behind them."""

    key: str
    label: str
    points: int
    most: int
    fact: str

    @property
    def share(self) -> float:
        return self.points / self.most if self.most else 0.0


@dataclass(frozen=True, slots=True)
class AlsoPossible:
    id: int
    name: str
    icon: str
    words: str
    priority: int


@dataclass(frozen=True, slots=True)
class Logged:
    """An outcome as it stands on the card."""

    id: int
    result: str
    label: str
    words: str
    by: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class DateChoice:
    on: date
    label: str
    key: str

    @property
    def iso(self) -> str:
        return self.on.isoformat()


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a result fills in, for the form's script."""

    amount: str
    next_step: str
    next_on: str
    quiet_until: str


@dataclass(frozen=True, slots=True)
class Card:
    """Everything the middle and the right pane show."""

    alert: Alert
    customer: Customer
    is_open: bool
    as_of: date
    icon: str
    action: tuple[Slot, ...]
    guards: tuple[GuardLine, ...]
    stop: GuardLine | None
    fired: tuple[Measured, ...]
    people: tuple[Person, ...]
    answers: tuple[Answer, ...]
    health: tuple[Points, ...]
    health_version: int | None
    lenses: tuple[Lens, ...]
    contract: Contract
    timeline: tuple[timeline.Item, ...]
    timeline_next: str
    content: catalogue.Content | None
    steps: tuple[StepView, ...]
    message: Filled | None
    wins: tuple[Win, ...]
    parts: tuple[Part, ...]
    also: tuple[AlsoPossible, ...]
    logged: tuple[Logged, ...]
    basis: offers.Basis | None
    policy: offers.Policy | None
    quote: offers.Quote | None
    low: Decimal | None
    high: Decimal | None
    middle: Decimal | None
    currency: str
    amount_kind: str
    signal_count: int
    dates: tuple[DateChoice, ...]
    again: tuple[DateChoice, ...]
    snoozes: tuple[DateChoice, ...]
    defaults: Mapping[str, Defaults]
    rise: Mapping[str, Any] | None
    rise_words: str
    waits_for: str
    price: str
    zones: tuple[ZoneView, ...]
    suggested: ZoneView | None
    next_steps: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    playbook_name: str
    tomorrow: date

    @property
    def symbol(self) -> str:
        """The sign before an amount: ¥."""
        return formats.money_exact(ZERO, currency=self.currency or "JPY").rstrip("0.").strip()

    @property
    def defaults_json(self) -> str:
        """The defaults of each result, for the form's script."""
        return json.dumps({result: asdict(defaults) for result, defaults in self.defaults.items()})


def find(user: User, alert_id: int) -> Alert | None:
    """Return the card that a visible alert stands on, with all that it needs, in one statement.

    Any open alert of a customer leads to the same card.  None where there is no such alert for the person.
    """
    if not user.is_active:
        return None
    cards = _cards(user.pk, user.scope, user.team_id)
    alert = cards.filter(pk=alert_id).first()
    if alert is None or alert.open_key is None or alert.is_lead:
        return alert
    return cards.filter(customer=alert.customer_id, is_lead=True).first() or alert


@lru_cache(maxsize=500)
def _cards(user_id: int, scope: str, team_id: int | None) -> Any:
    """Keep the unevaluated query of a person: putting its thirty sub-selects together takes longer than running them."""
    reader = User(pk=user_id, scope=scope, team_id=team_id, is_active=True)
    return _annotated(Alert.objects.visible_to(reader), reader)


def _annotated(alerts: Any, user: User) -> Any:
    mine = OuterRef("customer_id")
    named = JSONObject(ja="name", en="name_en", kind="kind")
    offered = Product.objects.filter(pk=Cast(OuterRef("offer__product_id"), IntegerField())).values(json=named)
    open_alerts = (
        Alert.objects.open()
        .filter(customer=mine)
        .order_by("-is_lead", "-priority", "pk")
        .values(
            json=JSONObject(
                id="pk",
                rule="rule__key",
                body="rule_version__body",
                evidence="evidence",
                raised_on="raised_on",
                priority="priority",
                play_kind="play_kind",
                playbook="playbook_key",
                offer="offer",
                offered=Subquery(offered[:1]),
            )
        )
    )
    published = PlaybookVersion.objects.filter(playbook__key=OuterRef("playbook_key"), state="published").values("body")
    plays = Play.objects.filter(alert=OuterRef("pk")).order_by(F("finished_at").desc(nulls_first=True), "-pk").values(
        json=JSONObject(steps="steps", asked="asked", finished="finished_at", body="playbook_version__body")
    )  # fmt: skip
    products = Product.objects.order_by("kind", "tier", "pk").values(
        json=JSONObject(
            id="pk", code="code", ja="name", en="name_en", kind="kind", family="family", tier="tier", months="billing_months",
            price=Cast("list_price", TextField()), currency="currency", margin=Cast("gross_margin_percent", TextField()),
            complements="complements",
        )
    )  # fmt: skip
    lines = ContractLine.objects.filter(customer=mine).order_by("-starts_on", "-pk").values(
        json=JSONObject(
            product="product_id", kind="product__kind", starts="starts_on", until="service_until", renews="renews_on",
            quantity=Cast("quantity", TextField()), arr=Cast("arr", TextField()), months="billing_months", currency="currency",
            list_price=Cast("list_price", TextField()), discount=Cast("discount_percent", TextField()), auto="auto_renew",
            trial_ends="trial_ends_on", paused_from="paused_from", paused_before="paused_before",
        )
    )  # fmt: skip
    last_touch = Touch.objects.filter(contact=OuterRef("pk"), withdrawn_at__isnull=True).order_by("-touched_at")
    contacts = Contact.objects.filter(customer=mine).order_by("pk").values(
        json=JSONObject(
            id="pk", name="name", email="email", title="title", department="department", role="role", out="has_opted_out",
            last=Subquery(last_touch.values(json=JSONObject(at="touched_at", kind="kind"))[:1]),
            nps=Subquery(NpsResponse.objects.filter(contact=OuterRef("pk")).order_by("-responded_on", "-pk").values("score")[:1]),
        )
    )  # fmt: skip
    answers = (
        NpsResponse.objects.filter(customer=mine)
        .order_by("-responded_on", "-pk")
        .values(json=JSONObject(on="responded_on", score="score", name="contact__name"))
    )
    scores = (
        HealthScore.objects.filter(customer=mine)
        .order_by("-business_date")
        .values(json=JSONObject(on="business_date", points="points", version="version_id"))
    )
    lenses = RfmScore.objects.filter(customer=mine, business_date=OuterRef("customer__standing__as_of")).values(
        json=JSONObject(
            lens="lens", segment="segment", r="r", f="f", m="m", recency="recency_days", frequency="frequency",
            monetary=Cast("monetary", TextField()),
        )
    )  # fmt: skip
    newest_score = HealthScore.objects.filter(customer=mine, business_date=OuterRef("customer__standing__as_of"))
    health_model = newest_score.values(json=JSONObject(number="version__number", body="version__body"))
    logged = (
        Outcome.objects.effective()
        .filter(alert=OuterRef("pk"))
        .order_by("-id")
        .values(
            json=JSONObject(
                id="pk",
                result="result",
                reason="reason",
                amount=Cast("amount", TextField()),
                currency="currency",
                next_step="next_step",
                next_on="next_on",
                quiet="quiet_until",
                note="note",
                by="by__name",
                at="at",
                next_steps="play__playbook_version__body__next_steps",
            )
        )
    )
    same_industry = Case(When(customer__industry=OuterRef("customer__industry"), then=Value(0)), default=Value(1))
    deals: Any = Opportunity.objects.visible_to(user).filter(result="won", kind=OuterRef("play_kind")).exclude(customer=mine)
    deals = (
        deals.annotate(is_other=same_industry)
        .order_by("is_other", "-closed_on", "-pk")
        .values(
            json=JSONObject(
                name="customer__name",
                industry="customer__industry",
                employees="customer__employees",
                opened="opened_on",
                closed="closed_on",
                amount=Cast("amount", TextField()),
                currency="currency",
                discount=Cast("discount_percent", TextField()),
                ja="product__name",
                en="product__name_en",
                alert="alert_id",
            )
        )
    )
    won: Any = (
        Outcome.objects.visible_to(user)
        .effective()
        .filter(result=Result.WON, play__playbook_version__playbook__key=OuterRef("playbook_key"))
    )
    won = (
        won.exclude(customer=mine)
        .annotate(is_other=same_industry)
        .order_by("is_other", "-at", "-pk")
        .values(
            json=JSONObject(
                name="customer__name",
                industry="customer__industry",
                employees="customer__employees",
                opened="alert__raised_on",
                closed="at",
                amount=Cast("amount", TextField()),
                currency="currency",
                discount=Cast("discount_percent", TextField()),
                alert="alert_id",
            )
        )
    )
    recent = Touch.objects.filter(customer=mine, kind__in=("proposal", "offer"), withdrawn_at__isnull=True).order_by("-touched_at")
    open_p1 = Ticket.objects.filter(customer=mine, closed_at__isnull=True, severity="p1")
    return alerts.select_related("customer__standing", "customer__owner", "owner", "closed_by", "rule_version").annotate(
        open_alerts=ArraySubquery(open_alerts[:12]),
        published=Subquery(published[:1]),
        plays_found=ArraySubquery(plays[:1]),
        products_found=ArraySubquery(products[:300]),
        lines_found=ArraySubquery(lines[:60]),
        contacts_found=ArraySubquery(contacts[:40]),
        answers_found=ArraySubquery(answers[:30]),
        scores_found=ArraySubquery(scores[:31]),
        lenses_found=ArraySubquery(lenses),
        health_model=Subquery(health_model[:1]),
        logged_found=ArraySubquery(logged[:5]),
        deals_found=ArraySubquery(deals[:12]),
        won_found=ArraySubquery(won[:12]),
        offers_at=ArraySubquery(recent.values("touched_at")[:12]),
        p1_count=Func(ArraySubquery(open_p1.values("pk")[:20]), function="cardinality", output_field=IntegerField()),
        policy=Subquery(DiscountPolicy.objects.filter(is_current=True).values("body")[:1]),
        **{f"timeline_{name}": rows for name, rows in timeline.sources(mine).items()},
    )


def build(alert: Any, *, user: User, now: datetime, language: str) -> Card:
    """Put the card of an alert that ``find`` returned into words."""
    today = clock.day_of(now)
    customer = alert.customer
    standing = getattr(customer, "standing", None)
    as_of = standing.as_of if standing is not None else today
    is_open = alert.open_key is not None
    kind = alert.rule_version.body.get("amount", {}).get("kind", "none")
    products = {p["id"]: _sold(p, language) for p in alert.products_found}
    current = [line for line in alert.lines_found if _in_force(line, today)]
    content = _content(alert)
    play = alert.plays_found[0] if alert.plays_found else None
    people = _people(alert, user=user)
    policy = offers.read_policy(alert.policy) if alert.policy else None
    basis = offers.basis(kind, alert.offer, lines=[_line(line) for line in current], products=products)
    fired = _fired(alert, as_of=as_of, language=language) if is_open else _as_it_was(alert, language)
    priced = (
        offers.quote(basis, policy, quantity=basis.quantity, years=1, discount_percent=policy.suggested)
        if basis and policy
        else None
    )
    low, high = alert.expected_low, alert.expected_high
    middle = None if low is None or high is None else round_half_up((low + high) / 2, 0)
    guards = _guards(alert, people=people, as_of=as_of, today=today, language=language)
    stop = next((g for g in guards if g.level == "stop"), None) if content is None or content.makes_offers else None
    frees = sorted({g.until for g in guards if g.until is not None and today < g.until <= today + timedelta(days=120)})
    fields = _fields(
        alert, people=people, basis=basis, low=low, high=high, standing=standing, products=products, today=today, language=language
    )
    items, later = timeline.page(
        {name.removeprefix("timeline_"): value for name, value in vars(alert).items() if name.startswith("timeline_")},
        before=None,
        language=language,
    )
    return Card(
        alert=alert,
        customer=customer,
        is_open=is_open,
        as_of=as_of,
        icon=triage.play_icon(alert.play_kind, alert.offer),
        action=_action(content, fields, language) if content else (),
        guards=tuple(g for g in guards if g is not stop),
        stop=stop,
        fired=fired,
        people=people,
        answers=tuple(
            Answer(date.fromisoformat(a["on"]), a["score"], a["name"] or "")
            for a in alert.answers_found
            if date.fromisoformat(a["on"]) > today - timedelta(days=365)
        ),
        health=_health(alert, language),
        health_version=(alert.health_model or {}).get("number"),
        lenses=tuple(_lens(found) for found in sorted(alert.lenses_found, key=lambda found: found["lens"], reverse=True)),
        contract=_contract(alert, current=current, products=products, standing=standing, today=today),
        timeline=tuple(items),
        timeline_next=later,
        content=content,
        steps=_steps(content, play, fields, stopped=stop is not None, language=language) if content else (),
        message=_message(content, fields, people=people, language=language) if content and stop is None else None,
        wins=_wins(alert, language),
        parts=parts(alert, language),
        also=_also(alert, language),
        logged=tuple(_logged(found, language) for found in alert.logged_found),
        basis=basis if stop is None else None,
        policy=policy,
        quote=priced if stop is None else None,
        low=low,
        high=high,
        middle=middle,
        currency=alert.expected_currency,
        amount_kind="gain" if alert.play_kind in triage.GAINING else "loss" if alert.play_kind == PlayKind.DOWNSELL else "keep",
        signal_count=len(alert.open_alerts),
        dates=_dates(today, frees),
        again=_again(today, standing),
        snoozes=snoozes(today, frees),
        defaults=_defaults(content, middle, today) if content else {},
        rise=rise(alert),
        rise_words=triage.condition_words(rise(alert), language),
        waits_for=triage.condition_words(alert.snooze_condition, language),
        price=fields["price"] or "",
        zones=_zones(policy),
        suggested=_suggested(policy),
        next_steps=tuple(
            (result, tuple((choice.key, choice.text.said(language)) for choice in choices))
            for result, choices in content.next_steps.items()
        )
        if content
        else (),
        playbook_name=content.name.said(language) if content else alert.playbook_key,
        tomorrow=today + timedelta(days=1),
    )


def _content(alert: Any) -> catalogue.Content | None:
    body = alert.plays_found[0]["body"] if alert.plays_found else alert.published
    return catalogue.read(body) if body else None


def _sold(found: Mapping[str, Any], language: str) -> offers.Sold:
    price = None if found["price"] is None else Decimal(found["price"])
    return offers.Sold(
        id=found["id"], code=found["code"], name=triage.product_name(found, language), kind=found["kind"], family=found["family"],
        tier=found["tier"], list_year=None if price is None else arr_of(price, found["months"]), currency=found["currency"],
        margin_percent=None if found["margin"] is None else Decimal(found["margin"]), complements=tuple(found["complements"] or ()),
    )  # fmt: skip


def _line(found: Mapping[str, Any]) -> offers.Line:
    return offers.Line(
        product_id=found["product"],
        kind=found["kind"],
        quantity=None if found["quantity"] is None else Decimal(found["quantity"]),
        arr=Decimal(found["arr"]),
        currency=found["currency"],
        list_price=None if found["list_price"] is None else Decimal(found["list_price"]),
    )


def _in_force(line: Mapping[str, Any], day: date) -> bool:
    """Tell whether the line is paid on the day: begun, not over, not on trial, not paused."""

    def on(name: str) -> date | None:
        return None if line[name] is None else date.fromisoformat(line[name])

    starts, until, trial, paused, resumes = on("starts"), on("until"), on("trial_ends"), on("paused_from"), on("paused_before")
    if starts is None or starts > day or (until is not None and until <= day) or (trial is not None and trial >= day):
        return False
    return not (paused is not None and paused <= day and (resumes is None or day < resumes))


def _people(alert: Any, *, user: User) -> tuple[Person, ...]:
    """Return the contacts, those who decide first.  A viewer reads names shortened and no addresses."""
    order = {role: place for place, role in enumerate(_RANKED)}
    found = sorted(alert.contacts_found, key=lambda c: (order.get(c["role"], len(order)), c["id"]))
    hidden = user.role == Role.VIEWER
    people = []
    for contact in found:
        last = contact["last"] or {}
        label, _icon = timeline.touch_name(last.get("kind", ""))
        people.append(
            Person(
                id=contact["id"],
                name=masked(contact["name"]) if hidden else contact["name"],
                about=" ".join(part for part in (contact["department"], contact["title"]) if part),
                role=role_name(contact["role"]),
                last_on=clock.day_of(datetime.fromisoformat(last["at"])) if last else None,
                last_kind=label if last else "",
                nps=contact["nps"],
                email="" if hidden else contact["email"],
                has_opted_out=contact["out"],
                decides=contact["role"] in _DECIDES,
            )
        )
    return tuple(people)


def role_name(role: str) -> str:
    """Return what a person does at the customer."""
    return (
        {
            ContactRole.DECISION_MAKER: pgettext("contact role", "Decides"),
            ContactRole.EXECUTIVE: pgettext("contact role", "Executive"),
            ContactRole.CHAMPION: pgettext("contact role", "Champion"),
            ContactRole.USER: pgettext("contact role", "User"),
            ContactRole.BILLING: pgettext("contact role", "Billing"),
        }.get(ContactRole(role), role)
        if role
        else ""
    )


def masked(name: str) -> str:
    """Return the family name alone: 高橋 ●●."""
    return f"{name.split()[0] if ' ' in name.strip() else name.strip()[:1]} ●●" if name.strip() else ""


def _fields(
    alert: Any, *, people: Sequence[Person], basis: offers.Basis | None, low: Decimal | None, high: Decimal | None, standing: Any,
    products: Mapping[int, offers.Sold], today: date, language: str,
) -> dict[str, str | None]:  # fmt: skip
    """Return what the templates of the playbook may name."""
    decides = next((person for person in people if person.decides), None)
    plans = {p.code: p.name for p in products.values()}
    offered = products.get(int(alert.offer.get("product_id") or 0))
    now = standing and standing.seats
    after = alert.offer.get("quantity_after") or (basis.quantity if basis and basis.kind == "seats" else None)
    renews = standing and standing.renews_on
    due = max(alert.due_on, outcomes.in_business_days(today, 1))
    # A message tells a customer about its own use, never about scores, answers or what was offered.
    facts = [
        i
        for found in alert.open_alerts
        for i in found["evidence"] or ()
        if i.get("term") in TERMS and TERMS[i["term"]].dataset in _TOLD
    ]
    words = [f"{TERMS[i['term']].name(language)} {format_value(i['term'], i['value'], language)}" for i in facts[:2]]
    price = None
    if low is not None and high is not None and alert.play_kind != PlayKind.HELP:
        price = price_words(
            low, high, currency=alert.expected_currency, language=language, signed=alert.play_kind in triage.GAINING
        )
    return {
        "owner": alert.owner.name if alert.owner else None,
        "person": decides.name if decides else None,
        "person_about": f"{decides.name}({decides.about})"
        if decides and decides.about and language == "ja"
        else f"{decides.name} ({decides.about})"
        if decides and decides.about
        else decides.name
        if decides
        else None,
        "customer": alert.customer.name,
        "by": formats.day(due, language=language),
        "price": price,
        "price_span": f"{price}の幅" if price and "〜" in price else price,
        "signals": ("、" if language == "ja" else ", ").join(words) or None,
        "plan": plans.get(standing.plan_code) if standing else None,
        "next_plan": offered.name if offered else basis.name if basis and basis.kind == "next_plan" else _("the higher plan"),
        "product": offered.name if offered else _("a related product"),
        "seats": formats.number(now) if now is not None else None,
        "seats_used": formats.number(standing.seats_used) if standing and standing.seats_used is not None else None,
        "seats_after": formats.number(int(after)) if after else None,
        "renews_on": formats.day_full(renews, language=language) if renews else None,
        "days_to_renewal": formats.count((renews - today).days, "days", language=language) if renews else None,
    }


def price_words(low: Decimal, high: Decimal, *, currency: str, language: str, signed: bool) -> str:
    """Say a range of money: +151万円〜+162万円 · +¥1.51M to +¥1.62M."""
    first = formats.money_short(low, currency=currency, language=language, signed=signed)
    last = formats.money_short(high, currency=currency, language=language, signed=signed)
    if first == last:
        return first
    return f"{first}〜{last}" if language == "ja" else f"{first} to {last}"


def _action(content: catalogue.Content, fields: Mapping[str, str | None], language: str) -> tuple[Slot, ...]:
    """Return the next best action; its slots are bold, what is not known says so."""
    missing = {"owner": _("nobody yet"), "person": _("(decision-maker not recorded)")}
    what = "".join(piece.text or "…" for piece in catalogue.fill(content.what.said(language), fields))
    known = {**fields, "what": what, "person": fields["person_about"], "price": fields["price_span"]}
    template = content.action if fields["price"] else content.action_without_price
    return tuple(
        Slot(piece.text, is_slot=bool(piece.field), missing=missing.get(piece.field, "…"))
        for piece in catalogue.fill(template.said(language), known)
    )


def _message(
    content: catalogue.Content, fields: Mapping[str, str | None], *, people: Sequence[Person], language: str
) -> Filled | None:
    written = next((step.message for step in content.steps if step.message), None)
    if written is None:
        return None
    missing = _("[missing]")
    subject, body = catalogue.fill(written.subject.said(language), fields), catalogue.fill(written.body.said(language), fields)
    named = [piece for piece in (*subject, *body) if piece.field]
    reader = next((person for person in people if person.decides and person.email and not person.has_opted_out), None)
    return Filled(
        subject=tuple(Slot(piece.text, bool(piece.field), missing) for piece in subject),
        body=tuple(Slot(piece.text, bool(piece.field), missing) for piece in body),
        plain_subject=catalogue.plain(subject, missing=missing), plain_body=catalogue.plain(body, missing=missing),
        filled=sum(piece.text is not None for piece in named), fields=len(named), to=reader.email if reader else "",
    )  # fmt: skip


def _steps(
    content: catalogue.Content, play: Mapping[str, Any] | None, fields: Mapping[str, str | None], *, stopped: bool, language: str
) -> tuple[StepView, ...]:
    """Return the steps as they stand.  Where offers are stopped only the review is left."""
    done = (play or {}).get("steps") or {}
    asked = (play or {}).get("asked") or {}
    here = next((step.key for step in content.steps if step.key not in done), "")

    def said(text: catalogue.Text) -> str:
        return catalogue.plain(catalogue.fill(text.said(language), fields), missing="…")

    views = []
    for number, step in enumerate(content.steps, start=1):
        if stopped and step.kind != "review":
            continue
        mark = done.get(step.key)
        longest = max((part.minutes for part in step.demo), default=1)
        views.append(
            StepView(
                step=step, number=number, name=said(step.name), points=tuple(said(point) for point in step.points),
                questions=tuple((q, said(q.text), q.key in asked) for q in step.questions),
                demo=tuple((said(part.text), part.minutes, part.minutes / longest) for part in step.demo),
                is_done=mark is not None, is_here=step.key == here,
                done_on=clock.day_of(datetime.fromisoformat(mark["at"])) if mark else None, done_by=(mark or {}).get("name", ""),
            )
        )  # fmt: skip
    return tuple(views)


def _guards(alert: Any, *, people: Sequence[Person], as_of: date, today: date, language: str) -> list[GuardLine]:
    """Return the checks before contact, the strictest first; those that pass are named too."""
    if alert.open_key is None:
        return []
    made = sum(clock.day_of(at) > today - timedelta(days=30) for at in alert.offers_at)
    found = guardrails.check([alert.customer_id], as_of).get(alert.customer_id, [])
    shown, _is_stopped = guardrails.for_play(found, play_kind=alert.play_kind, playbook=alert.playbook_key)
    lines = []
    for guard in shown:
        level = guard.level
        if level == guardrails.STOP and not guard.stops(alert.play_kind, alert.playbook_key):
            level = guardrails.CAUTION
        lines.append(
            GuardLine(level, guard.fact(language), until=guard.until, used=made if guard.key == "offers_in_30_days" else None)
        )
    keys = {guard.key for guard in found}
    if "offers_in_30_days" not in keys:
        words = _("%(offers)s in 30 days") % {"offers": formats.count(made, "offers", language=language)}
        lines.append(GuardLine("ok", words, used=min(made, OFFERS_ALLOWED)))
    if "open_ticket" not in keys:
        lines.append(GuardLine("ok", _("No critical ticket is open")))
    decides = next((person for person in people if person.decides), None)
    if "no_consent" not in keys and decides is not None and not decides.has_opted_out:
        lines.append(GuardLine("ok", _("May be contacted by e-mail")))
    order = {"stop": 0, "caution": 1, "info": 2, "ok": 3}
    return sorted(lines, key=lambda line: order[line.level])


def near(alert: Alert, *, language: str) -> tuple[Measured, ...]:
    """Return the signals of the customer that are closest to firing and have not, with what is missing in words.

    It weighs every rule, so the page asks for it after the card stands.
    """
    standing = getattr(alert.customer, "standing", None)
    if standing is None:
        return ()
    open_rules = set(Alert.objects.open().filter(customer=alert.customer_id).values_list("rule__key", flat=True))
    explained = [one for one in explain.explain(alert.customer, business_date=standing.as_of) if one.rule not in open_rules]
    close = [one for one in explain.nearly(explained, most=NEAR) if one.nearest is not None and (one.distance or 0) <= CLOSE]
    shown = [one.nearest.term for one in close if one.nearest]
    drawn = series.weekly(alert.customer_id, shown, until=standing.as_of, weeks=WEEKS) if shown else {}
    return _near(close, drawn, language)


def _fired(alert: Any, *, as_of: date, language: str) -> tuple[Measured, ...]:
    """Return each open signal of the customer with its first measure over twelve weeks; the card's own comes first."""
    firsts = [next((item for item in signal["evidence"] or () if item.get("term") in TERMS), None) for signal in alert.open_alerts]
    shown = [item["term"] for item in firsts if item]
    drawn = series.weekly(alert.customer_id, shown, until=as_of, weeks=WEEKS) if shown else {}
    return _drawn(alert, firsts, drawn, language)


def _as_it_was(alert: Alert, language: str) -> tuple[Measured, ...]:
    """Return the evidence of a closed alert as it was kept."""
    body = rules.RuleBody.from_json(alert.rule_version.body)
    return tuple(
        _measured(
            body.name(language), item["term"], item.get("op", ">="), item["value"], item["threshold"], icon=body.icon, values=(),
            language=language, on=alert.raised_on, days=item.get("sustained_days"),
        )
        for item in (alert.evidence or ())[:1]
        if item.get("term") in TERMS
    )  # fmt: skip


def _drawn(
    alert: Any, firsts: Sequence[Mapping[str, Any] | None], drawn: Mapping[str, Sequence[float | None]], language: str
) -> tuple[Measured, ...]:  # fmt: skip
    made = []
    for signal, item in zip(alert.open_alerts, firsts, strict=True):
        body = rules.RuleBody.from_json(signal["body"])
        raised = date.fromisoformat(signal["raised_on"])
        if item is None:
            made.append(
                Measured(
                    name=body.name(language),
                    words=body.definition(language),
                    icon=body.icon or "flag",
                    now="",
                    limit="",
                    threshold=None,
                    is_above=True,
                    series=(),
                    label="",
                    term="",
                    on=raised,
                )
            )
            continue
        others = [i for i in signal["evidence"] if i.get("term") in TERMS and i["term"] != item["term"]]
        told = ("、" if language == "ja" else ", ").join(
            f"{TERMS[i['term']].name(language)} {format_value(i['term'], i['value'], language)}" for i in others
        )
        made.append(
            _measured(
                body.name(language), item["term"], item.get("op", ">="), item["value"], item["threshold"], icon=body.icon,
                values=drawn.get(item["term"], []), language=language, on=raised, others=told, days=item.get("sustained_days"),
            )
        )  # fmt: skip
    return tuple(made)


def _near(close: Sequence[explain.Explained], drawn: Mapping[str, Sequence[float | None]], language: str) -> tuple[Measured, ...]:
    made = []
    for one in close:
        clause = one.nearest
        if clause is not None:
            made.append(
                _measured(
                    one.name_ja if language == "ja" else one.name_en,
                    clause.term,
                    clause.op,
                    clause.value,
                    clause.threshold,
                    icon=one.icon,
                    values=drawn.get(clause.term, []),
                    language=language,
                    gap=clause.gap_ja if language == "ja" else clause.gap_en,
                    days=clause.sustained_days,
                )
            )
    return tuple(made)


def _measured(
    name: str,
    term: str,
    op: str,
    value: float | None,
    threshold: float,
    *,
    icon: str,
    values: Sequence[float | None],
    language: str,
    on: date | None = None,
    others: str = "",
    gap: str = "",
    days: int | None = None,
) -> Measured:
    is_above = op in {">=", ">"}
    now, limit = format_value(term, value, language), format_value(term, threshold, language)
    known = [number for number in values if number is not None]
    label = _("%(term)s: %(now)s, threshold %(limit)s.") % {"term": TERMS[term].name(language), "now": now, "limit": limit}
    if known:
        label += " " + _("Twelve weeks, from %(first)s to %(last)s.") % {
            "first": format_value(term, known[0], language), "last": format_value(term, known[-1], language),
        }  # fmt: skip
    condition = rules.Condition(key="", term=term, op=op, threshold=threshold, sustained_days=days)
    return Measured(
        name=name, words=rules.condition_words(condition, language), icon=icon or "flag", now=now, limit=limit, threshold=threshold,
        is_above=is_above, series=tuple(values), label=label, term=term, on=on, gap=gap, others=others,
    )  # fmt: skip


def _health(alert: Any, language: str) -> tuple[Points, ...]:
    """Return the points of each measure of the newest score, and their change against 30 days before under the same version."""
    if not alert.scores_found or not alert.health_model:
        return ()
    newest = alert.scores_found[0]
    before_on = (date.fromisoformat(newest["on"]) - timedelta(days=30)).isoformat()
    before = next((s for s in alert.scores_found if s["on"] == before_on and s["version"] == newest["version"]), None)
    measures = [measure for group in alert.health_model["body"]["groups"] for measure in group["measures"]]
    made = []
    for place, measure in enumerate(measures[: len(newest["points"])]):
        points, old = newest["points"][place], before["points"][place] if before else None
        name = measure.get(f"name_{language}") or TERMS[measure["term"]].name(language)
        made.append(Points(name=name, points=points, change=None if points is None or old is None else points - old))
    return tuple(made)


def _lens(found: Mapping[str, Any]) -> Lens:
    return Lens(
        lens=found["lens"], segment=found["segment"], r=found["r"], f=found["f"], m=found["m"], recency_days=found["recency"],
        frequency=found["frequency"], monetary=None if found["monetary"] is None else Decimal(found["monetary"]),
    )  # fmt: skip


def _contract(
    alert: Any, *, current: Sequence[Mapping[str, Any]], products: Mapping[int, offers.Sold], standing: Any, today: date
) -> Contract:  # fmt: skip
    plan = max((line for line in current if line["kind"] == "plan"), key=lambda line: Decimal(line["arr"]), default=None)
    held = {line["product"] for line in current}
    codes = {products[pk].code for pk in held if pk in products}
    wanted = {code for pk in held if pk in products for code in products[pk].complements} - codes
    holdings = [Holding(products[pk].name, is_held=True) for pk in sorted(held) if pk in products and products[pk].kind != "seat"]
    holdings += [Holding(product.name, is_held=False) for product in products.values() if product.code in wanted]
    quantity = Decimal(plan["quantity"]) if plan and plan["quantity"] else None
    starts = [date.fromisoformat(line["starts"]) for line in alert.lines_found]
    discounts = [
        Decimal(line["discount"]) for line in reversed(alert.lines_found) if line["kind"] == "plan" and line["discount"] is not None
    ]
    return Contract(
        plan=products[plan["product"]].name if plan and plan["product"] in products else "",
        unit=round_half_up(Decimal(plan["arr"]) / quantity / 12) if plan and quantity else None,
        seats=round(standing.seats) if standing and standing.seats is not None else None,
        seats_used=round(standing.seats_used) if standing and standing.seats_used is not None else None,
        arr=standing.arr if standing else None,
        currency=standing.currency if standing else alert.expected_currency,
        term_months=_months_between(plan["starts"], plan["renews"] or plan["until"]) if plan else None,
        since=min(starts, default=None),
        renews_on=standing.renews_on if standing else None,
        auto_renew=plan["auto"] if plan else None,
        discounts=tuple(discounts[-3:]),
        lines=tuple(
            (products[line["product"]].name if line["product"] in products else "", Decimal(line["arr"]), line["currency"])
            for line in current
        ),
        products=tuple(holdings),
    )


def _months_between(first: str, last: str | None) -> int | None:
    if last is None:
        return None
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return max(round((end - start).days / 30.4375), 1) if end > start else None


def _wins(alert: Any, language: str) -> tuple[Win, ...]:
    """Return won cards and deals of the same play, those of the same industry and size first.  None are made up."""
    logged = {found["alert"] for found in alert.won_found}
    found = [*alert.won_found, *(deal for deal in alert.deals_found if deal["alert"] is None or deal["alert"] not in logged)]
    own = alert.customer

    def distance(win: Mapping[str, Any]) -> tuple[bool, bool]:
        near = bool(own.employees and win["employees"] and own.employees / 2 <= win["employees"] <= own.employees * 2)
        return (not own.industry or win["industry"] != own.industry, not near)

    wins = []
    for win in sorted(found, key=distance)[:_WINS]:
        opened, closed = date.fromisoformat(win["opened"][:10]), date.fromisoformat((win["closed"] or win["opened"])[:10])
        size = formats.count(win["employees"], "people", language=language) if win["employees"] else ""
        wins.append(
            Win(
                name=win["name"],
                about=" · ".join(part for part in (win["industry"], size) if part),
                what=triage.product_name(win if "ja" in win else None, language),
                days=(closed - opened).days if closed >= opened else None,
                amount=None if win["amount"] is None else Decimal(win["amount"]),
                currency=win["currency"],
                discount=None if win["discount"] is None else Decimal(win["discount"]),
                is_same_industry=bool(own.industry) and win["industry"] == own.industry,
            )
        )
    return tuple(wins)


def parts(alert: Alert, language: str) -> tuple[Part, ...]:
    """Return why the alert stands where it does."""
    labels = {
        "amount": _("Expected amount"), "likelihood": _("Likelihood"), "timing": _("Timing"), "overlap": _("Signals together"),
        "relationship": _("Relationship"), "cautions": _("Deduction"),
    }  # fmt: skip
    return tuple(
        Part(part["key"], labels.get(part["key"], part["key"]), part["points"], part["max"], part.get(f"fact_{language}") or "")
        for part in alert.priority_parts
    )


def _also(alert: Any, language: str) -> tuple[AlsoPossible, ...]:
    return tuple(
        AlsoPossible(
            id=found["id"],
            name=found["body"][f"name_{language}"],
            icon=triage.play_icon(found["play_kind"], found["offer"]),
            words=triage.play_words(
                found["play_kind"], found["offer"], offered=found["offered"], plan=None, seats=None, language=language
            ),
            priority=found["priority"],
        )
        for found in alert.open_alerts
        if found["id"] != alert.pk and found["playbook"] != alert.playbook_key
    )


def _logged(found: Mapping[str, Any], language: str) -> Logged:
    words = logged_words(
        found["result"],
        reason=found["reason"],
        amount=None if found["amount"] is None else Decimal(found["amount"]),
        currency=found["currency"],
        next_step=timeline.next_step_words(found["next_steps"] or {}, found["next_step"], language),
        next_on=date.fromisoformat(found["next_on"]) if found["next_on"] else None,
        quiet_until=date.fromisoformat(found["quiet"]) if found["quiet"] else None,
        language=language,
    )
    return Logged(
        id=found["id"], result=found["result"], label=str(Result(found["result"]).label), words=words, by=found["by"],
        at=datetime.fromisoformat(found["at"]), note=found["note"],
    )  # fmt: skip


def logged_words(
    result: str,
    *,
    reason: str = "",
    amount: Decimal | None = None,
    currency: str = "",
    next_step: str = "",
    next_on: date | None = None,
    quiet_until: date | None = None,
    language: str,
) -> str:
    """Say an outcome in one line: 商談化 · ¥1,562,000 · デモ · 11/26(木)."""
    told = [str(Result(result).label)]
    if reason:
        told.append(str(Reason(reason).label))
    if amount is not None:
        told.append(formats.money_exact(amount, currency=currency or "JPY"))
    if next_step:
        told.append(next_step)
    if next_on is not None:
        told.append(formats.day(next_on, language=language))
    if quiet_until == outcomes.NEVER:
        told.append(_("never offer again"))
    elif quiet_until is not None:
        told.append(_("offer again %(day)s") % {"day": formats.day_full(quiet_until, language=language)})
    return " · ".join(told)


def _dates(today: date, frees: Sequence[date]) -> tuple[DateChoice, ...]:
    """Return the next dates that are one click away, each day once."""
    chosen = [
        DateChoice(outcomes.in_business_days(today, 1), _("Next day"), "d1"),
        DateChoice(outcomes.in_business_days(today, 3), _("3 days"), "d3"),
        DateChoice(outcomes.in_a_week(today), _("1 week"), "w1"),
        DateChoice(outcomes.in_business_days(today, 5), _("5 days"), "d5"),
        *(DateChoice(periods.add_business_days(day, 0), _("Once free"), "free") for day in frees[:1]),
    ]
    return tuple(sorted({choice.on: choice for choice in reversed(chosen)}.values(), key=lambda choice: choice.on))


def _again(today: date, standing: Any) -> tuple[DateChoice, ...]:
    chosen = [
        DateChoice(outcomes.NEVER, _("Never"), "never"),
        DateChoice(periods.add_months(today, 3), _("3 months"), "m3"),
        DateChoice(periods.add_months(today, 6), _("6 months"), "m6"),
    ]
    before = standing.renews_on - timedelta(days=90) if standing is not None and standing.renews_on is not None else None
    if before is not None and before > today and before not in {choice.on for choice in chosen}:
        chosen.append(DateChoice(before, _("90 days before renewal"), "renewal"))
    return tuple(chosen)


def snoozes(today: date, frees: Sequence[date]) -> tuple[DateChoice, ...]:
    chosen = [
        DateChoice(outcomes.in_business_days(today, 1), _("Next business day"), "d1"),
        DateChoice(outcomes.in_a_week(today), _("In a week"), "w1"),
        *(DateChoice(day, _("Once it is free"), "free") for day in frees[:1]),
    ]
    return tuple(chosen)


def _zones(policy: offers.Policy | None) -> tuple[ZoneView, ...]:
    if policy is None:
        return ()
    names = {"rep": _("You decide"), "manager": _("Manager approves"), "director": _("Director + finance")}
    views, least = [], Decimal(0)
    for zone in policy.zones:
        span = (
            f"{formats.number(least, places=0)}–{formats.number(zone.up_to, places=1)}%"
            if not least
            else f"–{formats.number(zone.up_to, places=0)}%"
        )
        views.append(ZoneView(names.get(zone.role, zone.role), span, _of_100(least, policy), _of_100(zone.up_to - least, policy)))
        least = zone.up_to
    return tuple(views)


def _suggested(policy: offers.Policy | None) -> ZoneView | None:
    if policy is None:
        return None
    return ZoneView("", "", _of_100(policy.suggested_low, policy), _of_100(policy.suggested_high - policy.suggested_low, policy))


def _of_100(percent: Decimal, policy: offers.Policy) -> str:
    return f"{percent * 100 / policy.most:.2f}"


def _defaults(content: catalogue.Content, middle: Decimal | None, today: date) -> dict[str, Defaults]:
    made = {}
    for result in Result.values:
        fill = outcomes.suggest(result, content=content, expected=middle, today=today)
        made[result] = Defaults(
            amount=formats.number(fill.amount, places=0) if fill.amount is not None else "",
            next_step=fill.next_step,
            next_on=fill.next_on.isoformat() if fill.next_on else "",
            quiet_until=fill.quiet_until.isoformat() if fill.quiet_until else "",
        )
    return made


def rise(alert: Alert) -> dict[str, Any] | None:
    """Return what a card can be snoozed for: its first measure, one step further than today; None where more says nothing."""
    for item in alert.evidence or ():
        term = TERMS.get(item.get("term", ""))
        if term is None or term.unit not in _RISES or item.get("op", ">=") not in {">=", ">"} or item.get("value") is None:
            continue
        value = float(item["value"])
        step = ceil(round((value + 0.04) * 20, 6)) / 20 if term.unit == "ratio" else float(ceil(value * 1.2))
        if step > value:
            return {"term": term.key, "op": ">=", "threshold": step}
    return None
