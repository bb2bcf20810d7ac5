"""How numbers, money and dates read in both languages, to the sign."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from expansion import formats


@pytest.mark.parametrize(
    ("amount", "ja", "en"),
    [
        ("1562000", "156万円", "¥1.56M"),
        ("120000000", "1.2億円", "¥120.00M"),
        ("123400000", "1.23億円", "¥123.40M"),
        ("720000", "72万円", "¥720K"),
        ("99999999", "1億円", "¥100.00M"),
        ("99990000", "9,999万円", "¥99.99M"),
        ("99500", "10万円", "¥100K"),
        ("45600", "4.6万円", "¥46K"),
        ("9999.60", "10,000円", "¥10K"),
        ("8333.33", "8,333円", "¥8.3K"),
        ("999.5", "1,000円", "¥1,000"),
        ("999499", "100万円", "¥999K"),
        ("999500", "100万円", "¥1.00M"),
        ("1200000000", "12億円", "¥1.20B"),
        ("0", "0円", "¥0"),
        ("-1420000", "−142万円", "−¥1.42M"),
    ],
)
def test_money_at_a_glance(amount, ja, en):
    assert formats.money_short(Decimal(amount), currency="JPY", language="ja") == ja
    assert formats.money_short(Decimal(amount), currency="JPY", language="en") == en


@pytest.mark.parametrize(
    ("amount", "currency", "ja", "en"),
    [
        ("1562000", "USD", "156万ドル", "$1.56M"),
        ("12500", "EUR", "1.3万ユーロ", "€13K"),
        ("833.5", "USD", "$833.50", "$833.50"),
        ("156200", "KWD", "16万 KWD", "KWD\u00a0156K"),
    ],
)
def test_money_at_a_glance_follows_the_currency(amount, currency, ja, en):
    assert formats.money_short(Decimal(amount), currency=currency, language="ja") == ja
    assert formats.money_short(Decimal(amount), currency=currency, language="en") == en


@pytest.mark.parametrize(
    ("amount", "currency", "plain", "signed"),
    [
        ("1562000", "JPY", "¥1,562,000", "+¥1,562,000"),
        ("8333.50", "JPY", "¥8,334", "+¥8,334"),
        ("-1562112", "JPY", "−¥1,562,112", "−¥1,562,112"),
        ("0", "JPY", "¥0", "±¥0"),
        ("-0.4", "JPY", "¥0", "±¥0"),
        ("1562.5", "USD", "$1,562.50", "+$1,562.50"),
        ("1.25", "KWD", "KWD\u00a01.250", "+KWD\u00a01.250"),
    ],
)
def test_exact_money(amount, currency, plain, signed):
    assert formats.money_exact(Decimal(amount), currency=currency) == plain
    assert formats.money_exact(Decimal(amount), currency=currency, signed=True) == signed


@pytest.mark.parametrize(
    ("amount", "ja", "en"),
    [
        ("1562000", "+156万円", "+¥1.56M"),
        ("-1420000", "−142万円", "−¥1.42M"),
        ("0", "±0円", "±¥0"),
    ],
)
def test_changes_of_money_carry_their_sign(amount, ja, en):
    assert formats.money_short(Decimal(amount), currency="JPY", language="ja", signed=True) == ja
    assert formats.money_short(Decimal(amount), currency="JPY", language="en", signed=True) == en


def test_dates():
    thursday = date(2026, 11, 26)
    assert formats.day(thursday, language="ja") == "11/26(木)"
    assert formats.day(thursday, language="en") == "Thu 26 Nov"
    assert formats.day(thursday, language="ja", weekday=False) == "11/26"
    assert formats.day(thursday, language="en", weekday=False) == "26 Nov"
    assert formats.day_full(date(2027, 2, 6), language="ja") == "2027/2/6"
    assert formats.day_full(date(2027, 2, 6), language="en") == "6 Feb 2027"
    assert formats.month(thursday, language="ja") == "2026年11月"
    assert formats.month(thursday, language="en") == "Nov 2026"
    early = datetime(2026, 11, 20, 6, 10)
    assert formats.moment(early, language="ja") == "11/20 06:10"
    assert formats.moment(early, language="en") == "20 Nov 06:10"
    assert formats.moment_full(early, language="en") == "20 Nov 2026 06:10"


def test_rates_and_changes():
    assert formats.rate(Decimal("0.092")) == "9.2%"
    assert formats.rate(Decimal("1.082500")) == "108.3%"
    assert formats.rate(0.145, places=0) == "15%"
    assert formats.rate(Decimal("-0.0125")) == "−1.3%"
    assert formats.rate_of(38, 412, language="ja", noun="customers") == "9.2%(38/412社)"
    assert formats.rate_of(38, 412, language="en", noun="customers") == "9.2% (38 of 412)"
    assert formats.rate_of(0, 0, language="en") == "— (0 of 0)"
    assert formats.points(Decimal("0.046")) == "▲4.6pt"
    assert formats.points(Decimal("-0.011")) == "▼1.1pt"
    assert formats.points(Decimal("0.0004")) == "±0.0pt"
    assert formats.change(Decimal("0.343")) == "▲34%"
    assert formats.change(Decimal("-0.05")) == "▼5%"


def test_counts_are_counted_in_both_languages():
    assert formats.count(12, "alerts", language="ja") == "12件"
    assert formats.count(12, "alerts", language="en") == "12 alerts"
    assert formats.count(1, "alerts", language="en") == "1 alert"
    assert formats.count(1204, "customers", language="ja") == "1,204社"
    assert formats.count(38, "customers", language="en") == "38 accounts"
    assert formats.count(0, "seats", language="en") == "0 seats"


def test_plain_numbers():
    assert formats.number(1234567) == "1,234,567"
    assert formats.number(Decimal("86.50")) == "86.5"
    assert formats.number(-0.5) == "−0.5"
    assert formats.number(-0.001) == "0"
    assert formats.number(2.675, places=2) == "2.68"


def test_the_unknown_is_a_dash():
    assert formats.number(None) == "—"
    assert formats.number(float("nan")) == "—"
    assert formats.money_short(None, currency="JPY", language="ja") == "—"
    assert formats.money_exact(None, currency="JPY") == "—"
    assert formats.rate(float("nan")) == "—"
    assert formats.day(None, language="ja") == "—"
    assert formats.count(None, "alerts", language="en") == "—"
