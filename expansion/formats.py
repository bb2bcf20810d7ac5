"""How numbers, money and dates read in Japanese and in English.

Pure: the language is handed in ("ja" or "en"), nothing is looked up.  Half a
unit is rounded away from zero, minus is U+2212, and what is unknown is a dash.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from expansion import money

if TYPE_CHECKING:
    from datetime import date, datetime

UNKNOWN = "—"
MINUS = "\u2212"
_SYMBOLS = {"JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
_NAMES_JA = {"JPY": "円", "USD": "ドル", "EUR": "ユーロ", "GBP": "ポンド"}
_WEEKDAYS_JA = "月火水木金土日"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
# noun: Japanese counter, English singular, English plural
_NOUNS = {
    "alerts": ("件", "alert", "alerts"),
    "cards": ("件", "card", "cards"),
    "customers": ("社", "account", "accounts"),
    "days": ("日", "day", "days"),
    "deals": ("件", "deal", "deals"),
    "hours": ("時間", "hour", "hours"),
    "lines": ("件", "line", "lines"),
    "minutes": ("分", "minute", "minutes"),
    "months": ("か月", "month", "months"),
    "offers": ("回", "offer", "offers"),
    "outcomes": ("件", "outcome", "outcomes"),
    "people": ("名", "person", "people"),
    "rows": ("行", "row", "rows"),
    "rules": ("件", "rule", "rules"),
    "seats": ("席", "seat", "seats"),
    "signals": ("件", "signal", "signals"),
    "tickets": ("件", "ticket", "tickets"),
    "times": ("回", "time", "times"),
    "weeks": ("週間", "week", "weeks"),
    "years": ("年", "year", "years"),
}


def number(value: Decimal | float | None, *, places: int | None = None) -> str:
    """Return the number with thousands separators; without ``places``, up to two decimals and no idle zeros."""
    exact = _decimal(value)
    if exact is None:
        return UNKNOWN
    text = _grouped(abs(exact), places=2 if places is None else places)
    if places is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return _sign(exact, text) + text


def money_short(
    amount: Decimal | float | None,
    *,
    currency: str,
    language: str,
    signed: bool = False,
) -> str:
    """Return money for a glance: 156万円, 1.2億円 · ¥1.56M, ¥720K."""
    exact = _decimal(amount)
    if exact is None:
        return UNKNOWN
    return _signed(exact, _short(abs(exact), currency=currency, language=language), signed=signed)


def money_exact(amount: Decimal | float | None, *, currency: str, signed: bool = False) -> str:
    """Return money to the last unit in which the currency is invoiced: ¥1,562,000."""
    exact = _decimal(amount)
    if exact is None:
        return UNKNOWN
    return _signed(exact, _exact(abs(exact), currency=currency), signed=signed)


def day(value: date | None, *, language: str, weekday: bool = True) -> str:
    """Return a date near today: 11/26(木) · Thu 26 Nov."""
    if value is None:
        return UNKNOWN
    if language == "ja":
        return f"{value.month}/{value.day}" + (f"({_WEEKDAYS_JA[value.weekday()]})" if weekday else "")
    return (f"{_WEEKDAYS_EN[value.weekday()]} " if weekday else "") + f"{value.day} {_MONTHS_EN[value.month - 1]}"


def day_full(value: date | None, *, language: str) -> str:
    """Return a date with its year: 2027/2/6 · 6 Feb 2027."""
    if value is None:
        return UNKNOWN
    if language == "ja":
        return f"{value.year}/{value.month}/{value.day}"
    return f"{value.day} {_MONTHS_EN[value.month - 1]} {value.year}"


def month(value: date | None, *, language: str) -> str:
    """Return a month: 2026年11月 · Nov 2026."""
    if value is None:
        return UNKNOWN
    return f"{value.year}年{value.month}月" if language == "ja" else f"{_MONTHS_EN[value.month - 1]} {value.year}"


def moment(value: datetime | None, *, language: str) -> str:
    """Return a local time near today: 11/20 06:10 · 20 Nov 06:10."""
    if value is None:
        return UNKNOWN
    return f"{day(value, language=language, weekday=False)} {value:%H:%M}"


def moment_full(value: datetime | None, *, language: str) -> str:
    """Return a local time with its year: 2026/11/20 06:10 · 20 Nov 2026 06:10."""
    if value is None:
        return UNKNOWN
    return f"{day_full(value, language=language)} {value:%H:%M}"


def rate(value: Decimal | float | None, *, places: int = 1) -> str:
    """Return a fraction as a percentage: 0.092 is 9.2%."""
    exact = _decimal(value)
    if exact is None:
        return UNKNOWN
    text = _grouped(abs(exact) * 100, places=places)
    return f"{_sign(exact, text)}{text}%"


def rate_of(part: int, whole: int, *, language: str, noun: str = "", places: int = 1) -> str:
    """Return a rate with the count behind it: 9.2%(38/412社) · 9.2% (38 of 412)."""
    share = rate(Decimal(part) / Decimal(whole) if whole else None, places=places)
    if language == "ja":
        return f"{share}({part:,}/{whole:,}{_NOUNS[noun][0] if noun else ''})"
    return f"{share} ({part:,} of {whole:,})"


def points(value: Decimal | float | None, *, places: int = 1) -> str:
    """Return a change of a percentage, given as a fraction: 0.046 is ▲4.6pt."""
    exact = _decimal(value)
    if exact is None:
        return UNKNOWN
    return _turned(exact, _grouped(abs(exact) * 100, places=places)) + "pt"


def change(value: Decimal | float | None, *, places: int = 0) -> str:
    """Return a relative change, given as a fraction: 0.34 is ▲34%."""
    exact = _decimal(value)
    if exact is None:
        return UNKNOWN
    return _turned(exact, _grouped(abs(exact) * 100, places=places)) + "%"


def count(value: int | None, noun: str, *, language: str) -> str:
    """Return a counted noun: 12件, 38社 · 12 alerts, 1 account."""
    if value is None:
        return UNKNOWN
    counter, one, many = _NOUNS[noun]
    shown = number(value)
    return f"{shown}{counter}" if language == "ja" else f"{shown} {one if abs(value) == 1 else many}"


def _short(amount: Decimal, *, currency: str, language: str) -> str:
    if language == "ja":
        unit = _NAMES_JA.get(currency, f" {currency}")
        # Each step starts where the smaller one would round up into it.
        if amount >= 99_995_000:
            return _trimmed(amount / 100_000_000, places=2) + "億" + unit
        if amount >= 100_000:
            return _grouped(amount / 10_000, places=0) + "万" + unit
        if amount >= 10_000:
            return _trimmed(amount / 10_000, places=1) + "万" + unit
        return _grouped(amount, places=0) + unit if currency == "JPY" else _exact(amount, currency=currency)
    symbol = _symbol(currency)
    if amount >= 999_995_000:
        return symbol + _grouped(amount / 1_000_000_000, places=2) + "B"
    if amount >= 999_500:
        return symbol + _grouped(amount / 1_000_000, places=2) + "M"
    if amount >= 10_000:
        return symbol + _grouped(amount / 1_000, places=0) + "K"
    if amount >= 1_000:
        return symbol + _trimmed(amount / 1_000, places=1) + "K"
    return _exact(amount, currency=currency)


def _exact(amount: Decimal, *, currency: str) -> str:
    return _symbol(currency) + _grouped(amount, places=money.minor_units(currency))


def _symbol(currency: str) -> str:
    return _SYMBOLS.get(currency, f"{currency}\u00a0")


def _signed(amount: Decimal, text: str, *, signed: bool) -> str:
    if not any(digit in text for digit in "123456789"):
        return f"±{text}" if signed else text
    if amount < 0:
        return MINUS + text
    return f"+{text}" if signed else text


def _sign(amount: Decimal, text: str) -> str:
    return MINUS if amount < 0 and any(digit in text for digit in "123456789") else ""


def _turned(amount: Decimal, text: str) -> str:
    if not any(digit in text for digit in "123456789"):
        return f"±{text}"
    return ("▲" if amount > 0 else "▼") + text


def _trimmed(amount: Decimal, *, places: int) -> str:
    text = _grouped(amount, places=places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _grouped(amount: Decimal, *, places: int) -> str:
    return f"{amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,f}"


def _decimal(value: Decimal | float | None) -> Decimal | None:
    """Return the value as it prints, so that 0.145 rounds as a person expects; None for what is no number."""
    if value is None:
        return None
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    return exact if exact.is_finite() else None
