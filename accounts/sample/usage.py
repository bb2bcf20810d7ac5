"""What customers and their users did each day: vectorised over a block of customers and a month of days.

The noise of a month is drawn from (seed, block, month), that of a user's day is a hash:
any day can be made again, alone or with others, and comes out the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from accounts.sample import rhythm
from accounts.sample.company import MEASURES, Company
from expansion.periods import add_months, month_end, month_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from accounts.sample.contracts import History
    from accounts.sample.profiles import Profile

DEPARTMENTS = ("営業部", "総務部", "製造企画部", "経理部", "情報システム部", "品質保証部")
_COUNTERS = tuple(m.key for m in MEASURES if m.kind == "counter")
# Uses per active person and day, for those who use the feature at all.
_INTENSITY = {
    "logins": 1.35, "exports": 0.35, "shares": 0.22, "feature.search": 2.4, "feature.upload": 1.5, "feature.dashboard": 0.7,
    "feature.csv_export": 0.45, "feature.audit_log": 0.4, "feature.workflow": 1.1, "feature.esign": 0.5, "feature.analytics": 0.5,
}  # fmt: skip
_LEAST_A_DAY = 3.0
# A calm customer that bursts after as_of files many documents at once: everybody uses that already.
_BURST_LATER = "feature.upload"
_KEEN, LIGHT_WEEKS = 0.62, 0.42


@dataclass(frozen=True, slots=True)
class Block:
    """The customers of one block as arrays over [customer] or [customer, day of ``span``]."""

    number: int
    seed: int
    span: tuple[date, date]
    numbers: np.ndarray
    seats: np.ndarray
    gauges: dict[str, np.ndarray]
    working: np.ndarray
    drive: np.ndarray
    per_day: dict[str, np.ndarray]
    keen_users: np.ndarray
    pull: np.ndarray


def block(number: int, people: Sequence[tuple[Profile, History]], given: Company, *, first: date, last: date) -> Block:
    """Lay out the known part of the days first…last for some customers: limits, levels, planted shapes; no noise yet."""
    size, count = len(people), (last - first).days + 1
    shape = (size, count)
    seats, quota = np.zeros(shape), np.zeros(shape)
    level, ratio = np.zeros(shape), np.zeros(shape)
    storage, links = np.zeros(shape), np.zeros(shape)
    office, counter, closing = rhythm.curves(first, last)
    working = np.zeros(shape)
    keen, pull = np.zeros(shape), np.ones(shape)
    burst = {key: np.ones(shape) for key in ("feature.csv_export", "feature.audit_log", _BURST_LATER)}
    uses = {key: np.zeros(size) for key in _INTENSITY}
    since = {key: np.zeros(size, dtype=int) for key in _INTENSITY}
    for row, (who, told) in enumerate(people):
        if who.begins is None:
            continue
        rng = Random(f"{given.seed}/usage/{who.number}")  # noqa: S311
        days = _Days(given, who, told, first=first, count=count)
        seats[row], quota[row] = days.steps(told.seats), days.steps(told.quota)
        level[row] = days.level(closing, rng)
        ratio[row] = days.seat_ratio(rng)
        storage[row] = days.storage(quota[row])
        links[row] = days.links(rng)
        working[row] = counter if who.works_at_weekends else office
        keen[row] = days.keen()
        pull[row] = days.pull()
        for key in _INTENSITY:
            uses[key][row], since[key][row] = days.use_of(key, rng)
        for key, factors in burst.items():
            factors[row] = days.burst(key)
    # 18 of 20 seats are 0.9 and would count as full: calm customers stay below.
    used = np.where(ratio < 0.9, np.floor(ratio * seats), np.minimum(np.ceil(ratio * seats), seats)) * (level > 0)
    chance = keen * _KEEN + (1 - keen) * LIGHT_WEEKS / 5
    active = used * np.minimum(chance * pull, 0.97)
    column = np.arange(count)
    per_day = {}
    for key, intensity in _INTENSITY.items():
        rate = np.maximum(active * intensity, _LEAST_A_DAY * np.minimum(pull, 1.0)) * uses[key][:, None]
        per_day[key] = rate * burst.get(key, 1.0) * (column >= since[key][:, None])
    return Block(
        number=number, seed=given.seed, span=(first, last), numbers=np.array([who.number for who, _ in people], dtype=np.int64),
        seats=seats, gauges={"seats_used": used, "storage_gb": np.floor(storage), "api_links": links}, working=working, drive=level,
        per_day=per_day, keen_users=keen, pull=pull,
    )  # fmt: skip


class _Days:
    """The days of one customer as arrays: position 0 is ``first``."""

    def __init__(self, given: Company, who: Profile, told: History, *, first: date, count: int) -> None:
        self.given, self.who, self.told, self.first, self.count = given, who, told, first, count
        self.place = np.arange(count)
        self.anchor = (given.as_of - first).days
        self.from_anchor = self.place - self.anchor
        assert who.begins is not None  # noqa: S101
        self.begins = (who.begins - first).days
        self.age = self.place - self.begins
        self.ends = (told.ends - first).days if told.ends else 10**6
        # Before they go customers do less and less; nothing of what comes after as_of shows before it.
        length = 85 if self.ends <= self.anchor else max(1, min(85, self.ends - self.anchor - 5))
        self.fade = np.clip((self.ends - self.place) / length, 0.25, 1)

    def steps(self, changes: list[tuple[date, int]]) -> np.ndarray:
        values = np.zeros(self.count)
        for day, value in changes:
            values[max(0, min(self.count, (day - self.first).days)) :] = value
        return values * self._is_there()

    def _is_there(self) -> np.ndarray:
        return (self.age >= 0) & (self.place < self.ends)

    def since(self, days_ago: int, *, lasting: int, rising: int = 1) -> np.ndarray:
        """Return 0…1: from some days before ``as_of`` on, rising over some days, falling off after it has lasted."""
        start = self.anchor - days_ago
        up = np.clip((self.place - start + 1) / rising, 0, 1)
        down = np.clip(1 - (self.place - start - lasting) / 10, 0, 1)
        return up * down

    def level(self, closing: np.ndarray, rng: Random) -> np.ndarray:
        """How busy the customer is: it settles in over four weeks, peaks at the closings, fades before it goes."""
        trend = 1 + rng.uniform(-0.06, 0.12) * self.from_anchor / 365
        # A slow swing of its own; two customers are never in step.
        swing = 1 + 0.04 * np.sin((self.from_anchor / rng.uniform(50, 110) + rng.random()) * 2 * np.pi)
        season = 1 + (0.24 if self.who.has("seasonal") else 0.03) * closing
        arrival = np.clip(0.75 + 0.25 * self.age / 28, 0, 1)
        level = np.maximum(trend, 0.3) * swing * season * arrival * self.fade * self._is_there()
        if self.who.part.startswith("falling"):
            level = level * (1 - 0.35 * self.since(self.fell, lasting=75, rising=12))
        for what, ago in self.turns:
            if what == "falling":
                level = level * (1 - 0.35 * self.since(ago, lasting=50, rising=12))
        if self.who.has("rise"):
            level = level * (1.25 - 0.57 * self.since(26, lasting=400, rising=10))  # who comes anew does less
        return level

    def seat_ratio(self, rng: Random) -> np.ndarray:
        base = self.who.seat_share
        wave = 0.02 * np.sin((self.from_anchor / rng.uniform(40, 90) + rng.random()) * 2 * np.pi)
        ratio = base + wave
        if self.who.has("weekly"):
            ratio = np.where(self.place > self.anchor - 150, 0.89, ratio)
        if self.who.has("rise"):
            ratio = 0.44 + 0.26 * self.since(26, lasting=400, rising=10)
        ratio = ratio * np.clip(0.65 + 0.35 * self.age / 60, 0, 1)
        for what, day in self.told.ramps:
            if what == "seats":
                top = (day - self.first).days
                length = 50 if top <= self.anchor else max(10, min(50, top - self.anchor - 5))
                climb = np.clip(1 - (top - self.place) / length, 0, 1) * (self.place < top)
                ratio = ratio + (0.96 - ratio) * climb
        if self.who.has("seats", "asked", "refused"):
            full = 0.93 + 0.01 * (self.who.turn % 7)
            ratio = ratio + (full - ratio) * self.since(57 + self.who.turn * 7 % 30, lasting=400, rising=45)
        return np.clip(ratio, 0, 1)

    def storage(self, quota: np.ndarray) -> np.ndarray:
        """Grows by a fifth a year towards its share of the quota of ``as_of``; never past the quota of the day."""
        known = [value for day, value in self.told.quota if day <= self.given.as_of]
        reference = known[-1] if known else self.told.quota[0][1]
        level = self.who.storage_share * reference * np.exp(0.2 * self.from_anchor / 365)
        if self.who.has("star", "quota", "escalated", "frozen"):
            full = (0.85 + 0.015 * (self.who.turn % 6)) * reference
            level = level + (full - level) * self.since(70 + self.who.turn * 5 % 18, lasting=400, rising=68)
        for what, ago in self.turns:
            if what == "quota":
                level = level + (0.88 * reference - level) * self.since(ago, lasting=400, rising=40)
        return np.minimum(level, 0.96 * quota) * self._is_there()

    def links(self, rng: Random) -> np.ndarray:
        base, more = rng.choice((0, 0, 1, 1, 2)), rng.randint(2, 5)
        steps = np.zeros(self.count)
        bought = self.told.owned.get("FC-LINK")
        if bought is not None:
            steps += more * (self.place >= (bought - self.first).days + 10)
        for _ in range(3):
            steps += self.place >= self.anchor - rng.randrange(120, 720)
        return np.maximum(0, base + steps - 2) * self._is_there()

    def keen(self) -> np.ndarray:
        """The share of users who come most days."""
        keen = np.full(self.count, self.who.habit)
        if self.who.has("rise"):
            keen = 0.06 + 0.44 * self.since(26, lasting=400, rising=10)
        if self.who.has("weekly"):
            keen = 0.70 + 0.30 * self.since(9 + self.who.turn * 11 % 31, lasting=400, rising=3)
        return keen

    def pull(self) -> np.ndarray:
        """What draws people in or keeps them away, as a factor on who comes."""
        pull = np.ones(self.count)
        if self.who.part.startswith("falling"):
            pull = 1 - 0.40 * self.since(self.fell, lasting=75, rising=12)
        for what, ago in self.turns:
            if what == "falling":
                pull = pull * (1 - 0.40 * self.since(ago, lasting=50, rising=12))
        return pull * self.fade * np.clip(0.75 + 0.25 * self.age / 42, 0, 1)

    def use_of(self, key: str, rng: Random) -> tuple[float, int]:
        """Return how keenly the feature is used (0: not at all) and from which place on."""
        dice, much = rng.random(), rng.uniform(0.7, 1.3)
        product = {"feature.workflow": "FF-FLOW", "feature.esign": "FS-SIGN", "feature.analytics": "FL-LENS"}.get(key)
        if product is not None:
            bought = self.told.owned.get(product)
            return (much, (bought - self.first).days + 7) if bought else (0.0, 0)
        often = {"exports": 0.7, "shares": 0.5, "feature.dashboard": 0.6, "feature.csv_export": 0.5, "feature.audit_log": 0.35}.get(
            key, 1.0
        )
        if self.who.has("rise") and key in {"feature.dashboard", "feature.csv_export", "feature.audit_log"}:
            return much, self.anchor - 25  # nobody knew them before
        if self.burst_feature == key or self.who.has("complement"):
            often = 1.0
        return (much if dice < often + 0.12 * self.who.warmth else 0.0), -(10**6)

    @property
    def turns(self) -> list[tuple[str, int]]:
        """What changed after ``as_of``, in days before it (negative)."""
        return [(what, (self.given.as_of - day).days) for what, day in self.told.turns]

    @property
    def fell(self) -> int:
        """So many days before ``as_of`` use began to fall."""
        return 30 + self.who.turn * 3 % 10

    @property
    def burst_feature(self) -> str:
        if not self.who.has("star", "burst"):
            return ""
        return "feature.audit_log" if self.who.has("star") or self.who.turn % 2 else "feature.csv_export"

    def burst(self, key: str) -> np.ndarray:
        if key == _BURST_LATER:
            later = [self.since(ago, lasting=14) for what, ago in self.turns if what == "burst"]
            return 1 + 4 * np.max(later, axis=0) if later else np.ones(self.count)
        if key != self.burst_feature:
            return np.ones(self.count)
        return 1 + 5 * self.since(5 + self.who.turn * 3 % 4, lasting=30)


def usage_rows(laid: Block, *, first: date, last: date) -> Iterator[pd.DataFrame]:
    """Yield the usage of first…last month by month: number, metric (its key), day, value.

    Counters have a row only where something was counted.  Gauges are reported on the
    first working day of a week and whenever they change.
    """
    reported = {key: _reported(laid, gauge) for key, gauge in laid.gauges.items()}
    for starts, here in _months(laid, first, last):
        rows, names, days, values = [], [], [], []
        for place, key in enumerate(_COUNTERS):
            mean = laid.per_day[key][:, here] * laid.working[:, here] * laid.drive[:, here]
            noise = np.clip(1 + 0.11 * _drawn(laid, starts, here, place, "normal"), 0.6, 1.4)
            counted = np.floor(mean * noise + _drawn(laid, starts, here, place, "uniform"))
            row, day = np.nonzero(counted)
            rows.append(row)
            names.append(np.full(len(row), key, dtype=object))
            days.append(day)
            values.append(counted[row, day])
        for key, gauge in laid.gauges.items():
            row, day = np.nonzero(reported[key][:, here])
            rows.append(row)
            names.append(np.full(len(row), key, dtype=object))
            days.append(day)
            values.append(gauge[:, here][row, day])
        row, day = np.concatenate(rows), np.concatenate(days)
        frame = pd.DataFrame(
            {
                "number": laid.numbers[row],
                "metric": np.concatenate(names),
                "day": (np.datetime64(laid.span[0], "D") + (here.start + day)).astype("datetime64[s]"),
                "value": np.concatenate(values),
            }
        )
        wanted = (frame["day"] >= pd.Timestamp(first)) & (frame["day"] <= pd.Timestamp(last))
        yield frame[wanted].reset_index(drop=True)


def _drawn(laid: Block, month: date, here: slice, place: int, how: str) -> np.ndarray:
    """Draw a number per customer and day of the month, and return those of the days at hand.

    More customers in the block add rows and leave the first ones as they were.
    """
    kind = ("normal", "uniform").index(how)
    rng = np.random.default_rng([laid.seed, laid.number, month.year * 12 + month.month, place, kind])
    shape = (len(laid.numbers), (month_end(month) - month).days + 1)
    before = max(0, (laid.span[0] - month).days)
    return (rng.normal(size=shape) if kind == 0 else rng.random(shape))[:, before : before + here.stop - here.start]


def _reported(laid: Block, gauge: np.ndarray) -> np.ndarray:
    """Tell on which days a gauge is reported: working days with a change since the last one, and the week's first."""
    span = rhythm.days(*laid.span)
    open_days = np.array([rhythm.office(day) > 0 for day in span])
    firsts = np.array([bool(open_days[i]) and not open_days[max(0, i - day.weekday()) : i].any() for i, day in enumerate(span)])
    changed = np.zeros(gauge.shape, dtype=bool)
    places = np.flatnonzero(open_days)
    changed[:, places[1:]] = np.diff(gauge[:, places], axis=1) != 0
    there = laid.seats > 0
    return (changed | firsts) & open_days & there


