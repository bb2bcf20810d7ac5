"""From contract lines to what a customer holds: revenue, seats, quotas, the next renewal, and what could come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The share of the quota that an offer of capacity brings back.
_ROOMY = 0.8
_SEATED = ("plan", "seat")
_PER_UNIT = ("capacity", "addon", "seat")


@dataclass(frozen=True, slots=True)
class Item:
    """A product as far as holdings ask: prices a year in the reporting currency, NaN where the catalogue does not tell."""

    pk: int
    code: str
    kind: str
    family: str
    tier: int | None
    price_year: float
    included_seats: int | None
    quota: Mapping[str, float]
    complements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Contract lines in service, one position per line, amounts in the reporting currency.

    customer   position of the customer; item: position in the catalogue
    due        days to the renewal, −1 for none; auto_renew −1 where it is not known
    """

    customer: NDArray[np.intp]
    item: NDArray[np.intp]
    quantity: Floats
    mrr: Floats
    arr: Floats
    due: NDArray[np.int64]
    notice_days: NDArray[np.int64]
    auto_renew: NDArray[np.int64]
    is_trial: NDArray[np.bool_]
    is_paused: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Holdings:
    """The contract terms per customer, the limits per usage metric, and the catalogue positions they came from."""

    terms: dict[str, Floats]
    quotas: dict[str, Floats]
    owned: NDArray[np.bool_]
    catalogue: tuple[Item, ...]


def hold(lines: Lines, catalogue: Sequence[Item], *, customers: int) -> Holdings:
    """Sum the lines of each customer.

    Seats: the quantity of plan and seat lines; a plan sold as one piece counts its included seats.
    Quotas: what a plan or product includes, once; what capacity, add-ons and seats include, per unit.
    Trial lines hold nothing yet; paused lines hold, but pay nothing.
    """
    kinds = np.array([item.kind for item in catalogue])
    kind = kinds[lines.item] if len(kinds) else np.empty(0, dtype=str)
    holds, pays = ~lines.is_trial, ~(lines.is_trial | lines.is_paused)
    units = np.where(np.isnan(lines.quantity), 1.0, lines.quantity)
    included = np.array([np.nan if item.included_seats is None else float(item.included_seats) for item in catalogue])
    pieces = np.where((units == 1.0) & (kind == "plan") & ~np.isnan(_of(included, lines)), _of(included, lines), units)
    is_seated = holds & np.isin(kind, _SEATED) & ((kind == "seat") | ~np.isnan(lines.quantity) | ~np.isnan(_of(included, lines)))
    seats = _sums(lines, np.where(is_seated, pieces, 0.0), customers)
    mrr = _sums(lines, np.where(pays, lines.mrr, 0.0), customers)
    arr = _sums(lines, np.where(pays, lines.arr, 0.0), customers)
    owned = np.zeros((customers, len(catalogue)), dtype=bool)
    owned[lines.customer[holds], lines.item[holds]] = True
    terms = {
        "mrr": mrr,
        "arr": arr,
        "seats": np.where(seats > 0, seats, np.nan),
        "products_owned": owned.sum(axis=1).astype(np.float64),
        "trial_lines": np.bincount(lines.customer[lines.is_trial], minlength=customers).astype(np.float64),
        **_trial(lines, catalogue, units, customers),
        **_renewal(lines, customers),
        **_plans(lines, catalogue, kind, units, holds & (kind == "plan"), customers),
        "seat_price_year": _seat_price(lines, catalogue, kind, units, pays, customers),
    }
    quotas: dict[str, Floats] = {}
    for metric in sorted({metric for item in catalogue for metric in item.quota}):
        given = np.array([item.quota.get(metric, 0.0) for item in catalogue])
        limit = _sums(lines, np.where(holds, _of(given, lines) * np.where(np.isin(kind, _PER_UNIT), units, 1.0), 0.0), customers)
        quotas[metric] = np.where(limit > 0, limit, np.nan)
    return Holdings(terms, quotas, owned, tuple(catalogue))


