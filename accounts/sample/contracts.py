"""What a customer bought: contract lines and their periods, orders, invoices, proposals.

The story is told month by month, each month drawing its numbers in turn.  So it can be
told up to any day: the part up to an earlier day is the same (``History`` is cut when
it becomes rows, see ``tables``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from accounts.sample import company
from accounts.sample.behaviours import CALM, GONE, YOUNG
from accounts.sample.company import ITEMS, Company
from accounts.sample.profiles import Profile, boundary_after
from expansion.money import round_half_up
from expansion.periods import add_months, month_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPETITORS = ("ドキュベース", "書庫クラウド", "ファイルネスト", "ペーパーレス365")
_REASONS = ("予算", "時期", "機能", "競合", "担当交代", "その他")
_REASON_WEIGHTS = (30, 28, 16, 12, 8, 6)


@dataclass(frozen=True, slots=True)
class Period:
    """One row of a contract line."""

    line_id: str
    item: str
    starts_on: date
    ends_before: date | None
    quantity: int
    unit: Decimal
    discount: int
    billing_months: int
    auto_renew: bool
    notice_days: int
    trial_ends_on: date | None = None
    cancelled_on: date | None = None
    is_co_term: bool = False

    @property
    def amount(self) -> Decimal:
        """The price of one billing period, after discount: whole yen, or cents; a trial is free."""
        if self.trial_ends_on is not None:
            return Decimal(0)
        full = self.unit * self.quantity * self.billing_months * (100 - self.discount) / 100
        return round_half_up(full, 0 if self.unit == self.unit.to_integral_value() else 2)


@dataclass(frozen=True, slots=True)
class Deal:
    """A proposal and what came of it."""

    opened_on: date
    closed_on: date
    kind: str
    item: str
    amount: Decimal
    discount: int
    won: bool
    reason: str = ""
    competitor: str = ""


@dataclass(slots=True)
class History:
    """Everything that one customer bought, and what its use follows from."""

    periods: list[Period] = field(default_factory=list)
    orders: list[tuple[date, Decimal, str, int, str]] = field(default_factory=list)
    charges: list[tuple[date, Decimal, str]] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    refusals: list[tuple[date, str, date]] = field(default_factory=list)
    seats: list[tuple[date, int]] = field(default_factory=list)
    quota: list[tuple[date, int]] = field(default_factory=list)
    owned: dict[str, date] = field(default_factory=dict)
    ramps: list[tuple[str, date]] = field(default_factory=list)
    turns: list[tuple[str, date]] = field(default_factory=list)
    trials: list[tuple[str, date, date, bool]] = field(default_factory=list)
    ends: date | None = None


def history(who: Profile, given: Company, *, through: date) -> History:
    """Tell what the customer bought, a few months beyond ``through`` (proposals come before their deals)."""
    told = History()
    if who.begins is not None:
        _Story(who, given, told).tell(add_months(month_start(through), 4))
    return told


class _Story:
    """The running contract of one customer while its months go by."""

    def __init__(self, who: Profile, given: Company, told: History) -> None:
        assert who.begins is not None  # noqa: S101
        self.who, self.given, self.told = who, given, told
        self.rng = Random(f"{given.seed}/contract/{who.number}")  # noqa: S311
        self.lines: dict[str, Period] = {}
        self.begins: date = who.begins
        self.term_end: date | None = None
        self.auto_renew = self.rng.random() < 0.7
        self.notice_days = self.rng.choice((30, 30, 30, 60, 90))
        self.pays_yearly = who.term_months > 0 and self.rng.random() < 0.7
        self.next_line = 1
        self.planned = self._plan()

    # What happens on which day whatever the dice say: the consequences of what is planted.
    def _plan(self) -> list[tuple[date, str]]:
        who, as_of, rng = self.who, self.given.as_of, self.rng
        planned: list[tuple[date, str]] = []
        if who.has("trial"):
            planned.append((as_of - timedelta(days=(who.turn * 5 + 12) % 17), "trial"))
        if who.has("discounted"):
            planned.append((as_of - timedelta(days=6 + who.turn * 7 % 22), "discount_ends"))
        if who.has("refused"):
            planned.append((as_of - timedelta(days=21), "refusal"))
        later = {
            "seats": "seats",
            "star": "plan",
            "quota": "capacity",
            "complement": "product",
            "frozen": "capacity",
            "burst": "plan",
            "weekly": "plan",
        }
        if who.part in later:
            day = as_of + timedelta(days=20 + rng.randrange(60))
            if rng.random() < 0.5:
                planned.append((day, later[who.part]))
        return sorted(planned)

    def tell(self, until: date) -> None:
        first = self._first_period_start()
        self._sign(first)
        month = month_start(first)
        while month < until and self.told.ends is None:
            following = add_months(month, 1)
            for day, what in self._agenda(month, following):
                if day >= first and self.told.ends is None:
                    self._happen(day, what)
            month = following
        self._charge(until)

    def _first_period_start(self) -> date:
        """A contract from before the first day is told from the term in which that day falls."""
        if self.who.term_months and self.begins < self.given.first_day:
            return max(
                self.begins,
                add_months(boundary_after(self.begins, self.who.term_months, self.given.first_day), -self.who.term_months),
            )
        return self.begins

    def _agenda(self, month: date, following: date) -> list[tuple[date, str]]:
        """Draw what the month brings; always as many numbers, so that later months stay the same."""
        rng, who, as_of = self.rng, self.who, self.given.as_of
        dice, day, order, lost, lost_day, changes = (rng.random() for _ in range(6))
        agenda = [(d, what) for d, what in self.planned if month <= d < following]
        on = month + timedelta(days=int(day * 27))
        is_quiet = who.is_planted and as_of - timedelta(days=125) < on <= as_of + timedelta(days=10)
        if (
            not is_quiet
            and (on - self.begins).days > 75
            and not (who.part == GONE and who.gone_on and (who.gone_on - on).days < 150)
        ):
            agenda += [(on, what) for what in (_event(dice),) if what]
        if lost < 0.026 and (on - self.begins).days > 60 and not (who.is_planted and abs((as_of - on).days) < 110):
            agenda.append((month + timedelta(days=int(lost_day * 27)), "lost_deal"))
        if month > as_of and who.part == CALM and (on - self.begins).days > 120:
            agenda += [(on, f"turn:{what}") for what in (_turn(changes),) if what]
        if order < 0.018:
            agenda.append((on, "training"))
        if self.term_end is not None and month <= self.term_end < following:
            agenda.append((self.term_end, "term_ends"))
        elif who.part == GONE and who.gone_on and month <= who.gone_on < following:
            agenda.append((who.gone_on, "leave"))
        if not self.who.term_months and month == month_start(self.given.price_rise_on) and self.begins < month:
            agenda.append((month, "price_rise"))
        if who.part == "falling" and on > as_of + timedelta(days=50) and not who.term_months and dice > 0.8:
            agenda.append((following - timedelta(days=1), "leave"))
        # At the end of a term nothing else happens on that day: the renewal comes first.
        return sorted(agenda, key=lambda entry: (entry[0], entry[1] != "term_ends"))

    def _happen(self, day: date, what: str) -> None:
        if what.startswith("own:"):
            self._own(what.removeprefix("own:"), day)
            return
        if what.startswith("turn:"):
            self._turn(what.removeprefix("turn:"), day)
            return
        acts: dict[str, Callable[[date], None]] = {
            "term_ends": self._end_of_term, "leave": self._leave, "trial": self._trial, "lost_deal": self._lose,
            "refusal": self._refuse, "training": self._train, "discount_ends": self._end_discount, "price_rise": self._raise_prices,
            "seats": self._add_seats, "plan": self._add_plan, "capacity": self._add_capacity, "addon": self._add_addon,
            "product": self._add_product, "cut": self._cut_seats,
        }  # fmt: skip
        acts[what](day)

    # ── signing and changing ────────────────────────────────────────────────────────────

    def _sign(self, day: date) -> None:
        who, rng = self.who, self.rng
        seats = who.seats
        if self.begins < self.given.first_day:  # what grew before the first day we do not tell
            seats = max(4, round(seats * rng.uniform(0.8, 1.0)))
        if who.is_planted:
            seats = max(26, seats)
        self.term_end = add_months(day, who.term_months) if who.term_months else None
        plan = company.PLANS[who.tier - 1]
        discount = 15 if who.has("discounted") else who.discount
        self._open(plan.code, day, seats, discount=discount)
        for code in (*who.products, *who.addons):
            since = day
            if day >= self.given.first_day and rng.random() < 0.5:
                since = day + timedelta(days=rng.randrange(0, 200))
            if (code in who.products and len(who.products) > 1) or who.part == YOUNG:
                since = day  # both halves of a pair on one day
            if since == day:
                self._open(code, day, 1)
            else:
                self.planned = sorted([*self.planned, (min(since, self._latest_quiet_day(since)), f"own:{code}")])
        if day >= self.given.first_day or self.begins >= self.given.first_day:
            self._deal_for_new(day)

    def _latest_quiet_day(self, since: date) -> date:
        edge = self.given.as_of - timedelta(days=130)
        return since if since <= edge or self.begins > edge else edge

    def _deal_for_new(self, day: date) -> None:
        self.told.orders.append((day, self._yen(200_000 + 50_000 * self.rng.randrange(7)), "SV-START", 1, "one_off"))

    def _open(self, code: str, day: date, quantity: int, *, discount: int = 0, co_term: bool = False) -> Period:
        line_id = f"{self.who.customer_id}-L{self.next_line}"
        self.next_line += 1
        yearly = self.pays_yearly and not co_term
        period = Period(
            line_id, code, day, self.term_end, quantity, self._unit(code, day), discount, 12 if yearly else 1,
            self.auto_renew, self.notice_days, is_co_term=co_term,
        )  # fmt: skip
        self.lines[line_id] = period
        self.told.periods.append(period)
        self.told.owned.setdefault(code, day)
        self._note_limits(day)
        return period

    def _change(self, line: Period, day: date, **changes: object) -> Period:
        """Amend a line from a day on: a new period of the same line."""
        fields = {name: getattr(line, name) for name in Period.__slots__}
        period = Period(**{**fields, "starts_on": day, "ends_before": self.term_end, **changes})
        if line.starts_on == day:  # two changes on one day are one period
            self.told.periods[self._place_of(line)] = period
        else:
            self.told.periods.append(period)
        self.lines[line.line_id] = period
        self.told.owned.setdefault(period.item, day)
        self._note_limits(day)
        return period

    def _place_of(self, line: Period) -> int:
        return len(self.told.periods) - 1 - self.told.periods[::-1].index(line)

    def _note_limits(self, day: date) -> None:
        seats = sum(p.quantity for p in self.lines.values() if ITEMS[p.item].kind in {"plan", "seat"})
        quota = sum(
            p.quantity * dict(ITEMS[p.item].quota).get("storage_gb", 0)
            for p in self.lines.values()
            if ITEMS[p.item].kind == "capacity"
        )
        quota += sum(dict(ITEMS[p.item].quota)["storage_gb"] for p in self.lines.values() if ITEMS[p.item].kind == "plan")
        for steps, value in ((self.told.seats, seats), (self.told.quota, quota)):
            if steps and steps[-1][0] == day:
                steps[-1] = (day, value)
            else:
                steps.append((day, value))

    def _end_of_term(self, day: date) -> None:
        who, rng, as_of = self.who, self.rng, self.given.as_of
        leaves, shrinks, grows, how_much, forgets = (rng.random() for _ in range(5))
        chance = 0.0 if day <= as_of else 0.4 if who.part.startswith("falling") else 0.05
        if (who.gone_on is not None and day >= who.gone_on) or leaves < chance:
            self._leave(day)
            return
        self.term_end = add_months(day, who.term_months)
        seats = self._plan_line().quantity
        is_quiet = who.is_planted and abs((as_of - day).days) < 125
        if not is_quiet and shrinks < 0.12 and seats > 8:
            seats = max(5, seats - max(1, round(seats * (0.10 + 0.25 * how_much))))
        elif not is_quiet and grows < 0.05:
            seats += max(1, round(seats * (0.10 + 0.25 * how_much)))
        for line in list(self.lines.values()):
            changes: dict[str, object] = {"billing_months": 12 if self.pays_yearly else 1}
            if ITEMS[line.item].kind == "plan":
                changes["quantity"] = seats
                changes["unit"] = self._unit(line.item, day)
                if line.discount and forgets < 0.2 and not is_quiet and not who.has("discounted"):
                    changes["discount"] = 0
            self._change(line, day, **changes)
        total = sum((p.amount * 12 / p.billing_months for p in self.lines.values()), Decimal(0))
        self.told.orders.append((day, self._money(total), self._plan_line().item, 1, "renewal"))
        if forgets < 0.6 and day >= self.given.first_day:
            opened = day - timedelta(days=40 + int(how_much * 45))
            self.told.deals.append(
                Deal(opened, day, "renewal", self._plan_line().item, self._money(total), self._plan_line().discount, won=True)
            )

    def _leave(self, day: date) -> None:
        notice = day - timedelta(days=25 + self.rng.randrange(35))
        if self.who.is_planted:  # on as_of nobody knows yet
            notice = max(notice, min(self.given.as_of + timedelta(days=5), day - timedelta(days=1)))
        for line in self.lines.values():
            place = self._place_of(line)
            fields = {name: getattr(line, name) for name in Period.__slots__}
            if line.starts_on < day:
                self.told.periods[place] = Period(**{**fields, "ends_before": day, "cancelled_on": max(notice, line.starts_on)})
            else:
                del self.told.periods[place]
        reason = self.rng.choices(_REASONS, _REASON_WEIGHTS)[0]
        total = sum((p.amount * 12 / p.billing_months for p in self.lines.values()), Decimal(0))
        self.told.deals.append(
            Deal(
                notice - timedelta(days=20), notice, "renewal", self._plan_line().item, self._money(total), 0, won=False,
                reason=reason, competitor=self.rng.choice(COMPETITORS) if reason == "競合" else "",
            )
        )  # fmt: skip
        self.told.ends = day

    def _raise_prices(self, day: date) -> None:
        line = self._plan_line()
        self._change(line, day, unit=self._unit(line.item, day))

    def _end_discount(self, day: date) -> None:
        self._change(self._plan_line(), day, discount=0)

    def _train(self, day: date) -> None:
        self.told.orders.append((day, self._yen(120_000 + 20_000 * self.rng.randrange(4)), "SV-TRAIN", 1, "one_off"))

    # ── growth ──────────────────────────────────────────────────────────────────────────

    def _add_seats(self, day: date) -> None:
        plan = self._plan_line()
        more = max(1, round(plan.quantity * self.rng.uniform(0.15, 0.50)))
        as_co_term = self.rng.random() < 0.25 and plan.item != "FK-LITE"
        if as_co_term:
            line = self._open("FK-SEAT", day, more, co_term=True)
            gain = line.amount * 12 / line.billing_months
        else:
            gain = self._yearly(self._change(plan, day, quantity=plan.quantity + more)) - self._yearly(plan)
        if day < self.given.as_of - timedelta(days=45) or day > self.given.as_of + timedelta(days=15):
            self.told.ramps.append(("seats", day))
        self._won(day, "upsell", "FK-SEAT" if as_co_term else plan.item, gain, "addon" if as_co_term else "upgrade")

    def _add_plan(self, day: date) -> None:
        line = self._plan_line()
        tier = ITEMS[line.item].tier or 1
        if tier == len(company.PLANS):
            self._add_seats(day)
            return
        higher = company.PLANS[tier]
        changed = self._change(line, day, item=higher.code, unit=self._unit(higher.code, day))
        self._won(day, "upsell", higher.code, self._yearly(changed) - self._yearly(line), "upgrade")

    def _add_capacity(self, day: date) -> None:
        line = next((p for p in self.lines.values() if p.item == "FK-CAP100"), None)
        more = self.rng.randint(1, 3)
        if line is None:
            gain = self._yearly(self._open("FK-CAP100", day, more, co_term=True))
        else:
            gain = self._yearly(self._change(line, day, quantity=line.quantity + more)) - self._yearly(line)
        self._won(day, "upsell", "FK-CAP100", gain, "addon")

    def _add_addon(self, day: date) -> None:
        free = [item.code for item in company.ADDONS if item.code not in self.told.owned]
        if free:
            code = self.rng.choice(free)
            self._won(day, "upsell", code, self._yearly(self._open(code, day, 1, co_term=True)), "addon")

    def _add_product(self, day: date) -> None:
        if self.who.part == "complement" and day <= self.given.as_of:
            return
        owned = {p.item for p in self.lines.values()}
        halves = [b for pair in company.PAIRS for a, b in (pair, pair[::-1]) if a in owned and b not in owned]
        wanted = halves[:1]
        if not wanted:
            free = [pair for pair in company.PAIRS if not owned & set(pair)]
            if not free:
                return
            pair = self.rng.choice(free)
            wanted = list(pair) if self.who.is_eager or self.who.is_planted else [self.rng.choice(pair)]
        for code in wanted:
            self._won(day, "cross_sell", code, self._yearly(self._open(code, day, 1, co_term=True)), "addon")

    def _cut_seats(self, day: date) -> None:
        line = self._plan_line()
        if line.quantity > 12 and not self.who.term_months:
            self._change(line, day, quantity=line.quantity - max(1, round(line.quantity * 0.2)))

    def _turn(self, what: str, day: date) -> None:
        """After ``as_of`` the calm change, too: each morning has something new."""
        if what != "trial":
            self.told.turns.append((what, day))
        elif "FA-AUDIT" not in self.told.owned:
            self._trial(day)

    def _own(self, code: str, day: date) -> None:
        if code not in self.told.owned:
            kind = "cross_sell" if ITEMS[code].kind == "product" else "upsell"
            self._won(day, kind, code, self._yearly(self._open(code, day, 1, co_term=True)), "addon")

    def _won(self, day: date, kind: str, item: str, gain: Decimal, order: str) -> None:
        proposed, waited, bargained = self.rng.random(), self.rng.random(), self.rng.random()
        self.told.orders.append((day, self._money(gain), item, 1, order))
        if proposed < 0.78:
            opened = day - timedelta(days=12 + int(waited * 55))
            if self.who.is_planted and day > self.given.as_of:
                opened = max(opened, self.given.as_of + timedelta(days=2))
            self.told.deals.append(Deal(opened, day, kind, item, self._money(gain), _discount(bargained, won=True), won=True))

    def _lose(self, day: date) -> None:
        crosses, how_long, bargained, size, why = (self.rng.random() for _ in range(5))
        item = self.rng.choice(("FK-SEAT", "FK-CAP100", "FL-LENS", "FC-LINK", "FF-FLOW", "FS-SIGN", "FA-AUDIT"))
        reason = _REASONS[min(5, int(why * 6))]
        kind = "cross_sell" if ITEMS[item].kind == "product" or crosses < 0.2 else "upsell"
        amount = self._yen(round(120 + size * 900) * 1000)
        self.told.deals.append(
            Deal(
                day, day + timedelta(days=15 + int(how_long * 60)), kind, item, amount, _discount(bargained, won=False), won=False,
                reason=reason, competitor=COMPETITORS[int(size * 4)] if reason == "競合" else "",
            )
        )  # fmt: skip

    def _refuse(self, day: date) -> None:
        plan = self._plan_line()
        gain = self._yearly(plan) * Decimal("0.15")
        opened = day - timedelta(days=18)
        self.told.deals.append(Deal(opened, day, "upsell", plan.item, self._money(gain), 3, won=False, reason="予算"))
        self.told.refusals.append((day, "add_seats", day + timedelta(days=90)))

    def _trial(self, day: date) -> None:
        ends = day + timedelta(days=29)
        converts = self.rng.random() < 0.5
        line_id = f"{self.who.customer_id}-L{self.next_line}"
        self.next_line += 1
        self.told.periods.append(
            Period(
                line_id, "FA-AUDIT", day, ends + timedelta(days=1), quantity=1, unit=self._unit("FA-AUDIT", day), discount=0,
                billing_months=1, auto_renew=False, notice_days=0, trial_ends_on=ends,
            )
        )  # fmt: skip
        self.told.trials.append(("FA-AUDIT", day, ends, converts))
        if converts:
            self.planned = sorted([*self.planned, (ends + timedelta(days=1), "own:FA-AUDIT")])

    # ── money ───────────────────────────────────────────────────────────────────────────

    def _plan_line(self) -> Period:
        return next(p for p in self.lines.values() if ITEMS[p.item].kind == "plan")

    def _unit(self, code: str, day: date) -> Decimal:
        """The monthly price of a unit on a day; abroad in dollars, a hundred and fifty yen each."""
        price = Decimal(ITEMS[code].price)
        if ITEMS[code].kind == "plan" and day < self.given.price_rise_on:
            price = round_half_up(price / Decimal("10.3"), 0) * 10
        return price if self.who.currency == company.CURRENCY else round_half_up(price / 150)

    def _yen(self, amount: int) -> Decimal:
        return self._money(Decimal(amount) if self.who.currency == company.CURRENCY else Decimal(amount) / 150)

    def _money(self, amount: Decimal) -> Decimal:
        return round_half_up(amount, 0 if self.who.currency == company.CURRENCY else 2)

    def _yearly(self, period: Period) -> Decimal:
        return period.amount * 12 / period.billing_months

    def _charge(self, until: date) -> None:
        """Make the invoices: yearly lines at the start of each year of service, monthly ones on the first of each month."""
        due: dict[tuple[date, str], Decimal] = {}
        by_line: dict[str, list[Period]] = {}
        for period in self.told.periods:
            by_line.setdefault(period.line_id, []).append(period)
        for line_id, periods in by_line.items():
            for day, amount, is_yearly in _charges_of(periods, until):
                if day >= self.given.first_day:
                    key = (day, line_id if is_yearly else "")
                    due[key] = due.get(key, Decimal(0)) + amount
        self.told.charges = [(day, amount, line_id) for (day, line_id), amount in sorted(due.items())]


def _charges_of(periods: list[Period], until: date) -> Iterator[tuple[date, Decimal, bool]]:
    """Yield what one line is charged: a year at its start, a month on the first; a change within a paid year its rest."""
    paid_from = periods[0].starts_on
    for place, period in enumerate(periods):
        before = periods[place - 1] if place else None
        ends = min(filter(None, (period.ends_before, periods[place + 1].starts_on if place + 1 < len(periods) else None, until)))
        if period.trial_ends_on is not None:
            continue
        day = period.starts_on
        if period.billing_months != 12:
            while day < ends:
                if before is None or day.day == 1:
                    yield day, period.amount, False
                day, before = add_months(month_start(day), 1), period
            continue
        if before is not None and before.billing_months == 12 and before.ends_before is not None and day < before.ends_before:
            following = add_months(paid_from, 12)
            rest = (period.amount - before.amount) * (following - day).days / (following - paid_from).days
            if rest > 0:
                yield day, round_half_up(rest, 0 if period.amount == period.amount.to_integral_value() else 2), True
            day = following
        while day < ends:
            yield day, period.amount, True
            paid_from, day = day, add_months(day, 12)


def _turn(dice: float) -> str:
    edge = 0.0
    for what, chance in (("burst", 0.007), ("falling", 0.007), ("quota", 0.009), ("trial", 0.007)):
        edge += chance
        if dice < edge:
            return what
    return ""


def _event(dice: float) -> str:
    edge = 0.0
    for what, chance in (
        ("seats", 0.006),
        ("plan", 0.0045),
        ("product", 0.006),
        ("addon", 0.004),
        ("capacity", 0.004),
        ("cut", 0.002),
    ):
        edge += chance
        if dice < edge:
            return what
    return ""


def _discount(bargained: float, *, won: bool) -> int:
    """Won deals gave 2 to 5 % most often; what was lost had been offered at full price, or cheap."""
    steps, edges = (
        (0, 2, 3, 5, 8, 10, 15),
        ((0.34, 0.46, 0.66, 0.84, 0.92, 0.98, 1.0) if won else (0.46, 0.52, 0.60, 0.70, 0.80, 0.93, 1.0)),
    )
    return next(step for step, edge in zip(steps, edges, strict=True) if bargained < edge)
