"""The manager's page as values: figures with their change, the charts' numbers, and the sentence on top."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from expansion import formats
from expansion.dashboards import figures, kpis, targets
from expansion.dashboards.figures import Meaning
from expansion.dashboards.forms import Filters
from expansion.dashboards.kpis import Renewals, Retention, TrendPoint, Window
from expansion.dashboards.spans import Period
from expansion.users.models import User

SOON_DAYS = 60
# More accounts than this in one window are counted by band instead of drawn one by one.
MOST_GLYPHS = 40
_NUMBER = re.compile(r"[+−±¥$€£]*[\d.,]+[BMK]?")


@dataclass(frozen=True, slots=True)
class Card:
    """One figure of the row on top."""

    key: str
    name: str
    meaning: str
    value: str
    unit: str
    href: str
    change: str
    is_up: bool | None
    notes: tuple[str, ...]
    target: Decimal | None = None
    takes_target: bool = False

    @property
    def percent(self) -> str:
        """The target as a number field takes it."""
        return "" if self.target is None else f"{(self.target * 100).normalize():f}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the waterfall with its name and link."""

    key: str
    name: str
    amount: Decimal
    base: Decimal
    kind: str
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """``floor`` is where the axis starts; above zero the totals are drawn torn and the caption says so."""

    bars: tuple[Bar, ...]
    unit: str
    floor: Decimal
    floor_text: str


@dataclass(frozen=True, slots=True)
class Point:
    """One month of the trend with the links to the customers behind it."""

    period: Period
    nrr: Decimal | None
    grr: Decimal | None
    nrr_href: str
    grr_href: str


@dataclass(frozen=True, slots=True)
class DueRow:
    """One window of the renewals; ``marks`` are the bands of its accounts, worst first, or counts where there are many."""

    label: str
    window: Window
    marks: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    href: str
    risk_href: str
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the page."""

    filters: Filters
    as_of: date
    language: str
    f: Retention
    before: Retention | None
    cards: tuple[Card, ...]
    waterfall: Waterfall
    trend: tuple[Point, ...]
    due: Renewals
    due_rows: tuple[DueRow, ...]
    due_total: Window
    due_bands: tuple[str, ...]
    soon: Window
    soon_href: str
    meanings: Mapping[str, Meaning]
    targets: Mapping[str, Decimal]
    lead: str
    lead_share: Decimal | None
    charts: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """Tell whether nobody in the scope paid at either end or renews: nothing to show."""
        return not self.f.start_mrr and not self.f.end_mrr and not self.due_total.accounts

    @property
    def due_said(self) -> str:
        """How many customers renew, and what they are worth a year."""
        count = formats.count(len(self.due_total.accounts), "customers", language=self.language)
        return f"{count} · {formats.money_short(self.due_total.arr, currency=self.due.currency, language=self.language)}"

    @property
    def goal(self) -> Decimal | None:
        """The target of NRR at the period's end."""
        return self.targets.get("nrr")

    @property
    def gains(self) -> Decimal:
        """All that was gained from the customers who paid at the start, before what they lost again."""
        return self.f.upsell + self.f.cross_sell + self.f.other_gains

    @property
    def losses(self) -> Decimal:
        return self.f.contraction + self.f.churn

    @property
    def now(self) -> Point:
        """The last point of the trend."""
        return self.trend[-1]


def board(filters: Filters, *, user: User, as_of: date, language: str) -> Board:
    """Compute the page for a reader; every number comes from ``kpis``."""
    scope = filters.scope(user)
    book = kpis.opened(scope)
    asked = [period for period in (filters.period, filters.compared) if period is not None]
    found, trend = kpis.retention_and_trend_of(book, asked)
    f, before = found[0], found[1] if len(found) > 1 else None
    if before is not None and not before.has_base:
        before = None
    due = kpis.renewals(as_of, scope)
    goals = targets.on(filters.period.to_day)
    points = tuple(_point(point, filters) for point in trend)
    bars = _waterfall(f, filters, language=language)
    gains = {"upsell": f.upsell, "cross_sell": f.cross_sell, "other_gains": f.other_gains}
    lead = max(gains, key=lambda key: gains[key])
    total = due.within(kpis.WINDOWS[-1])
    return Board(
        filters=filters, as_of=as_of, language=language, f=f, before=before,
        cards=_cards(f, before, due, filters, goals, language=language), waterfall=bars, trend=points,
        due=due, due_rows=tuple(_due_row(window, filters) for window in due.windows), due_total=total,
        due_bands=tuple(band for band, count in total.by_band if count or band != "insufficient"),
        soon=due.within(SOON_DAYS), soon_href=_renewals_href(filters, 0, SOON_DAYS, risk=True),
        meanings=figures.meanings(f, due, language=language), targets=goals,
        lead=lead, lead_share=kpis.ratio(gains[lead], sum(gains.values(), Decimal(0))),
        charts={
            "waterfall": json.dumps(_waterfall_data(bars), ensure_ascii=False),
            "trend": json.dumps(_trend_data(points, goals, language=language), ensure_ascii=False),
        },
    )  # fmt: skip