def missing_complements(holdings: Holdings) -> NDArray[np.bool_]:
    """Tell per [customer, product] which products go well with those owned and are not owned."""
    places = {item.code: i for i, item in enumerate(holdings.catalogue)}
    pairs = np.zeros((len(holdings.catalogue), len(holdings.catalogue)), dtype=np.float32)
    for i, item in enumerate(holdings.catalogue):
        pairs[i, [places[code] for code in item.complements if code in places]] = 1.0
    wanted: NDArray[np.bool_] = (holdings.owned.astype(np.float32) @ pairs > 0) & ~holdings.owned
    return wanted


def related_offer(holdings: Holdings, low: Floats, high: Floats) -> dict[str, Floats]:
    """Return how many related products are missing, and what to offer with its range a year.

    A product on trial comes first, at its list price; else the missing one that is worth most.
    low, high  per product of the catalogue: what it is owned for elsewhere, NaN where nobody knows
    """
    wanted = missing_complements(holdings)
    pairs_known = any(item.complements for item in holdings.catalogue)
    owns: NDArray[np.bool_] = np.asarray(holdings.owned.any(axis=1))
    worth = np.where(wanted, np.where(np.isnan(high), 0.0, high), -1.0)
    best = worth.argmax(axis=1) if worth.shape[1] else np.zeros(len(owns), dtype=np.intp)
    has_any = wanted.any(axis=1)
    pks = np.array([float(item.pk) for item in holdings.catalogue] or [np.nan])
    on_trial, price = holdings.terms["trial_product"], holdings.terms["trial_price_year"]
    has_trial = ~np.isnan(on_trial)
    return {
        "missing_complements": np.where(owns & pairs_known, wanted.sum(axis=1), np.nan),
        "offer_product": np.where(has_trial, on_trial, np.where(has_any, pks[best], np.nan)),
        "offer_low_year": np.where(has_trial, price, np.where(has_any, (low if len(low) else pks)[best], np.nan)),
        "offer_high_year": np.where(has_trial, price, np.where(has_any, (high if len(high) else pks)[best], np.nan)),
    }


def capacity_offer(holdings: Holdings, *, share: Floats, metric: NDArray[np.intp], metrics: Sequence[str]) -> dict[str, Floats]:
    """Return the yearly price of a unit of capacity for the tightest metric, and how many units make it roomy again.

    share   the highest share in use per customer;  metric  its position in ``metrics``, −1 for none
    """
    price, units = np.full(len(share), np.nan), np.full(len(share), np.nan)
    for position, key in enumerate(metrics):
        packs = [item for item in holdings.catalogue if item.kind == "capacity" and item.quota.get(key, 0.0) > 0]
        packs = [item for item in packs if not np.isnan(item.price_year)]
        mine = metric == position
        if not packs or not mine.any():
            continue
        pack = min(packs, key=lambda item: (item.price_year / item.quota[key], item.code))
        limit = holdings.quotas[key][mine]
        lacking = share[mine] * limit / _ROOMY - limit
        price[mine] = pack.price_year
        units[mine] = np.maximum(np.ceil(lacking / pack.quota[key] - 1e-9), 1.0)
    return {"capacity_price_year": price, "capacity_units": units}


def _of(values: Floats, lines: Lines) -> Floats:
    return values[lines.item] if len(values) else np.empty(0)


def _sums(lines: Lines, values: Floats, customers: int) -> Floats:
    return np.bincount(lines.customer, weights=values, minlength=customers).astype(np.float64)


def _renewal(lines: Lines, customers: int) -> dict[str, Floats]:
    """Look at the lines that renew first: how soon, by when notice must be given, and what is at stake."""
    due = np.where(lines.due > 0, lines.due.astype(np.float64), np.inf)
    nearest = np.full(customers, np.inf)
    np.minimum.at(nearest, lines.customer, due)
    is_first = np.isfinite(due) & (due == nearest[lines.customer])
    notice = np.full(customers, np.inf)
    np.minimum.at(notice, lines.customer[is_first], (due - lines.notice_days)[is_first])
    automatic = np.full(customers, np.inf)
    np.minimum.at(automatic, lines.customer[is_first], lines.auto_renew[is_first].astype(np.float64))
    renews = np.isfinite(nearest)
    return {
        "days_to_renewal": np.where(renews, nearest, np.nan),
        "days_to_notice": np.where(renews, notice, np.nan),
        "auto_renew": np.where(renews & (automatic >= 0), automatic, np.nan),
        "renewing_arr": np.where(renews, _sums(lines, np.where(is_first, lines.arr, 0.0), customers), np.nan),
    }


