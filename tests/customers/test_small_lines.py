"""From days to weeks to polylines."""

from __future__ import annotations

import numpy as np
import pytest

from expansion.dashboards import small_lines
from expansion.dashboards.small_lines import DAYS, WEEKS


def days(**given: float) -> np.ndarray:
    """Return the days with the given ones set: d0 is the last day, d6 six days before."""
    values = np.full(DAYS, np.nan)
    for name, value in given.items():
        values[DAYS - 1 - int(name[1:])] = value
    return values


def fed(*before_last: int) -> np.ndarray:
    came = np.zeros(DAYS, dtype=bool)
    came[[DAYS - 1 - ago for ago in before_last]] = True
    return came


def test_a_counter_sums_by_week_and_a_day_without_a_row_is_nothing():
    weeks = small_lines.week_sums(days(d0=2, d6=3, d7=5), fed(0, 3, 6, 7, 14))
    assert weeks[-3:] == [0.0, 5.0, 5.0]
    assert weeks[: WEEKS - 3] == [None] * (WEEKS - 3)


def test_a_counter_with_a_limit_sums_the_four_weeks_that_the_limit_is_for():
    weeks = small_lines.limit_sums(days(d0=1, d27=10, d28=100), fed(0, 27, 28))
    assert weeks[-5:] == [100.0, 110.0, 110.0, 110.0, 11.0]
    assert weeks[-6] is None


def test_a_gauge_is_its_newest_reading_and_holds_for_two_weeks():
    weeks = small_lines.week_levels(days(d20=7.0, d16=9.0))
    assert weeks[-5:] == [None, None, 9.0, 9.0, None]


def test_the_highest_day_of_a_week():
    assert small_lines.week_highs(days(d0=1, d2=4, d8=2))[-3:] == [None, 2.0, 4.0]


def test_what_lies_before_the_first_value_is_unknown():
    assert small_lines.first_known(days(d7=1.0)) == WEEKS - 2
    assert small_lines.first_known(days()) is None
    assert small_lines.from_first([0.0, 0.0, 5.0], 2) == [None, None, 5.0]


def week_values(**given: float) -> list[float | None]:
    return [given.get(f"w{week}") for week in range(WEEKS)]


def test_a_gap_parts_the_line_and_zero_is_the_bottom():
    drawing = small_lines.draw(week_values(w0=0.0, w1=10.0, w3=5.0, w56=10.0))
    assert drawing.pieces == ("0,28 1.79,2.07", "5.35,15.04 5.36,15.04", "99.99,2.07 100,2.07")
    assert (drawing.limit, drawing.most) == ((), 10.0)


def test_a_limit_is_drawn_in_steps_and_fits_into_the_box():
    limit: list[float | None] = [None] * 50 + [10.0] * 4 + [20.0] * 3
    drawing = small_lines.draw(week_values(w56=5.0), limit)
    assert drawing.limit == ("89.29,15.04 96.43,15.04 96.43,2.07 100,2.07",)


def test_nothing_known_draws_nothing():
    assert small_lines.draw([None] * WEEKS) == small_lines.Drawing(pieces=(), limit=(), most=0.0)
    assert small_lines.draw([0.0] * 2 + [None] * 55).pieces == ("0,28 1.79,28",)


@pytest.mark.parametrize(
    ("at", "scores", "drawn"),
    [
        ([0, 398], [0, 100], ("0,28 0.01,28", "99.99,0 100,0")),
        ([390, 398], [50, 75], ("97.99,14 100,7",)),
        ([380, 390, 398], [50, None, 75], ("95.48,14 95.49,14", "99.99,7 100,7")),
        ([], [], ()),
    ],
)
def test_scores_are_drawn_by_day_and_parted_by_what_is_missing(at, scores, drawn):
    pieces = small_lines.draw_scores(at, scores, longest_gap=45)
    assert [round(float(x.split(",")[0]), 1) for piece in pieces for x in piece.split()] == [
        round(float(x.split(",")[0]), 1) for piece in drawn for x in piece.split()
    ]
    assert [x.split(",")[1] for piece in pieces for x in piece.split()] == [
        x.split(",")[1] for piece in drawn for x in piece.split()
    ]