def drill_href(metric: str, filters: Filters, more: Iterable[tuple[str, object]] = (), *, period: Period | None = None) -> str:
    """Return the address of the customers behind a figure under the same filters."""
    query = filters.query(more, period=period)
    return reverse("metrics_drill", args=[metric]) + (f"?{query}" if query else "")


def _renewals_href(filters: Filters, after: int, within: int, *, risk: bool = False) -> str:
    more: list[tuple[str, object]] = [("after", after), ("within", within)]
    return drill_href("renewals", filters, [*more, ("risk", 1)] if risk else more)


def _cards(
    f: Retention, before: Retention | None, due: Renewals, filters: Filters, goals: Mapping[str, Decimal], *, language: str
) -> tuple[Card, ...]:
    names = figures.names()

    def money(amount: Decimal, *, signed: bool = False) -> str:
        return formats.money_short(amount, currency=f.currency, language=language, signed=signed)

    def of(part: int) -> str:
        if language == "ja":
            return f"{part:,} / {f.start_customers:,}社"
        return f"{part:,} of {f.start_customers:,}"

    def rate(key: str, metric: str, value: Decimal | None, was: Decimal | None, notes: tuple[str, ...] = ()) -> Card:
        change = None if value is None or was is None else value - was
        shown, unit = _split(formats.rate(value))
        return Card(
            key=key, name=names[key], meaning=metric, value=shown, unit=unit, href=drill_href(metric, filters),
            change=_changed(None if change is None else formats.points(change), filters), is_up=_is_up(change), notes=notes,
            target=goals.get(key), takes_target=key in targets.METRICS,
        )  # fmt: skip

    was = before
    gain_change = None if was is None or not was.expansion else f.expansion / was.expansion - 1
    gained, gain_unit = _split(money(f.expansion, signed=True))
    soon = due.within(90)
    renewing, renewing_unit = _split(money(soon.arr))
    at_risk = _("%(amount)s at risk") % {"amount": money(soon.arr_at_risk)}
    return (
        rate("nrr", "nrr", f.nrr, was.nrr if was else None),
        rate("grr", "grr", f.grr, was.grr if was else None),
        rate("logo", "logo", f.logo_retention, was.logo_retention if was else None, (of(f.start_customers - f.churned_customers),)),
        rate("upsell_rate", "upsell", f.upsell_rate, was.upsell_rate if was else None, (of(f.upsold_customers),)),
        rate(
            "cross_sell_rate", "cross_sell", f.cross_sell_rate, was.cross_sell_rate if was else None, (of(f.cross_sold_customers),)
        ),
        Card(
            key="expansion", name=names["expansion"], meaning="expansion", value=gained, unit=gain_unit,
            href=drill_href("expansion", filters),
            change=_changed(None if gain_change is None else formats.change(gain_change), filters), is_up=_is_up(gain_change),
            notes=() if was is None else (_("was %(amount)s") % {"amount": money(was.expansion)},),
        ),
        Card(
            key="renewals", name=names["renewals"], meaning="renewals", value=renewing, unit=renewing_unit,
            href=_renewals_href(filters, 0, 90), change="", is_up=None,
            notes=(formats.count(len(soon.accounts), "customers", language=language), at_risk),
        ),
    )  # fmt: skip


def _changed(text: str | None, filters: Filters) -> str:
    if filters.comparison == "none":
        return ""
    return _("no comparable data") if text is None else text


def _is_up(change: Decimal | None) -> bool | None:
    return None if not change else change > 0


def _split(text: str) -> tuple[str, str]:
    """Part a figure from its unit, so that the number can stand larger: 110.7 and %, +920 and 万円."""
    found = _NUMBER.match(text)
    return (text, "") if found is None else (found.group(), text[found.end() :])