def activity_rows(laid: Block, *, first: date, last: date) -> Iterator[pd.DataFrame]:
    """Yield what single users did from first to last, month by month: number, user, day, department, events, minutes.

    ``user`` counts from 1 within the customer, ``department`` is a place in DEPARTMENTS.
    """
    most = laid.seats.max(axis=1, initial=0).astype(int)
    row_of = np.repeat(np.arange(len(most)), most)
    number = laid.numbers[row_of]
    user = np.arange(len(row_of)) - np.repeat(np.cumsum(most) - most, most)
    # Who is keen stays keen: a number per user, spread evenly.
    keenness = (user * 0.7548776662 + number * 0.37) % 1.0
    department = (user // 7 + number) % len(DEPARTMENTS)
    used = laid.gauges["seats_used"]
    for _starts, here in _months(laid, first, last):
        parts = []
        for column in range(here.start, here.stop):
            on = laid.span[0] + timedelta(days=column)
            if not first <= on <= last:
                continue
            works = np.flatnonzero((user < used[row_of, column]) & (laid.working[row_of, column] > 0))
            who, pull = row_of[works], laid.pull[row_of[works], column]
            is_keen = keenness[works] < laid.keen_users[who, column]
            dice = _hashed(laid.seed, number[works], user[works], on.toordinal())
            comes_often = dice < _KEEN * pull * laid.working[who, column] ** 0.5
            # The others have their day of the week, and come in four weeks of ten, in turn.
            is_their_day = (user[works] * 7 + number[works]) % 5 == on.weekday()
            turn = (user[works] * 0.5698402910 + number[works] * 0.13 + on.toordinal() // 7 * 0.4) % 1.0
            came = works[np.where(is_keen, comes_often, is_their_day & (turn < LIGHT_WEEKS * pull))]
            amount = _hashed(laid.seed + 1, number[came], user[came], on.toordinal())
            parts.append(
                pd.DataFrame(
                    {
                        "number": number[came],
                        "user": user[came] + 1,
                        "day": np.full(len(came), np.datetime64(on, "s")),
                        "department": department[came],
                        "events": 3 + (amount * 40 * laid.drive[row_of[came], column]).astype(np.int64),
                        "minutes": 4 + np.floor(amount * 70),
                    }
                )
            )
        if parts:
            yield pd.concat(parts, ignore_index=True)


def _hashed(seed: int, number: np.ndarray, user: np.ndarray, day: int) -> np.ndarray:
    """Return a number in [0, 1) for each user and day, the same whoever else is asked about (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + user.astype(np.uint64) * np.uint64(0xD1B54A32D192ED03)
        mixed = mixed + np.uint64((day * 0xABC98388FB8FAC03 + seed * 0x8CB92BA72F3D8DD7) % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def _months(laid: Block, first: date, last: date) -> Iterator[tuple[date, slice]]:
    """Yield each month's first day, and where its days are in the block."""
    month = month_start(max(first, laid.span[0]))
    while month <= min(last, laid.span[1]):
        ends = min(month_end(month), laid.span[1])
        yield month, slice(max(0, (month - laid.span[0]).days), (ends - laid.span[0]).days + 1)
        month = add_months(month, 1)
