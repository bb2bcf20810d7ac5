"""One cell to one value.  Every converter takes stripped, non-empty text and returns the value or raises ``Refused``.

Nothing is guessed where two readings are possible: 03/04/2026 and 1,23 are refused, because one
of the two readings would be wrong without anybody noticing.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from accounts.datasets import Column
from accounts.matching import corporate_numbers

FIRST_YEAR, LAST_YEAR = 1900, 2199
# What exports write where something never ends.
NEVER_YEAR = 9999

_CURRENCIES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY
TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL
"""
CURRENCIES: Final = frozenset(_CURRENCIES.split())
_YEN_SIGNS = "¥￥円"
_EXCEL_ERRORS = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
# A formula that the spreadsheet kept without its result; sheets.py marks it.
FORMULA_WITHOUT_VALUE = "#FORMULA!"

_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}
_ERA_DATE = re.compile(r"(令和|平成|昭和|[RHS])\s*(元|\d{1,2})\s*[年./\-]\s*(\d{1,2})\s*[月./\-]\s*(\d{1,2})\s*日?", re.IGNORECASE)
_KANJI_DATE = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日?")
_PLAIN_DATE = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_DIGITS_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_AMBIGUOUS_DATE = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{1,4}\b")
_SERIAL = re.compile(r"[2-7]\d{4}(\.\d+)?")
_SERIAL_START = date(1899, 12, 30)
_NEVER_SERIAL = "2958465"  # 9999-12-31
_KANJI_TIME = re.compile(r"(\d{1,2})\s*時(?:\s*(\d{1,2})\s*分)?(?:\s*(\d{1,2})\s*秒)?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?", re.IGNORECASE)
_MONTH = re.compile(r"(\d{4})\s*(?:[-/.]|年)\s*(\d{1,2})\s*月?|(\d{4})(\d{2})")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d*)?|\.\d+")
_POWER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d{1,3}")
_EMAIL = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+\.[^\s@<>,;\"]{2,}")
_TRUE = frozenset({"true", "t", "yes", "y", "1", "on", "有", "有り", "あり", "はい", "○", "〇", "◯", "✓", "✔", "する"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "off", "無", "無し", "なし", "いいえ", "×", "✕", "✗", "しない"})


class Refused(ValueError):
    """A cell that is not what its column needs: ``key`` says why (see reasons.py), ``details`` completes the sentence."""

    def __init__(self, key: str, **details: object) -> None:
        super().__init__(key)
        self.key = key
        self.details = {name: str(value) for name, value in details.items()}


def narrow(text: str) -> str:
    """Full-width letters, digits and signs as plain ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def as_text(text: str, *, length: int) -> str:
    """Return the text as it is.  Refuse what a table cannot keep, and a spreadsheet's error in place of a value."""
    if "\0" in text:
        raise Refused("has_nul")
    if text in _EXCEL_ERRORS:
        raise Refused("spreadsheet_error")
    if text == FORMULA_WITHOUT_VALUE:
        raise Refused("formula_without_value")
    if length and len(text) > length:
        raise Refused("too_long", most=length, length=len(text))
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Refused("broken_character")
    return text


def as_date(text: str, *, zone: ZoneInfo) -> date:
    """Read a day in any of the accepted ways.  An instant with a zone becomes the day on which it fell in ours."""
    plain = narrow(text)
    found = _day_in(plain)
    if found is not None:
        day, rest = found
        if not rest:
            return day
        clock = _time_in(rest)
        if clock is not None:
            return _instant(day, clock, zone).astimezone(zone).date()
    raise Refused("ambiguous_date" if _AMBIGUOUS_DATE.match(plain) else "not_a_date")


def as_last_day(text: str, *, zone: ZoneInfo) -> date | None:
    """Read the day on which something ends; the year 9999 means never."""
    plain = narrow(text)
    if plain.startswith(str(NEVER_YEAR)) or plain == _NEVER_SERIAL:
        return None
    return as_date(plain, zone=zone)


def as_month(text: str, *, zone: ZoneInfo) -> date:
    """Read a month as its first day: 2026-03, 2026/3, 2026年3月, 202603, or any day of it."""
    plain = narrow(text)
    found = _MONTH.fullmatch(plain)
    if found is None:
        return as_date(plain, zone=zone).replace(day=1)
    return _day(int(found[1] or found[3]), int(found[2] or found[4]), 1)


def as_instant(text: str, *, zone: ZoneInfo) -> datetime:
    """Read an instant, in UTC.  Without a zone it is in ours; a day alone is its first instant."""
    plain = narrow(text)
    if _SERIAL.fullmatch(plain):
        whole, _, part = plain.partition(".")
        seconds = round(Decimal(f"0.{part or 0}") * 86_400)
        local = datetime.combine(_SERIAL_START + timedelta(days=int(whole)), datetime.min.time()) + timedelta(seconds=seconds)
        return local.replace(tzinfo=zone).astimezone(UTC)
    found = _day_in(plain)
    if found is not None:
        day, rest = found
        clock = _time_in(rest) if rest else (0, 0, 0, 0, None)
        if clock is not None:
            return _instant(day, clock, zone)
    raise Refused("ambiguous_date" if _AMBIGUOUS_DATE.match(plain) else "not_an_instant")


