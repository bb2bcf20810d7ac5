"""Filters and tags of every page; built in, so no template loads them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, pgettext

from expansion import formats, htmx
from expansion.templatetags.icons import BANDS, ICONS, LOGO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.template.context import RequestContext
    from django.utils.safestring import SafeString

register = template.Library()
_BAND_CLASSES = {
    "excellent": "b1",
    "healthy": "b2",
    "watch": "b3",
    "act_now": "b4",
    "insufficient": "b0",
}


def _language() -> str:
    return "en" if (get_language() or "ja").startswith("en") else "ja"


def _local(value: date | datetime | None) -> date | datetime | None:
    return timezone.localtime(value) if isinstance(value, datetime) and timezone.is_aware(value) else value


# ── money ──


@register.filter
def money(amount: Decimal | None, currency: str = "") -> str:
    """156万円 · ¥1.56M"""
    return formats.money_short(amount, currency=currency or settings.REPORTING_CURRENCY, language=_language())


@register.filter
def money_exact(amount: Decimal | None, currency: str = "") -> str:
    """¥1,562,000"""
    return formats.money_exact(amount, currency=currency or settings.REPORTING_CURRENCY)


@register.filter
def money_change(amount: Decimal | None, currency: str = "") -> str:
    """+156万円 · −¥1.42M"""
    return formats.money_short(
        amount,
        currency=currency or settings.REPORTING_CURRENCY,
        language=_language(),
        signed=True,
    )


@register.filter
def money_change_exact(amount: Decimal | None, currency: str = "") -> str:
    """+¥1,562,000"""
    return formats.money_exact(amount, currency=currency or settings.REPORTING_CURRENCY, signed=True)


# ── numbers ──


@register.filter
def number(value: Decimal | float | None, places: int | None = None) -> str:
    """1,234 · −0.5"""
    return formats.number(value, places=places)


@register.filter
def rate(value: Decimal | float | None, places: int = 1) -> str:
    """0.092 is 9.2%"""
    return formats.rate(value, places=places)


@register.filter
def points(value: Decimal | float | None, places: int = 1) -> str:
    """0.046 is ▲4.6pt"""
    return formats.points(value, places=places)


@register.filter
def change(value: Decimal | float | None, places: int = 0) -> str:
    """0.34 is ▲34%"""
    return formats.change(value, places=places)


@register.filter
def counted(value: int | None, noun: str) -> str:
    """12件 · 12 alerts; the nouns stand in expansion/formats.py"""
    return formats.count(value, noun, language=_language())


@register.simple_tag
def rate_of(part: int, whole: int, noun: str = "", places: int = 1) -> str:
    """9.2%(38/412社) · 9.2% (38 of 412)"""
    return formats.rate_of(part, whole, language=_language(), noun=noun, places=places)


# ── dates ──


@register.filter
def day(value: date | datetime | None) -> str:
    """11/26(木) · Thu 26 Nov"""
    return formats.day(_local(value), language=_language())


@register.filter
def day_short(value: date | datetime | None) -> str:
    """11/26 · 26 Nov"""
    return formats.day(_local(value), language=_language(), weekday=False)


@register.filter
def day_full(value: date | datetime | None) -> str:
    """2027/2/6 · 6 Feb 2027"""
    return formats.day_full(_local(value), language=_language())


@register.filter
def month(value: date | datetime | None) -> str:
    """2026年11月 · Nov 2026"""
    return formats.month(_local(value), language=_language())


@register.filter
def moment(value: datetime | None) -> str:
    """11/20 06:10 · 20 Nov 06:10"""
    return formats.moment(_local(value), language=_language())  # type: ignore[arg-type]


@register.filter
def moment_full(value: datetime | None) -> str:
    """2026/11/20 06:10 · 20 Nov 2026 06:10"""
    return formats.moment_full(_local(value), language=_language())  # type: ignore[arg-type]


@register.filter
def in_language(row: object, field: str) -> str:
    """Return the field of a row of data in the reader's language: ``rule|in_language:"name"``.

    Data carries ``name_ja`` and ``name_en``; where the reader's one is empty, the other is shown.
    """
    first, second = (f"{field}_{code}" for code in (("ja", "en") if _language() == "ja" else ("en", "ja")))
    read = row.get if isinstance(row, dict) else lambda name: getattr(row, name, "")
    return read(first) or read(second) or ""


# ── marks ──


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon; it is decoration, the button or text beside it carries the name."""
    return format_html(
        '<svg class="ico {}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{}</svg>',
        css,
        mark_safe(ICONS[name]),  # noqa: S308
    )


@register.simple_tag
def logo() -> SafeString:
    return mark_safe(LOGO)  # noqa: S308


@register.simple_tag
def glyph(code: str) -> SafeString:
    """Draw the shape of a health band without its name."""
    return format_html(
        '<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">{}</svg>',
        mark_safe(BANDS[code]),  # noqa: S308
    )


@register.filter
def band_name(code: str) -> str:
    return {
        "excellent": pgettext("health band", "Excellent"),
        "healthy": pgettext("health band", "Healthy"),
        "watch": pgettext("health band", "Watch"),
        "act_now": pgettext("health band", "Act now"),
        "insufficient": pgettext("health band", "Not enough data"),
    }[code]


@register.filter
def band_class(code: str) -> str:
    return _BAND_CLASSES[code]


