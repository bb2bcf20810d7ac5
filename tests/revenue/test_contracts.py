"""What a customer has on contract on a day, and what renews next."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from accounts import contracts
from accounts.revenue import frames

AS_OF = date(2025, 6, 30)


def due(as_of=AS_OF, **options):
    rows = contracts.renewals_frame(as_of, **options)
    lines = dict(contracts.ContractLine.objects.values_list("pk", "line_id"))
    return [f"{lines[row.line]} {frames.day_of(row.due)} {row.arr_cents / 100:g}" for row in rows.itertuples()]


@pytest.mark.parametrize(("row", "expected"), [
    pytest.param("1 a 2025-01-01 -          2025-09-01 -          -          -", ["a 2025-09-01 1200"], id="the renewal day"),
    pytest.param("1 a 2025-01-01 2025-10-01 -          -          -          -", ["a 2025-10-01 1200"], id="else the end"),
    pytest.param("1 a 2025-01-01 2025-10-01 2025-09-01 -          -          -", ["a 2025-09-01 1200"],
                 id="the renewal day before the end"),
    pytest.param("1 a 2024-01-01 2026-01-01 2025-01-01 -          -          -", ["a 2026-01-01 1200"],
                 id="a renewal day that is past: the end"),
    pytest.param("1 a 2025-01-01 -          -          -          -          -", [], id="an open line never renews"),
    pytest.param("1 a 2025-01-01 -          2025-06-30 -          -          -", [], id="today is not ahead"),
    pytest.param("1 a 2025-01-01 -          2025-07-01 -          -          -", ["a 2025-07-01 1200"], id="tomorrow is"),
    pytest.param("1 a 2025-01-01 -          2025-09-01 2025-06-01 -          -", [], id="notice was given"),
    pytest.param("1 a 2025-01-01 -          2025-09-01 2025-07-15 -          -", ["a 2025-09-01 1200"], id="notice comes later"),
    pytest.param("1 a 2025-06-15 2025-09-01 -          -          2025-06-30 -", [], id="the last day of a trial"),
    pytest.param("1 a 2025-06-01 2025-09-01 -          -          2025-06-29 -", ["a 2025-09-01 1200"], id="a trial that is over"),
    pytest.param("1 a 2025-07-15 -          2025-09-01 -          -          -", [], id="not begun yet"),
    pytest.param("1 a 2024-01-01 2025-03-01 2025-09-01 -          -          -", [], id="over"),
])  # fmt: skip
def test_a_line_renews(store, row, expected):
    store(f"customer line starts ends renews cancelled trial_ends paused mrr\n{row} 100")
    assert due() == expected


def test_a_line_with_a_later_period_is_settled(store):
    store("""
        customer line starts     ends       mrr
        1        a    2025-01-01 2025-08-01 100
        1        a    2025-08-01 2026-08-01 110
        2        b    2025-01-01 2025-08-01 100
    """)
    assert due() == ["b 2025-08-01 1200"]


def test_within_days_counts_the_last_day(store):
    customers = store("""
        customer line starts     renews     mrr
        1        a    2025-01-01 2025-07-30 100
        2        b    2025-01-01 2025-07-31 0
        3        c    2025-01-01 2025-08-29 300
    """)
    assert due(within_days=30) == ["a 2025-07-30 1200"]
    assert due(within_days=60) == ["a 2025-07-30 1200", "c 2025-08-29 3600"]
    assert due(customer_ids=[customers[3].pk]) == ["c 2025-08-29 3600"]
    assert due(customer_ids=[]) == []


def test_the_next_renewal_of_a_customer(store):
    customers = store("""
        customer line product starts     renews     months amount notice auto
        1        a    basic   2025-01-01 2026-01-01 12     100000 60     yes
        1        b    sso     2025-02-01 2026-01-01 12     20000  30     no
        1        c    board   2025-02-01 2026-02-01 12     7000   -      -
        2        d    basic   2025-02-01 -          12     7000   -      -
    """)
    renewal = contracts.next_renewal(customers[1], AS_OF)
    assert (renewal.due_on, renewal.arr, renewal.currency) == (date(2026, 1, 1), Decimal("120000.00"), "JPY")
    assert [line.line_id for line in renewal.lines] == ["a", "b"]
    assert (renewal.notice_on, renewal.is_automatic) == (date(2025, 11, 2), False)
    assert contracts.next_renewal(customers[2], AS_OF) is None


def test_lines_in_service_plans_first(store):
    customers = store("""
        customer line product starts     ends       trial_ends mrr
        1        a    sso     2025-01-01 -          -          900
        1        b    basic   2025-01-01 2025-07-01 -          100
        1        c    basic   2025-07-01 -          -          100
        1        d    board   2025-06-01 -          2025-12-31 500
    """)
    assert [line.line_id for line in contracts.lines_of(customers[1], AS_OF)] == ["b", "a", "d"]
    assert contracts.mrr_on(customers[1], AS_OF) == Decimal("1000.00")
    assert contracts.mrr_on(customers[1], date(2024, 12, 31)) == Decimal("0.00")
