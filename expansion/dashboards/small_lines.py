"""Thirteen months of one customer as small lines: from days to weeks, and from weeks to the points of polylines.

Pure: no database, no clock, no words.  Days stand in the order of time, the last one is the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

WEEKS = 57
DAYS = WEEKS * 7
WIDTH, HEIGHT = 100.0, 28.0
# A counter with a limit is measured over this window (signals.terms: quota_used_ratio).
LIMIT_DAYS = 28
# A gauge holds as long as the term seats_used takes it.
HOLD_DAYS = 14
_WEEK_ENDS = range(6, DAYS, 7)
_HEADROOM = 1.08

Series = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Polylines in a box of WIDTH × HEIGHT, zero at the bottom; a gap in the data is a gap in the line."""

    pieces: tuple[str, ...]
    limit: tuple[str, ...]
    most: float


def week_sums(values: NDArray[np.float64], fed: NDArray[np.bool_]) -> list[float | None]:
    """Return what a counter counted per week: a day on which its feed came without a row is 0, a week without any feed is None."""
    counted, came = _by_week(np.where(np.isnan(values), 0.0, values)), _by_week(fed)
    return [float(week.sum()) if known.any() else None for week, known in zip(counted, came, strict=True)]


def limit_sums(values: NDArray[np.float64], fed: NDArray[np.bool_]) -> list[float | None]:
    """Return at the end of each week what a counter counted in the window that its limit is for."""
    counted = np.where(np.isnan(values), 0.0, values)
    made: list[float | None] = []
    for end in _WEEK_ENDS:
        window = slice(max(end - LIMIT_DAYS + 1, 0), end + 1)
        made.append(float(counted[window].sum()) if fed[window].any() else None)
    return made


def week_levels(values: NDArray[np.float64]) -> list[float | None]:
    """Return the newest reading of a gauge at the end of each week, not older than HOLD_DAYS; None where there is none."""
    made: list[float | None] = []
    for end in _WEEK_ENDS:
        recent = values[max(end - HOLD_DAYS + 1, 0) : end + 1]
        known = recent[~np.isnan(recent)]
        made.append(float(known[-1]) if len(known) else None)
    return made


def week_highs(values: NDArray[np.float64]) -> list[float | None]:
    """Return the highest day of each week; None for a week without a value."""
    return [float(known.max()) if len(known := week[~np.isnan(week)]) else None for week in _by_week(values)]


def from_first(values: Series, first: int) -> list[float | None]:
    """Return the weeks from one on; what lies before is unknown."""
    return [None if week < first else value for week, value in enumerate(values)]


def first_known(values: NDArray[np.float64]) -> int | None:
    """Return the week of the first value, None where there is none."""
    known = np.flatnonzero(~np.isnan(values))
    return int(known[0]) // 7 if len(known) else None


def draw(values: Series, limit: Series = ()) -> Drawing:
    """Lay out a series and the limit that went with it, from zero up."""
    known = [value for value in (*values, *limit) if value is not None]
    most = max(known, default=0.0)
    top = most * _HEADROOM or 1.0
    return Drawing(pieces=_polylines(values, top), limit=_steps(limit, top), most=most)


def draw_scores(days: Sequence[int], scores: Series, *, longest_gap: int) -> tuple[str, ...]:
    """Lay out scores of 0 to 100 by the number of their day (0 … DAYS − 1); a longer gap between them, or None, parts the line."""
    pieces: list[list[str]] = [[]]
    before: int | None = None
    for day, score in zip(days, scores, strict=True):
        if score is None or (before is not None and day - before > longest_gap):
            pieces.append([])
        if score is not None:
            pieces[-1].append(f"{_short(day * WIDTH / (DAYS - 1))},{_short(HEIGHT - score * HEIGHT / 100)}")
        before = day
    return tuple(_visible(piece) for piece in pieces if piece)


def _by_week(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values.reshape(WEEKS, 7)


def _polylines(values: Series, top: float) -> tuple[str, ...]:
    runs = groupby(enumerate(values), key=lambda one: one[1] is None)
    return tuple(
        _visible([f"{_x(week)},{_y(value, top)}" for week, value in run if value is not None]) for is_gap, run in runs if not is_gap
    )


def _steps(limit: Series, top: float) -> tuple[str, ...]:
    """Draw each week's limit flat and join the levels by upright strokes."""
    made = []
    for is_gap, run in groupby(enumerate(limit), key=lambda one: one[1] is None):
        if is_gap:
            continue
        weeks = [(week, value) for week, value in run if value is not None]
        points = []
        for place, (week, value) in enumerate(weeks):
            if place == 0 or value != weeks[place - 1][1]:
                if place:
                    points.append(f"{_x(week)},{_y(weeks[place - 1][1], top)}")
                points.append(f"{_x(week)},{_y(value, top)}")
        end = f"{_x(weeks[-1][0])},{_y(weeks[-1][1], top)}"
        if points[-1] != end:
            points.append(end)
        made.append(_visible(points))
    return tuple(made)


def _visible(points: list[str]) -> str:
    """A line of one point is drawn as a dot: its round end needs some length."""
    if len(points) == 1:
        x, y = points[0].split(",")
        points = [f"{_short(max(float(x) - 0.01, 0))},{y}", points[0]]
    return " ".join(points)


def _x(week: int) -> str:
    return _short(week * WIDTH / (WEEKS - 1))


def _y(value: float, top: float) -> str:
    return _short(HEIGHT - value * HEIGHT / top)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