def as_formatted(text: str, *, formats: tuple[str, ...], zone: ZoneInfo) -> str:
    """Read a date or instant in the formats that a mapping gives (or ``unix``, ``unix_ms``) and write it in ISO form."""
    for form in formats:
        try:
            if form in {"unix", "unix_ms"}:
                seconds = Decimal(text) / (1000 if form == "unix_ms" else 1)
                return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(seconds * 1_000_000))).isoformat()
            read = datetime.strptime(text, form)  # noqa: DTZ007  (the zone is put on below, where the format has a time)
        except (ValueError, InvalidOperation, OverflowError):
            continue
        if not re.search(r"%[HIMSTcXf]", form):
            return read.date().isoformat()
        return (read if read.tzinfo else read.replace(tzinfo=zone)).isoformat()
    raise Refused("not_in_format", formats=", ".join(formats))


def as_decimal(text: str) -> Decimal:
    """Read an exact number: commas between thousands, ¥, 円, a minus (also △ ▲ or brackets), full-width digits."""
    plain = narrow(text.replace("−", "-").replace("△", "-").replace("▲", "-").replace("￥", "¥"))
    if plain.startswith("(") and plain.endswith(")"):
        plain = "-" + plain[1:-1]
    sign, body = _signed(plain)
    body = body.removesuffix("円").removeprefix("¥").strip()
    if not sign:
        sign, body = _signed(body)
    if not _GROUPED.fullmatch(body):
        if "," in body and re.fullmatch(r"[\d.,]+", body):
            raise Refused("ambiguous_number")
        raise Refused("not_a_number")
    return Decimal(sign + body.replace(",", ""))


def as_number(text: str) -> float:
    """Read a measured value; powers of ten (1.5e-3) are allowed here, because programs write them."""
    plain = narrow(text)
    value = float(plain) if _POWER.fullmatch(plain) else float(as_decimal(plain))
    if not math.isfinite(value):
        raise Refused("not_a_number")
    return value


def as_integer(text: str) -> int:
    value = as_decimal(text)
    if value != value.to_integral_value():
        raise Refused("not_whole")
    return int(value)


def as_boolean(text: str) -> bool:
    plain = text.casefold()
    for word in (plain, narrow(plain)):
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise Refused("not_a_boolean")


def as_choice(text: str, *, choices: Mapping[str, tuple[str, ...]]) -> str:
    """Return the code that the text names, in either language."""
    code = _codes_of(choices).get(_word(text))
    if code is None:
        raise Refused("not_a_choice", allowed=", ".join(choices))
    return code


def as_currency(text: str) -> str:
    if text in {"円", "¥", "￥", "日本円"}:
        return "JPY"
    code = narrow(text).upper()
    if code not in CURRENCIES:
        raise Refused("not_a_currency")
    return code


def as_email(text: str) -> str:
    plain = narrow(text)
    if not _EMAIL.fullmatch(plain) or len(plain) > 254:
        raise Refused("not_an_email")
    return as_text(plain, length=254)


def as_corporate_number(text: str) -> str:
    """Read a 法人番号; the T of an invoice registration number and hyphens may stand in it."""
    digits = re.sub(r"[\s\-]", "", narrow(text)).removeprefix("T")
    if not (digits.isascii() and digits.isdigit() and len(digits) == corporate_numbers.LENGTH):
        raise Refused("not_thirteen_digits")
    if not corporate_numbers.is_valid(digits):
        raise Refused("wrong_check_digit", check=corporate_numbers.check_digit(digits[1:]))
    return digits


def as_codes(text: str) -> list[str]:
    """Read a list of codes: parted by commas, semicolons or spaces, or a JSON list."""
    if text.startswith("["):
        given = _json(text)
        if not isinstance(given, list) or not all(isinstance(code, str) for code in given):
            raise Refused("not_codes")
    else:
        given = re.split(r"[,;、，；\s]+", text)
    return [as_text(code.strip(), length=60) for code in given if code.strip()]


def as_quota(text: str) -> dict[str, int | float]:
    """Read what a product includes: a JSON object of metric → number."""
    given = _json(text)
    if not isinstance(given, dict) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in given.values()
    ):
        raise Refused("not_a_quota")
    if any(value < 0 or not math.isfinite(value) for value in given.values()):
        raise Refused("not_a_quota")
    return given


def as_json(text: str) -> dict[str, Any]:
    given = _json(text)
    if not isinstance(given, dict):
        raise Refused("not_an_object")
    return given


def has_yen_sign(text: str) -> bool:
    return any(sign in text for sign in _YEN_SIGNS)


