"""RFM: definitions §9, value by value, and against a slow obvious Python."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date

import numpy as np
import pandas as pd
import pytest

from signals.compute import rfm

AS_OF = date(2026, 6, 30)


def purchases(*lines):
    frame = pd.DataFrame(lines, columns=["customer", "day", "amount_cents"])
    return frame.assign(day=pd.to_datetime(frame["day"])).astype({"customer": "int64", "amount_cents": "int64"})


def test_the_last_event_of_each_customer_gives_recency_and_the_first_one_tenure():
    summary = rfm.summarise(
        purchases((0, "2026-06-30", 100_000), (0, "2026-01-15", 400_000), (1, "2025-09-01", 20_000)), as_of=AS_OF, customers=3
    )
    expected = pd.DataFrame(
        {
            "recency_days": [0.0, 302.0, np.nan],
            "frequency": [2.0, 1.0, 0.0],
            "monetary_cents": [500_000.0, 20_000.0, 0.0],
            "tenure_days": [166.0, 302.0, np.nan],
        }
    )
    pd.testing.assert_frame_equal(summary, expected)


@pytest.mark.parametrize(
    ("day", "counted"),
    [
        pytest.param("2026-07-01", (0, 0), id="the day after the as-of day"),
        pytest.param("2026-06-30", (1, 5), id="the as-of day itself"),
        pytest.param("2025-07-01", (1, 5), id="the first day of twelve months"),
        pytest.param("2025-06-30", (1, 0), id="one day too old for the value"),
        pytest.param("2024-07-01", (1, 0), id="the first day of twenty-four months"),
        pytest.param("2024-06-30", (0, 0), id="one day too old for the count"),
    ],
)
def test_windows_are_half_open(day, counted):
    summary = rfm.summarise(purchases((0, day, 5)), as_of=AS_OF, customers=1)
    assert (summary["frequency"][0], summary["monetary_cents"][0]) == counted


def test_two_orders_on_one_day_are_two_and_a_refund_counts_in_the_value_only():
    summary = rfm.summarise(
        purchases((0, "2026-06-01", 500), (0, "2026-06-01", 300), (0, "2026-06-20", -200)), as_of=AS_OF, customers=1
    )
    assert summary.loc[0].tolist() == [29, 2, 600, 29]


@pytest.mark.parametrize(
    ("values", "scores"),
    [
        pytest.param([10, 20, 30, 40, 50], [1, 2, 3, 4, 5], id="five different values"),
        pytest.param([10, 10, 20, 30, 40], [1, 1, 3, 4, 5], id="the lowest holds 40 percent"),
        pytest.param([10, 20, 30, 40, 40], [2, 3, 4, 5, 5], id="the highest holds 40 percent, the rest shares 1 to 4"),
        pytest.param([7, 7, 7, 7], [3, 3, 3, 3], id="all equal"),
        pytest.param([1, 1, 9, 9], [1, 1, 5, 5], id="two values that hold half each"),
        pytest.param([1, 5, 5, 5, 9], [2, 3, 3, 3, 5], id="a middle value keeps the score of the formula"),
        pytest.param([1, 2, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 2, 2, 3, 3, 4, 4, 5, 5], id="ties take the average rank"),
    ],
)  # fmt: skip
def test_quintiles(values, scores):
    assert rfm.quintiles(np.array(values, dtype=float)).tolist() == scores


def slow_quintiles(values):
    """The wording of the definition, one customer at a time."""
    n, counts = len(values), Counter(values)

    def average_rank(value, among):
        smaller = sum(1 for v in among if v < value)
        equal = sum(1 for v in among if v == value)
        return smaller + (equal + 1) / 2

    def formula(value, among, top):
        return math.ceil(round(top * average_rank(value, among) / len(among), 9))

    if len(counts) == 1:
        return [3] * n
    heavy = sorted(v for v, count in counts.items() if count * 5 >= n * 2)
    low, high = min(values), max(values)
    own = {v: 1 if v == low else 5 if v == high else formula(v, values, 5) for v in heavy}
    scores = []
    for value in values:
        if value in own:
            scores.append(own[value])
            continue
        under = max((v for v in heavy if v < value), default=None)
        over = min((v for v in heavy if v > value), default=None)
        floor, ceiling = (own[under] if under is not None else 0), (own[over] if over is not None else 6)
        among = [v for v in values if (under is None or v > under) and (over is None or v < over)]
        scores.append(floor + formula(value, among, ceiling - floor - 1))
    return scores


@pytest.mark.parametrize("seed", range(60))
def test_quintiles_equal_the_slow_ones(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, rng.integers(1, 40), size=rng.integers(1, 200))
    if seed % 2:
        values = np.where(rng.random(len(values)) < rng.random(), int(rng.integers(0, 40)), values)
    scores = rfm.quintiles(values.astype(float))
    assert scores.tolist() == slow_quintiles(values.tolist())
    assert scores.min() >= 1
    assert scores.max() <= 5
    order = np.argsort(values, kind="stable")
    assert (np.diff(scores[order]) >= 0).all(), "a better value never scores less"


def name_of(r, f, m, *, tenure=400.0, is_paying=False):
    scores = [np.array([x], dtype=np.int8) for x in (r, f, m)]
    return rfm.SEGMENTS[rfm.name_cells(*scores, tenure_days=np.array([float(tenure)]), is_paying=np.array([is_paying]))[0]]


def test_every_cell_has_exactly_one_name():
    assert [[name_of(r, fm, fm) for fm in range(1, 6)] for r in range(5, 0, -1)] == [
        ["promising", "potential", "potential", "champion", "champion"],
        ["promising", "promising", "potential", "loyal", "champion"],
        ["about_to_sleep", "need_attention", "need_attention", "loyal", "loyal"],
        ["hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"],
        ["lost", "lost", "at_risk", "cant_lose", "cant_lose"],
    ]


@pytest.mark.parametrize(
    ("r", "f", "m", "tenure", "is_paying", "name"),
    [
        pytest.param(5, 1, 1, 89, False, "new", id="young and small is new"),
        pytest.param(1, 1, 1, 89, False, "new", id="also in the lowest row"),
        pytest.param(5, 1, 1, 90, False, "promising", id="on day 90 no longer new"),
        pytest.param(5, 4, 3, 10, False, "champion", id="young but FM above 3"),
        pytest.param(3, 2, 3, 400, False, "need_attention", id="2.5 rounds up to 3"),
        pytest.param(2, 4, 5, 400, False, "cant_lose", id="4.5 rounds up to 5"),
        pytest.param(1, 1, 1, 400, True, "need_attention", id="who pays is never lost"),
        pytest.param(2, 2, 1, 400, True, "need_attention", id="nor hibernating"),
        pytest.param(2, 3, 3, 400, True, "at_risk", id="but may be at risk"),
        pytest.param(3, 1, 1, np.nan, False, "about_to_sleep", id="without a tenure the cell decides"),
    ],
)
def test_names(r, f, m, tenure, is_paying, name):
    assert name_of(r, f, m, tenure=tenure, is_paying=is_paying) == name


def test_a_small_book_is_scored_by_fixed_cut_offs():
    summary = pd.DataFrame(
        {
            "recency_days": [30.0, 31, 180, 365, 366, np.nan],
            "frequency": [12.0, 11, 3, 2, 1, 0],
            "monetary_cents": [400.0, 399, 100, 50, 49, 0],
            "tenure_days": [400.0] * 6,
            "mrr_cents": [0.0] * 6,
        },
        index=pd.Index([5, 6, 7, 8, 9, 10], name="customer_id"),
    )
    scored = rfm.score(summary, lens="purchase")
    assert scored[["r", "f", "m"]].iloc[:5].to_numpy().tolist() == [[5, 5, 5], [4, 4, 4], [3, 3, 3], [2, 2, 2], [1, 1, 1]]
    assert scored.loc[10].isna().tolist() == [True, True, True, False]
    assert scored.loc[10, "segment_code"] == -1


def test_the_usage_lens_has_its_own_cut_offs():
    summary = pd.DataFrame(
        {
            "recency_days": [1.0, 3, 7, 14, 15],
            "frequency": [20.0, 12, 6, 2, 1],
            "monetary_cents": [0.0] * 5,
            "tenure_days": [np.nan] * 5,
            "mrr_cents": [0.0] * 5,
        }
    )
    scored = rfm.score(summary, lens="usage")
    assert scored["r"].tolist() == [5, 4, 3, 2, 1]
    assert scored["f"].tolist() == [5, 4, 3, 2, 1]
    assert scored["m"].tolist() == [1] * 5


def test_nobody_scored_gives_an_empty_answer_of_the_right_shape():
    empty = pd.DataFrame(
        {n: pd.Series(dtype=float) for n in ("recency_days", "frequency", "monetary_cents", "tenure_days", "mrr_cents")}
    )
    assert list(rfm.score(empty, lens="purchase").columns) == ["r", "f", "m", "segment_code"]
    assert len(rfm.score(empty, lens="usage")) == 0


def test_order_does_not_matter_and_the_input_stays():
    rng = np.random.default_rng(3)
    summary = pd.DataFrame(
        {
            "recency_days": rng.integers(0, 900, 300).astype(float),
            "frequency": rng.integers(0, 9, 300).astype(float),
            "monetary_cents": rng.integers(0, 10**7, 300).astype(float),
            "tenure_days": rng.integers(0, 2000, 300).astype(float),
            "mrr_cents": rng.integers(0, 2, 300).astype(float),
        }
    )
    before = summary.copy()
    scored = rfm.score(summary, lens="purchase")
    pd.testing.assert_frame_equal(summary, before)
    mixed = summary.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(rfm.score(mixed, lens="purchase").loc[summary.index], scored)
    assert scored["segment_code"].between(0, 10).all()


@pytest.mark.parametrize("seed", range(10))
def test_summary_equals_a_loop(seed):
    rng = np.random.default_rng(seed)
    days = pd.to_datetime("2026-08-15") - pd.to_timedelta(rng.integers(0, 1200, 400), unit="D")
    frame = pd.DataFrame({"customer": rng.integers(0, 40, 400), "day": days, "amount_cents": rng.integers(-5000, 90000, 400)})
    summary = rfm.summarise(frame, as_of=AS_OF, customers=41)
    for customer in range(41):
        rows = [(d.date(), a) for c, d, a in frame.itertuples(index=False) if c == customer and d.date() <= AS_OF]
        events = [d for d, a in rows if a >= 0]
        expected = [
            (AS_OF - max(events)).days if events else None,
            sum(1 for d in events if d >= date(2024, 7, 1)),
            sum(a for d, a in rows if d >= date(2025, 7, 1)),
            (AS_OF - min(events)).days if events else None,
        ]
        assert [None if pd.isna(v) else v for v in summary.loc[customer]] == expected
