"""What may be quoted: seats, term and discount against the discount policy and the margin floor.

Pure: amounts are Decimals per year in one currency, nothing is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from expansion.errors import DomainError
from expansion.money import ZERO, round_half_up

HUNDRED = Decimal(100)
YEARS = (1, 2, 3)


class PolicyUnreadable(DomainError):
    """The discount policy lacks something or contradicts itself."""


class NoQuote(DomainError):
    """A quote that may not be made."""


@dataclass(frozen=True, slots=True)
class Zone:
    """Discounts from the zone before up to ``up_to`` percent: who decides, and how long that takes."""

    up_to: Decimal
    role: str
    business_days: int


@dataclass(frozen=True, slots=True)
class Policy:
    zones: tuple[Zone, ...]
    margin_floor_percent: Decimal
    suggested_low: Decimal
    suggested_high: Decimal

    @property
    def most(self) -> Decimal:
        return self.zones[-1].up_to

    @property
    def suggested(self) -> Decimal:
        """The discount that the form starts with: the middle of the suggested range, in steps of 0.1."""
        return round_half_up((self.suggested_low + self.suggested_high) / 2, 1)

    def zone_of(self, discount_percent: Decimal) -> Zone | None:
        return next((zone for zone in self.zones if discount_percent <= zone.up_to), None)


@dataclass(frozen=True, slots=True)
class Basis:
    """What is offered, before discount.

    ``unit_year`` is the list price of one unit a year, ``kept_year`` what the customer goes on
    paying beside it, ``base_year`` what it pays today for all that the quote covers.  Only the
    units above ``free_quantity`` are priced.  ``margin_percent`` is that of the list price.
    """

    kind: str
    name: str
    unit_year: Decimal
    quantity: int
    least: int
    base_year: Decimal
    currency: str
    kept_year: Decimal = ZERO
    free_quantity: int = 0
    margin_percent: Decimal | None = None
    has_quantity: bool = True


@dataclass(frozen=True, slots=True)
class Quote:
    """What a discount makes of a basis.  ``added`` is the change per year; a margin that is not known is None."""

    basis: Basis
    quantity: int
    years: int
    discount_percent: Decimal
    added: Decimal
    new_year: Decimal
    total: Decimal
    margin_percent: Decimal | None
    zone: Zone | None
    is_below_floor: bool

    @property
    def needs_approval(self) -> bool:
        return self.zone is None or self.zone.role != "rep"


def read_policy(body: Mapping[str, Any]) -> Policy:
    """Read a policy's body; zones must rise and the suggested range must lie within them."""
    try:
        low, high = (Decimal(value) for value in body["suggested"])
        policy = Policy(
            zones=tuple(Zone(Decimal(zone["up_to"]), zone["role"], int(zone["business_days"])) for zone in body["zones"]),
            margin_floor_percent=Decimal(body["margin_floor_percent"]), suggested_low=low, suggested_high=high,
        )  # fmt: skip
    except (KeyError, ValueError, ArithmeticError, TypeError) as error:
        raise PolicyUnreadable(_("The discount policy cannot be read: %(error)s.") % {"error": error}) from error
    limits = [zone.up_to for zone in policy.zones]
    if not limits or limits != sorted(set(limits)) or not 0 <= low <= high <= limits[-1]:
        raise PolicyUnreadable(_("The zones of a discount policy must rise, and the suggested range must lie within them."))
    return policy


