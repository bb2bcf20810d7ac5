"""One cell to one value: each row of a table is a cell and what must come of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from accounts.datasets import DATASETS
from accounts.imports import values
from accounts.imports.values import Refused

TOKYO = ZoneInfo("Asia/Tokyo")
FIRST_OF_MARCH = date(2026, 3, 1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01", "2026/3/1", "2026/03/01", "2026.3.1", "2026年3月1日", "2026年03月01日", "2026年 3月 1日",
        "２０２６年３月１日",
        "２０２６／３／１", "令和8年3月1日", "令和８年３月１日", "R8.3.1", "r8/3/1", "20260301", "46082", "46082.5",
        "2026-03-01 00:00:00", "2026-03-01T23:59:59", "2026-02-28T15:00:00Z", "2026-03-01T00:00:00+09:00",
        "2026年3月1日(日)", "2026/3/1 9:30",
    ],
)  # fmt: skip
def test_first_of_march_in_every_way_it_is_written(text: str) -> None:
    assert values.as_date(text, zone=TOKYO) == FIRST_OF_MARCH


@pytest.mark.parametrize(
    ("text", "day"),
    [
        pytest.param("令和元年5月1日", date(2019, 5, 1), id="the first year of an era is called gan-nen"),
        pytest.param("平成31年4月30日", date(2019, 4, 30), id="the last day of Heisei"),
        pytest.param("H1.1.8", date(1989, 1, 8), id="the first day of Heisei"),
        pytest.param("昭和64年1月7日", date(1989, 1, 7), id="the last day of Showa"),
        pytest.param("2024-02-29", date(2024, 2, 29), id="a leap day"),
        pytest.param("2026-02-28T15:00:00Z", date(2026, 3, 1), id="15:00 UTC is the next day in Tokyo"),
        pytest.param("2026-02-28T14:59:59Z", date(2026, 2, 28), id="a second before it is not"),
        pytest.param("2026-03-01T01:00:00-05:00", date(2026, 3, 1), id="New York's night is Tokyo's afternoon"),
        pytest.param("43891", date(2020, 3, 1), id="an Excel serial after a leap day"),
    ],
)
def test_day(text: str, day: date) -> None:
    assert values.as_date(text, zone=TOKYO) == day


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2026-02-29", "no_such_day"),
        ("2026-13-01", "no_such_day"),
        ("令和8年2月30日", "no_such_day"),
        ("03/04/2026", "ambiguous_date"),
        ("26/3/1", "ambiguous_date"),
        ("1.3.26", "ambiguous_date"),
        ("1899-12-31", "date_out_of_range"),
        ("2200-01-01", "date_out_of_range"),
        ("2026-03", "not_a_date"),
        ("2026-03-01 25:00", "not_a_date"),
        ("2026-03-01x", "not_a_date"),
        ("2026-03/01", "not_a_date"),
        ("next week", "not_a_date"),
        ("12", "not_a_date"),
        ("NULL", "not_a_date"),
        ("2026030", "not_a_date"),
        ("202603011", "not_a_date"),
    ],
)
def test_day_is_refused(text: str, key: str) -> None:
    with pytest.raises(Refused) as refused:
        values.as_date(text, zone=TOKYO)
    assert refused.value.key == key


@pytest.mark.parametrize("text", ["9999-12-31", "9999/12/31", "99991231", "2958465"])
def test_the_year_9999_means_that_there_is_no_end(text: str) -> None:
    assert values.as_last_day(text, zone=TOKYO) is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01", datetime(2026, 2, 28, 15, tzinfo=UTC)),
        ("2026-03-01 09:30", datetime(2026, 3, 1, 0, 30, tzinfo=UTC)),
        ("2026/3/1 9:30", datetime(2026, 3, 1, 0, 30, tzinfo=UTC)),
        ("2026年3月1日 9時30分", datetime(2026, 3, 1, 0, 30, tzinfo=UTC)),
        ("令和8年3月1日 9時", datetime(2026, 3, 1, 0, 0, tzinfo=UTC)),
        ("2026-03-01T09:30:15.123456Z", datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)),
        ("2026-03-01 09:30:15 UTC", datetime(2026, 3, 1, 9, 30, 15, tzinfo=UTC)),
        ("2026-03-01T09:30:15+0530", datetime(2026, 3, 1, 4, 0, 15, tzinfo=UTC)),
        ("2026-03-01T09:30:15-05", datetime(2026, 3, 1, 14, 30, 15, tzinfo=UTC)),
        ("46082.5", datetime(2026, 3, 1, 3, tzinfo=UTC)),
    ],
)
def test_instant(text: str, instant: datetime) -> None:
    assert values.as_instant(text, zone=TOKYO) == instant


@pytest.mark.parametrize(
    ("text", "month"),
    [("2026-03", 3), ("2026/3", 3), ("2026年3月", 3), ("202603", 3), ("2026-03-17", 3), ("令和8年3月1日", 3)],
)
def test_month_is_its_first_day(text: str, month: int) -> None:
    assert values.as_month(text, zone=TOKYO) == date(2026, month, 1)


@pytest.mark.parametrize(
    ("text", "formats", "written"),
    [
        ("31/12/2025", ("%d/%m/%Y",), "2025-12-31"),
        ("Dec 31 2025", ("%d/%m/%Y", "%b %d %Y"), "2025-12-31"),
        ("31.12.2025 23:05", ("%d.%m.%Y %H:%M",), "2025-12-31T23:05:00+09:00"),
        ("1767225600", ("unix",), "2026-01-01T00:00:00+00:00"),
        ("1767225600500", ("unix_ms",), "2026-01-01T00:00:00.500000+00:00"),
    ],
)
def test_format_of_a_mapping(text: str, formats: tuple[str, ...], written: str) -> None:
    assert values.as_formatted(text, formats=formats, zone=TOKYO) == written


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"), ("1234.5", "1234.5"), ("1,234", "1234"), ("12,345,678.90", "12345678.90"), ("¥1,234", "1234"),
        ("￥１，２３４", "1234"), ("1,234円", "1234"), ("-5", "-5"), ("−5", "-5"), ("+5", "5"), ("¥-5", "-5"), ("-¥5", "-5"),
        ("△1,234", "-1234"), ("▲ 5", "-5"), ("(1,234)", "-1234"), ("１２．５", "12.5"), (".5", "0.5"), ("5.", "5"), ("0.1", "0.1"),
        ("①", "1"),
    ],
)  # fmt: skip
def test_number_is_exact(text: str, number: str) -> None:
    assert values.as_decimal(text) == Decimal(number)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1,23", "ambiguous_number"), ("1.234,5", "ambiguous_number"), ("12,34,567", "ambiguous_number"), ("1 234", "not_a_number"),
        ("--5", "not_a_number"), ("1e5", "not_a_number"), ("1_000", "not_a_number"), ("$5", "not_a_number"), ("5%", "not_a_number"),
        ("十", "not_a_number"), ("nan", "not_a_number"), ("inf", "not_a_number"), ("", "not_a_number"), ("-", "not_a_number"),
        ("1.2.3", "not_a_number"),
    ],
)  # fmt: skip
def test_number_is_refused(text: str, key: str) -> None:
    with pytest.raises(Refused) as refused:
        values.as_decimal(text)
    assert refused.value.key == key


@pytest.mark.parametrize(("text", "number"), [("1.5e-3", 0.0015), ("1E3", 1000.0), ("1,000.5", 1000.5), ("１２", 12.0)])
def test_measured_value(text: str, number: float) -> None:
    assert values.as_number(text) == number


@pytest.mark.parametrize("text", ["1e999", "nan", "Infinity", "1_000", "0x10"])
def test_measured_value_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        values.as_number(text)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (("true", "TRUE", "Yes", "y", "1", "１", "on", "有", "あり", "はい", "○", "〇"), True),
        (("false", "No", "n", "0", "OFF", "無", "なし", "いいえ", "×"), False),
    ],
)
def test_boolean(words: tuple[str, ...], *, meaning: bool) -> None:
    assert [values.as_boolean(word) for word in words] == [meaning] * len(words)


@pytest.mark.parametrize("text", ["maybe", "2", "?"])
def test_boolean_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not_a_boolean"):
        values.as_boolean(text)


@pytest.mark.parametrize(
    ("text", "code"), [("JPY", "JPY"), ("usd", "USD"), ("ＪＰＹ", "JPY"), ("円", "JPY"), ("¥", "JPY"), ("kwd", "KWD")]
)
def test_currency(text: str, code: str) -> None:
    assert values.as_currency(text) == code


@pytest.mark.parametrize("text", ["XXX", "yen", "US$", "JP"])
def test_currency_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not_a_currency"):
        values.as_currency(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7000012050002", "7000012050002"),
        ("７００００１２０５０００２", "7000012050002"),
        ("T7000012050002", "7000012050002"),
        ("7-0000-1205-0002", "7000012050002"),
    ],
)
def test_corporate_number(text: str, number: str) -> None:
    assert values.as_corporate_number(text) == number


@pytest.mark.parametrize(
    ("text", "key", "details"),
    [
        ("8000012050002", "wrong_check_digit", {"check": "7"}),
        ("7000012050020", "wrong_check_digit", {"check": "5"}),
        ("700001205000", "not_thirteen_digits", {}),
        ("70000120500021", "not_thirteen_digits", {}),
    ],
)
def test_corporate_number_is_refused(text: str, key: str, details: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        values.as_corporate_number(text)
    assert (refused.value.key, refused.value.details) == (key, details)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("plan", "plan"),
        ("PLAN", "plan"),
        ("プラン", "plan"),
        ("ﾌﾟﾗﾝ", "plan"),
        ("add-on", "addon"),
        ("Add On", "addon"),
        ("オプション", "addon"),
    ],
)
def test_choice_in_either_language(text: str, code: str) -> None:
    assert values.as_choice(text, choices=DATASETS["products"].column("kind").choices) == code


def test_choice_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(Refused) as refused:
        values.as_choice("urgent", choices=DATASETS["tickets"].column("severity").choices)
    assert refused.value.details == {"allowed": "p1, p2, p3, p4"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a\0b", "has_nul"),
        ("#N/A", "spreadsheet_error"),
        ("#FORMULA!", "formula_without_value"),
        ("あ" * 11, "too_long"),
        ("a\udcffb", "broken_character"),
    ],
)
def test_text_is_refused(text: str, key: str) -> None:
    with pytest.raises(Refused) as refused:
        values.as_text(text, length=10)
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("text", "codes"), [("A,B", ["A", "B"]), ("A、B，C", ["A", "B", "C"]), ("A; B", ["A", "B"]), ('["A", "B C"]', ["A", "B C"])]
)
def test_codes(text: str, codes: list[str]) -> None:
    assert values.as_codes(text) == codes


@pytest.mark.parametrize("text", ['{"a": -1}', '{"a": "1"}', '{"a": true}', "[1]", "{", '{"a": NaN}'])
def test_quota_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        values.as_quota(text)


def test_quota() -> None:
    assert values.as_quota('{"storage_gb": 100, "api_calls": 2.5}') == {"storage_gb": 100, "api_calls": 2.5}


@pytest.mark.parametrize("text", ['{"a": "\\u0000"}', '{"a": "\\ud800"}', "[]", "1", '{"a":', "[" * 100_000])
def test_json_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        values.as_json(text)


def test_more_decimals_than_are_kept_are_rounded_half_up() -> None:
    read = values.converter(DATASETS["orders"].column("amount"), zone=TOKYO)
    assert [read(text) for text in ("1.005", "1.004", "-1.005", "2")] == [Decimal(t) for t in ("1.01", "1.00", "-1.01", "2.00")]


def test_amount_too_large_for_the_table_is_refused() -> None:
    read = values.converter(DATASETS["orders"].column("amount"), zone=TOKYO)
    assert read("9999999999999999.99") == Decimal("9999999999999999.99")
    with pytest.raises(Refused, match="too_large"):
        read("10000000000000000")


def test_percentage_may_carry_its_sign() -> None:
    read = values.converter(DATASETS["contract_lines"].column("discount_percent"), zone=TOKYO)
    assert read("12.5%") == Decimal("12.50")
    with pytest.raises(Refused, match="too_large"):
        read("101")