def _trial(lines: Lines, catalogue: Sequence[Item], units: Floats, customers: int) -> dict[str, Floats]:
    """Take the dearest line on trial: its product, and what it would cost in a year at the list price."""
    out = {key: np.full(customers, np.nan) for key in ("trial_product", "trial_price_year")}
    of = np.flatnonzero(lines.is_trial)
    if len(of):
        prices = np.array([item.price_year for item in catalogue])[lines.item[of]] * units[of]
        order = np.lexsort((lines.item[of], -np.nan_to_num(prices, nan=-1.0), lines.customer[of]))
        first = order[np.unique(lines.customer[of][order], return_index=True)[1]]
        who = lines.customer[of[first]]
        out["trial_product"][who] = np.array([float(item.pk) for item in catalogue])[lines.item[of[first]]]
        out["trial_price_year"][who] = prices[first]
    return out


def _plans(
    lines: Lines, catalogue: Sequence[Item], kind: NDArray[np.str_], units: Floats, is_plan: NDArray[np.bool_], customers: int
) -> dict[str, Floats]:
    """Take the plan line with the largest yearly revenue, and compare it with the plans one tier up and down."""
    of = np.flatnonzero(is_plan)
    order = of[np.lexsort((lines.item[of], -lines.arr[of], lines.customer[of]))]
    first = np.unique(lines.customer[order], return_index=True)[1]
    main = order[first]
    who = lines.customer[main]
    up, down = _neighbours(catalogue)
    pks = np.array([float(item.pk) for item in catalogue] or [np.nan])
    prices = np.array([item.price_year for item in catalogue] or [np.nan])
    above, below = (up[lines.item[main]], down[lines.item[main]]) if len(catalogue) else (main, main)
    out = {
        key: np.full(customers, np.nan)
        for key in ("plan_product", "next_plan_product", "next_plan_gain_year", "lower_plan_loss_year")
    }
    out["plan_product"][who] = pks[lines.item[main]]
    out["next_plan_product"][who] = np.where(above >= 0, pks[above], np.nan)
    out["next_plan_gain_year"][who] = np.where(above >= 0, prices[above] * units[main] - lines.arr[main], np.nan)
    out["lower_plan_loss_year"][who] = np.where(below >= 0, lines.arr[main] - prices[below] * units[main], np.nan)
    return out


def _neighbours(catalogue: Sequence[Item]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return per product the position of the plan one tier up and down within its family, −1 for none."""
    up, down = np.full(len(catalogue), -1, dtype=np.intp), np.full(len(catalogue), -1, dtype=np.intp)
    tiers = sorted((item.family, item.tier, i) for i, item in enumerate(catalogue) if item.kind == "plan" and item.tier is not None)
    for family, tier, i in tiers:
        higher = [(t, j) for f, t, j in tiers if f == family and t > tier]
        lower = [(-t, j) for f, t, j in tiers if f == family and t < tier]
        up[i] = min(higher)[1] if higher else -1
        down[i] = min(lower)[1] if lower else -1
    return up, down


def _seat_price(
    lines: Lines, catalogue: Sequence[Item], kind: NDArray[np.str_], units: Floats, pays: NDArray[np.bool_], customers: int
) -> Floats:
    """Return what one more seat costs a year: as on the seat lines, else per unit of the plan, else the list price of a seat."""
    price = np.full(customers, np.nan)
    for wanted in ("seat", "plan"):
        of = pays & (kind == wanted) & (lines.arr > 0) & ((wanted == "seat") | (units > 1))
        money = _sums(lines, np.where(of, lines.arr, 0.0), customers)
        count = _sums(lines, np.where(of, units, 0.0), customers)
        price = np.where(np.isnan(price) & (count > 0), money / np.where(count > 0, count, 1.0), price)
    listed = [item.price_year for item in catalogue if item.kind == "seat" and not np.isnan(item.price_year)]
    return np.where(np.isnan(price), min(listed), price) if listed else price
