"""From when to when a period of a line is in service and pays: each edge case of the definitions, worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from accounts.revenue import frames, service

HEADER = "customer line starts ends renews cancelled trial_ends paused resumed mrr"


@pytest.mark.parametrize(("rows", "expected"), [
    pytest.param("1 a 2025-01-01 2026-01-01 - - - - - 100", ["2026-01-01"], id="the end as given"),
    pytest.param("1 a 2025-01-01 - - - - - - 100", ["open"], id="no end is open"),
    pytest.param("1 a 2025-01-01 - 2026-01-01 - - - - 100", ["open"], id="a renewal day alone ends nothing"),
    pytest.param("1 a 2025-01-01 2026-01-01 - - - - - 100\n1 a 2025-07-01 2026-01-01 - - - - - 120",
                 ["2025-07-01", "2026-01-01"], id="an amendment ends the period before"),
    pytest.param("1 a 2025-01-01 2025-05-01 - - - - - 100\n1 a 2025-07-01 - - - - - - 120",
                 ["2025-05-01", "open"], id="a later period after a gap does not stretch the one before"),
    pytest.param("1 a 2025-01-01 - - 2025-06-10 - - - 100", ["2025-06-10"], id="cancelled without a renewal day ends on that day"),
    pytest.param("1 a 2025-01-01 - 2026-01-01 2025-06-10 - - - 100", ["2026-01-01"], id="cancelled ends at the renewal day"),
    pytest.param("1 a 2025-01-01 2026-01-01 - 2025-06-10 - - - 100", ["2026-01-01"], id="notice does not shorten a given end"),
    pytest.param("1 a 2025-01-01 - - 2025-06-10 - - - 100\n1 a 2025-04-01 - - - - - - 120",
                 ["2025-04-01", "open"], id="the earliest counts: the amendment came before the notice"),
    pytest.param("1 a 2025-01-01 - - 2025-02-10 - - - 100\n1 a 2025-04-01 - - - - - - 120",
                 ["2025-02-10", "open"], id="the earliest counts: the notice came before the amendment"),
    pytest.param("1 a 2025-01-01 - - 2024-12-01 - - - 100", ["2025-01-01"], id="cancelled before it began is empty, not reversed"),
    pytest.param("1 a 2025-01-01 - - - - - - 100\n2 b 2025-02-01 - - - - - - 100", ["open", "open"],
                 id="lines do not end each other"),
])  # fmt: skip
def test_service_ends_with_the_earliest_reason(lines, rows, expected):
    made = lines(f"{HEADER}\n{rows}")
    assert ["open" if until == frames.NEVER else str(frames.day_of(until)) for until in made["until"]] == expected


@pytest.mark.parametrize(("row", "days", "expected"), [
    pytest.param("1 a 2025-01-01 2026-01-01 - - - - - 100", ("2024-12-31", "2025-01-01", "2025-12-31", "2026-01-01"),
                 [0, 100, 100, 0], id="half-open: the first day counts, the end does not"),
    pytest.param("1 a 2025-01-01 - - - 2025-01-31 - - 100", ("2025-01-15", "2025-01-31", "2025-02-01"),
                 [0, 0, 100], id="the last free day of a trial is free"),
    pytest.param("1 a 2025-01-01 2025-02-01 - - 2025-01-31 - - 100", ("2025-01-15", "2025-02-01"),
                 [0, 0], id="a trial that never converts never counts"),
    pytest.param("1 a 2025-01-01 - - - - 2025-03-01 2025-05-01 100", ("2025-02-28", "2025-03-01", "2025-04-30", "2025-05-01"),
                 [100, 0, 0, 100], id="a pause is half-open"),
    pytest.param("1 a 2025-01-01 - - - - 2025-03-01 - 100", ("2025-02-28", "2025-03-01", "2027-03-01"),
                 [100, 0, 0], id="a pause without an end lasts"),
    pytest.param("1 a 2025-01-01 - - - 2025-03-31 2025-03-01 2025-04-15 100", ("2025-03-20", "2025-04-14", "2025-04-15"),
                 [0, 0, 100], id="a trial that runs into a pause"),
    pytest.param("1 a 2025-01-01 - - - - 2025-05-01 2025-03-01 100", ("2025-04-01", "2025-06-01"),
                 [100, 100], id="a pause that ends before it begins is none"),
    pytest.param("1 a 2025-01-01 - - 2025-06-01 - - - 100", ("2025-05-31", "2025-06-01"), [100, 0],
                 id="ended early: churn on that day"),
    pytest.param("1 a 2024-02-29 2025-02-28 - - - - - 100", ("2024-02-29", "2025-02-27", "2025-02-28"),
                 [100, 100, 0], id="the leap day"),
])  # fmt: skip
def test_a_line_pays_on_these_days(balances, row, days, expected):
    assert balances(f"{HEADER}\n{row}", *days) == expected


def test_a_line_with_an_endless_trial_never_pays(lines):
    made = lines("customer line starts mrr\n1 a 2025-01-01 100").assign(trial_until=frames.NEVER)
    assert service.stretches(made).empty


def test_empty_in_empty_out():
    none = frames.empty(frames.LINES)
    assert list(service.service_until(none)) == []
    made = service.stretches(none.assign(until=service.service_until(none)))
    assert made.dtypes.astype(str).to_dict() == frames.STRETCHES


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_day_by_day_reading(random_lines, seed):
    made = random_lines(np.random.default_rng(seed), 30)
    stretches = service.stretches(made)
    for day in range(made["starts"].min() - 2, made["starts"].max() + 500, 17):
        expected = {line: cents for line in made.itertuples() if (cents := _mrr(made, line, day)) for line in [line.line]}
        now = stretches[(stretches["begins"] <= day) & (day < stretches["until"])]
        assert dict(zip(now["line"], now["mrr_cents"], strict=True)) == expected


def _mrr(lines, line, day):
    """Tell what one period counts for on a day, straight from the words of the definition."""
    ends = [line.ends, *(other.starts for other in lines.itertuples() if other.chain == line.chain and other.starts > line.starts)]
    if line.ends == frames.NEVER and line.cancelled != frames.NEVER:
        ends.append(line.renews if line.renews != frames.NEVER else line.cancelled)
    is_paused = line.paused <= day < line.resumed
    return line.mrr_cents if line.starts <= day < min(ends) and day >= line.trial_until and not is_paused else 0


def test_input_is_unchanged_and_its_order_is_irrelevant(random_lines):
    made = random_lines(np.random.default_rng(7), 40)
    copy = made.copy(deep=True)
    stretches = service.stretches(made)
    pd.testing.assert_frame_equal(made, copy)
    mixed = made.drop(columns="until").sample(frac=1, random_state=3)
    mixed = mixed.assign(until=service.service_until(mixed))
    pd.testing.assert_frame_equal(service.stretches(mixed), stretches)
