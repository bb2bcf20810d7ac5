"""What changed on which day, and why: worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from accounts.revenue import changes, frames, months, service

CASES = [
    ("the first line starts, the last ends", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-10 2025-04-10 100
     """, ["2025-01-10 1 +100 start", "2025-04-10 1 -100 end"]),
    ("all lines of the first day are a start", """
        customer line product starts     mrr
        1        a    basic   2025-01-10 100
        1        b    sso     2025-01-10 30
     """, ["2025-01-10 1 +100 start", "2025-01-10 1 +30 start"]),
    ("a paid trial counts from conversion", """
        customer line product starts     trial_ends mrr
        1        a    basic   2025-01-10 2025-02-08 100
     """, ["2025-02-09 1 +100 start"]),
    ("an add-on on trial becomes an add-on at conversion", """
        customer line product starts     trial_ends mrr
        1        a    basic   2025-01-10 -          100
        1        b    sso     2025-03-01 2025-03-30 30
     """, ["2025-01-10 1 +100 start", "2025-03-31 1 +30 addon"]),
    ("more seats on the same line", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 10  100
        1        a    basic   2025-06-01 15  150
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 +50 seats"]),
    ("fewer seats on the same line", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 10  100
        1        a    basic   2025-06-01 8   80
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 -20 seats"]),
    ("seats cut mid-term then re-added are two events", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 10  100
        1        a    basic   2025-06-03 8   80
        1        a    basic   2025-06-20 10  100
     """, ["2025-01-01 1 +100 start", "2025-06-03 1 -20 seats", "2025-06-20 1 +20 seats"]),
    ("rounding of a line is no price change", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 3   83.33
        1        a    basic   2025-06-01 7   194.44
     """, ["2025-01-01 1 +83.33 start", "2025-06-01 1 +111.11 seats"]),
    ("a volume price belongs to the seats", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 10  100
        1        a    basic   2025-06-01 20  180
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 +80 seats"]),
    ("a price rise on the same day is told apart from the seats", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 10  100
        1        a    basic   2025-06-01 15  165
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 +15 price", "2025-06-01 1 +50 seats"]),
    ("more seats for less money is a matter of price", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 10  100
        1        a    basic   2025-06-01 12  90
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 -10 price"]),
    ("a seat line grows", """
        customer line product starts     qty mrr
        1        a    seats   2025-01-01 10  100
        1        a    seats   2025-06-01 11  110
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 +10 seats"]),
    ("capacity grows", """
        customer line product starts     qty mrr
        1        a    storage 2025-01-01 100 50
        1        a    storage 2025-06-01 200 100
     """, ["2025-01-01 1 +50 start", "2025-06-01 1 +50 capacity"]),
    ("without quantities it is a matter of price", """
        customer line product starts     mrr
        1        a    basic   2025-01-01 100
        1        a    basic   2025-06-01 150
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 +50 price"]),
    ("the plan changes on the same line", """
        customer line product starts     qty mrr
        1        a    basic   2025-01-01 10  100
        1        a    pro     2025-06-01 12  300
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 +200 plan"]),
    ("a lower plan", """
        customer line product starts     qty mrr
        1        a    pro     2025-01-01 10  300
        1        a    basic   2025-06-01 10  100
     """, ["2025-01-01 1 +300 start", "2025-06-01 1 -200 plan"]),
    ("plan A ends and plan B starts on the same day", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2025-06-01 100
        1        b    pro     2025-06-01 -          300
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 +200 plan"]),
    ("a renewal under a new line at the same price leaves nothing", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2026-01-01 100
        1        b    basic   2026-01-01 -          100
     """, ["2025-01-01 1 +100 start"]),
    ("a renewal dated back to the term end leaves nothing", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2026-01-01 100
        1        a    basic   2026-01-01 2027-01-01 100
     """, ["2025-01-01 1 +100 start", "2027-01-01 1 -100 end"]),
    ("a late renewal is a gap", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2026-01-01 100
        1        a    basic   2026-01-15 -          100
     """, ["2025-01-01 1 +100 start", "2026-01-01 1 -100 end", "2026-01-15 1 +100 start"]),
    ("a lower price at renewal", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2026-01-01 100
        1        a    basic   2026-01-01 2027-01-01 90
     """, ["2025-01-01 1 +100 start", "2026-01-01 1 -10 renewal_down", "2027-01-01 1 -90 end"]),
    ("a lower price at renewal under a new line", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2026-01-01 100
        1        b    basic   2026-01-01 -          90
     """, ["2025-01-01 1 +100 start", "2026-01-01 1 -10 renewal_down"]),
    ("a lower price at the renewal day of an open line", """
        customer line product starts     renews     mrr
        1        a    basic   2025-01-01 2026-01-01 100
        1        a    basic   2026-01-01 2027-01-01 90
     """, ["2025-01-01 1 +100 start", "2026-01-01 1 -10 renewal_down"]),
    ("a lower price in mid-term", """
        customer line product starts     renews     mrr
        1        a    basic   2025-01-01 2026-01-01 100
        1        a    basic   2025-06-01 2026-01-01 90
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 -10 price"]),
    ("fewer seats at renewal are fewer seats", """
        customer line product starts     ends       qty mrr
        1        a    basic   2025-01-01 2026-01-01 10  100
        1        a    basic   2026-01-01 2027-01-01 8   80
     """, ["2025-01-01 1 +100 start", "2026-01-01 1 -20 seats", "2027-01-01 1 -80 end"]),
    ("a higher price at renewal", """
        customer line product starts     ends       qty mrr
        1        a    basic   2025-01-01 2026-01-01 10  100
        1        a    basic   2026-01-01 -          10  103
     """, ["2025-01-01 1 +100 start", "2026-01-01 1 +3 price"]),
    ("a discount runs out", """
        customer line product starts     off qty mrr
        1        a    basic   2025-01-01 20  10  80
        1        a    basic   2025-07-01 0   10  100
     """, ["2025-01-01 1 +80 start", "2025-07-01 1 +20 discount"]),
    ("a discount of 100 % is free, not paying", """
        customer line product starts     off mrr
        1        a    basic   2025-01-01 100 0
        1        a    basic   2025-07-01 0   100
     """, ["2025-07-01 1 +100 start"]),
    ("free months of an add-on run out beside a plan that is paid", """
        customer line product starts     off mrr
        1        a    basic   2025-01-01 -   100
        1        b    sso     2025-01-01 100 0
        1        b    sso     2025-04-01 0   30
     """, ["2025-01-01 1 +100 start", "2025-04-01 1 +30 discount"]),
    ("paid to free is the end", """
        customer line product starts     mrr
        1        a    basic   2025-01-01 100
        1        a    basic   2025-07-01 0
     """, ["2025-01-01 1 +100 start", "2025-07-01 1 -100 end"]),
    ("from monthly to yearly billing", """
        customer line product starts     months qty mrr
        1        a    basic   2025-01-01 1      10  100
        1        a    basic   2025-07-01 12     10  90
     """, ["2025-01-01 1 +100 start", "2025-07-01 1 -10 term"]),
    ("an add-on, another product, a seat pack, storage and a service on a paying customer", """
        customer line product  starts     mrr
        1        a    basic    2025-01-01 100
        1        b    sso      2025-02-01 30
        1        c    board    2025-03-01 70
        1        d    seats    2025-04-01 20
        1        e    storage  2025-05-01 10
        1        f    training 2025-06-01 5
     """, ["2025-01-01 1 +100 start", "2025-02-01 1 +30 addon", "2025-03-01 1 +70 product", "2025-04-01 1 +20 seats",
           "2025-05-01 1 +10 capacity", "2025-06-01 1 +5 product"]),
    ("a plan of another family beside the one kept is another product", """
        customer line product starts     mrr
        1        a    basic   2025-01-01 100
        1        b    post    2025-02-01 50
        1        c    pro     2025-03-01 300
     """, ["2025-01-01 1 +100 start", "2025-02-01 1 +50 product", "2025-03-01 1 +300 plan"]),
    ("one of several lines ends, then the last", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2025-09-01 100
        1        b    board   2025-01-01 2025-05-01 70
     """, ["2025-01-01 1 +100 start", "2025-01-01 1 +70 start", "2025-05-01 1 -70 product", "2025-09-01 1 -100 end"]),
    ("everything ends on one day", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2025-09-01 100
        1        b    board   2025-01-01 2025-09-01 70
     """, ["2025-01-01 1 +100 start", "2025-01-01 1 +70 start", "2025-09-01 1 -100 end", "2025-09-01 1 -70 end"]),
    ("a pause and its end", """
        customer line product starts     paused     resumed    mrr
        1        a    basic   2025-01-01 2025-03-01 2025-05-01 100
     """, ["2025-01-01 1 +100 start", "2025-03-01 1 -100 pause", "2025-05-01 1 +100 pause"]),
    ("a pause written as a period of its own", """
        customer line product starts     paused     mrr
        1        a    basic   2025-01-01 -          100
        1        a    basic   2025-03-01 2025-03-01 100
        1        a    basic   2025-05-01 -          120
     """, ["2025-01-01 1 +100 start", "2025-03-01 1 -100 pause", "2025-05-01 1 +120 pause"]),
    ("one line pauses beside another", """
        customer line product starts     paused     resumed    mrr
        1        a    basic   2025-01-01 -          -          100
        1        b    sso     2025-01-01 2025-03-01 2025-05-01 30
     """, ["2025-01-01 1 +100 start", "2025-01-01 1 +30 start", "2025-03-01 1 -30 pause", "2025-05-01 1 +30 pause"]),
    ("a paused line is not swapped for a new one", """
        customer line product starts     paused     mrr
        1        a    basic   2025-01-01 2025-03-01 100
        1        b    basic   2025-03-01 -          100
     """, ["2025-01-01 1 +100 start", "2025-03-01 1 -100 pause", "2025-03-01 1 +100 plan"]),
    ("the largest is swapped for the largest", """
        customer line product starts     ends       mrr
        1        a    sso     2025-01-01 2025-06-01 10
        1        b    sso     2025-01-01 2025-06-01 50
        1        c    audit   2025-06-01 -          60
        1        d    basic   2025-01-01 -          100
     """, ["2025-01-01 1 +10 start", "2025-01-01 1 +50 start", "2025-01-01 1 +100 start", "2025-06-01 1 -10 addon",
           "2025-06-01 1 +10 addon"]),
    ("the same product is swapped before another one of its kind", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 2025-06-01 100
        1        b    pro     2025-01-01 2025-06-01 300
        1        c    pro     2025-06-01 -          300
        1        d    basic   2025-06-01 -          110
     """, ["2025-01-01 1 +100 start", "2025-01-01 1 +300 start", "2025-06-01 1 +10 price"]),
    ("a credit line beside a plan", """
        customer line product starts     ends       mrr
        1        a    basic   2025-01-01 -          100
        1        b    sso     2025-02-01 2025-05-01 -20
     """, ["2025-01-01 1 +100 start", "2025-02-01 1 -20 discount", "2025-05-01 1 +20 discount"]),
    ("a line that moves to another customer ends there and starts here", """
        customer line product starts     mrr
        1        a    basic   2025-01-01 100
        2        a    basic   2025-06-01 100
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 -100 end", "2025-06-01 2 +100 start"]),
    ("a change of currency sells nothing", """
        customer line product currency starts     qty mrr
        1        a    basic   USD      2025-01-01 10  100
        1        a    basic   JPY      2025-06-01 10  15000
     """, ["2025-01-01 1 +100 start", "2025-06-01 1 -100 price", "2025-06-01 1 +15000 price"]),
    ("lines of one product that overlap all count", """
        customer line product starts     mrr
        1        a    basic   2025-01-01 100
        1        b    basic   2025-01-01 100
     """, ["2025-01-01 1 +100 start", "2025-01-01 1 +100 start"]),
    ("a free line leaves no trace", """
        customer line product starts     mrr
        1        a    basic   2025-01-01 0
     """, []),
]  # fmt: skip


@pytest.mark.parametrize(("table", "expected"), [pytest.param(table, expected, id=name) for name, table, expected in CASES])
def test_events(events, table, expected):
    assert sorted(events(table)) == sorted(expected)


def test_events_say_what_paid_before_and_after(lines, products):
    made = changes.events(lines("""
        customer line product starts     ends       qty mrr
        1        a    basic   2025-01-01 2025-06-01 10  100
        1        b    pro     2025-06-01 2026-06-01 10  300
    """), products)  # fmt: skip
    assert made[["cause", "line", "before_line", "after_line", "product_id"]].to_numpy().tolist() == [
        ["start", 1, frames.NO_LINE, 1, 1], ["plan", 2, 1, 2, 2], ["end", 2, 2, frames.NO_LINE, 2],
    ]  # fmt: skip


def test_no_customer_depends_on_the_others(lines, products):
    text = """
        customer line product starts     ends       qty mrr
        {0}      a{0} basic   2025-01-01 2025-06-01 10  100
        {0}      b{0} pro     2025-06-01 2026-06-01 10  300
        {0}      c{0} sso     2025-07-01 -          -   30
    """
    head, *rows = text.strip().splitlines()
    many = "\n".join([head, *("\n".join(rows).format(customer) for customer in range(1, 41))])
    made = changes.events(lines(many), products)
    one = made[made["customer_id"] == 1][["on", "change_cents", "cause"]].to_numpy().tolist()
    assert len(one) == 4
    for customer in range(2, 41):
        assert made[made["customer_id"] == customer][["on", "change_cents", "cause"]].to_numpy().tolist() == one


@pytest.mark.parametrize("seed", range(8))
def test_events_sum_to_the_balance_of_every_day(random_lines, products, seed):
    made = random_lines(np.random.default_rng(seed), 60, credit=False)
    found = changes.events(made, products)
    stretches = service.stretches(made)
    days = list(range(int(made["starts"].min()) - 1, int(made["starts"].max()) + 450, 3))
    balances = months.balances(stretches, days)
    for day in days:
        summed = found[found["on"] <= day].groupby("customer_id")["change_cents"].sum()
        expected = balances[day].loc[lambda cents: cents != 0]
        pd.testing.assert_series_equal(summed[summed != 0], expected, check_names=False)


@pytest.mark.parametrize("seed", range(8))
def test_start_and_end_are_where_the_customer_pays_nothing(random_lines, products, seed):
    made = random_lines(np.random.default_rng(seed), 60, credit=False)
    found = changes.events(made, products)
    for customer, rows in found.groupby("customer_id"):
        net = rows.groupby("on")["change_cents"].sum().cumsum()
        for event in rows.itertuples():
            after = net[event.on]
            before = after - rows.loc[rows["on"] == event.on, "change_cents"].sum()
            if event.cause == "start":
                assert (before, event.change_cents > 0) == (0, True), customer
            elif event.cause == "end":
                assert (after, event.change_cents < 0) == (0, True), customer
            elif event.cause != "pause":
                assert before > 0 or event.change_cents < 0, customer


def test_input_is_unchanged_and_its_order_is_irrelevant(random_lines, products):
    made = random_lines(np.random.default_rng(11), 80)
    copy = made.copy(deep=True)
    found = changes.events(made, products)
    pd.testing.assert_frame_equal(made, copy)
    pd.testing.assert_frame_equal(changes.events(made.sample(frac=1, random_state=5), products), found)


def test_empty_in_empty_out(products):
    none = frames.empty(frames.LINES)
    made = changes.events(none.assign(until=service.service_until(none)), products)
    assert made.dtypes.astype(str).to_dict() == frames.EVENTS


def test_every_cause_is_one_of_the_keys(random_lines, products):
    causes = set()
    for seed in range(20):
        causes |= set(changes.events(random_lines(np.random.default_rng(seed), 80), products)["cause"])
    assert causes == {"start", "end", *changes.CAUSES}