def converter(column: Column, *, zone: ZoneInfo) -> Callable[[str], Any]:
    """Return the function that reads the cells of a column, its limits included."""
    match column.kind:
        case "text":
            return lambda text: as_text(text, length=column.length)
        case "choice":
            return lambda text: as_choice(text, choices=column.choices)
        case "date":
            return lambda text: as_date(text, zone=zone)
        case "last_day":
            return lambda text: as_last_day(text, zone=zone)
        case "month":
            return lambda text: as_month(text, zone=zone)
        case "instant":
            return lambda text: as_instant(text, zone=zone)
        case "decimal":
            return lambda text: _rounded(
                _within(as_decimal(text.removesuffix("%") if "percent" in column.name else text), column), column
            )
        case "integer":
            return lambda text: _within(as_integer(text), column)
        case "number":
            return lambda text: _within(as_number(text), column)
        case "boolean":
            return as_boolean
        case "currency":
            return as_currency
        case "email":
            return as_email
        case "corporate_number":
            return as_corporate_number
        case "codes":
            return as_codes
        case "quota":
            return as_quota
        case "json":
            return as_json


def _day_in(plain: str) -> tuple[date, str] | None:
    """Return the day at the start of the text and what follows it, or None where there is none."""
    for pattern, year, month, day in ((_KANJI_DATE, 1, 2, 3), (_PLAIN_DATE, 1, 3, 4)):
        found = pattern.match(plain)
        if found:
            return _day(int(found[year]), int(found[month]), int(found[day])), _after(plain, found.end())
    found = _ERA_DATE.match(plain)
    if found:
        year_of_era = 1 if found[2] == "元" else int(found[2])
        return _day(_ERAS[found[1].upper()] + year_of_era, int(found[3]), int(found[4])), _after(plain, found.end())
    if _DIGITS_DATE.fullmatch(plain[:8]) and (len(plain) == 8 or not plain[8].isdigit()):
        return _day(int(plain[:4]), int(plain[4:6]), int(plain[6:8])), _after(plain, 8)
    if _SERIAL.fullmatch(plain):
        return _SERIAL_START + timedelta(days=int(plain.partition(".")[0])), ""
    return None


def _after(plain: str, end: int) -> str:
    """Return what follows a day: a weekday in brackets is left out."""
    rest = re.sub(r"^\s*\([月火水木金土日]\)", "", plain[end:])
    return rest.removeprefix("T").strip() if rest[:1] in {"T", " "} else rest.strip()


def _day(year: int, month: int, day: int) -> date:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Refused("date_out_of_range", first=FIRST_YEAR, last=LAST_YEAR)
    try:
        return date(year, month, day)
    except ValueError:
        raise Refused("no_such_day") from None


_Clock = tuple[int, int, int, int, str | None]


def _time_in(rest: str) -> _Clock | None:
    found = _KANJI_TIME.fullmatch(rest)
    clock: _Clock
    if found:
        clock = (int(found[1]), int(found[2] or 0), int(found[3] or 0), 0, None)
    else:
        found = _TIME.fullmatch(rest)
        if found is None:
            return None
        clock = (int(found[1]), int(found[2]), int(found[3] or 0), int((found[4] or "0").ljust(6, "0")[:6]), found[5])
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 59:
        return None
    return clock


def _instant(day: date, clock: _Clock, zone: ZoneInfo) -> datetime:
    hour, minute, second, microsecond, offset = clock
    local = datetime(day.year, day.month, day.day, hour, minute, second, microsecond, tzinfo=zone)
    if offset is not None:
        digits = "" if offset.upper() in {"Z", "UTC"} else offset[1:].replace(":", "").ljust(4, "0")
        ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) if digits else timedelta(0)
        local = local.replace(tzinfo=UTC) - (-ahead if offset.startswith("-") else ahead)
    return local.astimezone(UTC)


def _signed(text: str) -> tuple[str, str]:
    """Part the sign from a number."""
    if text[:1] in {"-", "+"}:
        return text[0].replace("+", ""), text[1:].strip()
    return "", text.strip()


def _word(text: str) -> str:
    return re.sub(r"[\s_\-]+", "", narrow(text).casefold())


@cache
def _codes_by_word(choices: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, str]:
    return {_word(word): code for code, words in choices for word in (code, *words)}


def _codes_of(choices: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return _codes_by_word(tuple(choices.items()))


def _json(text: str) -> Any:
    try:
        given = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refused("not_json") from None
    # What the database cannot keep: NUL, half a surrogate pair.
    written = json.dumps(given, ensure_ascii=False)
    if "\\u0000" in written or any("\ud800" <= letter <= "\udfff" for letter in written):
        raise Refused("broken_character")
    return given


def _is_quantity(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and math.isfinite(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_Number = TypeVar("_Number", int, float, Decimal)


def _within(value: _Number, column: Column) -> _Number:
    if column.least is not None and value < column.least:
        key = "negative" if column.least == 0 and column.most is None else "too_small"
        raise Refused(key, least=column.least, most="" if column.most is None else column.most)
    if column.most is not None and value > column.most:
        raise Refused("too_large", most=column.most)
    return value


def _rounded(value: Decimal, column: Column) -> Decimal:
    """Keep what the table can hold; further decimals are rounded half up."""
    most = Decimal(10) ** (column.digits - column.places)
    if abs(value) >= most:
        raise Refused("too_large", most=most - 1)
    return value.quantize(Decimal(1).scaleb(-column.places), rounding=ROUND_HALF_UP)
