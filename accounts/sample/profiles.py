"""Who a customer is: name, size, owner, when it came, what it began with, how it behaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from random import Random

from accounts.sample import behaviours, company, names
from accounts.sample.behaviours import CALM, CONSIDERING, GONE, YOUNG
from accounts.sample.company import Company
from expansion.periods import add_months

_EAST = ("東京都", "東京都", "東京都", "神奈川県", "埼玉県", "千葉県", "北海道", "宮城県", "新潟県", "長野県", "群馬県")
_WEST = ("大阪府", "大阪府", "愛知県", "愛知県", "兵庫県", "京都府", "福岡県", "広島県", "静岡県", "岡山県", "石川県", "愛媛県")
_ABROAD = (("SG", "Singapore"), ("US", "California"), ("TH", "Bangkok"))
# No yearly contract of a calm customer ends in this stretch around as_of: its renewal would be one more card.
_QUIET_BEFORE, _QUIET_AFTER = 40, 97
_WORKS_AT_WEEKENDS = {"運輸・物流", "卸売・小売", "医療・福祉", "食品"}


@dataclass(frozen=True, slots=True)
class Profile:
    """What stays true of a customer.  ``term_months`` 0 is a monthly contract without an end.

    ``seat_share`` is how much of the seats is in use, ``habit`` how much of the users is
    keen, ``storage_share`` how full the storage is at ``as_of`` — all without what is planted.
    ``warmth`` is how well things go on the whole, about −2 … 2.
    """

    number: int
    customer_id: str
    part: str
    turn: int
    named: names.CompanyName
    corporate_number: str
    employees: int
    country: str
    region: str
    currency: str
    phase: str
    owner_email: str
    sales_owner_email: str
    begins: date | None
    gone_on: date | None
    term_months: int
    tier: int
    seats: int
    discount: int
    products: tuple[str, ...]
    addons: tuple[str, ...]
    warmth: float
    seat_share: float
    habit: float
    storage_share: float
    works_at_weekends: bool

    def has(self, *parts: str) -> bool:
        return self.part in parts

    @property
    def is_planted(self) -> bool:
        return self.part not in {CALM, YOUNG, GONE, CONSIDERING}

    @property
    def is_eager(self) -> bool:
        """Owns whole pairs only: its use and health would make a missing half an alert."""
        comes_weekly = self.seat_share * (self.habit + 0.41 * (1 - self.habit))
        return self.part != "complement" and (self.part != CALM or comes_weekly > 0.40)


def profile(number: int, given: Company) -> Profile:
    part, turn = behaviours.part_of(number, customers=given.customers, seed=given.seed)
    rng = Random(f"{given.seed}/profile/{number}")  # noqa: S311
    named = names.company_name(number, seed=given.seed)
    owner, team = _owner(part, turn, given, rng)
    region, country, currency = rng.choice(_WEST if team == "west" else _EAST), "JP", company.CURRENCY
    if part == CALM and rng.random() < 0.016:
        country, region = rng.choice(_ABROAD)
        currency = "USD"
    employees = _between(round(rng.lognormvariate(4.75, 1.05)), 8, 6000)
    if part not in {CALM, GONE, YOUNG, CONSIDERING}:
        employees = _between(employees, 45, 700)
    seats = _between(round(employees * rng.uniform(0.14, 0.48)), 10, 800)
    if part not in {CALM, GONE, YOUNG, CONSIDERING}:
        seats = _between(seats, 60 if part == "complement" else 26, 160)
    begins, gone_on, term = _dates(number, part, turn, given, rng)
    # Planted customers are ordinary ones but for what is planted.
    warmth = rng.gauss(0, 1.15) if part in {CALM, GONE, YOUNG} else rng.uniform(-0.3, 0.5)
    if part in {"seats", "asked", "refused"}:  # all seats are taken, but not by people who come every week
        warmth -= 0.8
    habit, share = _habit(part, warmth, rng), _seat_share(part, warmth, rng)
    return Profile(
        number=number,
        customer_id=behaviours.customer_id(number),
        part=part,
        turn=turn,
        named=named,
        corporate_number=names.corporate_number(number, seed=given.seed) if country == "JP" else "",
        employees=employees,
        country=country,
        region=region,
        currency=currency,
        phase=_phase(begins, given.as_of),
        owner_email=owner,
        sales_owner_email=rng.choice(company.SALES),
        begins=begins,
        gone_on=gone_on,
        term_months=term,
        tier=_tier(seats, part, rng),
        seats=seats,
        discount=rng.choices((0, 3, 5, 8, 10, 15), (58, 10, 14, 8, 7, 3))[0],
        products=_products(part, share * (habit + 0.41 * (1 - habit)), seats, rng),
        addons=tuple(
            code for code, share in (("FA-AUDIT", 0.12), ("FA-SUPPORT", 0.09)) if rng.random() < share and part != "trial"
        ),
        warmth=warmth,
        seat_share=share,
        habit=habit,
        storage_share=rng.uniform(0.22, 0.58),
        works_at_weekends=named.industry in _WORKS_AT_WEEKENDS and rng.random() < 0.4,
    )


def _owner(part: str, turn: int, given: Company, rng: Random) -> tuple[str, str]:
    """Planted customers are dealt out evenly, so that every rep has some of everything; a few have no owner."""
    people = company.reps(given.reps)
    place = turn % len(people) if part != CALM else rng.randrange(len(people))
    chosen = people[place]
    orphan = turn % 29 == 17 if part != CALM else rng.random() < 0.02
    return ("" if orphan else chosen.email), chosen.team


def _dates(number: int, part: str, turn: int, given: Company, rng: Random) -> tuple[date | None, date | None, int]:
    """Return the first paid day, the day from which the customer is gone, and the months of a term."""
    as_of, first = given.as_of, given.first_day
    is_monthly = rng.random() < 0.24
    if part == CONSIDERING:
        return None, None, 0
    if number >= given.customers:
        return (
            as_of + timedelta(days=ceil((number - given.customers + 1) / given.new_customers_a_day)),
            None,
            0 if is_monthly else 12,
        )
    if part == YOUNG:
        return as_of - timedelta(days=rng.randint(2, 160)), None, 0 if is_monthly else 12
    if part == GONE:
        span = max(1, (as_of - first).days - 80)
        gone = (first + timedelta(days=60 + rng.randrange(span))).replace(day=1)
        return add_months(gone, -12 * rng.choice((1, 2, 2, 3, 4))), gone, 0 if is_monthly else 12
    if "renewal_due" in behaviours.PARTS.get(part, (0, ()))[1]:
        renewal = as_of + timedelta(days=16 + (turn * 17 + 1) % 75 if part != "star" else 70 + turn * 7 % 15)
        return add_months(renewal, -12 * rng.choice((2, 3, 3, 4, 5))), None, 12
    if part != CALM:
        begins = as_of - timedelta(days=330 + rng.randrange(1500))
    elif rng.random() < min(0.42, given.months * 0.016) and (as_of - first).days > 160:
        # More came lately than at first.
        begins = first + timedelta(days=int((rng.random() ** 0.8) * ((as_of - first).days - 150)))
    else:
        begins = first - timedelta(days=1 + int(rng.random() * 1800))
    if rng.random() < 0.6:
        begins = begins.replace(day=1)
    return begins, None, _term(0 if is_monthly else 12, begins, as_of, rng)


def _term(wanted: int, begins: date, as_of: date, rng: Random) -> int:
    """Return the term nearest to the wanted one whose end does not fall into the quiet stretch; 0 where all do."""
    quiet = (as_of - timedelta(days=_QUIET_BEFORE), as_of + timedelta(days=_QUIET_AFTER))
    longer = rng.choice((24, 36))
    for months in (wanted, longer, 60 - longer):
        if months == 0 or not quiet[0] < boundary_after(begins, months, quiet[0]) <= quiet[1]:
            return months
    return 0


def boundary_after(begins: date, term_months: int, day: date) -> date:
    """Return the first end of a term that lies after the day."""
    terms = max(1, ((day.year - begins.year) * 12 + day.month - begins.month) // term_months)
    while add_months(begins, terms * term_months) <= day:
        terms += 1
    return add_months(begins, terms * term_months)


def _phase(begins: date | None, as_of: date) -> str:
    if begins is None:
        return "considering"
    age = (as_of - begins).days
    return "onboarding" if age < 90 else "ongoing" if age < 1000 else "periodic"


def _tier(seats: int, part: str, rng: Random) -> int:
    if part not in {CALM, GONE, YOUNG, CONSIDERING}:  # leaves room for a higher plan
        return 2 if seats < 70 else 3
    sure = 1 if seats < 9 else 2 if seats < 45 else 3 if seats < 130 else 4 if seats < 320 else 5
    return _between(sure + rng.choice((-1, 0, 0, 0, 1)), 1, 5)


def _habit(part: str, warmth: float, rng: Random) -> float:
    """The share of keen users, who come most days; the others come about once a week."""
    if part == "complement":
        return rng.uniform(0.70, 0.76)
    if part == "weekly":
        return 1.0
    if part == "star":
        return rng.uniform(0.42, 0.50)
    return max(0.02, min(0.56, 0.31 + 0.11 * warmth + rng.uniform(-0.05, 0.05)))


def _seat_share(part: str, warmth: float, rng: Random) -> float:
    if part == "complement":
        return rng.uniform(0.78, 0.85)
    return max(0.36, min(0.84, 0.65 + 0.10 * warmth + rng.uniform(-0.05, 0.05)))


def _products(part: str, weekly: float, seats: int, rng: Random) -> tuple[str, ...]:
    pair = rng.choices(company.PAIRS, (65, 35))[0]
    if part == "complement":
        return (rng.choice(pair),)
    chance = rng.random() * (1.4 if seats < 20 else 1.0)
    if chance < 0.04:
        return (*company.PAIRS[0], *company.PAIRS[1])
    if chance < 0.22:
        return pair
    if chance < 0.40 and part in {CALM, GONE} and weekly < 0.40 and seats > 12:
        return (rng.choice(pair),)
    return ()


def _between(value: int, least: int, most: int) -> int:
    return max(least, min(most, value))