@register.simple_tag
def band(
    code: str,
    score: Decimal | float | None = None,
    delta: Decimal | float | None = None,
    *,
    short: bool = False,
) -> SafeString:
    """Draw a band as glyph, name, score and 30-day change; ``short=True`` keeps the name for screen readers only."""
    name = format_html('<span class="vh">{} </span>' if short else "{}", band_name(code))
    shown = "" if score is None else format_html(' <span class="num">{}</span>', formats.number(score, places=0))
    moved = ""
    if delta:
        arrow = "▲" if delta > 0 else "▼"
        moved = format_html(
            ' <span class="d num">{}{}</span>',
            arrow,
            formats.number(delta if delta > 0 else -delta, places=0),
        )
    return format_html(
        '<span class="band {}">{}{}{}{}</span>',
        _BAND_CLASSES[code],
        glyph(code),
        name,
        shown,
        moved,
    )


@register.simple_tag
def bar(share: Decimal | float | None, css: str = "") -> SafeString:
    """Draw a bar whose filled part is the share (0–1) of its length."""
    width = min(max(float(share or 0), 0.0), 1.0) * 100
    return format_html(
        '<svg class="bar {}" aria-hidden="true" focusable="false"><rect width="{}%" height="100%"/></svg>',
        css,
        _short(width),
    )


@register.simple_tag
def interval(
    low: float,
    high: float,
    value: float,
    expected: float | None = None,
    *,
    most: float = 1.0,
) -> SafeString:
    """Draw an observed rate with its 95 % range and, as a bar, what was expected; all as fractions of ``most``."""

    def at(fraction: float) -> str:
        return _short(min(max(float(fraction) / most, 0.0), 1.0) * 100)

    mark = ""
    if expected is not None:
        mark = format_html('<line class="ex" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>', at(expected))
    return format_html(
        '<svg class="dotp" aria-hidden="true" focusable="false"><line class="axis" x1="0" x2="100%" y1="50%" y2="50%"/>'
        '<line class="ci" x1="{}%" x2="{}%" y1="50%" y2="50%"/>{}<circle class="ob" cx="{}%" cy="50%" r="5"/></svg>',
        at(low),
        at(high),
        mark,
        at(value),
    )


@register.simple_tag
def meter(used: int, limit: int, label: str, css: str = "") -> SafeString:
    """Draw a small count against its limit as squares: ■□□."""
    squares = format_html_join("", '<i class="{}"></i>', (("on" if i < used else "",) for i in range(limit)))
    return format_html(
        '<span class="meter {}" role="img" aria-label="{}">{}</span>',
        css,
        label,
        squares,
    )


@register.simple_tag
def sparkline(
    values: Sequence[float | None],
    threshold: float | None = None,
    *,
    label: str,
    above: bool = True,
    css: str = "",
) -> SafeString:
    """Draw a series with its dashed threshold; the part past the threshold is thicker, so it reads without colour.

    ``above`` tells on which side of the threshold the rule fires; None is a gap, drawn as no point.
    """
    known = [(i, float(v)) for i, v in enumerate(values) if v is not None]
    if not known:
        return mark_safe("")
    limit = None if threshold is None else float(threshold)
    reach = [v for _, v in known] + ([] if limit is None else [limit])
    pad = (max(reach) - min(reach)) * 0.12 or 1.0
    low, high = min(reach) - pad, max(reach) + pad
    span = max(len(values) - 1, 1)

    def place(x: float, y: float) -> str:
        return f"{_short(x * 100 / span)},{_short(28 - (y - low) / (high - low) * 28)}"

    line = format_html('<polyline class="l" points="{}"/>', " ".join(place(x, y) for x, y in known))
    rule, past = "", ""
    if limit is not None:
        rule = format_html(
            '<line class="th" x1="0" x2="100" y1="{0}" y2="{0}"/>',
            place(0, limit).split(",")[1],
        )
        runs = _past(known, limit, above=above)
        past = format_html_join(
            "",
            '<polyline class="o" points="{}"/>',
            ((" ".join(place(x, y) for x, y in run),) for run in runs),
        )
    return format_html(
        '<svg class="spark {}" viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label="{}">{}{}{}</svg>',
        css,
        label,
        rule,
        line,
        past,
    )


def _past(points_: list[tuple[int, float]], limit: float, *, above: bool) -> list[list[tuple[float, float]]]:
    """Return the pieces of the line on the firing side, cut where the line crosses the threshold."""
    runs: list[list[tuple[float, float]]] = []
    run: list[tuple[float, float]] = []
    before: tuple[int, float] | None = None
    for x, y in points_:
        fires = y >= limit if above else y <= limit
        if before is not None and fires != bool(run) and limit not in {y, before[1]}:
            run.append(
                (
                    before[0] + (x - before[0]) * (limit - before[1]) / (y - before[1]),
                    limit,
                )
            )
        if fires:
            run.append((x, y))
        elif run:
            runs.append(run)
            run = []
        before = (x, y)
    return [piece for piece in [*runs, run] if len(piece) > 1]


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


# ── pages ──


@register.filter
def may(user: Any, permission: str) -> bool:
    """Tell whether the person's role allows it: ``{% if user|may:"alerts.work" %}``"""
    return htmx.may(user, permission)


@register.simple_tag(takes_context=True)
def same_page(context: RequestContext, **changes: object) -> str:
    """Return the address of this page with some of its query changed; None removes a name."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = str(value)
    return f"{context['request'].path}?{query.urlencode()}" if query else context["request"].path
