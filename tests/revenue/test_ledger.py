"""The ledger in the database: written once, rebuilt at will, right to the hundredth."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts import contracts, exchange, ledger
from accounts.models import ContractLine, FxRate, MrrEvent
from accounts.revenue import frames

GROWING = """
    customer line product starts     ends       renews     cancelled  qty months amount
    1        a    basic   2025-01-01 2026-01-01 -          -          10  12     1200000
    1        a    basic   2025-07-01 2026-01-01 -          -          15  12     1800000
    2        b    basic   2025-02-01 -          2026-02-01 2025-09-15 5   1      50000.50
    3        c    pro     2025-03-01 -          -          -          7   12     100000
"""


def told():
    rows = MrrEvent.objects.order_by("customer__customer_id", "on", "cause").select_related("customer")
    return [f"{row.on} {row.customer.customer_id} {row.change:+} {row.cause} {row.currency}" for row in rows]


def test_rebuild_writes_ends_and_events(store):
    store(GROWING)
    assert list(ContractLine.objects.order_by("line_id", "starts_on").values_list("line_id", "service_until")) == [
        ("a", date(2025, 7, 1)), ("a", date(2026, 1, 1)), ("b", date(2026, 2, 1)), ("c", None),
    ]  # fmt: skip
    assert told() == [
        "2025-01-01 C1 +100000.00 start JPY", "2025-07-01 C1 +50000.00 seats JPY", "2026-01-01 C1 -150000.00 end JPY",
        "2025-02-01 C2 +50000.50 start JPY", "2026-02-01 C2 -50000.50 end JPY",
        "2025-03-01 C3 +8333.33 start JPY",
    ]  # fmt: skip


def test_twice_is_once_and_rewrites_nothing(store):
    store(GROWING)
    before = list(MrrEvent.objects.order_by("pk").values())
    assert ledger.rebuild() == 0
    assert list(MrrEvent.objects.order_by("pk").values()) == before


def test_only_customers_that_changed_are_rewritten(store):
    customers = store(GROWING)
    kept = set(MrrEvent.objects.exclude(customer=customers[3]).values_list("pk", flat=True))
    ContractLine.objects.filter(line_id="c").update(ends_before="2025-12-01")
    assert ledger.differing() == [customers[3].pk]
    assert ledger.rebuild([customers[3].pk]) == 1
    assert ledger.differing() == []
    assert kept == set(MrrEvent.objects.exclude(customer=customers[3]).values_list("pk", flat=True))
    assert told()[-2:] == ["2025-03-01 C3 +8333.33 start JPY", "2025-12-01 C3 -8333.33 end JPY"]


def test_an_end_that_is_taken_back_opens_the_line_again(store):
    store(GROWING)
    ContractLine.objects.filter(line_id="b").update(cancelled_on=None)
    assert ledger.rebuild() == 1
    assert ContractLine.objects.get(line_id="b").service_until is None


def test_a_line_that_is_gone_leaves_no_event(store):
    customers = store(GROWING)
    ContractLine.objects.filter(line_id="c").delete()
    assert ledger.rebuild([customers[3].pk]) == 0  # its events went with it
    assert [line for line in told() if "C3" in line] == []


def test_a_line_that_moves_ends_at_the_customer_it_left(store):
    customers = store("""
        customer line starts     mrr
        1        a    2025-01-01 100
    """)
    store("""
        customer line starts     mrr
        2        a    2025-06-01 100
    """, rebuild=False)  # fmt: skip
    assert ledger.rebuild([ContractLine.objects.get(starts_on="2025-06-01").customer_id]) == 2
    assert told() == [
        "2025-01-01 C1 +100.00 start JPY", "2025-06-01 C1 -100.00 end JPY", "2025-06-01 C2 +100.00 start JPY",
    ]  # fmt: skip
    assert ledger.differing([customers[1].pk]) == []


def test_lines_of_two_sources_with_one_id_are_two_lines(store):
    store("""
        customer source line starts     mrr
        1        main   a    2025-01-01 100
        1        crm    a    2025-06-01 50
    """)
    assert ContractLine.objects.filter(service_until__isnull=True).count() == 2


def test_status_without_dates_holds_for_the_whole_period(store):
    store("""
        customer line starts     status mrr
        1        a    2025-01-01 active 100
        1        a    2025-03-01 paused 100
        1        a    2025-05-01 active 100
        2        b    2025-01-01 trial  100
    """)
    assert told() == ["2025-01-01 C1 +100.00 start JPY", "2025-03-01 C1 -100.00 pause JPY", "2025-05-01 C1 +100.00 pause JPY"]


def test_balances_follow_the_lines_and_the_events(store):
    customers = store(GROWING)
    for day, expected in [
        ("2024-12-31", {}),
        ("2025-01-01", {1: 10_000_000}),
        ("2025-07-01", {1: 15_000_000, 2: 5_000_050, 3: 833_333}),
        ("2026-01-31", {2: 5_000_050, 3: 833_333}),
        ("2026-02-01", {3: 833_333}),
    ]:
        on = date.fromisoformat(day)
        by_customer = {customers[who].pk: cents for who, cents in expected.items()}
        assert dict(ledger.balances_frame(on).itertuples(index=False, name=None)) == by_customer
        events = ledger.events_frame(until=on).groupby("customer_id")["change_cents"].sum()
        assert events[events != 0].to_dict() == by_customer
    assert ledger.balances_frame(date(2025, 7, 1), customer_ids=[customers[2].pk])["mrr_cents"].tolist() == [5_000_050]
    assert contracts.mrr_on(customers[1], date(2025, 7, 1)) == Decimal("150000.00")


def test_other_currencies_need_a_rate_and_the_refusal_says_which(store):
    store("""
        customer line currency starts     mrr
        1        a    USD      2025-01-01 100.01
        1        b    JPY      2025-01-01 1000
        2        c    USD      2025-01-01 0.03
    """)
    with translation.override("en"), pytest.raises(exchange.MissingRate, match=r"USD.*JPY.*2025-01-01.*fx_rates"):
        ledger.balances_frame(date(2025, 1, 1))
    FxRate.objects.create(valid_from="2024-04-01", currency="USD", rate="150.25")
    FxRate.objects.create(valid_from="2025-04-01", currency="USD", rate="140.5")
    assert ledger.balances_frame(date(2025, 3, 31))["mrr_cents"].tolist() == [1_502_650 + 100_000, 451]
    assert ledger.balances_frame(date(2025, 4, 1))["mrr_cents"].tolist() == [1_405_141 + 100_000, 422]
    assert ledger.balances_frame(date(2025, 4, 1), rates_on=date(2025, 3, 31))["mrr_cents"].tolist() == [1_502_650 + 100_000, 451]


def test_the_end_of_an_fx_table_is_open(store):
    FxRate.objects.create(valid_from="2025-04-01", currency="USD", rate="140.5")
    table = exchange.read()
    assert table.on(date(2031, 1, 1), ["USD", "JPY"]) == {"USD": Decimal("140.5"), "JPY": Decimal(1)}
    with pytest.raises(exchange.MissingRate):
        table.on(date(2025, 3, 31), ["USD"])


def test_movements_are_cut_to_the_span_but_judged_by_all_history(store):
    customers = store("""
        customer line starts     ends       mrr
        1        a    2024-01-10 2024-06-10 100
        1        b    2025-02-10 -          120
        2        c    2025-02-10 -          80
    """)
    rows = ledger.movements_frame(date(2025, 1, 1), date(2025, 2, 1))
    assert list(rows.itertuples(index=False, name=None)) == [
        (customers[1].pk, 2025 * 12 + 1, 0, 12_000, "reactivation"), (customers[2].pk, 2025 * 12 + 1, 0, 8_000, "new"),
    ]  # fmt: skip
    assert ledger.movements_frame(date(2025, 3, 1), date(2025, 12, 1)).empty


def test_events_by_days_and_currency(store):
    store(GROWING)
    assert ledger.events_frame(after=date(2025, 7, 1), until=date(2026, 1, 1))["change_cents"].tolist() == [-15_000_000]
    assert ledger.events_frame(after=date(2025, 6, 30), until=date(2025, 7, 1))["cause"].tolist() == ["seats"]
    assert ledger.events_frame(currency="USD").empty
    assert ledger.events_frame(customer_ids=[]).empty


def test_changes_name_the_lines_before_and_after(store):
    customers = store(GROWING)
    rows = ledger.changes_frame([customers[1].pk])
    ids = dict(ContractLine.objects.filter(line_id="a").values_list("starts_on", "pk"))
    first, second = ids[date(2025, 1, 1)], ids[date(2025, 7, 1)]
    assert rows[["cause", "before_line", "after_line"]].to_numpy().tolist() == [
        ["start", frames.NO_LINE, first], ["seats", first, second], ["end", second, frames.NO_LINE],
    ]  # fmt: skip


def test_an_empty_book(db):
    assert ledger.rebuild() == 0
    assert ledger.rebuild([]) == 0
    assert ledger.balances_frame(date(2025, 1, 1)).empty
    assert ledger.movements_frame(date(2025, 1, 1), date(2025, 1, 1)).empty
    assert ledger.events_frame().empty


def test_money_is_stored_to_the_hundredth(store):
    store("""
        customer line starts     mrr
        1        a    2025-01-01 99999999999999.99
        2        b    2025-01-01 0.01
        3        c    2025-01-01 -0.05
    """)
    stored = sorted(MrrEvent.objects.values_list("change", flat=True))
    assert stored == [Decimal("-0.05"), Decimal("0.01"), Decimal("99999999999999.99")]


@pytest.mark.parametrize("customers", [1, 50])
def test_queries_do_not_grow_with_customers(store, customers):
    rows = "\n".join(f"{who} l{who} 2025-01-01 100\n{who} l{who} 2025-06-01 150" for who in range(1, customers + 1))
    store(f"customer line starts mrr\n{rows}", rebuild=False)
    with CaptureQueriesContext(connection) as first:
        assert ledger.rebuild() == customers
    with CaptureQueriesContext(connection) as again:
        assert ledger.rebuild() == 0
    assert (len(first), len(again)) == (7, 3)  # COPY is not counted


def test_currencies_survive_as_numbers():
    for code in ("JPY", "USD", "X"):
        assert ledger.currency_code(ledger.currency_number(code)) == code
    pd.testing.assert_index_equal(pd.Index([ledger.currency_number("JPY")]), pd.Index([0x4A5059]))