def _waterfall(f: Retention, filters: Filters, *, language: str) -> Waterfall:
    steps = kpis.waterfall(f)
    names = figures.names()
    largest = max((abs(step.amount) for step in steps), default=Decimal(0))
    divisor, places, unit = _scale(largest, currency=f.currency, language=language)
    level, levels, bars = Decimal(0), [], []
    for step in steps:
        level = step.amount if step.is_total else step.base + step.amount
        levels.append(level)
        text = formats.number(abs(step.amount) / divisor, places=places)
        sign = "" if step.is_total else "+" if step.amount > 0 else formats.MINUS if step.amount < 0 else "±"
        kind = "total" if step.is_total else "new" if step.key in {"new", "reactivation"} else "up" if step.amount >= 0 else "down"
        bars.append(
            Bar(
                key=step.key, name=names[step.key], amount=step.amount, base=step.base, kind=kind, text=sign + text,
                href=drill_href(step.key, filters),
            )
        )  # fmt: skip
    floor = _floor(levels)
    shown = formats.money_short(floor, currency=f.currency, language=language) if floor else ""
    return Waterfall(bars=tuple(bars), unit=unit, floor=floor, floor_text=shown)


def _floor(levels: list[Decimal]) -> Decimal:
    """Return where the axis may start so that the moves can be seen; zero where they can anyway."""
    low, high = min(levels), max(levels)
    span = high - low
    if not span or low <= 2 * span:
        return Decimal(0)
    step = Decimal(10) ** math.floor(math.log10(span)) / 2
    return ((low - span * 3 / 4) / step).to_integral_value(ROUND_FLOOR) * step


def _scale(largest: Decimal, *, currency: str, language: str) -> tuple[Decimal, int, str]:
    """Return by what the bars' numbers are divided, their decimals, and the unit to name once."""
    unit = {"JPY": "円", "USD": "ドル", "EUR": "ユーロ", "GBP": "ポンド"}.get(currency, currency)
    symbol = {"JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}.get(currency, f"{currency} ")
    if language == "ja":
        if largest >= 1_000_000:
            return Decimal(10_000), 0, f"万{unit}"
        return (Decimal(10_000), 1, f"万{unit}") if largest >= 10_000 else (Decimal(1), 0, unit)
    if largest >= 1_000_000:
        return Decimal(1_000_000), 2, f"{symbol}M"
    return (Decimal(1_000), 1, f"{symbol}K") if largest >= 10_000 else (Decimal(1), 0, symbol)


def _point(point: TrendPoint, filters: Filters) -> Point:
    return Point(
        period=point.period, nrr=point.nrr, grr=point.grr,
        nrr_href=drill_href("nrr", filters, period=point.period), grr_href=drill_href("grr", filters, period=point.period),
    )  # fmt: skip


def _due_row(window: Window, filters: Filters) -> DueRow:
    first = window.after_days + 1 if window.after_days else 0
    few = len(window.accounts) <= MOST_GLYPHS
    return DueRow(
        label=_("%(first)d–%(last)d days") % {"first": first, "last": window.within_days}, window=window,
        marks=tuple(account.band for account in window.accounts) if few else (),
        counts=tuple((band, count) for band, count in window.by_band if count),
        href=_renewals_href(filters, window.after_days, window.within_days),
        risk_href=_renewals_href(filters, window.after_days, window.within_days, risk=True),
        is_urgent=window.within_days <= SOON_DAYS and bool(window.arr_at_risk),
    )  # fmt: skip


def _waterfall_data(made: Waterfall) -> dict[str, Any]:
    """Return what static/js/metrics.js draws."""
    return {
        "floor": float(made.floor),
        "bars": [
            {
                "name": bar.name, "amount": float(bar.amount), "base": float(bar.base), "kind": bar.kind, "text": bar.text,
                "href": bar.href,
            }
            for bar in made.bars
        ],
    }  # fmt: skip


def _trend_data(points: tuple[Point, ...], goals: Mapping[str, Decimal], *, language: str) -> dict[str, Any]:
    """Return what static/js/metrics.js draws, in percent."""

    def line(key: str) -> dict[str, Any]:
        values = [getattr(point, key) for point in points]
        known = [value for value in values if value is not None]
        goal = goals.get(key)
        return {
            "name": key.upper(),
            "values": [None if value is None else float(value * 100) for value in values],
            "texts": [formats.rate(value) for value in values],
            "hrefs": [getattr(point, f"{key}_href") for point in points],
            "last": formats.rate(known[-1]).removesuffix("%") if known else "",
            "target": None if goal is None else float(goal * 100),
            "target_text": "" if goal is None else _("target %(value)s") % {"value": formats.number(goal * 100)},
        }

    return {"days": [_month(point.period.to_day, language=language) for point in points], "lines": [line("nrr"), line("grr")]}


def _month(day: date, *, language: str) -> str:
    return f"'{day:%y}/{day.month}" if language == "ja" else f"{day:%b %y}"