def quote(basis: Basis, policy: Policy, *, quantity: int, years: int, discount_percent: Decimal) -> Quote:
    """Return what the offer comes to.  Refuses numbers that no offer can have; a margin below the floor is told, not refused."""
    if quantity < basis.least:
        raise NoQuote(_("Quote at least %(least)d.") % {"least": basis.least})
    if years not in YEARS:
        raise NoQuote(_("Choose a term of one, two or three years."))
    if not 0 <= discount_percent <= policy.most:
        raise NoQuote(_("Discounts go from 0 to %(most)s percent.") % {"most": policy.most.normalize()})
    listed = basis.unit_year * (quantity - basis.free_quantity)
    net = round_half_up(listed * (HUNDRED - discount_percent) / HUNDRED)
    new_year = basis.kept_year + net
    margin = None
    if basis.margin_percent is not None and net > 0:
        margin = round_half_up(HUNDRED - listed * (HUNDRED - basis.margin_percent) / net, 1)
    return Quote(
        basis=basis, quantity=quantity, years=years, discount_percent=discount_percent, added=new_year - basis.base_year,
        new_year=new_year, total=new_year * years, margin_percent=margin, zone=policy.zone_of(discount_percent),
        is_below_floor=margin is not None and margin < policy.margin_floor_percent,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A contract line in force, as far as a quote needs it."""

    product_id: int
    kind: str
    quantity: Decimal | None
    arr: Decimal
    currency: str
    list_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Sold:
    """A product of the catalogue; ``list_year`` is its list price for one unit and a year."""

    id: int
    code: str
    name: str
    kind: str
    family: str
    tier: int | None
    list_year: Decimal | None
    currency: str
    margin_percent: Decimal | None
    complements: tuple[str, ...] = ()


def basis(kind: str, offer: Mapping[str, Any], *, lines: Sequence[Line], products: Mapping[int, Sold]) -> Basis | None:
    """Return what the play offers, from what the nightly run noted and the contract as it is now.

    None where the catalogue has no price for it: then the page shows no quote.
    """
    plan = max((line for line in lines if line.kind == "plan"), key=lambda line: line.arr, default=None)
    match kind:
        case "seats":
            return _more_seats(offer, lines=lines, products=products, plan=plan)
        case "next_plan" | "capacity" | "product":
            return _another(kind, offer, lines=lines, products=products, plan=plan)
        case "renewal" | "keep":
            return _renewal(lines, products=products, plan=plan)
    return None


def _more_seats(
    offer: Mapping[str, Any], *, lines: Sequence[Line], products: Mapping[int, Sold], plan: Line | None
) -> Basis | None:
    seats = max(
        (line for line in lines if line.kind in {"seat", "plan"} and line.quantity),
        key=lambda line: (line.kind == "seat", line.arr),
        default=None,
    )
    if seats is None or not seats.quantity:
        return None
    now = int(sum(line.quantity or 0 for line in lines if line.kind in {"seat", "plan"}))
    after = int(offer.get("quantity_after") or 0)
    if after <= now:
        after = now + max(1, -(-now // 10))
    product = products.get(seats.product_id)
    unit = _money(offer.get("unit_year")) or round_half_up(seats.arr / seats.quantity)
    if unit <= 0:
        return None
    base = sum((line.arr for line in lines if line.kind in {"seat", "plan"}), ZERO)
    return Basis(
        kind="seats", name=product.name if product else "", unit_year=unit, quantity=after, least=now + 1, base_year=base,
        currency=seats.currency, kept_year=base, free_quantity=now, margin_percent=product.margin_percent if product else None,
    )  # fmt: skip


def _another(
    kind: str, offer: Mapping[str, Any], *, lines: Sequence[Line], products: Mapping[int, Sold], plan: Line | None
) -> Basis | None:
    """A higher plan, more capacity or a related product; a plan takes the place of the one in force."""
    wanted = (
        products.get(int(offer.get("product_id") or 0)) or _next_plan(plan, products)
        if kind != "product"
        else products.get(int(offer.get("product_id") or 0))
    )
    if wanted is None or not wanted.list_year or wanted.list_year <= 0:
        return None
    replaces = wanted.kind == "plan" and plan is not None
    quantity = int(offer.get("quantity_after") or (plan.quantity if replaces and plan and plan.quantity else 1))
    return Basis(
        kind="next_plan" if replaces else kind, name=wanted.name, unit_year=wanted.list_year, quantity=max(quantity, 1), least=1,
        base_year=plan.arr if replaces and plan else ZERO, currency=wanted.currency or (plan.currency if plan else ""),
        margin_percent=wanted.margin_percent,
    )  # fmt: skip


def _renewal(lines: Sequence[Line], *, products: Mapping[int, Sold], plan: Line | None) -> Basis | None:
    total = sum((line.arr for line in lines), ZERO)
    if plan is None or total <= 0:
        return None
    product = products.get(plan.product_id)
    return Basis(
        kind="renewal", name=product.name if product else "", unit_year=total, quantity=1, least=1, base_year=total,
        currency=plan.currency, margin_percent=product.margin_percent if product else None, has_quantity=False,
    )  # fmt: skip


def _next_plan(plan: Line | None, products: Mapping[int, Sold]) -> Sold | None:
    own = products.get(plan.product_id) if plan else None
    if own is None or own.tier is None:
        return None
    higher = [
        p for p in products.values() if p.kind == "plan" and p.family == own.family and p.tier is not None and p.tier > own.tier
    ]
    return min(higher, key=lambda p: p.tier or 0, default=None)


def _money(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))
